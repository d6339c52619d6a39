"""SnapStart: one process per published version is initialised, and forked for each environment.

* The *template* of a version is made when the version is published, or at its first call. Its init
  is logged in a stream of its own. It lives until the version does no more, and is made anew if its
  process ends. What is there beside it is not remembered over a restart of the platform.
* ``take()`` hands out a home with a fork in it, which waits for its variables as any parked
  runtime does; then it runs the after-restore hooks. A fork or two are made ahead of need.
* Where there can be no snapshot, or its init failed lately, ``take()`` says why, and the
  environment initialises as any other. The log says so: nobody is to wonder about the time.

Not every host can fork a template (``sandbox/templates.py``), only Python knows how, and processes
of extensions cannot be forked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from alonzo.environments.extensions.api import FunctionFacts
from alonzo.environments.extensions.external import find_extensions
from alonzo.environments.extensions.runner import Extensions
from alonzo.environments.home import Home, Rung, nothing, rungs_of
from alonzo.environments.inits import InitFailure, init_failure
from alonzo.environments.journal import Journal
from alonzo.environments.package import Package
from alonzo.environments.parameters_extension import ParametersExtension
from alonzo.environments.parameters_rules import port_of
from alonzo.environments.reporter import Reporter
from alonzo.environments.snapshot_credentials import CredentialsApi
from alonzo.environments.snapshot_rules import (
    INIT_S_MIN,
    restore_variables,
    template_variables,
    why_not,
)
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.variables import RUNTIME_API_PORT, runtime_variables
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, runtime_version_arn
from alonzo.model.functions import ServingVersion
from alonzo.sandbox.base import Fitting, Sandbox, SandboxError, SandboxSpec
from alonzo.sandbox.templates import Template, TemplateBackend

log = logging.getLogger("alonzo.environments")

#: Forks kept ready for each version.
_READY = 1

#: How long a template is kept that is not used.
_KEPT_S = 3600.0

#: How long a version whose snapshot failed is not tried again.
_RETRY_S = 60.0


class NoSnapshotError(Exception):
    """There is no snapshot to restore; the text, fit for the function's log, says why."""


@dataclass(eq=False, slots=True)
class _Snapshot:
    """One version's template and what hangs on it.

    ``published``: it has been seen to be live. Its version may serve only once it is taken.
    """

    version: ServingVersion
    package: Package
    home: Home
    extensions: Extensions
    ready: list[Home] = field(default_factory=list[Home])
    clones: set[Home] = field(default_factory=set[Home])
    used_at_s: float = 0.0
    filling: bool = False
    published: bool = False
    over: bool = False


