"""All environments of this node: who serves next, who is started, who has to go.

Rules:

* The environment that was idle the shortest serves next: it is the warmest, and the others age.
* A call that finds none idle has one started for it, and takes whichever comes free first: its own,
  or one that another call gives back. A start that nobody waits for any more is given up.
* Only so many start at a time: more of them at once would only make each slower, up to the limit
  of init. One whose init takes long for other reasons does not keep the others from starting.
* Where a function keeps its tenants apart, an environment serves the tenant it was started for.
* An environment of an older generation of its function serves no new call.
* There are never more than ``environments_max``, what is kept ready ahead of need included. That
  goes first to make room, then the environment that was idle the longest; where none is idle there
  is no room.

Accounts are kept at once, on the event loop; only the ending itself takes time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from alonzo.environments.environment import Environment
from alonzo.environments.freezer import Freezer
from alonzo.environments.inits import EnvironmentStoppedError
from alonzo.environments.package import Package
from alonzo.environments.packages import Packages
from alonzo.environments.snapshots import Snapshots
from alonzo.environments.stock import Stock
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.turnstile import Turnstile
from alonzo.environments.values import Invocation, Outcome
from alonzo.lib import faults
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.errors import AwsError
from alonzo.model.functions import ServingVersion
from alonzo.model.ports import CodeError, CodeProvider, SnapshotFailure
from alonzo.runtimes.base import RuntimeUnavailableError
from alonzo.runtimes.registry import Runtimes
from alonzo.sandbox.base import SandboxError

log = logging.getLogger("alonzo.environments")

#: How often the pool looks for environments that were idle too long or are too old.
_REAP_EVERY_S = 5.0

#: A start does not count among those at a time once it has taken this long: its init waits for
#: something, or computes what would take long anyway.
_START_COUNTS_S = 1.0

#: What a start may fail with for reasons of the user's, which are no news to the operator.
_USERS_ERRORS = (CodeError, RuntimeUnavailableError, AwsError)

#: Whose environments are alike: a generation of a version and, where they are apart, a tenant.
_GroupKey = tuple[str, str | None]


class NoRoomError(Exception):
    """As many environments as there may be are at work."""


@dataclass(slots=True, eq=False)
class _Group:
    """The environments of one generation of one version, for one tenant if they are kept apart.

    ``all`` are those that have been started; ``starting`` counts the others.
    """

    version: ServingVersion
    tenant_id: str | None = None
    all: set[Environment] = field(default_factory=set[Environment])
    idle: list[Environment] = field(default_factory=list[Environment])
    waiting: deque[asyncio.Future[Environment]] = field(
        default_factory=deque[asyncio.Future[Environment]]
    )
    starting: int = 0
    retired: bool = False

    @property
    def key(self) -> _GroupKey:
        """What it is found by."""
        return self.version.generation, self.tenant_id

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
        self._packages = Packages(runtimes, code)
        self._stock = Stock(around, self.__len__)
        self._snapshots = Snapshots(around)
        self._freezer = Freezer(around.clock, around.settings.freeze_after_s)
        self._groups: dict[_GroupKey, _Group] = {}
        self._starts = Turnstile(starts_max, counts_s=_START_COUNTS_S)
        self._starting = TaskScope()
        self._stopping = TaskScope()
        # Those in ``all`` and ``starting`` of every group: adding them up would cost each start.
        self._count = 0
        self._closed = False

    def __len__(self) -> int:
        return self._count

    async def invoke(self, version: ServingVersion, invocation: Invocation) -> Outcome:
        """Run one attempt in an environment of ``version``.

        Raises:
            NoRoomError: there are as many environments at work as there may be.
            RuntimeUnavailableError: this host cannot run the version's runtime.
            CodeError, SandboxError: no environment could be made, or it was ended meanwhile.
        """
        environment = await self._reserve(version, invocation.tenant_id)
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

    async def _reserve(self, version: ServingVersion, tenant_id: str | None) -> Environment:
        if self._closed:
            raise EnvironmentStoppedError("the platform is stopping")
        if not version.tenant_isolation:
            tenant_id = None
        elif not self._around.backend.isolated:
            raise RuntimeUnavailableError(
                f"{version.key.name} keeps its tenants apart, and this platform runs with "
                f"--isolation {self._around.backend.name}, which keeps nothing apart."
            )
        group = self._groups.get((version.generation, tenant_id))
        if group is None:
            group = _Group(version, tenant_id)
            self._groups[group.key] = group
        while group.idle:
            environment = group.idle.pop()
            try:
                environment.reserve_nowait()
            except SandboxError:  # It cannot be thawed any more.
                self._end(environment)
            else:
                return environment
        # The end of the last one takes the group from the list.
        self._groups[group.key] = group
        wish: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
        group.waiting.append(wish)
        self._start_missing(group)
        try:
            return await wish
        except asyncio.CancelledError:
            if wish in group.waiting:
                group.waiting.remove(wish)
            elif wish.done() and not wish.cancelled() and wish.exception() is None:
                # Reserved for a call that went away before it used it.
                self._end(wish.result())
            raise

    def _group_of(self, environment: Environment) -> _Group | None:
        return self._groups.get((environment.version.generation, environment.tenant_id))

    def _release(self, environment: Environment) -> None:
        group = self._group_of(environment)
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

    def _start_missing(self, group: _Group) -> None:
        """Have one started for each call that waits."""
        while group.starting < len(group.waiting) and not self._closed:
            group.starting += 1
            self._count += 1
            self._starting.spawn(self._start(group), name=f"start {group.version.arn}")

    async def _start(self, group: _Group) -> None:
        """Start one environment and hand it on; a failure goes to who waits longest."""
        environment: Environment | None = None
        try:
            async with self._starts.passage():
                if len(group.waiting) >= group.starting:
                    environment = await self._make(group)
        except Exception as err:  # noqa: BLE001 - whatever it is, the caller that waits must hear
            self._fail_one(group, err)
        finally:
            group.starting -= 1
            self._count -= 1
            if environment is not None:
                group.all.add(environment)
                self._count += 1
                self._release(environment)
            # Where it ended before it could be handed on, whoever waits needs another.
            self._start_missing(group)
            self._drop_if_empty(group)

    async def _make(self, group: _Group) -> Environment:
        package = await self._packages.prepare(group.version)
        await self._make_room(group.version, package)
        environment = Environment(
            group.version,
            package,
            self._around,
            self._stock,
            self._snapshots,
            self._freezer,
            self._end,
            tenant_id=group.tenant_id,
        )
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
            # What a sandbox failed at is in its error's text.
            known = isinstance(err, SandboxError)
            log.warning(
                "environment.failed",
                extra={"function": group.version.arn, "error": str(err)},
                exc_info=None if known else err,
            )
        wish = group.next_wish()
        if wish is not None:
            wish.set_exception(err)

    async def _make_room(self, version: ServingVersion, package: Package) -> None:
        """Have this start, which counts already, stay within the bound."""
        while True:
            # One that is ready is not one more: this start moves into it.
            ready = self._stock.has(package.launch, version.environment)
            ahead = len(self._stock) + len(self._snapshots)
            if len(self) + ahead - ready <= self._settings.environments_max:
                return
            if await self._stock.give_up_one() or await self._snapshots.give_up_one():
                continue
            rested = [env for group in self._groups.values() for env in group.idle]
            if not rested:
                raise NoRoomError(f"{self._settings.environments_max} environments are at work")
            oldest = min(rested, key=lambda env: env.idle_since_s)
            self._forget(oldest)
            await oldest.stop()

    def _forget(self, environment: Environment) -> None:
        group = self._group_of(environment)
        if group is not None:
            if environment in group.all:
                group.all.remove(environment)
                self._count -= 1
            if environment in group.idle:
                group.idle.remove(environment)
            self._drop_if_empty(group)

    def _drop_if_empty(self, group: _Group) -> None:
        if not (group.all or group.waiting or group.starting):
            self._groups.pop(group.key, None)

    def _end(self, environment: Environment) -> None:
        self._forget(environment)
        self._stopping.spawn(environment.stop(), name=f"stop {environment.id}")

    # Upkeep

    def retire(self, key: FunctionKey, live_generations: frozenset[str]) -> None:
        """End the environments of a function whose generation is not among the live ones.

        One that is busy serves its call to the end first.
        """
        self._packages.retire(key, live_generations)
        self._snapshots.retire(key, live_generations)
        for group in list(self._groups.values()):
            if group.version.key == key:
                group.retired = group.version.generation not in live_generations
                for environment in list(group.idle) if group.retired else ():
                    self._end(environment)

    def code_in_use(self) -> frozenset[str]:
        """Names of the unpacked trees that environments have open."""
        return frozenset(name for g in self._groups.values() for name in g.version.trees)

    async def expect(self, version: ServingVersion) -> None:
        """Have what a first call of ``version`` needs made ready: it has become able to serve.

        Nothing comes of what fails here: the call will hear of it.
        """
        if self._closed or self._packages.knows(version):
            return
        try:
            package = await self._packages.prepare(version)
        except (*_USERS_ERRORS, OSError) as err:
            log.info("environment.not_expected", extra={"function": version.arn, "error": str(err)})
        else:
            if version.snap_start:
                snapshot = self._snapshots.prepare(version, package)
                self._starting.spawn(snapshot, name=f"snapshot {version.arn}")
            else:
                self._stock.expect(package.launch, version.environment)

    async def prepare(self, version: ServingVersion) -> SnapshotFailure | None:
        """See ``model.ports.SnapshotMaker``."""
        package = await self._packages.prepare(version)
        failed = await self._snapshots.prepare(version, package)
        if failed is None:
            return None
        return SnapshotFailure(failed.error_type, failed.text)

    async def know_runtimes(self, identifiers: Iterable[str]) -> None:
        """Functions with these runtimes exist; none of them is new."""
        for identifier in identifiers:
            try:
                launch = await self._packages.launch(identifier)
            except RuntimeUnavailableError as err:
                log.info(
                    "environment.not_expected", extra={"runtime": identifier, "error": str(err)}
                )
            else:
                self._stock.expect(launch, {}, soon=False)

    async def fill(self) -> None:
        """Keep sandboxes ready ahead of need, for ever."""
        await self._stock.run()

    async def reap(self) -> None:
        """End, for ever, what was idle too long or is too old."""
        while True:
            await asyncio.sleep(_REAP_EVERY_S)
            now_s = self._around.clock.monotonic_s()
            self._snapshots.reap()
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
        self._freezer.close()
        await self._stock.close()
        await self._stopping.drain()
        await self._snapshots.close()
