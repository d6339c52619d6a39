"""The data directory: one owner at a time, private, with secrets that survive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alonzo.lib import faults
from alonzo.store.data_dir import DataDir, DataDirError, DataDirLockedError, read_or_create

HOLD = """
import sys
from pathlib import Path
from alonzo.store.data_dir import DataDir
DataDir.open(Path(sys.argv[1])).announce("http://127.0.0.1:4566")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _no_armed_faults() -> Any:
    yield
    faults.disarm()


def test_the_layout_is_private(tmp_path: Path) -> None:
    data = DataDir.open(tmp_path / "a" / "b")
    try:
        assert data.path == tmp_path / "a" / "b"
        assert data.db_path == data.path / "alonzo.db"
        folders = [data.path, data.blobs, data.trees, data.keys, data.run]
        assert [oct(folder.stat().st_mode & 0o777) for folder in folders] == ["0o700"] * 5
    finally:
        data.close()


def test_an_empty_folder_is_made_private(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o755)
    DataDir.open(tmp_path / "d").close()
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o700
    DataDir.open(tmp_path / "d").close()


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / "letter.txt").touch()
    with pytest.raises(DataDirError, match="is not empty and is no data directory"):
        DataDir.open(home)
    assert os.listdir(home) == ["letter.txt"]
    assert home.stat().st_mode & 0o777 == 0o755


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").touch()
    with pytest.raises(DataDirError, match="cannot use"):
        DataDir.open(tmp_path / "d")


def test_a_second_owner_is_told_who_has_it_until_that_one_dies(tmp_path: Path) -> None:
    path = tmp_path / "d"
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"held\n"
        with pytest.raises(DataDirLockedError) as refused:
            DataDir.open(path)
        owner.send_signal(signal.SIGKILL)
    assert refused.value.pid == owner.pid
    assert refused.value.endpoint == "http://127.0.0.1:4566"
    assert str(path) in str(refused.value)
    assert f"process {owner.pid}, which listens on http://127.0.0.1:4566" in str(refused.value)
    assert b"4566" in (path / "lock").read_bytes()
    DataDir.open(path).close()


def test_the_same_process_cannot_open_it_twice(tmp_path: Path) -> None:
    data = DataDir.open(tmp_path / "d")
    try:
        with pytest.raises(DataDirLockedError, match=f"process {os.getpid()}"):
            DataDir.open(tmp_path / "d")
    finally:
        data.close()
        data.close()


def test_a_shorter_announcement_replaces_a_longer_one(tmp_path: Path) -> None:
    data = DataDir.open(tmp_path / "d")
    try:
        data.announce("http://a-rather-long-name.example:4566")
        data.announce("http://a:1")
        text = (tmp_path / "d" / "lock").read_text()
        assert text == f'{{"pid": {os.getpid()}, "endpoint": "http://a:1"}}\n'
    finally:
        data.close()


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    data = DataDir.open(tmp_path / "d")
    try:
        secret = data.secret("blobs.key")
        assert len(secret) == 32
        assert data.secret("blobs.key") == secret
        assert data.secret("other.key") != secret
        assert (data.keys / "blobs.key").stat().st_mode & 0o777 == 0o600
        (data.keys / "blobs.key").write_bytes(b"short")
        with pytest.raises(DataDirError, match="should have 32 bytes"):
            data.secret("blobs.key")
    finally:
        data.close()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_secret_that_others_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    read_or_create(path, lambda: b"secret")
    path.chmod(mode)
    with pytest.raises(DataDirError, match="others can read; chmod it to 600"):
        read_or_create(path, lambda: b"secret")


def test_a_stop_while_a_secret_is_made_leaves_none(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    faults.arm("data_dir.before_rename", stop)
    with pytest.raises(KeyboardInterrupt):
        read_or_create(tmp_path / "key", lambda: b"secret")
    assert os.listdir(tmp_path) == []
    (tmp_path / ".key.unfinished").write_bytes(b"half")
    faults.disarm()
    assert read_or_create(tmp_path / "key", lambda: b"secret") == b"secret"
    assert os.listdir(tmp_path) == ["key"]
