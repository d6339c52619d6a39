"""Accepted events over a real database: none is lost, none runs before its time."""

import asyncio

import pytest

from alonzo.invoke.event_life import BACKOFF_S_MAX
from alonzo.invoke.events import EventQueue
from alonzo.lib.clock import ManualClock, SystemClock
from alonzo.lib.ids import SequentialIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.model.limits import MAXIMUM_EVENT_AGE_S
from alonzo.store.queries import load
from alonzo.testing.events import REF, FullStore, Runner, left, opened, ref, request, rows, until


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
