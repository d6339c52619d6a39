"""One execution environment: the shell around ``machine.py`` that has the I/O and the clock.

An environment is used by one caller at a time: ``start()`` once, then ``reserve_nowait()``,
``invoke()`` and ``settle()`` in turn, then ``stop()``. What the runtime, its process and the clock
do meanwhile arrives as one signal at a time (``signals.py``).
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from alonzo.environments import errors, machine
from alonzo.environments.journal import Journal
from alonzo.environments.machine import Event, State
from alonzo.environments.report import PlatformLines
from alonzo.environments.runtime_process import RuntimeProcess
from alonzo.environments.signals import (
    Answered,
    InitFailed,
    Lost,
    Ready,
    RuntimeSignals,
    Signal,
    Stopped,
    TimedOut,
)
from alonzo.environments.values import EnvironmentSettings, Invocation, Outcome, Reply, Usage
from alonzo.environments.variables import RUNTIME_API_PORT, runtime_variables
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import runtime_version_arn
from alonzo.model.functions import ServingVersion
from alonzo.model.limits import MIB
from alonzo.model.ports import LogSink, RoleCredentials
from alonzo.runtimes.base import Launch, Link
from alonzo.sandbox.base import (
    Backend,
    Mount,
    NotExecutableError,
    Sandbox,
    SandboxError,
    SandboxSpec,
)

#: Answers requests that a function makes to the platform; gives back how to stop.
ServeEndpoint = Callable[[socket.socket], Awaitable[Callable[[], None]]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every environment needs from the rest of the platform."""

    backend: Backend
    sink: LogSink
    credentials: RoleCredentials
    serve_endpoint: ServeEndpoint
    clock: Clock
    ids: IdSource
    scope: TaskScope
    settings: EnvironmentSettings


class EnvironmentStoppedError(SandboxError):
    """The environment was ended from outside while it worked; nothing is known of the attempt."""


@dataclass(frozen=True, slots=True)
class _InitFailure:
    """Why an init failed. ``document`` is the runtime's own, ``message`` the platform's."""

    error_type: str
    document: bytes = b""
    message: str = ""

    @property
    def timed_out(self) -> bool:
        return self.error_type == _TIMEOUT


_TIMEOUT = "Sandbox.Timedout"


