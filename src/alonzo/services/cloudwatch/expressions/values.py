"""The values of metric math: numbers, series, and lists of series. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from alonzo.services.cloudwatch.expressions.parser import ExpressionError


@dataclass(slots=True)
class Series:
    """Values by the epoch seconds at which their periods begin.

    ``label`` is of the metric, or of the query, that it came from.
    """

    period_s: int
    label: str = ""
    values: dict[int, float] = field(default_factory=dict[int, float])

    def map(self, change: Callable[[float], float | None]) -> Series:
        """Each value changed; one that becomes None is left out."""
        changed = {at: change(value) for at, value in self.values.items()}
        kept = {at: value for at, value in changed.items() if value is not None}
        return Series(self.period_s, self.label, kept)


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is asked about: epoch seconds, the end not included."""

    start_s: int
    end_s: int

    def grid(self, period_s: int) -> range:
        """Where periods begin."""
        return range(self.start_s, self.end_s, period_s)


Value: TypeAlias = float | Series | list[Series]


def as_series(value: Value, what: str) -> Series:
    """A single series.

    Raises:
        ExpressionError: it is something else; ``what`` is told to the client.
    """
    if isinstance(value, Series):
        return value
    if isinstance(value, list) and len(value) == 1:
        return value[0]
    raise ExpressionError(f"{what} takes one time series")


def as_number(value: Value, what: str) -> float:
    """A number.

    Raises:
        ExpressionError: it is something else.
    """
    if isinstance(value, int | float):
        return value
    raise ExpressionError(f"{what} takes a number here")
