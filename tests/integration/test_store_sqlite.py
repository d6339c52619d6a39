"""The SQLite store on a real file: order, isolation of failing units, snapshots, subscribers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import alonzo
from alonzo.lib import faults
from alonzo.lib.clock import SystemClock
from alonzo.store import sqlite
from alonzo.store.base import (
    Connection,
    ConstraintError,
    StoreClosedError,
    StoreError,
)
from alonzo.store.dialect import parameter_names, to_postgres_schema, to_pyformat
from alonzo.store.migrate import FOLDER, load
from alonzo.store.queries import parse
from alonzo.store.sqlite import SqliteStore


class Refused(Exception):
    """Raised by units of work on purpose."""


@asynccontextmanager
async def open_store(folder: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(folder / "alonzo.db", clock=SystemClock())
    try:
        await store.tx(lambda c: c.execute("CREATE TABLE IF NOT EXISTS t (k TEXT UNIQUE, v TEXT)"))
        yield store
    finally:
        await store.close()


def insert(key: str, value: str = "") -> Any:
    return lambda c: c.execute("INSERT INTO t VALUES (:k, :v)", {"k": key, "v": value})


def keys(c: Connection) -> list[str]:
    return [row["k"] for row in c.all("SELECT k FROM t ORDER BY rowid")]


@pytest.fixture(autouse=True)
def _no_armed_faults() -> Any:
    yield
    faults.disarm()


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(tmp_path) as store:
            assert await store.tx(insert("a")) == 1
        async with open_store(tmp_path) as store:
            assert await store.read(keys) == ["a"]

    asyncio.run(main())


def test_commits_are_synced_and_foreign_keys_are_checked(tmp_path: Path) -> None:
    def settings(c: Connection) -> list[Any]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [row[name] for name in names if (row := c.one(f"PRAGMA {name}"))]

    async def main() -> None:
        async with open_store(tmp_path) as store:
            full = 2
            assert await store.tx(settings) == ["wal", full, 1]

    asyncio.run(main())


def test_units_run_in_the_order_of_their_calls(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(tmp_path) as store:
            names = [f"k{number}" for number in range(2000)]
            await asyncio.gather(*(store.tx(insert(name)) for name in names))
            assert await store.read(keys) == names

    asyncio.run(main())


def test_calls_beyond_the_queue_wait_and_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "QUEUED_UNITS_MAX", 3)

    async def main() -> None:
        async with open_store(tmp_path) as store:
            gate = threading.Event()
            calls = [asyncio.ensure_future(store.tx(lambda c: gate.wait(10)))]
            calls += [asyncio.ensure_future(store.tx(insert(f"k{n}"))) for n in range(10)]
            await asyncio.sleep(0)
            assert store._writes._room.locked()
            gate.set()
            await asyncio.gather(*calls)
            assert await store.read(keys) == [f"k{n}" for n in range(10)]

    asyncio.run(main())


def test_units_that_queue_up_share_a_commit(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(tmp_path) as store:
            commits: list[int] = []
            faults.arm("store.before_commit", lambda: commits.append(1))
            await asyncio.gather(*(store.tx(insert(f"k{n}")) for n in range(500)))
            assert len(commits) < 50

    asyncio.run(main())


def test_a_failing_unit_leaves_nothing_and_does_not_hurt_the_others(tmp_path: Path) -> None:
    def fail(c: Connection) -> None:
        insert("half")(c)
        raise Refused("on purpose")

    async def main() -> None:
        async with open_store(tmp_path) as store:
            outcomes = await asyncio.gather(
                *(store.tx(fail if n % 3 == 0 else insert(f"k{n}")) for n in range(30)),
                return_exceptions=True,
            )
            assert [type(o) is Refused for o in outcomes] == [n % 3 == 0 for n in range(30)]
            assert await store.read(keys) == [f"k{n}" for n in range(30) if n % 3]

    asyncio.run(main())


def test_a_broken_rule_of_the_schema_has_its_own_error(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(tmp_path) as store:
            await store.tx(insert("a"))
            with pytest.raises(ConstraintError, match=r"SQLITE_CONSTRAINT_UNIQUE.*t\.k"):
                await store.tx(insert("a"))
            assert await store.read(keys) == ["a"]

    asyncio.run(main())


@pytest.mark.parametrize(
    "work",
    [
        lambda c: c.execute("no SQL"),
        lambda c: c.all("SELECT * FROM missing"),
        lambda c: c.one("SELECT :unbound"),
        lambda c: c.execute_many("INSERT INTO t VALUES (:k)", [{"k": 1}]),
        lambda c: c.execute("COMMIT"),
        lambda c: c.execute("ROLLBACK"),
    ],
)
def test_a_wrong_statement_is_a_store_error_and_the_store_goes_on(
    tmp_path: Path, work: Any
) -> None:
    async def main() -> None:
        async with open_store(tmp_path) as store:
            with pytest.raises(StoreError):
                await store.tx(work)
            await store.tx(insert("after"))
            assert await store.read(keys) == ["after"]

    asyncio.run(main())


def test_nothing_is_written_once_sqlite_has_given_up_the_transaction(tmp_path: Path) -> None:
    def carry_on(c: Connection) -> None:
        with contextlib.suppress(StoreError):
            c.execute("INSERT OR ROLLBACK INTO t VALUES ('taken', '')")  # As a full disk does.
        with contextlib.suppress(StoreError):
            insert("execute")(c)
        with contextlib.suppress(StoreError):
            c.execute_many("INSERT INTO t VALUES (:k, '')", [{"k": "execute_many"}])

    async def main() -> None:
        async with open_store(tmp_path) as store:
            await store.tx(insert("taken"))
            with pytest.raises(StoreError):
                await store.tx(carry_on)
            assert await store.read(keys) == ["taken"]

    asyncio.run(main())


def test_statements_answer_counts_rows_and_what_returning_says(tmp_path: Path) -> None:
    def work(c: Connection) -> None:
        c.execute_many("INSERT INTO t VALUES (:k, :v)", ({"k": k, "v": "1"} for k in "abc"))
        assert c.execute("UPDATE t SET v = '2' WHERE k <> 'a'") == 2
        assert c.execute("SELECT * FROM t") == 0
        assert c.one("SELECT * FROM t WHERE k = 'x'") is None
        assert c.one("SELECT k, v FROM t ORDER BY k DESC") == {"k": "c", "v": "2"}
        assert c.all("DELETE FROM t WHERE v = '2' RETURNING k") == [{"k": "b"}, {"k": "c"}]
        assert c.one("INSERT INTO t VALUES ('d', '3'), ('e', '4') RETURNING v") == {"v": "3"}
        assert c.all("SELECT k FROM t") == [{"k": "a"}, {"k": "d"}, {"k": "e"}]

    async def main() -> None:
        async with open_store(tmp_path) as store:
            await store.tx(work)
            assert await store.read(keys) == ["a", "d", "e"]

    asyncio.run(main())


def test_a_unit_may_raise_anything_even_what_a_future_refuses(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(tmp_path) as store:
            with pytest.raises(RuntimeError, match="StopIteration"):
                await store.tx(lambda c: next(iter(())))
            with pytest.raises(GeneratorExit):
                await store.read(lambda c: (_ for _ in ()).throw(GeneratorExit))
            assert await store.read(keys) == []

    asyncio.run(main())


def test_readers_see_one_snapshot_while_writes_go_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(tmp_path) as store:
            await store.tx(insert("before"))
            reading, written = threading.Event(), threading.Event()

            def look_twice(c: Connection) -> tuple[list[str], list[str]]:
                first = keys(c)
                reading.set()
                assert written.wait(10)
                return first, keys(c)

            look = asyncio.ensure_future(store.read(look_twice))
            await asyncio.to_thread(reading.wait, 10)
            await store.tx(insert("after"))
            written.set()
            assert await look == (["before"], ["before"])
            assert await store.read(keys) == ["before", "after"]

    asyncio.run(main())


def test_a_read_cannot_write_nor_publish(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(tmp_path) as store:
            with pytest.raises(StoreError, match="readonly"):
                await store.read(insert("a"))
            with pytest.raises(StoreError, match="cannot publish"):
                await store.read(lambda c: c.publish("topic", "key"))
            assert await store.read(keys) == []

    asyncio.run(main())


def test_subscribers_hear_of_a_commit_before_its_caller_goes_on(tmp_path: Path) -> None:
    heard: list[str] = []

    def announce(key: str) -> Any:
        def work(c: Connection) -> None:
            insert(key)(c)
            c.publish("topic", key)
            c.publish("other", key)

        return work

    async def call(store: SqliteStore, key: str) -> None:
        await store.tx(announce(key))
        assert key in heard

    async def main() -> None:
        async with open_store(tmp_path) as store:
            unsubscribe = store.subscribe("topic", heard.append)
            await asyncio.gather(*(call(store, f"k{n}") for n in range(100)))
            assert heard == [f"k{n}" for n in range(100)]
            unsubscribe()
            unsubscribe()
            await store.tx(announce("later"))
            assert len(heard) == 100

    asyncio.run(main())


def test_who_reads_a_commit_is_answered_after_its_subscribers_have_heard(tmp_path: Path) -> None:
    order: list[str] = []
    committed, read = threading.Event(), threading.Event()

    def dawdle() -> None:
        """Right after the commit: long enough for a reader to see it and to be answered."""
        committed.set()
        read.wait(5)
        threading.Event().wait(0.05)

    def look(connection: Connection) -> list[Any]:
        seen = keys(connection)
        read.set()
        return seen

    def publish(connection: Connection) -> None:
        connection.execute("INSERT INTO t VALUES ('a', '1')")
        connection.publish("topic", "a")

    async def main() -> None:
        async with open_store(tmp_path) as store:
            store.subscribe("topic", order.append)
            faults.arm("store.after_commit", dawdle)
            written = asyncio.ensure_future(store.tx(publish))
            await asyncio.to_thread(committed.wait, 5)
            assert await store.read(look)
            order.append("read")
            faults.disarm()
            await written

    asyncio.run(main())
    assert order == ["a", "read"]


def test_nobody_hears_of_what_was_not_committed(tmp_path: Path) -> None:
    heard: list[str] = []

    def announce_and_fail(c: Connection) -> None:
        c.publish("topic", "failed")
        raise Refused

    def announce(c: Connection) -> None:
        c.publish("topic", "lost")

    def break_commit() -> None:
        raise OSError("the disk is gone")

    async def main() -> None:
        async with open_store(tmp_path) as store:
            store.subscribe("topic", heard.append)
            with pytest.raises(Refused):
                await store.tx(announce_and_fail)
            faults.arm("store.before_commit", break_commit)
            with pytest.raises(StoreError, match="the disk is gone"):
                await store.tx(announce)
            assert heard == []

    asyncio.run(main())


def test_a_listener_that_raises_does_not_hurt_others(tmp_path: Path) -> None:
    heard: list[str] = []

    def broken(key: str) -> None:
        raise Refused(key)

    async def main() -> None:
        async with open_store(tmp_path) as store:
            store.subscribe("topic", broken)
            store.subscribe("topic", heard.append)
            await store.tx(lambda c: c.publish("topic", "k"))
            assert heard == ["k"]

    asyncio.run(main())


def test_a_commit_that_fails_fails_its_units_and_only_them(tmp_path: Path) -> None:
    def break_commit() -> None:
        raise OSError("the disk is gone")

    async def main() -> None:
        async with open_store(tmp_path) as store:
            faults.arm("store.before_commit", break_commit)
            outcomes = await asyncio.gather(
                *(store.tx(insert(f"k{n}")) for n in range(10)), return_exceptions=True
            )
            assert {type(o) for o in outcomes} == {StoreError}
            assert len({id(o) for o in outcomes}) == 10
            faults.disarm()
            await store.tx(insert("after"))
            assert await store.read(keys) == ["after"]

    asyncio.run(main())


def test_a_cancelled_call_does_not_stop_the_others(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(tmp_path) as store:
            calls = [asyncio.ensure_future(store.tx(insert(f"k{n}"))) for n in range(20)]
            await asyncio.sleep(0)
            for call in calls[::2]:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert set(await store.read(keys)) >= {f"k{n}" for n in range(1, 20, 2)}

    asyncio.run(main())


def test_closing_carries_out_what_is_queued_and_refuses_the_rest(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(tmp_path) as store:
            calls = [asyncio.ensure_future(store.tx(insert(f"k{n}"))) for n in range(100)]
            await asyncio.sleep(0)
            await store.close()
            await store.close()
            await asyncio.gather(*calls)
            with pytest.raises(StoreClosedError):
                await store.tx(insert("late"))
            with pytest.raises(StoreClosedError):
                await store.read(keys)
        assert not (tmp_path / "alonzo.db-wal").exists()
        async with open_store(tmp_path) as store:
            assert len(await store.read(keys)) == 100

    asyncio.run(main())


def test_every_named_statement_of_every_room_fits_the_schema(tmp_path: Path) -> None:
    sources = sorted(Path(str(files(alonzo))).rglob("queries.sql"))

    async def main() -> None:
        async with open_store(tmp_path) as store:
            for source in sources:
                for name, sql in parse(source.read_text(), source=str(source)).items():
                    unbound = dict.fromkeys(parameter_names(sql))
                    try:
                        await store.read(lambda c, sql=sql, p=unbound: c.all(f"EXPLAIN {sql}", p))
                    except StoreError as error:
                        pytest.fail(f"{source}, {name}: {error}")
                    assert to_pyformat(sql).count("%(") >= len(unbound)

    asyncio.run(main())


def test_our_migrations_have_no_type_that_postgres_lacks() -> None:
    for migration in load(FOLDER):
        code = "\n".join(
            line for line in to_postgres_schema(migration.sql).splitlines() if line[:2] != "--"
        )
        words = set(code.replace("(", " ").replace(",", " ").split())
        assert not words & {"BLOB", "REAL", "INTEGER", "AUTOINCREMENT"}, migration.name
