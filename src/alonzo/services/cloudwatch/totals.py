"""Running totals since the start of the platform, for Prometheus. Pure.

The durable figures are CloudWatch's; a scraper wants counters that only grow until a restart. They
are added up once for each flush, from figures that are grouped already.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from alonzo.services.cloudwatch.journal import Document

#: Upper bounds of the buckets of durations, in seconds.
DURATION_BOUNDS_S = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
    *(300.0, 900.0),
)
#: Functions that have totals of their own; those met later share one line.
FUNCTIONS_MAX = 2000
OTHER = "_other"


class Name(NamedTuple):
    """Whose totals they are."""

    region: str
    function: str


@dataclass(slots=True)
class FunctionTotals:
    """The totals of one function."""

    invocations: int = 0
    errors: int = 0
    billed_ms: int = 0
    duration_s: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BOUNDS_S) + 1))


class Totals:
    """Totals by function. Use it on one thread."""

    def __init__(self) -> None:
        self.functions: dict[Name, FunctionTotals] = {}
        #: Sums of the figures beside attempts, by metric: throttles, events received, and so on.
        self.figures: dict[tuple[str, Name], float] = defaultdict(float)

    def count(self, document: Document) -> None:
        """Add what one flush has counted."""
        for entry in document.attempts:
            totals = self._of(self._name(entry.region, entry.function))
            totals.invocations += len(entry.durations)
            totals.errors += entry.errors
            totals.billed_ms += entry.billed_ms
            for duration_ms in entry.durations:
                totals.duration_s += duration_ms / 1000
                totals.buckets[bisect_left(DURATION_BOUNDS_S, duration_ms / 1000)] += 1
        for figure in document.figures:
            if figure.function is not None:
                name = self._name(figure.region, figure.function)
                self._of(name)
                amount = sum(value * count for value, count in figure.pairs)
                self.figures[figure.name, name] += amount

    def _name(self, region: str, function: str) -> Name:
        name = Name(region, function)
        if name in self.functions or len(self.functions) < FUNCTIONS_MAX:
            return name
        return Name(region, OTHER)

    def _of(self, name: Name) -> FunctionTotals:
        totals = self.functions.get(name)
        if totals is None:
            totals = self.functions[name] = FunctionTotals()
        return totals
