"""One sandbox and its processes, as the daemon sees them: orders to pid 1, and its notices."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import mmap
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any

from alonzo.lib.tasks import TaskScope
from alonzo.sandbox.backends.namespaces import plan, samples
from alonzo.sandbox.backends.namespaces.alarms import MemoryAlarm
from alonzo.sandbox.backends.namespaces.cgroups import CgroupSet, Limits
from alonzo.sandbox.backends.namespaces.channel import Channel, EndedError
from alonzo.sandbox.backends.namespaces.connecting import connected
from alonzo.sandbox.backends.namespaces.inside import wire
from alonzo.sandbox.backends.namespaces.inside.launch import PARKED_FROM
from alonzo.sandbox.backends.namespaces.opening import Opening
from alonzo.sandbox.backends.namespaces.process import RefusedError, error_of
from alonzo.sandbox.backends.namespaces.waiting import until
from alonzo.sandbox.base import (
    ExitStatus,
    Fitting,
    MemoryUse,
    ProcessSpec,
    SandboxError,
    SandboxSpec,
)
from alonzo.sandbox.reported_process import ReportedProcess

#: Longest wait for pid 1 to answer an order. It takes milliseconds, unless the host is swapping.
ANSWER_S_MAX = 20.0

#: Between two looks at the memory of a sandbox in which something runs; each takes some 20 µs.
_LOOK_S = 0.025

#: What the kernel answers about a cgroup that was removed, which can only be once it is empty.
_VANISHED = (errno.ENOENT, errno.ENODEV)


class NamespaceSandbox:
    """One sandbox. See ``base.Sandbox``. The backend makes it; it serves after ``wait_ready``."""

    def __init__(
        self,
        spec: SandboxSpec,
        control: socket.socket,
        cgroups: CgroupSet | None,
        page: mmap.mmap | None,
        opening: Opening,
        tasks: TaskScope,
        on_closed: Callable[[], None],
    ) -> None:
        self._id = spec.id
        self.root = ""  # of its own
        self._spec = spec
        self._opening = opening
        self._cgroups = cgroups
        self._page = page
        self._tasks = tasks
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._ports: tuple[int, ...] = ()
        self._listeners: dict[int, socket.socket] = {}
        #: Where questions for names come in, for whoever answers them; closed by that one.
        self.resolver: tuple[socket.socket, ...] = ()
        self._processes: dict[int, ReportedProcess] = {}
        self._answers: dict[int, asyncio.Future[list[int]]] = {}
        self._names = 0
        self._begun: tuple[ProcessSpec, ReportedProcess, dict[str, Any]] | None = None
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._pidfd = self._tmp = -1
        self._gone = asyncio.Event()
        self._frozen = False
        self._out_of_memory = False
        self._peak_without_files = -1
        self._kills_seen = 0
        self._closing: asyncio.Future[None] | None = None
        self._channel = Channel(control, self._notice, self._ended)
        self._limits: Limits | None = None
        self._cpu_limited = False
        self._looking: asyncio.TimerHandle | None = None
        self._alarm: MemoryAlarm | None = None

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

    def listen_on(self, sockets: list[socket.socket]) -> None:
        """Own what listens on its ports, in their order, and then what names are asked at."""
        self._listeners.update(zip(self._ports, sockets, strict=False))
        self.resolver = tuple(sockets[len(self._ports) :])
        for each in sockets:
            each.setblocking(False)

    async def attach(self) -> None:
        """Show the mounts that it begins with. For the backend, before anybody has it."""
        order = plan.attach_order(self._spec, name=self._next_name())
        await self._ask_by(order, lambda: self._opening.send(order, self._channel))

    async def fit(self, fitting: Fitting) -> None:
        """Make it one function's own."""
        order = plan.fit_order(fitting, name=self._next_name())
        self._refuse_if_ended_or_frozen()
        if self._limits is not None:
            raise SandboxError(f"sandbox {self._id} has been fitted")
        limits = self._limits = plan.limits(fitting)
        self.limit_cpu_nowait(None)

        async def send() -> None:
            await self._opening.send(order, self._channel)
            self._limit_memory(limits)  # while pid 1 is at it

        await self._ask_by(order, send)

    def _limit_memory(self, limits: Limits) -> None:
        if self._cgroups is None:
            return
        self._cgroups.limit_memory(limits)
        self._alarm = self._cgroups.open_memory_alarm()
        if self._alarm is not None:
            self._loop.add_reader(self._alarm.fileno(), self._alarm_rang)
            self._look_later()

    async def connect(self, port: int) -> socket.socket:
        """A TCP connection, non-blocking, from inside to ``127.0.0.1:port`` inside."""
        self._refuse_if_ended_or_frozen()
        order = {"op": "connect", "name": self._next_name(), "port": port}
        try:
            peer = socket.socket(fileno=(await self._ask(order)).pop())
        except RefusedError as err:
            raise OSError(err.number, f"port {port} in sandbox {self._id}: {err}") from err
        what = f"port {port} in sandbox {self._id}"
        return await connected(peer, within_s=ANSWER_S_MAX, what=what)

    def limit_cpu_nowait(self, cpus: float | None) -> None:
        """Let all its processes together use so many processors; None: as many as there are."""
        if cpus is not None and cpus >= (os.cpu_count() or 1):
            cpus = None
        if not self._has_ended():
            with self._unless_vanished("limit its processor time"):
                self._set_cpu_limit(cpus)

    def _set_cpu_limit(self, cpus: float | None) -> None:
        if self._cgroups is not None and (cpus is not None or self._cpu_limited):
            self._cgroups.limit_cpu(cpus)
            self._cpu_limited = cpus is not None

    def begin(self, spec: ProcessSpec) -> int:
        """Have one started, for ``start`` to wait for. Answers the order's name, or 0: not sent."""
        process, order = self._to_start(spec)
        # Whether or not anybody waits.
        self._expect(order).add_done_callback(lambda done: done.cancelled() or done.exception())
        if self._channel.send_nowait(order, list(spec.fds.values())):
            self._begun = (spec, process, order)
        return order["name"] if self._begun else 0

    async def start(self, spec: ProcessSpec) -> ReportedProcess:
        """Start a process; returns once it has been executed."""
        self._refuse_if_ended_or_frozen()
        begun, self._begun = self._begun, None
        sent = begun is not None and begun[0] is spec
        process, order = begun[1:] if begun is not None and sent else self._to_start(spec)
        try:
            await (self._ask_by(order, None) if sent else self._ask(order, list(spec.fds.values())))
        except BaseException:
            if process.exited is None:
                process.signal(signal.SIGKILL)
                self._processes.pop(order["name"], None)
            raise
        return process

    def _to_start(self, spec: ProcessSpec) -> tuple[ReportedProcess, dict[str, Any]]:
        if not self._running():
            self._out_of_memory = False
            self._kills_seen = self._cgroups.out_of_memory_kills() if self._cgroups else 0
        if not spec.argv and self._spec.zygote is None:
            raise SandboxError(f"sandbox {self._id} has no zygote to fork")
        name = self._next_name()
        order = plan.start_order(spec, name=name, descriptor_max=PARKED_FROM)
        process = self._processes[name] = ReportedProcess(name, self._channel.send_nowait)
        self._look_later()
        return process, order

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
            await until(
                lambda: not self._frozen or self._has_ended() or cgroups.frozen(),
                within_s=ANSWER_S_MAX,
                what=f"sandbox {self._id} did not freeze in time",
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
        # Under a small quota a large tree takes long to die: 64 processes 392 ms, without one 17.
        self.limit_cpu_nowait(None)
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
            ended, limit = self._has_ended(), self._limits.memory_bytes if self._limits else None
            return samples.highest(self._page, -1 if ended else self._pidfd, limit)
        if self._cgroups is None or self._closing:
            return MemoryUse(0, 0)
        current, peak = self._cgroups.used_bytes()
        files = samples.bytes_in(self._tmp)
        current, peak = max(current - files, 0), peak - files
        if self._limits is not None:
            peak = min(peak, self._limits.memory_bytes)
        return MemoryUse(current, max(current, peak))

    def peak_bytes(self) -> int:
        """The highest use alone."""
        if self._page is not None or self._cgroups is None or self._closing:
            return self.memory().peak_bytes
        peak = self._cgroups.peak_bytes()
        # One that has not moved since it was seen with an empty /tmp is of programs alone.
        if peak != self._peak_without_files:
            files = samples.bytes_in(self._tmp)
            self._peak_without_files = peak if files == 0 else -1
            peak -= files
        return peak if self._limits is None else min(peak, self._limits.memory_bytes)

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

    def _refuse_if_ended_or_frozen(self) -> None:
        self._refuse_if_ended()
        if self._frozen:
            raise SandboxError(f"sandbox {self._id} is frozen")

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

    async def _ask(self, order: dict[str, Any], descriptors: list[int] | None = None) -> list[int]:
        """Send an order, wait for its answer, and give the descriptors that it brings."""

        async def send() -> None:
            await self._channel.send(order, descriptors or ())

        return await self._ask_by(order, send)

    def _expect(self, order: dict[str, Any]) -> asyncio.Future[list[int]]:
        answer = self._answers[order["name"]] = self._loop.create_future()
        return answer

    async def _ask_by(
        self, order: dict[str, Any], send: Callable[[], Awaitable[None]] | None
    ) -> list[int]:
        self._refuse_if_ended()
        name: int = order["name"]
        answer = self._answers.get(name) or self._expect(order)
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                if send is not None:
                    await send()
                return await answer
        except asyncio.CancelledError:
            # Given up in the very moment in which it was answered.
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                wire.close_all(answer.result())
            raise
        except TimeoutError as err:
            raise SandboxError(f"sandbox {self._id} did not {order['op']} in time") from err
        except ConnectionError as err:
            raise EndedError(f"sandbox {self._id} has ended: {err}") from err
        except (OSError, wire.MessageTooLongError) as err:
            raise SandboxError(f"sandbox {self._id}, {order['op']}: {err}") from err
        finally:
            self._answers.pop(name, None)

    def _notice(self, notice: dict[str, Any], descriptors: list[int]) -> None:
        if "ready" in notice:
            self._pid1_ready(descriptors)
        elif "done" in notice:
            self._answer(notice["done"], descriptors)
        else:
            wire.close_all(descriptors)
            self._notice_alone(notice)

    def _notice_alone(self, notice: dict[str, Any]) -> None:
        if "exited" in notice:
            self._process_exited(notice)
        elif "failed" in notice:
            self._processes.pop(notice["failed"], None)
            self._answer(notice["failed"], error_of(notice))
        else:
            self._fail(SandboxError(f"sandbox {self._id}: {notice['error']}"))

    def _answer(self, name: int, outcome: list[int] | SandboxError) -> None:
        answer = self._answers.get(name)
        waiting = answer is not None and not answer.done()
        if isinstance(outcome, SandboxError):
            if answer is not None and waiting:
                answer.set_exception(outcome)
        elif answer is not None and waiting:
            answer.set_result(outcome)
        else:
            wire.close_all(outcome)

    def _pid1_ready(self, descriptors: list[int]) -> None:
        self._pidfd, self._tmp, *listening = descriptors
        self._loop.add_reader(self._pidfd, self._pid1_gone)
        self.listen_on([socket.socket(fileno=number) for number in listening])
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

    def _alarm_rang(self) -> None:
        assert self._alarm is not None
        if self._alarm.acknowledge() and self._running():
            self._memory_ran_out()

    def _look_at_memory(self) -> None:
        """Tell programs from files in ``/tmp`` once both together are over the programs' limit."""
        assert self._cgroups is not None
        self._looking = None
        assert self._limits is not None
        limit = self._limits.memory_bytes
        if (
            self._cgroups.current_bytes() > limit
            and self._cgroups.program_bytes() - samples.bytes_in(self._tmp) > limit
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
        with contextlib.suppress(OSError):
            self._set_cpu_limit(None)  # as in ``kill``
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
            what = f"sandbox {self._id} did not remove its cgroups in time"
            await until(self._cgroups.remove, within_s=ANSWER_S_MAX, what=what)
        self._on_closed()
        for each in self.resolver:
            each.close()
