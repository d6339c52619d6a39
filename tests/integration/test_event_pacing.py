"""A throttled function's events over a real database: none is put off that could have run."""

import asyncio

from alonzo.invoke.event_life import EventPolicy, Run
from alonzo.invoke.events import EventQueue
from alonzo.invoke.pacing import RUNS_PER_STEP
from alonzo.lib.clock import ManualClock, SystemClock
from alonzo.lib.ids import SequentialIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.context import Principal
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.store.sqlite import SqliteStore

REF = FunctionRef(FunctionKey("000000000000", "us-east-1", "f"), None)
EVENTS, CONCURRENCY = 400, 5


class Narrow:
    """Runs so many events at once, and throttles the rest."""

    def __init__(self):
        self.running, self.ran, self.refused = 0, 0, 0
        self.tried_all = asyncio.Event()

    async def event_policy(self, ref):
        return EventPolicy()

    async def run_event(self, event):
        if self.running >= CONCURRENCY:
            self.refused += 1
            raise AwsError("TooManyRequestsException", "m")
        self.running += 1
        await asyncio.sleep(0.001)
        self.running -= 1
        self.ran += 1
        if self.ran + self.refused >= EVENTS and not self.running:
            self.tried_all.set()
        return Run(b"null", "$LATEST", failed=False)


def test_a_function_that_is_throttled_is_tried_as_often_as_it_can_run(tmp_path):
    """Else most of its events would wait for later, and later too, while it has nothing to do."""

    async def main():
        store = await SqliteStore.open(tmp_path / "db", clock=SystemClock())
        try:
            async with TaskScope() as scope:
                queue, narrow = EventQueue(store, ManualClock(), SequentialIds()), Narrow()
                principal = Principal("000000000000", "arn", "id", "AKIA")
                request = InvokeRequest(
                    "r", "000000000000", "us-east-1", "f", None, InvocationType.EVENT, b"{}",
                    principal,
                )  # fmt: skip
                for _ in range(EVENTS):
                    await queue.accept(request, REF, b"{}", "t")
                scope.spawn(queue.run(narrow), name="events")
                async with asyncio.timeout(20):
                    await narrow.tried_all.wait()
                # Half of the slots are tried at first; then one more than run, now and then.
                assert narrow.refused <= 50 - CONCURRENCY + EVENTS // RUNS_PER_STEP
        finally:
            await store.close()

    asyncio.run(main())
