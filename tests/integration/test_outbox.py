"""An outbox over a real database: nothing is lost, and no lane keeps another waiting."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from alonzo.lib.clock import ManualClock, SystemClock
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.store.outbox import Again, GivenUp, NewParcel, Outbox
from alonzo.store.sqlite import SqliteStore
from alonzo.testing.events import FullStore, until


class Carrier:
    """Remembers what it brought; ``fail`` decides of each parcel, by the error it answers."""

    def __init__(self, fail=lambda parcel: None, verdict=lambda parcel, now_s: Again(now_s + 60)):
        self.brought = []
        self.tries = []
        self._fail, self._verdict = fail, verdict

    async def carry(self, parcel):
        self.tries.append((parcel.lane, parcel.document, parcel.attempts))
        error = self._fail(parcel)
        if asyncio.iscoroutine(error):
            error = await error
        if error is not None:
            raise error
        self.brought.append(parcel.document)

    def after_failure(self, parcel, error, now_s):
        return self._verdict(parcel, now_s)


@asynccontextmanager
async def opened(path):
    store = await SqliteStore.open(path / "db", clock=SystemClock())
    try:
        yield store
    finally:
        await store.close()


def parcel(lane, document=b"d", **about):
    return NewParcel(lane, about, document)


async def add(store, outbox, *parcels):
    await store.tx(lambda db: outbox.add(db, parcels))


async def left(store, outbox):
    return await store.read(outbox.count)


def run(tmp_path, scenario):
    async def main():
        async with opened(tmp_path) as store, TaskScope() as scope:
            await scenario(store, scope)

    asyncio.run(main())


def test_a_parcel_goes_out_at_once_and_is_forgotten(tmp_path):
    async def scenario(store, scope):
        outbox, carrier = Outbox(store, SystemClock(), "s"), Carrier()
        scope.spawn(outbox.run(carrier), name="outbox")
        await add(store, outbox, parcel("a", b"1", n=1), parcel("b", b"2"))

        async def gone():
            return await left(store, outbox) == 0

        await until(gone)
        assert sorted(carrier.brought) == [b"1", b"2"]

    run(tmp_path, scenario)


def test_what_a_commit_that_failed_told_of_is_not_sent(tmp_path):
    async def scenario(store, scope):
        outbox = Outbox(store, SystemClock(), "s")

        def work(db):
            outbox.add(db, [parcel("a")])
            raise AwsError("Refused", "no")

        with pytest.raises(AwsError):
            await store.tx(work)
        assert await left(store, outbox) == 0

    run(tmp_path, scenario)


def test_a_parcel_outlives_the_worker_that_had_it_in_hand(tmp_path):
    async def scenario(store, scope):
        outbox, hung = Outbox(store, SystemClock(), "s"), asyncio.Event()

        async def hang():
            hung.set()
            await asyncio.Event().wait()

        async with TaskScope() as first:
            first.spawn(outbox.run(Carrier(lambda parcel: hang())), name="outbox")
            await add(store, outbox, parcel("a"))
            await hung.wait()
        assert await left(store, outbox) == 1
        again, carrier = Outbox(store, SystemClock(), "s"), Carrier()
        scope.spawn(again.run(carrier), name="outbox")

        async def gone():
            return await left(store, again) == 0

        await until(gone)
        assert carrier.tries == [("a", b"d", 0)]

    run(tmp_path, scenario)


def test_a_failure_waits_for_its_time_and_counts_its_attempts(tmp_path):
    async def scenario(store, scope):
        clock = ManualClock()
        outbox = Outbox(store, clock, "s")
        carrier = Carrier(lambda parcel: None if parcel.attempts == 2 else AwsError("No", "no"))
        worker = scope.spawn(outbox.run(carrier), name="outbox")
        await add(store, outbox, parcel("a"))
        for attempts in (1, 2):

            async def postponed(attempts=attempts):
                row = await store.read(lambda db: db.one("SELECT attempts, due_at_s FROM outbox"))
                return row == {"attempts": attempts, "due_at_s": clock.now_s() + 60}

            await until(postponed)
            clock.advance(60)
            worker.cancel()
            outbox = Outbox(store, clock, "s")
            worker = scope.spawn(outbox.run(carrier), name="outbox")

        async def gone():
            return await left(store, outbox) == 0

        await until(gone)
        assert [tried[2] for tried in carrier.tries] == [0, 1, 2]

    run(tmp_path, scenario)


def test_what_is_given_up_sends_another_in_its_place(tmp_path):
    async def scenario(store, scope):
        outbox = Outbox(store, SystemClock(), "s")
        carrier = Carrier(
            lambda parcel: None if parcel.about.get("dead") else RuntimeError("broken"),
            lambda failed, now_s: GivenUp([NewParcel("dlq", {"dead": True}, failed.document)]),
        )
        scope.spawn(outbox.run(carrier), name="outbox")
        await add(store, outbox, parcel("a", b"x"))

        async def gone():
            return await left(store, outbox) == 0

        await until(gone)
        assert carrier.tries == [("a", b"x", 0), ("dlq", b"x", 0)]

    run(tmp_path, scenario)


def test_a_slow_lane_leaves_room_for_the_others(tmp_path):
    async def scenario(store, scope):
        outbox, go_on, slow = Outbox(store, SystemClock(), "s", parallel_max=8), asyncio.Event(), []

        def behave(parcel):
            if parcel.lane == "slow":
                slow.append(parcel)
                return go_on.wait()
            return None

        async def wait(parcel):
            await behave(parcel)

        carrier = Carrier(lambda parcel: wait(parcel) if parcel.lane == "slow" else None)
        scope.spawn(outbox.run(carrier), name="outbox")
        await add(store, outbox, *(parcel("slow") for _ in range(50)))

        async def stuck():
            return len(slow) == 4

        await until(stuck)
        await add(store, outbox, parcel("quick", b"q"))

        async def brought():
            return carrier.brought == [b"q"]

        await until(brought)
        assert len(slow) == 4
        go_on.set()

        async def gone():
            return await left(store, outbox) == 0

        await until(gone)
        assert len(carrier.brought) == 51

    run(tmp_path, scenario)


def test_senders_do_not_see_each_others_parcels(tmp_path):
    async def scenario(store, scope):
        one, other = (Outbox(store, SystemClock(), name) for name in ("one", "other"))
        carrier = Carrier()
        scope.spawn(one.run(carrier), name="outbox")
        await add(store, other, parcel("a", b"other"))
        await add(store, one, parcel("a", b"one"))

        async def gone():
            return await left(store, one) == 0

        await until(gone)
        assert carrier.brought == [b"one"]
        assert await left(store, other) == 1

    run(tmp_path, scenario)


@pytest.mark.parametrize("kinds", [("read",), ("tx",)])
def test_a_full_disk_only_delays_a_parcel(tmp_path, kinds):
    async def scenario(store, scope):
        full = FullStore(store)
        outbox, carrier = Outbox(full, SystemClock(), "s"), Carrier()
        await add(store, outbox, parcel("a"))
        full.fail(kinds=kinds, times=2)
        scope.spawn(outbox.run(carrier), name="outbox")

        async def gone():
            return await left(store, outbox) == 0

        await until(gone)
        assert (full.failed, carrier.brought) == (2, [b"d"])

    run(tmp_path, scenario)
