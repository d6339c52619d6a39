"""The root of one sandbox: a folder of the host that gVisor shows read-only. Blocks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from alonzo.sandbox.backends.gvisor import plan
from alonzo.sandbox.base import Mount, SandboxError


def make(root: Path, names: Sequence[str]) -> None:
    """Make it, with the few files that it has of its own. ``names`` lead to its loopback."""
    for name in ("proc", "sys", "dev", "tmp", "etc", "var", "opt"):
        (root / name).mkdir(parents=True)
    for name, text in plan.files(names).items():
        (root / name).write_text(text)
    for path, target in plan.links().items():
        (root / path[1:]).symlink_to(target)


def show(root: Path, mounts: tuple[Mount, ...]) -> None:
    """Have what these mounts show appear in a sandbox that runs: by links to the same files.

    gVisor takes no mount once it runs, and the files must not change, which unpacked code never
    does. Where the two lie on different file systems the files are copied.

    Raises:
        SandboxError: it cannot be shown.
    """
    for mount in mounts:
        if not mount.executable:
            raise SandboxError(f"mount target {mount.target}: noexec can only be had at first")
        target = root / mount.target[1:]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if mount.source.is_dir():
                _keep_empty(target)
                shutil.copytree(
                    mount.source, target, symlinks=True, copy_function=_link, dirs_exist_ok=True
                )
            else:
                _link(str(mount.source), str(target))
        except (OSError, shutil.Error) as err:
            raise SandboxError(f"mount target {mount.target}: {err}") from err


def _keep_empty(target: Path) -> None:
    if target.is_symlink() or (target.exists() and any(target.iterdir())):
        raise SandboxError(f"mount target {target}: something is there")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
