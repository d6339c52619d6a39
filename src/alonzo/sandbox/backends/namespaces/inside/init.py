"""Pid 1 of a sandbox: starts, signals, ends and reaps the processes inside.

It takes orders from the daemon on one socket, and dies when that socket ends; the kernel then
ends everything else in the pid namespace. What runs beside it cannot hurt it: it is pid 1, so no
signal from inside has an effect; it cannot be traced or looked into (not dumpable, another user
or another user namespace); it holds no memory that counts.

Orders: ``attach`` (mounts), ``fit``, ``refuse`` (the opener could not open a mount), ``start``,
``connect``, ``signal``, ``kill``, and, where no freezer does it, ``freeze`` and ``thaw``.
Notices: ``done`` or ``failed`` for each order but ``signal`` and ``thaw``; ``exited``.

It may mount until ``fit``, and nothing of the kind from then on.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import select
import signal
import socket
import struct
from collections.abc import Sequence
from types import MappingProxyType

from . import root, steps, wire
from .launch import Launcher, UnexecutableFileError
from .leading import Leader
from .sizes import proportional_bytes, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from .steps import Step

#: How often the sizes of the processes are looked at where no cgroup limits them.
SAMPLE_MS = 25

#: How often it is looked whether what was stopped stands still. A timer can send SIGCONT.
_FROZEN_LOOK_MS = 2500

#: The shared page that holds the last sample: bytes now, bytes at the highest.
SAMPLE_LAYOUT = struct.Struct("=QQ")

#: How many dead are collected before orders get their turn: orphans may die faster than they are.
_REAPED_AT_ONCE_MAX = 256

#: How long a freeze looks for the last process to stop: two seconds in all.
_STOP_ATTEMPTS_MAX = 2000
_STOP_PAUSE_S = 0.001

#: So many processes may be busy at once where no cgroup divides the processors; more of them get
#: the last of all priorities, for good.
_RUNNING_MAX = max(16, 4 * (os.cpu_count() or 1))
_LAST = 19

_STOPPED_STATES = ("T", "t", "Z", "X")


class Watch:
    """A limit that this process enforces, because no cgroup does, once it is known."""

    def __init__(self, page: mmap.mmap) -> None:
        self.page = page
        self.memory_bytes = 0


class Init:
    """The loop of pid 1.

    ``ended`` is readable when a child has ended; ``SIGCHLD`` is blocked, and the kernel keeps the
    dead. ``once_fitted`` leaves it the capabilities that it keeps for good. ``watch`` is set where
    it must limit memory.
    """

    #: The method for each order, by name: a fork makes no objects for them.
    ORDERS: Mapping[str, str] = MappingProxyType(
        {
            "attach": "_attach",
            "fit": "_fit",
            "refuse": "_refused",
            "start": "_start",
            "connect": "_connect",
            "signal": "_signal",
            "kill": "_kill",
            "freeze": "_freeze",
            "thaw": "_thaw",
        }
    )

    def __init__(
        self,
        control: socket.SocketType,
        launcher: Launcher,
        ended: int,
        once_fitted: Iterable[Step] = (),
    ) -> None:
        self._control = control
        self._launcher = launcher
        self._hears = ended
        self._once_fitted = once_fitted
        self.watch: Watch | None = None
        self._forked: dict[str, Any] | None = None
        self._names: dict[int, int] = {}
        self._leaders: dict[int, Leader] = {}
        self._fitted = False
        self._frozen = False
        self._out_of_memory = False
        self._peak_bytes = 0
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._poll.register(ended, select.POLLIN)

    def run(self) -> dict[str, Any] | None:
        """Serve until the daemon lets go of the socket.

        Comes back with the order in each process that was forked without a program.
        """
        ended = self._hears
        poll = self._poll
        more = False
        while True:
            ready = [descriptor for descriptor, _ in poll.poll(0 if more else self._wait_ms())]
            if ended in ready:
                os.read(ended, 128 * 16)
                more = True
            if more:
                more = self._reap_some()
            if self._control.fileno() in ready:
                message = wire.receive(self._control)
                if message is None:
                    return None
                self._obey(*message)
                if self._forked is not None:
                    return self._forked
            if self._frozen:
                self._look_at_frozen()
            elif self.watch is not None and self.watch.memory_bytes:
                self._sample(self.watch)

    def _wait_ms(self) -> int | None:
        if self._frozen:
            return _FROZEN_LOOK_MS
        watched = self.watch is not None and self.watch.memory_bytes
        return SAMPLE_MS if watched and self._names else None

    def _obey(self, order: dict[str, Any], descriptors: list[int]) -> None:
        getattr(self, self.ORDERS[order["op"]])(order, descriptors)

    def _attach(self, order: dict[str, Any], trees: list[int]) -> None:
        try:
            root.attach_all(order["targets"], trees)
        except OSError as err:
            self._refuse(order, f"{err.filename or 'attach'}: {err.strerror}")
        else:
            self._done(order["name"])
        finally:
            wire.close_all(trees)

    def _fit(self, order: dict[str, Any], trees: list[int]) -> None:
        try:
            root.attach_all(order["targets"], trees)
            root.size_tmp(order["tmp_mib"])
            self._fitted = True
            for leader in self._leaders.values():
                leader.go()
            self._leaders.clear()
            steps.take(self._once_fitted)
        except OSError as err:
            self._refuse(order, f"{err.filename or 'fit'}: {err.strerror}")
        else:
            if self.watch is not None:
                self.watch.memory_bytes = order["memory_bytes"]
            self._done(order["name"])
        finally:
            wire.close_all(trees)

    def _refused(self, order: dict[str, Any], descriptors: list[int]) -> None:
        wire.close_all(descriptors)
        self._refuse(order, order["error"])

    def _connect(self, order: dict[str, Any], descriptors: list[int]) -> None:
        """Begin a connection; the daemon waits for it, so a listener cannot hold us."""
        wire.close_all(descriptors)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as peer:
            peer.setblocking(False)
            number = peer.connect_ex(("127.0.0.1", order["port"]))
            if number in (0, errno.EINPROGRESS):
                self._tell({"done": order["name"]}, [peer.fileno()])
            else:
                self._refuse(order, os.strerror(number), number=number)

    def _kill(self, order: dict[str, Any], descriptors: list[int]) -> None:
        wire.close_all(descriptors)
        self._kill_all()
        self._done(order["name"])

    def _freeze(self, order: dict[str, Any], descriptors: list[int]) -> None:
        wire.close_all(descriptors)
        if self._stop_all():
            self._done(order["name"])
        else:
            self._refuse(order, "a process does not stop")

    def _thaw(self, _: dict[str, Any], descriptors: list[int]) -> None:
        wire.close_all(descriptors)
        self._frozen = False
        _signal_all(signal.SIGCONT)

    def _refuse(self, order: dict[str, Any], error: str, **more: Any) -> None:
        self._tell({"failed": order["name"], "error": error, **more})

    def _done(self, name: int) -> None:
        wire.send_encoded(self._control, b'{"done":%d}' % name)

    def _tell(self, notice: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        wire.send(self._control, notice, descriptors)

    def _start(self, order: dict[str, Any], descriptors: list[int]) -> None:
        if not self._names:
            self._out_of_memory = False
        leader: Leader | None = None
        try:
            leader = self._leader(order)
            pid = self._launcher.launch(order, descriptors, self._let_go, leader)
        except OSError as err:
            if leader is not None:
                leader.meet()
                leader.close()
            self._not_started(order["name"], err)
        else:
            if pid == 0:
                self._forked = order
                return
            self._names[pid] = order["name"]
            if leader is not None:
                leader.meet()
                self._leaders[pid] = leader
            self._done(order["name"])
        wire.close_all(descriptors)

    def adopt(self, name: int, pid: int, failure: OSError | None) -> None:
        """Answer the order of that name, which the process ``pid`` has carried out on itself."""
        if failure is None:
            self._names[pid] = name
            self._done(name)
        else:
            os.waitpid(pid, 0)
            self._not_started(name, failure)

    def _not_started(self, name: int, err: OSError) -> None:
        blamed = isinstance(err, UnexecutableFileError)
        text = f"{err.filename or 'start'}: {err.strerror}"
        self._refuse({"name": name}, text, unexecutable=blamed)

    def _leader(self, order: dict[str, Any]) -> Leader | None:
        if order["lead"] and self._fitted:
            raise OSError(errno.EINVAL, "nobody leads once the sandbox is fitted", "lead")
        return Leader() if order["lead"] else None

    def _let_go(self) -> None:
        """In a fork, before its descriptors are put in order: what was pid 1's is not ours.

        Later would be too late: these objects close numbers, whatever has them by then.
        """
        os.close(self._control.detach())
        if self.watch is not None:
            self.watch.page.close()  # shared: who may write it could lie about its memory
            self.watch = None

    def _signal(self, order: dict[str, Any], descriptors: list[int]) -> None:
        wire.close_all(descriptors)
        for pid, owner in self._names.items():
            if owner == order["name"]:
                with contextlib.suppress(OSError):  # no such signal: the sender's mistake
                    os.kill(pid, order["number"])

    def _reap_some(self) -> bool:
        """Collect some of the dead; whether there may be more."""
        return all(self._reap_one(os.WNOHANG) for _ in range(_REAPED_AT_ONCE_MAX))

    def _reap_one(self, options: int) -> bool:
        """Collect one of the dead; without options wait for it. False if there is none."""
        try:
            pid, status = os.waitpid(-1, options)
        except ChildProcessError:
            return False
        if pid == 0:
            return False
        self._ended(pid)
        name = self._names.pop(pid, None)
        if name is not None:
            self._tell({"exited": name, "status": status, "oom": self._out_of_memory})
        return True

    def _ended(self, pid: int) -> None:
        """A process that was started here, or that lost its parent, has ended."""
        leader = self._leaders.pop(pid, None)
        if leader is not None:
            leader.close()
        for leader in self._leaders.values():
            if leader.pid == pid:
                leader.pid = 0

    def _kill_all(self) -> None:
        self._frozen = False
        _signal_all(signal.SIGKILL)
        while self._reap_one(0):
            pass

    def _stop_all(self) -> bool:
        """Stop everything; False if something (in an uninterruptible wait) does not."""
        self._frozen = True
        for _ in range(_STOP_ATTEMPTS_MAX):
            _signal_all(signal.SIGSTOP)
            if all(_state(pid) in _STOPPED_STATES for pid in _others()):
                return True
            select.select((), (), (), _STOP_PAUSE_S)
        return False

    def _look_at_frozen(self) -> None:
        """End everything if something has not stayed where it was stopped."""
        if not all(_state(pid) in _STOPPED_STATES for pid in _others()):
            self._kill_all()

    def _sample(self, watch: Watch) -> None:
        found = [(pid, size_of(pid)) for pid in _others()]
        sizes = [size for _, size in found]
        _demote([pid for pid, size in found if size.running])
        used = sum(size.current for size in sizes)
        if used > watch.memory_bytes:
            # Pages that a fork shares were counted once for each process: now count them right.
            used = sum(map(proportional_bytes, _others()))
        # Between two looks only the peak of each alone is known.
        self._peak_bytes = max(self._peak_bytes, used, *(size.peak for size in sizes), 0)
        SAMPLE_LAYOUT.pack_into(watch.page, 0, used, self._peak_bytes)
        if used > watch.memory_bytes:
            self._out_of_memory = True
            self._kill_all()


def _signal_all(number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # nobody is left
        os.kill(-1, number)


def _demote(running: list[int]) -> None:
    """Let many that are all busy stand behind everybody else: nothing limits their processors."""
    if len(running) > _RUNNING_MAX:
        for pid in running:
            with contextlib.suppress(OSError):  # it has ended
                os.setpriority(os.PRIO_PROCESS, pid, _LAST)


def _others() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def _state(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return chr(file.read().rpartition(b")")[2].split()[0][0])
    except OSError:
        return "X"
