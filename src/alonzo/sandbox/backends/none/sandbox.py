"""One sandbox: a folder with links in place of mounts, an overseer, and listeners of the host."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from alonzo.lib.tasks import TaskScope
from alonzo.sandbox.backends.none import plan
from alonzo.sandbox.base import Fitting, MemoryUse, Mount, ProcessSpec, SandboxError, SandboxSpec
from alonzo.sandbox.overseer import family
from alonzo.sandbox.overseer.client import Overseer
from alonzo.sandbox.places import is_own, placed
from alonzo.sandbox.reported_process import ReportedProcess

_LOOPBACK = "127.0.0.1"


class PlainSandbox:
    """See ``base.Sandbox``. The backend makes it; it serves after ``open()``.

    ``folder`` is its own, and ``program`` the process behind ``overseer``.
    """

    def __init__(
        self,
        spec: SandboxSpec,
        folder: Path,
        overseer: Overseer,
        program: asyncio.subprocess.Process,
        tasks: TaskScope,
        on_closed: Callable[[], None],
    ) -> None:
        self._spec = spec
        self._folder = folder
        self._overseer = overseer
        self._program = program
        self._tasks = tasks
        self._on_closed = on_closed
        self._shown: frozenset[str] = frozenset()
        self._listeners: dict[int, socket.socket] = {}
        self._fitted = False
        self._frozen = False
        self._peak_bytes = 0
        self._closing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Make its folder and its listeners, and wait for the overseer.

        Raises:
            SandboxError: one of them cannot be had.
        """
        try:
            (self._folder / "tmp").mkdir(parents=True)
            self._show(self._spec.mounts)
            for port in self._spec.listen_ports:
                listener = self._listeners[port] = socket.socket()
                listener.bind((_LOOPBACK, 0))
                listener.listen()
                listener.setblocking(False)
        except OSError as err:
            raise SandboxError(f"sandbox {self.id}: {err}") from err
        await self._overseer.wait_ready()

    @property
    def id(self) -> str:
        """The id it was asked for with."""
        return self._spec.id

    @property
    def root(self) -> str:
        """Its folder, which holds links to what others see as mounts."""
        return str(self._folder)

    @property
    def listeners(self) -> Mapping[int, socket.socket]:
        """The listening sockets by the port that was asked for; they have others."""
        return self._listeners

    async def fit(self, fitting: Fitting) -> None:
        """Show the mounts. There are no limits to set."""
        self._refuse_if_ended()
        if self._fitted:
            raise SandboxError(f"sandbox {self.id} has been fitted")
        self._fitted = True
        if min(fitting.memory_mib, fitting.tmp_mib) < 1:
            raise SandboxError("fit: every limit must be at least 1")
        try:
            self._show(fitting.mounts)
        except OSError as err:
            raise SandboxError(f"sandbox {self.id}: {err}") from err

    def _show(self, mounts: tuple[Mount, ...]) -> None:
        plan.check(mounts, self._shown)
        for mount in mounts:
            if not mount.source.exists():
                raise SandboxError(f"mount source {mount.source}: it is missing")
            if is_own(mount.target):
                link = self._folder / mount.target[1:]
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(mount.source)
        self._shown |= {mount.target for mount in mounts}

    async def connect(self, port: int) -> socket.socket:
        """A TCP connection to the host's own loopback."""
        self._refuse_if_ended()
        if self._frozen:
            raise SandboxError(f"sandbox {self.id} is frozen")
        peer = socket.socket()
        peer.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(peer, (_LOOPBACK, port))
        except BaseException:
            peer.close()
            raise
        return peer

    def limit_cpu_nowait(self, cpus: float | None) -> None:
        """Do nothing, which the layers say."""

    async def start(self, spec: ProcessSpec) -> ReportedProcess:
        """Start a process, with the paths of its command line and its folder put where they are."""
        self._refuse_if_ended()
        if self._frozen:
            raise SandboxError(f"sandbox {self.id} is frozen")
        argv = [placed(argument, self.root) for argument in spec.argv]
        return await self._overseer.start(spec, argv, placed(spec.cwd, self.root))

    async def freeze(self) -> None:
        """Stop every process."""
        if self._frozen or self._has_ended():
            return
        self._frozen = True
        try:
            await self._overseer.order("freeze")
        except SandboxError:
            if not self._has_ended():
                raise

    def thaw_nowait(self) -> None:
        """Let the processes run again."""
        if self._frozen:
            self._frozen = False
            self._overseer.thaw_nowait()

    async def kill(self) -> None:
        """End every process."""
        self._frozen = False
        if self._has_ended():
            return
        self._measure()
        try:
            await self._overseer.order("kill")
        except SandboxError:
            if not self._has_ended():
                raise

    async def wait_ended(self) -> None:
        """Return once the overseer is gone, closed or died."""
        await self._overseer.ended.wait()

    def memory(self) -> MemoryUse:
        """A sample of the processes' sizes, and the highest so far that one of them told."""
        return MemoryUse(self._measure(), max(self._peak_bytes, self._overseer.peak_bytes))

    def peak_bytes(self) -> int:
        """The highest use alone."""
        return self.memory().peak_bytes

    def _measure(self) -> int:
        """Bytes now; the highest is kept."""
        if self._has_ended():
            return 0
        current, peak = family.sizes(family.listed_below(self._overseer.pid))
        self._peak_bytes = max(self._peak_bytes, current, peak)
        return current

    async def close(self) -> None:
        """End everything and remove every trace."""
        if self._closing is None:
            self._closing = self._tasks.spawn(self._close(), name=f"sandbox.close {self.id}")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        with contextlib.suppress(SandboxError):
            await self.kill()
        # Without its socket it ends what was started meanwhile, and itself.
        self._overseer.close()
        await self._program.wait()
        for listener in self._listeners.values():
            listener.close()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        self._on_closed()

    def _has_ended(self) -> bool:
        return self._overseer.ended.is_set()

    def _refuse_if_ended(self) -> None:
        if self._has_ended() or self._closing is not None:
            raise SandboxError(f"sandbox {self.id} has ended")
