"""The commands: each takes the rows that come by, and hands on its own. Pure, in bounded memory.

A command either hands a row on at once (``fields``, ``filter``, ``parse``, ``dedup``, ``limit``) or
keeps what it needs until all have come (``stats``, ``sort``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Protocol

from alonzo.services.logs.insights.aggregates import Sum, short, weight_of
from alonzo.services.logs.insights.bounds import Room
from alonzo.services.logs.insights.expressions import Expression, holds
from alonzo.services.logs.insights.functions import compare, text_of
from alonzo.services.logs.insights.rows import Row, Value

#: Characters of all rows that one command keeps; past that the last rows go.
WEIGHT_MAX = 64 << 20
#: Bytes of a group of ``stats`` beside its texts, and as many of each of its figures.
_GROUP_WEIGHT = 200

#: Rows of a result; groups of ``stats``, and rows that ``sort`` and ``dedup`` keep.
ROWS_MAX = 10_000


class Command(Protocol):
    """One command of a query, made for one run of it."""

    def push(self, row: Row) -> Iterable[Row]:
        """Take a row; answers what goes on at once."""
        ...

    def finish(self) -> Iterable[Row]:
        """All rows have come: what goes on now."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether no further row can change what it hands on."""
        ...


class _Passing:
    """A command that keeps nothing."""

    is_full = False

    def finish(self) -> Iterable[Row]:
        """See ``Command``."""
        return ()


class Fields(_Passing):
    """``fields``: works values out under their names."""

    def __init__(self, made: Sequence[tuple[str, Expression]]) -> None:
        self._made = [(name, each.of) for name, each in made if each.field != name]

    def push(self, row: Row) -> Iterable[Row]:
        """See ``Command``."""
        for name, of in self._made:
            row.put(name, of(row))
        return (row,)


class Filter(_Passing):
    """``filter``."""

    def __init__(self, condition: Expression) -> None:
        self._of = condition.of

    def push(self, row: Row) -> Iterable[Row]:
        """See ``Command``."""
        return (row,) if holds(self._of(row)) else ()


class Parse(_Passing):
    """``parse``. ``read`` finds the values of the names, or answers None."""

    def __init__(
        self,
        source: Expression,
        read: Callable[[str], Sequence[str | None] | None],
        names: Sequence[str],
    ) -> None:
        self._of = source.of
        self._read = read
        self._names = names

    def push(self, row: Row) -> Iterable[Row]:
        """See ``Command``."""
        value = self._of(row)
        found = None if value is None else self._read(text_of(value))
        if found is not None:
            for name, each in zip(self._names, found, strict=True):
                row.put(name, each)
        return (row,)


class Dedup(_Passing):
    """``dedup``: the first row of each set of values; rows that lack one of them all go on."""

    def __init__(self, fields: Sequence[Expression]) -> None:
        self._fields = fields
        self._seen = set[int]()

    def push(self, row: Row) -> Iterable[Row]:
        """See ``Command``."""
        values = [each.of(row) for each in self._fields]
        if any(value is None for value in values):
            return (row,)
        key = hash(tuple(map(text_of, values)))
        if key in self._seen or len(self._seen) >= ROWS_MAX:
            return ()
        self._seen.add(key)
        return (row,)


class Limit:
    """``limit``: the first rows."""

    def __init__(self, rows: int) -> None:
        self._left = rows

    def push(self, row: Row) -> Iterable[Row]:
        """See ``Command``."""
        if self._left <= 0:
            return ()
        self._left -= 1
        return (row,)

    def finish(self) -> Iterable[Row]:
        """See ``Command``."""
        return ()

    @property
    def is_full(self) -> bool:
        """See ``Command``."""
        return self._left <= 0


class Sort:
    """``sort``: keeps the first ``ROWS_MAX`` rows of the order."""

    is_full = False

    def __init__(self, keys: Sequence[tuple[Expression, bool]]) -> None:
        self._keys = keys
        self._rows: list[tuple[list[Value], Row, int]] = []
        self._weight = 0

    def push(self, row: Row) -> Iterable[Row]:
        """See ``Command``."""
        values = [each.of(row) for each, _ in self._keys]
        row.forget()
        weight = row.weight + sum(map(weight_of, values))
        self._rows.append((values, row, weight))
        self._weight += weight
        if len(self._rows) >= 2 * ROWS_MAX or self._weight > 2 * WEIGHT_MAX:
            self._trim()
        return ()

    def finish(self) -> Iterable[Row]:
        """See ``Command``."""
        self._trim()
        return [row for _, row, _ in self._rows]

    def _trim(self) -> None:
        self._rows.sort(key=cmp_to_key(self._compare))
        kept = weight = 0
        for _, _, more in self._rows[:ROWS_MAX]:
            if weight + more > WEIGHT_MAX:
                break
            kept, weight = kept + 1, weight + more
        del self._rows[kept:]
        self._weight = weight

    def _compare(
        self, one: tuple[list[Value], Row, int], other: tuple[list[Value], Row, int]
    ) -> int:
        for (_, descending), left, right in zip(self._keys, one[0], other[0], strict=True):
            order = _order(left, right)
            if order:
                return -order if descending else order
        return 0


def _order(left: Value, right: Value) -> int:
    """Nothing comes first, then values as they compare."""
    if left is None or right is None:
        return (left is not None) - (right is not None)
    if compare("=", left, right):
        return 0
    return -1 if compare("<", left, right) else 1


@dataclass(frozen=True, slots=True)
class Figure:
    """One column of ``stats`` that is added up."""

    name: str
    make: Callable[[Room], Sum]


class Stats:
    """``stats``: one row for each group, up to ``ROWS_MAX`` of them."""

    is_full = False

    def __init__(self, figures: Sequence[Figure], groups: Sequence[tuple[str, Expression]]) -> None:
        self._figures = figures
        self._groups = groups
        self._room = Room(WEIGHT_MAX)
        self._sums: dict[tuple[Value, ...], list[Sum]] = {}
        if not groups:
            self._sums[()] = [each.make(self._room) for each in figures]

    def push(self, row: Row) -> Iterable[Row]:
        """See ``Command``."""
        key = tuple(short(each.of(row)) for _, each in self._groups)
        sums = self._sums.get(key)
        if sums is None:
            weight = _GROUP_WEIGHT * (1 + len(self._figures)) + sum(map(weight_of, key))
            if len(self._sums) >= ROWS_MAX or not self._room.take(weight):
                return ()
            sums = self._sums[key] = [each.make(self._room) for each in self._figures]
        for each in sums:
            each.add(row)
        return ()

    def finish(self) -> Iterable[Row]:
        """See ``Command``."""
        names = [name for name, _ in self._groups]
        for key, sums in self._sums.items():
            values: dict[str, Value] = dict(zip(names, key, strict=True))
            pairs = zip(self._figures, sums, strict=True)
            values |= {figure.name: each.value() for figure, each in pairs}
            yield Row(values)


def glob_reader(pattern: str) -> Callable[[str], Sequence[str] | None]:
    """What finds the texts that the stars of a glob stand for, each as short as can be."""
    parts = pattern.split("*")

    def read(text: str) -> Sequence[str] | None:
        at = text.find(parts[0])
        if at < 0:
            return None
        at += len(parts[0])
        found: list[str] = []
        for place, part in enumerate(parts[1:], 1):
            last = place == len(parts) - 1
            end = len(text) if last and not part else text.find(part, at)
            if end < 0:
                return None
            found.append(text[at:end])
            at = end + len(part)
        return found

    return read
