"""A full disk: calls fail by name, nothing is half written, and all goes on with new space."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alonzo.lib.clock import SystemClock
from alonzo.store.base import Connection, StoreError, StoreFullError
from alonzo.store.blobs import BlobStore
from alonzo.store.sqlite import SqliteStore

ROW = b"x" * 20_000
MIB = 1024 * 1024


async def fill(folder: Path, give_space: Callable[[], None], kind: type[StoreError]) -> None:
    """Write until it fails with an error of exactly that kind; then give space and go on."""
    store = await SqliteStore.open(folder / "a.db", clock=SystemClock())
    blobs = BlobStore(folder / "blobs", bytes(32))
    await store.tx(lambda c: c.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, body BLOB)"))
    heard: list[str] = []
    store.subscribe("written", heard.append)

    def insert(number: int) -> Callable[[Connection], None]:
        def work(c: Connection) -> None:
            for half in (0, 1):
                c.execute("INSERT INTO t VALUES (:n, :b)", {"n": 2 * number + half, "b": ROW})
            c.publish("written", str(number))

        return work

    async def numbers() -> list[int]:
        rows = await store.read(lambda c: c.all("SELECT n FROM t ORDER BY n"))
        return [row["n"] for row in rows]

    written: list[int] = []
    failures: list[BaseException] = []
    for first in range(0, 4000, 8):
        batch = range(first, first + 8)
        outcomes = await asyncio.gather(
            *(store.tx(insert(number)) for number in batch), return_exceptions=True
        )
        for number, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                failures.append(outcome)
            else:
                written.append(number)
        if len(failures) > 20:
            break
    assert {type(failure) for failure in failures} == {kind}, failures
    halves = [2 * number + half for number in written for half in (0, 1)]
    assert await numbers() == halves
    assert heard == [str(number) for number in written]

    big = os.urandom(8 * MIB)
    try:
        await blobs.put(big)
    except StoreFullError:
        assert await blobs.list_digests() == []
        assert {path.name for path in (folder / "blobs").iterdir()} == {"key-check"}
    else:
        raise AssertionError("the blob found space")

    give_space()
    await store.tx(insert(100_000))
    assert await numbers() == [*halves, 200_000, 200_001]
    ref = await blobs.put(big)
    assert await blobs.read(ref.sha256) == big
    check = await store.tx(lambda c: c.all("PRAGMA integrity_check"))
    assert check == [{"integrity_check": "ok"}]
    await store.close()
    store = await SqliteStore.open(folder / "a.db", clock=SystemClock())
    assert await numbers() == [*halves, 200_000, 200_001]
    await store.close()


def on_a_full_file_system(folder: Path) -> None:
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(24 * MIB))
    asyncio.run(fill(folder, ballast.unlink, StoreFullError))


def beyond_the_largest_file(folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * MIB, resource.RLIM_INFINITY))

    def lift_limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    asyncio.run(fill(folder, lift_limit, StoreError))


def run_child(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_a_full_file_system_is_survived(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare(1) is not installed")
    # In a mount namespace of its own, so that nothing stays mounted whatever happens.
    own_mounts = [unshare, "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    mount = 'mount -t tmpfs -o size=30m none "$1" || exit 77; shift; exec "$@"'
    child = [sys.executable, __file__, "file system", str(tmp_path)]
    done = run_child(*own_mounts, "sh", "-c", mount, "sh", str(tmp_path), *child)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip(f"this host lets us mount no tmpfs: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


def test_a_write_error_is_survived(tmp_path: Path) -> None:
    done = run_child(sys.executable, __file__, "largest file", str(tmp_path))
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    scenario = {"file system": on_a_full_file_system, "largest file": beyond_the_largest_file}
    scenario[sys.argv[1]](Path(sys.argv[2]))
