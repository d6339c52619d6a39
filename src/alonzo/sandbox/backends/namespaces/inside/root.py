"""The root folder that a sandbox sees: a fresh one in its own mount namespace.

``enter`` moves the shared parts of the maker's root (``template.py``) into it, and adds ``/proc``
and ``/tmp``; ``attach_all`` shows the mounts that one sandbox alone has.
"""

from __future__ import annotations

import os
import stat

from . import syscalls as sys

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


_READ_ONLY = sys.MS_BIND | sys.MS_REMOUNT | sys.MS_RDONLY | sys.MS_NOSUID | sys.MS_NODEV

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
    # hidepid=2: a process sees those that it may look into. That leaves out pid 1, ours.
    flags = sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC
    sys.mount("proc", folder, "proc", flags, "hidepid=2")


def enter(plan: RootPlan, shared: list[str], masked: list[tuple[str, str]]) -> None:
    """Make one sandbox's root and live in it. The caller has just got its own mount namespace.

    ``shared`` are the maker's own mounts, which go where they are; ``masked`` is of ``masks``.
    """
    root = NEXT_ROOT
    sys.mount("tmpfs", root, "tmpfs", sys.MS_NOSUID | sys.MS_NODEV, ROOT_OPTIONS)
    for name in _EMPTY_FOLDERS:
        os.mkdir(f"{root}/{name}")
    for name in SYSTEM_FOLDERS:
        if os.path.islink(f"/{name}"):
            os.symlink(os.readlink(f"/{name}"), f"{root}/{name}")
        elif os.path.isdir(f"/{name}"):
            os.makedirs(f"{root}/{name}", exist_ok=True)
            sys.mount(f"/{name}", f"{root}/{name}", flags=sys.MS_MOVE)
    for name in ("etc", "dev"):
        sys.mount(f"/{name}", f"{root}/{name}", flags=sys.MS_MOVE)
    for target in shared:
        make_place(root + target, like=target)
        sys.mount(target, root + target, flags=sys.MS_MOVE)
    mount_proc(f"{root}/proc")
    sys.mount(
        "tmpfs",
        f"{root}/tmp",  # noqa: S108 - the sandbox's own
        "tmpfs",
        sys.MS_NOSUID | sys.MS_NODEV,
        f"mode=1777,{_tmp_options(1)}",
    )
    # From here on no path can lead out of the sandbox, whatever links its mounts hold.
    sys.pivot_root(root)
    _write_own_etc(plan)
    sys.mount(None, "/", flags=_READ_ONLY)
    # Last: a bind takes the read-only flag of the mount that it shows a part of.
    mask_proc(masked)


def mount_tmp(mib: int) -> None:
    """Cover ``/tmp`` with a new one of that size."""
    flags = sys.MS_NOSUID | sys.MS_NODEV
    options = f"mode=1777,{_tmp_options(mib)}"
    sys.mount("tmpfs", "/tmp", "tmpfs", flags, options)  # noqa: S108 - the sandbox's own


def size_tmp(mib: int) -> None:
    """Give ``/tmp`` its size."""
    flags = sys.MS_REMOUNT | sys.MS_NOSUID | sys.MS_NODEV
    sys.mount(None, "/tmp", flags=flags, options=_tmp_options(mib))  # noqa: S108 - the sandbox's own


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
            sys.move_mount(trees[at], target)
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
    for source, path in masked:
        sys.mount(source, path, flags=sys.MS_BIND)
    sys.mount("/proc/sys", "/proc/sys", flags=sys.MS_BIND)
    sys.mount_setattr("/proc/sys", sys.MOUNT_ATTR_RDONLY)


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
