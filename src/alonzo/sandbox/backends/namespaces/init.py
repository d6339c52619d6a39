"""Pid 1 of a sandbox: starts, signals, ends and reaps the processes inside.

It takes orders from the daemon on one socket, and dies when that socket ends; the kernel then
ends everything else in the pid namespace. What runs beside it cannot hurt it: it is pid 1, so no
signal from inside has an effect; it cannot be traced or looked into (not dumpable, another user
or another user namespace); it holds no memory that counts.

Orders: ``start``, ``signal``, ``kill``, and, where no freezer does it, ``freeze`` and ``thaw``.
Notices: ``done`` or ``failed`` for each order but ``signal`` and ``thaw``; ``exited``.

Standard library only.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import signal
import socket
import struct
from dataclasses import dataclass
from typing import Any

from alonzo.sandbox.backends.namespaces import syscalls as sys
from alonzo.sandbox.backends.namespaces import wire
from alonzo.sandbox.backends.namespaces.launch import Launcher, UnexecutableFileError

#: How often the sizes of the processes are looked at where no cgroup limits them.
SAMPLE_MS = 25

#: The shared page that holds the last sample: bytes now, bytes at the highest.
SAMPLE_LAYOUT = struct.Struct("=QQ")

#: How long a freeze looks for the last process to stop: two seconds in all.
_STOP_ATTEMPTS_MAX = 2000
_STOP_PAUSE_S = 0.001

_STOPPED_STATES = ("T", "t", "Z", "X")


@dataclass(frozen=True)
class Watch:
    """Limits that this process enforces, because no cgroup does."""

    memory_bytes: int
    page: mmap.mmap


class Init:
    """The loop of pid 1."""

    def __init__(
        self, control: socket.socket, launcher: Launcher, watch: Watch | None = None
    ) -> None:
        self._control = control
        self._launcher = launcher
        self._watch = watch
        self._names: dict[int, int] = {}
        self._frozen = False
        self._out_of_memory = False
        self._peak_bytes = 0

    def run(self) -> None:
        """Serve until the daemon lets go of the socket."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        ended = sys.signal_descriptor(signal.SIGCHLD)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(ended, select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in poll.poll(self._wait_ms())]
            if ended in ready:
                os.read(ended, 128 * 16)
                self._reap(os.WNOHANG)
            if self._control.fileno() in ready:
                order = wire.receive(self._control)
                if order is None:
                    return
                self._obey(*order)
            if self._watch is not None:
                self._sample(self._watch)

    def _wait_ms(self) -> int | None:
        return SAMPLE_MS if self._watch and self._names and not self._frozen else None

    def _obey(self, order: dict[str, Any], descriptors: list[int]) -> None:
        kind = order["op"]
        if kind == "start":
            self._start(order, descriptors)
        elif kind == "signal":
            self._signal(order["name"], order["number"])
        elif kind == "kill":
            self._kill_all()
            self._tell({"done": order["name"]})
        elif kind == "freeze":
            stopped = self._stop_all()
            refusal = {"error": "a process does not stop", "unexecutable": False}
            self._tell({"done": order["name"]} if stopped else {"failed": order["name"], **refusal})
        elif kind == "thaw":
            self._frozen = False
            _signal_all(signal.SIGCONT)

    def _tell(self, notice: dict[str, Any]) -> None:
        wire.send(self._control, notice)

    def _start(self, order: dict[str, Any], descriptors: list[int]) -> None:
        if not self._names:
            self._out_of_memory = False
        try:
            pid = self._launcher.launch(order, descriptors)
        except OSError as err:
            self._tell(
                {
                    "failed": order["name"],
                    "error": f"{err.filename or 'start'}: {err.strerror}",
                    "unexecutable": isinstance(err, UnexecutableFileError),
                }
            )
        else:
            self._names[pid] = order["name"]
            self._tell({"done": order["name"]})
        finally:
            wire.close_all(descriptors)

    def _signal(self, name: int, number: int) -> None:
        for pid, owner in self._names.items():
            if owner == name:
                with contextlib.suppress(OSError):  # no such signal: the sender's mistake
                    os.kill(pid, number)

    def _reap(self, options: int) -> None:
        """Collect the dead; with no options, until no process is left at all."""
        while True:
            try:
                pid, status = os.waitpid(-1, options)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self._names.pop(pid, None)
            if name is not None:
                self._tell({"exited": name, "status": status, "oom": self._out_of_memory})

    def _kill_all(self) -> None:
        self._frozen = False
        _signal_all(signal.SIGKILL)
        self._reap(0)

    def _stop_all(self) -> bool:
        """Stop everything; False if something (in an uninterruptible wait) does not."""
        self._frozen = True
        for _ in range(_STOP_ATTEMPTS_MAX):
            _signal_all(signal.SIGSTOP)
            if all(_state(pid) in _STOPPED_STATES for pid in _others()):
                return True
            select.select((), (), (), _STOP_PAUSE_S)
        return False

    def _sample(self, watch: Watch) -> None:
        used = sum(map(_resident_bytes, _others()))
        if used > watch.memory_bytes:
            # Pages that a fork shares were counted once for each process: now count them right.
            used = sum(map(_proportional_bytes, _others()))
        self._peak_bytes = max(self._peak_bytes, used)
        SAMPLE_LAYOUT.pack_into(watch.page, 0, used, self._peak_bytes)
        if used > watch.memory_bytes:
            self._out_of_memory = True
            self._kill_all()


def _signal_all(number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # nobody is left
        os.kill(-1, number)


def _others() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def _state(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return chr(file.read().rpartition(b")")[2].split()[0][0])
    except OSError:
        return "X"


def _resident_bytes(pid: int) -> int:
    """Resident pages that are not those of a file on a disk, shared ones counted whole."""
    return _sum_of_lines(f"/proc/{pid}/status", (b"RssAnon:", b"RssShmem:"))


def _proportional_bytes(pid: int) -> int:
    """The same with each shared page divided by the number of its users; slower."""
    return _sum_of_lines(f"/proc/{pid}/smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:"))


def _sum_of_lines(path: str, wanted: tuple[bytes, ...]) -> int:
    try:
        with open(path, "rb") as file:
            lines = file.read().splitlines()
    except OSError:  # it has ended
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(wanted))
