"""From a parked sandbox to one function's, and to one tenant's, on a backend without processes."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.environments.pool import NoRoomError
from alonzo.runtimes.base import Launch, Link
from alonzo.runtimes.framing import Kind
from alonzo.sandbox.base import Fitting, Mount, SandboxError
from alonzo.testing.pool import KEY, VERSION, until
from alonzo.testing.pool import run_with_pool as run
from alonzo.testing.sandbox import FakeBackend

PARKS = Launch(
    ("/bin/x", "/b/start.py"), Link.FRAMED, parks=True, preloads="start", start_variables=("LD_",)
)


def parking(seen):
    """A bootstrap that parks; notes the variables it is told."""

    async def behave(channel):
        frame = await channel.receive()
        if frame is None:
            return 0
        seen.append(json.loads(frame.body))
        assert frame.kind is Kind.CONFIG
        await channel.send(Kind.READY, {})
        while (frame := await channel.receive()) is not None:
            await channel.send(Kind.RESPONSE, {"id": frame.header["id"]}, frame.body)
        return 0

    return behave


def test_a_parked_process_is_told_its_variables_once_the_sandbox_is_fitted():
    seen = []

    async def scenario(world):
        world.how = PARKS
        users = {"MINE": "1", "_ALONZO_PARK": "1", "_ALONZO_X": "1"}
        version = replace(
            VERSION, environment=users, memory_mib=256, tmp_mib=600, layers=("aa", "bb")
        )
        assert (await world.call(version)).payload == b"1"
        (sandbox,) = world.backend.alive
        (variables,) = seen
        assert (variables["MINE"], variables["_HANDLER"]) == ("1", "m.h")
        assert not [name for name in variables if name.startswith("_ALONZO")]
        assert sandbox.fitting == Fitting(
            256, 600, (Mount(Path("/nowhere"), "/var/task"), Mount(Path("/merged"), "/opt"))
        )
        assert world.layers == [("aa", "bb")]

    run(scenario, backend=FakeBackend(parking(seen)))


def test_a_function_that_is_expected_finds_its_sandbox_made():
    seen = []

    async def scenario(world):
        world.how = PARKS
        filling = asyncio.ensure_future(world.pool.fill())
        await world.pool.expect(VERSION)
        await until(lambda: len(world.backend.alive) == 2)
        made = set(world.backend.alive)
        await world.call()
        (used,) = [sandbox for sandbox in world.backend.alive if sandbox.fitting]
        assert used in made
        filling.cancel()

    run(scenario, backend=FakeBackend(parking(seen)), parked_floor=2)


def test_a_sandbox_that_dies_as_it_is_moved_into_is_replaced_by_another():
    class Fragile(FakeBackend):
        broken = 0

        async def create(self, spec):
            sandbox = await super().create(spec)
            if self.broken < 2:
                self.broken += 1

                async def die(_):
                    await sandbox.die()
                    raise SandboxError("it died")

                sandbox.fit = die
            return sandbox

    async def scenario(world):
        assert (await world.call()).payload == b"1"
        await until(lambda: len(world.backend.alive) == 1)
        assert world.backend.created == 3

    run(scenario, backend=Fragile())


def test_a_sandbox_that_cannot_be_fitted_is_given_up_after_a_few():
    async def scenario(world):
        world.backend.fit_error = SandboxError("no")
        with pytest.raises(SandboxError):
            await world.call()
        await until(lambda: not world.backend.alive)
        assert world.backend.created == 3

    run(scenario)


def test_the_processor_is_whole_during_init_and_a_share_of_it_afterwards():
    during = []

    async def behave(channel):
        during.extend(sandbox.cpus for sandbox in backend.alive)
        await channel.send(Kind.READY, {})
        while (frame := await channel.receive()) is not None:
            if frame.body == b"die":
                return 1
            await channel.send(Kind.RESPONSE, {"id": frame.header["id"]}, frame.body)
        return 0

    backend = FakeBackend(behave)

    async def scenario(world):
        version = replace(VERSION, memory_mib=1769 * 2)
        await world.call(version)
        (sandbox,) = backend.alive
        assert sandbox.cpus == 2
        await world.call(version, b"die")
        assert sandbox.cpus is None
        await world.call(version)
        assert sandbox.cpus == 2
        assert during == [None, None]

    run(scenario, backend=backend)


def test_the_share_of_the_processor_can_be_lifted_by_a_setting():
    async def scenario(world):
        await world.call()
        (sandbox,) = world.backend.alive
        assert sandbox.cpus is None

    run(scenario, cpu_limited=False)


APART = replace(VERSION, tenant_isolation=True)


def serving(seen):
    """A function that notes which sandbox served which tenant."""

    async def behave(channel):
        me = object()
        await channel.send(Kind.READY, {})
        while (frame := await channel.receive()) is not None:
            seen.setdefault(me, set()).add(frame.header.get("tenant"))
            await channel.send(Kind.RESPONSE, {"id": frame.header["id"]}, frame.body)
        return 0

    return behave


def test_an_environment_never_serves_two_tenants():
    seen = {}

    async def scenario(world):
        for tenant in ("blue", "green", "blue", "green"):
            await world.call(APART, tenant_id=tenant)
        assert sorted(map(sorted, seen.values())) == [["blue"], ["green"]]
        world.pool.retire(KEY, frozenset())
        await until(lambda: not world.backend.alive)

    run(scenario, backend=FakeBackend(serving(seen)))


def test_without_isolation_a_tenant_means_nothing_to_the_pool():
    seen = {}

    async def scenario(world):
        for tenant in ("blue", "green"):
            await world.call(tenant_id=tenant)
        assert world.backend.created == 1

    run(scenario, backend=FakeBackend(serving(seen)))


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.integers(1, 4), st.booleans()),
        max_size=8,
    ),
    st.integers(2, 6),
)
def test_tenants_stay_apart_whatever_happens_around_them(rounds, environments_max):
    seen = {}

    async def scenario(world):
        for tenant, at_once, then_retire in rounds:
            results = await asyncio.gather(
                *(world.call(APART, tenant_id=tenant) for _ in range(at_once)),
                *(world.call(APART, tenant_id="z") for _ in range(at_once // 2)),
                return_exceptions=True,
            )
            assert all(
                isinstance(result, NoRoomError) or result.error_type is None for result in results
            )
            assert len(world.backend.alive) <= environments_max + len(world.pool._stopping)
            if then_retire:
                world.pool.retire(KEY, frozenset())
        assert all(len(tenants) == 1 for tenants in seen.values())

    run(scenario, backend=FakeBackend(serving(seen)), environments_max=environments_max)
