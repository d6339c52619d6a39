"""The root folder that a sandbox sees. Runs in the maker, before any foreign code exists.

Two steps. ``enter_template`` runs once: it gathers what every sandbox shares (``/usr`` of the host
read-only, a small ``/etc``, ``/dev`` nodes) in a memory file system, makes that the root and lets
go of the host. ``enter_root`` runs once per sandbox, in its own mount namespace: a fresh root, the
shared parts moved into it, ``/proc``, ``/tmp``, the mounts that were asked for.

Standard library only.
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass

from alonzo.sandbox.backends.namespaces import syscalls as sys

#: Folders of programs and libraries; where the host has a link (``/lib -> usr/lib``), so do we.
_SYSTEM_FOLDERS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")

#: Device nodes: name, major, minor.
_DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9))

#: Links that programs expect in /dev.
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}

#: Files of the host's /etc that are the same for everybody and tell nothing about anybody.
_ETC_COPIED = ("ld.so.cache", "localtime", "protocols", "services", "mime.types")

#: Folders of the host's /etc shown as they are: certificates, and Debian's choice of programs.
_ETC_SHOWN = (
    "alternatives",
    "ssl/certs",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "ca-certificates/extracted",
)

#: Files of the host's /etc that configure TLS.
_ETC_TLS_FILES = ("ssl/openssl.cnf",)

_NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n"

#: Files of /etc that differ between sandboxes; /etc holds links to them.
_OWN_ETC = "/run/etc"

#: What /proc tells about the host, or lets one do to it, and no function needs.
_PROC_MASKED = (
    "acpi",
    "asound",
    "bus",
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
    "opt",
    "mnt",
    "usr",
    "etc",
    "dev",
)

_EMPTY = "/run/empty"
_NEXT_ROOT = "/next"
_TMPFS_ROOT_OPTIONS = "mode=755,size=4m,nr_inodes=4096"


@dataclass(frozen=True)
class Attachment:
    """A detached tree, and where it goes."""

    tree: int
    target: str


@dataclass(frozen=True)
class RootPlan:
    """What one sandbox's root has beside the shared parts. ``uid`` and ``gid`` as seen inside."""

    attachments: tuple[Attachment, ...]
    tmp_mib: int
    hostname: str
    uid: int
    gid: int


#: Files and folders that ``/tmp`` holds for each MiB of its size: as many as ext4 would give it.
_TMP_FILES_PER_MIB = 64


def enter_template(folder: str, *, may_make_devices: bool) -> None:
    """Make the shared root on ``folder`` and live in it, in a mount namespace of our own."""
    sys.unshare(sys.CLONE_NEWNS)
    sys.mount(None, "/", flags=sys.MS_REC | sys.MS_PRIVATE)
    sys.mount("tmpfs", folder, "tmpfs", sys.MS_NOSUID | sys.MS_NODEV, _TMPFS_ROOT_OPTIONS)
    for name in ("proc", "dev", "etc", _NEXT_ROOT[1:]):
        os.mkdir(f"{folder}/{name}")
    for name in _SYSTEM_FOLDERS:
        _show_system_folder(name, folder)
    _make_devices(f"{folder}/dev", may_make_devices=may_make_devices)
    _make_etc(f"{folder}/etc")
    # Without a whole /proc in sight the kernel lets nobody in a user namespace mount another.
    _mount_proc(f"{folder}/proc")
    sys.pivot_root(folder)


def _show_system_folder(name: str, folder: str) -> None:
    source = f"/{name}"
    if os.path.islink(source):
        os.symlink(os.readlink(source), f"{folder}/{name}")
    elif os.path.isdir(source):
        os.mkdir(f"{folder}/{name}")
        _show(source, f"{folder}/{name}")


def _show(source: str, target: str) -> None:
    """Show a folder of the host at ``target``, read-only, without set-uid programs or devices."""
    sys.mount(source, target, flags=sys.MS_BIND | sys.MS_REC)
    sys.mount_setattr(target, sys.MOUNT_ATTR_RDONLY | sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV)


def _make_devices(folder: str, *, may_make_devices: bool) -> None:
    sys.mount("tmpfs", folder, "tmpfs", sys.MS_NOSUID | sys.MS_NOEXEC, "mode=755,size=64k")
    for name, major, minor in _DEVICES:
        path = f"{folder}/{name}"
        if may_make_devices:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            os.chmod(path, 0o666)  # noqa: S103 - what these nodes have everywhere
        else:
            _write(path, "")
            sys.mount(f"/dev/{name}", path, flags=sys.MS_BIND)
    for name, target in _DEVICE_LINKS.items():
        os.symlink(target, f"{folder}/{name}")
    sys.mount_setattr(folder, sys.MOUNT_ATTR_RDONLY)


