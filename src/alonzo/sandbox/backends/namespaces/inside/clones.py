"""Pid 1 of a template: a sandbox whose one process is forked into others, initialised as it is.

The others, its *clones*, are sandboxes that this pid 1 makes of its own: their pid namespaces lie
below its own, for the kernel lets nobody into any other. A clone shows the same mounts, and has its
own ``/tmp``, ``/proc``, network and limits. It belongs to a user namespace of the template's user,
which is what gives forks of the template's process the right to enter (``escort.py``). They have
another user there, and see nothing of the template or of other clones. The other way round the
kernel gives the owner of a user namespace every right over it: what of the template's process is
at work while it is forked can do to clones what their own code can.

Further orders: ``clone`` makes one, ``fork`` brings a fork into it. It keeps its capabilities, as a
maker does. The process stands still (``SIGSTOP``) but while it is forked. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from types import MappingProxyType

from . import escort, root, wire
from . import syscalls as sys
from .init import Init
from .launch import Launcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

#: Where the template's process finds the socket on which it is asked to fork.
FORKS_FD = 5

#: Pid 1 of a clone keeps this one alone.
_CONTROL_FD = 3

#: Longest wait for a step of a fork, or of the making of a clone. It takes milliseconds.
_STEP_S_MAX = 5.0

_NAMESPACES = (
    sys.CLONE_NEWNS
    | sys.CLONE_NEWIPC
    | sys.CLONE_NEWUTS
    | sys.CLONE_NEWNET
    | sys.CLONE_NEWCGROUP
    | sys.CLONE_NEWPID
)


class Surroundings:
    """What a template's pid 1 must know to make clones."""

    def __init__(
        self,
        masked: list[tuple[str, str]],
        listen: Callable[[list[int]], list[socket.socket]],
    ) -> None:
        self.masked = masked
        self.listen = listen


