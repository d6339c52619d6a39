"""So many at a time; who stays long no longer counts."""

import asyncio
from contextlib import suppress

import pytest

from alonzo.environments.turnstile import Turnstile


def run(scenario):
    async def main():
        async with asyncio.timeout(5):
            await scenario()

    asyncio.run(main())


def test_no_more_are_in_than_there_are_places_and_all_get_in():
    async def scenario():
        turnstile, inside, most = Turnstile(3, counts_s=60), 0, 0

        async def pass_through():
            nonlocal inside, most
            async with turnstile.passage():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(pass_through() for _ in range(20)))
        assert (inside, most) == (0, 3)

    run(scenario)


def test_one_that_stays_long_does_not_keep_the_others_out_and_gives_its_place_back_once():
    async def scenario():
        turnstile = Turnstile(1, counts_s=0.01)
        done = asyncio.Event()

        async def stay():
            async with turnstile.passage():
                await done.wait()

        staying = asyncio.ensure_future(stay())
        await asyncio.sleep(0)
        async with turnstile.passage():
            done.set()
            await staying
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.005), turnstile.passage():
                    pass

    run(scenario)


def test_a_place_is_given_back_by_one_that_fails_or_gives_up_waiting():
    async def scenario():
        turnstile = Turnstile(1, counts_s=60)
        with suppress(KeyError):
            async with turnstile.passage():
                waiting = asyncio.ensure_future(turnstile.passage().__aenter__())
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
                raise KeyError
        async with turnstile.passage():
            pass

    run(scenario)
