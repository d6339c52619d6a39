"""The runtime process of an environment, with its link and its output pipes.

It may be started before anybody knows whose it will be: it is *parked* then, and ``adopt()`` and
``configure()`` follow.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence

from alonzo.environments.api_server import ApiServer
from alonzo.environments.extensions.runner import Extensions
from alonzo.environments.extensions.wrapper import wrapped
from alonzo.environments.links import FramedLink, Link
from alonzo.environments.output import LineCutter, OnEvents, OutputEvent, OutputPipe, RecordCutter
from alonzo.environments.runtime_api import DATE, RuntimeApi
from alonzo.environments.signals import RuntimeSignals
from alonzo.environments.values import EnvironmentSettings
from alonzo.environments.variables import INITIALIZATION_TYPE, SNAP_START, parked_variables
from alonzo.lib.tasks import TaskScope
from alonzo.runtimes import base as runtimes
from alonzo.sandbox.base import Process, ProcessSpec

_TASK = "/var/task"
_RECORDS_FD = {"_LAMBDA_TELEMETRY_LOG_FD": str(runtimes.TELEMETRY_FD)}


class RuntimeProcess:
    """One process, from ``start()`` to ``close()``. ``link`` talks to it, ``signals`` hears it."""

    link: Link

    def __init__(self, on_idle_loss: Callable[[], None]) -> None:
        self.signals = RuntimeSignals(on_idle_loss)
        self._pipes: tuple[OutputPipe, ...] = ()
        self._framed: FramedLink | None = None
        self._readable = select.poll()
        self._watcher: asyncio.Task[None] | None = None
        self._emit: OnEvents | None = None
        self._process: Process | None = None

    @classmethod
    async def start(
        cls,
        begin: Callable[[ProcessSpec], Awaitable[Process]],
        launch: runtimes.Launch,
        variables: Mapping[str, str] | None,
        *,
        root: str,
        known: Mapping[str, str],
        forked: bool,
        on_idle_loss: Callable[[], None],
        emit: OnEvents | None,
        extensions: Extensions | None,
        settings: EnvironmentSettings,
        scope: TaskScope,
    ) -> RuntimeProcess:
        """Start the process; it has been executed when this returns, and is not ready yet.

        ``begin`` is ``Sandbox.start``, or does more; ``root`` is that of the sandbox.
        Without ``variables`` it is parked, with those that are ``known``. ``forked``: it is a fork
        of the sandbox's zygote. ``emit`` takes its output; None: nobody yet. ``extensions`` run
        beside it, and its requests come to their server; None: it is parked.

        Raises:
            NotExecutableError: its file is missing or no program.
            SandboxError: it could not be started.
        """
        runtime = cls(on_idle_loss)
        runtime._emit = emit
        if extensions is not None:
            runtime.signals.expect_init()
            runtime._join(extensions)
        with contextlib.ExitStack() as undo, contextlib.ExitStack() as theirs:
            fds = await runtime._open(
                launch.link,
                undo,
                theirs,
                server=None if extensions is None else extensions.server,
                settings=settings,
                restores=(variables or {}).get(INITIALIZATION_TYPE) == SNAP_START,
            )
            # A fork has been started already, and is told all variables later.
            early = {} if forked else parked_variables(launch.environment, known, root=root)
            process = await begin(
                ProcessSpec(
                    argv=() if forked else wrapped(launch.argv, variables or {}),
                    environment=early if variables is None else _with_records(launch, variables),
                    # What is mounted over a folder does not show to who is in it already.
                    cwd="/" if variables is None else _TASK,
                    cwd_once_fitted=_TASK if variables is None and launch.led else None,
                    fds=fds,
                    descriptors_max=settings.descriptors_max,
                )
            )
            undo.pop_all()
        runtime._process = process
        runtime.signals.attach(process)
        runtime._watcher = scope.spawn(runtime._watch(process), name="runtime process")
        return runtime

    async def _open(
        self,
        link: runtimes.Link,
        undo: contextlib.ExitStack,
        theirs: contextlib.ExitStack,
        *,
        server: ApiServer | None,
        settings: EnvironmentSettings,
        restores: bool,
    ) -> dict[int, int]:
        """Make the link and the pipes. Answers the process's descriptors."""
        limit = settings.response_bytes_max
        lines = _pipe(OutputPipe(LineCutter(), self._write), undo, theirs)
        self._pipes = (lines,)
        fds = {1: lines.write_fd, 2: lines.write_fd}
        if link is runtimes.Link.FRAMED:
            records = _pipe(OutputPipe(RecordCutter(), self._write), undo, theirs)
            self._pipes = (lines, records)
            framed, channel = await FramedLink.open(
                self.signals, body_bytes_max=limit, parked=server is None
            )
            self.link = self._framed = framed
            theirs.enter_context(channel)
            fds[runtimes.CHANNEL_FD] = channel.fileno()
            fds[runtimes.TELEMETRY_FD] = records.write_fd
        else:
            served = RuntimeApi(self.signals, body_bytes_max=limit, restores=restores)
            self.link = served
            assert server is not None, "only framed runtimes park"
            server.mount(DATE, served)
        for pipe in self._pipes:
            self._readable.register(pipe.fileno(), select.POLLIN)
        undo.callback(self.link.close)
        return fds

    async def _watch(self, process: Process) -> None:
        self.signals.runtime_exited(await process.wait())

    def _write(self, events: Sequence[OutputEvent]) -> None:
        if self._emit is not None:
            self._emit(events)

    @property
    def lost(self) -> bool:
        """Whether the process has ended, or has to because of another one."""
        return self.signals.gone

    def adopt(
        self, *, on_idle_loss: Callable[[], None], emit: OnEvents, extensions: Extensions
    ) -> None:
        """From now on it is somebody's, who hears of its loss and of its output."""
        self.signals.on_idle_loss = on_idle_loss
        self._emit = emit
        self._join(extensions)

    def _join(self, extensions: Extensions) -> None:
        self.signals.others = extensions
        extensions.join(self.signals)

    def configure(self, launch: runtimes.Launch, variables: Mapping[str, str]) -> None:
        """Tell a process that waits these variables: its init begins, or its restore."""
        self.signals.expect_init()
        self.link.configure(_with_records(launch, variables))

    async def terminate(self, within_s: float) -> None:
        """Ask the process to end, and return when it has, or had to be ended."""
        process = self._process
        if process is None or process.exited is not None:
            return
        process.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                await process.wait()
        except TimeoutError:
            process.signal(signal.SIGKILL)

    def finish_output(self) -> None:
        """Put everything written so far into the log."""
        # Pipes come before the link among what is readable, since they were written before it.
        if self._framed is not None and self._framed.came_at_once:
            for pipe in self._pipes:
                if not pipe.is_quiet:
                    break
            else:
                return
        # One question for all pipes, which mostly are empty, costs a tenth of reading each in vain.
        readable = dict(self._readable.poll(0))
        for pipe in self._pipes:
            if readable or pipe.has_open_event:
                pipe.finish_event(read=pipe.fileno() in readable)

    def close(self) -> None:
        """Let go of the link and the pipes; the process is the sandbox's to end. Safe twice."""
        if self._watcher is not None:
            self._watcher.cancel()
        self.signals.close()
        self.link.close()
        for pipe in self._pipes:
            pipe.finish_event()
            pipe.close()


def _with_records(launch: runtimes.Launch, variables: Mapping[str, str]) -> dict[str, str]:
    return {**variables, **(_RECORDS_FD if launch.link is runtimes.Link.FRAMED else {})}


def _pipe(pipe: OutputPipe, undo: contextlib.ExitStack, theirs: contextlib.ExitStack) -> OutputPipe:
    """Have the pipe closed if the start fails, and its writing end once the process has it."""
    undo.callback(pipe.close)
    theirs.callback(pipe.close_write_end)
    return pipe
