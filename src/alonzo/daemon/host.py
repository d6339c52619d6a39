"""What this host is, as far as it decides about isolation. Reading only; ``advice.py`` judges."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: Longest wait for a program to say its version.
_VERSION_S_MAX = 10.0

#: What a container manager leaves where its containers see it.
_MARKS = {"/.dockerenv": "Docker", "/run/.containerenv": "Podman"}
_IN_CGROUP = re.compile(r"docker|kubepods|libpod|lxc|containerd|garden")


@dataclass(frozen=True, slots=True)
class HostFacts:
    """``container`` names what we run in, or is None.

    The next three are kernel settings for ordinary users, None where the kernel has no such
    setting: how many user namespaces there may be, whether they may make them, and whether AppArmor
    takes the use of them away. ``runsc`` is the version of gVisor, if it is installed.
    """

    root: bool
    container: str | None = None
    user_namespaces_max: int | None = None
    user_namespaces_allowed: bool | None = None
    apparmor_restricts: bool | None = None
    runsc: str | None = None


def read() -> HostFacts:
    """Look. Starts ``runsc --version`` if there is one."""
    allowed = _number("/proc/sys/kernel/unprivileged_userns_clone")
    restricts = _number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    return HostFacts(
        root=os.geteuid() == 0,
        container=_container(),
        user_namespaces_max=_number("/proc/sys/user/max_user_namespaces"),
        user_namespaces_allowed=None if allowed is None else bool(allowed),
        apparmor_restricts=None if restricts is None else bool(restricts),
        runsc=_runsc(),
    )


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None


def _container() -> str | None:
    for path, name in _MARKS.items():
        if Path(path).exists():
            return name
    try:
        told = Path("/run/systemd/container").read_text().strip()
        groups = Path("/proc/1/cgroup").read_text()
    except OSError:
        told = groups = ""
    if told:
        return told
    found = _IN_CGROUP.search(groups)
    return found[0] if found else None


def _runsc() -> str | None:
    program = shutil.which("runsc")
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - the user's own PATH
            (program, "--version"), capture_output=True, text=True, timeout=_VERSION_S_MAX,
            check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.partition("\n")[0].removeprefix("runsc version ").strip() or None
