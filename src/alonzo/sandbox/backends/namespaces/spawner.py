"""The helper that starts makers and opens folders: small processes, so that a fork is cheap.

    daemon ──maker, mounts──▶ opener ──fork──▶ maker ──fork──▶ init (pid 1 of a sandbox)
      │  ▲                       └──opened folders──────────▶  │
      │  └───────── the sandbox's own control socket ──────────┤
      └──────────── create, descriptors ──▶ maker              │

* The *opener* sees the host as the daemon does. It opens the folders that a sandbox will show, as
  detached read-only trees, and passes them on. It is pid 1 of a pid namespace: when it ends, for
  whatever reason, the kernel ends every maker and sandbox.
* A *maker* (``inside/maker.py``) serves sandboxes of one kind, in a pid namespace of its own.
* All end when their daemon does: the sockets end, and the parent death signal is set.

Standard library only; run as ``python -I -S -c`` with the package's folder appended.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import resource
import select
import signal
import socket
import sys as interpreter

from alonzo.sandbox.backends.namespaces import template
from alonzo.sandbox.backends.namespaces.inside import maker, root, wire
from alonzo.sandbox.backends.namespaces.inside import syscalls as sys
from alonzo.sandbox.backends.namespaces.inside.launch import INSIDE_GID, INSIDE_UID
from alonzo.sandbox.backends.namespaces.inside.network import UPLINK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

#: What a zygote's Python runs. Only forks come back from ``main``.
_ZYGOTE = (
    f"import sys; sys.path.insert(0, {template.HELPERS!r}); from inside.maker import main; "
    "main = main(sys.argv.pop()); del sys; main()"
)

#: Longest wait for the sandbox that slirp4netns is to connect, and how many connections and other
#: files it may have open.
_SLIRP_WAIT_S = 20.0
_SLIRP_FILES_MAX = 2048

#: What Python makes of an empty environment, said aloud, so that it does not have to.
_ZYGOTE_ENVIRONMENT = {"LC_CTYPE": "C.UTF-8"}


def main(descriptor: int, folder: str, rootless: bool) -> NoReturn:
    """Serve the daemon behind ``descriptor``; ``folder`` is an empty folder to mount on."""
    daemon = socket.socket(fileno=descriptor)
    try:
        _prepare(rootless)
        # Forks share what we have as long as nobody writes to it, and the collector would.
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            sys.die_with_parent()
            opener = _Opener(daemon, folder, rootless)
            wire.send(daemon, {"ready": True})
            opener.run()
            os._exit(0)
    except OSError as err:
        wire.send(daemon, {"error": f"{err.filename or 'spawner'}: {err.strerror}"})
        os._exit(1)
    sys.set_name("alonzo-spawner")
    daemon.close()
    _, status = os.waitpid(pid, 0)  # which returns once the namespace is empty
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def _prepare(rootless: bool) -> None:
    """Enter the namespaces that all share; the next fork is pid 1 of a new one."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.suppress(OSError):  # a kernel without keys, or a container's filter
        sys.leave_session_keyring()
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


class _Opener:
    """The loop of the opener."""

    def __init__(self, daemon: socket.socket, folder: str, rootless: bool) -> None:
        self._daemon = daemon
        self._folder = folder
        self._rootless = rootless
        # Our own pid namespace is one above the one that /proc shows.
        self._own_pids = sys.pidfd_of_self()

    def run(self) -> None:
        """Serve until the daemon lets go of the socket."""
        sys.set_name("alonzo-opener")
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps for us
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        poll = select.poll()
        poll.register(self._daemon, select.POLLIN)
        while True:
            poll.poll()
            try:
                message = wire.receive(self._daemon)
            except OSError:
                return
            if message is None:
                return
            order, descriptors = message
            if order["op"] == "maker":
                self._start_maker(order, descriptors[0])
            elif order["op"] == "slirp":
                self._start_slirp(order, descriptors[0])
            else:
                _open_for(order, descriptors[0])
            wire.close_all(descriptors)

    def _start_maker(self, order: dict[str, Any], descriptor: int) -> None:
        sys.unshare(sys.CLONE_NEWPID)
        try:
            pid = os.fork()
        except OSError as err:
            _say(descriptor, {"error": f"fork: {err.strerror}"})
            pid = -1
        if pid == 0:
            self._daemon.close()
            self._be_maker(order, socket.socket(fileno=descriptor))
        try:
            sys.setns(self._own_pids, sys.CLONE_NEWPID)
        except OSError:
            os._exit(1)  # another maker from here would land in this one's namespace

    def _start_slirp(self, order: dict[str, Any], descriptor: int) -> None:
        """Start what connects one sandbox; its pid 1 has the other end of the socket."""
        try:
            pid = os.fork()
        except OSError:
            return  # whoever waits there learns it from the end of the socket
        if pid == 0:
            self._daemon.close()
            with contextlib.suppress(OSError):
                _be_slirp(order, descriptor)
            os._exit(1)

    def _be_maker(self, order: dict[str, Any], inbox: socket.socket) -> NoReturn:
        try:
            sys.die_with_parent()
            zygote: dict[str, Any] | None = order["zygote"]
            shown = [template.Shown(**mount) for mount in order["mounts"]]
            template.enter(
                self._folder,
                shown,
                may_make_devices=not self._rootless,
                libraries=_libraries(zygote) if zygote else None,
                resolv_conf=order["resolv_conf"],
            )
            targets = [one.target for one in shown]
            shared = [t for t in targets if not any(t.startswith(f"{o}/") for o in targets)]
            filter_ = bytes.fromhex(order["filter"])
            kind = maker.Kind(self._rootless, shared, filter_, root.masks())
            if zygote is not None:
                _execute(zygote, inbox, kind)
            maker.serve(inbox, kind)
        except OSError as err:
            _say(inbox.fileno(), {"error": f"{err.filename or 'maker'}: {err.strerror}"})
        os._exit(1)


