"""From a fork of pid 1 to a foreign program, or the zygote's, without privilege.

The order matters: what needs privilege first (limits, user), then the ways back closed one by one,
the filter last of all. Every step runs in the new process, so a failure harms nobody else.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import signal
import sys as interpreter
from collections.abc import Callable

from . import leading, steps, wire
from . import syscalls as sys
from .leading import Leader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .steps import Step

#: Signals as every program finds them, and not as Python or its maker would have it.
_AS_PROGRAMS_BEGIN = (
    *(steps.by_default(one) for one in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT)),
    steps.no_blocked_signals(),
)
_DUMPABLE = steps.set_dumpable(True)
_NO_NEW_PRIVILEGES = steps.set_no_new_privileges()
_NO_CAPABILITY = steps.set_capabilities(())

#: Descriptors are parked from here on while they are put in order; nobody may ask for one above.
PARKED_FROM = 256

#: ``id`` inside: what AWS shows.
#: Source: *observed*, recordings of public functions.
INSIDE_UID, INSIDE_GID = 993, 990

#: What one process of an ordinary user's sandboxes may take of what the kernel counts by user: it
#: gives all of a user's processes 128 instances, and some ten thousand signals that wait.
_OF_USER_NAMESPACE = (("max_inotify_instances", 16), ("max_inotify_watches", 8192))
_SIGNALS_PENDING_MAX = 1024

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


class Launcher:
    """How processes of one sandbox are started.

    ``uid``: the host's user id that is this sandbox's own; None: we are an ordinary user, and the
    process gets a user namespace in which it is ``INSIDE_UID``. ``proc`` is then a descriptor of
    /proc without its masks, where that namespace is given limits of its own.
    """

    def __init__(
        self, uid: int | None, processes_max: int, filtering: Step, proc: int | None = None
    ) -> None:
        self.uid = uid
        self.processes_max = processes_max
        self.filtering = filtering
        self.proc = proc

    def launch(
        self,
        order: dict[str, Any],
        descriptors: list[int],
        let_go: Callable[[], None],
        leader: Leader | None = None,
    ) -> int:
        """Start a process and return its pid once it runs the program.

        ``let_go`` is called first in it, to part with what is not its own. A program can have a
        ``leader``, who waits to take it to the folder that the order says.

        Without a program this returns 0 too, in the new process, as ``fork`` does; it then holds
        no descriptor but those of the order and no privilege.

        Raises:
            UnexecutableFileError: the file is missing, or is no program.
            OSError: it could not; ``filename`` says what failed.
        """
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            pid = sys.fork()
        except OSError as err:
            wire.close_all((reader, writer))
            raise OSError(err.errno, err.strerror, "fork") from err
        if pid == 0:
            self.become(order, descriptors, writer, let_go, leader)
            return 0
        os.close(writer)
        failure = failure_of(read_all(reader))
        if failure is not None:
            os.waitpid(pid, 0)
            raise failure
        return pid

    def become(
        self,
        order: dict[str, Any],
        descriptors: list[int],
        writer: int,
        let_go: Callable[[], None],
        leader: Leader | None = None,
    ) -> None:
        """In the new process: come back only without a program to execute.

        A failure is written to ``writer``, for ``failure_of``.
        """
        what, executed = "prepare", 0
        try:
            let_go()
            os.setsid()
            # Undumpable, as pid 1 is, a process may not write its own files in /proc. Nobody can
            # use the moment: whoever else is in the sandbox has another user, or no capability.
            steps.take((_DUMPABLE,))
            wanted = {number: descriptors[at] for at, number in enumerate(order["fds"])}
            leads = () if leader is None else (leader.theirs,)
            proc = () if self.proc is None else (self.proc,)
            writer, *others = _arrange(wanted, [writer, *leads, *proc])
            steps.take(_AS_PROGRAMS_BEGIN)
            os.umask(0o022)
            _lower(resource.RLIMIT_NOFILE, order["descriptors_max"])
            _dump_no_core()
            _die_first()
            self._drop_privilege(others[len(leads) :])
            what = f"enter {order['cwd']}"
            os.chdir(order["cwd"])
            steps.take((_NO_NEW_PRIVILEGES,))
            if not order["argv"]:
                what = "fork"
                # What execve would do: without a capability, and open to its own user again,
                # which the change of user took away.
                steps.take((_NO_CAPABILITY, _DUMPABLE, self.filtering))
                os.close(writer)
                return
            steps.take((self.filtering,))
            if leads:
                what = "lead"
                leading.fork_leader(others[0], order["lead"])
            what, executed = f"execute {order['argv'][0]}", 1
            os.execve(order["argv"][0], order["argv"], order["env"])  # noqa: S606 - our purpose
        except OSError as err:
            detail = f"{what} ({err.filename})" if what == "prepare" else what
            os.write(writer, f"{err.errno} {executed} {detail}".encode())
        except BaseException as err:  # noqa: BLE001 - whatever it is, pid 1 must not run on twice
            os.write(writer, f"{errno.EINVAL} 0 {what}: {err}".encode())
        os._exit(127)

    def _drop_privilege(self, proc: list[int]) -> None:
        if self.uid is not None:
            _lower(resource.RLIMIT_NPROC, self.processes_max)
            os.setgroups([])
            os.setresgid(self.uid, self.uid, self.uid)
            os.setresuid(self.uid, self.uid, self.uid)
            return
        # Counted for the whole user as well, who is everybody's: before, or it is not handed down.
        _lower(resource.RLIMIT_SIGPENDING, _SIGNALS_PENDING_MAX)
        sys.unshare(sys.CLONE_NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{INSIDE_UID} {INSIDE_UID} 1")
        _write("/proc/self/gid_map", f"{INSIDE_GID} {INSIDE_GID} 1")
        # Counted per user namespace since Linux 5.14, and handed down at unshare: set it after.
        _lower(resource.RLIMIT_NPROC, self.processes_max)
        for descriptor in proc:
            _limit_user_namespace(descriptor)
            os.close(descriptor)
        sys.drop_bounding_set()


def read_all(reader: int) -> bytes:
    """What comes on a descriptor until its other end is closed; it is closed, too."""
    said = os.read(reader, 4096)
    part = said
    while part:
        part = os.read(reader, 4096)
        said += part
    os.close(reader)
    return said


def failure_of(said: bytes) -> OSError | None:
    """The error that a new process has told of, if it has."""
    if not said:
        return None
    number, executed, what = said.decode(errors="replace").split(" ", 2)
    blamed = executed == "1" and int(number) in _FAULTS_OF_THE_FILE
    error = UnexecutableFileError if blamed else OSError
    return error(int(number), os.strerror(int(number)), what)


def _limit_user_namespace(proc: int) -> None:
    """Leave other sandboxes something of what the kernel counts by user."""
    for name, most in _OF_USER_NAMESPACE:
        # A kernel that does not count it has no such file.
        with contextlib.suppress(FileNotFoundError):
            path = f"sys/user/{name}"
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc)
            try:
                os.write(descriptor, b"%d" % most)
            finally:
                os.close(descriptor)


def _arrange(wanted: dict[int, int], kept: list[int]) -> list[int]:
    """Put descriptors at the numbers in ``wanted``, close all others but ``kept``, moved away."""
    null = os.open("/dev/null", os.O_RDWR)
    sources = {1: null, 2: null, **wanted, 0: null}
    parked = {
        number: fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, PARKED_FROM)
        for number, source in sources.items()
    }
    kept = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, PARKED_FROM) for each in kept]
    for number, source in parked.items():
        os.dup2(source, number)
    free_from = 0
    for number in sorted([*sources, *kept]):
        if number > free_from:
            sys.close_range(free_from, number - 1)
        free_from = number + 1
    sys.close_range(free_from, interpreter.maxsize & 0x7FFFFFFF)
    return kept


def _die_first() -> None:
    """Out of memory, it is a program of ours that the kernel ends: not pid 1, not the platform.

    Said by who has CAP_SYS_RESOURCE on the host, nobody without it can take it back.
    """
    _write("/proc/self/oom_score_adj", "1000")


def _dump_no_core() -> None:
    """A limit of one byte keeps no core, and is the one that no collector of the host is run for.

    With 0 a collector (a pipe in kernel.core_pattern) is run, as root and outside every sandbox.
    """
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    except ValueError:  # it is 0, and only root may raise it
        _lower(resource.RLIMIT_CORE, 0)


def _lower(limit: int, value: int) -> None:
    hard = resource.getrlimit(limit)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(limit, (value, value))


def _write(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)
