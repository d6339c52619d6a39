"""The root folder that a sandbox sees: a fresh one in its own mount namespace.

``Root`` moves the shared parts of the maker's root (``template.py``) into it, and adds ``/proc``
and ``/tmp``; ``attach_all`` shows the mounts that one sandbox alone has.
"""

from __future__ import annotations

import os
import stat

from . import steps
from . import syscalls as sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .steps import Step

#: Folders of programs and libraries; where the host has a link (``/lib -> usr/lib``), so do we.
SYSTEM_FOLDERS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")

#: Files of /etc that differ between sandboxes; /etc holds links to them.
OWN_ETC = "/run/etc"

#: What /proc tells about the host, or lets one do to it, and no function needs.
_PROC_MASKED = (
    "acpi",
    "asound",
    "bus",
    "cmdline",
    "config.gz",
    "diskstats",
    "driver",
    "fs",
    "interrupts",
    "iomem",
    "ioports",
    "irq",
    "kallsyms",
    "kcore",
    "key-users",
    "keys",
    "kmsg",
    "latency_stats",
    "modules",
    "partitions",
    "pressure",
    "sched_debug",
    "scsi",
    "softirqs",
    "swaps",
    "sysrq-trigger",
    "sysvipc",
    "timer_list",
    "timer_stats",
)

#: Folders that exist in every root, so that a mount finds its place and a program its folder.
_EMPTY_FOLDERS = (
    "proc",
    "tmp",
    "run",
    "run/etc",
    "run/empty",
    "var",
    "var/task",
    "var/runtime",
    "var/lang",
    "opt",
    "mnt",
    "usr",
    "etc",
    "dev",
)

_EMPTY = "/run/empty"
NEXT_ROOT = "/next"
ROOT_OPTIONS = "mode=755,size=4m,nr_inodes=4096"


#: A process sees those that it may look into. That leaves out pid 1, ours.
_PROC_OPTIONS = "hidepid=2"

_READ_ONLY = sys.MS_BIND | sys.MS_REMOUNT | sys.MS_RDONLY | sys.MS_NOSUID | sys.MS_NODEV

_REMOUNT_TMP = sys.MS_REMOUNT | sys.MS_NOSUID | sys.MS_NODEV

#: Files and folders that ``/tmp`` holds for each MiB of its size: as many as ext4 would give it.
#: A file costs the kernel about 1 KiB beside its content, which no size counts.
_TMP_FILES_PER_MIB = 64


class RootPlan:
    """What differs between sandboxes of one maker. ``uid`` and ``gid`` as seen inside.

    ``names`` lead to the sandbox itself.
    """

    def __init__(self, names: tuple[str, ...], uid: int, gid: int) -> None:
        self.names = names
        self.uid = uid
        self.gid = gid


def mount_proc(folder: str) -> None:
    """Show the processes of our pid namespace."""
    flags = sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC
    sys.mount("proc", folder, "proc", flags, _PROC_OPTIONS)


class Root:
    """How every sandbox of one maker makes its root: steps, made in the maker's own root.

    ``shared`` are the maker's own mounts, which go where they are; ``masked`` is of ``masks``.
    """

    def __init__(self, shared: list[str], masked: list[tuple[str, str]]) -> None:
        self._before = _building(shared)
        self._after = [steps.mount(None, "/", flags=_READ_ONLY), *_masking(masked)]

    def enter(self, plan: RootPlan) -> None:
        """Make one sandbox's root and live in it, in a mount namespace of its own."""
        steps.take(self._before)
        _write_own_etc(plan)
        steps.take(self._after)


def _building(shared: list[str]) -> list[Step]:
    root = NEXT_ROOT
    flags = sys.MS_NOSUID | sys.MS_NODEV
    made: set[str] = set()
    found = [steps.mount("tmpfs", root, "tmpfs", flags, ROOT_OPTIONS)]
    for name in _EMPTY_FOLDERS:
        found += _folders(f"/{name}", made)
    for name in SYSTEM_FOLDERS:
        if os.path.islink(f"/{name}"):
            found.append(steps.link(os.readlink(f"/{name}"), f"{root}/{name}"))
        elif os.path.isdir(f"/{name}"):
            found += _folders(f"/{name}", made)
            found.append(steps.mount(f"/{name}", f"{root}/{name}", flags=sys.MS_MOVE))
    found += [
        steps.mount(f"/{name}", f"{root}/{name}", flags=sys.MS_MOVE) for name in ("etc", "dev")
    ]
    for target in shared:
        if stat.S_ISDIR(os.stat(target).st_mode):
            found += _folders(target, made)
        else:
            found += [*_folders(os.path.dirname(target), made), steps.make_file(root + target)]
        found.append(steps.mount(target, root + target, flags=sys.MS_MOVE))
    return [
        *found,
        steps.mount("proc", f"{root}/proc", "proc", flags | sys.MS_NOEXEC, _PROC_OPTIONS),
        steps.mount("tmpfs", f"{root}/tmp", "tmpfs", flags, f"mode=1777,{_tmp_options(1)}"),  # noqa: S108 - the sandbox's own
        # From here on no path can lead out of the sandbox, whatever links its mounts hold.
        *steps.pivot_root(root),
    ]


