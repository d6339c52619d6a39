"""From a fork of a maker to a sandbox: namespaces, cgroups, root, network, hardened pid 1.

Whoever writes to memory that forks share gets a copy, and Python counts references in whatever it
touches. So where the first process is a fork as well, *it* makes the sandbox, while pid 1 waits:
it has the same rights until it gives them up, and copies of its own in any case.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket

from . import network, root, steps, wire
from . import syscalls as sys
from .clones import Surroundings, TemplateInit
from .init import Init, Watch
from .launch import INSIDE_GID, INSIDE_UID, Launcher, failure_of, read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OWN_NAMESPACES = sys.CLONE_NEWNS | sys.CLONE_NEWIPC | sys.CLONE_NEWUTS | sys.CLONE_NEWCGROUP

#: What the first process says once the daemon knows that the sandbox stands; more is a failure.
_STANDS = b"+"


class Kind:
    """What all sandboxes of one maker have in common.

    ``shared``: targets of its own mounts. ``filter``: the system-call filter. ``masked``: what is
    hidden in /proc.
    """

    def __init__(
        self, rootless: bool, shared: list[str], filter_: bytes, masked: list[tuple[str, str]]
    ) -> None:
        self.rootless = rootless
        self.shared = shared
        self.filter = filter_
        self.masked = masked

    def prepare(self) -> None:
        """In the maker, in its root: have ready what its forks take."""
        self.root = root.Root(self.shared, self.masked)
        self.filtering = steps.install_filter(self.filter)
        self.hardening = {one: Hardening(self.rootless, one) for one in (False, True)}
        self.ended = sys.signal_descriptor(signal.SIGCHLD)
        self.mind_children = steps.by_default(signal.SIGCHLD)


class Hardening:
    """What pid 1 keeps: what it needs. ``first`` are steps, ``last`` is the one of ``fit``.

    As root: to end processes of another user, to become that user, to say for good who ends first
    out of memory and, if no cgroup spares it the work, to see them. An ordinary user owns the
    processes. Until ``fit`` it must mount.
    """

    def __init__(self, rootless: bool, inspects: bool) -> None:
        kept: list[int] = []
        if not rootless:
            kept = [sys.CAP_KILL, sys.CAP_SETGID, sys.CAP_SETUID]
            kept += [sys.CAP_SYS_PTRACE] if inspects else []
            # Root of a container need not have it.
            permitted = sys.permitted_capabilities()
            kept += [sys.CAP_SYS_RESOURCE] if sys.CAP_SYS_RESOURCE in permitted else []
        self.first = [
            steps.set_name("alonzo-init"),
            steps.set_capabilities([*kept, sys.CAP_SYS_ADMIN]),
            steps.set_dumpable(False),
        ]
        self.last = [steps.set_capabilities(kept)]


class Making:
    """One sandbox to make, as its maker has it ready before it forks.

    ``left`` is the maker's, which the fork closes. ``cgroup`` is the folder of version 2, if there
    is one; ``reader`` and ``writer`` are for the first process to tell pid 1.
    """

    def __init__(
        self,
        request: dict[str, Any],
        descriptors: list[int],
        kind: Kind,
        left: tuple[socket.socket, int],
    ) -> None:
        self.reader, self.writer = os.pipe2(os.O_CLOEXEC) if request["begun"] else (-1, -1)
        control, *rest = descriptors
        self.control = socket.SocketType(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, control)
        joined = [rest.pop(0)] if request["unified"] else []
        joining = [rest.pop(0) for _ in range(request["cgroups"])]
        self.request = request
        self.kind = kind
        self.cgroup = joined[0] if joined else -1
        self.page = rest.pop(0) if request["sampled"] else -1
        self.way = network.Way(request["network"], rest[0] if rest else None)
        self.entering = [
            *steps.close_all([left[0].fileno(), left[1], *joined]),
            *(steps.write(tasks, b"0") for tasks in joining),
            *steps.close_all(joining),
            kind.mind_children,
            # The cgroup namespace only after joining, or it would show the path that we came from.
            *self.way.entering(_OWN_NAMESPACES),
        ]
        hardening = kind.hardening[request["inspects"]]
        self.hardening = hardening.first
        if request["begun"]:
            self.hardening = [steps.close(self.writer), *hardening.first]
        self.launcher = Launcher(request["uid"], request["processes_max"], kind.filtering)
        self.init = Init(self.control, self.launcher, kind.ended, hardening.last)

    def let_go(self) -> None:
        """In the maker: keep nothing but the descriptors that came."""
        self.control.detach()
        if self.request["begun"]:
            wire.close_all((self.reader, self.writer))


def error_of(err: BaseException) -> dict[str, Any]:
    """The message that a sandbox could not be made."""
    known = isinstance(err, OSError)
    return {"error": f"{err.filename}: {err.strerror}" if known else repr(err)}


def make_alone(making: Making) -> Init:
    """Become the inside of a sandbox, tell the daemon, and be ready for orders."""
    request, kind = making.request, making.kind
    making.way.look_outside()
    steps.take(making.entering)
    sockets = _settle(making)
    if request["template"] is not None:
        _harden_maker()
        _tell(making.control, sockets)
        making.launcher.filtering = steps.install_filter(bytes.fromhex(request["template"]))
        around = Surroundings(kind.masked, network.listen)
        return TemplateInit(making.control, making.launcher, kind.ended, around)
    _watch(making)
    steps.take(making.hardening)
    _tell(making.control, sockets)
    return making.init


def make_by_first(making: Making) -> dict[str, Any] | None:
    """The same, done by the first process, which is a fork; and be pid 1 until the end.

    Comes back in forks, with the order that they are for. That of the first is the daemon's first,
    and comes in any case. It has what the daemon holds, until it gives up all of that at once, as
    every fork does.
    """
    making.way.look_outside()
    steps.take(making.entering)
    pid = sys.fork()
    if pid == 0:
        return _be_first(making)
    making.way.close()
    steps.take(making.hardening)
    said = read_all(making.reader)
    if said[:1] != _STANDS:
        os._exit(0)  # it has said why, or was killed
    _see_proc(making)
    _watch(making)
    making.init.adopt(making.request["begun"], pid, failure_of(said[1:]))
    return making.init.run()


def _be_first(making: Making) -> dict[str, Any]:
    control = making.control
    try:
        sockets = _settle(making)
        _tell(control, sockets)
        message = wire.receive(control)
        if message is None:
            os._exit(0)
        os.write(making.writer, _STANDS)
    except BaseException as err:  # noqa: BLE001 - whatever it is, it is the end
        wire.send(control, error_of(err))
        os._exit(1)
    order, descriptors = message
    making.launcher.become(order, descriptors, making.writer, lambda: os.close(control.detach()))
    return order


def _watch(making: Making) -> None:
    if making.page >= 0:
        making.init.watch = Watch(mmap.mmap(making.page, mmap.PAGESIZE))
        os.close(making.page)


def _see_proc(making: Making) -> None:
    if making.kind.rootless:
        making.launcher.proc = sys.open_mount("/proc")


def _settle(making: Making) -> list[socket.socket]:
    """Make the network and the root. Answers what listens."""
    request = making.request
    sockets = making.way.settle(request["ports"])
    uid: int | None = request["uid"]
    socket.sethostname(request["hostname"])
    making.kind.root.enter(
        root.RootPlan(
            names=(request["hostname"], *request["loopback_names"]),
            uid=INSIDE_UID if uid is None else uid,
            gid=INSIDE_GID if uid is None else uid,
        )
    )
    _see_proc(making)
    return sockets


def _tell(control: socket.SocketType, sockets: list[socket.socket]) -> None:
    """Say that the sandbox stands. The daemon keeps /tmp only to ask how full it is."""
    passed = [sys.pidfd_of(1), os.open("/tmp", os.O_PATH | os.O_CLOEXEC)]  # noqa: S108 - paths inside a sandbox
    passed += [one.detach() for one in sockets]
    wire.send_encoded(control, b'{"ready":true}', passed)
    wire.close_all(passed)


def _harden_maker() -> None:
    """Pid 1 of a template makes sandboxes, as its maker does, and keeps what that takes."""
    sys.set_name("alonzo-template")
    sys.set_dumpable(False)
