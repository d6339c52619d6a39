"""From an order to a running program. Standard library, Python 3.8 or later."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import resource
import signal
import sys
from typing import Any, NoReturn

#: Descriptors are kept from here on while they are put in order; nobody may ask for one above.
KEPT_FROM = 256

#: What the overseer does not listen to, and its processes do.
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38

_MS_NOSUID, _MS_NODEV = 2, 4
_TMP = "/tmp"  # noqa: S108 - the mount point itself

#: What ``execve`` says of a file that will never run; whatever else it says is not its fault.
_FAULTS_OF_THE_FILE = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),
    *(errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.EINVAL),
)


class StartError(Exception):
    """The program does not run; ``unexecutable`` blames its file."""

    def __init__(self, text: str, *, unexecutable: bool = False) -> None:
        super().__init__(text)
        self.unexecutable = unexecutable


def control_process(option: int, value: int) -> None:
    """Call ``prctl``, where there is one."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def mount_tmp(size_mib: int) -> None:
    """Have a new ``/tmp`` of that size. For pid 1 of a sandbox.

    Raises:
        OSError: it cannot be mounted.
    """
    options = f"size={size_mib}m,mode=1777".encode()
    library = ctypes.CDLL(None, use_errno=True)
    if library.mount(b"tmpfs", b"/tmp", b"tmpfs", _MS_NOSUID | _MS_NODEV, options):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), _TMP)


def start(order: dict[str, Any], descriptors: list[int]) -> int:
    """Start a process in a session of its own; its pid, once it runs the program.

    Raises:
        StartError: it does not.
    """
    reader, writer = os.pipe()
    try:
        pid = os.fork()
    except OSError as err:
        os.close(reader)
        os.close(writer)
        raise StartError(f"fork: {err.strerror}") from err
    if pid == 0:
        os.close(reader)
        _become(order, descriptors, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        failure = file.read()
    if failure:
        os.waitpid(pid, 0)
        number, executed, what = failure.decode(errors="replace").split(" ", 2)
        raise StartError(
            f"{what}: {os.strerror(int(number))}",
            unexecutable=executed == "1" and int(number) in _FAULTS_OF_THE_FILE,
        )
    return pid


def _become(order: dict[str, Any], descriptors: list[int], writer: int) -> NoReturn:
    what, executed = "prepare", 0
    try:
        os.setsid()
        control_process(_PR_SET_PDEATHSIG, signal.SIGKILL)
        writer = _arrange({n: descriptors[at] for at, n in enumerate(order["fds"])}, writer)
        for number in (*IGNORED, signal.SIGPIPE, signal.SIGCHLD, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.umask(0o022)
        _lower(resource.RLIMIT_NOFILE, order["descriptors_max"])
        _lower(resource.RLIMIT_CORE, 0)
        if order["user"] is not None:
            os.setgroups([])
            os.setresgid(order["user"], order["user"], order["user"])
            os.setresuid(order["user"], order["user"], order["user"])
            control_process(_PR_SET_NO_NEW_PRIVS, 1)
        what = f"enter {order['cwd']}"
        os.chdir(order["cwd"])
        what, executed = f"execute {order['argv'][0]}", 1
        os.execve(order["argv"][0], order["argv"], order["env"])  # noqa: S606 - that is the job
    except OSError as err:
        os.write(writer, f"{err.errno} {executed} {what}".encode())
    except BaseException as err:  # noqa: BLE001 - whatever it is, the daemon must hear
        os.write(writer, f"{errno.EINVAL} 0 {what}: {err!r}".encode()[:4096])
    os._exit(127)


def _arrange(wanted: dict[int, int], writer: int) -> int:
    """Have exactly the wanted descriptors, 0 to 2 at least; answers the writer's new number."""
    kept = {
        number: fcntl.fcntl(descriptor, fcntl.F_DUPFD, KEPT_FROM)
        for number, descriptor in wanted.items()
    }
    writer = fcntl.fcntl(writer, fcntl.F_DUPFD_CLOEXEC, KEPT_FROM)
    null = os.open(os.devnull, os.O_RDWR)
    null = fcntl.fcntl(null, fcntl.F_DUPFD, KEPT_FROM)
    os.closerange(0, KEPT_FROM)
    for number in (0, 1, 2):
        os.dup2(null, number)
    for number, descriptor in kept.items():
        os.dup2(descriptor, number)
    os.closerange(KEPT_FROM, writer)
    os.closerange(writer + 1, max([writer, null, *kept.values()]) + 1)
    return writer


def _lower(limit: int, value: int) -> None:
    hard = resource.getrlimit(limit)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))
