"""Migrations on a real database file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from alonzo.lib import faults
from alonzo.lib.clock import ManualClock
from alonzo.store.migrate import FOLDER, MigrationError, load, migrate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_pre_parent.sql").write_text(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);\n"
        "CREATE TABLE child (parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE);\n"
        "INSERT INTO parent VALUES (1);\nINSERT INTO child VALUES (1);\n"
    )
    return folder


@pytest.fixture(autouse=True)
def _no_armed_faults() -> Any:
    yield
    faults.disarm()


def run(db: Path, folder: Path, now_s: float = 1.0) -> None:
    migrate(db, clock=ManualClock(now_s), folder=folder)


def query(db: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(db)) as connection:
        return connection.execute(sql).fetchall()


def tables(db: Path) -> set[str]:
    return {name for (name,) in query(db, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_each_migration_runs_once_with_its_record(tmp_path: Path, folder: Path) -> None:
    db = tmp_path / "a.db"
    run(db, folder, now_s=1.0)
    (folder / "0002_post_more.sql").write_text("CREATE TABLE more (x TEXT)")
    run(db, folder, now_s=2.0)
    run(db, folder, now_s=3.0)
    assert query(db, "SELECT number, name, sha256, applied_at_s FROM schema_migration") == [
        (m.number, m.name, m.sha256, float(m.number)) for m in load(folder)
    ]


def test_the_database_is_readable_by_its_owner_only(tmp_path: Path, folder: Path) -> None:
    run(tmp_path / "a.db", folder)
    assert (tmp_path / "a.db").stat().st_mode & 0o777 == 0o600


def test_an_edited_migration_is_refused_and_changes_nothing(tmp_path: Path, folder: Path) -> None:
    db = tmp_path / "a.db"
    run(db, folder)
    with (folder / "0001_pre_parent.sql").open("a") as file:
        file.write("CREATE TABLE sneaked (x TEXT);")
    with pytest.raises(MigrationError, match=r"0001_pre_parent.sql was edited"):
        run(db, folder)
    assert "sneaked" not in tables(db)


def test_a_database_of_a_newer_program_is_refused(tmp_path: Path, folder: Path) -> None:
    db = tmp_path / "a.db"
    later = folder / "0002_pre_later.sql"
    later.write_text("CREATE TABLE later (x TEXT);")
    run(db, folder)
    later.unlink()
    with pytest.raises(MigrationError, match="newer release"):
        run(db, folder)


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("CREATE TABLE half (x TEXT);\nCREATE TABLE half (x TEXT);", "half already exists"),
        ("CREATE TABLE half (x TEXT);\nCOMMIT;", "must not end its transaction"),
        ("CREATE TABLE half (x TEXT);\nDELETE FROM parent;", "without parent in child"),
        ("CREATE TABLE half (x TEXT);\nCREATE TABLE open (", "incomplete input"),
    ],
)
def test_a_migration_that_fails_leaves_the_old_schema(
    tmp_path: Path, folder: Path, sql: str, complaint: str
) -> None:
    db = tmp_path / "a.db"
    run(db, folder)
    (folder / "0002_pre_half.sql").write_text(sql)
    with pytest.raises(MigrationError, match=complaint):
        run(db, folder)
    if "COMMIT" not in sql:
        assert "half" not in tables(db)
    assert query(db, "SELECT max(number) FROM schema_migration") == [(1,)]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_stop_between_two_statements_leaves_the_old_schema(
    tmp_path: Path, folder: Path, step: int
) -> None:
    db = tmp_path / "a.db"
    run(db, folder)
    (folder / "0002_pre_three.sql").write_text(
        "CREATE TABLE one (x TEXT);\nCREATE TABLE two (x TEXT);\nDROP TABLE child;\n"
    )
    passed: list[int] = []

    def stop_at_step() -> None:
        passed.append(1)
        if len(passed) == step:
            raise KeyboardInterrupt

    faults.arm("migrate.after_statement", stop_at_step)
    with pytest.raises(KeyboardInterrupt):
        run(db, folder)
    assert tables(db) == {"schema_migration", "parent", "child"}
    faults.disarm()
    run(db, folder)
    assert tables(db) == {"schema_migration", "parent", "one", "two"}


def test_a_table_can_be_rebuilt_without_losing_its_children(tmp_path: Path, folder: Path) -> None:
    db = tmp_path / "a.db"
    run(db, folder)
    (folder / "0002_post_rebuild.sql").write_text(
        "CREATE TABLE parent_new (id INTEGER PRIMARY KEY, note TEXT);\n"
        "INSERT INTO parent_new (id) SELECT id FROM parent;\n"
        "DROP TABLE parent;\nALTER TABLE parent_new RENAME TO parent;\n"
    )
    run(db, folder)
    assert query(db, "SELECT parent_id FROM child") == [(1,)]


def test_our_own_migrations_make_a_sound_database(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    run(db, FOLDER)
    assert query(db, "PRAGMA integrity_check") == [("ok",)]
    assert {"function", "function_version", "async_event", "log_chunk"} <= tables(db)
