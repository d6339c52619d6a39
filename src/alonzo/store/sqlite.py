"""The SQLite store: one writer thread with group commit, and a few reader threads.

    tx() ──▶ queue ──▶ writer:  BEGIN · unit · unit · unit · COMMIT ──▶ one wake-up of the loop
    read() ─▶ queue ──▶ readers: BEGIN · unit · ROLLBACK ────────────▶ one wake-up each

* The writer takes whatever has queued up while it committed the last batch, so a batch grows with
  the load and a lone unit waits for nobody.
* Each unit of a batch has a savepoint (about 2 µs): one that raises takes nothing with it.
* If the commit fails, every unit of the batch fails, also those that had raised an error of their
  own: they may have judged by rows that were never to be.
* When nothing has been written for a moment, the file gives free pages back, piece by piece, and
  the log is folded into it: disk use follows what is stored. Where there is no such moment, a
  piece goes now and then between two commits, and SQLite itself folds the log.
* The loop learns of a batch in one call, which runs the subscribers first and answers the callers
  after them.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.store.base import Connection, StoreClosedError, StoreError
from alonzo.store.migrate import migrate
from alonzo.store.sqlite_connection import SqliteConnection, named, open_reader, open_writer

log = logging.getLogger("alonzo.store")

T = TypeVar("T")

#: Calls of each kind that may wait; a further one waits for its turn before it queues.
QUEUED_UNITS_MAX = 4096
#: Units that share one commit at most, so that a caller's wait has a bound.
BATCH_UNITS_MAX = 512
#: Reader threads, each with its own connection.
READERS = 3
#: How long after the last write the file is tidied, and how soon again if a reader was in the way.
TIDY_AFTER_S = 1.0
#: Between two pieces while writes are coming.
TIDY_BUSY_EVERY_S = 0.25
#: How long ``close()`` waits for a thread to finish what is queued.
CLOSE_S_MAX = 30.0


@dataclass(slots=True, eq=False)
class _Unit:
    """One call on its way through a thread and back."""

    work: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    published: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def run(self, connection: SqliteConnection) -> None:
        """Do the work; note its result, or whatever it raised."""
        connection.published = self.published
        try:
            self.result = self.work(connection)
        except StopIteration as error:
            # A future refuses to carry this one, as it would end the coroutine that awaits it.
            self.error = RuntimeError("a unit of work raised StopIteration")
            self.error.__cause__ = error
            self.published.clear()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the caller
            self.error = error
            self.published.clear()

    def fail(self, error: StoreError) -> None:
        """Give up the unit. Each caller gets an exception of its own, with its own traceback."""
        self.error = type(error)(*error.args)
        self.error.__cause__ = error
        self.published.clear()


class _Lane:
    """A bounded queue from the event loop to threads, and the way back."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._units: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(QUEUED_UNITS_MAX)
        self._closed = False

    async def call(self, work: Callable[[Connection], T]) -> T:
        """Have the work done by a thread; waits while the queue is full."""
        await self._room.acquire()
        if self._closed:
            self._room.release()
            raise StoreClosedError("the store is closed")
        unit = _Unit(work, self._loop.create_future())
        self._units.put(unit)
        return await unit.future

    def take(self, units_max: int, idle_s: float | None = None) -> list[_Unit] | None:
        """Wait for units and take what is there. Empty: the lane is closed and drained.

        None: nothing came for ``idle_s``.
        """
        units: list[_Unit] = []
        try:
            unit = self._units.get(timeout=idle_s)
        except queue.Empty:
            return None
        while unit is not None:
            units.append(unit)
            if len(units) == units_max:
                return units
            try:
                unit = self._units.get_nowait()
            except queue.Empty:
                return units
        self._units.put(None)  # For the next take, and for the threads beside this one.
        return units

    def answer(self, units: list[_Unit], before: Callable[[list[_Unit]], None]) -> None:
        """From a thread: have ``before(units)`` run on the loop, and then every caller resumed."""
        try:
            self._loop.call_soon_threadsafe(self._settle, units, before)
        except RuntimeError:
            log.warning("store.loop_closed", extra={"units": len(units)})

    def _settle(self, units: list[_Unit], before: Callable[[list[_Unit]], None]) -> None:
        before(units)
        for unit in units:
            self._room.release()
            if unit.future.done():
                continue
            if unit.error is None:
                unit.future.set_result(unit.result)
            else:
                unit.future.set_exception(unit.error)

    def close(self) -> None:
        """Refuse further calls; those that are queued are still carried out."""
        if not self._closed:
            self._closed = True
            self._units.put(None)


