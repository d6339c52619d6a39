"""All environments of this node: who serves next, who is started, who has to go.

Rules:

* The environment that was idle the shortest serves next: it is the warmest, and the others age.
* A call that finds none idle has one started for it, and takes whichever comes free first: its own,
  or one that another call gives back. A start that nobody waits for any more is given up.
* Only so many start at a time: more of them at once would only make each slower, up to the limit
  of init.
* An environment of an older generation of its function serves no new call.
* There are never more than ``environments_max``: the one that was idle the longest ends to make
  room, and where none is idle there is no room.

Accounts are kept at once, on the event loop; only the ending itself takes time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field

from alonzo.environments.environment import (
    Environment,
    EnvironmentStoppedError,
    Surroundings,
)
from alonzo.environments.values import Invocation, Outcome
from alonzo.lib import faults
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.functions import ServingVersion
from alonzo.model.ports import CodeError, CodeProvider
from alonzo.runtimes.base import RuntimeUnavailableError
from alonzo.runtimes.registry import Runtimes

log = logging.getLogger("alonzo.environments")

#: How often the pool looks for environments that were idle too long or are too old.
_REAP_EVERY_S = 5.0

#: What a start may fail with for reasons of the user's, which are no news to the operator.
_USERS_ERRORS = (CodeError, RuntimeUnavailableError)


class NoRoomError(Exception):
    """As many environments as there may be are at work."""


@dataclass(slots=True, eq=False)
class _Group:
    """The environments of one generation of one version.

    ``all`` are those that have been started; ``starting`` counts the others.
    """

    version: ServingVersion
    all: set[Environment] = field(default_factory=set[Environment])
    idle: list[Environment] = field(default_factory=list[Environment])
    waiting: deque[asyncio.Future[Environment]] = field(
        default_factory=deque[asyncio.Future[Environment]]
    )
    starting: int = 0
    retired: bool = False

    def next_wish(self) -> asyncio.Future[Environment] | None:
        """The call that waits longest, taken from the queue."""
        while self.waiting:
            wish = self.waiting.popleft()
            if not wish.done():
                return wish
        return None


class Pool:
    """Runs invocations in environments. ``starts_max`` may start at a time."""

    def __init__(
        self, around: Surroundings, runtimes: Runtimes, code: CodeProvider, *, starts_max: int
    ) -> None:
        self._around = around
        self._settings = around.settings
        self._runtimes = runtimes
        self._code = code
        self._groups: dict[str, _Group] = {}
        self._starts = asyncio.Semaphore(starts_max)
        self._starting = TaskScope()
        self._stopping = TaskScope()
        self._closed = False

    def __len__(self) -> int:
        return sum(len(group.all) + group.starting for group in self._groups.values())

    async def invoke(self, version: ServingVersion, invocation: Invocation) -> Outcome:
        """Run one attempt in an environment of ``version``.

        Raises:
            NoRoomError: there are as many environments at work as there may be.
            RuntimeUnavailableError: this host cannot run the version's runtime.
            CodeError, SandboxError: no environment could be made, or it was ended meanwhile.
        """
        environment = await self._reserve(version)
        try:
            return await environment.invoke(invocation)
        finally:
            if environment.is_settled:
                self._release(environment)
            else:
                self._around.scope.spawn(self._settle(environment), name=f"settle {environment.id}")

    async def _settle(self, environment: Environment) -> None:
        """Give an environment back once its runtime has done what it does after the answer."""
        try:
            await environment.settle()
        finally:
            self._release(environment)

    # Reserving and giving back

    async def _reserve(self, version: ServingVersion) -> Environment:
        if self._closed:
            raise EnvironmentStoppedError("the platform is stopping")
        group = self._groups.get(version.generation)
        if group is None:
            group = self._groups[version.generation] = _Group(version)
        while group.idle:
            environment = group.idle.pop()
            if environment.is_idle:
                environment.reserve_nowait()
                return environment
            self._end(environment)
        wish: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
        group.waiting.append(wish)
        if group.starting < len(group.waiting):
            group.starting += 1
            self._starting.spawn(self._start(group), name=f"start {version.arn}")
        try:
            return await wish
        except asyncio.CancelledError:
            if wish in group.waiting:
                group.waiting.remove(wish)
            elif wish.done() and not wish.cancelled() and wish.exception() is None:
                # Reserved for a call that went away before it used it.
                self._end(wish.result())
            raise

    def _release(self, environment: Environment) -> None:
        group = self._groups.get(environment.version.generation)
        if group is None or environment not in group.all:
            return
        if environment.is_idle:
            self._idle(group, environment)
        else:
            self._end(environment)

    def _idle(self, group: _Group, environment: Environment) -> None:
        """Give an environment to who waits longest, or let it rest."""
        wish = group.next_wish()
        if wish is not None:
            environment.reserve_nowait()
            wish.set_result(environment)
        elif group.retired or self._closed or self._is_too_old(environment):
            self._end(environment)
        else:
            group.idle.append(environment)

    def _is_too_old(self, environment: Environment) -> bool:
        age_s = self._around.clock.monotonic_s() - environment.born_at_s
        return age_s > self._settings.age_s_max

    # Starting and ending

    async def _start(self, group: _Group) -> None:
        """Start one environment and hand it on; a failure goes to who waits longest."""
        environment: Environment | None = None
        try:
            async with self._starts:
                if len(group.waiting) >= group.starting:
                    environment = await self._make(group)
        except Exception as err:  # noqa: BLE001 - whatever it is, the caller that waits must hear
            self._fail_one(group, err)
        finally:
            group.starting -= 1
            if environment is not None:
                group.all.add(environment)
                self._release(environment)
            self._drop_if_empty(group)

    async def _make(self, group: _Group) -> Environment:
        await self._make_room()
        code = await self._code.prepare(group.version.code_sha256)
        # In a thread: the first look for an interpreter starts it to be sure of it.
        launch = await asyncio.to_thread(self._runtimes.launch, group.version.runtime, code)
        environment = Environment(group.version, launch, code, self._around, self._end)
        try:
            await environment.start()
            await faults.reach("environment.started")
        except BaseException:
            self._end(environment)
            raise
        return environment

    def _fail_one(self, group: _Group, err: Exception) -> None:
        expected = isinstance(err, (*_USERS_ERRORS, NoRoomError, EnvironmentStoppedError))
        if not expected:
            log.warning("environment.failed", extra={"function": group.version.arn}, exc_info=err)
        wish = group.next_wish()
        if wish is not None:
            wish.set_exception(err)

    async def _make_room(self) -> None:
        while len(self) > self._settings.environments_max:
            rested = [env for group in self._groups.values() for env in group.idle]
            if not rested:
                raise NoRoomError(f"{self._settings.environments_max} environments are at work")
            oldest = min(rested, key=lambda env: env.idle_since_s)
            self._forget(oldest)
            await oldest.stop()

    def _forget(self, environment: Environment) -> None:
        group = self._groups.get(environment.version.generation)
        if group is not None:
            group.all.discard(environment)
            if environment in group.idle:
                group.idle.remove(environment)
            self._drop_if_empty(group)

    def _drop_if_empty(self, group: _Group) -> None:
        if not (group.all or group.waiting or group.starting):
            self._groups.pop(group.version.generation, None)

    def _end(self, environment: Environment) -> None:
        self._forget(environment)
        self._stopping.spawn(environment.stop(), name=f"stop {environment.id}")

    # Upkeep

    def retire(self, key: FunctionKey, live_generations: frozenset[str]) -> None:
        """End the environments of a function whose generation is not among the live ones.

        One that is busy serves its call to the end first.
        """
        for group in list(self._groups.values()):
            if group.version.key == key:
                group.retired = group.version.generation not in live_generations
                for environment in list(group.idle) if group.retired else ():
                    self._end(environment)

    def code_in_use(self) -> frozenset[str]:
        """Digests of the packages that environments have open."""
        return frozenset(group.version.code_sha256 for group in self._groups.values())

    async def reap(self) -> None:
        """End, for ever, what was idle too long or is too old."""
        while True:
            await asyncio.sleep(_REAP_EVERY_S)
            now_s = self._around.clock.monotonic_s()
            for group in list(self._groups.values()):
                for environment in list(group.idle):
                    idle_s = now_s - environment.idle_since_s
                    if idle_s > self._settings.keep_alive_s or self._is_too_old(environment):
                        self._end(environment)

    async def close(self) -> None:
        """End every environment; calls in flight fail with ``EnvironmentStoppedError``."""
        self._closed = True
        await self._starting.close()
        for group in list(self._groups.values()):
            while (wish := group.next_wish()) is not None:
                wish.set_exception(EnvironmentStoppedError("the platform is stopping"))
            for environment in list(group.all):
                self._end(environment)
        await self._stopping.drain()