def _make_etc(folder: str) -> None:
    sys.mount("tmpfs", folder, "tmpfs", sys.MS_NOSUID | sys.MS_NODEV, "mode=755,size=16m")
    for name in (*_ETC_COPIED, *_ETC_TLS_FILES):
        if os.path.isfile(f"/etc/{name}") and os.access(f"/etc/{name}", os.R_OK):
            os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
            shutil.copyfile(f"/etc/{name}", f"{folder}/{name}")
    for name in _ETC_SHOWN:
        if os.path.isdir(f"/etc/{name}"):
            os.makedirs(f"{folder}/{name}", exist_ok=True)
            _show(f"/etc/{name}", f"{folder}/{name}")
    _write(f"{folder}/nsswitch.conf", _NSSWITCH)
    _write(f"{folder}/resolv.conf", "")
    for name in ("passwd", "group", "hosts"):
        os.symlink(f"{_OWN_ETC}/{name}", f"{folder}/{name}")
    sys.mount_setattr(folder, sys.MOUNT_ATTR_RDONLY)


def _mount_proc(folder: str) -> None:
    # hidepid=2: a process sees those that it may look into. That leaves out pid 1, ours.
    flags = sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC
    sys.mount("proc", folder, "proc", flags, "hidepid=2")


def enter_root(plan: RootPlan) -> None:
    """Make one sandbox's root and live in it. The caller has just got its own mount namespace."""
    root = _NEXT_ROOT
    sys.mount("tmpfs", root, "tmpfs", sys.MS_NOSUID | sys.MS_NODEV, _TMPFS_ROOT_OPTIONS)
    for name in _EMPTY_FOLDERS:
        os.mkdir(f"{root}/{name}")
    for name in _SYSTEM_FOLDERS:
        if os.path.islink(f"/{name}"):
            os.symlink(os.readlink(f"/{name}"), f"{root}/{name}")
        elif os.path.isdir(f"/{name}"):
            os.makedirs(f"{root}/{name}", exist_ok=True)
            sys.mount(f"/{name}", f"{root}/{name}", flags=sys.MS_MOVE)
    for name in ("etc", "dev"):
        sys.mount(f"/{name}", f"{root}/{name}", flags=sys.MS_MOVE)
    _mount_proc(f"{root}/proc")
    sys.mount(
        "tmpfs",
        f"{root}/tmp",  # noqa: S108 - the sandbox's own
        "tmpfs",
        sys.MS_NOSUID | sys.MS_NODEV,
        # A file costs the kernel about 1 KiB beside its content, which no size counts.
        f"mode=1777,size={plan.tmp_mib}m,nr_inodes={plan.tmp_mib * _TMP_FILES_PER_MIB}",
    )
    # From here on no path can lead out of the sandbox, whatever links its mounts hold.
    sys.pivot_root(root)
    _write_own_etc(plan)
    for attachment in sorted(plan.attachments, key=lambda a: a.target.count("/")):
        _attach(attachment)
    flags = sys.MS_BIND | sys.MS_REMOUNT | sys.MS_RDONLY | sys.MS_NOSUID | sys.MS_NODEV
    sys.mount(None, "/", flags=flags)
    # Last: a bind takes the read-only flag of the mount that it shows a part of.
    _mask_proc()


def _mask_proc() -> None:
    for name in _PROC_MASKED:
        path = f"/proc/{name}"
        if os.path.isdir(path):
            sys.mount(_EMPTY, path, flags=sys.MS_BIND)
        elif os.path.exists(path):
            sys.mount("/dev/null", path, flags=sys.MS_BIND)
    sys.mount("/proc/sys", "/proc/sys", flags=sys.MS_BIND)
    sys.mount_setattr("/proc/sys", sys.MOUNT_ATTR_RDONLY)


def _write_own_etc(plan: RootPlan) -> None:
    user = "sbx_user1051"
    _write(
        f"{_OWN_ETC}/passwd",
        "root:x:0:0:root:/root:/sbin/nologin\n"
        f"{user}:x:{plan.uid}:{plan.gid}::/home/{user}:/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n",
    )
    _write(f"{_OWN_ETC}/group", f"root:x:0:\n{user}:x:{plan.gid}:\nnogroup:x:65534:\n")
    _write(f"{_OWN_ETC}/hosts", f"127.0.0.1 localhost {plan.hostname}\n::1 localhost\n")


def _attach(attachment: Attachment) -> None:
    target = attachment.target
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if stat.S_ISDIR(os.fstat(attachment.tree).st_mode):
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        _write(target, "")
    sys.move_mount(attachment.tree, target)
    os.close(attachment.tree)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