class SqliteStore:
    """Implements ``base.Store`` on one SQLite file. Made by ``open()``, for the running loop."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._writes = _Lane()
        self._reads = _Lane()
        self._listeners: dict[str, list[Callable[[str], None]]] = {}
        # Held from a commit until the loop is told of it.
        self._untold = threading.Lock()
        self._writer = threading.Thread(target=self._write, name="store-writer", daemon=True)
        self._readers = [
            threading.Thread(target=self._read, name=f"store-reader-{number}", daemon=True)
            for number in range(READERS)
        ]

    @classmethod
    async def open(cls, path: Path, *, clock: Clock) -> SqliteStore:
        """Open the database, made and migrated as needed.

        Raises:
            MigrationError: this program cannot use the database as it is.
            StoreError: the file cannot be opened.
        """
        await asyncio.to_thread(migrate, path, clock=clock)
        store = cls(path, clock)
        for thread in (store._writer, *store._readers):
            thread.start()
        return store

    async def tx(self, work: Callable[[Connection], T]) -> T:
        """Run a unit of work that may write. When it returns, the work is durable."""
        return await self._writes.call(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a unit of work that only reads, on a snapshot, beside others."""
        return await self._reads.call(work)

    def subscribe(self, topic: str, listener: Callable[[str], None]) -> Callable[[], None]:
        """Have ``listener(key)`` called after each commit that published to ``topic``.

        A key that several units of one commit published is told once.
        """
        listeners = self._listeners.setdefault(topic, [])
        listeners.append(listener)

        def unsubscribe() -> None:
            if listener in listeners:
                listeners.remove(listener)

        return unsubscribe

    async def close(self) -> None:
        """Carry out what is queued, then end the threads. Safe to call twice."""
        # The writer goes last: the last connection to close folds the log into the database.
        self._reads.close()
        for thread in self._readers:
            await self._join(thread)
        self._writes.close()
        await self._join(self._writer)

    async def _join(self, thread: threading.Thread) -> None:
        await asyncio.to_thread(thread.join, CLOSE_S_MAX)
        if thread.is_alive():
            raise StoreError(f"{thread.name} did not end within {CLOSE_S_MAX} s")

    def _write(self) -> None:
        db: SqliteConnection | None = None
        failing = False
        tidying = _Tidying(self._path, self._clock)
        while (units := self._writes.take(BATCH_UNITS_MAX, tidying.due_in_s)) != []:
            if units is None:
                if db is not None and not tidying.step(db):
                    _close_quietly(db)
                    db = None
                continue
            tidying.due_in_s = TIDY_AFTER_S
            if db is not None and not tidying.step_between(db):
                _close_quietly(db)
                db = None
            try:
                db = db or SqliteConnection(open_writer(self._path))
                _run_together(db, units)
                with self._untold:
                    _commit(db)
                    self._writes.answer(units, self._tell_subscribers)
                if failing:
                    log.info("store.recovered")
                failing = False
            except Exception as error:  # The thread must outlive any failure.
                _close_quietly(db)
                db = None
                _fail_all(units, error)
                if not failing:  # A full disk fails every batch; once is enough to know.
                    log.exception("store.failing")
                failing = True
                self._writes.answer(units, self._tell_subscribers)
        _close_quietly(db)

    def _read(self) -> None:
        db: SqliteConnection | None = None
        while units := self._reads.take(1):
            try:
                db = db or SqliteConnection(open_reader(self._path))
                _run_on_snapshot(db, units[0])
            except Exception as error:  # The thread must outlive any failure.
                log.exception("store.read_failed")
                _close_quietly(db)
                db = None
                _fail_all(units, error)
            # Whoever saw a commit must not be answered before the loop is told of that commit.
            with self._untold:
                pass
            self._reads.answer(units, _tell_nobody)
        _close_quietly(db)

    def _tell_subscribers(self, units: list[_Unit]) -> None:
        published = {told: None for unit in units for told in unit.published}
        for topic, key in published:
            for listener in tuple(self._listeners.get(topic, ())):
                try:
                    listener(key)
                except Exception:
                    log.exception("store.listener_failed", extra={"topic": topic, "key": key})


