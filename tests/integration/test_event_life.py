"""Attempts, ages and records of events over a real database, in hours of a clock of the test's."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from alonzo.invoke.deliveries import DeliveryQueue
from alonzo.invoke.event_life import EventPolicy, Run
from alonzo.invoke.events import EventQueue
from alonzo.lib.clock import ManualClock, SystemClock
from alonzo.lib.ids import SequentialIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.context import Principal
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.store.sqlite import SqliteStore

KEY = FunctionKey("000000000000", "us-east-1", "f")
REF = FunctionRef(KEY, None)
TARGET = "arn:aws:lambda:us-east-1:000000000000:function:target"
THROTTLE = AwsError("TooManyRequestsException", "m")
OURS = RuntimeError("ours")
FAILED = Run(b'{"errorMessage":"no"}', "$LATEST", failed=True)


class World:
    """A queue of events and one of records, a function that does as it is told, and a clock."""

    def __init__(self, store, clock, plan, **policy):
        self.store, self.clock = store, clock
        self.plan = list(plan)
        self.policy = EventPolicy(**policy)
        self.ran_at_s = []
        self.delivered = []
        self.refusing = []
        self.queue = EventQueue(store, clock, SequentialIds())
        self.deliveries = DeliveryQueue(store, clock)

    async def event_policy(self, ref):
        return self.policy

    async def run_event(self, event):
        self.ran_at_s.append(self.clock.now_s())
        answer = self.plan.pop(0) if self.plan else None
        if isinstance(answer, Exception):
            raise answer
        if answer == "hang":
            await asyncio.Event().wait()
        return answer or Run(b'"done"', "$LATEST", failed=False)

    async def deliver(self, delivery):
        if self.refusing:
            raise self.refusing.pop(0)
        self.delivered.append(delivery)

    async def accept(self, payload=b'{"n":1}'):
        principal = Principal(KEY.account, "arn", "id", "AKIA")
        await self.queue.accept(
            InvokeRequest(
                "r", KEY.account, KEY.region, "f", None, InvocationType.EVENT, payload, principal
            ),
            REF, payload, "Root=1",
        )  # fmt: skip

    async def count(self, table):
        row = await self.store.read(lambda db: db.one(f"SELECT COUNT(*) AS n FROM {table}"))
        return row["n"]

    async def waiting(self, table="async_event"):
        """When the only row comes due, None if it is in hand, False if it is gone."""
        sql = {
            "async_event": "SELECT due_at_s, running FROM async_event",
            "async_delivery": "SELECT due_at_s, 0 AS running FROM async_delivery",
        }[table]
        row = await self.store.read(lambda db: db.one(sql))
        if row is None:
            return False
        late = row["running"] or row["due_at_s"] <= self.clock.now_s()
        return None if late else row["due_at_s"]

    async def live(self, table="async_event"):
        """Let the clock go on from one due time to the next, until the row is gone."""
        async with asyncio.timeout(20):
            while (due_at_s := await self.waiting(table)) is not False:
                if due_at_s is None:
                    await asyncio.sleep(0.001)
                    continue
                self.clock.advance(due_at_s - self.clock.now_s())
                self.queue.nudge()
                self.deliveries.nudge()

    def start(self, scope):
        return [
            scope.spawn(self.queue.run(self), name="events"),
            scope.spawn(self.deliveries.run(self), name="deliveries"),
        ]


@asynccontextmanager
async def opened(path, plan=(), **policy):
    store = await SqliteStore.open(path / "db", clock=SystemClock())
    try:
        async with TaskScope() as scope:
            yield World(store, ManualClock(), plan, **policy), scope
    finally:
        await store.close()


def condition_of(world):
    (delivery,) = world.delivered
    return json.loads(delivery.document)["requestContext"]["condition"]


@pytest.mark.parametrize(
    ("plan", "policy", "waits", "condition"),
    [
        ([FAILED] * 9, {}, [0, 60, 180], "RetriesExhausted"),
        ([FAILED] * 9, {"retries_max": 1}, [0, 60], "RetriesExhausted"),
        ([FAILED] * 9, {"retries_max": 0}, [0], "RetriesExhausted"),
        ([FAILED], {}, [0, 60], "Success"),
        ([THROTTLE, THROTTLE, FAILED, THROTTLE, FAILED], {}, [0, 1, 3, 63, 64, 184], "Success"),
        ([THROTTLE] * 99, {"age_s_max": 60}, [0, 1, 3, 7, 15, 31], "EventAgeExceeded"),
        ([FAILED] * 9, {"age_s_max": 100}, [0, 60], "EventAgeExceeded"),
        ([OURS] * 3 + [FAILED] * 9, {"retries_max": 0}, [0, 1, 3, 7], "RetriesExhausted"),
        ([], {"blocked": True}, [], "ZeroReservedConcurrency"),
        ([AwsError("ResourceNotFoundException", "gone")], {}, [0], "RetriesExhausted"),
    ],
)  # fmt: skip
def test_an_event_is_tried_when_and_as_often_as_its_policy_says(
    tmp_path, plan, policy, waits, condition
):
    async def main():
        async with opened(tmp_path, plan, on_success=TARGET, on_failure=TARGET, **policy) as (
            world, scope,
        ):  # fmt: skip
            begin_s = world.clock.now_s()
            world.start(scope)
            await world.accept()
            await world.live()
            await world.live("async_delivery")
            assert [at_s - begin_s for at_s in world.ran_at_s] == waits
            assert condition_of(world) == condition

    asyncio.run(main())


def test_six_hours_of_throttles_pass_in_a_moment(tmp_path):
    async def main():
        async with opened(tmp_path, [THROTTLE] * 999, on_failure=TARGET) as (world, scope):
            begin_s = world.clock.now_s()
            world.start(scope)
            await world.accept()
            await world.live()
            await world.live("async_delivery")
            last_s = world.ran_at_s[-1] - begin_s
            assert 21_600 - 300 <= last_s <= 21_600
            assert condition_of(world) == "EventAgeExceeded"
            document = json.loads(world.delivered[0].document)
            assert document["requestContext"]["approximateInvokeCount"] == 0
            assert "responseContext" not in document

    asyncio.run(main())


def test_the_last_error_is_in_the_record_though_throttles_came_after_it(tmp_path):
    async def main():
        plan = [FAILED] + [THROTTLE] * 99
        async with opened(tmp_path, plan, age_s_max=100, on_failure=TARGET) as (world, scope):
            world.start(scope)
            await world.accept()
            await world.live()
            await world.live("async_delivery")
            document = json.loads(world.delivered[0].document)
            assert document["requestContext"]["condition"] == "EventAgeExceeded"
            assert document["requestContext"]["approximateInvokeCount"] == 1
            assert document["responsePayload"] == {"errorMessage": "no"}
            assert document["requestPayload"] == {"n": 1}

    asyncio.run(main())


def test_without_a_destination_nothing_is_stored_of_an_event_that_is_over(tmp_path):
    async def main():
        async with opened(tmp_path, [FAILED] * 3, on_success=TARGET) as (world, scope):
            world.start(scope)
            await world.accept()
            await world.live()
            assert await world.count("async_delivery") == 0
            assert world.delivered == []

    asyncio.run(main())


@pytest.mark.parametrize(("failed_before", "runs_after"), [(0, 3), (1, 1), (2, 0)])
def test_a_run_cut_by_a_death_counts_once_an_earlier_one_has_ended(
    tmp_path, failed_before, runs_after
):
    async def main():
        plan = [FAILED] * failed_before + ["hang"]
        async with opened(tmp_path, plan, on_failure=TARGET) as (world, scope):
            tasks = world.start(scope)
            await world.accept()
            while len(world.ran_at_s) <= failed_before:
                due_at_s = await world.waiting()
                if due_at_s:
                    world.clock.advance(due_at_s - world.clock.now_s())
                    world.queue.nudge()
                await asyncio.sleep(0.001)
            for task in tasks:
                task.cancel()
            await scope.drain()
            again = World(world.store, world.clock, [FAILED] * 9, on_failure=TARGET)
            again.start(scope)
            await again.live()
            await again.live("async_delivery")
            assert len(again.ran_at_s) == runs_after
            assert condition_of(again) == "RetriesExhausted"
            context = json.loads(again.delivered[0].document)["requestContext"]
            assert context["approximateInvokeCount"] == 3

    asyncio.run(main())


def test_a_policy_that_is_changed_holds_for_the_events_that_wait(tmp_path):
    async def main():
        async with opened(tmp_path, [FAILED] * 9, on_failure=TARGET) as (world, scope):
            world.start(scope)
            await world.accept()
            while not await world.waiting():  # noqa: ASYNC110 - what is awaited is a row
                await asyncio.sleep(0.001)
            world.policy = EventPolicy(retries_max=0, on_failure=TARGET)
            await world.live()
            await world.live("async_delivery")
            assert len(world.ran_at_s) == 1
            assert condition_of(world) == "RetriesExhausted"

    asyncio.run(main())


def test_a_record_is_delivered_again_until_its_destination_takes_it(tmp_path):
    async def main():
        async with opened(tmp_path, on_success=TARGET) as (world, scope):
            world.refusing = [THROTTLE, RuntimeError("x"), AwsError("ServiceException", "m")]
            begin_s = world.clock.now_s()
            world.start(scope)
            await world.accept()
            await world.live()
            await world.live("async_delivery")
            (delivery,) = world.delivered
            assert (delivery.target_arn, delivery.sender_arn) == (TARGET, f"{KEY.arn}:$LATEST")
            assert delivery.trace_header == "Root=1"
            assert world.clock.now_s() - begin_s == 1 + 2 + 4
            assert await world.count("async_delivery") == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    "refusals",
    [[AwsError("ResourceNotFoundException", "gone")], [THROTTLE] * 999],
    ids=["a destination that is gone", "one that throttles for ever"],
)
def test_a_record_that_cannot_be_delivered_is_logged(tmp_path, caplog, refusals):
    async def main():
        async with opened(tmp_path, on_success=TARGET) as (world, scope):
            world.refusing = refusals
            world.start(scope)
            await world.accept()
            await world.live()
            await world.live("async_delivery")
            assert world.delivered == []
        (lost,) = [r for r in caplog.records if r.getMessage() == "delivery.failed"]
        assert lost.target == TARGET

    asyncio.run(main())


def test_a_record_too_large_for_anybody_is_logged_and_ends_nothing_else(tmp_path, caplog):
    async def main():
        long = Run(b'"' + b"x" * (1 << 20) + b'"', "1", failed=False)
        async with opened(tmp_path, [long], on_success=TARGET) as (world, scope):
            world.start(scope)
            await world.accept()
            await world.live()
            assert await world.count("async_delivery") == 0
        assert [r for r in caplog.records if r.getMessage() == "delivery.failed"]

    asyncio.run(main())
