"""External extensions: which there are, what they are started with, and their processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from alonzo.environments.extensions.rules import EXTENSIONS_MAX
from alonzo.environments.output import LineCutter, OnEvents, OutputPipe
from alonzo.sandbox.base import ExitStatus, Process, ProcessSpec, Sandbox, SandboxError

#: Where they lie, as seen inside.
FOLDER = "/opt/extensions"

#: Entries of the folder that are looked at.
_ENTRIES_MAX = 10_000

#: What a runtime is told and an extension is not.
_NOT_TOLD = frozenset(
    {
        "_HANDLER",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "_AWS_XRAY_DAEMON_ADDRESS",
        "_AWS_XRAY_DAEMON_PORT",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)


def find_extensions(opt: Path) -> tuple[str, ...]:
    """Base names of the extensions in the host folder that is mounted at ``/opt``, sorted.

    Every file directly in its folder ``extensions`` is one; no link is followed on the way. Of more
    than the limit allows, one too many is listed. Blocks.
    """
    try:
        folder = os.open(opt / "extensions", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return ()
    try:
        with os.scandir(folder) as entries:
            files = [
                # A name that is no text is shown as one, and then is not found.
                os.fsencode(entry.name).decode("utf-8", "replace")
                for entry in islice(entries, _ENTRIES_MAX)
                if not entry.is_dir(follow_symlinks=False)
            ]
    finally:
        os.close(folder)
    return tuple(sorted(files)[: EXTENSIONS_MAX + 1])


def extension_variables(
    of_function: Mapping[str, str], *, of_runtime: Mapping[str, str], users: Mapping[str, str]
) -> dict[str, str]:
    """The variables of an extension: the function's, without what only concerns its runtime."""
    return {
        name: value
        for name, value in of_function.items()
        if name not in _NOT_TOLD and (name not in of_runtime or name in users)
    }


class LaunchError(Exception):
    """An extension could not be started. ``error_type`` is shown in its log line."""

    def __init__(self, name: str, cause: SandboxError) -> None:
        # The last part of its text is the kernel's, which AWS writes in lower case.
        why = str(cause).rpartition(": ")[2].lower()
        super().__init__(f"fork/exec {FOLDER}/{name}: {why}")
        self.error_type = "PermissionDenied" if why == "permission denied" else "UnknownError"


class ExternalProcess:
    """The process of one extension, with its output."""

    def __init__(self, name: str, process: Process, pipe: OutputPipe) -> None:
        self.name = name
        self.process = process
        self._pipe = pipe

    @classmethod
    async def start(
        cls,
        sandbox: Sandbox,
        name: str,
        variables: Mapping[str, str],
        *,
        emit: OnEvents,
        descriptors_max: int,
    ) -> ExternalProcess:
        """Start it.

        Raises:
            LaunchError: it is no program, or there is no process to be had.
        """
        pipe = OutputPipe(LineCutter(), emit)
        try:
            process = await sandbox.start(
                ProcessSpec(
                    argv=(f"{FOLDER}/{name}",),
                    environment=variables,
                    fds={1: pipe.write_fd, 2: pipe.write_fd},
                    descriptors_max=descriptors_max,
                )
            )
        except SandboxError as err:
            pipe.close()
            raise LaunchError(name, err) from err
        except BaseException:
            pipe.close()
            raise
        pipe.close_write_end()
        return cls(name, process, pipe)

    def close(self) -> None:
        """Let go of its output; the process is the sandbox's to end. Safe to call twice."""
        self._pipe.finish_event()
        self._pipe.close()


def describe_exit(status: ExitStatus) -> str:
    """How a process ended, as the message of a crash has it."""
    if status.signal is not None:
        return f"signal: {_SIGNALS.get(status.signal, status.signal)}"
    return f"exit status {status.code}" if status.code else "exit code 0"


_SIGNALS = {6: "aborted", 9: "killed", 11: "segmentation fault", 15: "terminated"}
