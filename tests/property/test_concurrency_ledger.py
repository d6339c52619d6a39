"""No sequence of calls, failures, deaths, changes and restarts leaks a count or passes a limit.

The pool, what is provisioned and the admission are the real ones; sandboxes are fake, and a call
ends when, and as, a rule says.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from alonzo.environments.environment import Environment
from alonzo.environments.pool import NoRoomError
from alonzo.environments.provisioned import Wish
from alonzo.environments.values import Invocation
from alonzo.invoke.admission import Admission
from alonzo.invoke.concurrency import Reservations
from alonzo.invoke.directory import Target
from alonzo.lib.clock import ManualClock
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.errors import AwsError
from alonzo.model.functions import ServingVersion
from alonzo.runtimes.framing import Kind
from alonzo.sandbox.base import SandboxError
from alonzo.testing.pool import VERSION, PoolWorld
from alonzo.testing.sandbox import Channel, FakeBackend

ACCOUNT_MAX = 6
ENVIRONMENTS_MAX = 8
#: Loop passes that see everything through that no rule holds up.
_PASSES = 60

F, G = (FunctionKey("000000000000", "us-east-1", name) for name in "fg")
LATEST = {
    key: replace(VERSION, key=key, generation=f"{key.name}0", timeout_s=900) for key in (F, G)
}
VERSIONS = [
    *LATEST.values(),
    *(replace(LATEST[key], version="1", generation=f"{key.name}1") for key in (F, G)),
]
PROVISIONABLE = {key: VERSIONS[2 + number] for number, key in enumerate((F, G))}

HOW = st.sampled_from(["answer", "error", "exit"])


@dataclass(eq=False)
class Call:
    """One call in flight. ``reserved``: it was admitted by its function's reservation."""

    version: ServingVersion
    reserved: bool
    provisioned: bool
    task: asyncio.Task[Any]
    end: asyncio.Future[str]


