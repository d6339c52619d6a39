"""Who is kept ready, who serves, and who comes after one that went; on fake sandboxes."""

import asyncio
import json
from dataclasses import replace

import pytest

from alonzo.environments.pool import NoRoomError, ScalingRateError
from alonzo.environments.provisioned import Wish
from alonzo.lib.clock import ManualClock
from alonzo.model.ports.code import CodeError
from alonzo.model.provisioned import INIT_FAILURE
from alonzo.runtimes.base import RuntimeUnavailableError
from alonzo.runtimes.framing import Kind
from alonzo.sandbox.base import SandboxError
from alonzo.testing.pool import KEY, VERSION, until
from alonzo.testing.pool import run_with_pool as run
from alonzo.testing.sandbox import FakeBackend, echo

PUBLISHED = replace(VERSION, version="1", generation="p1")
OTHER = replace(VERSION, version="2", generation="p2")


def want(world, number, version=PUBLISHED):
    world.pool.provisioned.want([Wish(version, number)])


def kept(world, version=PUBLISHED):
    return world.pool.provisioned.kept(version.generation)


async def ready(world, number, version=PUBLISHED):
    want(world, number, version)
    await until(lambda: kept(world, version).complete)


async def call(world, version=PUBLISHED, *, per_s=None):
    """Call as admission does; answers whether it ran on provisioned concurrency."""
    environment = world.pool.provisioned.try_reserve(version, per_s=per_s)
    await world.call(version, environment=environment)
    return environment is not None


def answers_after(gate):
    async def behave(channel):
        await channel.send(Kind.READY, {})
        while (frame := await channel.receive()) is not None:
            await gate.wait()
            await channel.send(Kind.RESPONSE, {"id": frame.header["id"]}, frame.body)
        return 0

    return behave


async def fails_to_init(channel):
    await channel.send(
        Kind.INIT_ERROR, {"type": "Runtime.Nope"}, json.dumps({"errorMessage": "no"}).encode()
    )
    return 1


def test_as_many_as_are_wanted_are_initialised_and_serve():
    async def scenario(world):
        await ready(world, 3)
        assert (world.backend.created, len(world.pool)) == (3, 3)
        facts = kept(world)
        assert (facts.wanted, facts.allocated, facts.available) == (3, 3, 3)
        assert facts.failure is None
        assert await call(world)
        assert world.backend.created == 3
        assert not any("Init Duration" in line for line in world.lines if "REPORT" in line[:6])

    run(scenario)


def test_none_serves_before_all_were_there():
    async def scenario(world):
        started = []

        async def slow(channel):
            started.append(channel)
            if len(started) == 3:
                await asyncio.Event().wait()
            return await echo(channel)

        world.backend.behaviour = slow
        want(world, 3)
        await until(lambda: kept(world).allocated == 2)
        facts = kept(world)
        assert (facts.available, facts.complete) == (0, False)
        assert not world.pool.provisioned.serves(PUBLISHED)
        assert not await call(world), "on demand"

    run(scenario)


def test_calls_beyond_them_spill_over():
    async def scenario(world):
        gate = asyncio.Event()
        world.backend.behaviour = answers_after(gate)
        await ready(world, 2)
        calls = [asyncio.ensure_future(call(world)) for _ in range(5)]
        await until(lambda: world.backend.created == 5)
        assert kept(world).available == 0
        (figures,) = world.pool.provisioned.figures()
        assert (figures.allocated, figures.in_use, figures.utilization) == (2, 2, 1.0)
        gate.set()
        assert sorted(await asyncio.gather(*calls)) == [False] * 3 + [True] * 2
        assert kept(world).available == 2

    run(scenario)


def test_calls_that_come_too_fast_for_them_spill_over():
    clock = ManualClock()

    async def scenario(world):
        await ready(world, 1)
        assert [await call(world, per_s=10.0) for _ in range(12)] == [True] * 10 + [False] * 2
        assert await call(world), "an event is not rated"
        clock.advance(0.1)
        assert await call(world, per_s=10.0)

    run(scenario, clock=clock)


@pytest.mark.parametrize("how", ["sandbox", "runtime"])
def test_one_that_ends_while_it_waits_is_replaced(how):
    async def scenario(world):
        await ready(world, 2)
        lost = next(iter(world.backend.alive))
        if how == "sandbox":
            await lost.die()
        else:
            await lost.kill()
        world.pool.provisioned.look()
        await until(lambda: world.backend.created == 3 and kept(world).allocated == 2)
        assert lost not in world.backend.alive
        assert kept(world).available == 2
        assert all([await call(world) for _ in range(4)])

    # Old enough that its end is no failure of its init.
    clock = ManualClock()

    async def later(world):
        await ready(world, 2)
        clock.advance(11.0)
        await scenario(world)

    run(later, clock=clock)


