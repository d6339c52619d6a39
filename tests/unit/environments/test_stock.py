"""Homes made ahead of need: who gets one, when more are made, what becomes of those that end."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from alonzo.environments import stock as stock_module
from alonzo.environments.home import Rung, kind_of, rungs_of
from alonzo.environments.stock import Stock
from alonzo.environments.stock_rules import FORGOTTEN_S
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.values import EnvironmentSettings
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.runtimes.base import Launch, Link, VisiblePath
from alonzo.runtimes.framing import Kind
from alonzo.sandbox.base import Fitting, SandboxError, ZygoteError
from alonzo.testing.sandbox import FakeBackend

PYTHON = Launch(
    ("/bin/python", "-s", "/var/runtime/start.py"),
    Link.FRAMED,
    parks=True,
    preloads="start",
    start_variables=("PYTHON", "LD_"),
)
FITTING = Fitting(128, 512)
PLENTY = 1 << 40


async def parked(channel):
    """A bootstrap that waits to be told whose it is."""
    if (frame := await channel.receive()) is None:
        return 0
    assert frame.kind is Kind.CONFIG
    await channel.send(Kind.READY, {})
    while (frame := await channel.receive()) is not None:
        await channel.send(Kind.RESPONSE, {"id": frame.header["id"]}, frame.body)
    return 0


class AheadClock(SystemClock):
    """One that is ``ahead_s`` of the others."""

    ahead_s = 0.0

    def monotonic_s(self):
        return super().monotonic_s() + self.ahead_s


class World:
    """A stock that fills itself, and what it stands on."""

    def __init__(self, backend, scope, memory_bytes, settings):
        self.backend = backend
        self.environments = 0
        self.clock = AheadClock()
        around = Surroundings(
            backend, self, self, self.serve, self.clock, SystemIds(), scope,
            EnvironmentSettings(**settings),
        )  # fmt: skip
        self.stock = Stock(around, lambda: self.environments, memory_bytes=lambda: memory_bytes)
        scope.spawn(self.stock.run(), name="stock")

    async def serve(self, listening):
        return listening.close

    def parked(self):
        return len(self.stock._shelves and self.backend.alive)

    async def until_parked(self, n, launch=PYTHON):
        await until(lambda: len(self.backend.alive) == len(self.stock) == n)


async def until(condition):
    while not condition():  # noqa: ASYNC110 - the state of a stock has no event of its own
        await asyncio.sleep(0.001)


def run(scenario, *, backend=None, memory_bytes=PLENTY, **settings):
    @asynccontextmanager
    async def world():
        async with TaskScope() as scope:
            made = World(backend or FakeBackend(parked), scope, memory_bytes, settings)
            try:
                yield made
            finally:
                await made.stock.close()
                await asyncio.gather(*(each.close() for each in list(made.taken)))
                assert made.backend.alive == set()

    async def main():
        async with asyncio.timeout(20), world() as made:
            made.taken = []
            await scenario(made)

    asyncio.run(main())


async def take(world, launch=PYTHON, variables=()):
    home = await world.stock.take(launch, dict.fromkeys(variables, ""))
    world.taken.append(home)
    return home


def test_the_first_call_of_a_function_that_was_expected_finds_one_parked():
    async def scenario(world):
        world.stock.expect(PYTHON, {})
        await until(lambda: world.stock.has(PYTHON, {}))
        home = await take(world)
        assert home.runtime is not None
        (spec,) = home.sandbox.started
        assert (spec.argv, spec.environment) == ((), {})
        assert home.sandbox.spec.zygote.module == "start"
        assert home.sandbox.spec.zygote.folder == "/var/runtime"
        assert home.sandbox.spec.zygote.interpreter == ("/bin/python", "-s")

    run(scenario)


def test_the_one_that_has_waited_longest_is_taken():
    async def scenario(world):
        world.stock.expect(PYTHON, {}, soon=False)
        await world.until_parked(2)
        assert [(await take(world)).sandbox.number for _ in range(2)] == [0, 1]

    run(scenario)


def test_one_that_was_taken_is_replaced():
    async def scenario(world):
        world.stock.expect(PYTHON, {}, soon=False)
        await world.until_parked(2)
        await take(world)
        await until(lambda: len(world.backend.alive) == 3)

    run(scenario)


def test_without_a_floor_nothing_is_kept():
    async def scenario(world):
        await take(world)
        await asyncio.sleep(0.05)
        assert world.backend.created == 1

    run(scenario, parked_floor=0)


def test_a_burst_has_more_kept_for_the_next_one_but_never_more_than_there_is_room_for():
    async def scenario(world):
        await asyncio.gather(*(take(world) for _ in range(12)))
        await until(lambda: len(world.stock) == 8)
        for _ in range(5):
            await asyncio.sleep(0.005)
            assert len(world.stock) <= 8

    run(scenario, parked_max=8)


@pytest.mark.parametrize(
    ("settings", "memory_bytes", "expected"),
    [
        ({"environments_max": 1}, PLENTY, 1),
        ({"parked_memory_share": 0.5}, 48 << 20, 3),
        ({"parked_max": 0}, PLENTY, 0),
    ],
)
def test_what_is_kept_is_bounded(settings, memory_bytes, expected):
    async def scenario(world):
        world.stock.expect(PYTHON, {})
        await world.until_parked(expected)
        await asyncio.sleep(0.03)
        assert len(world.stock) == expected

    run(scenario, memory_bytes=memory_bytes, parked_floor=9, **settings)


def test_one_that_dies_is_thrown_away_and_replaced():
    async def scenario(world):
        world.stock.expect(PYTHON, {}, soon=False)
        await world.until_parked(2)
        dead, _ = world.backend.alive
        await dead.die()
        await until(lambda: dead not in world.backend.alive)
        await world.until_parked(2)
        home = await take(world)
        assert home.sandbox is not dead

    run(scenario)


def test_a_parked_process_that_ends_takes_its_home_with_it():
    async def die_once(channel):
        if not died:
            died.append(True)
            return 1
        return await parked(channel)

    died = []

    async def scenario(world):
        world.stock.expect(PYTHON, {}, soon=False)
        await until(lambda: world.backend.created == 3)
        await world.until_parked(2)

    run(scenario, backend=FakeBackend(die_once))


def test_homes_that_keep_dying_are_made_less_and_less_often():
    async def die(_):
        return 1

    async def scenario(world):
        world.stock.expect(PYTHON, {}, soon=False)
        await asyncio.sleep(0.25)
        assert world.backend.created <= 6

    run(scenario, backend=FakeBackend(die))


class NoZygotes(FakeBackend):
    async def create(self, spec):
        if spec.zygote is not None:
            raise ZygoteError("not here")
        return await super().create(spec)


def test_where_zygotes_do_not_work_processes_are_executed_ahead_and_it_is_said_once(caplog):
    async def scenario(world):
        homes = [await take(world) for _ in range(3)]
        await until(lambda: world.stock.has(PYTHON, {}))
        for home in homes:
            (spec,) = home.sandbox.started
            assert (spec.argv, spec.environment["_ALONZO_PARK"]) == (PYTHON.argv, "1")
        other = replace(PYTHON, argv=("/another/python", "/var/runtime/start.py"))
        await take(world, other)

    run(scenario, backend=NoZygotes(parked))
    assert [record.message for record in caplog.records] == ["stock.no_zygote"]


def test_variables_that_count_at_the_start_need_a_home_without_a_process():
    async def scenario(world):
        for name in ("PYTHONHASHSEED", "LD_PRELOAD", "AWS_LAMBDA_EXEC_WRAPPER"):
            home = await take(world, variables=[name])
            assert (home.runtime, home.sandbox.spec.zygote) == (None, None)
        assert (await take(world, variables=["XPYTHON"])).runtime is not None

    run(scenario)


def test_the_ladder_of_each_launch():
    from dataclasses import replace

    assert rungs_of(PYTHON, {}) == (Rung.FORK, Rung.PARK, Rung.EXEC)
    assert rungs_of(replace(PYTHON, preloads=None), {}) == (Rung.PARK, Rung.EXEC)
    assert rungs_of(replace(PYTHON, preloads=None, parks=False), {"LD_X": ""}) == (Rung.EXEC,)
    # What is executed later needs no more than the same files: any package's program will do.
    other = replace(PYTHON, argv=("/opt/bootstrap",))
    assert kind_of(PYTHON, Rung.EXEC, {}) == kind_of(other, Rung.EXEC, {})
    assert kind_of(PYTHON, Rung.FORK, {}) != kind_of(other, Rung.FORK, {})


JAVA = Launch(
    ("/bin/sh", "/var/lang/bin/java"),
    Link.FRAMED,
    parks=True,
    parks_with=("SIZE",),
    parked_bytes=40 << 20,
    led=True,
)


def test_what_must_be_known_ahead_tells_kinds_apart():
    assert rungs_of(JAVA, {}) == (Rung.EXEC,)
    assert rungs_of(JAVA, {"SIZE": "1"}) == (Rung.PARK, Rung.EXEC)

    def kind(rung, size, **more):
        return kind_of(JAVA, rung, {"SIZE": size, **more})

    assert kind(Rung.PARK, "1") == kind(Rung.PARK, "1", OTHER="x") != kind(Rung.PARK, "2")
    assert kind(Rung.EXEC, "1") == kind(Rung.EXEC, "2")


def test_one_that_was_parked_with_a_variable_serves_those_who_have_it_so():
    async def scenario(world):
        for size in ("1", "2"):
            world.stock.expect(JAVA, {"SIZE": size, "OTHER": size}, soon=False)
        await world.until_parked(4)
        for size in ("1", "2"):
            home = await world.stock.take(JAVA, {"SIZE": size, "OTHER": "else"})
            world.taken.append(home)
            (spec,) = home.sandbox.started
            assert (spec.environment["SIZE"], "OTHER" in spec.environment) == (size, False)
            assert (spec.cwd, spec.cwd_once_fitted) == ("/", "/var/task")
        home = await world.stock.take(JAVA, {"OTHER": "1"})
        world.taken.append(home)
        assert home.runtime is None

    run(scenario)


def test_where_nobody_leads_what_has_to_be_led_is_executed():
    async def scenario(world):
        world.backend.leads = False
        home = await world.stock.take(JAVA, {"SIZE": "1"})
        world.taken.append(home)
        assert home.runtime is None
        assert (await take(world)).runtime is not None

    run(scenario)


def test_a_kind_that_takes_more_memory_is_counted_so():
    async def scenario(world):
        world.stock.expect(JAVA, {"SIZE": "1"})
        await world.until_parked(3)
        await asyncio.sleep(0.03)
        assert len(world.stock) == 3

    run(scenario, memory_bytes=150 << 20, parked_floor=9, parked_memory_share=1.0)


def test_nothing_is_kept_of_a_kind_that_is_a_few_functions_own_and_was_not_asked_for():
    async def scenario(world):
        world.stock.expect(JAVA, {"SIZE": "1"}, soon=False)
        world.stock.expect(PYTHON, {}, soon=False)
        await world.until_parked(4)
        world.clock.ahead_s = FORGOTTEN_S + 1
        await until(lambda: not world.stock.has(JAVA, {"SIZE": "1"}))
        await until(lambda: len(world.stock._shelves) == 1)
        assert world.stock.has(PYTHON, {})
        home = await world.stock.take(JAVA, {"SIZE": "1"})
        world.taken.append(home)
        assert home.runtime is not None

    run(scenario)


def test_claims_that_find_none_are_served_in_turn_and_a_failure_is_told_to_one():
    async def scenario(world):
        world.backend.create_error = SandboxError("full")
        with pytest.raises(SandboxError, match="full"):
            await take(world)
        world.backend.create_error = None
        homes = await asyncio.gather(*(take(world) for _ in range(40)))
        assert len({home.sandbox.id for home in homes}) == 40

    run(scenario, parked_floor=0)


def test_a_claim_that_is_given_up_leaves_its_home_to_the_next():
    async def scenario(world):
        claim = asyncio.ensure_future(world.stock.take(PYTHON, {}))
        await asyncio.sleep(0)
        claim.cancel()
        await asyncio.gather(claim, return_exceptions=True)
        await take(world)
        assert world.backend.created == 1

    run(scenario, parked_floor=0)


def test_what_is_too_much_goes_in_time(monkeypatch):
    monkeypatch.setattr(stock_module, "_LOOK_EVERY_S", 0.01)

    async def scenario(world):
        world.stock.expect(PYTHON, {}, soon=False)
        await world.until_parked(4)
        world.environments = 9
        await world.until_parked(1)

    run(scenario, parked_floor=4, environments_max=10)


def test_closing_fails_who_waits_and_leaves_nothing():
    async def scenario(world):
        claims = [asyncio.ensure_future(world.stock.take(PYTHON, {})) for _ in range(100)]
        await asyncio.sleep(0)
        await world.stock.close()
        for result in await asyncio.gather(*claims, return_exceptions=True):
            if isinstance(result, Exception):
                assert isinstance(result, SandboxError)
            else:
                world.taken.append(result)
        with pytest.raises(SandboxError):
            await take(world)

    run(scenario)


def test_a_home_whose_process_ended_cannot_be_fitted():
    async def scenario(world):
        home = await take(world)
        for process in list(home.sandbox._tasks._tasks):
            process.cancel()
        await until(lambda: home.is_lost)
        with pytest.raises(SandboxError, match="ended"):
            await home.fit(FITTING)

    run(scenario, parked_floor=0)


def test_a_zygote_that_works_again_serves_again(monkeypatch):
    monkeypatch.setattr(stock_module, "_OUTAGE_S", 0.01)
    monkeypatch.setattr(stock_module, "_LOOK_EVERY_S", 0.005)

    class Recovers(FakeBackend):
        failures = 0

        async def create(self, spec):
            if spec.zygote is not None and self.failures < 3:
                self.failures += 1
                raise ZygoteError("not yet")
            return await super().create(spec)

    async def scenario(world):
        home = await take(world)
        assert home.sandbox.spec.zygote is None
        await until(lambda: world.backend.failures == 3 and world.stock.has(PYTHON, {}))
        await until(
            lambda: all(s.spec.zygote or s.fitting for s in world.backend.alive - {home.sandbox})
        )
        assert (await take(world)).sandbox.spec.zygote is not None

    run(scenario, backend=Recovers(parked))


def test_homes_for_a_launch_that_was_replaced_give_way_to_those_for_the_new_one():
    better = replace(PYTHON, paths=(VisiblePath(Path("/compiled"), "/var/sdk"),))

    def sources(world):
        return {mount.source for each in world.backend.alive for mount in each.spec.mounts}

    async def scenario(world):
        world.stock.expect(PYTHON, {}, soon=False)
        await world.until_parked(2)
        world.stock.replace(PYTHON, better)
        await until(lambda: world.stock.has(better, {}) and not world.stock.has(PYTHON, {}))
        await world.until_parked(2)
        assert sources(world) == {Path("/compiled")}

    run(scenario)


def test_who_waits_when_a_launch_is_replaced_is_served():
    class Slow(FakeBackend):
        async def create(self, spec):
            await gate.wait()
            return await super().create(spec)

    gate = asyncio.Event()
    better = replace(PYTHON, paths=(VisiblePath(Path("/compiled"), "/var/sdk"),))

    async def scenario(world):
        waiting = [asyncio.ensure_future(take(world)) for _ in range(3)]
        await asyncio.sleep(0)
        world.stock.replace(PYTHON, better)
        gate.set()
        for home in await asyncio.gather(*waiting):
            assert [mount.target for mount in home.sandbox.spec.mounts] == ["/var/sdk"]
        await until(lambda: len(world.backend.alive) == 3)

    run(scenario, backend=Slow(parked), parked_floor=0)
