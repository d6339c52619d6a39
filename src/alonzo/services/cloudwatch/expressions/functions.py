"""The functions of metric math, by name. Pure.

Source: CloudWatch user guide, metric math, functions supported.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

from alonzo.services.cloudwatch.expressions.parser import ExpressionError
from alonzo.services.cloudwatch.expressions.values import (
    Series,
    Span,
    Value,
    as_number,
    as_series,
)

#: Functions of AWS that are not here, and why.
REFUSED: Mapping[str, str] = {
    "SEARCH": "name the metrics, or list them with ListMetrics",
    "ANOMALY_DETECTION_BAND": "there are no anomaly models here",
    "DB_PERF_INSIGHTS": "there are no databases here",
    "INSIGHT_RULE_METRIC": "there is no Contributor Insights here",
    "LAMBDA": "connectors to other data sources are not built",
    "SELECT": "Metrics Insights queries are not built",
    "SERVICE_QUOTA": "there are no usage metrics of quotas here",
} | dict.fromkeys(
    ("DAY", "EPOCH", "HOUR", "MINUTE", "MONTH", "YEAR", "SLICE", "SORT", "EXTENT"),
    "it is not built",
)

Function = Callable[[list[Value], Span], Value]


def _each(change: Callable[[float], float | None], name: str) -> Function:
    """A function of every value."""

    def apply(arguments: list[Value], _: Span) -> Value:
        (value,) = exactly(arguments, 1, name)
        if isinstance(value, Series):
            return value.map(change)
        if isinstance(value, list):
            return [series.map(change) for series in value]
        changed = change(value)
        if changed is None:
            raise ExpressionError(f"{name} of {value} is no number")
        return changed

    return apply


def _fold(combine: Callable[[list[float]], float], name: str) -> Function:
    """A number from one series, or one series from many, time by time."""

    def apply(arguments: list[Value], _: Span) -> Value:
        (value,) = exactly(arguments, 1, name)
        if isinstance(value, Series):
            if not value.values:
                raise NoDataError
            return float(combine(list(value.values.values())))
        if isinstance(value, int | float):
            return float(combine([value]))
        if not value:
            return []
        by_time: dict[int, list[float]] = {}
        for series in value:
            for at, each in series.values.items():
                by_time.setdefault(at, []).append(each)
        combined = {at: float(combine(values)) for at, values in by_time.items()}
        return Series(one_period(value), name, combined)

    return apply


class NoDataError(Exception):
    """A number was to be made of a series without values: there is no answer, and no error."""


def exactly(arguments: list[Value], count: int, name: str) -> list[Value]:
    """The arguments, if there are so many."""
    if len(arguments) != count:
        raise ExpressionError(f"{name} takes {count} argument{'s' if count > 1 else ''}")
    return arguments


def one_period(many: Iterable[Series]) -> int:
    """The period that the series have in common.

    Raises:
        ExpressionError: they have different ones.
    """
    periods = {series.period_s for series in many}
    if len(periods) != 1:
        raise ExpressionError("metrics of different periods cannot be used together")
    return periods.pop()


def _log(base: Callable[[float], float]) -> Callable[[float], float | None]:
    return lambda value: base(value) if value > 0 else None


def fill(series: Series, filler: Value | str, span: Span) -> Series:
    """A series without gaps: ``filler`` is ``REPEAT``, ``LINEAR`` or a number for each gap."""
    known = sorted(series.values)
    filled: dict[int, float] = {}
    for at in span.grid(series.period_s):
        value = series.values.get(at)
        if value is None:
            value = _filler(series, known, filler, at)
        if value is not None:
            filled[at] = value
    return Series(series.period_s, series.label, filled)


def _filler(series: Series, known: list[int], filler: Value | str, at: int) -> float | None:
    if isinstance(filler, int | float):
        return filler
    if isinstance(filler, Series):
        return filler.values.get(at)
    after = bisect_left(known, at)
    if after == 0:
        return None
    before_s = known[after - 1]
    if filler == "REPEAT":
        return series.values[before_s]
    if after == len(known):
        return None
    share = (at - before_s) / (known[after] - before_s)
    low, high = series.values[before_s], series.values[known[after]]
    return low + (high - low) * share


def _steps(change: Callable[[float, int], float], name: str) -> Function:
    """A function of each value's difference to the one before it, and of the seconds between."""

    def apply(arguments: list[Value], _: Span) -> Value:
        series = as_series(exactly(arguments, 1, name)[0], name)
        points = sorted(series.values.items())
        changed = {
            at: change(value - before, at - before_s)
            for (before_s, before), (at, value) in pairwise(points)
        }
        return Series(series.period_s, series.label, changed)

    return apply


