"""A value is made once, for all who ask; a failure is told, and tried again."""

import asyncio

import pytest

from alonzo.lib.once import Once
from alonzo.lib.tasks import TaskScope


class Maker:
    """Makes values one by one, each when it is let; the next ``failures`` fail."""

    def __init__(self, failures=0):
        self.begun = 0
        self.failures = failures
        self.let = asyncio.Event()

    async def make(self):
        self.begun += 1
        await self.let.wait()
        if self.failures:
            self.failures -= 1
            raise OSError("not now")
        return f"value {self.begun}"


def run(test, **maker):
    async def main():
        async with TaskScope() as scope:
            made = Maker(**maker)
            await test(made, Once(made.make, scope, name="test"))

    asyncio.run(main())


def test_many_who_ask_at_once_get_the_one_value():
    async def test(maker, once):
        asking = [asyncio.ensure_future(once.get()) for _ in range(5)]
        await asyncio.sleep(0)
        assert once.value is None
        maker.let.set()
        assert await asyncio.gather(*asking) == ["value 1"] * 5
        assert await once.get() == once.value == "value 1"

    run(test)


def test_a_failure_is_told_to_all_who_wait_and_the_next_has_it_tried_again():
    async def test(maker, once):
        asking = [asyncio.ensure_future(once.get()) for _ in range(2)]
        maker.let.set()
        failures = await asyncio.gather(*asking, return_exceptions=True)
        assert [str(each) for each in failures] == ["not now", "not now"]
        assert once.value is None
        assert await once.get() == "value 2"

    run(test, failures=1)


def test_one_who_stops_waiting_stops_nothing():
    async def test(maker, once):
        impatient, patient = (asyncio.ensure_future(once.get()) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        maker.let.set()
        assert await patient == "value 1"
        with pytest.raises(asyncio.CancelledError):
            await impatient
        assert maker.begun == 1

    run(test)
