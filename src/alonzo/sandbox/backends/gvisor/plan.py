"""From a sandbox's description to gVisor's bundle and command lines. Pure.

Sources: OCI runtime specification (``config.json``); ``runsc flags``.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alonzo.sandbox.base import NETWORK_LAYER, Layer, Mount, SandboxError

#: Tried in this order: what needs no device and is fast, then what every build has.
PLATFORMS = ("systrap", "ptrace")

#: ``id`` inside. Source: *observed*, recordings of public functions.
INSIDE_USER = 993

#: Where pid 1 finds its interpreter and its program.
OWN = "/alonzo"

#: What pid 1 may do inside, towards gVisor's kernel alone: mount ``/tmp``, become the user of
#: processes, end them. Processes have none of it.
_CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_KILL")

#: What of the host every sandbox shows, where the host has it.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = (
    *("/etc/alternatives", "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/java-17-openjdk"),
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/protocols", "/etc/services"),
)

#: Files of its own, beside that of names.
_FILES = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/sbin/nologin\n"
        f"sbx_user1051:x:{INSIDE_USER}:{INSIDE_USER}::/home/sbx_user1051:/sbin/nologin\n"
    ),
    "etc/group": f"root:x:0:\nsbx_user1051:x:{INSIDE_USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}

_RESERVED = (OWN, "/proc", "/sys", "/dev", "/tmp", "/etc", *SYSTEM)  # noqa: S108 - inside

_PROGRAM = f"import sys; sys.path.insert(0, '{OWN}'); from overseer.program import main; main()"


def files(names: Sequence[str] = ()) -> dict[str, str]:
    """A sandbox's own files; ``names`` lead to its loopback, beside the usual ones."""
    line = " ".join(("127.0.0.1", "localhost", "sandbox", "sandbox.localdomain", *names))
    return {**_FILES, "etc/hosts": f"{line}\n"}


def command(runsc: str, state: Path, platform: str) -> tuple[str, ...]:
    """The beginning of every command line.

    ``host`` network is that of the namespace which the bundle names, and which holds nothing but a
    loopback.
    """
    return (
        *(runsc, "--root", str(state), "--platform", platform, "--network=host"),
        *("--ignore-cgroups", "--file-access=shared", "--overlay2=none"),
    )


def bundle(
    *,
    root: Path,
    mounts: tuple[Mount, ...],
    program: Path,
    prefix: Path,
    interpreter: str,
    network: str,
    hostname: str,
) -> dict[str, Any]:
    """``config.json``. ``program`` and ``prefix`` are the folders of pid 1 and its interpreter."""
    system = [Mount(Path(path), path) for path in (*SYSTEM, *ETC) if _shown(path)]
    own = (Mount(program, f"{OWN}/overseer"), Mount(prefix, f"{OWN}/python"))
    sets = ("bounding", "effective", "permitted")
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": [f"{OWN}/python/bin/{interpreter}", "-I", "-S", "-c", _PROGRAM],
            "env": [f"LD_LIBRARY_PATH={OWN}/python/lib"],
            "cwd": "/",
            "capabilities": {name: list(_CAPABILITIES) for name in sets},
            "noNewPrivileges": True,
        },
        "root": {"path": str(root), "readonly": True},
        "hostname": hostname,
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m"]},  # noqa: S108 - inside
            *(_bind(mount) for mount in (*system, *own, *mounts)),
        ],
        "linux": {
            "namespaces": [
                *({"type": kind} for kind in ("pid", "ipc", "uts", "mount")),
                {"type": "network", "path": network},
            ]
        },
    }


def _shown(path: str) -> bool:
    """Whether it is there, and no link, which the root has instead (``links``)."""
    return Path(path).exists() and not Path(path).is_symlink()


def links() -> dict[str, str]:
    """The host's own links among what is shown, as ``/bin`` often is one to ``usr/bin``."""
    return {path: str(Path(path).readlink()) for path in SYSTEM if Path(path).is_symlink()}


def _bind(mount: Mount) -> dict[str, Any]:
    options = ["rbind", "ro", "nosuid", "nodev", *(() if mount.executable else ("noexec",))]
    return {
        "destination": mount.target,
        "type": "bind",
        "source": str(mount.source),
        "options": options,
    }


def check(mounts: tuple[Mount, ...], shown: frozenset[str] = frozenset()) -> None:
    """Refuse mounts that no sandbox could show beside those that are ``shown``.

    Raises:
        SandboxError: the text says which it is.
    """
    targets = set(shown)
    for mount in mounts:
        target = mount.target
        if not target.startswith("/") or posixpath.normpath(target) != target or "\0" in target:
            raise SandboxError(f"mount target {target!r}: want an absolute path in its plain form")
        if target == "/" or any(_beside(target, each) for each in _RESERVED):
            raise SandboxError(f"mount target {target}: the sandbox has its own")
        if any(_beside(target, other) for other in targets):
            raise SandboxError(f"mount target {target}: another mount is there, above or below")
        targets.add(target)
        if not mount.source.is_absolute() or not mount.source.exists():
            raise SandboxError(f"mount source {mount.source}: want a path that is there")


def _beside(one: str, other: str) -> bool:
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")


def layers(version: str, platform: str) -> tuple[Layer, ...]:
    """What sandboxes have, on that platform of gVisor's."""
    by_looking = "by looking every 25 ms"
    return (
        Layer("kernel", True, f"one for each sandbox: gVisor {version}, platform {platform}"),
        Layer("unprivileged user", True, "without capabilities inside"),
        Layer(NETWORK_LAYER, True, "none: a loopback of its own, and the platform on it"),
        Layer("memory limit", True, f"{by_looking}, together with what lies in /tmp"),
        Layer("process limit", True, "by looking every 50 ms; a sandbox beyond it is ended"),
        Layer("freezer", True, "by SIGSTOP"),
        Layer("cpu share", False, "not limited: use --isolation namespaces for it"),
    )
