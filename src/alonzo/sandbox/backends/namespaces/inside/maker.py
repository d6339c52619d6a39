"""A maker: forks one ``init`` per sandbox. It lives in the root that they share (``template.py``).

It is pid 1 of a pid namespace: when it ends, for whatever reason, the kernel ends every sandbox.
It ends when its daemon lets go of its socket. Nobody answers on that socket: each sandbox has its
own, so that a slow reader blocks only itself.

A zygote is a maker that another Python runs, and that has imported the zygote's module. It knows
user ids, mounts and limits of its sandboxes, never what they run.
"""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import signal
import socket
import sys as interpreter
from collections.abc import Callable

from . import network, root, wire
from . import syscalls as sys
from .clones import Surroundings, TemplateInit
from .forked import Program
from .init import Init, Watch
from .launch import INSIDE_GID, INSIDE_UID, Launcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OWN_NAMESPACES = sys.CLONE_NEWNS | sys.CLONE_NEWIPC | sys.CLONE_NEWUTS | sys.CLONE_NEWCGROUP


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


def serve_zygote(inbox: socket.socket, kind: Kind, program: Program) -> Callable[[], object]:
    """Be a zygote. Comes back in forks only, with what each is to run."""
    try:
        program.preload()
    except BaseException as err:  # noqa: BLE001 - whatever a foreign interpreter makes of it
        wire.send(inbox, {"error": f"{type(err).__name__}: {err}"})
        os._exit(1)
    order = serve(inbox, kind, name="alonzo-zygote")
    return program.begin(order["env"])


def serve(inbox: socket.socket, kind: Kind, name: str = "alonzo-maker") -> dict[str, Any]:
    """Make sandboxes until the daemon lets go. Comes back in forks of a zygote only."""
    try:
        sys.die_with_parent()
        own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as err:
        wire.send(inbox, {"error": f"{err.filename or 'maker'}: {err.strerror}"})
        os._exit(1)
    sys.set_name(name)
    sys.drop_bounding_set()  # which takes nothing from us, and forks have it so
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps for us
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    gc.disable()
    wire.send(inbox, {"ready": True})
    while True:
        message = wire.receive(inbox)
        if message is None:
            os._exit(0)
        request, descriptors = message
        try:
            forked = _fork_init(request, descriptors, inbox, kind, own_pids)
        except OSError as err:
            _refuse(descriptors[0], err)
        else:
            if forked is not None:
                return forked
        wire.close_all(descriptors)


def _refuse(control: int, err: BaseException) -> None:
    # The daemon may have given this sandbox up.
    with socket.socket(fileno=os.dup(control)) as peer, contextlib.suppress(OSError):
        wire.send(peer, _error(err))


def _error(err: BaseException) -> dict[str, Any]:
    known = isinstance(err, OSError)
    return {"error": f"{err.filename}: {err.strerror}" if known else repr(err)}


def _fork_init(
    request: dict[str, Any],
    descriptors: list[int],
    inbox: socket.socket,
    kind: Kind,
    own_pids: int,
) -> dict[str, Any] | None:
    """Fork pid 1 of a new pid namespace; come back to our own for the next one."""
    sys.unshare(sys.CLONE_NEWPID)
    try:
        pid = _fork_into(descriptors[1], descriptors[0]) if request["unified"] else sys.fork()
    except OSError:
        _come_back(own_pids)
        raise
    if pid == 0:
        inbox.close()
        os.close(own_pids)
        return _be_init(request, descriptors, kind)
    _come_back(own_pids)
    return None


def _fork_into(cgroup: int, control: int) -> int:
    try:
        return sys.fork_into_cgroup(cgroup)
    except OSError:  # a container's own filter may know no clone3, a host no such flag
        pid = sys.fork()
        if pid == 0:
            try:
                members = os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=cgroup)
                os.write(members, b"0")
                os.close(members)
            except OSError as err:
                _refuse(control, err)
                os._exit(1)  # nothing may climb into the maker's loop
        return pid


def _come_back(own_pids: int) -> None:
    try:
        sys.setns(own_pids, sys.CLONE_NEWPID)
    except OSError:
        # A fork from here would land in another sandbox: better end, and be started anew.
        os._exit(1)


