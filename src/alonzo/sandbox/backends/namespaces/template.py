"""The shared root in which a maker lives, and from which the roots of its sandboxes are made.

It gathers what every sandbox of the maker shows (``/usr`` of the host read-only, a small ``/etc``,
``/dev`` nodes, mounts of its own) in a memory file system, makes that the root and lets go of the
host. Runs before any foreign code exists. Standard library only.
"""

from __future__ import annotations

import contextlib
import glob
import os
import stat
from collections.abc import Mapping, Sequence

from alonzo.sandbox.backends.namespaces.inside import root
from alonzo.sandbox.backends.namespaces.inside import syscalls as sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
_ETC_COPIED = ("ld.so.cache", "localtime", "mime.types", "os-release", "protocols", "services")

#: Patterns of folders of the host's /etc shown as they are: certificates, and what Debian keeps
#: there of programs in /usr, which lead to it by links.
_ETC_SHOWN = (
    "alternatives",
    "java-*-openjdk",
    "ssl/certs",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "ca-certificates/extracted",
)

#: Files of the host's /etc that configure TLS.
_ETC_TLS_FILES = ("ssl/openssl.cnf",)

_NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n"

#: Where a zygote finds the programs of ``inside/``, until it has imported them.
HELPERS = "/alonzo"


class Shown:
    """A file or folder of the host at ``target``."""

    def __init__(self, source: str, target: str, *, executable: bool = True) -> None:
        self.source = source
        self.target = target
        self.executable = executable


def enter(
    folder: str,
    shown: Sequence[Shown],
    *,
    may_make_devices: bool,
    libraries: Sequence[str] | None,
    resolv_conf: str,
) -> None:
    """Make the shared root on ``folder`` and live in it, in a mount namespace of our own.

    ``libraries`` are folders where a zygote will look for libraries; None: it is for no zygote.
    """
    sys.unshare(sys.CLONE_NEWNS)
    sys.mount(None, "/", flags=sys.MS_REC | sys.MS_PRIVATE)
    flags = sys.MS_NOSUID | sys.MS_NODEV
    sys.mount("tmpfs", folder, "tmpfs", flags, root.ROOT_OPTIONS)
    for name in ("proc", "dev", "etc", root.NEXT_ROOT[1:]):
        os.mkdir(f"{folder}/{name}")
    for name in root.SYSTEM_FOLDERS:
        _show_system_folder(name, folder)
    _make_devices(f"{folder}/dev", may_make_devices=may_make_devices)
    _make_etc(f"{folder}/etc", resolv_conf)
    for one in sorted(shown, key=lambda one: one.target.count("/")):
        _show(one.source, folder + one.target, executable=one.executable)
    if libraries is not None:
        for path in libraries:
            # The loader never again looks into a folder that was not there at its first look.
            with contextlib.suppress(OSError):
                os.makedirs(f"{folder}/{path.lstrip('/')}", exist_ok=True)
        name = os.path.basename(os.path.dirname(root.__file__))
        _show(os.path.dirname(root.__file__), f"{folder}{HELPERS}/{name}")
    # Without a whole /proc in sight the kernel lets nobody in a user namespace mount another.
    root.mount_proc(f"{folder}/proc")
    sys.mount(None, folder, flags=sys.MS_BIND | sys.MS_REMOUNT | sys.MS_RDONLY | flags)
    sys.pivot_root(folder)


def _show_system_folder(name: str, folder: str) -> None:
    source = f"/{name}"
    if os.path.islink(source):
        os.symlink(os.readlink(source), f"{folder}/{name}")
    elif os.path.isdir(source):
        _show(source, f"{folder}/{name}")


def _show(source: str, target: str, *, executable: bool = True) -> None:
    """Show something of the host, read-only, without set-uid programs or devices."""
    tree = open_read_only(source, executable=executable)
    try:
        root.make_place(target, like=tree)
        sys.move_mount(tree, target)
    finally:
        os.close(tree)


def open_all(mounts: Sequence[Mapping[str, Any]]) -> list[int]:
    """Detached trees of all ``mounts`` (source and executable), in their order, or none.

    Raises:
        OSError: one cannot be opened; ``filename`` says which.
    """
    trees: list[int] = []
    try:
        for mount in mounts:
            tree = open_read_only(mount["source"], executable=mount["executable"])
            trees.append(tree)  # one by one: what is open must be closed if the next fails
    except OSError:
        for tree in trees:
            os.close(tree)
        raise
    return trees


def open_read_only(path: str, *, executable: bool) -> int:
    """A detached tree of what the host has at ``path``, fit to be shown to anybody."""
    attributes = sys.MOUNT_ATTR_RDONLY | sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV
    if not executable:
        attributes |= sys.MOUNT_ATTR_NOEXEC
    descriptor = sys.open_tree(path)
    try:
        sys.mount_setattr(descriptor, attributes)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _make_devices(folder: str, *, may_make_devices: bool) -> None:
    sys.mount("tmpfs", folder, "tmpfs", sys.MS_NOSUID | sys.MS_NOEXEC, "mode=755,size=64k")
    for name, major, minor in _DEVICES:
        path = f"{folder}/{name}"
        if may_make_devices:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            os.chmod(path, 0o666)  # noqa: S103 - what these nodes have everywhere
        else:
            root.write(path, "")
            sys.mount(f"/dev/{name}", path, flags=sys.MS_BIND)
    for name, target in _DEVICE_LINKS.items():
        os.symlink(target, f"{folder}/{name}")
    sys.mount_setattr(folder, sys.MOUNT_ATTR_RDONLY)


def _copy(source: str, target: str) -> None:
    with open(source, "rb") as read, open(target, "wb") as written:
        written.write(read.read())


def _make_etc(folder: str, resolv_conf: str) -> None:
    sys.mount("tmpfs", folder, "tmpfs", sys.MS_NOSUID | sys.MS_NODEV, "mode=755,size=16m")
    for name in (*_ETC_COPIED, *_ETC_TLS_FILES):
        if os.path.isfile(f"/etc/{name}") and os.access(f"/etc/{name}", os.R_OK):
            os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
            _copy(f"/etc/{name}", f"{folder}/{name}")
    for pattern in _ETC_SHOWN:
        for name in glob.glob(pattern, root_dir="/etc"):
            if os.path.isdir(f"/etc/{name}"):
                _show(f"/etc/{name}", f"{folder}/{name}")
    root.write(f"{folder}/nsswitch.conf", _NSSWITCH)
    root.write(f"{folder}/resolv.conf", resolv_conf)
    for name in ("passwd", "group", "hosts"):
        os.symlink(f"{root.OWN_ETC}/{name}", f"{folder}/{name}")
    sys.mount_setattr(folder, sys.MOUNT_ATTR_RDONLY)
