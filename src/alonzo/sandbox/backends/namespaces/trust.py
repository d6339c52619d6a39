"""Whether we may run a program with our own privileges.

A zygote's interpreter runs before any privilege is dropped. If somebody else may change its files,
he could have us do what only we may. Executed in a sandbox the same program is harmless.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from alonzo.sandbox.base import Mount, SandboxSpec

_ROOT = 0


def files_run_by(spec: SandboxSpec) -> list[Path]:
    """The host's files and folders that the zygote of ``spec`` depends on first of all. Pure."""
    if spec.zygote is None:
        return []
    inside = [spec.zygote.interpreter[0], f"{spec.zygote.folder}/{spec.zygote.module}.py"]
    return [*(mount.source for mount in spec.mounts), *(_outside(p, spec.mounts) for p in inside)]


def _outside(path: str, mounts: Iterable[Mount]) -> Path:
    """Where the host has what a sandbox sees at ``path``."""
    over = [
        mount for mount in mounts if path == mount.target or path.startswith(f"{mount.target}/")
    ]
    if not over:
        return Path(path)
    mount = max(over, key=lambda mount: len(mount.target))
    return mount.source / path[len(mount.target) + 1 :]


def why_not(files: Iterable[Path]) -> str | None:
    """What speaks against running them, or None. A missing file is for others to notice."""
    for path in files:
        try:
            found = path.stat()
        except OSError:
            continue
        if found.st_uid not in (_ROOT, os.geteuid()):
            return f"{path} belongs to another user, who could make us run anything"
        group_writes = found.st_mode & stat.S_IWGRP and found.st_gid not in (_ROOT, os.getegid())
        if group_writes or found.st_mode & stat.S_IWOTH:
            return f"{path} can be written by others, who could make us run anything"
    return None
