"""Who serves, who is started and who ends, on a backend without processes."""

import asyncio
import random
from contextlib import suppress
from dataclasses import replace

import pytest

from alonzo.environments.inits import EnvironmentStoppedError
from alonzo.environments.pool import NoRoomError
from alonzo.lib.tasks import TaskScope
from alonzo.model.ports.code import CodeError
from alonzo.runtimes.framing import Kind
from alonzo.sandbox.base import SandboxError
from alonzo.testing.pool import KEY, VERSION, until
from alonzo.testing.pool import run_with_pool as run
from alonzo.testing.sandbox import FakeBackend, echo


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


@pytest.mark.parametrize("later", range(10))
def test_a_sandbox_that_dies_in_the_middle_of_its_init_is_not_taken_for_one_at_rest(later):
    async def behave(channel):
        if not died:
            died.append(True)
            (sandbox,) = backend.alive
            scope.spawn(end(sandbox), name="end")
            return 1
        return await echo(channel)

    async def end(sandbox):
        # Its end becomes known a few breaths after that of its process.
        for _ in range(later):
            await asyncio.sleep(0)
        sandbox._ended.set()

    died = []
    scope = TaskScope()
    backend = FakeBackend(behave)

    async def scenario(world):
        for _ in range(5):
            with suppress(EnvironmentStoppedError, SandboxError):
                await world.call()
        assert (await world.call()).payload == b"1"
        await until(lambda: len(backend.alive) == len(world.pool) == 1)
        await scope.drain()

    run(scenario, backend=backend)


def test_one_that_cannot_be_thawed_is_replaced():
    async def scenario(world):
        await world.call()
        (sandbox,) = world.backend.alive
        await until(lambda: sandbox.frozen)

        def fail():
            raise SandboxError("no cgroup")

        sandbox.thaw_nowait = fail
        assert (await world.call()).payload == b"1"
        await until(lambda: sandbox not in world.backend.alive)

    run(scenario, freeze_after_s=0.001)


@pytest.mark.parametrize("seed", range(8))
def test_every_call_is_answered_whatever_dies_meanwhile(seed):
    chance = random.Random(seed)

    async def some_breaths():
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(0)

    async def mortal(channel):
        await some_breaths()
        if chance.random() < 0.1:
            return 1
        await channel.send(Kind.READY, {})
        while (frame := await channel.receive()) is not None:
            await some_breaths()
            if chance.random() < 0.1:
                return 1
            await channel.send(Kind.RESPONSE, {"id": frame.header["id"]}, frame.body)
            if chance.random() < 0.1:
                return 1
        return 0

    async def scenario(world):
        async def call_often():
            for _ in range(25):
                with suppress(SandboxError):
                    await world.call(replace(VERSION, generation=f"g{chance.randrange(2)}"))
                await some_breaths()

        async def kill_often():
            for _ in range(150):
                if world.backend.alive and chance.random() < 0.5:
                    await chance.choice(list(world.backend.alive)).die()
                await some_breaths()

        await asyncio.gather(kill_often(), *(call_often() for _ in range(5)))

    run(scenario, backend=FakeBackend(mortal))
