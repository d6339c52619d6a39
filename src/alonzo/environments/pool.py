"""All environments of this node: who serves next, who is started, who has to go.

Rules:

* The environment that was idle the shortest serves next: it is the warmest, and the others age.
* A call that finds none idle has one started for it, and takes whichever comes free first: its own,
  or one that another call gives back. A start that nobody waits for any more is given up.
* Only so many start at a time: more of them at once would only make each slower, up to the limit
  of init. One whose init takes long for other reasons does not keep the others from starting.
* Where a function keeps its tenants apart, an environment serves the tenant it was started for.
* A function gains only so many environments in a while.
* An environment of an older generation of its function serves no new call.
* There are never more than ``environments_max``, what is kept ready ahead of need included. That
  goes first to make room, then the environment that was idle the longest; where none is idle there
  is no room. What is provisioned (``provisioned.py``) counts, and makes room for nobody.

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
from alonzo.environments.provisioned import NoRoomError, Provisioned
from alonzo.environments.snapshots import Snapshots
from alonzo.environments.stock import Stock
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.turnstile import Turnstile
from alonzo.environments.values import Invocation, Outcome
from alonzo.environments.variables import MEMORY_SIZE, early_variables
from alonzo.lib import faults
from alonzo.lib.pace import Pace
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.errors import AwsError
from alonzo.model.functions import ServingVersion
from alonzo.model.ports.code import CodeError, CodeProvider, SnapshotFailure
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


class ScalingRateError(Exception):
    """The function has gained as many environments lately as it may."""


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
        self._starting = TaskScope()
        self._stopping = TaskScope()
        self._stock = Stock(around, lambda: len(self) + len(self._snapshots))
        self._packages = Packages(runtimes, code, self._starting, self._stock.replace)
        self._snapshots = Snapshots(around, self._stock, self._make_room_ahead)
        self.provisioned = Provisioned(around, self._make_provisioned, self._end)
        self._freezer = Freezer(around.clock, around.settings.freeze_after_s)
        self._groups: dict[_GroupKey, _Group] = {}
        self._starts = Turnstile(starts_max, counts_s=_START_COUNTS_S)
        self._scaling: dict[FunctionKey, Pace] = {}
        # Those in ``all`` and ``starting`` of every group: adding them up would cost each start.
        self._count = 0
        self._closed = False

    def __len__(self) -> int:
        return self._count + len(self.provisioned)

    async def invoke(
        self,
        version: ServingVersion,
        invocation: Invocation,
        environment: Environment | None = None,
    ) -> Outcome:
        """Run one attempt in an environment of ``version``.

        ``environment`` is one that ``provisioned`` has reserved for it; None: one on demand.

        Raises:
            NoRoomError: there are as many environments at work as there may be.
            ScalingRateError: it needs one more, and its function has gained enough for now.
            RuntimeUnavailableError: this host cannot run the version's runtime.
            CodeError, SandboxError: no environment could be made, or it was ended meanwhile.
            AwsError: its variables cannot be opened, or its snapshot not be restored.
        """
        tenant_id = invocation.tenant_id if version.tenant_isolation else None
        if environment is None:
            environment = self._try_reserve(version.generation, tenant_id)
        if environment is None:
            environment = await self._reserve(version, tenant_id)
        try:
            return await environment.invoke(invocation)
        finally:
            if environment.is_settled:
                self._release(environment)
            else:
                self._around.scope.spawn(self._settle(environment), name=f"settle {environment.id}")

    def give_back(self, environment: Environment) -> None:
        """Take back one that ``provisioned`` has reserved, for a call that does not run."""
        environment.give_back_nowait()
        self._release(environment)

    async def _settle(self, environment: Environment) -> None:
        """Give an environment back once its runtime has done what it does after the answer."""
        try:
            await environment.settle()
        finally:
            self._release(environment)

    # Reserving and giving back

    def _try_reserve(self, generation: str, tenant_id: str | None) -> Environment | None:
        """An environment that is idle, if there is one."""
        group = self._groups.get((generation, tenant_id))
        while group is not None and group.idle and not self._closed:
            environment = group.idle.pop()
            try:
                environment.reserve_nowait()
            except SandboxError:  # It cannot be thawed any more.
                self._end(environment)
            else:
                return environment
        return None

    async def _reserve(self, version: ServingVersion, tenant_id: str | None) -> Environment:
        """The next environment that comes free; one is started."""
        if self._closed:
            raise EnvironmentStoppedError("the platform is stopping")
        if version.tenant_isolation and not self._around.backend.isolated:
            raise RuntimeUnavailableError(
                f"{version.key.name} keeps its tenants apart, and this platform runs with "
                f"--isolation {self._around.backend.name}, which keeps nothing apart."
            )
        group = self._groups.get((version.generation, tenant_id)) or _Group(version, tenant_id)
        if group.starting <= len(group.waiting) and not self._may_gain(version.key):
            self._drop_if_empty(group)
            raise ScalingRateError(f"{version.key.name} has gained {self._settings.scaling_max}")
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

    def _may_gain(self, key: FunctionKey) -> bool:
        """Whether a function may have one environment more now; if so it is counted."""
        pace = self._scaling.get(key)
        if pace is None:
            pace = self._scaling[key] = Pace(self._settings.scaling_period_s)
        per_s = self._settings.scaling_max / self._settings.scaling_period_s
        return pace.try_pass(self._around.clock.monotonic_s(), per_s)

    def _group_of(self, environment: Environment) -> _Group | None:
        return self._groups.get((environment.version.generation, environment.tenant_id))

    def _release(self, environment: Environment) -> None:
        if environment.provisioned:
            self.provisioned.release(environment)
            return
        group = self._groups.get((environment.version.generation, environment.tenant_id))
        if group is None or environment not in group.all:
            return
        if environment.is_idle:
            self._idle(group, environment)
        else:
            self._end(environment)

    def _idle(self, group: _Group, environment: Environment) -> None:
        """Give an environment to who waits longest, or let it rest."""
        wish = group.next_wish() if group.waiting else None
        if wish is not None:
            environment.reserve_nowait()
            wish.set_result(environment)
        elif (
            group.retired or self._closed or self._is_too_old(environment, environment.idle_since_s)
        ):
            self._end(environment)
        else:
            group.idle.append(environment)

    def _is_too_old(self, environment: Environment, now_s: float) -> bool:
        return now_s - environment.born_at_s > self._settings.age_s_max

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
                    environment = await self._make(group.version, tenant_id=group.tenant_id)
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

    async def _make_provisioned(self, version: ServingVersion) -> Environment:
        async with self._starts.passage():
            return await self._make(version, provisioned=True)

    async def _make(
        self, version: ServingVersion, *, tenant_id: str | None = None, provisioned: bool = False
    ) -> Environment:
        package = await self._packages.prepare(version)
        version = await self._around.variables.open(version)
        await self._make_room(version, package)
        environment = Environment(
            version,
            package,
            self._around,
            self._stock,
            self._snapshots,
            self._freezer,
            self._end,
            tenant_id=tenant_id,
            provisioned=provisioned,
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
            ready = (version.snap_start and self._snapshots.has(version)) or self._stock.has(
                package.launch, early_variables(version)
            )
            if self._total() - ready <= self._settings.environments_max:
                return
            if await self._stock.give_up_one() or await self._snapshots.give_up_one():
                continue
            rested = [env for group in self._groups.values() for env in group.idle]
            if not rested:
                raise NoRoomError(f"{self._settings.environments_max} environments are at work")
            oldest = min(rested, key=lambda env: env.idle_since_s)
            self._forget(oldest)
            await oldest.stop()

    async def _make_room_ahead(self) -> bool:
        """Whether there may be one more that is to be restored: the stock gives way to it."""
        while self._total() >= self._settings.environments_max:
            if not await self._stock.give_up_one():
                return False
        return True

    def _total(self) -> int:
        """All that there are, what is kept ready included."""
        return len(self) + len(self._stock) + len(self._snapshots)

    def _forget(self, environment: Environment) -> None:
        if environment.provisioned:
            self.provisioned.forget(environment)
            return
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
        self.provisioned.retire(key, live_generations)
        for group in list(self._groups.values()):
            if group.version.key == key:
                group.retired = group.version.generation not in live_generations
                for environment in list(group.idle) if group.retired else ():
                    self._end(environment)

    def code_in_use(self) -> frozenset[str]:
        """Names of the unpacked trees that environments have open."""
        on_demand = frozenset(name for g in self._groups.values() for name in g.version.trees)
        return on_demand | self.provisioned.code_in_use() | self._snapshots.code_in_use()

    async def expect(self, version: ServingVersion) -> None:
        """Have what a first call of ``version`` needs made ready: it has become able to serve.

        Nothing comes of what fails here: the call will hear of it.
        """
        if self._closed or self._packages.knows(version):
            return
        try:
            package = await self._packages.prepare(version)
            version = await self._around.variables.open(version)
        except (*_USERS_ERRORS, OSError) as err:
            log.info("environment.not_expected", extra={"function": version.arn, "error": str(err)})
        else:
            if version.snap_start:
                snapshot = self._snapshots.prepare(version, package)
                self._starting.spawn(snapshot, name=f"snapshot {version.arn}")
            else:
                self._stock.expect(package.launch, early_variables(version))

    async def prepare(self, version: ServingVersion) -> SnapshotFailure | None:
        """See ``model.ports.code.SnapshotMaker``."""
        package = await self._packages.prepare(version)
        try:
            version = await self._around.variables.open(version)
        except AwsError as err:
            return SnapshotFailure(err.code, err.message)
        failed = await self._snapshots.prepare(version, package)
        if failed is None:
            return None
        return SnapshotFailure(failed.error_type, failed.text)

    async def know_runtimes(self, runtimes: Iterable[tuple[str, int]]) -> None:
        """Functions with these runtimes, and memory in MiB, exist; none of them is new."""
        for identifier, memory_mib in runtimes:
            try:
                launch = await self._packages.launch(identifier)
            except RuntimeUnavailableError as err:
                log.info(
                    "environment.not_expected", extra={"runtime": identifier, "error": str(err)}
                )
            else:
                self._stock.expect(launch, {MEMORY_SIZE: str(memory_mib)}, soon=False)

    async def fill(self) -> None:
        """Keep sandboxes ready ahead of need, for ever."""
        await self._stock.run()

    async def reap(self) -> None:
        """End, for ever, what was idle too long or is too old."""
        while True:
            await asyncio.sleep(_REAP_EVERY_S)
            now_s = self._around.clock.monotonic_s()
            self._snapshots.reap()
            for key in [key for key, pace in self._scaling.items() if pace.is_quiet(now_s)]:
                del self._scaling[key]
            for group in list(self._groups.values()):
                for environment in list(group.idle):
                    idle_s = now_s - environment.idle_since_s
                    is_too_old = self._is_too_old(environment, now_s)
                    if idle_s > self._settings.keep_alive_s or is_too_old:
                        self._end(environment)

    async def close(self) -> None:
        """End every environment; calls in flight fail with ``EnvironmentStoppedError``."""
        self._closed = True
        await self._starting.close()
        await self.provisioned.close()
        for group in list(self._groups.values()):
            while (wish := group.next_wish()) is not None:
                wish.set_exception(EnvironmentStoppedError("the platform is stopping"))
            for environment in list(group.all):
                self._end(environment)
        self._freezer.close()
        await self._stock.close()
        await self._stopping.drain()
        await self._snapshots.close()