class _Tidying:
    """When the writer, with nothing to write, gives room on the disk back.

    ``due_in_s`` is after how much idle time the next step is; None: there is nothing to do.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._log = path.with_name(f"{path.name}-wal")
        self._clock = clock
        self._begun = False
        #: Whether pages were given back of which the file does not know yet.
        self._cut = False
        self._next_s = clock.monotonic_s()
        self.due_in_s: float | None = None

    def step_between(self, db: SqliteConnection) -> bool:
        """Units have come: do a piece before them, now and then; False as of ``step``."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s:
            return True
        try:
            self._begun = db.give_back(begun=self._begun)
            self._cut |= self._begun
        except StoreError:
            log.exception("store.not_tidied")
            self._begun = False
            return False
        finally:
            self._next_s = now_s + TIDY_BUSY_EVERY_S
        return True

    def step(self, db: SqliteConnection) -> bool:
        """Do a bounded piece of it; False: the connection is broken."""
        try:
            self._begun = db.give_back(begun=self._begun)
            self._cut |= self._begun
            if self._begun:
                self.due_in_s = 0.0
            elif db.fold_log(self._log.stat().st_size, cut=self._cut or db.wipes):
                self._cut = db.wipes = False
                self.due_in_s = None
            else:
                self.due_in_s = TIDY_AFTER_S
        except (StoreError, OSError):
            log.exception("store.not_tidied")
            self._begun, self.due_in_s = False, None
            return False
        return True


def _run_together(db: SqliteConnection, units: list[_Unit]) -> None:
    """Run the units in one transaction.

    Raises:
        StoreError: nothing will be committed.
    """
    db.execute("BEGIN IMMEDIATE")
    for unit in units:
        db.begin_unit()
        unit.run(db)
        db.end_unit(keep=unit.error is None)


def _commit(db: SqliteConnection) -> None:
    """End the transaction.

    Raises:
        StoreError: nothing was committed.
    """
    faults.reach_nowait("store.before_commit")
    db.execute("COMMIT")
    faults.reach_nowait("store.after_commit")


def _run_on_snapshot(db: SqliteConnection, unit: _Unit) -> None:
    db.execute("BEGIN")
    unit.run(db)
    if unit.published:
        unit.fail(StoreError("a unit of work that only reads cannot publish"))
    db.execute("ROLLBACK")


def _fail_all(units: list[_Unit], error: Exception) -> None:
    failure = error if isinstance(error, StoreError) else StoreError(str(error))
    for unit in units:
        unit.fail(failure)


def _close_quietly(db: SqliteConnection | None) -> None:
    """Close a connection of which nothing is expected any more; SQLite rolls back what is open."""
    if db is not None:
        try:
            db.close()
        except sqlite3.Error as error:
            log.warning("store.close_failed", extra={"error": str(named(error))})


def _tell_nobody(units: list[_Unit]) -> None:
    """Reads publish nothing."""
