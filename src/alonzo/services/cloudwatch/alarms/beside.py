"""Work on alarms that is worked out beside the store's one writer, and written if it fits.

    look, on a snapshot ─▶ what is to be written ─▶ is what was looked at as it was? ─▶ write
           ▲                                                                │ no
           └────────────────────────────────────────────────────────────────┘

Five hundred composite alarms over each other take long to evaluate and little to write: all others
who write need not wait for the first. What all composite alarms are, and the states of the metric
alarms that were looked at, is asked again in the unit of work that writes, so the outcome is that
of one unit. After a few tries it is one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from alonzo.services.cloudwatch.alarms.records import COMPOSITE, METRIC, AlarmKey, Q
from alonzo.store.base import Connection, Parameters, Row, Store

T = TypeVar("T")
R = TypeVar("R")

#: How often to begin again before the writer has to wait for all of it.
_TRIES = 5

Versions = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Looked(Generic[T]):
    """What a look came to, and the names of the alarms that it was made of."""

    found: T
    names: Collection[str] = ()


class _ChangedError(Exception):
    """Something has changed that was looked at."""


@dataclass(slots=True)
class Draft:
    """A connection that reads, and notes what is to be written. It reads none of that."""

    db: Connection
    writes: dict[str, list[Parameters]] = field(default_factory=dict[str, list[Parameters]])
    published: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def execute(self, sql: str, parameters: Parameters | None = None) -> int:
        """Note a statement; it is taken to change one row."""
        self.writes.setdefault(sql, []).append(parameters or {})
        return 1

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Note a statement for each of the rows."""
        self.writes.setdefault(sql, []).extend(rows)

    def all(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """Every row of a query."""
        return self.db.all(sql, parameters)

    def one(self, sql: str, parameters: Parameters | None = None) -> Row | None:
        """The first row of a query, or None."""
        return self.db.one(sql, parameters)

    def publish(self, topic: str, key: str) -> None:
        """Note a word to subscribers."""
        self.published.append((topic, key))

    def wipe(self) -> None:
        """Alarms hold no secrets."""
        raise AssertionError("nothing of alarms is wiped")

    def write(self, db: Connection) -> None:
        """Write it: statement by statement, the rows of each in the order they were noted in."""
        for sql, rows in self.writes.items():
            db.execute_many(sql, rows)
        for topic, key in self.published:
            db.publish(topic, key)


async def work_out(
    store: Store,
    where: AlarmKey,
    look: Callable[[Connection], Looked[T]],
    work: Callable[[Connection, T], R],
) -> R:
    """Look beside the writer, and do the work once nothing has changed in between.

    Of ``where``, account and region count. ``look`` writes nothing.
    """
    for _ in range(_TRIES):
        looked, versions = await store.read(lambda db: _look(db, where, look))
        try:
            return await store.tx(
                lambda db, looked=looked, versions=versions: _work(
                    db, where, looked, versions, work
                )
            )
        except _ChangedError:
            continue
    return await store.tx(lambda db: work(db, look(db).found))


def _look(
    db: Connection, where: AlarmKey, look: Callable[[Connection], Looked[T]]
) -> tuple[Looked[T], Versions]:
    looked = look(db)
    return looked, _versions(db, where, looked.names)


def _work(
    db: Connection,
    where: AlarmKey,
    looked: Looked[T],
    versions: Versions,
    work: Callable[[Connection, T], R],
) -> R:
    if _versions(db, where, looked.names) != versions:
        raise _ChangedError
    return work(db, looked.found)


def _versions(db: Connection, where: AlarmKey, names: Collection[str]) -> Versions:
    """What tells whether an alarm is as it was: all composite ones, and these metric ones."""
    place = {"account": where.account, "region": where.region}
    found = {
        row["name"]: tuple(row.values())
        for row in db.all(Q.composite_versions, {**place, "kind": COMPOSITE})
    }
    wanted = frozenset(names)
    if wanted - found.keys():
        rows = db.all(Q.metric_versions, {**place, "kind": METRIC})
        found |= {row["name"]: tuple(row.values()) for row in rows if row["name"] in wanted}
    return found
