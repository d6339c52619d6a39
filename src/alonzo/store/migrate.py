"""Brings a database to the schema of this program: numbered SQL files, each run once, in order.

A file is called ``NNNN_(pre|post)_name.sql``. After a ``pre`` migration the last release still runs
on the database; a ``post`` one needs this release everywhere. A file runs in one transaction
together with the record that it ran, so a crash leaves the schema before it or after it. Once
released a file is never edited; its digest is in the record, and a difference is refused.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.store.base import StoreError
from alonzo.store.sqlite_connection import named, open_writer

#: The migrations of this program.
FOLDER = Path(__file__).with_name("migrations")

_FILE_NAME = re.compile(r"(?P<number>\d{4})_(?P<phase>pre|post)_[a-z0-9_]+\.sql")

_CREATE_RECORD = """
CREATE TABLE IF NOT EXISTS schema_migration (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    applied_at_s REAL NOT NULL
)
"""
_LIST_RECORDS = "SELECT number, sha256 FROM schema_migration"
_INSERT_RECORD = """
INSERT INTO schema_migration (number, name, sha256, applied_at_s)
VALUES (:number, :name, :sha256, :applied_at_s)
"""


class MigrationError(StoreError):
    """The database cannot be brought to the schema of this program. It was left as it was."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. ``name`` is the file's, ``sha256`` the lower-case hex digest of its bytes."""

    number: int
    name: str
    sql: str
    sha256: str


def load(folder: Path) -> tuple[Migration, ...]:
    """Read the migrations of a folder, in order.

    Raises:
        MigrationError: a file's name has another form, or a number is missing or used twice.
    """
    migrations: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        form = _FILE_NAME.fullmatch(path.name)
        if form is None:
            raise MigrationError(f"{path.name} is not of the form NNNN_(pre|post)_name.sql")
        if int(form["number"]) != len(migrations) + 1:
            raise MigrationError(f"{path.name} should have number {len(migrations) + 1:04d}")
        body = path.read_bytes()
        migrations.append(
            Migration(
                number=len(migrations) + 1,
                name=path.name,
                sql=body.decode(),
                sha256=hashlib.sha256(body).hexdigest(),
            )
        )
    return tuple(migrations)


def plan_pending(
    migrations: Sequence[Migration], applied: Mapping[int, str]
) -> Sequence[Migration]:
    """Which migrations a database still needs; ``applied`` maps number to recorded digest.

    Raises:
        MigrationError: the database is newer than this program, or was made from other files.
    """
    if applied and max(applied) > len(migrations):
        raise MigrationError(
            f"the database has schema {max(applied):04d}, but this program knows only "
            f"{len(migrations):04d}: it was written by a newer release, so run that one"
        )
    for migration in migrations[: len(applied)]:
        recorded = applied.get(migration.number)
        if recorded is None:
            raise MigrationError(f"{migration.name} was skipped, but a later one has been applied")
        if recorded != migration.sha256:
            raise MigrationError(
                f"{migration.name} was edited after it had been applied to this database "
                f"(sha256 {recorded[:12]} then, {migration.sha256[:12]} now)"
            )
    return migrations[len(applied) :]


def split_statements(sql: str) -> Iterator[str]:
    """The statements of a script, one by one; a trigger with its body is one statement."""
    start = 0
    for semicolon in re.finditer(";", sql):
        if sqlite3.complete_statement(sql[start : semicolon.end()]):
            yield sql[start : semicolon.end()]
            start = semicolon.end()
    if sql[start:].strip():
        yield sql[start:]


def migrate(path: Path, *, clock: Clock, folder: Path = FOLDER) -> None:
    """Make the database if there is none, and apply what it still needs.

    Raises:
        MigrationError: see ``plan_pending``; or a migration failed, and was rolled back.
        StoreError: the database cannot be opened.
    """
    migrations = load(folder)
    path.touch(mode=0o600)
    db = open_writer(path)
    try:
        # A table is rebuilt by dropping it, which must not cascade; each migration is checked as a
        # whole in place (https://sqlite.org/lang_altertable.html, section 7).
        db.execute("PRAGMA foreign_keys=OFF")
        db.execute(_CREATE_RECORD)
        applied = dict(db.execute(_LIST_RECORDS))
        for migration in plan_pending(migrations, applied):
            _apply(db, migration, clock.now_s())
    except sqlite3.Error as error:
        raise named(error) from error
    finally:
        db.close()


def _apply(db: sqlite3.Connection, migration: Migration, now_s: float) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        for statement in split_statements(migration.sql):
            db.execute(statement)
            if not db.in_transaction:
                raise MigrationError(f"{migration.name} must not end its transaction")
            faults.reach_nowait("migrate.after_statement")
        if orphan := db.execute("PRAGMA foreign_key_check").fetchone():
            raise MigrationError(f"{migration.name} leaves a row without parent in {orphan[0]}")
        db.execute(
            _INSERT_RECORD,
            {
                "number": migration.number,
                "name": migration.name,
                "sha256": migration.sha256,
                "applied_at_s": now_s,
            },
        )
        db.execute("COMMIT")
    except sqlite3.Error as error:
        raise MigrationError(f"{migration.name}: {error}") from error
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
