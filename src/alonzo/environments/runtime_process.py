"""The runtime process of an environment, with its link and its output pipes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from alonzo.environments.links import FramedLink, Link
from alonzo.environments.output import LineCutter, OnEvents, OutputPipe, RecordCutter
from alonzo.environments.runtime_api import RuntimeApi
from alonzo.environments.signals import RuntimeSignals
from alonzo.environments.values import EnvironmentSettings
from alonzo.environments.variables import RUNTIME_API_PORT
from alonzo.lib.tasks import TaskScope
from alonzo.runtimes import base as runtimes
from alonzo.sandbox.base import Process, ProcessSpec, Sandbox


class RuntimeProcess:
    """One process, from ``start()`` to ``close()``. ``link`` talks to it, ``signals`` hears it."""

    def __init__(
        self, link: Link, process: Process, pipes: tuple[OutputPipe, ...], signals: RuntimeSignals
    ) -> None:
        self.link = link
        self.signals = signals
        self._process = process
        self._pipes = pipes
        self._watcher: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        sandbox: Sandbox,
        launch: runtimes.Launch,
        variables: Mapping[str, str],
        *,
        signals: RuntimeSignals,
        emit: OnEvents,
        settings: EnvironmentSettings,
        scope: TaskScope,
    ) -> RuntimeProcess:
        """Start the process; it has been executed when this returns, and is not ready yet.

        Raises:
            NotExecutableError: its file is missing or no program.
            SandboxError: it could not be started.
        """
        environment = dict(variables)
        with contextlib.ExitStack() as undo, contextlib.ExitStack() as theirs:
            lines = _pipe(OutputPipe(LineCutter(), emit), undo, theirs)
            pipes = (lines,)
            fds = {1: lines.write_fd, 2: lines.write_fd}
            if launch.link is runtimes.Link.FRAMED:
                records = _pipe(OutputPipe(RecordCutter(), emit), undo, theirs)
                pipes = (lines, records)
                limit = settings.response_bytes_max
                link, channel = await FramedLink.open(signals, body_bytes_max=limit)
                theirs.enter_context(channel)
                fds[runtimes.CHANNEL_FD] = channel.fileno()
                fds[runtimes.TELEMETRY_FD] = records.write_fd
                environment["_LAMBDA_TELEMETRY_LOG_FD"] = str(runtimes.TELEMETRY_FD)
            else:
                link = RuntimeApi(signals, body_bytes_max=settings.response_bytes_max)
                await link.serve(sandbox.listeners[RUNTIME_API_PORT])
            undo.callback(link.close)
            process = await sandbox.start(
                ProcessSpec(
                    argv=launch.argv,
                    environment=environment,
                    cwd="/var/task",
                    fds=fds,
                    descriptors_max=settings.descriptors_max,
                )
            )
            undo.pop_all()
        signals.attach(process)
        runtime = cls(link, process, pipes, signals)
        runtime._watcher = scope.spawn(runtime._watch(), name="runtime process")
        return runtime

    async def _watch(self) -> None:
        self.signals.runtime_exited(await self._process.wait())

    def finish_output(self) -> None:
        """Put everything written so far into the log."""
        for pipe in self._pipes:
            pipe.finish_event()

    def close(self) -> None:
        """Let go of the link and the pipes; the process is the sandbox's to end. Safe twice."""
        if self._watcher is not None:
            self._watcher.cancel()
        self.link.close()
        for pipe in self._pipes:
            pipe.finish_event()
            pipe.close()


def _pipe(pipe: OutputPipe, undo: contextlib.ExitStack, theirs: contextlib.ExitStack) -> OutputPipe:
    """Have the pipe closed if the start fails, and its writing end once the process has it."""
    undo.callback(pipe.close)
    theirs.callback(pipe.close_write_end)
    return pipe
