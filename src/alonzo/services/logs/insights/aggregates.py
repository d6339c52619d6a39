"""What ``stats`` adds up. Pure; all of one command together in bounded memory.

Source: Logs Insights QL, stats. ``pct``, ``median`` and ``stddev`` keep up to ``VALUES_MAX`` values
of a group, and ``count_distinct`` as many; of more, and once the command's ``Room`` is taken, they
are worked out of the first.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from typing import Protocol

from alonzo.services.logs.insights.bounds import Room
from alonzo.services.logs.insights.expressions import Expression
from alonzo.services.logs.insights.functions import compare, number_of, text_of
from alonzo.services.logs.insights.rows import Row, Value

#: Values that one sum of one group keeps.
VALUES_MAX = 10_000
#: Bytes that a number takes which is kept, and a member of a set.
_NUMBER_WEIGHT, _MEMBER_WEIGHT = 8, 64
#: Bytes of any value beside its text.
_VALUE_WEIGHT = 32

#: Characters that are kept of a text, of which there may be one in each group.
_KEPT_CHARACTERS = 4096


def short(value: Value) -> Value:
    """A value as ``stats`` keeps it."""
    return value[:_KEPT_CHARACTERS] if isinstance(value, str) else value


def weight_of(value: Value) -> int:
    """What a value takes, about."""
    return _VALUE_WEIGHT + (len(value) if isinstance(value, str) else 0)


class _Best:
    """The value that is kept of those that came by."""

    def __init__(self, room: Room) -> None:
        self.value: Value = None
        self._room = room
        self._taken = 0

    def keep(self, value: Value) -> bool:
        """Keep this one. False: there is no room for it."""
        value = short(value)
        more = weight_of(value) - self._taken
        if more > 0:
            if not self._room.take(more):
                return False
            self._taken += more
        self.value = value
        return True


class Sum(Protocol):
    """One value of one group."""

    def add(self, row: Row) -> None:
        """Count a row in."""
        ...

    def value(self) -> Value:
        """What it is worth now."""
        ...


class Count:
    """``count(*)``, ``count(field)``."""

    def __init__(self, of: Callable[[Row], Value] | None) -> None:
        self._of = of
        self._n = 0

    def add(self, row: Row) -> None:
        """See ``Sum``."""
        if self._of is None or self._of(row) is not None:
            self._n += 1

    def value(self) -> Value:
        """See ``Sum``."""
        return self._n


class CountDistinct:
    """``count_distinct(field)``."""

    def __init__(self, of: Callable[[Row], Value], room: Room) -> None:
        self._of = of
        self._room = room
        self._seen = set[int]()

    def add(self, row: Row) -> None:
        """See ``Sum``."""
        value = self._of(row)
        if value is None or len(self._seen) >= VALUES_MAX:
            return
        member = hash(text_of(value))
        if member not in self._seen and self._room.take(_MEMBER_WEIGHT):
            self._seen.add(member)

    def value(self) -> Value:
        """See ``Sum``."""
        return len(self._seen)


class Total:
    """``sum`` and ``avg``."""

    def __init__(self, of: Callable[[Row], Value], *, mean: bool) -> None:
        self._of = of
        self._mean = mean
        self._n = 0
        self._total: float = 0

    def add(self, row: Row) -> None:
        """See ``Sum``."""
        number = number_of(self._of(row))
        if number is not None:
            self._n += 1
            self._total += float(number)

    def value(self) -> Value:
        """See ``Sum``."""
        if not self._n or not math.isfinite(self._total):
            return None
        return self._total / self._n if self._mean else self._total


class Extreme:
    """``min`` and ``max``: of numbers if all are, else of texts."""

    def __init__(self, of: Callable[[Row], Value], sign: str, room: Room) -> None:
        self._of = of
        self._sign = sign
        self._best = _Best(room)

    def add(self, row: Row) -> None:
        """See ``Sum``."""
        value, best = self._of(row), self._best.value
        if value is not None and (best is None or compare(self._sign, value, best)):
            self._best.keep(value)

    def value(self) -> Value:
        """See ``Sum``."""
        return self._best.value


class AtTime:
    """``earliest``, ``latest``: the value of the row that is first or last by its timestamp."""

    def __init__(self, of: Callable[[Row], Value], sign: str, room: Room) -> None:
        self._of = of
        self._sign = sign
        self._at: Value = None
        self._best = _Best(room)

    def add(self, row: Row) -> None:
        """See ``Sum``."""
        at, value = row.get("@timestamp"), self._of(row)
        if value is None or at is None:
            return
        if (self._at is None or compare(self._sign, at, self._at)) and self._best.keep(value):
            self._at = short(at)

    def value(self) -> Value:
        """See ``Sum``."""
        return self._best.value


class Spread:
    """``pct``, ``median`` and ``stddev``."""

    def __init__(
        self, of: Callable[[Row], Value], work_out: Callable[[list[float]], float], room: Room
    ) -> None:
        self._of = of
        self._work_out = work_out
        self._room = room
        self._values = array("d")

    def add(self, row: Row) -> None:
        """See ``Sum``."""
        number = number_of(self._of(row))
        if number is None or len(self._values) >= VALUES_MAX:
            return
        if self._room.take(_NUMBER_WEIGHT):
            self._values.append(float(number))

    def value(self) -> Value:
        """See ``Sum``."""
        return self._work_out(sorted(self._values)) if self._values else None


def percentile(percent: float) -> Callable[[list[float]], float]:
    """The smallest value that so many percent are not above."""

    def work_out(values: list[float]) -> float:
        return values[max(0, math.ceil(len(values) * percent / 100) - 1)]

    return work_out


def _deviation(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((each - mean) ** 2 for each in values) / len(values))


#: What makes a sum, by the function's name; each takes one expression.
SUMS: dict[str, Callable[[Expression, Room], Sum]] = {
    "count_distinct": lambda e, room: CountDistinct(e.of, room),
    "sum": lambda e, _: Total(e.of, mean=False),
    "avg": lambda e, _: Total(e.of, mean=True),
    "min": lambda e, room: Extreme(e.of, "<", room),
    "max": lambda e, room: Extreme(e.of, ">", room),
    "earliest": lambda e, room: AtTime(e.of, "<", room),
    "latest": lambda e, room: AtTime(e.of, ">=", room),
    "sortsfirst": lambda e, room: Extreme(e.of, "<", room),
    "sortslast": lambda e, room: Extreme(e.of, ">", room),
    "median": lambda e, room: Spread(e.of, percentile(50), room),
    "stddev": lambda e, room: Spread(e.of, _deviation, room),
}
