"""The system calls that the standard library lacks, over ctypes. Standard library only.

Each function raises ``OSError`` with the call and its subject named. Numbers given here are the
same on every architecture (all calls since Linux 5.1); older ones go through libc or a table.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Iterable

CLONE_FS = 0x00000200
CLONE_PARENT = 0x00008000
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_INTO_CGROUP = 0x200000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MNT_DETACH = 2

MOUNT_ATTR_RDONLY = 1
MOUNT_ATTR_NOSUID = 2
MOUNT_ATTR_NODEV = 4
MOUNT_ATTR_NOEXEC = 8

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

CAP_KILL = 5
CAP_SETGID = 6
CAP_SETUID = 7
CAP_SYS_PTRACE = 19
CAP_SYS_ADMIN = 21
CAP_SYS_RESOURCE = 24

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4
SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAPABILITIES_MAX = 64
_EINVAL = 22

_NR_PIDFD_OPEN = 434
_NR_CLONE = {"x86_64": 56, "aarch64": 220}
_NR_CLONE3 = 435
_NR_OPEN_TREE = 428
NR_MOVE_MOUNT = 429
_NR_CLOSE_RANGE = 436
_NR_MOUNT_SETATTR = 442
_NR_KEYCTL = {"x86_64": 250, "aarch64": 219}
_KEYCTL_JOIN_SESSION_KEYRING = 1
_NR_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
#: PyDLL: the child's interpreter must wake up holding its lock.
_fork_libc = ctypes.PyDLL(None, use_errno=True)
_fork_libc.syscall.restype = ctypes.c_long
_libc.mount.argtypes = (
    *(ctypes.c_char_p,) * 3,
    ctypes.c_ulong,
    ctypes.c_char_p,
)
_libc.prctl.argtypes = (ctypes.c_int,) + (ctypes.c_ulong,) * 4


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def _syscall(number: int, what: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char]) -> int:
    native = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _check(_libc.syscall(ctypes.c_long(number), *native), what)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def unshare(flags: int) -> None:
    """Leave the namespaces in ``flags`` for new ones."""
    _check(_libc.unshare(ctypes.c_int(flags)), f"unshare({flags:#x})")


def fork() -> int:
    """Fork a child for ourselves alone, with one thread.

    What Python has modules do in a child (``os.register_at_fork``) is not done: nothing in ours
    needs it, and it writes to 0.6 MiB that would be shared. What that child forks by ``os.fork``
    has it done.
    """
    pid: int = _fork_libc.fork()
    number = ctypes.get_errno()
    if pid < 0:
        raise OSError(number, os.strerror(number), "fork")
    return pid


def fork_into_cgroup(folder: int) -> int:
    """The same, and the child begins in the version-2 cgroup behind ``folder``.

    Only that saves the lock over all processes which a move takes, and its grace period (10 ms).
    Libc does not learn of this fork, so what it remembers as the thread's id is the parent's, until
    the child itself forks.
    """
    # struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
    # set_tid, set_tid_size, cgroup.
    fields = (CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, folder)
    arguments = ctypes.create_string_buffer(struct.pack("=11Q", *fields), 88)
    pid: int = _fork_libc.syscall(ctypes.c_long(_NR_CLONE3), arguments, ctypes.c_long(88))
    number = ctypes.get_errno()
    if pid < 0:
        raise OSError(number, os.strerror(number), "clone3 into a cgroup")
    return pid


def fork_sharing_folder() -> int:
    """Fork a sibling: a child of our parent, which shares root, working folder and umask with us.

    Libc does not learn of it, as of ``fork_into_cgroup``.
    """
    flags = CLONE_FS | CLONE_PARENT | signal.SIGCHLD
    number = ctypes.c_long(_NR_CLONE[os.uname().machine])
    # All other arguments, which come in another order on each architecture, are null.
    zeros = [ctypes.c_long(0)] * 4
    pid: int = _fork_libc.syscall(number, ctypes.c_long(flags), *zeros)
    failure = ctypes.get_errno()
    if pid < 0:
        raise OSError(failure, os.strerror(failure), "clone a sibling")
    return pid


def setns(descriptor: int, flags: int) -> None:
    """Join the namespace behind ``descriptor``."""
    _check(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(flags)), f"setns({flags:#x})")


def mount(
    source: str | None, target: str, kind: str | None = None, flags: int = 0, options: str = ""
) -> None:
    """``mount(2)``."""
    _check(
        _libc.mount(_bytes(source), _bytes(target), _bytes(kind), flags, _bytes(options) or None),
        f"mount {kind or source or flags} on {target}",
    )


def umount_detached(target: str) -> None:
    """Take the mount at ``target``, and all below it, out of sight at once."""
    _check(_libc.umount2(_bytes(target), MNT_DETACH), f"umount {target}")


def pivot_root(new_root: str) -> None:
    """Make ``new_root`` (a mount point) the root, and let go of the old one and all below it."""
    os.chdir(new_root)
    _syscall(pivot_root_number(), f"pivot_root to {new_root}", b".", b".")
    umount_detached(".")
    os.chdir("/")


def pivot_root_number() -> int:
    """The number of ``pivot_root(2)`` here."""
    return _NR_PIVOT_ROOT[os.uname().machine]


def open_tree(path: str) -> int:
    """A detached copy of what is mounted at and below ``path``, as a descriptor."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
    return _syscall(_NR_OPEN_TREE, f"open_tree {path}", _AT_FDCWD, os.fsencode(path), flags)


