"""A worker of events that is stopped, or dies: what it had in hand is not lost."""

import asyncio

import pytest

from alonzo.invoke.events import EventQueue
from alonzo.lib.clock import ManualClock, SystemClock
from alonzo.lib.ids import SequentialIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.testing.events import REF, FullStore, Runner, left, opened, request, rows, until


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
