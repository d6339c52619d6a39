"""Whose programs we run before dropping privilege."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from alonzo.sandbox.backends.namespaces import trust
from alonzo.sandbox.base import Mount, SandboxSpec, Zygote


def test_the_interpreter_the_module_and_every_mount_count() -> None:
    mounts = (Mount(Path("/a/prefix"), "/var/lang"), Mount(Path("/b"), "/var/runtime"))
    zygote = Zygote(("/var/lang/bin/python3", "-s"), "/var/runtime", "start")
    assert trust.files_run_by(SandboxSpec("x", 1, mounts, zygote)) == [
        Path("/a/prefix"),
        Path("/b"),
        Path("/a/prefix/bin/python3"),
        Path("/b/start.py"),
    ]
    of_the_host = Zygote(("/usr/bin/python3",), "/var/runtime", "start")
    assert Path("/usr/bin/python3") in trust.files_run_by(SandboxSpec("x", 1, mounts, of_the_host))
    assert trust.files_run_by(SandboxSpec("x", 1, mounts)) == []


def test_what_others_may_change_is_not_run(tmp_path: Path) -> None:
    file = tmp_path / "python3"
    file.touch()
    file.chmod(0o755)
    assert trust.why_not([file, tmp_path / "missing"]) is None
    file.chmod(0o757)
    assert "written by others" in (trust.why_not([file]) or "")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_what_belongs_to_another_user_is_not_run(tmp_path: Path) -> None:
    file = tmp_path / "python3"
    file.touch()
    file.chmod(0o775)
    os.chown(file, 0, 65534)
    assert "written by others" in (trust.why_not([file]) or "")
    os.chown(file, 65534, 0)
    assert "another user" in (trust.why_not([file]) or "")