def _execute(zygote: dict[str, Any], inbox: socket.socket, kind: maker.Kind) -> NoReturn:
    """Become the zygote's Python."""
    told = {
        **{name: zygote[name] for name in ("interpreter", "folder", "module")},
        "inbox": inbox.fileno(),
        "rootless": kind.rootless,
        "shared": kind.shared,
        "filter": kind.filter.hex(),
        "helpers": f"{template.HELPERS}/inside",
    }
    sys.close_range(3, inbox.fileno() - 1)
    sys.close_range(inbox.fileno() + 1, interpreter.maxsize & 0x7FFFFFFF)
    inbox.set_inheritable(True)
    # An ordinary user is not root in his user namespace either, and would lose them.
    sys.keep_capabilities_over_exec()
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    program, *options = zygote["interpreter"]
    argv = [program, *options, "-c", _ZYGOTE, json.dumps(told)]
    environment = {
        **_ZYGOTE_ENVIRONMENT,
        "LD_LIBRARY_PATH": ":".join(_libraries(zygote)),
        **zygote["environment"],
    }
    try:
        os.execve(program, argv, environment)  # noqa: S606 - our purpose
    except OSError as err:
        raise OSError(err.errno, err.strerror, f"execute {program}") from err


def _be_slirp(order: dict[str, Any], descriptor: int) -> NoReturn:
    """Become slirp4netns, in the network namespace that comes on the socket."""
    sys.die_with_parent()
    with socket.socket(fileno=descriptor) as peer:
        peer.settimeout(_SLIRP_WAIT_S)
        message = wire.receive(peer)
        if message is None or not message[1]:
            os._exit(0)
        # Nobody may read what it says later; it must not wait for that.
        peer.setblocking(False)
        null = os.open("/dev/null", os.O_RDWR)
        wanted = (null, null, peer.fileno(), message[1][0], peer.fileno(), peer.fileno())
        high = [fcntl.fcntl(source, fcntl.F_DUPFD, 64) for source in wanted]
        for number, source in enumerate(high):
            os.dup2(source, number)
        peer.detach()
        sys.close_range(len(wanted), 0x7FFFFFFF)
    sys.keep_capabilities_over_exec()
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_SLIRP_FILES_MAX, _SLIRP_FILES_MAX))
    argv = [
        *(order["program"], "--disable-host-loopback", "--disable-dns", "--enable-seccomp"),
        *order["options"],
        *("--netns-type=path", "--ready-fd=4", "--exit-fd=5", "/proc/self/fd/3", UPLINK),
    ]
    os.execve(order["program"], argv, {})  # noqa: S606 - our purpose


def _libraries(zygote: dict[str, Any]) -> list[str]:
    beside = os.path.dirname(os.path.dirname(zygote["interpreter"][0]))
    return zygote["environment"].get("LD_LIBRARY_PATH", f"{beside}/lib").split(":")


def _open_for(order: dict[str, Any], control: int) -> None:
    """Open what a sandbox is to show, and pass the order on to it."""
    mounts = order.pop("mounts")
    trees: list[int] = []
    try:
        trees = template.open_all(mounts)
        order["targets"] = [mount["target"] for mount in mounts]
    except OSError as err:
        reason = f"{err.filename}: {err.strerror}"
        order = {"op": "refuse", "name": order["name"], "error": reason}
    _say(control, order, trees)
    wire.close_all(trees)


def _say(descriptor: int, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
    """Send on a socket whose other end may be gone, or not listening any more."""
    with socket.socket(fileno=os.dup(descriptor)) as peer:
        try:
            wire.send(peer, message, descriptors or ())
        except OSError:
            return
