"""An overseer as the daemon sees it: orders, answers, and the processes that it started."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Sequence
from typing import Any

from alonzo.sandbox.base import ExitStatus, NotExecutableError, ProcessSpec, SandboxError
from alonzo.sandbox.overseer import frames
from alonzo.sandbox.overseer.starting import KEPT_FROM
from alonzo.sandbox.reported_process import ReportedProcess

#: Longest wait for an answer; it takes milliseconds, unless the host is swapping.
ANSWER_S_MAX = 20.0


class Overseer:
    """The daemon's end of one overseer. ``sandbox_id`` is for the texts of errors.

    ``ended`` is set once it is gone; its processes have ended by ``SIGKILL`` then.
    """

    def __init__(self, sandbox_id: str, peer: socket.socket) -> None:
        self.ended = asyncio.Event()
        self.pid = 0
        #: The most bytes that one of its processes ever had, of those that have ended.
        self.peak_bytes = 0
        #: Whether what is killed from now on is killed for its memory.
        self.out_of_memory = False
        self._id = sandbox_id
        self._peer = peer
        peer.setblocking(False)
        self._receiver = frames.Receiver(peer)
        self._loop = asyncio.get_running_loop()
        self._unsent = bytearray()
        self._drained = asyncio.Event()
        self._names = 0
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._processes: dict[int, ReportedProcess] = {}
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(peer.fileno(), self._readable)

    async def wait_ready(self) -> None:
        """Wait until it serves.

        Raises:
            SandboxError: it has ended, or does not begin in time.
        """
        await self._in_time(self._ready, "begin")

    async def start(
        self, spec: ProcessSpec, argv: Sequence[str], cwd: str, *, user: int | None = None
    ) -> ReportedProcess:
        """Start a process with ``argv`` in ``cwd``, and all else as ``spec`` says.

        ``user`` is the user and group id it gets; None: the overseer's own.

        Raises:
            NotExecutableError, SandboxError: see ``base.Sandbox``.
        """
        _check(spec, argv)
        if spec.cwd_once_fitted is not None:
            raise SandboxError("this isolation leads no process to another folder")
        self._names += 1
        name = self._names
        process = self._processes[name] = ReportedProcess(name, self._tell)
        order = {
            "op": "start",
            "name": name,
            "argv": list(argv),
            "env": dict(spec.environment),
            "cwd": cwd,
            "fds": list(spec.fds),
            "descriptors_max": spec.descriptors_max,
            "user": user,
        }
        try:
            await self._ask(order, list(spec.fds.values()))
        except BaseException:
            if self._processes.get(name) is process and not self.ended.is_set():
                # It may run all the same, if nobody waited for the answer.
                process.signal(signal.SIGKILL)
            raise
        return process

    @property
    def running(self) -> bool:
        """Whether a process that it started has not ended."""
        return bool(self._processes)

    async def order(self, what: str, **more: int) -> None:
        """Have it ``kill`` or ``freeze`` everything, or ``fit``; returns when that is done.

        Raises:
            SandboxError: it is not done.
        """
        self._names += 1
        await self._ask({"op": what, "name": self._names, **more}, ())

    def thaw_nowait(self) -> None:
        """Let everything run again."""
        self._tell({"op": "thaw", "name": 0})

    async def _ask(self, order: dict[str, Any], descriptors: Sequence[int]) -> None:
        self._refuse_if_ended()
        name: int = order["name"]
        answer = self._answers[name] = self._loop.create_future()
        try:
            await self._in_time(self._send_and_wait(order, descriptors, answer), order["op"])
        finally:
            self._answers.pop(name, None)

    async def _send_and_wait(
        self, order: dict[str, Any], descriptors: Sequence[int], answer: asyncio.Future[None]
    ) -> None:
        try:
            await self._send(frames.encode(order, descriptors), descriptors)
        except frames.FrameError as err:
            raise SandboxError(f"sandbox {self._id}, {order['op']}: {err}") from err
        except OSError as err:
            raise SandboxError(f"sandbox {self._id} has ended: {err}") from err
        await answer

    async def _send(self, data: bytes, descriptors: Sequence[int]) -> None:
        """Send a message, once those before it are gone."""
        while self._unsent:
            self._drained.clear()
            await self._drained.wait()
        self._refuse_if_ended()
        sent = 0
        if descriptors:
            # Nothing is unsent, so the first byte finds room, and the descriptors go with it.
            sent = frames.send_first(self._peer, data[:1], descriptors)
        self._write(data[sent:])

    def _tell(self, order: dict[str, Any]) -> None:
        """Send an order that nobody waits for; nothing if the overseer is gone."""
        if not self.ended.is_set():
            self._write(frames.encode(order))

    def _write(self, data: bytes) -> None:
        """Send now what goes, and the rest when there is room."""
        if not self._unsent:
            with contextlib.suppress(OSError):
                data = data[self._peer.send(data) :]
            if data:
                self._loop.add_writer(self._peer.fileno(), self._writable)
        self._unsent += data

    def _writable(self) -> None:
        try:
            del self._unsent[: self._peer.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()  # That it is gone is read on the same socket.
        if not self._unsent:
            self._loop.remove_writer(self._peer.fileno())
            self._drained.set()

    async def _in_time(self, wanted: Awaitable[None], what: str) -> None:
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                await wanted
        except TimeoutError as err:
            raise SandboxError(f"sandbox {self._id} did not {what} in time") from err

    def _refuse_if_ended(self) -> None:
        if self.ended.is_set():
            raise SandboxError(f"sandbox {self._id} has ended")

    def _readable(self) -> None:
        try:
            messages = self._receiver.receive()
            if messages is None:
                self.close()
                return
            for notice, descriptors in messages:
                frames.close_all(descriptors)
                self._notice(notice)
        except BlockingIOError:
            return
        except (OSError, frames.FrameError, KeyError, TypeError, ValueError):
            # It runs beside the function's processes: nothing that it says is to be relied on.
            self.close()

    def _notice(self, notice: dict[str, Any]) -> None:
        if "exited" in notice:
            self.peak_bytes = max(self.peak_bytes, int(notice["peak"]))
            process = self._processes.pop(notice["exited"], None)
            if process is not None:
                code = _exit_code(notice["status"])
                process.set_exited(self._status(code))
        elif "failed" in notice:
            self._processes.pop(notice["failed"], None)
            kind = NotExecutableError if notice["unexecutable"] else SandboxError
            answer = self._answers.get(notice["failed"])
            if answer is not None and not answer.done():
                answer.set_exception(kind(notice["error"]))
        elif "done" in notice:
            answer = self._answers.get(notice["done"])
            if answer is not None and not answer.done():
                answer.set_result(None)
        elif not self._ready.done():
            self.pid = int(notice["ready"])
            self._ready.set_result(None)

    def _status(self, code: int) -> ExitStatus:
        if code >= 0:
            return ExitStatus(code=code)
        blamed = self.out_of_memory and -code == signal.SIGKILL
        return ExitStatus(signal=-code, out_of_memory=blamed)

    def close(self) -> None:
        """Let go of it: it ends all its processes, and itself. Safe to call twice."""
        if self.ended.is_set():
            return
        self.ended.set()
        self._loop.remove_reader(self._peer.fileno())
        self._loop.remove_writer(self._peer.fileno())
        self._unsent.clear()
        self._drained.set()
        self._receiver.close()
        self._peer.close()
        gone = SandboxError(f"sandbox {self._id} has ended")
        for answer in (*self._answers.values(), self._ready):
            if not answer.done():
                answer.set_exception(gone)
        if not self._ready.cancelled():
            self._ready.exception()
        for process in self._processes.values():
            process.set_exited(self._status(-signal.SIGKILL))
        self._processes.clear()


def _exit_code(status: int) -> int:
    """A wait status as a code, or a signal's number below zero."""
    low = status & 0x7F
    return (status >> 8) & 0xFF if low == 0 else -low


def _check(spec: ProcessSpec, argv: Sequence[str]) -> None:
    """Refuse what nobody could start.

    Raises:
        SandboxError: the text says what is wrong.
    """
    if not argv:
        raise SandboxError("this backend has no zygote to fork")
    if not argv[0].startswith("/"):
        raise SandboxError(f"{argv[0]}: a program is named by its absolute path inside")
    if any(not 1 <= number < KEPT_FROM for number in spec.fds):
        raise SandboxError(f"descriptors {sorted(spec.fds)}: want 1 to {KEPT_FROM - 1}")
    for text in (*argv, *spec.environment, *spec.environment.values(), spec.cwd):
        if "\0" in text:
            raise SandboxError("an argument, variable or folder holds a zero byte")
    if any(not name or "=" in name for name in spec.environment):
        raise SandboxError("environment: a variable's name is empty, or holds an equals sign")
