"""Who serves, who is started and who ends, on a backend without processes."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from alonzo.environments.environment import EnvironmentStoppedError, Surroundings
from alonzo.environments.pool import NoRoomError, Pool
from alonzo.environments.values import EnvironmentSettings, Invocation
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal
from alonzo.model.functions import ServingVersion
from alonzo.model.ports import AccessKey, CodeError
from alonzo.runtimes.base import Launch, Link
from alonzo.runtimes.framing import Kind
from alonzo.sandbox.base import SandboxError
from alonzo.testing.sandbox import FakeBackend

KEY = FunctionKey("000000000000", "us-east-1", "f")
VERSION = ServingVersion(KEY, "$LATEST", "g1", "python3.12", "m.h", "role", "00", log_group="/l")


class World:
    """A pool, and what it stands on."""

    def __init__(self, backend, scope, **settings):
        self.backend = backend
        self.lines = []
        self.code_error = None
        around = Surroundings(
            backend, self, self, self.serve, SystemClock(), SystemIds(), scope,
            EnvironmentSettings(freeze_after_s=60, **settings),
        )  # fmt: skip
        self.pool = Pool(around, self, self, starts_max=4)
        self.calls = 0

    def write_nowait(self, stream, events):
        self.lines.extend(event.message for event in events)

    def issue(self, **_):
        return AccessKey("ASIA", "s", Principal("0" * 12, "arn", "id", "ASIA"), "t")

    async def serve(self, listening):
        return listening.close

    async def prepare(self, code_sha256):
        if self.code_error:
            raise self.code_error
        return Path("/nowhere")

    def launch(self, identifier, code):
        return Launch(("/bin/x",), Link.FRAMED)

    async def call(self, version=VERSION, payload=b"1"):
        self.calls += 1
        invocation = Invocation(f"r{self.calls}", "a", "arn", payload, "trace")
        return await self.pool.invoke(version, invocation)


def run(scenario, *, backend=None, **settings):
    @asynccontextmanager
    async def world():
        async with TaskScope() as scope:
            made = World(backend or FakeBackend(), scope, **settings)
            try:
                yield made
            finally:
                await made.pool.close()
                assert len(made.pool) == 0
                assert made.backend.alive == set()

    async def main():
        async with asyncio.timeout(20), world() as made:
            await scenario(made)

    asyncio.run(main())


def gated():
    """A behaviour whose answers wait for a gate, and the gate."""
    gate = asyncio.Event()

    async def behave(channel):
        await channel.send(Kind.READY, {})
        while (frame := await channel.receive()) is not None:
            await gate.wait()
            await channel.send(Kind.RESPONSE, {"id": frame.header["id"]}, frame.body)
        return 0

    return behave, gate


async def until(condition):
    while not condition():  # noqa: ASYNC110 - the state of a pool has no event of its own
        await asyncio.sleep(0)


def test_one_call_after_the_other_takes_one_environment():
    async def scenario(world):
        for n in range(5):
            assert (await world.call(payload=b"%d" % n)).payload == b"%d" % n
        assert (world.backend.created, len(world.pool)) == (1, 1)

    run(scenario)


def test_calls_beside_each_other_take_one_each():
    async def scenario(world):
        world.backend.behaviour, gate = gated()
        calls = [asyncio.ensure_future(world.call()) for _ in range(10)]
        await until(lambda: world.backend.created == 10)
        gate.set()
        await asyncio.gather(*calls)
        assert len(world.pool) == 10

    run(scenario)


def test_a_start_that_nobody_waits_for_any_more_is_given_up():
    async def scenario(world):
        await asyncio.gather(*(world.call() for _ in range(100)))
        assert world.backend.created < 50

    run(scenario)


def test_there_are_never_more_than_there_may_be():
    async def scenario(world):
        world.backend.behaviour, gate = gated()
        calls = [asyncio.ensure_future(world.call()) for _ in range(12)]
        refused, pending = set(), set(calls)
        while len(refused) < 9:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            refused |= done
            assert len(world.backend.alive) <= 3
        assert all(isinstance(call.exception(), NoRoomError) for call in refused)
        gate.set()
        await asyncio.gather(*pending)

    run(scenario, environments_max=3)


def test_the_one_that_was_idle_the_longest_makes_room():
    async def scenario(world):
        versions = [replace(VERSION, generation=f"g{n}") for n in range(4)]
        for version in versions:
            await world.call(version)
        assert (world.backend.created, len(world.backend.alive)) == (4, 2)
        await world.call(versions[3])
        assert world.backend.created == 4

    run(scenario, environments_max=2)


def test_a_retired_generation_serves_no_new_call_and_ends():
    async def scenario(world):
        await world.call()
        world.pool.retire(KEY, frozenset({"g2"}))
        # In the very same breath, before the old one has ended.
        assert (await world.call()).error_type is None
        assert world.backend.created == 2
        await until(lambda: len(world.backend.alive) <= 1)

    run(scenario)


def test_a_retired_one_that_is_busy_answers_first():
    async def scenario(world):
        world.backend.behaviour, gate = gated()
        call = asyncio.ensure_future(world.call())
        await until(lambda: world.backend.created == 1)
        world.pool.retire(KEY, frozenset())
        gate.set()
        assert (await call).payload == b"1"
        await until(lambda: not world.backend.alive)
        assert len(world.pool) == 0

    run(scenario)


@pytest.mark.parametrize("error", [CodeError("no"), SandboxError("no")])
def test_a_start_that_fails_is_told_to_its_call_and_leaves_nothing(error):
    async def scenario(world):
        if isinstance(error, CodeError):
            world.code_error = error
        else:
            world.backend.create_error = error
        with pytest.raises(type(error)):
            await world.call()
        await until(lambda: len(world.pool) == 0)
        assert world.pool.code_in_use() == frozenset()

    run(scenario)


def test_a_call_that_is_given_up_during_its_start_leaves_an_idle_environment():
    async def scenario(world):
        call = asyncio.ensure_future(world.call())
        await until(lambda: len(world.pool) == 1)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert (await world.call()).payload == b"1"
        assert len(world.pool) <= 2

    run(scenario)


def test_a_sandbox_that_dies_is_replaced_and_no_call_fails():
    async def scenario(world):
        await world.call()
        (sandbox,) = world.backend.alive
        await sandbox.die()
        await until(lambda: sandbox not in world.backend.alive)
        assert (await world.call()).payload == b"1"

    run(scenario)


def test_a_runtime_that_ends_after_its_answer_is_started_again():
    async def once(channel):
        await channel.send(Kind.READY, {})
        frame = await channel.receive()
        if frame is not None:
            await channel.send(Kind.RESPONSE, {"id": frame.header["id"]}, frame.body)
        return 7

    async def scenario(world):
        for _ in range(6):
            outcome = await world.call()
            assert (outcome.payload, outcome.error_type) == (b"1", None)

    run(scenario, backend=FakeBackend(once))


def test_a_runtime_that_talks_without_end_is_ended():
    async def babble(channel):
        from alonzo.runtimes.framing import encode

        while True:
            await channel.send_bytes(encode(Kind.READY, {}) * 50)

    async def scenario(world):
        assert (await world.call()).error_type == "Runtime.ExitError"

    run(scenario, backend=FakeBackend(babble))


def test_closing_fails_the_calls_in_flight_and_writes_no_false_report():
    async def scenario(world):
        world.backend.behaviour, _ = gated()
        calls = [asyncio.ensure_future(world.call()) for _ in range(6)]
        await until(lambda: any("START" in line for line in world.lines))
        await world.pool.close()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(result, EnvironmentStoppedError) for result in results)
        assert not any("REPORT" in line for line in world.lines)
        with pytest.raises(EnvironmentStoppedError):
            await world.call()

    run(scenario)