def test_one_whose_call_fails_with_its_runtime_is_replaced_before_the_next_call():
    async def scenario(world):
        async def dies(channel):
            await channel.send(Kind.READY, {})
            await channel.receive()
            return 3

        world.backend.behaviour = dies
        await ready(world, 1)
        world.backend.behaviour = echo
        environment = world.pool.provisioned.try_reserve(PUBLISHED, per_s=None)
        outcome = await world.call(PUBLISHED, environment=environment)
        assert (outcome.error_type, outcome.usage.provisioned) == ("Runtime.ExitError", True)
        await until(lambda: kept(world).available == 1)
        assert world.backend.created == 2
        assert await call(world)
        assert not any("Phase: invoke" in line for line in world.lines)

    run(scenario)


def test_idleness_and_the_needs_of_others_end_none():
    clock = ManualClock()

    async def scenario(world):
        await ready(world, 2)
        clock.advance(3600.0)
        world.pool.provisioned.look()
        await asyncio.sleep(0)
        assert kept(world).available == 2
        await world.call(VERSION)
        gate = asyncio.Event()
        world.backend.behaviour = answers_after(gate)
        busy = asyncio.ensure_future(world.call(replace(VERSION, generation="g9")))
        await until(lambda: world.backend.created == 4)
        with pytest.raises(NoRoomError):
            await world.call(replace(VERSION, generation="g8"))
        assert kept(world).available == 2
        gate.set()
        await busy

    run(scenario, clock=clock, environments_max=3)


def test_old_ones_are_replaced_first_and_ended_then():
    clock = ManualClock()

    async def scenario(world):
        await ready(world, 3)
        first = set(world.backend.alive)
        clock.advance(95.0)
        least = []
        world.pool.provisioned.look()
        await until(
            lambda: (
                least.append(kept(world).available)
                or (world.backend.created == 6 and len(world.pool) == 3)
            )
        )
        await until(lambda: not first & world.backend.alive)
        assert min(least) == 3
        assert await call(world)

    run(scenario, clock=clock, age_s_max=100.0)


def test_without_room_for_a_replacement_an_old_one_ends_at_its_age():
    clock = ManualClock()

    async def scenario(world):
        await ready(world, 2)
        clock.advance(95.0)
        world.pool.provisioned.look()
        for _ in range(100):
            await asyncio.sleep(0)
        assert (kept(world).allocated, world.backend.created) == (2, 2)
        clock.advance(10.0)
        world.pool.provisioned.look()
        await until(lambda: world.backend.created == 4 and kept(world).available == 2)

    run(scenario, clock=clock, age_s_max=100.0, environments_max=2)


def test_fewer_end_the_idle_ones_and_a_busy_one_after_its_call():
    async def scenario(world):
        gate = asyncio.Event()
        world.backend.behaviour = answers_after(gate)
        await ready(world, 3)
        calls = [asyncio.ensure_future(call(world)) for _ in range(2)]
        await until(lambda: kept(world).available == 1)
        world.pool.provisioned.want([])
        await until(lambda: len(world.backend.alive) == 2)
        assert not world.pool.provisioned.serves(PUBLISHED)
        gate.set()
        assert await asyncio.gather(*calls) == [True, True]
        await until(lambda: not world.backend.alive)
        assert len(world.pool) == 0
        assert world.pool.provisioned.figures() == []

    run(scenario)


def test_a_retired_generation_is_given_up():
    async def scenario(world):
        await ready(world, 2)
        world.pool.retire(KEY, frozenset({"p2"}))
        assert not await call(world)
        await until(lambda: not world.pool.provisioned)

    run(scenario)


def test_versions_have_their_own():
    async def scenario(world):
        world.pool.provisioned.want([Wish(PUBLISHED, 1), Wish(OTHER, 2)])
        await until(lambda: kept(world).complete and kept(world, OTHER).complete)
        assert world.pool.provisioned.ready(KEY) == 3
        assert await call(world, OTHER)
        assert not await call(world, VERSION)
        assert world.pool.code_in_use() == {"00"}

    run(scenario)


def test_an_init_that_fails_is_told_and_tried_again_after_longer_and_longer():
    clock = ManualClock()

    async def scenario(world):
        world.backend.behaviour = fails_to_init
        want(world, 2)
        tries = []
        for pause_s in (1.0, 2.0, 4.0):
            await until(lambda: kept(world).failure and not world.pool.provisioned)
            assert kept(world).failure == INIT_FAILURE
            assert (kept(world).allocated, world.pool.provisioned.serves(PUBLISHED)) == (0, False)
            tries.append(world.backend.created)
            clock.advance(pause_s - 0.1)
            world.pool.provisioned.look()
            assert world.backend.created == tries[-1], "too early"
            clock.advance(0.2)
            world.pool.provisioned.look()
            await until(lambda: world.backend.created > tries[-1])
        world.backend.behaviour = echo
        # The last of them may be the first that succeeds.
        await until(lambda: kept(world).allocated or not world.pool.provisioned)
        clock.advance(300.0)
        world.pool.provisioned.look()
        await until(lambda: kept(world).complete)
        assert kept(world).failure is None
        reports = [line for line in world.lines if line.startswith("INIT_REPORT")]
        assert "Phase: init\tStatus: error\tError Type: Runtime.Nope" in reports[0]

    run(scenario, clock=clock)