def _folders(path: str, made: set[str]) -> list[Step]:
    """Steps that make the folder ``path`` of the next root, and those above it, once."""
    if path in ("", "/") or path in made:
        return []
    above = _folders(os.path.dirname(path), made)
    made.add(path)
    return [*above, steps.make_folder(NEXT_ROOT + path)]


def mount_tmp(mib: int) -> None:
    """Cover ``/tmp`` with a new one of that size."""
    flags = sys.MS_NOSUID | sys.MS_NODEV
    options = f"mode=1777,{_tmp_options(mib)}"
    sys.mount("tmpfs", "/tmp", "tmpfs", flags, options)  # noqa: S108 - the sandbox's own


def size_tmp(mib: int) -> None:
    """Give ``/tmp`` its size."""
    options = _tmp_options(mib)
    steps.take((steps.mount(None, "/tmp", flags=_REMOUNT_TMP, options=options),))  # noqa: S108 - the sandbox's own


def _tmp_options(mib: int) -> str:
    return f"size={mib}m,nr_inodes={mib * _TMP_FILES_PER_MIB}"


def attach_all(targets: list[str], trees: list[int]) -> None:
    """Show each detached tree at its target, the outer ones first."""
    writable = False
    try:
        for depth_and_place in sorted((t.count("/"), t, at) for at, t in enumerate(targets)):
            _, target, at = depth_and_place
            if not os.path.lexists(target):
                if not writable:
                    sys.mount(None, "/", flags=_READ_ONLY & ~sys.MS_RDONLY)
                    writable = True
                make_place(target, like=trees[at])
            steps.take((steps.move_mount(trees[at], target),))
    finally:
        if writable:
            sys.mount(None, "/", flags=_READ_ONLY)


def make_place(target: str, *, like: int | str) -> None:
    """Make a file or folder to mount on, whichever ``like`` is, where there is none."""
    if stat.S_ISDIR(os.stat(like).st_mode):
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        write(target, "")


def masks() -> list[tuple[str, str]]:
    """What hides each file and folder of this kernel's /proc that is nobody's business."""
    found: list[tuple[str, str]] = []
    for name in _PROC_MASKED:
        path = f"/proc/{name}"
        if os.path.isdir(path):
            found.append((_EMPTY, path))
        elif os.path.exists(path):
            found.append(("/dev/null", path))
    return found


def mask_proc(masked: list[tuple[str, str]]) -> None:
    """Hide what ``masked`` names in /proc, and let nobody set anything there."""
    steps.take(_masking(masked))


def _masking(masked: list[tuple[str, str]]) -> list[Step]:
    """A bind takes the read-only flag of the mount that it shows a part of: not before that is."""
    return [
        *(steps.mount(source, path, flags=sys.MS_BIND) for source, path in masked),
        steps.mount("/proc/sys", "/proc/sys", flags=sys.MS_BIND),
        steps.mount_read_only("/proc/sys"),
    ]


def _write_own_etc(plan: RootPlan) -> None:
    user = "sbx_user1051"
    write(
        f"{OWN_ETC}/passwd",
        "root:x:0:0:root:/root:/sbin/nologin\n"
        f"{user}:x:{plan.uid}:{plan.gid}::/home/{user}:/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n",
    )
    write(f"{OWN_ETC}/group", f"root:x:0:\n{user}:x:{plan.gid}:\nnogroup:x:65534:\n")
    names = " ".join(("localhost", "sandbox.localdomain", "sandbox", *plan.names))
    write(f"{OWN_ETC}/hosts", f"127.0.0.1 {names}\n::1 localhost\n")


def write(path: str, text: str) -> None:
    """Make a file of that text."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    os.write(file, text.encode())
    os.close(file)
