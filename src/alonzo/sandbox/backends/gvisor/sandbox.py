"""One sandbox: ``runsc`` with our overseer as its pid 1, in a network namespace of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from alonzo.lib.tasks import TaskScope
from alonzo.sandbox.backends.gvisor import plan, root
from alonzo.sandbox.backends.gvisor.network import Network
from alonzo.sandbox.base import Fitting, MemoryUse, ProcessSpec, SandboxError, SandboxSpec
from alonzo.sandbox.overseer import family
from alonzo.sandbox.overseer.client import Overseer
from alonzo.sandbox.reported_process import ReportedProcess

_MIB = 1 << 20

#: Between two looks at the memory of a sandbox in which something runs.
_LOOK_S = 0.025

#: What pid 1 and gVisor itself keep in the memory that is looked at.
_OWN_BYTES = 24 * _MIB

#: How long ``runsc`` may take to end once pid 1 was told to, before it is made to.
_END_S_MAX = 5.0

#: The file that a gVisor kernel keeps its sandbox's memory in, as ``/proc/PID/fd`` shows it.
_MEMORY_FILE = "/memfd:runsc-memory"


class GvisorSandbox:
    """See ``base.Sandbox``. The backend makes it; it serves after ``open()``.

    ``folder`` is its own; ``name`` is what ``runsc`` calls it, like no other on this host;
    ``command`` begins every command line.
    """

    def __init__(
        self,
        spec: SandboxSpec,
        folder: Path,
        name: str,
        command: Sequence[str],
        tasks: TaskScope,
        on_closed: Callable[[], None],
    ) -> None:
        self.root = ""  # of its own
        self._spec = spec
        self._folder = folder
        self._name = name
        self._command = command
        self._tasks = tasks
        self._on_closed = on_closed
        self._network: Network | None = None
        self._overseer: Overseer | None = None
        self._program: asyncio.subprocess.Process | None = None
        self._work: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._memory_file = ""
        self._peak_bytes = 0
        self._fitted = False
        self._frozen = False
        self._closing: asyncio.Task[None] | None = None

    async def open(self, config: Callable[[Path, str], dict[str, Any]]) -> None:
        """Make and start it. ``config`` answers the bundle for a root and a network namespace.

        Raises:
            SandboxError: that failed; ``close()`` removes what there is.
        """
        plan.check(self._spec.mounts)
        await self._whole(self._begin(config))
        assert self._overseer is not None
        assert self._program is not None
        try:
            await self._overseer.wait_ready()
        except SandboxError as err:
            raise SandboxError(f"{err}: {self._last_words()}") from err
        self._memory_file = await asyncio.to_thread(_find_memory, self._program.pid)

    async def _whole(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it to its end, even if nobody waits any more; ``close()`` does."""
        self._work = self._tasks.spawn(work, name=f"sandbox {self.id}")
        await asyncio.shield(self._work)

    async def _begin(self, config: Callable[[Path, str], dict[str, Any]]) -> None:
        self._network = await asyncio.to_thread(Network, self._spec.listen_ports)
        place = self._folder / "root"
        try:
            await asyncio.to_thread(root.make, place, self._spec.loopback_names)
            document = json.dumps(config(place, self._network.path))
            (self._folder / "config.json").write_text(document)
            ours, theirs = socket.socketpair()
            self._overseer = Overseer(self.id, ours)
            with theirs, (self._folder / "said").open("wb") as said:
                self._program = await asyncio.create_subprocess_exec(
                    *(*self._command, "run", "--bundle", str(self._folder), self._name),
                    stdin=theirs.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=said.fileno(),
                    env={"PATH": os.defpath},
                    start_new_session=True,
                )
        except OSError as err:
            raise SandboxError(f"sandbox {self.id}: {err}") from err

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            return (self._folder / "said").read_text(errors="replace")[-300:].strip()
        return "runsc said nothing"

    @property
    def id(self) -> str:
        """The id it was asked for with."""
        return self._spec.id

    @property
    def listeners(self) -> Mapping[int, socket.socket]:
        """The listening sockets by port."""
        return {} if self._network is None else self._network.listeners

    async def fit(self, fitting: Fitting) -> None:
        """Show the mounts, make ``/tmp``, and look at its memory from now on."""
        overseer = self._live()
        if self._fitted:
            raise SandboxError(f"sandbox {self.id} has been fitted")
        self._fitted = True
        if min(fitting.memory_mib, fitting.tmp_mib) < 1:
            raise SandboxError("fit: every limit must be at least 1")
        plan.check(fitting.mounts, frozenset(mount.target for mount in self._spec.mounts))
        shown = asyncio.to_thread(root.show, self._folder / "root", fitting.mounts)
        await self._whole(shown)
        await overseer.order("fit", tmp_mib=fitting.tmp_mib, processes_max=self._spec.processes_max)
        limit = (fitting.memory_mib + fitting.tmp_mib) * _MIB + _OWN_BYTES
        watch = self._watch(overseer, limit)
        self._watcher = self._tasks.spawn(watch, name=f"memory of {self.id}")

    async def _watch(self, overseer: Overseer, limit_bytes: int) -> None:
        while not overseer.ended.is_set():
            if overseer.running and not self._frozen and self._measure() > limit_bytes:
                overseer.out_of_memory = True
                with contextlib.suppress(SandboxError):
                    await overseer.order("kill")
                overseer.out_of_memory = False
            await asyncio.sleep(_LOOK_S)

    async def connect(self, port: int) -> socket.socket:
        """A TCP connection from inside to inside."""
        self._live()
        assert self._network is not None
        peer = await asyncio.to_thread(self._network.socket)
        try:
            await asyncio.get_running_loop().sock_connect(peer, ("127.0.0.1", port))
        except BaseException:
            peer.close()
            raise
        return peer

    def limit_cpu_nowait(self, cpus: float | None) -> None:
        """Do nothing, which the layers say."""

    async def start(self, spec: ProcessSpec) -> ReportedProcess:
        """Start a process."""
        overseer = self._live()
        return await overseer.start(spec, spec.argv, spec.cwd, user=plan.INSIDE_USER)

    def _live(self) -> Overseer:
        if self._overseer is None or self._overseer.ended.is_set() or self._closing is not None:
            raise SandboxError(f"sandbox {self.id} has ended")
        if self._frozen:
            raise SandboxError(f"sandbox {self.id} is frozen")
        return self._overseer

    async def freeze(self) -> None:
        """Stop every process."""
        if not self._frozen and not self._has_ended():
            await self._order("freeze")
            self._frozen = True

    def thaw_nowait(self) -> None:
        """Let the processes run again."""
        if self._frozen and self._overseer is not None:
            self._frozen = False
            self._overseer.thaw_nowait()

    async def kill(self) -> None:
        """End every process."""
        self._frozen = False
        if not self._has_ended():
            self._measure()
            await self._order("kill")

    async def _order(self, what: str) -> None:
        assert self._overseer is not None
        try:
            await self._overseer.order(what)
        except SandboxError:
            if not self._has_ended():
                raise

    async def wait_ended(self) -> None:
        """Return once pid 1 is gone, closed or died."""
        assert self._overseer is not None
        await self._overseer.ended.wait()

    def memory(self) -> MemoryUse:
        """What gVisor keeps for the sandbox now, ``/tmp`` included; the highest that was seen."""
        return MemoryUse(self._measure(), self._peak_bytes)

    def peak_bytes(self) -> int:
        """The highest that was seen."""
        self._measure()
        return self._peak_bytes

    def _measure(self) -> int:
        try:
            current = os.stat(self._memory_file).st_blocks * 512
        except OSError:  # it has ended
            return 0
        self._peak_bytes = max(self._peak_bytes, current)
        return current

    def _has_ended(self) -> bool:
        return self._overseer is None or self._overseer.ended.is_set()

    async def close(self) -> None:
        """End everything and remove every trace."""
        if self._closing is None:
            self._closing = self._tasks.spawn(self._close(), name=f"sandbox.close {self.id}")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._work is not None:
            await asyncio.wait({self._work})
        if self._watcher is not None:
            self._watcher.cancel()
        if self._overseer is not None:
            # Without its socket pid 1 ends, and with pid 1 its sandbox.
            self._overseer.close()
        if self._program is not None:
            await self._end(self._program)
        if self._network is not None:
            self._network.close()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        self._on_closed()

    async def _end(self, program: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(_END_S_MAX):
                await program.wait()
        except TimeoutError:
            for pid in family.below(program.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                program.kill()
            await program.wait()
        # What it keeps of a sandbox that did not end by itself.
        for name in (self._folder.parent / "state").glob(f"{self._name}_sandbox*"):
            name.unlink(missing_ok=True)


def _find_memory(program: int) -> str:
    """The path by which the size of a sandbox's memory can be asked for; empty: there is none."""
    for pid in family.below(program):
        with contextlib.suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                path = f"/proc/{pid}/fd/{name}"
                with contextlib.suppress(OSError):
                    if os.readlink(path).startswith(_MEMORY_FILE):
                        return path
    return ""
