"""Environments at rest are frozen in their time, busy ones are left alone."""

import asyncio

from alonzo.environments.freezer import Freezer, next_patience
from alonzo.lib.clock import SystemClock

AFTER_S = 0.02


class Rests:
    def __init__(self, clock):
        self._clock = clock
        self.frozen_after_s = None
        self.patience = 1
        self.rest()

    def rest(self):
        self.idle_since_s = self._clock.monotonic_s()

    def freeze_nowait(self):
        assert self.frozen_after_s is None
        self.frozen_after_s = self._clock.monotonic_s() - self.idle_since_s


def run(scenario):
    async def main():
        clock = SystemClock()
        freezer = Freezer(clock, AFTER_S)
        try:
            async with asyncio.timeout(5):
                await scenario(freezer, clock)
        finally:
            freezer.close()

    asyncio.run(main())


async def frozen(*environments):
    while any(each.frozen_after_s is None for each in environments):  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.001)


def test_each_is_frozen_once_and_not_before_its_time():
    async def scenario(freezer, clock):
        made = []
        for _ in range(5):
            made.append(Rests(clock))
            freezer.rest(made[-1])
            await asyncio.sleep(AFTER_S / 3)
        await frozen(*made)
        assert all(each.frozen_after_s >= AFTER_S for each in made)

    run(scenario)


def test_one_that_rests_anew_again_and_again_is_not_frozen():
    async def scenario(freezer, clock):
        busy, idle = Rests(clock), Rests(clock)
        freezer.rest(idle)
        while idle.frozen_after_s is None:
            busy.rest()
            freezer.rest(busy)
            await asyncio.sleep(AFTER_S / 10)
        assert busy.frozen_after_s is None or busy.frozen_after_s >= AFTER_S
        await frozen(busy)

    run(scenario)


def test_nothing_is_frozen_after_the_end():
    async def scenario(freezer, clock):
        one = Rests(clock)
        freezer.rest(one)
        freezer.close()
        await asyncio.sleep(3 * AFTER_S)
        assert one.frozen_after_s is None

    run(scenario)


def test_one_with_more_patience_is_frozen_later():
    async def scenario(freezer, clock):
        patient = Rests(clock)
        patient.patience = 4
        freezer.rest(patient)
        await frozen(patient)
        assert patient.frozen_after_s >= 4 * AFTER_S

    run(scenario)


def test_patience_grows_while_freezing_is_in_vain_and_ends_with_a_long_rest():
    patience, grown = 1, []
    for _ in range(6):
        patience = next_patience(patience, 0.3)
        grown.append(patience)
    assert grown == [2, 4, 8, 16, 16, 16]
    assert next_patience(patience, 1.0) == 1
