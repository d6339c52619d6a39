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
import os
import signal
import socket
import sys as interpreter
from collections.abc import Callable

from . import root, wire
from . import syscalls as sys
from .filling import fill
from .forked import Program
from .making import Kind, Making, error_of, make_alone, make_by_first

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


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
    """Make sandboxes until the daemon lets go. Comes back in forks of a zygote only.

    What one writes to memory that forks share is copied for it, so all that can be is done before.
    """
    try:
        sys.die_with_parent()
        own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        sys.set_name(name)
        sys.drop_bounding_set()  # which takes nothing from us, and forks have it so
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps for us
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # for forks, whom a file tells
        gc.collect()
        fill()
        kind.prepare()
    except OSError as err:
        wire.send(inbox, {"error": f"{err.filename or 'maker'}: {err.strerror}"})
        os._exit(1)
    gc.freeze()
    gc.disable()
    wire.send(inbox, {"ready": True})
    while True:
        message = wire.receive(inbox)
        if message is None:
            os._exit(0)
        request, descriptors = message
        try:
            forked = _fork_init(Making(request, descriptors, kind, (inbox, own_pids)), own_pids)
        except OSError as err:
            _refuse(descriptors[0], err)
        else:
            if forked is not None:
                socket.SocketType.detach(inbox)  # closed, and its number may be another's
                return forked
        wire.close_all(descriptors)


def _refuse(control: int, err: BaseException) -> None:
    # The daemon may have given this sandbox up.
    with socket.socket(fileno=os.dup(control)) as peer, contextlib.suppress(OSError):
        wire.send(peer, error_of(err))


def _fork_init(making: Making, own_pids: int) -> dict[str, Any] | None:
    """Fork pid 1 of a new pid namespace; come back to our own for the next one."""
    pid = -1
    try:
        sys.unshare(sys.CLONE_NEWPID)
        try:
            pid = _fork_into(making) if making.request["unified"] else sys.fork()
        finally:
            if pid != 0:
                _come_back(own_pids)
    finally:
        if pid != 0:
            making.let_go()
    return _be_init(making) if pid == 0 else None


def _fork_into(making: Making) -> int:
    try:
        return sys.fork_into_cgroup(making.cgroup)
    except OSError:  # a container's own filter may know no clone3, a host no such flag
        pid = sys.fork()
        if pid == 0:
            try:
                members = os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=making.cgroup)
                os.write(members, b"0")
                os.close(members)
            except OSError as err:
                _refuse(making.control.fileno(), err)
                os._exit(1)  # nothing may climb into the maker's loop
        return pid


def _come_back(own_pids: int) -> None:
    try:
        sys.setns(own_pids, sys.CLONE_NEWPID)
    except OSError:
        # A fork from here would land in another sandbox: better end, and be started anew.
        os._exit(1)


def _be_init(making: Making) -> dict[str, Any]:
    """Be pid 1 until the end. Comes back in its forks only."""
    forked = None
    try:
        forked = make_by_first(making) if making.request["begun"] else make_alone(making).run()
    except BaseException as err:  # noqa: BLE001 - whatever it is, it is the end
        wire.send(making.control, error_of(err))
    finally:
        # Nothing may climb into the maker's loop. An ordinary user's functions can take from pid 1,
        # which is that user too, every descriptor and all memory.
        if forked is None:
            os._exit(0)
    return forked


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
