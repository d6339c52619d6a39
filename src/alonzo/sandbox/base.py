"""The contract of every isolation backend.

A *sandbox* is an isolated place: own root, processes, network, ``/tmp``, limits. Three steps make
one of use, so that the first two can be taken ahead of need:

1. ``Backend.create`` makes it for any function: namespaces, cgroups, what its runtime needs to see.
2. ``Sandbox.start`` with a program of the platform that waits to be told what to run.
3. ``Sandbox.fit`` makes it one function's own: code and layers, memory, the size of ``/tmp``.

No foreign code runs before the third. One sandbox can hold several processes (a runtime and its
extensions), and a process can be started anew with ``/tmp`` kept.

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


class ZygoteError(SandboxError):
    """The zygote does not work here. A sandbox without one, whose processes are executed, may."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the host, shown read-only at ``target``. ``executable`` lifts noexec."""

    source: Path
    target: str
    executable: bool = True


@dataclass(frozen=True, slots=True)
class Zygote:
    """A Python program that is started and imports once; the processes it serves are its forks.

    ``interpreter`` is the beginning of a command line as seen inside, Python 3.8 or later.
    ``module``, found in ``folder``, has ``preload()``, called once, and ``main()``, called in each
    fork. It needs the standard library only, and leaves no thread behind when it is imported.

    ``environment`` is what the program itself is started with; each fork gets its own. Forks look
    for libraries where the program did, so ``LD_LIBRARY_PATH`` may name folders that only a fork
    will see; without it, the library folder beside the interpreter's counts.
    """

    interpreter: tuple[str, ...]
    folder: str
    module: str
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What a sandbox has before it is some function's.

    ``id`` is unique among all sandboxes of this data directory, ``[a-z0-9-]{1,40}``.
    ``listen_ports`` are TCP ports on the sandbox's own loopback whose listening sockets belong to
    the daemon. ``loopback_names`` lead to that loopback, as ``localhost`` does. ``processes_max``
    covers all processes of the sandbox together. ``template``: its one process, a fork of the
    zygote, can be forked into other sandboxes (``templates.py``). ``first`` will be asked of
    ``Sandbox.start`` as soon as it is there: a backend may begin with it before.
    """

    id: str
    processes_max: int
    mounts: tuple[Mount, ...] = ()
    zygote: Zygote | None = None
    listen_ports: tuple[int, ...] = ()
    loopback_names: tuple[str, ...] = ()
    hostname: str = "alonzo"
    template: bool = False
    first: ProcessSpec | None = None


@dataclass(frozen=True, slots=True)
class Fitting:
    """What makes a sandbox one function's. The limits cover all its processes together.

    ``tmp_mib`` sizes ``/tmp``, whose files do not count as memory.
    """

    memory_mib: int
    tmp_mib: int
    mounts: tuple[Mount, ...] = ()


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process. Paths are as seen inside the sandbox.

    Without ``argv`` it is a fork of the sandbox's zygote, which no ``PYTHON…`` variable of its
    ``environment`` reaches by itself. ``fds`` maps the descriptor number inside to the daemon's own
    descriptor, which stays the daemon's to close. Numbers 1 and 2 that are not given are
    ``/dev/null``; 0 always is.

    ``cwd_once_fitted``: where the sandbox takes it when it is fitted, for a program that cannot
    change its working folder itself. Only of a backend that ``leads``, and only before that.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: str = "/"
    cwd_once_fitted: str | None = None
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
    def root(self) -> str:
        """What its processes must put before paths of the inside; empty if it has its own root.

        ``places.placed`` does. Paths of a ``ProcessSpec`` are never put below it by the caller,
        variables always are.
        """
        ...

    @property
    def listeners(self) -> Mapping[int, socket.socket]:
        """The listening sockets by port, non-blocking; owned and closed by the sandbox.

        A backend that does not isolate listens on other ports, which the sockets tell.
        """
        ...

    async def fit(self, fitting: Fitting) -> None:
        """Make it one function's own. Once, before any process that runs foreign code.

        Processes that run already see the mounts from then on.

        Raises:
            SandboxError: it could not be done; the sandbox is good for nothing but ``close()``.
        """
        ...

    async def connect(self, port: int) -> socket.socket:
        """A TCP connection, non-blocking, from inside to ``127.0.0.1:port`` inside.

        Raises:
            OSError: nobody listens there.
            SandboxError: it could not be tried.
        """
        ...

    def limit_cpu_nowait(self, cpus: float | None) -> None:
        """Let all its processes together use so many processors; None: as many as there are.

        Does nothing where the host cannot limit them, which ``Backend.layers`` says.
        """
        ...

    async def start(self, spec: ProcessSpec) -> Process:
        """Start a process; returns once it has been executed, or forked.

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

    def peak_bytes(self) -> int:
        """The highest use alone, for less than ``memory()`` costs: every invocation asks for it."""
        ...

    async def close(self) -> None:
        """End everything and remove every trace. Safe to call twice."""
        ...


#: The name of the layer that says what a sandbox reaches beside the platform.
NETWORK_LAYER = "network"


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
    def isolated(self) -> bool:
        """Whether it keeps what the module promises; if not, only trusted code may run in it."""
        ...

    @property
    def leads(self) -> bool:
        """Whether it can give a process another working folder: ``cwd_once_fitted``."""
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

        The first one of a zygote waits for the zygote to start and import.

        Raises:
            ZygoteError: the zygote that it asks for does not work on this host.
            SandboxError: it could not be made; nothing is left behind.
        """
        ...

    async def close(self) -> None:
        """Close every sandbox and helper. Safe to call twice."""
        ...
