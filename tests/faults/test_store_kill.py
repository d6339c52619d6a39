"""kill -9 at any moment: what was acknowledged is there, and nothing is there by half."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from alonzo.lib import faults
from alonzo.lib.clock import SystemClock
from alonzo.store.base import Connection
from alonzo.store.blobs import BlobStore
from alonzo.store.migrate import migrate
from alonzo.store.sqlite import SqliteStore

KEY = bytes(32)
CALLERS = 16


def content(number: int) -> bytes:
    """About a chunk and a half, so that a kill may fall between two chunks."""
    return number.to_bytes(4, "big") * 100_000


# ---- What the child processes do. Each line on standard output is an acknowledgement.


def acknowledge(number: int) -> None:
    os.write(1, b"%d\n" % number)


def die_at(point: str, passes: int) -> None:
    """Kill this process the n-th time that it passes a point."""
    left = passes

    def maybe_die() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    faults.arm(point, maybe_die)


async def commit_for_ever(folder: Path, first: int) -> None:
    store = await SqliteStore.open(folder / "a.db", clock=SystemClock())
    await store.tx(
        lambda c: c.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, half INTEGER)")
    )

    async def caller(offset: int) -> None:
        number = first + offset
        while True:

            def both_halves(c: Connection, number: int = number) -> None:
                for half in (0, 1):
                    c.execute("INSERT INTO t VALUES (:n, :h)", {"n": 2 * number + half, "h": half})

            await store.tx(both_halves)
            acknowledge(number)
            number += CALLERS

    await asyncio.gather(*(caller(offset) for offset in range(CALLERS)))


async def put_for_ever(folder: Path, first: int) -> None:
    blobs = BlobStore(folder / "blobs", KEY)

    async def caller(offset: int) -> None:
        number = first + offset
        while True:

            async def pieces(number: int = number) -> AsyncIterator[bytes]:
                for start in range(0, 400_000, 150_000):
                    yield content(number)[start : start + 150_000]

            await blobs.put(pieces() if number % 2 else content(number))
            acknowledge(number)
            number += CALLERS

    await asyncio.gather(*(caller(offset) for offset in range(CALLERS)))


async def migrate_once(folder: Path, first: int) -> None:
    migrate(folder / "a.db", clock=SystemClock(), folder=folder / "migrations")
    acknowledge(first)


CHILDREN = {"commit": commit_for_ever, "put": put_for_ever, "migrate": migrate_once}


def main(name: str, folder: str, first: str, point: str, passes: str) -> None:
    if point:
        die_at(point, int(passes))
    asyncio.run(CHILDREN[name](Path(folder), int(first)))


# ---- The tests.


def run_until_killed(
    name: str,
    folder: Path,
    *,
    first: int = 0,
    acknowledged_max: int = 10**9,
    point: str = "",
    passes: int = 0,
) -> list[int]:
    """Run a child until it has acknowledged so much, or died; answers what it acknowledged."""
    arguments = [name, str(folder), str(first), point, str(passes)]
    child = subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE)
    acknowledged: list[int] = []
    with child:
        assert child.stdout is not None
        for line in child.stdout:
            if len(acknowledged) == acknowledged_max:
                child.kill()
            # A kill may cut the last line, but each is one write, which a pipe takes whole.
            acknowledged.append(int(line))
    assert child.returncode == -signal.SIGKILL
    return acknowledged


def stored_numbers(folder: Path) -> set[int]:
    async def look() -> set[int]:
        store = await SqliteStore.open(folder / "a.db", clock=SystemClock())
        try:
            assert await store.tx(lambda c: c.all("PRAGMA integrity_check")) == [
                {"integrity_check": "ok"}
            ]
            rows = await store.read(lambda c: c.all("SELECT n, half FROM t"))
        finally:
            await store.close()
        halves = [{row["n"] // 2 for row in rows if row["half"] == half} for half in (0, 1)]
        assert halves[0] == halves[1]
        return halves[0]

    return asyncio.run(look())


def check_blobs(folder: Path, acknowledged: list[int]) -> None:
    blobs = BlobStore(folder / "blobs", KEY)

    async def look() -> None:
        for number in acknowledged:
            digest = hashlib.sha256(content(number)).hexdigest()
            assert await blobs.read(digest) == content(number)
        digests = await blobs.list_digests()
        for digest in digests:
            assert hashlib.sha256(await blobs.read(digest)).hexdigest() == digest
        names = {path.name for path in (folder / "blobs").iterdir()}
        assert names == {*digests, "key-check"}

    asyncio.run(look())


def test_acknowledged_commits_survive_one_kill_after_another(tmp_path: Path) -> None:
    acknowledged: set[int] = set()
    for round_ in range(4):
        acknowledged |= set(
            run_until_killed(
                "commit", tmp_path, first=1_000_000 * round_, acknowledged_max=100 + 77 * round_
            )
        )
        assert stored_numbers(tmp_path) >= acknowledged


#: The first commit of a child is that of its table, the second the first batch.
FIRST_BATCH = 2


def test_a_kill_before_the_commit_leaves_nothing_of_its_batch(tmp_path: Path) -> None:
    assert (
        run_until_killed("commit", tmp_path, point="store.before_commit", passes=FIRST_BATCH) == []
    )
    assert stored_numbers(tmp_path) == set()


def test_a_kill_after_the_commit_keeps_its_batch(tmp_path: Path) -> None:
    assert (
        run_until_killed("commit", tmp_path, point="store.after_commit", passes=FIRST_BATCH) == []
    )
    stored = stored_numbers(tmp_path)
    assert stored
    assert stored <= set(range(CALLERS))


def test_acknowledged_blobs_survive_one_kill_after_another(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    for round_ in range(3):
        acknowledged += run_until_killed(
            "put", tmp_path, first=1000 * round_, acknowledged_max=20 + 7 * round_
        )
        check_blobs(tmp_path, acknowledged)


@pytest.mark.parametrize("point", ["blobs.before_rename", "blobs.after_rename"])
@pytest.mark.parametrize("passes", [1, 20])
def test_a_kill_around_the_rename_leaves_no_half_blob(
    tmp_path: Path, point: str, passes: int
) -> None:
    check_blobs(tmp_path, run_until_killed("put", tmp_path, point=point, passes=passes))


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_a_kill_within_a_migration_leaves_the_old_schema(tmp_path: Path, passes: int) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_pre_start.sql").write_text("CREATE TABLE kept (x TEXT);")
    migrate(tmp_path / "a.db", clock=SystemClock(), folder=folder)
    (folder / "0002_pre_three.sql").write_text(
        "CREATE TABLE one (x TEXT);\nDROP TABLE kept;\nCREATE TABLE two (x TEXT);\n"
    )
    killed = run_until_killed("migrate", tmp_path, point="migrate.after_statement", passes=passes)
    assert killed == []
    assert table_names(tmp_path / "a.db") == {"schema_migration", "kept"}
    migrate(tmp_path / "a.db", clock=SystemClock(), folder=folder)
    assert table_names(tmp_path / "a.db") == {"schema_migration", "one", "two"}


def table_names(db: Path) -> set[str]:
    with closing(sqlite3.connect(db)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows}


if __name__ == "__main__":
    main(*sys.argv[1:])
