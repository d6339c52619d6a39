"""System calls that are ready before a fork, for its sake: to take one touches little memory.

What a fork writes to is copied for it, and Python writes wherever it looks: it counts references.
A text that is put together, a type that ``ctypes`` makes, a function that is called for the first
time, each costs a page or two. A *step* is a call with its arguments as the kernel wants them, made
by who forks. Standard library, Python 3.8 or later.
"""

from __future__ import annotations

import ctypes
import os
import signal
import stat

from . import syscalls as sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Step = tuple[Callable[..., int], tuple[Any, ...], str]

_AT_FDCWD = -100
_EMPTY_PATH = 4  # MOVE_MOUNT_F_EMPTY_PATH
_NR_MKNODAT = {"x86_64": 259, "aarch64": 33}

_libc = ctypes.CDLL(None, use_errno=True)


def _function(name: str, *types: Any) -> Any:
    function = _libc[name]
    function.argtypes = types
    function.restype = ctypes.c_long if name in ("syscall", "signal") else ctypes.c_int
    return function


_TEXT, _NUMBER, _LONG, _POINTER = ctypes.c_char_p, ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p
_close = _function("close", _NUMBER)
_write = _function("write", _NUMBER, _TEXT, ctypes.c_size_t)
_unshare = _function("unshare", _NUMBER)
_setns = _function("setns", _NUMBER, _NUMBER)
_mount = _function("mount", _TEXT, _TEXT, _TEXT, _LONG, _TEXT)
_umount = _function("umount2", _TEXT, _NUMBER)
_mkdir = _function("mkdir", _TEXT, ctypes.c_uint)
_symlink = _function("symlink", _TEXT, _TEXT)
_chdir = _function("chdir", _TEXT)
_prctl = _function("prctl", _NUMBER, _LONG, _POINTER, _LONG, _LONG)
_prctl_at = _function("prctl", _NUMBER, _POINTER, _LONG, _LONG, _LONG)
_capset = _function("capset", _POINTER, _POINTER)
_signal = _function("signal", _NUMBER, _LONG)
_sigmask = _function("sigprocmask", _NUMBER, _POINTER, _POINTER)
_mknodat = _function("syscall", ctypes.c_long, _NUMBER, _TEXT, ctypes.c_uint, ctypes.c_ulong)
_pivot_root = _function("syscall", ctypes.c_long, _TEXT, _TEXT)
_move_mount = _function("syscall", ctypes.c_long, _NUMBER, _TEXT, _NUMBER, _TEXT, ctypes.c_uint)
_mount_setattr = _function(
    "syscall", ctypes.c_long, _NUMBER, _TEXT, ctypes.c_uint, _POINTER, ctypes.c_size_t
)


def take(steps: Iterable[Step]) -> None:
    """Take steps, in their order.

    Raises:
        OSError: one failed; ``filename`` says which, and the rest was not taken.
    """
    for step in steps:
        if step[0](*step[1]) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), step[2])


def close(descriptor: int) -> Step:
    """``close(2)``."""
    return _close, (descriptor,), "close"


def close_all(descriptors: Iterable[int]) -> list[Step]:
    """The same of each."""
    return [close(one) for one in descriptors]


def write(descriptor: int, data: bytes) -> Step:
    """``write(2)``, of little."""
    return _write, (descriptor, data, len(data)), f"write {data!r}"


def unshare(flags: int) -> Step:
    """Leave the namespaces in ``flags`` for new ones."""
    return _unshare, (flags,), f"unshare({flags:#x})"


def setns(descriptor: int, flags: int) -> Step:
    """Join the namespace behind ``descriptor``."""
    return _setns, (descriptor, flags), f"setns({flags:#x})"


def mount(
    source: str | None, target: str, kind: str | None = None, flags: int = 0, options: str = ""
) -> Step:
    """``mount(2)``."""
    texts = [None if one is None else os.fsencode(one) for one in (source, target, kind)]
    arguments = (*texts, flags, os.fsencode(options) or None)
    return _mount, arguments, f"mount {kind or source or flags} on {target}"


def make_folder(path: str) -> Step:
    """``mkdir(2)``."""
    return _mkdir, (os.fsencode(path), 0o777), f"make {path}"


def make_file(path: str) -> Step:
    """Make an empty file."""
    number = _NR_MKNODAT[os.uname().machine]
    arguments = (number, _AT_FDCWD, os.fsencode(path), stat.S_IFREG | 0o644, 0)
    return _mknodat, arguments, f"make {path}"


def link(target: str, path: str) -> Step:
    """``symlink(2)``."""
    return _symlink, (os.fsencode(target), os.fsencode(path)), f"make {path}"


def pivot_root(new_root: str) -> list[Step]:
    """Make ``new_root`` (a mount point) the root, and let go of the old one and all below it."""
    return [
        (_chdir, (os.fsencode(new_root),), new_root),
        (_pivot_root, (sys.pivot_root_number(), b".", b"."), f"pivot_root to {new_root}"),
        (_umount, (b".", sys.MNT_DETACH), "umount the old root"),
        (_chdir, (b"/",), "/"),
    ]


def mount_read_only(path: str) -> Step:
    """Let nobody write through the mount at ``path``, nor what is mounted in it show elsewhere."""
    number, *arguments = sys.mount_setattr_arguments(path, sys.MOUNT_ATTR_RDONLY)
    return _mount_setattr, (number, *arguments), f"mount_setattr {path}"


def move_mount(descriptor: int, target: str) -> Step:
    """Attach a detached tree at ``target``. A symbolic link there is not followed."""
    arguments = (sys.NR_MOVE_MOUNT, descriptor, b"", _AT_FDCWD, os.fsencode(target), _EMPTY_PATH)
    return _move_mount, arguments, f"move_mount to {target}"


def set_name(name: str) -> Step:
    """Name the process, as ``ps`` shows it; 15 bytes count."""
    buffer = ctypes.create_string_buffer(name.encode()[:15])
    return _prctl_at, (sys.PR_SET_NAME, buffer, 0, 0, 0), "set name"


def set_dumpable(dumpable: bool) -> Step:
    """Whether processes of the same user may look into the process."""
    return _prctl, (sys.PR_SET_DUMPABLE, int(dumpable), None, 0, 0), "set dumpable"


def set_no_new_privileges() -> Step:
    """From here on no program gains privilege by being executed."""
    return _prctl, (sys.PR_SET_NO_NEW_PRIVS, 1, None, 0, 0), "set no_new_privs"


def set_capabilities(kept: Iterable[int]) -> Step:
    """Keep only the capabilities ``kept``, effective and permitted; none is inheritable."""
    return _capset, sys.capset_arguments(sum(1 << number for number in kept), 0), "capset"


def install_filter(program: bytes) -> Step:
    """Put a seccomp filter (8-byte instructions) on the process and its children, for good."""
    head = ctypes.byref(sys.filter_argument(program))
    arguments = (sys.PR_SET_SECCOMP, sys.SECCOMP_MODE_FILTER, head, 0, 0)
    return _prctl, arguments, "install the seccomp filter"


def by_default(number: int) -> Step:
    """Have the kernel do by default what a signal does; Python does not learn of it."""
    return _signal, (number, 0), f"set signal {number}"


def no_blocked_signals() -> Step:
    """Block no signal."""
    empty = ctypes.create_string_buffer(128)
    return _sigmask, (signal.SIG_SETMASK.value, empty, None), "sigprocmask"
