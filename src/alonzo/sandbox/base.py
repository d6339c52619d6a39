"""The contract of every isolation backend.

A *sandbox* is an isolated place: own root, processes, network, ``/tmp``, limits. Making one and
starting a process in it are two steps, so that sandboxes can be made ahead of need, one sandbox can
hold several processes (a runtime and its extensions), and a process can be started anew with
``/tmp`` kept.

What every backend that claims ``isolated`` promises:

* A process sees nothing of the host but the mounts it was given, and nothing of other sandboxes.
* It runs without privilege and cannot gain any.
* It holds no descriptor but 0, 1, 2 and those of its ``ProcessSpec.fds``.
* ``close()`` leaves no process, mount, cgroup, namespace or file behind, however badly the
  processes behave; ``sweep()`` does the same for a daemon that died.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class SandboxError(Exception):
    """A sandbox could not be made or used; the text says which step failed and why."""


class NotExecutableError(SandboxError):
    """The file of a process, or its interpreter, is missing, not permitted, or no program."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the host, shown read-only at ``target``. ``executable`` lifts noexec."""

    source: Path
    target: str
    executable: bool = True


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What a sandbox has.

    ``id`` is unique among all sandboxes of this data directory, ``[a-z0-9-]{1,40}``.
    ``listen_ports`` are TCP ports on the sandbox's own loopback whose listening sockets belong to
    the daemon. Limits cover all processes of the sandbox together; ``tmp_mib`` sizes ``/tmp``.
    """

    id: str
    memory_mib: int
    tmp_mib: int
    processes_max: int
    mounts: tuple[Mount, ...] = ()
    listen_ports: tuple[int, ...] = ()
    hostname: str = "alonzo"


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process. Paths are as seen inside the sandbox.

    ``fds`` maps the descriptor number inside to the daemon's own descriptor, which stays the
    daemon's to close. Numbers 1 and 2 that are not given are ``/dev/null``; 0 always is.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: str = "/"
    fds: Mapping[int, int] = field(default_factory=dict[int, int])
    descriptors_max: int = 1024


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a process ended: exactly one of ``code`` and ``signal`` is set.

    ``out_of_memory`` says that the sandbox's memory limit killed it, or something beside it.
    """

    code: int | None = None
    signal: int | None = None
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Bytes now and at the highest, of all processes of the sandbox."""

    current_bytes: int
    peak_bytes: int


class Process(Protocol):
    """A process that was started in a sandbox."""

    async def wait(self) -> ExitStatus:
        """Wait until it has ended. Any number of callers, any number of times."""
        ...

    @property
    def exited(self) -> ExitStatus | None:
        """How it ended, or None while it runs."""
        ...

    def signal(self, number: int) -> None:
        """Send a signal to this one process; nothing if it has ended."""
        ...


class Sandbox(Protocol):
    """One isolated place.

    It may die on its own: the host ran out of memory, or a helper was killed. Then its processes
    have ended by ``SIGKILL``, ``start()`` raises ``SandboxError``, ``freeze()``, ``thaw_nowait()``
    and ``kill()`` find nothing to do, and ``close()`` removes what is left.
    """

    @property
    def id(self) -> str:
        """The id it was asked for with."""
        ...

    @property
    def listeners(self) -> Mapping[int, socket.socket]:
        """The listening sockets by port, non-blocking; owned and closed by the sandbox."""
        ...

    async def start(self, spec: ProcessSpec) -> Process:
        """Start a process; returns once it has been executed.

        Raises:
            NotExecutableError: the file is missing or is no program.
            SandboxError: it could not be started for another reason.
        """
        ...

    async def freeze(self) -> None:
        """Stop every process inside; return once none is running. Safe to call twice.

        Timers inside keep counting: after ``thaw_nowait()`` they may fire at once.
        """
        ...

    def thaw_nowait(self) -> None:
        """Let the processes run again. Cheap; safe to call when not frozen."""
        ...

    async def kill(self) -> None:
        """End every process inside, at once, frozen or not; ``/tmp`` and mounts stay."""
        ...

    async def wait_ended(self) -> None:
        """Return once nothing of the sandbox lives any more, closed or died."""
        ...

    def memory(self) -> MemoryUse:
        """What the sandbox uses. Where the host cannot say, a sample of the processes' sizes."""
        ...

    async def close(self) -> None:
        """End everything and remove every trace. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of protection on this host: what it is, whether it holds, and how to get it."""

    name: str
    active: bool
    detail: str


class Backend(Protocol):
    """A way to make sandboxes."""

    @property
    def name(self) -> str:
        """Its name on the command line."""
        ...

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What this host gives, for the start message and ``alonzo doctor``. After ``open()``."""
        ...

    async def open(self) -> None:
        """Probe the host by doing each thing once, start helpers, sweep what a dead daemon left.

        Raises:
            SandboxError: this host cannot give what the backend promises; the text says why.
        """
        ...

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """Make a sandbox with no process of ours in it that a user could see.

        Raises:
            SandboxError: it could not be made; nothing is left behind.
        """
        ...

    async def close(self) -> None:
        """Close every sandbox and helper. Safe to call twice."""
        ...
