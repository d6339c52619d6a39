"""From a fork of pid 1 to a foreign program, or the zygote's, without privilege.

The order matters: what needs privilege first (limits, user), then the ways back closed one by one,
the filter last of all. Every step runs in the new process, so a failure harms nobody else.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import sys as interpreter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import syscalls as sys
from . import wire

#: Descriptors are parked from here on while they are put in order; nobody may ask for one above.
PARKED_FROM = 256

#: ``id`` inside: what AWS shows.
#: Source: *observed*, recordings of public functions.
INSIDE_UID, INSIDE_GID = 993, 990

#: What ``execve`` says of a file that will never run. Whatever else it says (too many processes, no
#: memory, arguments too long) is not the file's fault.
_FAULTS_OF_THE_FILE = frozenset(
    (
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),
        *(errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ELIBBAD, errno.EINVAL),
    )
)


class UnexecutableFileError(OSError):
    """The program's file, or its interpreter, cannot be executed."""


@dataclass(frozen=True)
class Launcher:
    """How processes of one sandbox are started.

    ``uid``: the host's user id that is this sandbox's own; None: we are an ordinary user, and the
    process gets a user namespace in which it is ``INSIDE_UID``.
    """

    uid: int | None
    processes_max: int
    filter: bytes

    def launch(
        self, order: dict[str, Any], descriptors: list[int], let_go: Callable[[], None]
    ) -> int:
        """Start a process and return its pid once it runs the program.

        ``let_go`` is called first in it, to part with what is not its own.

        Without a program this returns 0 too, in the new process, as ``fork`` does; it then holds
        no descriptor but those of the order and no privilege.

        Raises:
            UnexecutableFileError: the file is missing, or is no program.
            OSError: it could not; ``filename`` says what failed.
        """
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            pid = os.fork()
        except OSError as err:
            wire.close_all((reader, writer))
            raise OSError(err.errno, err.strerror, "fork") from err
        if pid == 0:
            self._become(order, descriptors, writer, let_go)
            return 0
        os.close(writer)
        failure = b""
        while True:
            part = os.read(reader, 4096)
            if not part:
                break
            failure += part
        os.close(reader)
        if failure:
            os.waitpid(pid, 0)
            number, executed, what = failure.decode(errors="replace").split(" ", 2)
            blamed = executed == "1" and int(number) in _FAULTS_OF_THE_FILE
            error = UnexecutableFileError if blamed else OSError
            raise error(int(number), os.strerror(int(number)), what)
        return pid

    def _become(
        self,
        order: dict[str, Any],
        descriptors: list[int],
        writer: int,
        let_go: Callable[[], None],
    ) -> None:
        """Come back only without a program to execute."""
        what, executed = "prepare", 0
        try:
            let_go()
            os.setsid()
            # Undumpable, as pid 1 is, a process may not write its own files in /proc. Nobody can
            # use the moment: whoever else is in the sandbox has another user, or no capability.
            sys.set_dumpable(True)
            writer = _arrange(
                {number: descriptors[at] for at, number in enumerate(order["fds"])}, writer
            )
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.umask(0o022)
            _lower(resource.RLIMIT_NOFILE, order["descriptors_max"])
            _lower(resource.RLIMIT_CORE, 0)
            _die_first()
            self._drop_privilege()
            what = f"enter {order['cwd']}"
            os.chdir(order["cwd"])
            sys.set_no_new_privileges()
            if not order["argv"]:
                what = "fork"
                # What execve would do: without a capability, and open to its own user again,
                # which the change of user took away.
                sys.set_capabilities(())
                sys.set_dumpable(True)
                sys.install_filter(self.filter)
                os.close(writer)
                return
            sys.install_filter(self.filter)
            what, executed = f"execute {order['argv'][0]}", 1
            os.execve(order["argv"][0], order["argv"], order["env"])  # noqa: S606 - our purpose
        except OSError as err:
            detail = f"{what} ({err.filename})" if what == "prepare" else what
            os.write(writer, f"{err.errno} {executed} {detail}".encode())
        except BaseException as err:  # noqa: BLE001 - whatever it is, pid 1 must not run on twice
            os.write(writer, f"{errno.EINVAL} 0 {what}: {err}".encode())
        os._exit(127)

    def _drop_privilege(self) -> None:
        if self.uid is not None:
            _lower(resource.RLIMIT_NPROC, self.processes_max)
            os.setgroups([])
            os.setresgid(self.uid, self.uid, self.uid)
            os.setresuid(self.uid, self.uid, self.uid)
            return
        sys.unshare(sys.CLONE_NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{INSIDE_UID} {INSIDE_UID} 1")
        _write("/proc/self/gid_map", f"{INSIDE_GID} {INSIDE_GID} 1")
        # Counted per user namespace since Linux 5.14, and handed down at unshare: set it after.
        _lower(resource.RLIMIT_NPROC, self.processes_max)
        sys.drop_bounding_set()


def _arrange(wanted: dict[int, int], writer: int) -> int:
    """Put descriptors at the numbers in ``wanted``, close all others but ``writer``, moved away."""
    null = os.open("/dev/null", os.O_RDWR)
    sources = {1: null, 2: null, **wanted, 0: null}
    parked = {
        number: fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, PARKED_FROM)
        for number, source in sources.items()
    }
    writer = fcntl.fcntl(writer, fcntl.F_DUPFD_CLOEXEC, PARKED_FROM)
    for number, source in parked.items():
        os.dup2(source, number)
    free_from = 0
    for number in sorted([*sources, writer]):
        if number > free_from:
            sys.close_range(free_from, number - 1)
        free_from = number + 1
    sys.close_range(free_from, interpreter.maxsize & 0x7FFFFFFF)
    return writer


def _die_first() -> None:
    """Out of memory, it is a program of ours that the kernel ends: not pid 1, not the platform."""
    _write("/proc/self/oom_score_adj", "1000")


def _lower(limit: int, value: int) -> None:
    hard = resource.getrlimit(limit)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(limit, (value, value))


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