class Snapshots:
    """The snapshots of one node, by the generations of their versions."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._settings = around.settings
        self._snapshots: dict[str, _Snapshot] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks = TaskScope()
        self._closed = False

    def __len__(self) -> int:
        """How many homes are nobody's, templates included."""
        return sum(1 + len(each.ready) for each in self._snapshots.values())

    async def take(self, version: ServingVersion, package: Package) -> Home:
        """A home with a fork of the version's template in it, which is the caller's from now on.

        Raises:
            NoSnapshotError: there is no snapshot, and the environment is to initialise itself.
            SandboxError: it could not be made.
        """
        snapshot = await self._get(version, package)
        snapshot.published = True
        snapshot.used_at_s = self._around.clock.monotonic_s()
        while snapshot.ready:
            home = snapshot.ready.pop()
            home.on_end = nothing
            if not home.is_lost:
                self._fill(snapshot)
                return home
        home = await self._fork(snapshot)
        self._fill(snapshot)
        return home

    async def prepare(self, version: ServingVersion, package: Package) -> InitFailure | None:
        """Take the snapshot of a version that is being published; answers how its init failed.

        Where there can be no snapshot nothing fails: its environments will initialise themselves.
        """
        try:
            snapshot = await self._get(version, package)
        except _InitFailedError as err:
            return err.failure
        except (NoSnapshotError, SandboxError):
            return None
        self._fill(snapshot)
        return None

    # Templates

    async def _get(self, version: ServingVersion, package: Package) -> _Snapshot:
        generation = version.generation
        async with self._making.setdefault(generation, asyncio.Lock()):
            snapshot = self._snapshots.get(generation)
            if snapshot is not None and not snapshot.over:
                return snapshot
            if self._closed:
                raise SandboxError("the platform is stopping")
            backend = self._around.backend
            if not isinstance(backend, TemplateBackend):
                raise NoSnapshotError("this platform's isolation cannot fork processes")
            extensions = await asyncio.to_thread(_extensions, package)
            reason = why_not(package, extensions) or backend.why_no_templates()
            if reason is not None:
                raise NoSnapshotError(reason)
            if rungs_of(package.launch, version.environment)[0] is not Rung.FORK:
                raise NoSnapshotError("it sets a variable that only a program's start can honour")
            until_s, why = self._failed.get(generation, (0.0, ""))
            if self._around.clock.monotonic_s() < until_s:
                raise NoSnapshotError(why)
            try:
                snapshot = await self._make(version, package, backend)
            except (NoSnapshotError, SandboxError) as err:
                now_s = self._around.clock.monotonic_s()
                self._failed = {g: known for g, known in self._failed.items() if known[0] > now_s}
                self._failed[generation] = (now_s + _RETRY_S, str(err))
                if isinstance(err, NoSnapshotError):
                    raise
                log.warning("snapshot.failed", extra={"function": version.arn, "error": str(err)})
                raise NoSnapshotError("the snapshot could not be taken") from err
            self._failed.pop(generation, None)
            self._snapshots[generation] = snapshot
            return snapshot

    async def _make(
        self, version: ServingVersion, package: Package, backend: TemplateBackend
    ) -> _Snapshot:
        home = await Home.make(
            package.launch,
            Rung.FORK,
            self._around,
            ports=_ports(version),
            create=backend.create_template,
        )
        try:
            await home.fit(Fitting(version.memory_mib, version.tmp_mib, package.mounts))
            snapshot = await self._initialise(version, package, home)
        except BaseException:
            await home.close()
            raise
        return snapshot

    async def _initialise(self, version: ServingVersion, package: Package, home: Home) -> _Snapshot:
        clock, around = self._around.clock, self._around
        journal = Journal(version, around.sink, clock=clock, suffix=around.ids.hex(16))
        reporter = Reporter(version, journal, clock=clock, initialization_type="snap-start")
        extensions = Extensions(home.sandbox, (), facts_of(version), reporter, around)
        token = mount_credentials(extensions, version, around)
        variables = template_variables(
            runtime_variables(
                version,
                of_runtime=package.launch.environment,
                log_stream="",
                credentials=CredentialsApi.nobody(),
                endpoint_port=home.port(self._settings.endpoint_port),
                runtime_api_port=home.port(RUNTIME_API_PORT),
                initialization_type="snap-start",
            ),
            api=f"127.0.0.1:{home.port(RUNTIME_API_PORT)}",
            token=token,
        )
        snapshot = _Snapshot(version, package, home, extensions, used_at_s=clock.monotonic_s())
        reporter.init_start("init", runtime_version(version, package))
        began_s = clock.monotonic_s()
        home.parameters = ParametersExtension.wanted(version, around)
        signal = await home.run(
            package.launch,
            variables,
            extensions=extensions,
            variables_of_extensions={},
            on_idle_loss=lambda: self._over(snapshot),
            emit=reporter.function_output,
            timeout_s=max(INIT_S_MIN, float(version.timeout_s)),
        )
        failed = init_failure(signal)
        if home.runtime is not None:
            home.runtime.finish_output()
        reporter.init_done(
            init_ms=(clock.monotonic_s() - began_s) * 1000,
            phase="init",
            error_type=None if failed is None else failed.error_type,
        )
        if failed is not None:
            raise _InitFailedError(failed)
        home.on_end = lambda: self._over(snapshot)
        await home.sandbox.freeze()
        return snapshot

    def _over(self, snapshot: _Snapshot) -> None:
        """Fork it no more; it goes when its last fork has gone, which its end would take along."""
        if snapshot.over:
            return
        snapshot.over = True
        if self._snapshots.get(snapshot.version.generation) is snapshot:
            del self._snapshots[snapshot.version.generation]
        for home in snapshot.ready:
            self._tasks.spawn(home.close(), name="close a fork")
        snapshot.ready.clear()
        self._close_if_unused(snapshot)

    def _close_if_unused(self, snapshot: _Snapshot) -> None:
        if snapshot.over and not snapshot.clones:
            self._tasks.spawn(snapshot.home.close(), name=f"close {snapshot.home.sandbox.id}")

    # Forks

    async def _fork(self, snapshot: _Snapshot) -> Home:
        version = snapshot.version
        fitting = Fitting(version.memory_mib, version.tmp_mib)
        # Only make() gives the template its sandbox, and that is one.
        template: Template = snapshot.home.sandbox  # pyright: ignore[reportAssignmentType] - as said

        async def clone(spec: SandboxSpec) -> Sandbox:
            return await template.clone(spec.id, fitting)

        home = await Home.make(
            snapshot.package.launch, Rung.FORK, self._around, ports=_ports(version), create=clone
        )
        snapshot.clones.add(home)
        self._tasks.spawn(self._watch(snapshot, home), name=f"fork {home.sandbox.id}")
        return home

    async def _watch(self, snapshot: _Snapshot, home: Home) -> None:
        await home.sandbox.wait_ended()
        snapshot.clones.discard(home)
        self._close_if_unused(snapshot)

    def _fill(self, snapshot: _Snapshot) -> None:
        """Have forks ready for the next calls."""
        if not snapshot.filling and not self._closed and not snapshot.over:
            snapshot.filling = True
            self._tasks.spawn(self._fill_one_by_one(snapshot), name="fork ahead")

    async def _fill_one_by_one(self, snapshot: _Snapshot) -> None:
        try:
            while len(snapshot.ready) < _READY and not snapshot.over:
                home = await self._fork(snapshot)
                if snapshot.over or self._closed:
                    await home.close()
                    return
                home.on_end = lambda lost=home: self._lost(snapshot, lost)
                snapshot.ready.append(home)
        except SandboxError as err:
            log.info("snapshot.not_ahead", extra={"error": str(err)})
        finally:
            snapshot.filling = False

    def _lost(self, snapshot: _Snapshot, home: Home) -> None:
        if home in snapshot.ready:
            snapshot.ready.remove(home)
            self._tasks.spawn(home.close(), name="close a fork")

    async def give_up_one(self) -> bool:
        """Throw away a fork that is nobody's, to make room; False if there is none."""
        for snapshot in self._snapshots.values():
            if snapshot.ready:
                home = snapshot.ready.pop()
                home.on_end = nothing
                await home.close()
                return True
        return False

    # Ends

    def retire(self, key: FunctionKey, live_generations: frozenset[str]) -> None:
        """Let go of a function's snapshots that are no more of a live generation."""
        for snapshot in list(self._snapshots.values()):
            if snapshot.version.key != key:
                continue
            if snapshot.version.generation in live_generations:
                snapshot.published = True
            elif snapshot.published:
                self._over(snapshot)

    def reap(self) -> None:
        """Let go of what nobody has used for long: its next call takes it anew."""
        before_s = self._around.clock.monotonic_s() - _KEPT_S
        for snapshot in list(self._snapshots.values()):
            if snapshot.used_at_s < before_s and len(snapshot.clones) == len(snapshot.ready):
                self._over(snapshot)

    async def close(self) -> None:
        """End every template, and with it its forks."""
        self._closed = True
        for snapshot in list(self._snapshots.values()):
            snapshot.over = True
            for home in (*snapshot.ready, snapshot.home):
                home.on_end = nothing
                with contextlib.suppress(SandboxError):
                    await home.close()
        self._snapshots.clear()
        await self._tasks.close()