def test_who_asks_again_does_not_wait_for_the_pause():
    clock = ManualClock()

    async def scenario(world):
        world.backend.behaviour = fails_to_init
        want(world, 1)
        await until(lambda: kept(world).failure and not world.pool.provisioned)
        world.backend.behaviour = echo
        want(world, 1)
        assert kept(world).failure == INIT_FAILURE, "the same wish"
        world.pool.provisioned.want([Wish(PUBLISHED, 1, "again")])
        assert kept(world).failure is None
        await until(lambda: kept(world).complete)

    run(scenario, clock=clock)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (CodeError("The layer is gone."), "The layer is gone."),
        (RuntimeUnavailableError("No Java."), "No Java."),
        (SandboxError("no fork"), "The platform could not start the environment. It tries again."),
    ],
)
def test_what_else_keeps_them_from_starting_is_told_too(error, told):
    async def scenario(world):
        if isinstance(error, SandboxError):
            world.backend.create_error = error
        else:
            world.code_error = error
        want(world, 1)
        await until(lambda: kept(world).failure)
        assert kept(world).failure == told
        await until(lambda: len(world.pool) == 0)

    run(scenario)


def test_what_the_host_has_no_room_for_is_told_and_the_rest_is_kept():
    async def scenario(world):
        want(world, 5)
        await until(lambda: kept(world).failure and kept(world).allocated == 3)
        assert kept(world).failure == ("This host has no room for it: 3 environments are at work.")
        assert not world.pool.provisioned.serves(PUBLISHED)
        await ready(world, 3)
        assert kept(world).failure is None

    run(scenario, environments_max=3)


def test_one_that_does_not_live_is_no_busy_loop():
    clock = ManualClock()

    async def scenario(world):
        async def leaves(channel):
            await channel.send(Kind.READY, {})
            return 0

        world.backend.behaviour = leaves
        want(world, 1)
        for tries in range(1, 5):
            await until(lambda n=tries: world.backend.created == n and not world.pool.provisioned)
            clock.advance(60.0)
            world.pool.provisioned.look()
        assert kept(world).failure == "The environments end soon after their initialization."

    run(scenario, clock=clock)


def test_a_function_gains_only_so_many_in_a_while():
    clock = ManualClock()

    async def scenario(world):
        gate = asyncio.Event()
        world.backend.behaviour = answers_after(gate)
        calls = [asyncio.ensure_future(world.call()) for _ in range(3)]
        await until(lambda: world.backend.created == 3)
        with pytest.raises(ScalingRateError):
            await world.call()
        with pytest.raises(ScalingRateError):
            await world.call(PUBLISHED)
        elsewhere = replace(VERSION, key=KEY._replace(name="other"), generation="o1")
        calls.append(asyncio.ensure_future(world.call(elsewhere)))
        clock.advance(4.0)
        calls.append(asyncio.ensure_future(world.call()))
        await until(lambda: world.backend.created == 5)
        gate.set()
        await asyncio.gather(*calls)
        # One that is idle is no gain.
        await asyncio.gather(*(world.call() for _ in range(3)))

    run(scenario, clock=clock, scaling_max=3)


def test_provisioned_ones_come_at_that_rate_and_not_at_the_cost_of_calls():
    clock = ManualClock()

    async def scenario(world):
        want(world, 5)
        await until(lambda: kept(world).allocated == 3)
        assert not kept(world).complete
        await world.call(PUBLISHED)
        clock.advance(10.0)
        await until(lambda: kept(world).complete)

    run(scenario, clock=clock, scaling_max=3)


def test_a_reservation_that_comes_to_nothing_is_given_back():
    async def scenario(world):
        await ready(world, 1)
        environment = world.pool.provisioned.try_reserve(PUBLISHED, per_s=None)
        assert kept(world).available == 0
        world.pool.give_back(environment)
        assert kept(world).available == 1
        assert await call(world)
        assert world.backend.created == 1

    run(scenario)


def test_the_end_of_the_platform_leaves_none():
    async def scenario(world):
        want(world, 20)
        await until(lambda: kept(world).allocated > 2)

    run(scenario, backend=FakeBackend())
