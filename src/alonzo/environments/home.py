"""A sandbox that an environment lives in, with what can be there before anybody lives in it.

A home is made for a *kind* of launch, ahead of need or when it is needed: the sandbox stands, the
platform's endpoint is served inside, and where the kind allows a runtime process is parked in it.
``fit()`` makes it one function's, and from then on it is never another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import PurePosixPath

from alonzo.environments.extensions import wrapper
from alonzo.environments.extensions.runner import Extensions
from alonzo.environments.output import OnEvents
from alonzo.environments.parameters_extension import ParametersExtension
from alonzo.environments.runtime_process import RuntimeProcess
from alonzo.environments.signals import (
    Failed,
    InitFailed,
    RuntimeSignals,
    Signal,
    Stopped,
    TimedOut,
)
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.values import EnvironmentSettings, Reply
from alonzo.environments.variables import (
    LISTENS,
    RUNTIME_API_PORT,
    runtime_variables,
    zygote_variables,
)
from alonzo.model.functions import ServingVersion
from alonzo.model.host_prefixes import LOOPBACK_NAMES
from alonzo.model.ports.identity import AccessKey
from alonzo.runtimes.base import Launch, VisiblePath
from alonzo.sandbox.base import (
    Fitting,
    Mount,
    NotExecutableError,
    Process,
    ProcessSpec,
    Sandbox,
    SandboxError,
    SandboxSpec,
    Zygote,
)

NO_ENTRYPOINT = "Runtime.InvalidEntrypoint"

#: For init, for the last work of extensions, and for environments that are old and not yet ended.
_CREDENTIALS_SPARE_S = 900.0


class Rung(Enum):
    """How the runtime processes of a home come to be, the fastest way first."""

    FORK = auto()
    """A fork of a zygote, parked."""
    PARK = auto()
    """Executed ahead of need, and parked."""
    EXEC = auto()
    """Executed when it is known what it will run."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What tells homes apart before they are fitted. On the rung EXEC ``paths`` and ``ports`` do.

    ``known`` are variables of the function, by name, with which a process was parked. ``ports`` are
    those that the sandbox listens on beside the usual ones.
    """

    rung: Rung
    paths: tuple[VisiblePath, ...]
    argv: tuple[str, ...] = ()
    known: tuple[tuple[str, str], ...] = ()
    ports: tuple[int, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """Variables of a function that this would be the kind for."""
        return dict((*self.known, *((LISTENS, str(port)) for port in self.ports)))


def rungs_of(launch: Launch, variables: Mapping[str, str]) -> tuple[Rung, ...]:
    """The rungs on which ``launch`` can be done for a function, best first.

    ``variables`` are those that are known before it has an environment.
    """
    if wrapper.VARIABLE in variables or launch.must_start_with(variables):
        return (Rung.EXEC,)
    if any(name not in variables for name in launch.parks_with):
        return (Rung.EXEC,)
    return (
        *((Rung.FORK,) if launch.preloads is not None else ()),
        *((Rung.PARK,) if launch.parks else ()),
        Rung.EXEC,
    )


def kind_of(launch: Launch, rung: Rung, variables: Mapping[str, str]) -> Kind:
    """The kind of home for ``launch`` on that rung, for a function with those ``variables``."""
    ports = (int(variables[LISTENS]),) if LISTENS in variables else ()
    if rung is Rung.EXEC:
        return Kind(rung, launch.paths, ports=ports)
    known = tuple((name, variables[name]) for name in launch.parks_with)
    return Kind(rung, launch.paths, launch.argv, known, ports)


class Home:
    """One sandbox, from ``make()`` to ``close()``, and the runtime process in it, if there is one.

    ``on_end`` is called, at most once, if the sandbox ends by itself; whoever takes the home over
    sets it. ``prepared_at_s``: since when, by the monotonic clock, what has initialised in it waits
    to be restored; None: nothing does.
    """

    def __init__(self, sandbox: Sandbox, rung: Rung, around: Surroundings) -> None:
        self.sandbox = sandbox
        self.runtime: RuntimeProcess | None = None
        self.extensions: Extensions | None = None
        self.parameters: ParametersExtension | None = None
        self.on_end: Callable[[], None] = nothing
        self.prepared_at_s: float | None = None
        self._rung = rung
        self._around = around
        self._stop_endpoint: Callable[[], None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._ended = False

    @classmethod
    async def make(
        cls,
        launch: Launch,
        rung: Rung,
        around: Surroundings,
        *,
        known: Mapping[str, str] | None = None,
        ports: tuple[int, ...] = (),
        create: Callable[[SandboxSpec], Awaitable[Sandbox]] | None = None,
    ) -> Home:
        """Make one, with a parked process unless the rung is EXEC.

        ``known`` and ``ports`` are those that its ``Kind`` has. ``create`` makes the sandbox; None:
        the backend does.

        Raises:
            ZygoteError: the rung is FORK, and forks do not work on this host.
            SandboxError: it could not be made; nothing is left behind.
        """
        settings = around.settings
        spec = SandboxSpec(
            id=around.ids.hex(8),
            processes_max=settings.processes_max,
            mounts=tuple(Mount(path.source, path.target) for path in launch.paths),
            zygote=_zygote(launch) if rung is Rung.FORK else None,
            listen_ports=tuple(dict.fromkeys((settings.endpoint_port, RUNTIME_API_PORT, *ports))),
            loopback_names=LOOPBACK_NAMES,
        )
        homes: list[Home] = []

        async def house(first: ProcessSpec | None) -> Home:
            sandbox = await (create or around.backend.create)(replace(spec, first=first))
            homes.append(home := cls(sandbox, rung, around))
            # A socket of its own: the server closes what it serves, and so does the sandbox.
            listening = sandbox.listeners[settings.endpoint_port].dup()
            home._stop_endpoint = await around.serve_endpoint(listening)
            home._watcher = around.scope.spawn(home._watch(), name=f"sandbox {sandbox.id}")
            return home

        async def fork(first: ProcessSpec) -> Process:
            return await (await house(first)).sandbox.start(first)

        try:
            # What is forked is known before there is a sandbox, whose root is then its own.
            home = None if rung is Rung.FORK else await house(None)
            if rung is not Rung.EXEC:
                runtime = await RuntimeProcess.start(
                    home.sandbox.start if home else fork,
                    launch,
                    None,
                    root=home.sandbox.root if home else "",
                    known=known or {},
                    forked=rung is Rung.FORK,
                    on_idle_loss=lambda: homes[0].lost(),
                    emit=None,
                    extensions=None,
                    settings=settings,
                    scope=around.scope,
                )
                homes[0].runtime = runtime
        except BaseException:
            for each in homes:
                await each.close()
            raise
        return homes[0]

    async def _watch(self) -> None:
        await self.sandbox.wait_ended()
        self.lost()

    def lost(self) -> None:
        """It is of no more use: the sandbox has ended, or the process that was parked in it."""
        if not self._ended:
            self._ended = True
            self.on_end()

    @property
    def is_lost(self) -> bool:
        """Whether somebody who takes it over would find nothing there."""
        return self._ended or (self.runtime is not None and self.runtime.lost)

    async def fit(self, fitting: Fitting) -> None:
        """Make it one function's own.

        Raises:
            SandboxError: that failed, or the process that was parked has ended; it is of no use.
        """
        await self.sandbox.fit(fitting)
        if self.is_lost:
            raise SandboxError(f"sandbox {self.sandbox.id} ended before anything ran in it")

    # The runtime

    async def run(
        self,
        launch: Launch,
        variables: Mapping[str, str],
        *,
        extensions: Extensions,
        variables_of_extensions: Mapping[str, str],
        on_idle_loss: Callable[[], None],
        emit: OnEvents,
        timeout_s: float,
    ) -> Signal:
        """Have the extensions, and then the runtime, initialise; answers how that ended.

        Raises:
            SandboxError: it could not even be tried.
        """
        clock = self._around.clock
        until_s = clock.monotonic_s() + timeout_s
        self.extensions = extensions
        if self.runtime is not None:
            self.runtime.adopt(on_idle_loss=on_idle_loss, emit=emit, extensions=extensions)
        try:
            async with asyncio.timeout(timeout_s):
                if self.parameters is not None:
                    await self.parameters.open(self.sandbox, variables)
                failure = await extensions.start(variables_of_extensions)
                if failure is not None:
                    return Failed(failure.error_type, failure.message)
                if self._ended:
                    return Stopped()
                if self.runtime is None and self._rung is Rung.FORK:
                    # A fork always waits to be told whose it is.
                    self.runtime = await self._start(
                        launch, None, on_idle_loss=on_idle_loss, emit=emit
                    )
                    self.runtime.adopt(on_idle_loss=on_idle_loss, emit=emit, extensions=extensions)
                if self.runtime is not None:
                    self.runtime.configure(launch, variables)
                else:
                    self.runtime = await self._start(
                        launch,
                        variables,
                        on_idle_loss=on_idle_loss,
                        emit=emit,
                        extensions=extensions,
                    )
                await extensions.serve()
        except NotExecutableError as err:
            message = f"Couldn't start the runtime: {err}"
            return InitFailed(Reply(message.encode(), NO_ENTRYPOINT))
        except TimeoutError:
            return TimedOut()
        return await self.runtime.signals.wait(until_s - clock.monotonic_s())

    async def wait(self) -> None:
        """Have what has initialised stand still until it is restored.

        Raises:
            SandboxError: it cannot.
        """
        if self.extensions is not None:
            self.extensions.pause()
        await self.sandbox.freeze()
        self.prepared_at_s = self._around.clock.monotonic_s()

    def thaw_nowait(self) -> None:
        """Have what stands still go on.

        Raises:
            SandboxError: it cannot.
        """
        self.sandbox.thaw_nowait()
        if self.extensions is not None:
            self.extensions.resume()

    async def restore(
        self, launch: Launch, *, on_idle_loss: Callable[[], None], emit: OnEvents, timeout_s: float
    ) -> Signal:
        """Have a runtime that waits to be restored go on; answers how that ended.

        Raises:
            SandboxError: it could not even be tried.
        """
        if self._ended:
            return Stopped()
        runtime, extensions = self.runtime, self.extensions
        assert runtime is not None
        assert extensions is not None
        runtime.adopt(on_idle_loss=on_idle_loss, emit=emit, extensions=extensions)
        self.thaw_nowait()
        runtime.configure(launch, {})
        return await runtime.signals.wait(timeout_s)

    async def _start(
        self,
        launch: Launch,
        variables: Mapping[str, str] | None,
        *,
        on_idle_loss: Callable[[], None],
        emit: OnEvents | None,
        extensions: Extensions | None = None,
    ) -> RuntimeProcess:
        return await RuntimeProcess.start(
            self.sandbox.start,
            launch,
            variables,
            root=self.sandbox.root,
            known={},
            forked=self._rung is Rung.FORK,
            on_idle_loss=on_idle_loss,
            emit=emit,
            extensions=extensions,
            settings=self._around.settings,
            scope=self._around.scope,
        )

    def port(self, asked: int) -> int:
        """Where its processes reach what was to listen on the port ``asked``."""
        return self.sandbox.listeners[asked].getsockname()[1]

    def variables(
        self,
        version: ServingVersion,
        launch: Launch,
        *,
        log_stream: str,
        initialization_type: str,
        credentials: AccessKey | None = None,
    ) -> dict[str, str]:
        """What the runtime process of ``version`` is started with.

        Without ``credentials`` it gets some of its role.
        """
        around = self._around
        return runtime_variables(
            version,
            of_runtime=launch.environment,
            log_stream=log_stream,
            credentials=credentials
            or around.credentials.issue(
                role_arn=version.role,
                function_arn=version.key.arn,
                duration_s=credentials_s(version, around.settings),
            ),
            endpoint_port=self.port(around.settings.endpoint_port),
            runtime_api_port=self.port(RUNTIME_API_PORT),
            root=self.sandbox.root,
            initialization_type=initialization_type,
        )

    @property
    def signals(self) -> RuntimeSignals | None:
        """What the runtime says, if there is one."""
        return None if self.runtime is None else self.runtime.signals

    async def end_runtime(self) -> None:
        """End every process of the sandbox; ``/tmp`` stays."""
        runtime, self.runtime = self.runtime, None
        extensions, self.extensions = self.extensions, None
        self._close_parameters()
        self.sandbox.limit_cpu_nowait(None)
        try:
            await self.sandbox.kill()
        finally:
            if runtime is not None:
                runtime.close()
            if extensions is not None:
                extensions.close()
                extensions.forget_waiting()

    def _close_parameters(self) -> None:
        if self.parameters is not None:
            self.parameters.close()
            self.parameters = None

    async def close(self) -> None:
        """End everything and leave no trace. Safe to call twice."""
        self._ended = True
        if self._stop_endpoint is not None:
            self._stop_endpoint()
        self._close_parameters()
        if self.runtime is not None:
            self.runtime.close()
            self.runtime = None
        if self.extensions is not None:
            self.extensions.close()
            self.extensions = None
        if self._watcher is not None:
            self._watcher.cancel()
        self.sandbox.limit_cpu_nowait(None)
        await self.sandbox.close()


def credentials_s(version: ServingVersion, settings: EnvironmentSettings) -> int:
    """How long the credentials of an environment are good, in seconds.

    An environment that is too old takes no call, so its last one ends within its timeout: what has
    the keys is replaced before they expire, and what they are stolen for ends soon after.
    """
    return int(settings.age_s_max + version.timeout_s + _CREDENTIALS_SPARE_S)


def _zygote(launch: Launch) -> Zygote:
    assert launch.preloads is not None
    *interpreter, program = launch.argv
    return Zygote(
        tuple(interpreter),
        str(PurePosixPath(program).parent),
        launch.preloads,
        tuple(zygote_variables().items()),
    )


def nothing() -> None:
    """Nobody wants to know."""
