"""What ``stats`` adds up. Pure; each in bounded memory.

Source: Logs Insights QL, stats. ``pct``, ``median`` and ``stddev`` keep up to ``VALUES_MAX`` values
of a group, and ``count_distinct`` as many; of more they are worked out of the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from alonzo.services.logs.insights.expressions import Expression
from alonzo.services.logs.insights.functions import compare, number_of, text_of
from alonzo.services.logs.insights.rows import Row, Value

#: Values that one sum of one group keeps.
VALUES_MAX = 10_000


#: Characters that are kept of a text, of which there may be one in each group.
_KEPT_CHARACTERS = 4096


def short(value: Value) -> Value:
    """A value as ``stats`` keeps it."""
    return value[:_KEPT_CHARACTERS] if isinstance(value, str) else value


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

    def __init__(self, of: Callable[[Row], Value]) -> None:
        self._of = of
        self._seen = set[int]()

    def add(self, row: Row) -> None:
        """See ``Sum``."""
        value = self._of(row)
        if value is not None and len(self._seen) < VALUES_MAX:
            self._seen.add(hash(text_of(value)))

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

    def __init__(self, of: Callable[[Row], Value], sign: str) -> None:
        self._of = of
        self._sign = sign
        self._best: Value = None

    def add(self, row: Row) -> None:
        """See ``Sum``."""
        value = self._of(row)
        if value is not None and (self._best is None or compare(self._sign, value, self._best)):
            self._best = short(value)

    def value(self) -> Value:
        """See ``Sum``."""
        return self._best


class AtTime:
    """``earliest``, ``latest``: the value of the row that is first or last by its timestamp."""

    def __init__(self, of: Callable[[Row], Value], sign: str) -> None:
        self._of = of
        self._sign = sign
        self._at: Value = None
        self._best: Value = None

    def add(self, row: Row) -> None:
        """See ``Sum``."""
        at, value = row.get("@timestamp"), self._of(row)
        if value is None or at is None:
            return
        if self._at is None or compare(self._sign, at, self._at):
            self._at, self._best = at, short(value)

    def value(self) -> Value:
        """See ``Sum``."""
        return self._best


class Spread:
    """``pct``, ``median`` and ``stddev``."""

    def __init__(
        self, of: Callable[[Row], Value], work_out: Callable[[list[float]], float]
    ) -> None:
        self._of = of
        self._work_out = work_out
        self._values: list[float] = []

    def add(self, row: Row) -> None:
        """See ``Sum``."""
        number = number_of(self._of(row))
        if number is not None and len(self._values) < VALUES_MAX:
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
SUMS: dict[str, Callable[[Expression], Sum]] = {
    "count_distinct": lambda e: CountDistinct(e.of),
    "sum": lambda e: Total(e.of, mean=False),
    "avg": lambda e: Total(e.of, mean=True),
    "min": lambda e: Extreme(e.of, "<"),
    "max": lambda e: Extreme(e.of, ">"),
    "earliest": lambda e: AtTime(e.of, "<"),
    "latest": lambda e: AtTime(e.of, ">="),
    "sortsfirst": lambda e: Extreme(e.of, "<"),
    "sortslast": lambda e: Extreme(e.of, ">"),
    "median": lambda e: Spread(e.of, percentile(50)),
    "stddev": lambda e: Spread(e.of, _deviation),
}
