"""What is sent of events that are over, from the queue to its targets, over a real database."""

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
from alonzo.model.metering import LambdaMetric, Uncounted
from alonzo.store.queries import load
from alonzo.store.sqlite import SqliteStore

KEY = FunctionKey("000000000000", "us-east-1", "f")
REF = FunctionRef(KEY, None)
PREFIX = "arn:aws:sqs:us-east-1:000000000000:"
TARGET, LETTERS = f"{PREFIX}target", f"{PREFIX}letters"
FAILED = Run(b'{"errorMessage":"no"}', "$LATEST", failed=True)
GONE = AwsError("QueueDoesNotExist", "gone")


class Counted(Uncounted):
    """Remembers what was counted of functions."""

    def __init__(self):
        self.metrics = []

    def add_nowait(self, metric, ref, value=1.0, *, executed_version=None):
        assert ref.key == KEY
        self.metrics.append(metric)


class World:
    """Both queues over one store; every event fails, and targets do as ``behave`` says."""

    def __init__(self, store, **policy):
        self.store, self.clock = store, ManualClock()
        self.policy = EventPolicy(retries_max=0, role="role", **policy)
        self.counted = Counted()
        self.delivered = []
        self.behave = {}
        self.queue = EventQueue(store, self.clock, SequentialIds(), metrics=self.counted)
        self.deliveries = DeliveryQueue(store, self.clock, metrics=self.counted)

    async def event_policy(self, ref):
        return self.policy

    async def run_event(self, event):
        return FAILED

    async def deliver(self, delivery):
        await self.behave.get(delivery.target_arn, asyncio.sleep)(0)
        self.delivered.append(delivery)

    def request(self, payload=b'{"n":1}', **more):
        principal = Principal(KEY.account, "arn", "id", "AKIA")
        return InvokeRequest(
            "r", KEY.account, KEY.region, "f", None, InvocationType.EVENT, payload, principal,
            **more,
        )  # fmt: skip

    async def accept(self):
        await self.queue.accept(self.request(), REF, b'{"n":1}', "Root=1")

    async def add_deliveries(self, target_arn, count):
        row = {
            "request_id": "d", "sender_arn": f"{KEY.arn}:$LATEST", "target_arn": target_arn,
            "role_arn": "role", "now_s": self.clock.now_s(), "trace_header": "", "succeeded": 0,
            "event_request_id": None, "error_code": None, "error_message": None, "record": b"{}",
        }  # fmt: skip
        sql = load("alonzo.invoke").add_delivery
        await self.store.tx(lambda db: db.execute_many(sql, [row] * count))

    async def until(self, condition):
        async with asyncio.timeout(10):
            while not await condition():  # noqa: ASYNC110 - what is awaited is a row of a table
                await asyncio.sleep(0.002)

    async def is_over(self):
        sql = "SELECT (SELECT COUNT(*) FROM async_event) + (SELECT COUNT(*) FROM async_delivery) n"
        return (await self.store.read(lambda db: db.one(sql)))["n"] == 0


@asynccontextmanager
async def opened(path, **policy):
    store = await SqliteStore.open(path / "db", clock=SystemClock())
    try:
        async with TaskScope() as scope:
            world = World(store, **policy)
            scope.spawn(world.queue.run(world), name="events")
            scope.spawn(world.deliveries.run(world), name="deliveries")
            yield world
    finally:
        await store.close()


def refuse(error):
    async def behave(_):
        raise error

    return behave


def said(caplog):
    return [record.getMessage() for record in caplog.records]


def test_a_failure_reaches_the_destination_and_the_dead_letter_queue(tmp_path, caplog):
    async def main():
        async with opened(tmp_path, on_failure=TARGET, dead_letter=LETTERS) as world:
            await world.accept()
            await world.until(world.is_over)
            by_target = {each.target_arn: each for each in world.delivered}
            record, letter = by_target[TARGET], by_target[LETTERS]
            assert json.loads(record.document)["requestContext"]["condition"] == "RetriesExhausted"
            assert record.dead_letter is None
            assert letter.document == b'{"n":1}'
            told = letter.dead_letter
            assert (told.request_id, told.error_code, told.error_message) == ("r", 200, "no")
            assert record.request_id != letter.request_id
            assert {record.role_arn, letter.role_arn} == {"role"}
            assert world.counted.metrics == [LambdaMetric.ASYNC_EVENTS_DROPPED]

    asyncio.run(main())
    assert "event.dropped" not in said(caplog), "somebody heard of it"


