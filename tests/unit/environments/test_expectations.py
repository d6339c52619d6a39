"""What the daemon tells the pool of functions that nobody has called yet."""

import asyncio

from alonzo.daemon.expectations import Expectations
from alonzo.invoke.concurrency import Reservations
from alonzo.invoke.directory import Target
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionRef
from alonzo.model.errors import AwsError
from alonzo.testing.pool import KEY, VERSION


class Platform:
    """A store, a directory and a pool, as far as expectations know them."""

    def __init__(self, version=VERSION):
        self.version = version
        self.told = []

    async def read(self, work):
        return work(self)

    def all(self, statement):
        assert "DISTINCT" in statement
        return [
            {"runtime": "python3.12", "memory_mib": 128},
            {"runtime": "java21", "memory_mib": 512},
        ]

    async def resolve(self, ref):
        assert ref == FunctionRef(KEY, None)
        if self.version is None:
            raise AwsError("ResourceNotFoundException", "gone")
        return Target(self.version, Reservations(None, 0), stops_loops=True)

    def retire(self, key, live):
        self.told.append(("retire", key, live))

    async def expect(self, version):
        self.told.append(("expect", version))

    async def know_runtimes(self, runtimes):
        self.told.append(("know", runtimes))


def tell(platform, live):
    async def main():
        async with TaskScope() as scope:
            expectations = Expectations(platform, platform, platform, scope)
            expectations.changed(KEY, live)
            await scope.drain()
            await expectations.remember()

    asyncio.run(main())
    return platform.told


KNOWN = ("know", [("python3.12", 128), ("java21", 512)])


def test_a_version_that_can_serve_is_expected_and_what_is_outdated_ends():
    live = frozenset({"g1"})
    assert tell(Platform(), live) == [("retire", KEY, live), ("expect", VERSION), KNOWN]


def test_a_function_that_is_gone_is_not_expected():
    live = frozenset()
    assert tell(Platform(), live) == [("retire", KEY, live), KNOWN]
    live = frozenset({"g1"})
    assert tell(Platform(None), live) == [("retire", KEY, live), KNOWN]