class TemplateInit(Init):
    """The loop of a template's pid 1."""

    ORDERS = MappingProxyType({**Init.ORDERS, "clone": "_clone", "fork": "_fork"})

    def __init__(
        self, control: socket.SocketType, launcher: Launcher, ended: int, around: Surroundings
    ) -> None:
        super().__init__(control, launcher, ended)
        assert launcher.uid is not None
        self._uid = launcher.uid
        self._around = around
        self._clones: dict[str, int] = {}
        self._process = 0
        self._forks: socket.socket | None = None

    # The process

    def _start(self, order: dict[str, Any], descriptors: list[int]) -> None:
        if order["argv"] or self._process:
            wire.close_all(descriptors)
            self._refuse(order, "a template has one process, a fork of its zygote")
            return
        ours, theirs = wire.pair()
        order = {**order, "fds": [*order["fds"], FORKS_FD]}
        super()._start(order, [*descriptors, theirs.detach()])
        if self._forked is not None:
            ours.detach()  # closed already, and its number may be another's
            return
        found = [pid for pid, name in self._names.items() if name == order["name"]]
        self._process, self._forks = (found[0], ours) if found else (0, None)

    def _ended(self, pid: int) -> None:
        super()._ended(pid)
        if pid == self._process:
            self._process, self._forks = 0, None
        for name in [name for name, first in self._clones.items() if first == pid]:
            del self._clones[name]

    def _kill_all(self) -> None:
        """End the process and what it has started: the clones are others' to end."""
        self._signal_own(signal.SIGKILL)

    def _stop_all(self) -> bool:
        self._signal_own(signal.SIGSTOP)
        return True

    def _signal_own(self, number: int) -> None:
        """Signal what has the template's user: all others here are in clones, and have another."""
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):  # it has ended
                if name.isdigit() and os.stat(f"/proc/{name}").st_uid == self._uid:
                    os.kill(int(name), number)

    def _thaw(self, _: dict[str, Any], descriptors: list[int]) -> None:
        wire.close_all(descriptors)

    # Forks

    def _fork(self, order: dict[str, Any], descriptors: list[int]) -> None:
        """Bring a fork into a clone. Descriptors: its cgroups' lists, then the process's own."""
        try:
            with _deadline():
                pid = self._fork_into(order, descriptors)
        except (OSError, escort.EscortError, ValueError, KeyError) as err:
            # The last two: foreign code may answer whatever it likes.
            self._refuse(order, f"fork: {err}")
        else:
            self._names[pid] = order["name"]
            self._tell({"done": order["name"]})
        finally:
            wire.close_all(descriptors)
            if self._process:
                os.kill(self._process, signal.SIGSTOP)

    def _fork_into(self, order: dict[str, Any], descriptors: list[int]) -> int:
        if not self._process or self._forks is None:
            raise ProcessLookupError(0, "the template's process has ended")
        first = self._clones[order["clone"]]
        gate, opener = os.pipe2(os.O_CLOEXEC)
        passed = [gate]
        try:
            for name in escort.NAMESPACES:
                namespace = os.open(f"/proc/{first}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
                passed.append(namespace)  # one by one: what is open must be closed if one fails
            os.kill(self._process, signal.SIGCONT)
            lists, own = descriptors[: order["lists"]], descriptors[order["lists"] :]
            wire.send(self._forks, {"uid": self._uid, "fds": order["fds"]}, [*passed, *own])
            answer = wire.receive(self._forks)
            if answer is None:
                raise ProcessLookupError(0, "the template's process does not fork")
            wire.close_all(answer[1])
            fork = answer[0]["pid"]
            if not isinstance(fork, int) or not escort.is_child(fork, self._process, self._uid):
                raise escort.EscortError("what the process named is no fork of it")
            return escort.lead(
                fork,
                inside_uid=self._uid,
                uid=order_uid(first),
                namespaces=passed[1:],
                let_go=lambda: _open_gate(opener),
                # Its parent, a fork that ends at once, must not keep the clone's cgroups busy.
                settle=lambda child: _list(child, lists),
            )
        finally:
            wire.close_all([*passed, opener])

    # Clones

    def _clone(self, order: dict[str, Any], descriptors: list[int]) -> None:
        """Make one. Descriptors: its control socket; the lists of its cgroups."""
        try:
            with _deadline():
                self._clones[order["clone"]] = self._make(order, descriptors)
        except (OSError, ValueError) as err:
            self._refuse(order, f"clone: {err}")
        else:
            self._tell({"done": order["name"]})
        finally:
            wire.close_all(descriptors)

    def _make(self, order: dict[str, Any], descriptors: list[int]) -> int:
        """Answers the pid of its pid 1, as seen here."""
        ours, theirs = wire.pair()
        with ours:
            with theirs:
                pid = os.fork()
                if pid == 0:
                    self._be_clone(order, descriptors, theirs)
            try:
                _expect(ours)
                # Its root is nobody in particular, and its user is not the template's.
                text = f"0 {order['root']} 1\n{self._uid} {order['uid']} 1\n"
                for kind in ("uid_map", "gid_map"):
                    root.write(f"/proc/{pid}/{kind}", text)
                wire.send(ours, {})
                first: int = _expect(ours)["first"]
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                raise
        return first

    def _be_clone(
        self, order: dict[str, Any], descriptors: list[int], parent: socket.socket
    ) -> NoReturn:
        try:
            control, *lists = descriptors
            self._enter(order, lists, parent)
            first = os.fork()
            if first:
                wire.send(parent, {"first": first})
                os._exit(0)
            _be_first(order, control, self._launcher, self._around)
        except BaseException as err:  # noqa: BLE001 - nothing may climb into pid 1's loop
            with contextlib.suppress(OSError):
                wire.send(parent, {"error": f"{type(err).__name__}: {err}"})
        os._exit(1)

    def _enter(self, order: dict[str, Any], lists: list[int], parent: socket.socket) -> None:
        """Join the cgroups; make the mounts that need a real privilege; then the namespaces.

        The lists are the daemon's, whose right to move processes counts: the cgroups lie outside
        our cgroup namespace, so nobody can be made in them from here (version 2, ``nsdelegate``).
        """
        for members in lists:
            os.write(members, b"0")
        sys.unshare(sys.CLONE_NEWNS)
        # A whole one in sight, without which none can be mounted in a user namespace.
        root.mount_proc("/proc")
        root.mount_tmp(order["tmp_mib"])
        os.setgroups([])
        os.setresgid(self._uid, self._uid, self._uid)
        os.setresuid(self._uid, self._uid, self._uid)
        sys.unshare(sys.CLONE_NEWUSER)
        wire.send(parent, {})
        _expect(parent)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        # The cgroup namespace only after joining, or it would show the path that we came from.
        sys.unshare(_NAMESPACES)


def _be_first(
    order: dict[str, Any], control_fd: int, launcher: Launcher, around: Surroundings
) -> NoReturn:
    """Be pid 1 of a clone until the end."""
    sys.set_dumpable(False)
    sys.set_name("alonzo-clone")
    if control_fd != _CONTROL_FD:
        os.dup2(control_fd, _CONTROL_FD, inheritable=False)
    sys.close_range(_CONTROL_FD + 1, 0x7FFFFFFF)
    control = socket.socket(fileno=_CONTROL_FD)
    listeners = around.listen(order["ports"])
    socket.sethostname(order["hostname"])
    root.mount_proc("/proc")
    root.mask_proc(around.masked)
    sys.set_capabilities([sys.CAP_KILL, sys.CAP_SETGID, sys.CAP_SETUID])
    passed = [sys.pidfd_of_self(), os.open("/tmp", os.O_PATH | os.O_CLOEXEC)]  # noqa: S108 - the sandbox's own
    passed += [listener.detach() for listener in listeners]
    wire.send(control, {"ready": True}, passed)
    wire.close_all(passed)
    Init(control, launcher, sys.signal_descriptor(signal.SIGCHLD)).run()
    os._exit(0)


def order_uid(first: int) -> int:
    """The host's user id of who is no root in the user namespace of ``first``."""
    with open(f"/proc/{first}/uid_map", encoding="ascii") as file:
        return max(int(line.split()[1]) for line in file if line.split()[0] != "0")


def _open_gate(opener: int) -> None:
    os.write(opener, b"1")


def _list(pid: int, lists: list[int]) -> None:
    for members in lists:
        os.write(members, str(pid).encode())


def _expect(peer: socket.socket) -> dict[str, Any]:
    message = wire.receive(peer)
    if message is None or "error" in message[0]:
        raise OSError(0, message[0]["error"] if message else "it ended while it was made")
    return message[0]


@contextlib.contextmanager
def _deadline() -> Any:
    """Raise ``TimeoutError`` in whatever system call takes too long."""

    def ring(number: int, frame: object) -> NoReturn:
        raise TimeoutError(0, "it took too long")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, _STEP_S_MAX)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