class Environment:
    """One sandbox and one runtime process for one function version.

    ``on_death`` is called, at most once, if the sandbox ends by itself.
    """

    def __init__(
        self,
        version: ServingVersion,
        launch: Launch,
        code: Path,
        around: Surroundings,
        on_death: Callable[[Environment], None],
    ) -> None:
        self.version = version
        self.state = State.STARTING
        self.id = around.ids.hex(8)
        self.born_at_s = around.clock.monotonic_s()
        self.idle_since_s = self.born_at_s
        self._launch = launch
        self._code = code
        self._around = around
        self._settings = around.settings
        self._on_death = on_death
        self._journal = Journal(version, around.sink, clock=around.clock, suffix=around.ids.hex(16))
        self._lines = PlatformLines(
            version.key.name,
            version.version,
            json_format=version.log_format == "JSON",
            system_level=version.system_log_level or "INFO",
        )
        self._sandbox: Sandbox | None = None
        self._runtime: RuntimeProcess | None = None
        self._signals: RuntimeSignals | None = None
        self._ending: asyncio.Task[None] | None = None
        self._stop_endpoint: Callable[[], None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._init_ms: float | None = None
        self._deadline_s = 0.0
        self._freeze_timer: asyncio.TimerHandle | None = None
        self._freezing: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it can be reserved."""
        return self.state in (State.IDLE, State.FROZEN, State.DOWN)

    @property
    def is_settled(self) -> bool:
        """Whether ``settle()`` has nothing to wait for."""
        return self.state is not State.BUSY

    def _step(self, event: Event) -> None:
        self.state = machine.step(self.state, event)

    # Birth

    async def start(self) -> None:
        """Make the sandbox and run the init phase.

        A failed init is no exception here: the environment is DOWN then, and the first invoke tries
        again inside its own timeout and answers with the error.

        Raises:
            SandboxError: there is no sandbox to be had; ``stop()`` leaves nothing behind.
        """
        self._sandbox = await self._around.backend.create(self._spec())
        self._step(Event.SANDBOX_CREATED)
        self._watcher = self._around.scope.spawn(
            self._watch_sandbox(self._sandbox), name=f"sandbox {self.id}"
        )
        # A socket of its own: the server closes what it serves, and so does the sandbox.
        listening = self._sandbox.listeners[self._settings.endpoint_port].dup()
        self._stop_endpoint = await self._around.serve_endpoint(listening)
        if (name := self._launch.version_name) is not None:
            arn = runtime_version_arn(self.version.key.region, self.version.runtime)
            now_s = self._around.clock.now_s()
            self._journal.write(self._lines.init_start(now_s, name=name, arn=arn))
        failed = await self._init("init", self._settings.init_timeout_s)
        self._step(Event.RUNTIME_READY if failed is None else Event.RUNTIME_LOST)
        if failed is not None:
            self._init_ms = None
        self._rest()

    def _spec(self) -> SandboxSpec:
        ports = (self._settings.endpoint_port,)
        if self._launch.link is Link.HTTP:
            ports = (*ports, RUNTIME_API_PORT)
        return SandboxSpec(
            id=self.id,
            memory_mib=self.version.memory_mib,
            tmp_mib=self.version.tmp_mib,
            processes_max=self._settings.processes_max,
            mounts=(
                Mount(self._code, "/var/task"),
                *(Mount(path.source, path.target) for path in self._launch.paths),
            ),
            listen_ports=ports,
        )

    async def _watch_sandbox(self, sandbox: Sandbox) -> None:
        await sandbox.wait_ended()
        if self.state not in (State.STOPPING, State.STOPPED):
            self._on_death(self)

    async def _init(self, phase: str, timeout_s: float) -> _InitFailure | None:
        """Start the runtime and wait until it is ready; None, or why it is not."""
        began_s = self._around.clock.monotonic_s()
        signal = await self._start_runtime(timeout_s)
        self._init_ms = (self._around.clock.monotonic_s() - began_s) * 1000
        failed = _init_failure(signal)
        for line in self._lines.init_done(
            self._around.clock.now_s(),
            init_ms=self._init_ms,
            phase=phase,
            error_type=failed.error_type if failed is not None else None,
        ):
            self._journal.write(line)
        if failed is not None:
            await self._end_runtime()
        return failed

    async def _start_runtime(self, timeout_s: float) -> Signal:
        """Start the process; answers how its init ended.

        Raises:
            SandboxError: it could not even be tried.
        """
        assert self._sandbox is not None
        variables = runtime_variables(
            self.version,
            of_runtime=self._launch.environment,
            log_stream=self._journal.stream.name,
            credentials=self._around.credentials.issue(
                role_arn=self.version.role,
                session_name=self.version.key.name,
                duration_s=int(2 * self._settings.age_s_max),
            ),
            endpoint_port=self._settings.endpoint_port,
        )
        until_s = self._around.clock.monotonic_s() + timeout_s
        self._signals = RuntimeSignals(self._lost_while_idle)
        self._signals.expect_init()
        try:
            async with asyncio.timeout(timeout_s):
                self._runtime = await RuntimeProcess.start(
                    self._sandbox,
                    self._launch,
                    variables,
                    signals=self._signals,
                    emit=self._journal.write_output,
                    settings=self._settings,
                    scope=self._around.scope,
                )
        except NotExecutableError as err:
            message = f"Couldn't start the runtime: {err}"
            return InitFailed(Reply(message.encode(), _NO_ENTRYPOINT))
        except TimeoutError:
            return TimedOut()
        return await self._signals.wait(until_s - self._around.clock.monotonic_s())

    # Use

    def reserve_nowait(self) -> None:
        """Take the environment for one invoke."""
        frozen = self.state is State.FROZEN
        self._step(Event.RESERVE)
        self._cancel_freeze()
        if frozen and self._sandbox is not None:
            self._sandbox.thaw_nowait()

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Run one attempt until it is answered. The environment was reserved.

        It may still be at work afterwards: ``settle()`` follows, unless ``is_settled``.

        Raises:
            EnvironmentStoppedError: it was ended from outside.
            SandboxError: the runtime could not be started again.
        """
        clock, request_id = self._around.clock, invocation.request_id
        if invocation.log_tail:
            self._journal.start_tail()
        ending, self._ending = self._ending, None
        if ending is not None:
            await ending
        begin_s, now_s = clock.monotonic_s(), clock.now_s()
        self._deadline_s = begin_s + self.version.timeout_s
        self._journal.write(self._lines.start(now_s, request_id))
        deadline_ms = int((now_s + self.version.timeout_s) * 1000)
        payload, error_type, lost = await self._run(invocation, deadline_ms)
        duration_ms = (clock.monotonic_s() - begin_s) * 1000
        if self._runtime is not None:
            self._runtime.finish_output()
        usage = self._usage(duration_ms)
        now_s = clock.now_s()
        self._journal.write(self._lines.end(now_s, request_id, error_type, duration_ms))
        self._journal.write(self._lines.report(now_s, request_id, usage, error_type))
        if lost:
            await self._end_runtime()
            self._leave_busy(Event.RUNTIME_LOST)
        elif self._signals is not None and self._signals.ready:
            self._leave_busy(Event.INVOKE_DONE)
        return Outcome(payload, error_type, usage, self._journal.take_tail())

    async def settle(self) -> None:
        """Wait until the runtime waits for the next event, in what is left of its time."""
        if self.is_settled or self._signals is None:
            return
        self._signals.expect_ready()
        signal = await self._signals.wait(self._deadline_s - self._around.clock.monotonic_s())
        if not isinstance(signal, Ready):
            await self._end_runtime()
        self._leave_busy(Event.INVOKE_DONE if isinstance(signal, Ready) else Event.RUNTIME_LOST)

    def _leave_busy(self, event: Event) -> None:
        # The environment may have been stopped meanwhile.
        if self.state is State.BUSY:
            self._step(event)
            self._rest()

    async def _run(
        self, invocation: Invocation, deadline_ms: int
    ) -> tuple[bytes, str | None, bool]:
        """Payload, error type, and whether the runtime is lost."""
        request_id = invocation.request_id
        if self._runtime is not None and self._runtime.signals.lost is not None:
            await self._end_runtime()
        if self._runtime is None:
            failed = await self._init("invoke", float(self.version.timeout_s))
            self._init_ms = None
            if failed is not None:
                return self._init_document(request_id, failed), failed.error_type, True
        assert self._runtime is not None
        signals = self._runtime.signals
        signals.expect_answer(request_id)
        self._runtime.link.send(invocation, deadline_ms)
        match await signals.wait(self._deadline_s - self._around.clock.monotonic_s()):
            case Answered(reply):
                return *self._judge(reply), signals.lost is not None
            case Lost(status):
                error_type, message = errors.describe_exit(status)
                document = errors.error_document(error_type, message, request_id)
                return document, error_type, True
            case TimedOut():
                return self._timeout_document(request_id), _TIMEOUT, True
            case _:
                raise EnvironmentStoppedError(f"environment {self.id} was stopped")

    def _judge(self, reply: Reply) -> tuple[bytes, str | None]:
        limit = self._settings.response_bytes_max
        if reply.too_large or len(reply.payload) > limit:
            return errors.too_large_document(limit), "Function.ResponseSizeTooLarge"
        if reply.error_type is None:
            return reply.payload, None
        return reply.payload, errors.clean_error_type(reply.error_type)

    def _init_document(self, request_id: str, failed: _InitFailure) -> bytes:
        """The document of an init that failed again inside the invoke."""
        if failed.timed_out:
            return self._timeout_document(request_id)
        if failed.document:
            return failed.document
        return errors.error_document(failed.error_type, failed.message, request_id)

    def _timeout_document(self, request_id: str) -> bytes:
        return errors.timeout_document(request_id, float(self.version.timeout_s))

    def _usage(self, duration_ms: float) -> Usage:
        assert self._sandbox is not None
        init_ms, self._init_ms = self._init_ms, None
        peak = math.ceil(self._sandbox.memory().peak_bytes / MIB)
        return Usage(
            duration_ms=duration_ms,
            billed_ms=math.ceil(duration_ms + (init_ms or 0)),
            init_ms=init_ms,
            memory_mib=self.version.memory_mib,
            peak_memory_mib=min(peak, self.version.memory_mib),
        )

    # Rest

    def _rest(self) -> None:
        """Note when idleness began, and freeze if it lasts."""
        self.idle_since_s = self._around.clock.monotonic_s()
        if self.state is State.IDLE:
            loop = asyncio.get_running_loop()
            self._freeze_timer = loop.call_later(self._settings.freeze_after_s, self._freeze)

    def _freeze(self) -> None:
        self._freeze_timer = None
        if self.state is State.IDLE and self._sandbox is not None:
            self._step(Event.FREEZE)
            name = f"freeze {self.id}"
            self._freezing = self._around.scope.spawn(self._sandbox.freeze(), name=name)

    def _cancel_freeze(self) -> None:
        if self._freeze_timer is not None:
            self._freeze_timer.cancel()
            self._freeze_timer = None
        if self._freezing is not None:
            self._freezing.cancel()
            self._freezing = None

    def _lost_while_idle(self) -> None:
        if self.state in (State.IDLE, State.FROZEN):
            self._cancel_freeze()
            self._step(Event.RUNTIME_LOST)
            name = f"end runtime {self.id}"
            self._ending = self._around.scope.spawn(self._end_runtime(), name=name)

    async def _end_runtime(self) -> None:
        """End every process of the sandbox; ``/tmp`` stays."""
        runtime, self._runtime, self._signals = self._runtime, None, None
        try:
            if self._sandbox is not None:
                await self._sandbox.kill()
        finally:
            if runtime is not None:
                runtime.close()

    async def stop(self) -> None:
        """End the environment and leave no trace. Safe to call twice."""
        if self.state in (State.STOPPING, State.STOPPED):
            return
        self._step(Event.STOP)
        self._cancel_freeze()
        if self._signals is not None:
            self._signals.stop()
        if self._stop_endpoint is not None:
            self._stop_endpoint()
        if self._runtime is not None:
            self._runtime.close()
            self._runtime = None
        if self._watcher is not None:
            self._watcher.cancel()
        if self._sandbox is not None:
            await self._sandbox.close()
        self._step(Event.SANDBOX_CLOSED)


_NO_ENTRYPOINT = "Runtime.InvalidEntrypoint"


def _init_failure(signal: Signal) -> _InitFailure | None:
    match signal:
        case Ready():
            return None
        case InitFailed(reply) if reply.error_type == _NO_ENTRYPOINT:
            return _InitFailure(_NO_ENTRYPOINT, message=reply.payload.decode())
        case InitFailed(reply):
            return _InitFailure(errors.clean_error_type(reply.error_type), reply.payload)
        case Lost(status):
            error_type, message = errors.describe_exit(status)
            return _InitFailure(error_type, message=message)
        case Stopped():
            raise EnvironmentStoppedError("the environment was stopped during init")
        case _:
            return _InitFailure(_TIMEOUT)
