"""Any life of an event, deaths of the daemon included, against a model of what is promised."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alonzo.invoke.deliveries import DeliveryQueue
from alonzo.invoke.event_life import EventPolicy, Run
from alonzo.invoke.events import Event, EventQueue
from alonzo.lib.clock import ManualClock, SystemClock
from alonzo.lib.ids import SequentialIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.context import Principal
from alonzo.model.deliveries import Delivery
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.store.sqlite import SqliteStore

REF = FunctionRef(FunctionKey("000000000000", "us-east-1", "f"), "live")

#: What becomes of a try: the function ends well or badly, nothing runs, or the daemon dies.
STEPS = st.lists(st.sampled_from(["ok", "fail", "throttle", "die"]), max_size=14)
RETRIES = st.integers(0, 2)
AGES = st.sampled_from([60, 100, 200, 3600, 21_600])


@dataclass
class Lived:
    """What was seen of an event: when it was tried, and the records that were delivered."""

    tried_s: list[float]
    records: list[dict[str, Any]]


def expected(steps: list[str], retries: int, age_s: int) -> tuple[list[float], str, int]:
    """When the event is tried, how it ends, and after how many runs; written from the rules."""
    now, tried, runs, refusals = 0.0, list[float](), 0, 0
    script = iter(steps)
    while True:
        if runs > retries:
            return tried, "RetriesExhausted", runs
        tried.append(now)
        step = next(script, "ok")
        if step == "die":
            runs += 1 if runs else 0
            refusals += 1
            continue
        if step == "ok":
            return tried, "Success", runs + 1
        if step == "fail":
            runs, refusals = runs + 1, 0
            if runs > retries:
                return tried, "RetriesExhausted", runs
            wait_s = 60.0 * runs
        else:
            wait_s = min(2.0**refusals, 300.0)
            refusals += 1
        if now + wait_s > age_s:
            return tried, "EventAgeExceeded", runs
        now += wait_s


class Daemon:
    """One life of the daemon after another, over one store."""

    def __init__(self, store: SqliteStore, steps: list[str], policy: EventPolicy) -> None:
        self.store, self.clock, self.policy = store, ManualClock(), policy
        self.begin_s = self.clock.now_s()
        self.script = iter(steps)
        self.seen = Lived([], [])
        self.died = asyncio.Event()
        self.delivered = asyncio.Event()

    async def event_policy(self, ref: FunctionRef) -> EventPolicy:
        return self.policy

    async def run_event(self, event: Event) -> Run:
        self.seen.tried_s.append(self.clock.now_s() - self.begin_s)
        step = next(self.script, "ok")
        if step == "die":
            self.died.set()
            await asyncio.Event().wait()
        if step == "throttle":
            raise AwsError("TooManyRequestsException", "m")
        return Run(b'"x"', "1", failed=step == "fail")

    async def deliver(self, delivery: Delivery) -> None:
        self.seen.records.append(json.loads(delivery.document))
        self.delivered.set()

    async def live(self) -> Lived:
        while not self.delivered.is_set():
            self.died.clear()
            queue = EventQueue(self.store, self.clock, SequentialIds())
            deliveries = DeliveryQueue(self.store, self.clock)
            async with TaskScope() as scope:
                scope.spawn(queue.run(self), name="events")
                scope.spawn(deliveries.run(self), name="deliveries")
                while not self.died.is_set() and not self.delivered.is_set():
                    await self._let_time_pass(queue)
        return self.seen

    async def _let_time_pass(self, queue: EventQueue) -> None:
        row = await self.store.read(
            lambda db: db.one("SELECT due_at_s FROM async_event WHERE running = 0")
        )
        if row is not None and row["due_at_s"] > self.clock.now_s():
            self.clock.advance(row["due_at_s"] - self.clock.now_s())
            queue.nudge()
        await asyncio.sleep(0.0005)


async def lived(folder: Path, steps: list[str], policy: EventPolicy) -> Lived:
    store = await SqliteStore.open(folder / "db", clock=SystemClock())
    try:
        daemon = Daemon(store, steps, policy)
        principal = Principal("000000000000", "arn", "id", "AKIA")
        key = REF.key
        await EventQueue(store, daemon.clock, SequentialIds()).accept(
            InvokeRequest(
                "r", key.account, key.region, "f", None, InvocationType.EVENT, b"{}", principal
            ),
            REF, b"{}", "t",
        )  # fmt: skip
        async with asyncio.timeout(30):
            return await daemon.live()
    finally:
        await store.close()


@given(steps=STEPS, retries=RETRIES, age_s=AGES)
def test_every_event_is_tried_as_promised_and_reaches_its_destination(
    steps: list[str], retries: int, age_s: int
) -> None:
    policy = EventPolicy(retries, age_s, on_success="yes", on_failure="no")
    with tempfile.TemporaryDirectory() as folder:
        seen = asyncio.run(lived(Path(folder), steps, policy))
    tried_s, condition, runs = expected(steps, retries, age_s)
    assert [round(at_s, 6) for at_s in seen.tried_s] == tried_s
    (record,) = seen.records
    assert record["requestContext"]["condition"] == condition
    assert record["requestContext"]["approximateInvokeCount"] == runs
    ended = sum(1 for step in steps[: len(tried_s)] if step == "fail")
    assert ended <= retries + 1