class _InitFailedError(NoSnapshotError):
    """The function's own code could not be initialised."""

    def __init__(self, failure: InitFailure) -> None:
        super().__init__(f"the init that was to be its snapshot failed: {failure.error_type}")
        self.failure = failure


def _ports(version: ServingVersion) -> tuple[int, ...]:
    port = port_of(version)
    return () if port is None else (port,)


def _extensions(package: Package) -> tuple[str, ...]:
    return () if package.layers is None else tuple(find_extensions(package.layers))


def mount_credentials(extensions: Extensions, version: ServingVersion, around: Surroundings) -> str:
    """Serve the role's credentials inside; answers the token that asks for them."""
    token = around.ids.hex(32)
    extensions.server.mount("credentials", CredentialsApi(version, around, token))
    return token


def variables_of_restore(
    extensions: Extensions, version: ServingVersion, around: Surroundings
) -> Mapping[str, str]:
    """What a fork is told that the template was not."""
    return restore_variables(mount_credentials(extensions, version, around))


def facts_of(version: ServingVersion) -> FunctionFacts:
    """What extensions may know of a version."""
    key = version.key
    return FunctionFacts(key.name, version.version, version.handler, key.account)


def runtime_version(version: ServingVersion, package: Package) -> tuple[str, str] | None:
    """Name and ARN, if the runtime has a version."""
    name = package.launch.version_name
    if name is None:
        return None
    return name, runtime_version_arn(version.key.region, version.runtime)
