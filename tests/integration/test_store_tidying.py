"""What the file of the store weighs after a backlog has come and gone."""

import asyncio
import contextlib
import os
import sqlite3

import pytest

from alonzo.lib.clock import SystemClock
from alonzo.store import sqlite
from alonzo.store.sqlite import SqliteStore
from alonzo.testing.waiting import eventually

MIB = 1024 * 1024
ROWS = 4000


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(sqlite, "TIDY_AFTER_S", 0.05)


def weight(folder):
    return sum(path.stat().st_size for path in folder.glob("a.db*"))


async def fill(store):
    await store.tx(lambda conn: conn.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)"))
    rows = [{"k": k, "v": "x" * 4000} for k in range(ROWS)]
    await store.tx(lambda conn: conn.execute_many("INSERT INTO t VALUES (:k, :v)", rows))


async def drain(store):
    # One stays, at the end of the file, so that there is something to move.
    await store.tx(lambda conn: conn.execute(f"DELETE FROM t WHERE k < {ROWS - 1}"))


async def count_pages(store):
    """How long the database is, as seen by one that writes."""

    def work(conn):
        conn.execute(f"UPDATE t SET v = 'z' WHERE k = {ROWS - 1}")
        return conn.one("PRAGMA page_count")["page_count"]

    return await store.tx(work)


async def wait_for_weight(folder, most_bytes):
    await asyncio.to_thread(eventually, lambda: weight(folder) <= most_bytes, 40)


def test_a_drained_backlog_gives_its_room_back(tmp_path):
    async def main():
        store = await SqliteStore.open(tmp_path / "a.db", clock=SystemClock())
        await store.tx(lambda conn: conn.execute("CREATE TABLE s (k TEXT)"))
        before = weight(tmp_path)
        await fill(store)
        assert weight(tmp_path) > 16 * MIB
        await drain(store)
        # 256 pages are kept, and a log of one MiB.
        await wait_for_weight(tmp_path, before + 2 * MIB)
        assert await store.read(lambda conn: conn.one("SELECT k FROM t")) == {"k": ROWS - 1}
        await store.close()

    asyncio.run(main())
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_writes_go_on_while_the_file_is_tidied(tmp_path):
    async def main():
        store = await SqliteStore.open(tmp_path / "a.db", clock=SystemClock())
        await fill(store)
        await drain(store)
        for k in range(ROWS, ROWS + 50):
            await store.tx(
                lambda conn, k=k: conn.execute("INSERT INTO t VALUES (:k, 'y')", {"k": k})
            )
            await asyncio.sleep(0.005)
        await wait_for_weight(tmp_path, 4 * MIB)
        count = await store.read(lambda conn: conn.one("SELECT count(*) AS n FROM t"))
        assert count == {"n": 51}
        await store.close()

    asyncio.run(main())


def test_a_file_shrinks_though_writes_never_stop(tmp_path, monkeypatch):
    # There is no moment without writes, as far as the store can tell.
    monkeypatch.setattr(sqlite, "TIDY_AFTER_S", 3600.0)
    monkeypatch.setattr(sqlite, "TIDY_BUSY_EVERY_S", 0.01)

    async def main():
        store = await SqliteStore.open(tmp_path / "a.db", clock=SystemClock())
        await fill(store)
        assert await count_pages(store) > 4000
        await drain(store)
        async with asyncio.timeout(40):
            while await count_pages(store) > 600:
                pass
        await store.close()

    asyncio.run(main())


def test_a_reader_in_the_way_is_waited_for_by_nobody(tmp_path):
    async def main():
        store = await SqliteStore.open(tmp_path / "a.db", clock=SystemClock())
        await fill(store)
        with contextlib.closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as old:
            old.execute("BEGIN")
            assert old.execute("SELECT count(*) FROM t").fetchone() == (ROWS,)
            await drain(store)
            # For the writer to come across it.
            await asyncio.sleep(0.3)
            async with asyncio.timeout(3):
                await store.tx(lambda conn: conn.execute("INSERT INTO t VALUES (-1, 'y')"))
            assert old.execute("SELECT count(*) FROM t").fetchone() == (ROWS,)
            old.execute("ROLLBACK")
        await wait_for_weight(tmp_path, 4 * MIB)
        await store.close()

    asyncio.run(main())


@pytest.mark.parametrize("wiped", [True, False])
def test_what_a_unit_wipes_is_soon_in_no_file(tmp_path, wiped):
    secret = os.urandom(32).hex()

    def is_there():
        return any(secret.encode() in path.read_bytes() for path in tmp_path.glob("a.db*"))

    async def main():
        store = await SqliteStore.open(tmp_path / "a.db", clock=SystemClock())
        await store.tx(lambda conn: conn.execute("CREATE TABLE s (k TEXT)"))
        for value in (secret, "other"):
            row = {"k": value}
            await store.tx(lambda conn, row=row: conn.execute("INSERT INTO s VALUES (:k)", row))

        def delete(conn):
            conn.execute("DELETE FROM s WHERE k = :k", {"k": secret})
            if wiped:
                conn.wipe()

        await store.tx(delete)
        if wiped:
            await asyncio.to_thread(eventually, lambda: not is_there(), 40)
        else:
            assert is_there()
        await store.close()

    asyncio.run(main())


def test_a_database_made_without_auto_vacuum_is_left_as_it_is(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as db:
        db.execute("CREATE TABLE old (k TEXT)")

    async def main():
        store = await SqliteStore.open(tmp_path / "a.db", clock=SystemClock())
        await fill(store)
        await drain(store)
        log = tmp_path / "a.db-wal"
        await asyncio.to_thread(eventually, lambda: log.stat().st_size <= MIB, 20)
        assert weight(tmp_path) > 8 * MIB
        await store.close()

    asyncio.run(main())