def _running_sum(arguments: list[Value], _: Span) -> Value:
    series = as_series(exactly(arguments, 1, "RUNNING_SUM")[0], "RUNNING_SUM")
    total = 0.0
    summed: dict[int, float] = {}
    for at, value in sorted(series.values.items()):
        total += value
        summed[at] = total
    return Series(series.period_s, series.label, summed)


def _period(arguments: list[Value], _: Span) -> Value:
    return float(as_series(exactly(arguments, 1, "PERIOD")[0], "PERIOD").period_s)


def _datapoint_count(arguments: list[Value], _: Span) -> Value:
    (value,) = exactly(arguments, 1, "DATAPOINT_COUNT")
    return float(len(as_series(value, "DATAPOINT_COUNT").values))


def _metric_count(arguments: list[Value], _: Span) -> Value:
    (value,) = exactly(arguments, 1, "METRIC_COUNT")
    return float(len(value)) if isinstance(value, list) else 1.0


def _remove_empty(arguments: list[Value], _: Span) -> Value:
    (value,) = exactly(arguments, 1, "REMOVE_EMPTY")
    many = value if isinstance(value, list) else [as_series(value, "REMOVE_EMPTY")]
    return [series for series in many if series.values]


def choose(condition: Value, yes: Value, no: Value | None) -> Value:
    """``IF``: each value of ``yes`` where the condition is not zero, of ``no`` elsewhere."""
    if isinstance(condition, int | float):
        chosen = yes if condition else no
        if chosen is None:
            raise NoDataError
        return chosen
    marks = as_series(condition, "IF")
    picked: dict[int, float] = {}
    for at, mark in marks.values.items():
        source = yes if mark else no
        value = source
        if isinstance(source, Series):
            value = source.values.get(at)
        if value is not None:
            picked[at] = as_number(value, "IF")
    return Series(marks.period_s, marks.label, picked)


def _if(arguments: list[Value], _: Span) -> Value:
    if len(arguments) not in (2, 3):
        raise ExpressionError("IF takes 2 or 3 arguments")
    return choose(arguments[0], arguments[1], arguments[2] if len(arguments) == 3 else None)


FUNCTIONS: Mapping[str, Function] = {
    "ABS": _each(abs, "ABS"),
    "AVG": _fold(statistics.fmean, "AVG"),
    "CEIL": _each(lambda value: float(math.ceil(value)), "CEIL"),
    "DATAPOINT_COUNT": _datapoint_count,
    "DIFF": _steps(lambda difference, _: difference, "DIFF"),
    "DIFF_TIME": _steps(lambda _, seconds: float(seconds), "DIFF_TIME"),
    "FLOOR": _each(lambda value: float(math.floor(value)), "FLOOR"),
    "IF": _if,
    "LOG": _each(_log(math.log), "LOG"),
    "LOG10": _each(_log(math.log10), "LOG10"),
    "MAX": _fold(max, "MAX"),
    "METRIC_COUNT": _metric_count,
    "MIN": _fold(min, "MIN"),
    "PERIOD": _period,
    "RATE": _steps(lambda difference, seconds: difference / seconds, "RATE"),
    "REMOVE_EMPTY": _remove_empty,
    "RUNNING_SUM": _running_sum,
    "STDDEV": _fold(statistics.pstdev, "STDDEV"),
    "SUM": _fold(math.fsum, "SUM"),
}
