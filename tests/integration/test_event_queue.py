"""Accepted events over a real database: none is lost, none runs before its time."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from alonzo.invoke.event_life import BACKOFF_S_MAX, EventPolicy, Run
from alonzo.invoke.events import EventQueue
from alonzo.lib.clock import ManualClock, SystemClock
from alonzo.lib.ids import SequentialIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.context import Principal
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.model.limits import MAXIMUM_EVENT_AGE_S
from alonzo.store.base import StoreFullError
from alonzo.store.queries import load
from alonzo.store.sqlite import SqliteStore

ACCOUNT, REGION = "000000000000", "us-east-1"
REF = FunctionRef(FunctionKey(ACCOUNT, REGION, "f"), None)


class FullStore:
    """A real store that has no space left for some calls: see ``fail``."""

    def __init__(self, inner):
        self._inner = inner
        self._failing = {}
        self.calls = 0
        self.failed = 0

    def fail(self, *, kinds=("read", "tx"), times, after=0):
        """Let ``after`` calls of those kinds pass, and have the next ``times`` raise."""
        self._failing = {"kinds": kinds, "times": times, "after": after}

    async def _call(self, kind, work):
        self.calls += 1
        plan = self._failing
        if kind in plan.get("kinds", ()):
            if plan["after"] > 0:
                plan["after"] -= 1
            elif plan["times"] > 0:
                plan["times"] -= 1
                self.failed += 1
                raise StoreFullError("no space left")
        return await getattr(self._inner, kind)(work)

    async def tx(self, work):
        return await self._call("tx", work)

    async def read(self, work):
        return await self._call("read", work)


class Runner:
    """Runs events by a function that succeeds, unless it raises or answers how its run ended."""

    def __init__(self, handle, **policy):
        self._handle = handle
        self._policy = EventPolicy(**policy)

    async def event_policy(self, ref):
        return self._policy

    async def run_event(self, event):
        return await self._handle(event) or Run(b"null", "$LATEST", failed=False)


def request(request_id):
    return InvokeRequest(
        request_id, ACCOUNT, REGION, "f", None, InvocationType.EVENT, b"{}",
        Principal(ACCOUNT, "arn", "id", "AKIA"),
    )  # fmt: skip


@asynccontextmanager
async def opened(path, clock):
    store = await SqliteStore.open(path / "db", clock=SystemClock())
    try:
        yield store, EventQueue(store, clock, SequentialIds())
    finally:
        await store.close()


async def left(store):
    return (await store.read(lambda db: db.one("SELECT COUNT(*) AS n FROM async_event")))["n"]


async def rows(store):
    sql = "SELECT request_id, running, attempts, due_at_s FROM async_event ORDER BY id"
    return [tuple(row.values()) for row in await store.read(lambda db: db.all(sql))]


def ref(name):
    return FunctionRef(FunctionKey(ACCOUNT, REGION, name), None)


async def until(condition):
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - what is awaited is a row of a table
            await asyncio.sleep(0.002)


def test_every_accepted_event_runs_and_is_then_forgotten(tmp_path):
    async def main():
        async with opened(tmp_path, SystemClock()) as (store, queue), TaskScope() as scope:
            ran = []

            async def handle(event):
                ran.append((event.request_id, event.payload, event.ref, event.life.tries))

            scope.spawn(queue.run(Runner(handle)), name="events")
            await asyncio.gather(
                *(queue.accept(request(f"r{n}"), REF, b"{}", "t") for n in range(250))
            )

            async def done():
                return await left(store) == 0

            await until(done)
            assert sorted(ran) == sorted((f"r{n}", b"{}", REF, 1) for n in range(250))

    asyncio.run(main())


@pytest.mark.parametrize("failure", [AwsError("TooManyRequestsException", "m"), RuntimeError("x")])
def test_a_throttle_or_a_failure_of_ours_postpones(tmp_path, failure):
    async def main():
        clock = ManualClock()
        async with opened(tmp_path, clock) as (store, queue), TaskScope() as scope:
            tries = []

            async def handle(event):
                tries.append((event.life.tries, clock.now_s()))
                if len(tries) < 3:
                    raise failure

            begin_s = clock.now_s()
            await queue.accept(request("r"), REF, b"{}", "t")
            worker = scope.spawn(queue.run(Runner(handle)), name="events")

            async def postponed():
                rows = await store.read(
                    lambda db: db.all("SELECT due_at_s, running FROM async_event")
                )
                return rows and not rows[0]["running"] and rows[0]["due_at_s"] > clock.now_s()

            async def gone():
                return await left(store) == 0

            for wait_s in (1, 2):
                await until(postponed)
                # The waiting worker sleeps on real time; a restart reads the queue afresh.
                worker.cancel()
                clock.advance(wait_s)
                worker = scope.spawn(queue.run(Runner(handle)), name="events")
            await until(gone)
            assert tries == [(1, begin_s), (2, begin_s + 1), (3, begin_s + 3)]

    asyncio.run(main())


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "InvalidParameterValueException",
        "InvalidRuntimeException",
        "InvalidZipFileException",
        "ResourceNotFoundException",
    ],
)
def test_an_error_that_cannot_heal_ends_the_event_and_is_logged(tmp_path, caplog, code):
    async def main():
        async with opened(tmp_path, SystemClock()) as (store, queue), TaskScope() as scope:
            tries = []

            async def handle(event):
                tries.append(event.life.tries)
                raise AwsError(code, "gone")

            await queue.accept(request("r"), REF, b"{}", "t")
            scope.spawn(queue.run(Runner(handle)), name="events")

            async def gone():
                return await left(store) == 0

            await until(gone)
            assert tries == [1]
        (dropped,) = [r for r in caplog.records if r.getMessage() == "event.dropped"]
        assert dropped.request == "r"
        assert code in dropped.reason

    asyncio.run(main())


def test_an_event_past_its_maximum_age_is_dropped_unseen(tmp_path, caplog):
    async def main():
        clock = ManualClock()
        async with opened(tmp_path, clock) as (store, queue), TaskScope() as scope:
            ran = []

            async def handle(event):
                ran.append(event.request_id)

            await queue.accept(request("too old"), REF, b"{}", "t")
            clock.advance(1)
            await queue.accept(request("old"), REF, b"{}", "t")
            clock.advance(MAXIMUM_EVENT_AGE_S)
            scope.spawn(queue.run(Runner(handle)), name="events")

            async def gone():
                return await left(store) == 0

            await until(gone)
            assert ran == ["old"]
        assert [r.request for r in caplog.records if r.getMessage() == "event.dropped"] == [
            "too old"
        ]

    asyncio.run(main())


def test_an_event_that_would_be_too_old_at_its_next_attempt_is_dropped(tmp_path):
    async def main():
        clock = ManualClock()
        async with opened(tmp_path, clock) as (store, queue), TaskScope() as scope:

            async def handle(event):
                raise AwsError("TooManyRequestsException", "m")

            await queue.accept(request("r"), REF, b"{}", "t")
            clock.advance(MAXIMUM_EVENT_AGE_S - 0.5)
            scope.spawn(queue.run(Runner(handle)), name="events")

            async def gone():
                return await left(store) == 0

            await until(gone)

    asyncio.run(main())


def test_a_thousandth_attempt_is_postponed_like_the_tenth(tmp_path):
    async def main():
        clock = ManualClock()
        async with opened(tmp_path, clock) as (store, queue), TaskScope() as scope:

            async def handle(event):
                raise RuntimeError("x")

            await queue.accept(request("r"), REF, b"{}", "t")
            await store.tx(lambda db: db.execute("UPDATE async_event SET attempts = 4999"))
            scope.spawn(queue.run(Runner(handle)), name="events")

            async def postponed():
                return await rows(store) == [("r", 0, 5000, clock.now_s() + BACKOFF_S_MAX)]

            await until(postponed)

    asyncio.run(main())


# In order: forgetting old marks, looking for due events, claiming, settling.
@pytest.mark.parametrize("step", range(4))
def test_a_full_disk_at_any_step_of_the_worker_only_delays_it(tmp_path, step):
    async def main():
        async with opened(tmp_path, SystemClock()) as (store, _), TaskScope() as scope:
            full = FullStore(store)
            queue = EventQueue(full, SystemClock(), SequentialIds())
            ran = []

            async def handle(event):
                ran.append((event.request_id, event.life.tries))

            async def gone():
                return await left(store) == 0

            await queue.accept(request("one"), REF, b"{}", "t")
            full.fail(times=3, after=step)
            scope.spawn(queue.run(Runner(handle)), name="events")
            await until(gone)
            assert full.failed == 3
            await queue.accept(request("two"), REF, b"{}", "t")
            await until(gone)
            assert ran == [("one", 1), ("two", 1)]

    asyncio.run(main())


def test_a_full_disk_does_not_cut_the_events_in_hand(tmp_path):
    async def main():
        async with opened(tmp_path, SystemClock()) as (store, _), TaskScope() as scope:
            full = FullStore(store)
            queue = EventQueue(full, SystemClock(), SequentialIds())
            started, go_on, ended = asyncio.Event(), asyncio.Event(), []

            async def handle(event):
                if event.request_id == "long":
                    started.set()
                    await go_on.wait()
                ended.append(event.request_id)

            scope.spawn(queue.run(Runner(handle)), name="events")
            await queue.accept(request("long"), REF, b"{}", "t")
            await started.wait()
            full.fail(kinds=("read",), times=2)
            await queue.accept(request("short"), REF, b"{}", "t")

            async def short_ended():
                return ended == ["short"]

            await until(short_ended)
            assert full.failed == 2
            go_on.set()

            async def gone():
                return await left(store) == 0

            await until(gone)
            assert ended == ["short", "long"]

    asyncio.run(main())


def test_a_function_with_many_slow_events_leaves_room_for_the_others(tmp_path):
    async def main():
        async with opened(tmp_path, SystemClock()) as (store, _), TaskScope() as scope:
            counted = FullStore(store)
            queue = EventQueue(counted, SystemClock(), SequentialIds())
            slow, fast = [], []

            async def handle(event):
                if event.ref.key.name == "fast":
                    fast.append(event.request_id)
                else:
                    slow.append(event.request_id)
                    await asyncio.Event().wait()

            for name, count in (("slow", 120), ("fast", 3)):
                accepts = (
                    queue.accept(request(f"{name}{n}"), ref(name), b"{}", "t") for n in range(count)
                )
                await asyncio.gather(*accepts)
            scope.spawn(queue.run(Runner(handle)), name="events")

            async def settled():
                return await left(store) == 120 and len(slow) >= 50

            await until(settled)
            counted.calls = 0
            await queue.accept(request("fast3"), ref("fast"), b"{}", "t")
            await until(settled)
            assert sorted(fast) == ["fast0", "fast1", "fast2", "fast3"]
            assert len(slow) == 50
            assert counted.calls < 20, "due events without a slot must not keep the worker busy"

    asyncio.run(main())


def test_finding_due_events_does_not_read_the_whole_queue(tmp_path):
    async def main():
        async with opened(tmp_path, SystemClock()) as (store, _):
            queries = load("alonzo.invoke")
            values = {"function_path": "p", "now_s": 1.0, "limit": 1, "id": 1}
            for name in ("waiting_functions", "due_events", "claim_event", "forget_running"):
                sql = f"EXPLAIN QUERY PLAN {getattr(queries, name)}"
                plan = [
                    row["detail"]
                    for row in await store.read(lambda db, sql=sql: db.all(sql, values))
                ]
                touching = [line for line in plan if "async_event" in line]
                assert touching
                assert all(line.startswith("SEARCH") for line in touching), plan

    asyncio.run(main())


def test_stopping_waits_for_the_events_in_hand_and_claims_no_more(tmp_path):
    async def main():
        async with opened(tmp_path, SystemClock()) as (store, queue), TaskScope() as scope:
            started, go_on = asyncio.Event(), asyncio.Event()

            async def handle(event):
                started.set()
                await go_on.wait()

            worker = scope.spawn(queue.run(Runner(handle)), name="events")
            await queue.accept(request("first"), REF, b"{}", "t")
            await started.wait()
            stopping = scope.spawn(queue.stop(10), name="stop")
            await queue.accept(request("second"), REF, b"{}", "t")
            assert not stopping.done()
            go_on.set()
            async with asyncio.timeout(5):
                await stopping
                await worker
            assert [row[:3] for row in await rows(store)] == [("second", 0, 0)]

    asyncio.run(main())


def test_stopping_a_worker_that_never_ran_or_has_nothing_to_do_takes_no_time(tmp_path):
    async def main():
        async with opened(tmp_path, SystemClock()) as (store, queue), TaskScope() as scope:
            full = FullStore(store)
            idle = EventQueue(full, SystemClock(), SequentialIds())
            full.fail(times=1000)
            async with asyncio.timeout(2):
                await queue.stop(10)
                scope.spawn(idle.run(Runner(lambda event: asyncio.sleep(0))), name="events")

                async def pausing():
                    return full.failed >= 4

                await until(pausing)
                await idle.stop(10)

    asyncio.run(main())


@pytest.mark.parametrize("held", ["before the claim", "after the claim"])
def test_what_is_being_claimed_as_the_grace_ends_goes_back_too(tmp_path, monkeypatch, held):
    async def main():
        clock = ManualClock()
        async with opened(tmp_path, clock) as (store, queue), TaskScope() as scope:
            reached, go_on, ran = asyncio.Event(), asyncio.Event(), []

            async def hold(where):
                if where == held:
                    reached.set()
                    await go_on.wait()

            async def claimed(_point):
                await hold("after the claim")

            class Held(Runner):
                async def event_policy(self, ref):
                    await hold("before the claim")
                    return await super().event_policy(ref)

            async def handle(event):
                ran.append(event.request_id)

            monkeypatch.setattr("alonzo.invoke.events.faults.reach", claimed)
            await queue.accept(request("r"), REF, b"{}", "t")
            worker = scope.spawn(queue.run(Held(handle)), name="events")
            await reached.wait()
            await queue.stop(0)
            go_on.set()
            async with asyncio.timeout(5):
                await worker
            assert await rows(store) == [("r", 0, 0, clock.now_s())]
            assert ran == []

    asyncio.run(main())


def test_an_attempt_that_the_shutdown_cuts_does_not_count(tmp_path):
    async def main():
        clock = ManualClock()
        async with opened(tmp_path, clock) as (store, queue), TaskScope() as scope:
            started, cut = asyncio.Event(), asyncio.Event()

            async def handle(event):
                started.set()
                await cut.wait()
                raise AwsError("ServiceException", "The environment was stopped.")

            worker = scope.spawn(queue.run(Runner(handle)), name="events")
            await queue.accept(request("r"), REF, b"{}", "t")
            await started.wait()
            await queue.stop(0)
            as_new = [("r", 0, 0, clock.now_s())]
            assert await rows(store) == as_new
            cut.set()
            async with asyncio.timeout(5):
                await worker
            assert await rows(store) == as_new

            attempts = []

            async def count(event):
                attempts.append(event.life.tries)

            scope.spawn(EventQueue(store, clock, SequentialIds()).run(Runner(count)), name="events")

            async def gone():
                return await left(store) == 0

            await until(gone)
            assert attempts == [1]

    asyncio.run(main())


def test_an_event_in_hand_when_the_worker_dies_runs_again(tmp_path):
    async def main():
        async with opened(tmp_path, SystemClock()) as (_, queue):
            await queue.accept(request("r"), REF, b"{}", "t")
            started = asyncio.Event()

            async def hang(event):
                started.set()
                await asyncio.Event().wait()

            async with TaskScope() as scope:
                scope.spawn(queue.run(Runner(hang)), name="events")
                await started.wait()
        async with opened(tmp_path, SystemClock()) as (_, queue), TaskScope() as scope:
            again = asyncio.Event()

            async def handle(event):
                assert event.life.tries == 2
                again.set()

            scope.spawn(queue.run(Runner(handle)), name="events")
            async with asyncio.timeout(10):
                await again.wait()

    asyncio.run(main())
