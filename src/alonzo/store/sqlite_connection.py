"""One SQLite connection as a unit of work sees it, and how our connections are opened.

Every error of the driver leaves here under a name of ``base.py``, so nothing above knows sqlite3.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alonzo.store.base import ConstraintError, Parameters, Row, StoreError, StoreFullError

#: Durable: in WAL mode FULL syncs the log at each commit (https://sqlite.org/pragma.html). No
#: mmap: reading a mapped page of a failing disk kills the process in place of raising an error.
_EVERY_PRAGMAS = ("busy_timeout=5000", "temp_store=MEMORY")
_WRITER_PRAGMAS = (
    *_EVERY_PRAGMAS,
    # Before all else: it counts for a database that is made, and not for one that has tables.
    "auto_vacuum=INCREMENTAL",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "cache_size=-8192",
    "wal_autocheckpoint=4000",
    # A log that one large commit has made longer is cut when it is written from its beginning.
    "journal_size_limit=20971520",
    # Some systems build SQLite so that it writes zeros over every page that becomes free: a large
    # delete then takes ten times as long, and the writer with it.
    "secure_delete=FAST",
)
_READER_PRAGMAS = (*_EVERY_PRAGMAS, "query_only=ON")

#: Statements that each connection keeps compiled.
_CACHED_STATEMENTS = 512

#: Free pages (of 4 KiB) that a database may have before it gives some back, and those that it keeps
#: then: what comes and goes should not move the end of the file each time.
_FREE_PAGES_MAX = 1024
_FREE_PAGES_KEPT = 256
#: Pages given back in one go; each may be one that is moved, so a write may wait that long.
_GIVEN_BACK_MAX = 256
#: A log up to here may stay; SQLite writes it again from its beginning.
_LOG_BYTES_KEPT = 1024 * 1024

#: Low byte of an extended result code (https://sqlite.org/rescode.html).
_PRIMARY_CODE = 0xFF


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the database for writing, made if it does not exist. Usable from any one thread."""
    return _open(path, _WRITER_PRAGMAS)


def open_reader(path: Path) -> sqlite3.Connection:
    """Open an existing database so that a statement that writes is an error."""
    return _open(path, _READER_PRAGMAS)


def _open(path: Path, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(
            path,
            isolation_level=None,
            cached_statements=_CACHED_STATEMENTS,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise named(error) from error
    try:
        for pragma in pragmas:
            db.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as error:
        db.close()
        raise named(error) from error
    return db


def named(error: sqlite3.Error) -> StoreError:
    """The store's own error for one of the driver."""
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
    text = f"{getattr(error, 'sqlite_errorname', type(error).__name__)}: {error}"
    if code == sqlite3.SQLITE_FULL:
        return StoreFullError(text)
    if code == sqlite3.SQLITE_CONSTRAINT:
        return ConstraintError(text)
    return StoreError(text)


class SqliteConnection:
    """Implements ``base.Connection``. ``published`` collects what the current unit published.

    SQLite gives up a transaction on its own when, for one, the disk is full. From then on each
    statement would be its own transaction; so after that the connection refuses every statement.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._given_up: StoreError | None = None
        self.published: list[tuple[str, str]] = []
        #: Whether a unit deleted what the log should not hold on to; who folds the log unsets it.
        self.wipes = False

    def begin_unit(self) -> None:
        """Start a unit of work inside the open transaction."""
        try:
            self._db.execute("SAVEPOINT unit")
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def end_unit(self, *, keep: bool) -> None:
        """End the unit and keep what it did, or undo it.

        Raises:
            StoreError: the transaction is no more: SQLite gave it up, or the unit ended it.
        """
        if self._given_up is not None:
            raise self._given_up
        try:
            if not keep:
                self._db.execute("ROLLBACK TO unit")
            self._db.execute("RELEASE unit")
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def execute(self, sql: str, parameters: Parameters | None = None) -> int:
        """Run a statement; answers how many rows it changed."""
        cursor = self._run(sql, parameters)
        changed = cursor.rowcount
        cursor.close()
        return max(changed, 0)

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Run a statement once for each of the rows."""
        if self._given_up is not None:
            raise self._given_up
        try:
            self._db.executemany(sql, rows).close()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def all(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """Every row of a query, by column name."""
        cursor = self._run(sql, parameters)
        try:
            rows = cursor.fetchall()
            names = _column_names(cursor)
        except sqlite3.Error as error:
            raise self._failed(error) from error
        finally:
            cursor.close()
        return [dict(zip(names, row, strict=True)) for row in rows]

    def one(self, sql: str, parameters: Parameters | None = None) -> Row | None:
        """The first row of a query, or None."""
        cursor = self._run(sql, parameters)
        try:
            row = cursor.fetchone()
            names = _column_names(cursor)
        except sqlite3.Error as error:
            raise self._failed(error) from error
        finally:
            cursor.close()
        return None if row is None else dict(zip(names, row, strict=True))

    def give_back(self, *, begun: bool) -> bool:
        """Cut some free pages off the end of the file; answers whether there are more to cut.

        ``begun``: so it was answered before. The file is shorter once the log has been folded into
        it. A database that was made without ``auto_vacuum`` keeps its free pages.
        """
        kept = _FREE_PAGES_KEPT if begun else _FREE_PAGES_MAX
        free = self._number("PRAGMA freelist_count")
        if free <= kept or not self._number("PRAGMA auto_vacuum"):
            return False
        pages = min(_GIVEN_BACK_MAX, free - _FREE_PAGES_KEPT)
        try:
            # Each step of this statement cuts one page; ``execute`` would do the first alone.
            self._db.executescript(f"PRAGMA incremental_vacuum({pages})")
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return True

    def fold_log(self, log_bytes: int, *, cut: bool) -> bool:
        """Fold a log of that length into the database if it is long; False: a reader is in the way.

        Afterwards it has no length. ``cut``: pages were given back, so that the file is to become
        shorter, however short the log is.
        """
        if log_bytes <= _LOG_BYTES_KEPT and not cut:
            return True
        self.all("PRAGMA busy_timeout=0")  # Writes must not wait for readers.
        try:
            return self._number("PRAGMA wal_checkpoint(TRUNCATE)") == 0
        finally:
            self.all(f"PRAGMA {_EVERY_PRAGMAS[0]}")

    def _number(self, pragma: str) -> int:
        row = self.one(pragma)
        return 0 if row is None else int(next(iter(row.values())))

    def publish(self, topic: str, key: str) -> None:
        """Tell subscribers of ``topic`` about ``key`` once this unit is committed."""
        self.published.append((topic, key))

    def wipe(self) -> None:
        """Have the log folded soon, however short it is: it has what was deleted, too."""
        self.wipes = True

    def _run(self, sql: str, parameters: Parameters | None) -> sqlite3.Cursor:
        if self._given_up is not None:
            raise self._given_up
        try:
            return self._db.execute(sql, parameters or {})
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> StoreError:
        failure = named(error)
        if not self._db.in_transaction:
            self._given_up = failure
        return failure

    def close(self) -> None:
        """Close the connection; what was not committed is gone."""
        self._db.close()


def _column_names(cursor: sqlite3.Cursor) -> list[Any]:
    return [column[0] for column in cursor.description or ()]