def _be_init(request: dict[str, Any], descriptors: list[int], kind: Kind) -> dict[str, Any]:
    """Be pid 1 until the end. Comes back in its forks only."""
    control = socket.socket(fileno=descriptors[0])
    forked = None
    try:
        forked = _make_sandbox(request, control, descriptors[1:], kind).run()
    except BaseException as err:  # noqa: BLE001 - whatever it is, it is the end
        wire.send(control, _error(err))
    finally:
        # Nothing may climb into the maker's loop. An ordinary user's functions can take from pid 1,
        # which is that user too, every descriptor and all memory.
        if forked is None:
            os._exit(0)
    return forked


def _make_sandbox(
    request: dict[str, Any], control: socket.socket, descriptors: list[int], kind: Kind
) -> Init:
    """Become the inside of a sandbox, tell the daemon, and be ready for orders."""
    rest = iter(descriptors)
    if request["unified"]:
        os.close(next(rest))
    for _ in range(request["cgroups"]):
        tasks = next(rest)
        os.write(tasks, b"0")
        os.close(tasks)
    watch = _watch(next(rest)) if request["sampled"] else None
    # The cgroup namespace only after joining, or it would show the path that we came from.
    uplink = next(rest, None)
    sockets = network.enter(request["network"], request["ports"], _OWN_NAMESPACES, uplink)
    uid: int | None = request["uid"]
    socket.sethostname(request["hostname"])
    root.enter(
        root.RootPlan(
            names=(request["hostname"], *request["loopback_names"]),
            uid=INSIDE_UID if uid is None else uid,
            gid=INSIDE_GID if uid is None else uid,
        ),
        kind.shared,
        kind.masked,
    )
    template: str | None = request["template"]
    proc = sys.open_mount("/proc") if kind.rootless else None
    if template is None:
        kept = _harden(rootless=kind.rootless, inspects=request["inspects"])
    else:
        kept = _harden_maker()
    # The daemon keeps /tmp only to ask how full it is.
    passed = [sys.pidfd_of_self(), os.open("/tmp", os.O_PATH | os.O_CLOEXEC)]  # noqa: S108 - paths inside a sandbox
    passed += [one.detach() for one in sockets]
    wire.send(control, {"ready": True}, passed)
    wire.close_all(passed)
    if template is None:
        return Init(
            control, Launcher(uid, request["processes_max"], kind.filter, proc), kept, watch
        )
    return TemplateInit(
        control,
        Launcher(uid, request["processes_max"], bytes.fromhex(template)),
        kept,
        Surroundings(kind.masked, network.listen),
    )


def _harden_maker() -> list[int]:
    """Pid 1 of a template makes sandboxes, as its maker does, and keeps what that takes."""
    sys.set_name("alonzo-template")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.set_dumpable(False)
    return sys.permitted_capabilities()


def _watch(descriptor: int) -> Watch:
    page = mmap.mmap(descriptor, mmap.PAGESIZE)
    os.close(descriptor)
    return Watch(page)


def _harden(*, rootless: bool, inspects: bool) -> list[int]:
    """Keep only what pid 1 needs; what of that it needs beyond ``fit`` is answered.

    As root: to end processes of another user, to become that user, to say for good who ends first
    out of memory and, if no cgroup spares it the work, to see them. An ordinary user owns the
    processes. Until ``fit`` it must mount.
    """
    sys.set_name("alonzo-init")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which pid 1 of a namespace never notices
    kept = [] if rootless else [sys.CAP_KILL, sys.CAP_SETGID, sys.CAP_SETUID]
    if inspects and not rootless:
        kept.append(sys.CAP_SYS_PTRACE)
    if not rootless:
        try:
            sys.set_capabilities([*kept, sys.CAP_SYS_RESOURCE, sys.CAP_SYS_ADMIN])
            kept.append(sys.CAP_SYS_RESOURCE)
        except PermissionError:  # root of a container need not have it
            pass
    sys.set_capabilities([*kept, sys.CAP_SYS_ADMIN])
    sys.set_dumpable(False)
    return kept


def main(argument: str) -> Callable[[], object]:
    """The beginning of a zygote; ``argument`` is JSON from the opener."""
    import json

    told = json.loads(argument)
    inbox = socket.socket(fileno=told["inbox"])
    inbox.set_inheritable(False)
    try:
        sys.forget_ambient_capabilities()
        sys.umount_detached(told["helpers"])
        kind = Kind(told["rootless"], told["shared"], bytes.fromhex(told["filter"]), root.masks())
        program = Program(told["interpreter"], told["folder"], told["module"])
    except BaseException as err:  # noqa: BLE001 - whatever a foreign interpreter makes of it
        wire.send(inbox, {"error": f"{type(err).__name__}: {err}"})
        interpreter.exit(1)
    return serve_zygote(inbox, kind, program)
