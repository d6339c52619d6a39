"""What fills a database: bytes by table, read from outside while a platform may be at work on it.

Pages are counted where SQLite has been built with ``dbstat``; elsewhere the lengths of values are
added up, which leaves out what pages lose to their own structure. Each table is read for itself, so
that no snapshot lasts for longer than one of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from alonzo.store.base import StoreError

#: How long to wait for the platform, in seconds: it keeps readers out while it starts and stops.
_BUSY_S = 5.0
#: What a number counts for where only lengths are known.
_NUMBER_BYTES = 8
#: What a row costs beside its values: its number, and the lengths of its columns.
_ROW_BYTES = 8


@dataclass(frozen=True, slots=True)
class TableWeight:
    """One table with its indexes: rows, and bytes on disk."""

    table: str
    rows: int
    table_bytes: int
    index_bytes: int

    @property
    def total_bytes(self) -> int:
        """The table and its indexes."""
        return self.table_bytes + self.index_bytes


@dataclass(frozen=True, slots=True)
class Weights:
    """A whole database. ``free_bytes`` are pages of the file that nothing is in.

    ``log_bytes`` is the write-ahead log beside the file. ``exact``: pages were counted.
    """

    tables: tuple[TableWeight, ...]
    file_bytes: int
    free_bytes: int
    log_bytes: int
    exact: bool

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        return {each.table: each.rows for each in self.tables}

    def report(self) -> str:
        """All of it as lines, the heaviest table first; for people."""
        lines = [
            f"{each.total_bytes:>12,}  {each.table}: {each.rows} rows"
            for each in sorted(self.tables, key=lambda each: -each.total_bytes)
        ]
        rest = (("free pages", self.free_bytes), ("log", self.log_bytes))
        return "\n".join([*lines, *(f"{size:>12,}  {name}" for name, size in rest)])


def weigh(path: Path) -> Weights:
    """Weigh the database in ``path``. Nothing of it is changed.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    try:
        with closing(_open(path)) as db:
            return _weigh(db, path)
    except sqlite3.Error as error:
        raise StoreError(f"cannot read {path}: {error}") from error


def _open(path: Path) -> sqlite3.Connection:
    # Without a log nobody is at work on it, and it is read without making one. SQLite takes a file
    # that is not there for an empty one then.
    if not path.exists():
        raise sqlite3.OperationalError("there is no such file")
    how = "mode=ro" if _log_of(path).exists() else "immutable=1"
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{how}",
        uri=True,
        timeout=_BUSY_S,
        isolation_level=None,
    )


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _weigh(db: sqlite3.Connection, path: Path) -> Weights:
    indexes: dict[str, list[str]] = {"sqlite_schema": []}
    names = "SELECT type, name, tbl_name FROM sqlite_schema WHERE type IN ('table', 'index')"
    for kind, name, table in db.execute(names).fetchall():
        known = indexes.setdefault(table, [])
        if kind == "index":
            known.append(name)
    exact = _has_dbstat(db)
    of_table, of_index = (_pages, _pages) if exact else (_values, _indexed)
    tables = tuple(
        _table(db, table, of_table, of_index, found) for table, found in sorted(indexes.items())
    )
    page_bytes = _number(db, "PRAGMA page_size")
    log = _log_of(path)
    return Weights(
        tables,
        _number(db, "PRAGMA page_count") * page_bytes,
        _number(db, "PRAGMA freelist_count") * page_bytes,
        log.stat().st_size if log.exists() else 0,
        exact,
    )


_Measure = Callable[[sqlite3.Connection, str], int]


def _table(
    db: sqlite3.Connection, table: str, of_table: _Measure, of_index: _Measure, indexes: list[str]
) -> TableWeight:
    rows = _number(db, f"SELECT COUNT(*) FROM {_quoted(table)}")  # noqa: S608 - a table's own name
    return TableWeight(table, rows, of_table(db, table), sum(of_index(db, x) for x in indexes))


def _has_dbstat(db: sqlite3.Connection) -> bool:
    try:
        db.execute("SELECT name FROM dbstat LIMIT 0")
    except sqlite3.OperationalError:
        return False
    return True


def _pages(db: sqlite3.Connection, name: str) -> int:
    """Bytes of the pages of a table or an index. Source: sqlite.org/dbstat.html."""
    sql = "SELECT COALESCE(SUM(pgsize), 0) FROM dbstat WHERE aggregate = TRUE AND name = ?"
    return int(db.execute(sql, (name,)).fetchone()[0])


def _values(db: sqlite3.Connection, table: str) -> int:
    """Bytes of the values of a table's rows."""
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({_quoted(table)})").fetchall()]
    return _lengths(db, table, columns)


def _indexed(db: sqlite3.Connection, index: str) -> int:
    """Bytes of the values that an index repeats, of all rows of its table."""
    sql = "SELECT tbl_name FROM sqlite_schema WHERE type = 'index' AND name = ?"
    table = db.execute(sql, (index,)).fetchone()[0]
    columns = [row[2] for row in db.execute(f"PRAGMA index_info({_quoted(index)})").fetchall()]
    return _lengths(db, table, [each for each in columns if each is not None])


def _lengths(db: sqlite3.Connection, table: str, columns: list[str]) -> int:
    terms = [
        f"CASE WHEN typeof({name}) IN ('text', 'blob') THEN length(CAST({name} AS BLOB))"
        f" WHEN {name} IS NULL THEN 0 ELSE {_NUMBER_BYTES} END"
        for name in map(_quoted, columns)
    ]
    row = " + ".join([str(_ROW_BYTES), *terms])
    sql = f"SELECT COALESCE(SUM({row}), 0) FROM {_quoted(table)}"  # noqa: S608 - names of its own
    return _number(db, sql)


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _number(db: sqlite3.Connection, sql: str) -> int:
    return int(db.execute(sql).fetchone()[0])
