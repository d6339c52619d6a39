"""The helper that makes sandboxes: two processes with small heaps, so that a fork is cheap.

    daemon ──create, descriptors──▶ opener ──and opened folders──▶ maker ──fork──▶ init (pid 1)
      ▲                                                                             │
      └───────────────────────── the sandbox's own control socket ──────────────────┘

* The *opener* sees the host as the daemon does. It opens the folders that a sandbox will show,
  as detached read-only trees, and passes everything on.
* The *maker* lives in the empty shared root (``tree.py``) and forks. It is pid 1 of a pid
  namespace: when it ends, for whatever reason, the kernel ends every sandbox.
* It ends when its daemon does: the socket ends, and the parent death signal is set.
* The opener ends when the maker does, so that the daemon starts another helper.

Nobody answers on the shared sockets: each sandbox has its own, so that a slow reader blocks only
itself. Standard library only; run as ``python -I -S -c`` with the package's folder appended.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import mmap
import os
import platform
import resource
import select
import signal
import socket
import struct
from typing import Any, NoReturn

from alonzo.sandbox.backends.namespaces import seccomp, tree, wire
from alonzo.sandbox.backends.namespaces import syscalls as sys
from alonzo.sandbox.backends.namespaces.init import Init, Watch
from alonzo.sandbox.backends.namespaces.launch import INSIDE_GID, INSIDE_UID, Launcher

_LISTEN_BACKLOG = 64
_SIOCSIFFLAGS = 0x8914
_IFF_UP_RUNNING = 0x1 | 0x40
_OWN_NAMESPACES = (
    sys.CLONE_NEWNS | sys.CLONE_NEWIPC | sys.CLONE_NEWUTS | sys.CLONE_NEWNET | sys.CLONE_NEWCGROUP
)


def main(descriptor: int, folder: str, rootless: bool) -> NoReturn:
    """Serve the daemon behind ``descriptor``; ``folder`` is an empty folder to mount on."""
    daemon = socket.socket(fileno=descriptor)
    try:
        inbox, maker = wire.pair()
        _prepare(rootless)
        pid = os.fork()
        if pid == 0:
            daemon.close()
            maker.close()
            _make_forever(inbox, folder, rootless)
        inbox.close()
        # The maker says one word once it is in its root, and fails the whole start otherwise.
        ready = wire.receive(maker)
        if ready is None:
            os._exit(1)
        wire.send(daemon, ready[0])
    except OSError as err:
        wire.send(daemon, {"error": f"{err.filename or 'spawner'}: {err.strerror}"})
        os._exit(1)
    sys.set_name("alonzo-opener")
    _open_until_the_end(daemon, maker)
    # The daemon must know before the wait: it may have to thaw what is to die.
    daemon.close()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os._exit(0)


def _prepare(rootless: bool) -> None:
    """Enter the namespaces that both halves share; the next fork is pid 1 of a new one."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if rootless:
        enter_user_namespace()
    # A change of user or capabilities clears the setting, so it comes after.
    sys.die_with_parent()
    sys.unshare(sys.CLONE_NEWNS | sys.CLONE_NEWPID)
    # What the host mounts later must come into view here, and nothing of ours there.
    sys.mount(None, "/", flags=sys.MS_REC | sys.MS_SLAVE)