def open_mount(path: str) -> int:
    """The same of the mount at ``path`` alone: what is mounted below it is not on it."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC
    return _syscall(_NR_OPEN_TREE, f"open_tree {path}", _AT_FDCWD, os.fsencode(path), flags)


def move_mount(descriptor: int, target: str) -> None:
    """Attach a detached tree at ``target``. A symbolic link there is not followed."""
    _syscall(
        NR_MOVE_MOUNT,
        f"move_mount to {target}",
        descriptor,
        b"",
        _AT_FDCWD,
        os.fsencode(target),
        _MOVE_MOUNT_F_EMPTY_PATH,
    )


def mount_setattr(where: int | str, attributes: int) -> None:
    """Add ``MOUNT_ATTR_…`` to the mount (a tree's descriptor, or a path) and all below it.

    From then on it is private, too: what is mounted in it shows up nowhere else.
    """
    number, *arguments = mount_setattr_arguments(where, attributes)
    _syscall(number, f"mount_setattr {where}", *arguments)


def mount_setattr_arguments(
    where: int | str, attributes: int
) -> tuple[int, int, bytes, int, ctypes.Array[ctypes.c_char], int]:
    """The number of the system call, and what it takes."""
    fields = struct.pack("=QQQQ", attributes, 0, MS_PRIVATE, 0)
    value = ctypes.create_string_buffer(fields, 32)
    if isinstance(where, int):
        start, path, flags = where, b"", _AT_RECURSIVE | _AT_EMPTY_PATH
    else:
        start, path, flags = _AT_FDCWD, os.fsencode(where), _AT_RECURSIVE
    return _NR_MOUNT_SETATTR, start, path, flags, value, 32


def close_range(first: int, last: int) -> None:
    """Close every descriptor from ``first`` to ``last``."""
    os.closerange(first, last + 1) if last - first < 64 else _syscall(
        _NR_CLOSE_RANGE, "close_range", first, last, 0
    )


def prctl(option: int, value: int, what: str) -> None:
    """``prctl(2)`` with one argument."""
    _check(_libc.prctl(option, value, 0, 0, 0), what)


def set_name(name: str) -> None:
    """Name this process, as ``ps`` shows it; 15 bytes count."""
    buffer = ctypes.create_string_buffer(name.encode()[:15])
    prctl(PR_SET_NAME, ctypes.addressof(buffer), "set name")


def die_with_parent() -> None:
    """Be killed when the thread that forked this process ends."""
    prctl(PR_SET_PDEATHSIG, 9, "set parent death signal")


def set_dumpable(dumpable: bool) -> None:
    """Whether processes of the same user may look into this one."""
    prctl(PR_SET_DUMPABLE, int(dumpable), "set dumpable")


def set_no_new_privileges() -> None:
    """From here on no program gains privilege by being executed."""
    prctl(PR_SET_NO_NEW_PRIVS, 1, "set no_new_privs")


def pidfd_of(pid: int) -> int:
    """A descriptor of a process, closed on exec."""
    return _syscall(_NR_PIDFD_OPEN, "pidfd_open", pid, 0)


def pidfd_of_self() -> int:
    """A descriptor of this process, closed on exec."""
    return pidfd_of(os.getpid())


def leave_session_keyring() -> None:
    """Possess no key of whoever started us: the kernel itself uses those, for file systems."""
    arguments = (_KEYCTL_JOIN_SESSION_KEYRING, 0)
    _syscall(_NR_KEYCTL[os.uname().machine], "leave the session keyring", *arguments)


def drop_bounding_set() -> None:
    """Forbid every capability to this process and its children, for good."""
    for capability in range(_CAPABILITIES_MAX):
        if _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            if ctypes.get_errno() == _EINVAL:  # the kernel knows no higher capability
                return
            _check(-1, f"drop capability {capability} from the bounding set")


def set_capabilities(kept: Iterable[int]) -> None:
    """Keep only the capabilities ``kept``, effective and permitted; none is inheritable."""
    _capset(sum(1 << number for number in kept), 0)


def permitted_capabilities() -> list[int]:
    """The capabilities that this process has."""
    with open("/proc/self/status", "rb") as file:
        lines = dict(line.split(b":", 1) for line in file if b":" in line)
    bits = int(lines[b"CapPrm"], 16)
    return [number for number in range(_CAPABILITIES_MAX) if bits >> number & 1]


def keep_capabilities_over_exec() -> None:
    """Let the next program have every capability that this process has, whoever its user is."""
    numbers = permitted_capabilities()
    bits = sum(1 << number for number in numbers)
    _capset(bits, bits)
    for number in numbers:
        arguments = (PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0)
        _check(_libc.prctl(*arguments), f"raise ambient capability {number}")


def forget_ambient_capabilities() -> None:
    """Undo ``keep_capabilities_over_exec`` for the programs to come; what is held stays."""
    _check(_libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "clear ambient set")


def _capset(bits: int, inheritable: int) -> None:
    _check(_libc.capset(*capset_arguments(bits, inheritable)), "capset")


def capset_arguments(
    bits: int, inheritable: int
) -> tuple[ctypes.Array[ctypes.c_char], ctypes.Array[ctypes.c_char]]:
    """What ``capset(2)`` takes, to have ``bits`` effective and permitted."""
    low, high = bits & 0xFFFFFFFF, bits >> 32
    later = (inheritable & 0xFFFFFFFF, inheritable >> 32)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
    fields = struct.pack("=6I", low, low, later[0], high, high, later[1])
    return header, ctypes.create_string_buffer(fields, 24)


def install_filter(program: bytes) -> None:
    """Put a seccomp filter (8-byte instructions) on this process and its children, for good."""
    head = filter_argument(program)
    _check(
        _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(head), 0, 0),
        "install the seccomp filter",
    )


class _Filter(ctypes.Structure):
    """``struct sock_fprog``: a 16-bit length, padding, and a pointer at its natural alignment."""

    _fields_ = (("length", ctypes.c_uint16), ("code", ctypes.c_char_p))


def filter_argument(program: bytes) -> ctypes.Structure:
    """What ``prctl(2)`` takes as a filter; it keeps ``program`` alive."""
    return _Filter(len(program) // 8, program)


def signal_descriptor(number: int) -> int:
    """A non-blocking descriptor that is readable while signal ``number`` (blocked) is pending."""
    mask = ctypes.create_string_buffer(128)
    _check(_libc.sigemptyset(mask), "sigemptyset")
    _check(_libc.sigaddset(mask, number), "sigaddset")
    flags = os.O_NONBLOCK | os.O_CLOEXEC
    return _check(_libc.signalfd(-1, mask, flags), "signalfd")
