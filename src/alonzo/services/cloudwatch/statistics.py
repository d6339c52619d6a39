"""Statistics by name: the five simple ones, percentiles, and those of trimmed values. Pure.

Source: CloudWatch user guide, statistics definitions. ``p90``, ``tm90``, ``wm98``, ``tc90``,
``ts90``, ``IQM``, ``PR(:300)``, ``TM(10%:90%)``, ``WM(80:500)``, ``TC(…)``, ``TS(…)``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from alonzo.services.cloudwatch.points import Point

SIMPLE: Mapping[str, Callable[[Point], float]] = {
    "SampleCount": lambda point: point.count,
    "Average": lambda point: point.total / point.count if point.count else 0.0,
    "Sum": lambda point: point.total,
    "Minimum": lambda point: point.low,
    "Maximum": lambda point: point.high,
}

_SHORT = re.compile(r"(p|tm|wm|tc|ts)(\d{1,3}(?:\.\d{1,10})?)", re.IGNORECASE)
_RANGE = re.compile(
    r"(TM|WM|TC|TS|PR)\((?P<low>\d+(?:\.\d+)?)?(?P<low_percent>%)?:"
    r"(?P<high>\d+(?:\.\d+)?)?(?P<high_percent>%)?\)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Extended:
    """A statistic that needs the distribution.

    ``kind`` is ``p``, or one of the trimming ones. ``low`` and ``high`` bound what counts, as
    percent of all values or, if ``by_value``, as values; None leaves an end open.
    """

    kind: str
    low: float | None
    high: float | None
    by_value: bool = False

    def of(self, point: Point) -> float | None:
        """The statistic of a point; None if the point has no distribution."""
        pairs = point.pairs()
        # Counts are fractions if a caller says so, and those of buckets are kept in thousandths.
        if not pairs or sum(count for _, count in pairs) <= 0:
            return None
        if self.kind == "p":
            assert self.high is not None
            # Of buckets only the middles are known; the greatest value is known as it is.
            return point.high if self.high == 100.0 else percentile(pairs, self.high)
        return self._of_trimmed(pairs)

    def _of_trimmed(self, pairs: list[tuple[float, float]]) -> float | None:
        everything = sum(count for _, count in pairs)
        kept = self._by_value(pairs) if self.by_value else self._by_rank(pairs, everything)
        count = sum(times for _, times in kept)
        total = sum(value * times for value, times in kept)
        if self.kind == "tc":
            return count
        if self.kind == "ts":
            return total
        if self.kind == "pr":
            return 100 * count / everything
        if self.kind == "wm" and kept:
            # What was cut off counts as the border that it was beyond.
            low, high = kept[0][0], kept[-1][0]
            below = sum(times for value, times in pairs if value < low)
            above = sum(times for value, times in pairs if value > high)
            return (total + below * low + above * high) / (count + below + above)
        return total / count if count else None

    def _by_value(self, pairs: list[tuple[float, float]]) -> list[tuple[float, float]]:
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        # The lower border is outside, the upper one inside.
        return [pair for pair in pairs if low < pair[0] <= high]

    def _by_rank(
        self, pairs: list[tuple[float, float]], everything: float
    ) -> list[tuple[float, float]]:
        first = everything * (self.low or 0.0) / 100
        last = everything * (100.0 if self.high is None else self.high) / 100
        kept: list[tuple[float, float]] = []
        passed = 0.0
        for value, count in pairs:
            part = min(passed + count, last) - max(passed, first)
            passed += count
            if part > 0:
                kept.append((value, part))
        return kept


def percentile(pairs: list[tuple[float, float]], percent: float) -> float:
    """The smallest value that at least ``percent`` of all are not above. Pairs are in order."""
    wanted = sum(count for _, count in pairs) * percent / 100
    passed = 0.0
    for value, count in pairs:
        passed += count
        if passed >= wanted * (1 - 1e-12):
            return value
    return pairs[-1][0]


def parse_extended(text: str) -> Extended | None:
    """The extended statistic of that name, or None if there is none."""
    if text.upper() == "IQM":
        return Extended("tm", 25.0, 75.0)
    short = _SHORT.fullmatch(text)
    if short is not None:
        percent = float(short[2])
        return Extended(short[1].lower(), None, percent) if percent <= 100 else None
    ranged = _RANGE.fullmatch(text)
    if ranged is None:
        return None
    kind, low, high = ranged[1].lower(), ranged["low"], ranged["high"]
    given = [ranged["low_percent"] for _ in (low,) if low] + [
        ranged["high_percent"] for _ in (high,) if high
    ]
    if not given or len(set(given)) > 1 or (kind == "pr" and given[0]):
        return None
    bounds = tuple(None if bound is None else float(bound) for bound in (low, high))
    if given[0] and any(bound is not None and bound > 100 for bound in bounds):
        return None
    return Extended(kind, *bounds, by_value=not given[0])


def compute(text: str, point: Point) -> float | None:
    """A statistic by its name, which is known to be one; None where the point does not have it."""
    simple = SIMPLE.get(text)
    if simple is not None:
        return simple(point)
    extended = parse_extended(text)
    return None if extended is None else extended.of(point)


def needs_distribution(text: str) -> bool:
    """Whether a statistic is read from the distribution."""
    return text not in SIMPLE
