"""A point: everything that is kept of the values of one metric in one period. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from alonzo.services.cloudwatch.distributions import Distribution


@dataclass(slots=True)
class Point:
    """Count, sum, smallest and greatest value, and the distribution between them.

    ``values`` is None if there is no distribution: a value was below zero, or a statistic set came
    in whose values nobody knows. Where all values are alike it is not stored, but made anew.
    """

    count: float
    total: float
    low: float
    high: float
    values: Distribution | None

    @classmethod
    def of_values(cls, values: Sequence[float], counts: Sequence[float] | None = None) -> Point:
        """The point of at least one value, each counted once or as often as ``counts`` says."""
        low = min(values)
        if counts is None:
            distribution = _distribution([(value, 1.0) for value in values], low)
            return cls(float(len(values)), float(sum(values)), low, max(values), distribution)
        total = sum(value * count for value, count in zip(values, counts, strict=True))
        pairs = list(zip(values, counts, strict=True))
        return cls(float(sum(counts)), total, low, max(values), _distribution(pairs, low))

    @classmethod
    def of_set(cls, count: float, total: float, low: float, high: float) -> Point:
        """The point of a statistic set: it has a distribution if its values are all alike.

        Source: CloudWatch user guide, percentiles and statistic sets.
        """
        known = low >= 0 and (low == high or count == 1)
        values = Distribution.of([(high, count)]) if known else None
        return cls(count, total, low, high, values)

    @classmethod
    def of_same(cls, value: float, count: float) -> Point:
        """The point of one value, not below zero, that came ``count`` times."""
        return cls(count, value * count, value, value, Distribution.of([(value, count)]))

    @classmethod
    def of_row(cls, row: Any) -> Point:
        """A stored point."""
        low, high, body = row["low"], row["high"], row["distribution"]
        if body is not None:
            values = Distribution.decode(body) if body else None
        else:
            values = Distribution.of([(low, row["samples"])]) if low == high >= 0 else None
        return cls(row["samples"], row["total"], low, high, values)

    def stored_distribution(self) -> bytes | None:
        """What is stored of the distribution: None where all values are alike, ``b""`` for none."""
        if self.low == self.high >= 0:
            return None
        return b"" if self.values is None else self.values.encode()

    def merge(self, other: Point) -> None:
        """Take in another point of the same metric."""
        self.count += other.count
        self.total += other.total
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)
        if self.values is not None:
            if other.values is None:
                self.values = None
            else:
                self.values.merge(other.values)

    def copy(self) -> Point:
        """A point of its own with the same figures."""
        values = None
        if self.values is not None:
            values = Distribution()
            values.merge(self.values)
        return Point(self.count, self.total, self.low, self.high, values)

    def pairs(self) -> list[tuple[float, float]] | None:
        """Values and counts, the smallest first, none outside ``low`` and ``high``; or None."""
        if self.values is None:
            return None
        return [(min(max(value, self.low), self.high), count) for value, count in self.values]


def _distribution(pairs: Iterable[tuple[float, float]], low: float) -> Distribution | None:
    return None if low < 0 else Distribution.of(pairs)
