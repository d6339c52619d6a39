"""The one loop of all that keeps house."""

import asyncio

import pytest

from alonzo.lib.periodic import every


class Steps:
    """Counts passes, and tells when there have been enough."""

    def __init__(self, fails=()):
        self.count = 0
        self.fails = fails
        self.errors = []
        self._waiting = []

    async def step(self):
        self.count += 1
        for count, event in self._waiting:
            if self.count >= count:
                event.set()
        if self.count in self.fails:
            raise ValueError(self.count)

    async def reach(self, count):
        event = asyncio.Event()
        if self.count < count:
            self._waiting.append((count, event))
            await event.wait()


def run(scenario, steps, period_s, **options):
    async def body():
        loop = every(
            period_s, steps.step, on_error=lambda: steps.errors.append(steps.count), **options
        )
        task = asyncio.create_task(loop)
        async with asyncio.timeout(20):
            await scenario()
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())


def test_the_first_pass_is_made_at_once_and_others_follow():
    steps = Steps()
    run(lambda: steps.reach(3), steps, 0.001)
    assert not steps.errors


def test_a_pass_that_fails_ends_nothing():
    steps = Steps(fails=(1, 2))
    run(lambda: steps.reach(3), steps, 0.001)
    assert steps.errors == [1, 2]


def test_a_nudge_brings_a_pass_forward():
    async def scenario():
        await steps.reach(1)
        nudged.set()
        await steps.reach(2)

    steps, nudged = Steps(), asyncio.Event()
    run(scenario, steps, 3600.0, nudged=nudged)
    assert steps.count == 2


def test_a_nudge_during_a_pass_is_not_lost():
    async def scenario():
        await steps.reach(2)

    class Nudging(Steps):
        async def step(self):
            if self.count == 0:
                nudged.set()
            await super().step()

    steps, nudged = Nudging(), asyncio.Event()
    run(scenario, steps, 3600.0, nudged=nudged)
    assert steps.count == 2


def test_the_first_pass_may_wait_too():
    async def scenario():
        for _ in range(10):
            await asyncio.sleep(0)

    steps = Steps()
    run(scenario, steps, 3600.0, after_a_period=True)
    assert steps.count == 0


def test_nudges_put_no_regular_pass_off():
    async def scenario():
        # The regular pass comes though none is nudged any more.
        for count in range(1, 6):
            await steps.reach(count)
            nudged.set()
        await steps.reach(8)

    steps, nudged = Steps(), asyncio.Event()
    run(scenario, steps, 0.02, nudged=nudged)