@pytest.mark.parametrize(
    ("policy", "metric"),
    [
        ({"on_failure": TARGET}, LambdaMetric.DESTINATION_DELIVERY_FAILURES),
        ({"dead_letter": TARGET}, LambdaMetric.DEAD_LETTER_ERRORS),
    ],
)
def test_what_cannot_be_delivered_is_counted_and_logged(tmp_path, caplog, policy, metric):
    async def main():
        async with opened(tmp_path, **policy) as world:
            world.behave = {TARGET: refuse(GONE)}
            await world.accept()
            await world.until(world.is_over)
            assert world.counted.metrics == [LambdaMetric.ASYNC_EVENTS_DROPPED, metric]
            assert world.delivered == []

    asyncio.run(main())
    assert said(caplog) == ["delivery.failed"]


def test_a_target_that_is_not_here_is_tried_for_six_hours_and_then_counted(tmp_path):
    async def main():
        async with opened(tmp_path, dead_letter=LETTERS) as world:
            world.behave = {LETTERS: refuse(AwsError("ServiceException", "Nothing here"))}
            begin_s = world.clock.now_s()
            await world.accept()

            async def over():
                row = await world.store.read(
                    lambda db: db.one("SELECT MAX(due_at_s) AS due FROM async_delivery")
                )
                if row["due"] is not None and row["due"] > world.clock.now_s():
                    world.clock.advance(row["due"] - world.clock.now_s())
                    world.deliveries.nudge()
                return await world.is_over()

            await world.until(over)
            assert 21_000 < world.clock.now_s() - begin_s <= 21_600
            assert world.counted.metrics[-1] is LambdaMetric.DEAD_LETTER_ERRORS

    asyncio.run(main())


def test_a_target_that_hangs_keeps_no_other_waiting(tmp_path):
    async def main():
        async with opened(tmp_path) as world:
            hanging = []

            async def hang(_):
                hanging.append(1)
                await asyncio.Event().wait()

            world.behave = {TARGET: hang}
            await world.add_deliveries(TARGET, 200)
            world.deliveries.nudge()

            async def half():
                return len(hanging) == 32

            await world.until(half)
            await world.add_deliveries(LETTERS, 100)
            world.deliveries.nudge()

            async def others():
                return len(world.delivered) == 100

            await world.until(others)
            assert len(hanging) == 32

    asyncio.run(main())


def test_finding_due_deliveries_does_not_read_the_whole_queue(tmp_path):
    async def main():
        async with opened(tmp_path) as world:
            queries = load("alonzo.invoke")
            values = {"target_arn": "t", "limit": 1, "id": 1}
            for name in ("waiting_targets", "due_deliveries", "find_delivery"):
                sql = f"EXPLAIN QUERY PLAN {getattr(queries, name)}"
                plan = await world.store.read(lambda db, sql=sql: db.all(sql, values))
                touching = [row["detail"] for row in plan if "async_delivery" in row["detail"]]
                assert touching
                assert all(line.startswith("SEARCH") for line in touching), touching

    asyncio.run(main())


def test_an_event_of_a_loop_is_told_of_and_never_stored(tmp_path):
    async def main():
        async with opened(tmp_path, on_failure=TARGET, dead_letter=LETTERS) as world:
            await world.queue.refuse(world.request(), REF, "Root=1", world.policy)
            await world.until(world.is_over)
            by_target = {each.target_arn: each for each in world.delivered}
            context = json.loads(by_target[TARGET].document)["requestContext"]
            assert context["condition"] == "RecursiveInvocation"
            assert context["approximateInvokeCount"] == 0
            assert by_target[LETTERS].dead_letter.error_code == 400

    asyncio.run(main())
