"""The program: takes orders on descriptor 0 and ends, with all below it, when that ends.

It adopts what its processes leave behind (Linux: ``PR_SET_CHILD_SUBREAPER``, or it is pid 1), so
that everything they ever start stays below it.

Orders: ``start``, ``signal``, ``kill``, ``freeze``, ``thaw``, and, for pid 1 of a sandbox, ``fit``,
which makes ``/tmp`` and limits the number of processes. Notices: ``ready`` at first; ``done`` or
``failed`` for each order but ``signal`` and ``thaw``; ``exited``. Standard library only, Python 3.8
or later, imports within the folder only: it also runs where nothing else of ours is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import time  # noqa: TID251 - nothing of ours is there, no Clock either
from typing import Any

from . import family, frames, starting

_PR_SET_CHILD_SUBREAPER = 36

#: Between two looks whether all have stopped, or ended; and how long that may take.
_PAUSE_S = 0.001

#: Between two looks at the number of processes, where it has a limit.
_LOOK_S = 0.05
_PATIENCE_S = 10.0


class Overseer:
    """The loop. ``processes`` are those it was told to start, by pid."""

    def __init__(self, control: socket.socket, alarm: int) -> None:
        self._control = control
        self._alarm = alarm
        self._receiver = frames.Receiver(control)
        self._processes: dict[int, int] = {}
        self._processes_max = 0
        self._orders = {
            "start": self._start,
            "kill": self._kill,
            "freeze": self._freeze,
            "fit": self._fit,
        }

    def run(self) -> None:
        """Serve until the daemon lets go of its end, then end what is left."""
        self._tell({"ready": os.getpid()})
        with contextlib.suppress(OSError, frames.FrameError):
            while self._serve():
                pass
        if os.getpid() != 1:  # The kernel ends what is below pid 1.
            self._end_all()

    def _serve(self) -> bool:
        watching = self._processes_max and self._processes
        readable, _, _ = select.select(
            [self._control, self._alarm], [], [], _LOOK_S if watching else None
        )
        if watching and len(family.below(os.getpid())) > self._processes_max:
            self._end_all()
        if self._alarm in readable:
            os.read(self._alarm, 4096)
            self._reap()
        if self._control in readable:
            messages = self._receiver.receive()
            if messages is None:
                return False
            for order, descriptors in messages:
                self._obey(order, descriptors)
        return True

    def _tell(self, notice: dict[str, Any]) -> None:
        # The daemon may be gone; that is heard of where orders come in.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._control.sendall(frames.encode(notice))

    def _obey(self, order: dict[str, Any], descriptors: list[int]) -> None:
        name = order["name"]
        try:
            if order["op"] == "signal":
                self._signal(name, order["number"])
            elif order["op"] == "thaw":
                self._each(signal.SIGCONT)
            else:
                self._orders[order["op"]](order, descriptors)
                self._tell({"done": name})
        except starting.StartError as err:
            self._tell({"failed": name, "error": str(err), "unexecutable": err.unexecutable})
        except OSError as err:
            self._tell({"failed": name, "error": f"{order['op']}: {err}", "unexecutable": False})
        finally:
            frames.close_all(descriptors)

    def _start(self, order: dict[str, Any], descriptors: list[int]) -> None:
        self._processes[starting.start(order, descriptors)] = order["name"]

    def _signal(self, name: int, number: int) -> None:
        for pid, named in self._processes.items():
            if named == name:
                with contextlib.suppress(OSError, ValueError, OverflowError):
                    os.kill(pid, number)

    def _reap(self) -> None:
        """Take the status of whatever has ended, and tell of those that we were told to start."""
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self._processes.pop(pid, None)
            if name is not None:
                # Kibibytes on Linux.
                self._tell({"exited": name, "status": status, "peak": used.ru_maxrss << 10})

    def _each(self, number: int) -> dict[int, str]:
        """Signal everything below us; answers the states from before."""
        found = family.below(os.getpid())
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, number)
        return found

    def _fit(self, order: dict[str, Any], descriptors: list[int]) -> None:
        starting.mount_tmp(order["tmp_mib"])
        self._processes_max = order["processes_max"]

    def _freeze(self, order: dict[str, Any], descriptors: list[int]) -> None:
        until_s = time.monotonic() + _PATIENCE_S
        while True:
            found = self._each(signal.SIGSTOP)
            if all(state in family.STOPPED + family.DEAD for state in found.values()):
                return
            if time.monotonic() > until_s:
                raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            time.sleep(_PAUSE_S)

    def _kill(self, order: dict[str, Any], descriptors: list[int]) -> None:
        self._end_all()

    def _end_all(self) -> None:
        """End everything below us. What is stopped cannot fork, so the last is met some time."""
        until_s = time.monotonic() + _PATIENCE_S
        while True:
            living = [s for s in self._each(signal.SIGSTOP).values() if s not in family.DEAD]
            if not living:
                break
            self._each(signal.SIGKILL)
            self._reap()
            if time.monotonic() > until_s:
                raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            time.sleep(_PAUSE_S)
        self._reap()


def main() -> None:
    """Be the overseer behind descriptor 0."""
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    starting.control_process(_PR_SET_CHILD_SUBREAPER, 1)
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    # Terminals and service managers speak to the daemon, which speaks to us.
    for number in starting.IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    Overseer(control, reader).run()
