"""One sandbox and its processes, as the daemon sees them: orders to pid 1, and its notices."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import mmap
import os
import signal
import socket
from collections.abc import Callable, Generator, Mapping
from typing import Any

from alonzo.lib.tasks import TaskScope
from alonzo.sandbox.backends.namespaces import plan, wire
from alonzo.sandbox.backends.namespaces.cgroups import CgroupSet, Limits
from alonzo.sandbox.backends.namespaces.channel import Channel, EndedError
from alonzo.sandbox.backends.namespaces.init import SAMPLE_LAYOUT
from alonzo.sandbox.backends.namespaces.launch import PARKED_FROM
from alonzo.sandbox.base import (
    ExitStatus,
    MemoryUse,
    NotExecutableError,
    ProcessSpec,
    SandboxError,
)

#: Longest wait for pid 1 to answer an order. It takes milliseconds, unless the host is swapping.
ANSWER_S_MAX = 20.0

#: Between two looks at the memory of a sandbox in which something runs; each takes some 20 µs.
_LOOK_S = 0.025

#: Pauses between looks at a cgroup that is freezing or still busy: short first, then longer.
_PAUSES_S = (0.0, 0.0005, 0.001, 0.002, 0.005, 0.01)

#: What the kernel answers about a cgroup that was removed, which can only be once it is empty.
_VANISHED = (errno.ENOENT, errno.ENODEV)


class NamespaceProcess:
    """A process of a sandbox. See ``base.Process``."""

    def __init__(self, name: int, send: Callable[[dict[str, Any]], bool]) -> None:
        self._name = name
        self._send = send
        self._status: ExitStatus | None = None
        self._ended = asyncio.Event()

    @property
    def exited(self) -> ExitStatus | None:
        """How it ended, or None while it runs."""
        return self._status

    async def wait(self) -> ExitStatus:
        """Wait until it has ended."""
        await self._ended.wait()
        assert self._status is not None
        return self._status

    def signal(self, number: int) -> None:
        """Send a signal to this one process; nothing if it has ended."""
        if self._status is None:
            self._send({"op": "signal", "name": self._name, "number": number})

    def set_exited(self, status: ExitStatus) -> None:
        """Note how it ended. For the sandbox alone; only the first call counts."""
        if self._status is None:
            self._status = status
            self._ended.set()


class NamespaceSandbox:
    """One sandbox. See ``base.Sandbox``. The backend makes it; it serves after ``wait_ready``."""

    def __init__(
        self,
        sandbox_id: str,
        control: socket.socket,
        cgroups: CgroupSet | None,
        page: mmap.mmap | None,
        limits: Limits,
        tasks: TaskScope,
        on_closed: Callable[[], None],
    ) -> None:
        self._id = sandbox_id
        self._cgroups = cgroups
        self._page = page
        self._tasks = tasks
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._ports: tuple[int, ...] = ()
        self._listeners: dict[int, socket.socket] = {}
        self._processes: dict[int, NamespaceProcess] = {}
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._names = 0
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._pidfd = self._tmp = -1
        self._gone = asyncio.Event()
        self._frozen = False
        self._out_of_memory = False
        self._kills_seen = 0
        self._closing: asyncio.Future[None] | None = None
        self._channel = Channel(control, self._notice, self._ended)
        self._limits = limits
        self._looking: asyncio.TimerHandle | None = None
        self._alarm = cgroups.open_memory_alarm() if cgroups else None
        if self._alarm is not None:
            self._loop.add_reader(self._alarm.fileno(), self._alarm_rang)

    # -- the contract ---------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The id it was asked for with."""
        return self._id

    @property
    def listeners(self) -> Mapping[int, socket.socket]:
        """The listening sockets by port, non-blocking; owned and closed by the sandbox."""
        return self._listeners

    async def wait_ready(self, ports: tuple[int, ...]) -> None:
        """Wait until pid 1 runs, and take the listeners on ``ports``.

        Raises:
            EndedError: pid 1 ended, or was dropped before it began.
            SandboxError: a step failed, and the text says which; or nothing happened in time.
        """
        self._ports = ports
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                await self._ready
        except TimeoutError as err:
            raise SandboxError(f"sandbox {self._id} was not made in time") from err

    async def start(self, spec: ProcessSpec) -> NamespaceProcess:
        """Start a process; returns once it has been executed."""
        self._refuse_if_ended()
        if self._frozen:
            raise SandboxError(f"sandbox {self._id} is frozen")
        if not self._running():
            self._out_of_memory = False
            self._kills_seen = self._cgroups.out_of_memory_kills() if self._cgroups else 0
        name = self._next_name()
        order = plan.start_order(spec, name=name, descriptor_max=PARKED_FROM)
        process = NamespaceProcess(name, self._channel.send_nowait)
        self._processes[name] = process
        self._look_later()
        try:
            await self._ask(order, list(spec.fds.values()))
        except BaseException:
            if process.exited is None:
                process.signal(signal.SIGKILL)
                self._processes.pop(name, None)
            raise
        return process

    async def freeze(self) -> None:
        """Stop every process inside; return once none is running."""
        if self._frozen or self._has_ended():
            return
        self._frozen = True
        if self._cgroups is None or self._cgroups.trees.freezer is None:
            with contextlib.suppress(EndedError):
                await self._ask({"op": "freeze", "name": self._next_name()})
            return
        cgroups = self._cgroups
        with self._unless_vanished("freeze"):
            cgroups.freeze()
            await self._wait(
                lambda: not self._frozen or self._has_ended() or cgroups.frozen(), "freeze"
            )

    def thaw_nowait(self) -> None:
        """Let the processes run again."""
        if not self._frozen:
            return
        self._frozen = False
        if self._cgroups is None or self._cgroups.trees.freezer is None:
            self._channel.send_nowait({"op": "thaw"})
        else:
            with self._unless_vanished("thaw"):
                self._cgroups.thaw()
            self._look_later()

    async def kill(self) -> None:
        """End every process inside, at once, frozen or not; ``/tmp`` and mounts stay."""
        # pid 1 is in the frozen cgroup too, and a version-1 frozen task does not even die.
        self.thaw_nowait()
        try:
            await self._ask({"op": "kill", "name": self._next_name()})
        except EndedError:
            await self._wait_gone()

    async def wait_ended(self) -> None:
        """Wait until nothing of the sandbox lives any more, closed or died."""
        await self._gone.wait()

    def memory(self) -> MemoryUse:
        """What the sandbox uses, files in ``/tmp`` left out as they are now."""
        if self._page is not None:
            return MemoryUse(*SAMPLE_LAYOUT.unpack_from(self._page, 0))
        if self._cgroups is None or self._closing:
            return MemoryUse(0, 0)
        current, peak = self._cgroups.used_bytes()
        files = self._tmp_bytes()
        current = max(current - files, 0)
        return MemoryUse(current, max(current, min(peak - files, self._limits.memory_bytes)))

    async def close(self) -> None:
        """End everything and remove every trace."""
        if self._closing is None:
            self._closing = self._tasks.spawn(self._close(), name=f"sandbox.close {self._id}")
        await asyncio.shield(self._closing)

    # -- inside ---------------------------------------------------------------------------------

    def _running(self) -> bool:
        return any(process.exited is None for process in self._processes.values())

    def _has_ended(self) -> bool:
        return self._closing is not None or not self._channel.open

    def _refuse_if_ended(self) -> None:
        if self._has_ended():
            raise EndedError(f"sandbox {self._id} has ended")

    @contextlib.contextmanager
    def _unless_vanished(self, what: str) -> Generator[None]:
        """Let it pass that a cgroup has no processes any more, and maybe is gone itself."""
        try:
            yield
        except OSError as err:
            if not self._has_ended() and err.errno not in _VANISHED:
                raise SandboxError(f"sandbox {self._id}, {what}: {err}") from err

    async def _wait_gone(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                await self._gone.wait()
        except TimeoutError as err:
            raise SandboxError(f"sandbox {self._id} did not end in time") from err

    def _next_name(self) -> int:
        self._names += 1
        return self._names

    async def _ask(self, order: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Send an order and wait for its answer."""
        self._refuse_if_ended()
        name: int = order["name"]
        answer = self._answers[name] = self._loop.create_future()
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                await self._channel.send(order, descriptors or ())
                await answer
        except TimeoutError as err:
            raise SandboxError(f"sandbox {self._id} did not {order['op']} in time") from err
        except ConnectionError as err:
            raise EndedError(f"sandbox {self._id} has ended: {err}") from err
        except (OSError, wire.MessageTooLongError) as err:
            raise SandboxError(f"sandbox {self._id}, {order['op']}: {err}") from err
        finally:
            self._answers.pop(name, None)

    def _notice(self, notice: dict[str, Any], descriptors: list[int]) -> None:
        if "exited" in notice:
            self._process_exited(notice)
        elif "failed" in notice:
            self._processes.pop(notice["failed"], None)
            error = NotExecutableError if notice["unexecutable"] else SandboxError
            self._answer(notice["failed"], error(notice["error"]))
        elif "done" in notice:
            self._answer(notice["done"], None)
        elif "ready" in notice:
            self._pid1_ready(descriptors)
        else:
            self._fail(SandboxError(f"sandbox {self._id}: {notice['error']}"))

    def _answer(self, name: int, error: SandboxError | None) -> None:
        answer = self._answers.get(name)
        if answer is None or answer.done():
            return
        if error is None:
            answer.set_result(None)
        else:
            answer.set_exception(error)

    def _pid1_ready(self, descriptors: list[int]) -> None:
        self._pidfd, self._tmp, *listening = descriptors
        self._loop.add_reader(self._pidfd, self._pid1_gone)
        for port, number in zip(self._ports, listening, strict=True):
            listener = self._listeners[port] = socket.socket(fileno=number)
            listener.setblocking(False)
        if not self._ready.done():
            self._ready.set_result(None)

    def _pid1_gone(self) -> None:
        """The pid namespace is empty: the kernel tells of pid 1's end only after all others'."""
        self._loop.remove_reader(self._pidfd)
        self._channel.finish()
        self._gone.set()

    def _process_exited(self, notice: dict[str, Any]) -> None:
        process = self._processes.pop(notice["exited"], None)
        if process is None:
            return
        status: int = notice["status"]
        if os.WIFEXITED(status):
            process.set_exited(ExitStatus(code=os.WEXITSTATUS(status)))
            return
        number = os.WTERMSIG(status)
        if number == signal.SIGKILL:
            self._out_of_memory = self._out_of_memory or notice["oom"] or self._kernel_killed()
        process.set_exited(
            ExitStatus(
                signal=number,
                out_of_memory=self._out_of_memory and number == signal.SIGKILL,
            )
        )

    def _kernel_killed(self) -> bool:
        return self._cgroups is not None and self._cgroups.out_of_memory_kills() > self._kills_seen

    def _tmp_bytes(self) -> int:
        if self._tmp < 0:
            return 0
        space = os.fstatvfs(self._tmp)
        return (space.f_blocks - space.f_bfree) * space.f_frsize

    def _alarm_rang(self) -> None:
        assert self._alarm is not None
        if self._alarm.acknowledge() and self._running():
            self._memory_ran_out()

    def _look_at_memory(self) -> None:
        """Tell programs from files in ``/tmp`` once both together are over the programs' limit."""
        assert self._cgroups is not None
        self._looking = None
        limit = self._limits.memory_bytes
        if (
            self._cgroups.used_bytes()[0] > limit
            and self._cgroups.program_bytes() - self._tmp_bytes() > limit
        ):
            self._memory_ran_out()
        self._look_later()

    def _look_later(self) -> None:
        """Have the memory looked at soon, if anything runs that could use it."""
        active = self._running() and not self._frozen and not self._closing
        if active and self._alarm is not None and self._looking is None:
            self._looking = self._loop.call_later(_LOOK_S, self._look_at_memory)

    def _memory_ran_out(self) -> None:
        """The kernel ends one process and leaves the rest half alive: end them all."""
        self._out_of_memory = True
        self._channel.send_nowait({"op": "kill", "name": 0})

    def _fail(self, error: SandboxError) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)

    def _ended(self) -> None:
        """Pid 1 let go of its socket: it has ended, and everything inside ends with it."""
        self._fail(EndedError(f"sandbox {self._id}: it ended while it was made"))
        if self._looking is not None:
            self._looking.cancel()
        if self._alarm is not None:
            self._loop.remove_reader(self._alarm.fileno())
            self._alarm.close()
            self._alarm = None
        for process in self._processes.values():
            process.set_exited(ExitStatus(signal=signal.SIGKILL, out_of_memory=self._out_of_memory))
        self._processes.clear()
        for name in list(self._answers):
            self._answer(name, EndedError(f"sandbox {self._id} has ended"))

    async def _close(self) -> None:
        with contextlib.suppress(SandboxError):
            self.thaw_nowait()
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            await self._gone.wait()
            wire.close_all((self._pidfd, self._tmp))
        self._channel.close()
        self._ended()
        self._gone.set()
        if self._ready.done() and not self._ready.cancelled():
            self._ready.exception()
        for listener in self._listeners.values():
            listener.close()
        if self._page is not None:
            self._page.close()
            self._page = None
        if self._cgroups is not None:
            # The kernel answers "busy" for a moment after the last process is gone.
            await self._wait(self._cgroups.remove, "remove its cgroups")
        self._on_closed()

    async def _wait(self, condition: Callable[[], bool], what: str) -> None:
        attempt = 0
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                while not condition():
                    await asyncio.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
                    attempt += 1
        except TimeoutError as err:
            raise SandboxError(f"sandbox {self._id} did not {what} in time") from err