def enter_user_namespace() -> None:
    """Hold every capability in a user namespace in which nobody else exists.

    Not as its root: a namespace below it may show any other user id without a capability for it.
    """
    uid, gid = os.geteuid(), os.getegid()
    sys.unshare(sys.CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{INSIDE_UID} {uid} 1"),
        ("gid_map", f"{INSIDE_GID} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="utf-8") as file:
            file.write(text)


def _open_until_the_end(daemon: socket.socket, maker: socket.socket) -> None:
    """Serve until the daemon or the maker is gone.

    A request that is dropped then is not refused: the end of its control socket tells the daemon
    that another helper may well serve it.
    """
    poll = select.poll()
    poll.register(daemon, select.POLLIN)
    poll.register(maker, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll()]
        if maker.fileno() in ready:  # it has said its one word, so this is its end
            return
        try:
            message = wire.receive(daemon)
        except OSError:
            return
        if message is None:
            return
        request, descriptors = message
        try:
            for mount in request["mounts"]:
                descriptors.append(_open(mount["source"], executable=mount["executable"]))
            wire.send(maker, request, descriptors)
        except ConnectionError:
            return
        except OSError as err:
            _refuse(descriptors[0], err)
        finally:
            wire.close_all(descriptors)


def _open(path: str, *, executable: bool) -> int:
    attributes = sys.MOUNT_ATTR_RDONLY | sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV
    if not executable:
        attributes |= sys.MOUNT_ATTR_NOEXEC
    descriptor = sys.open_tree(path)
    try:
        sys.mount_setattr(descriptor, attributes)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _refuse(control: int, err: BaseException) -> None:
    text = f"{err.filename}: {err.strerror}" if isinstance(err, OSError) else repr(err)
    # The daemon may have given this sandbox up.
    with socket.socket(fileno=os.dup(control)) as peer, contextlib.suppress(OSError):
        wire.send(peer, {"error": text})


def _make_forever(inbox: socket.socket, folder: str, rootless: bool) -> NoReturn:
    try:
        sys.die_with_parent()
        filter_ = seccomp.build(platform.machine())
        tree.enter_template(folder, may_make_devices=not rootless)
        own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        wire.send(inbox, {"ready": True})
    except OSError as err:
        wire.send(inbox, {"error": f"{err.filename or 'maker'}: {err.strerror}"})
        os._exit(1)
    sys.set_name("alonzo-maker")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps for us
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    gc.disable()
    while True:
        message = wire.receive(inbox)
        if message is None:
            os._exit(0)
        request, descriptors = message
        try:
            _fork_init(request, descriptors, inbox, filter_, own_pids)
        except OSError as err:
            _refuse(descriptors[0], err)
        wire.close_all(descriptors)


def _fork_init(
    request: dict[str, Any],
    descriptors: list[int],
    inbox: socket.socket,
    filter_: bytes,
    own_pids: int,
) -> None:
    """Fork pid 1 of a new pid namespace; come back to our own for the next one."""
    sys.unshare(sys.CLONE_NEWPID)
    try:
        if os.fork() == 0:
            inbox.close()
            os.close(own_pids)
            _be_init(request, descriptors, filter_)
    finally:
        try:
            sys.setns(own_pids, sys.CLONE_NEWPID)
        except OSError:
            # A fork from here would land in another sandbox: better end, and be started anew.
            os._exit(1)


def _be_init(request: dict[str, Any], descriptors: list[int], filter_: bytes) -> NoReturn:
    control = socket.socket(fileno=descriptors[0])
    try:
        _make_sandbox(request, control, descriptors[1:], filter_).run()
    except BaseException as err:  # noqa: BLE001 - nothing may climb into the maker's loop
        _refuse(control.fileno(), err)
    os._exit(0)


def _make_sandbox(
    request: dict[str, Any], control: socket.socket, descriptors: list[int], filter_: bytes
) -> Init:
    """Become the inside of a sandbox, tell the daemon, and be ready for orders."""
    rest = iter(descriptors)
    for _ in range(request["cgroups"]):
        with open(next(rest), "wb", buffering=0) as members:
            members.write(b"0")
    watch = _watch(next(rest), request["memory_bytes"]) if request["memory_bytes"] else None
    # The cgroup namespace only after joining, or it would show the path that we came from.
    sys.unshare(_OWN_NAMESPACES)
    uid: int | None = request["uid"]
    listeners = _listen(request["ports"])
    socket.sethostname(request["hostname"])
    attachments = (tree.Attachment(next(rest), mount["target"]) for mount in request["mounts"])
    tree.enter_root(
        tree.RootPlan(
            attachments=tuple(attachments),
            tmp_mib=request["tmp_mib"],
            hostname=request["hostname"],
            uid=INSIDE_UID if uid is None else uid,
            gid=INSIDE_GID if uid is None else uid,
        )
    )
    _harden(rootless=uid is None, inspects=request["inspects"])
    # The daemon keeps /tmp only to ask how full it is.
    passed = [os.pidfd_open(os.getpid()), os.open("/tmp", os.O_PATH | os.O_CLOEXEC)]  # noqa: S108 - paths inside a sandbox
    passed += [listener.detach() for listener in listeners]
    wire.send(control, {"ready": True}, passed)
    wire.close_all(passed)
    return Init(control, Launcher(uid, request["processes_max"], filter_), watch)


def _watch(descriptor: int, memory_bytes: int) -> Watch:
    page = mmap.mmap(descriptor, mmap.PAGESIZE)
    os.close(descriptor)
    return Watch(memory_bytes, page)


def _listen(ports: list[int]) -> list[socket.socket]:
    """Bring the loopback up, and listen on it."""
    listeners: list[socket.socket] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", _IFF_UP_RUNNING)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)
    for port in ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(_LISTEN_BACKLOG)
        listener.setblocking(False)
        listeners.append(listener)
    return listeners


def _harden(*, rootless: bool, inspects: bool) -> None:
    """Keep only what pid 1 needs.

    As root: to end processes of another user, to become that user and, if no cgroup spares it
    the work, to see them. An ordinary user owns the processes.
    """
    sys.set_name("alonzo-init")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which pid 1 of a namespace never notices
    sys.drop_bounding_set()
    kept = [] if rootless else [sys.CAP_KILL, sys.CAP_SETGID, sys.CAP_SETUID]
    if inspects and not rootless:
        kept.append(sys.CAP_SYS_PTRACE)
    sys.set_capabilities(kept)
    sys.set_dumpable(False)
