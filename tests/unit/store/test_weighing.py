"""What fills a database, seen from outside."""

import contextlib
import os
import sqlite3

import pytest

from alonzo.store import weighing
from alonzo.store.base import StoreError
from alonzo.store.weighing import weigh

ROWS = 400
VALUE = "x" * 1000


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a database?.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute('CREATE TABLE big (k INTEGER PRIMARY KEY, name TEXT, v BLOB, "odd name" TEXT)')
        db.execute("CREATE INDEX big_name ON big (name)")
        db.execute("CREATE TABLE small (k TEXT PRIMARY KEY)")
        db.execute("CREATE TABLE gone (v TEXT)")
        rows = [(k, f"name {k}", VALUE.encode(), "é" if k % 2 else None) for k in range(ROWS)]
        db.executemany("INSERT INTO big VALUES (?, ?, ?, ?)", rows)
        db.executemany("INSERT INTO gone VALUES (?)", [(VALUE,)] * ROWS)
        db.execute("INSERT INTO small VALUES ('one')")
        db.execute("DELETE FROM gone")
        db.commit()
    return path


def by_name(weights):
    return {each.table: each for each in weights.tables}


def test_pages_are_counted_by_table_and_index(path):
    weights = weigh(path)
    if not weights.exact:
        pytest.skip("this SQLite has no dbstat")
    found = by_name(weights)
    assert {name: found[name].rows for name in ("big", "small", "gone")} == {
        "big": ROWS,
        "small": 1,
        "gone": 0,
    }
    assert found["big"].table_bytes >= ROWS * len(VALUE)
    assert 0 < found["big"].index_bytes < found["big"].table_bytes / 10
    assert weights.free_bytes >= ROWS * len(VALUE) * 0.9
    whole = sum(each.total_bytes for each in weights.tables) + weights.free_bytes
    assert whole == weights.file_bytes == path.stat().st_size


def test_lengths_are_added_up_where_pages_cannot_be_counted(path, monkeypatch):
    exact = by_name(weigh(path))
    monkeypatch.setattr(weighing, "_has_dbstat", lambda db: False)
    weights = weigh(path)
    assert not weights.exact
    found = by_name(weights)
    assert found["gone"].total_bytes == 0
    assert found["big"].rows == ROWS
    assert 0.8 < found["big"].table_bytes / exact["big"].table_bytes < 1.1
    assert found["big"].index_bytes > ROWS * len("name 1")


def test_weighing_changes_nothing(path):
    before = {each.name: each.stat() for each in path.parent.iterdir()}
    weigh(path)
    after = {each.name: each.stat() for each in path.parent.iterdir()}
    assert after.keys() == before.keys()
    assert all(after[name].st_mtime_ns == before[name].st_mtime_ns for name in before)


def test_what_is_only_in_the_log_counts(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO small VALUES ('two')")
        db.commit()
        weights = weigh(path)
    assert weights.rows()["small"] == 2
    assert weights.log_bytes > 0


def test_the_report_begins_with_the_heaviest(path):
    lines = weigh(path).report().splitlines()
    assert lines[0].endswith(f"big: {ROWS} rows")
    assert lines[-1].endswith("log")


@pytest.mark.parametrize("content", [None, b"no database at all" * 100])
def test_what_is_no_database_is_refused(tmp_path, content):
    path = tmp_path / "a.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match="cannot read"):
        weigh(path)
    assert os.listdir(tmp_path) == ([] if content is None else ["a.db"])