class Ledger(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.numbers = 0
        self.ends: dict[bytes, asyncio.Future[str]] = {}
        self.reserved: dict[FunctionKey, int | None] = {F: None, G: None}
        self.wanted: dict[FunctionKey, int] = {F: 0, G: 0}
        self.runner.run(self._open())

    async def _open(self) -> None:
        self.calls: list[Call] = []
        self.scope = TaskScope()
        backend = FakeBackend(behaviour=self._behave)
        self.world = PoolWorld(
            backend, self.scope, self.clock, environments_max=ENVIRONMENTS_MAX, scaling_max=10_000
        )
        self.admission = Admission(
            self.world.pool, clock=self.clock, account_max=ACCOUNT_MAX, requests_s=10.0
        )
        for version in VERSIONS:
            # In a thread the first time, which nothing here could wait for.
            await self.world.pool.expect(version)
        await self._want()

    async def _close(self) -> None:
        await self.world.pool.close()
        await asyncio.gather(*(call.task for call in self.calls), return_exceptions=True)
        await self.scope.close()
        assert len(self.world.pool) == len(self.admission) == 0
        assert self.world.backend.alive == set()

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self._finish_all())
            self.runner.run(self._close())
            self.runner.close()

    async def _finish_all(self) -> None:
        for call in self.calls:
            if not call.end.done():
                call.end.set_result("answer")
        await asyncio.gather(*(call.task for call in self.calls), return_exceptions=True)
        await self._settle()
        assert len(self.admission) == 0
        # Nothing that was counted is counted any more: as many run at once as may.
        self.clock.advance(10.0)
        for function in (F, G):
            await self._fill(function)

    async def _fill(self, key: FunctionKey) -> None:
        """Take all that a function may have, and give it back."""
        target = self._target(LATEST[key])
        reserved = self.reserved[key]
        ready = self.world.pool.provisioned.ready(key)
        free = (
            max(0, self._shared_max() - self._withheld()) if reserved is None else reserved - ready
        )
        permits = [self.admission.admit(target, rated=False) for _ in range(free)]
        try:
            self.admission.admit(target, rated=False)
        except AwsError:
            pass
        else:
            raise AssertionError("more than may run were let run")
        for permit in permits:
            self.admission.end(permit)
        assert len(self.admission) == 0

    async def _behave(self, channel: Channel) -> int:
        """A runtime: each event says which call it is, and the call's rule says how it ends."""
        await channel.send(Kind.READY, {})
        while (frame := await channel.receive()) is not None:
            how = await self.ends[frame.body]
            if how == "exit":
                return 3
            header = {"id": frame.header["id"]}
            if how == "error":
                await channel.send(Kind.ERROR, {**header, "type": "E"}, b"{}")
            else:
                await channel.send(Kind.RESPONSE, header, frame.body)
        return 0

    async def _settle(self) -> None:
        for _ in range(_PASSES):
            await asyncio.sleep(0)
        self.calls = [call for call in self.calls if not call.task.done()]

    # What the control plane would say

    def _shared_max(self) -> int:
        return ACCOUNT_MAX - sum(reserved or 0 for reserved in self.reserved.values())

    def _withheld(self) -> int:
        return sum(self.wanted[key] for key in (F, G) if self.reserved[key] is None)

    def _target(self, version: ServingVersion) -> Target:
        reserved = sum(reserved or 0 for reserved in self.reserved.values())
        reservations = Reservations(self.reserved[version.key], reserved, self._withheld())
        return Target(version, reservations, stops_loops=True)

    def _allowed(
        self, reserved: dict[FunctionKey, int | None], wanted: dict[FunctionKey, int]
    ) -> bool:
        """Whether the control plane would take it; one of the account is never given away."""
        free = ACCOUNT_MAX
        for key in (F, G):
            limit = reserved[key]
            if limit is not None and wanted[key] > limit:
                return False
            free -= wanted[key] if limit is None else limit
        return free >= 1

    async def _want(self) -> None:
        self.world.pool.provisioned.want(
            Wish(PROVISIONABLE[key], number) for key, number in self.wanted.items() if number
        )
        await self._settle()

    # Rules

    @rule(version=st.sampled_from(VERSIONS), rated=st.booleans(), times=st.integers(1, 8))
    def call(self, version: ServingVersion, rated: bool, times: int) -> None:
        for _ in range(times):
            self.runner.run(self._call(version, rated))

    async def _call(self, version: ServingVersion, rated: bool) -> None:
        before = len(self.admission)
        target = self._target(version)
        try:
            permit = self.admission.admit(target, rated=rated)
        except AwsError as error:
            reason = error.members["Reason"]
            if before < ACCOUNT_MAX:
                has_reservation = self.reserved[version.key] is not None
                assert reason.startswith("Reserved") == has_reservation
            assert rated or "Rate" not in reason
            assert len(self.admission) == before
            return
        self.numbers += 1
        payload = str(self.numbers).encode()
        end = self.ends[payload] = asyncio.get_running_loop().create_future()
        task = asyncio.get_running_loop().create_task(self._run(target, payload, permit))
        self.calls.append(
            Call(
                version,
                self.reserved[version.key] is not None,
                permit.environment is not None,
                task,
                end,
            )
        )
        self._check_limits(version.key)
        await self._settle()

    async def _run(self, target: Target, payload: bytes, permit: Any) -> None:
        """As ``LambdaInvoker`` runs an attempt."""
        invocation = Invocation(payload.decode(), "a", "arn", payload, "trace")
        environment: Environment | None = permit.environment
        try:
            await self.world.pool.invoke(target.version, invocation, environment)
        except (SandboxError, NoRoomError):
            pass
        finally:
            self.admission.end(permit)

    def _check_limits(self, key: FunctionKey) -> None:
        """What was just admitted passes no limit, whatever was admitted under others before."""
        running = [call for call in self.calls if not call.task.done()]
        limit = self.reserved[key]
        if limit is not None:
            assert sum(call.version.key == key for call in running) <= limit
        else:
            shared = [call for call in running if not call.reserved]
            assert len(shared) <= self._shared_max()
            on_demand = [call for call in shared if not call.provisioned]
            if not running[-1].provisioned:
                assert len(on_demand) <= self._shared_max() - self._withheld()

    @rule(which=st.integers(0, 99), how=HOW)
    def end(self, which: int, how: str) -> None:
        if not self.calls:
            return
        call = self.calls[which % len(self.calls)]
        self.runner.run(self._end(call, how))

    async def _end(self, call: Call, how: str) -> None:
        call.end.set_result(how)
        await self._settle()

    @rule(which=st.integers(0, 99))
    def give_up(self, which: int) -> None:
        """The caller goes away; the function ends its work all the same."""
        if not self.calls:
            return
        call = self.calls[which % len(self.calls)]
        call.task.cancel()
        self.runner.run(self._end(call, "answer"))

    @rule(which=st.integers(0, 99), runtime_only=st.booleans())
    def kill(self, which: int, runtime_only: bool) -> None:
        alive = sorted(self.world.backend.alive, key=lambda sandbox: sandbox.number)
        if not alive:
            return
        sandbox = alive[which % len(alive)]

        async def go() -> None:
            await (sandbox.kill() if runtime_only else sandbox.die())
            await self._settle()

        self.runner.run(go())

    @rule(key=st.sampled_from([F, G]), number=st.none() | st.integers(0, 4))
    def reserve(self, key: FunctionKey, number: int | None) -> None:
        changed = {**self.reserved, key: number}
        if self._allowed(changed, self.wanted):
            self.reserved = changed

    @rule(key=st.sampled_from([F, G]), number=st.integers(0, 3))
    def provision(self, key: FunctionKey, number: int) -> None:
        changed = {**self.wanted, key: number}
        if self._allowed(self.reserved, changed):
            self.wanted = changed
            self.runner.run(self._want())

    @rule(seconds=st.sampled_from([0.05, 1.0, 30.0, 400.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

        async def go() -> None:
            self.world.pool.provisioned.look()
            await self._settle()

        self.runner.run(go())

    @rule()
    def sample(self) -> None:
        peaks = self.admission.take_peaks()
        assert all(peak <= ACCOUNT_MAX for peak in peaks.regions.values())
        assert sum(peaks.functions.values()) >= len(self.calls)

    @rule()
    def restart(self) -> None:
        async def go() -> None:
            await self._close()
            await self._open()

        self.runner.run(go())

    # Invariants

    @invariant()
    def every_call_in_flight_is_counted_once(self) -> None:
        if hasattr(self, "runner"):
            assert len(self.admission) == len(self.calls) <= ACCOUNT_MAX

    @invariant()
    def environments_stay_within_their_bounds(self) -> None:
        if not hasattr(self, "runner"):
            return
        assert len(self.world.pool) <= ENVIRONMENTS_MAX
        provisioned = self.world.pool.provisioned
        for figures in provisioned.figures():
            assert 0 <= figures.in_use <= figures.allocated
            busy = sum(
                call.provisioned and call.version is PROVISIONABLE[figures.key]
                for call in self.calls
            )
            assert figures.allocated <= max(self.wanted[figures.key], busy)
        assert len(provisioned) <= len(self.world.pool)


Ledger.TestCase.settings = settings(max_examples=25, stateful_step_count=40)
test_ledger = Ledger.TestCase
