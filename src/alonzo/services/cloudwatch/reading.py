"""Points of one metric, put together by the periods that a question asks for.

Runs inside units of work that read; adding up is in the same thread, off the event loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alonzo.services.cloudwatch.errors import invalid_combination
from alonzo.services.cloudwatch.points import Point
from alonzo.services.cloudwatch.records import find_metric
from alonzo.services.cloudwatch.series import Metric
from alonzo.services.cloudwatch.sink import Q
from alonzo.store.base import Connection

#: Rows that one request reads: all that is kept of a few metrics, or weeks of many.
ROWS_MAX = 500_000


class Budget:
    """The rows that one request may still read: it must not keep a reader of the store for long."""

    def __init__(self, rows: int = ROWS_MAX) -> None:
        self.left = rows

    def spend(self, rows: int) -> None:
        """Count rows.

        Raises:
            AwsError: that is more than one request may read.
        """
        self.left -= rows
        if self.left <= 0:
            raise invalid_combination(
                "The request covers too many values for one answer. Ask for a shorter time, or "
                "for fewer metrics."
            )


@dataclass(frozen=True, slots=True)
class Question:
    """Which points: epoch seconds, the end not included. ``unit`` None: of every unit."""

    metric: Metric
    start_s: int
    end_s: int
    period_s: int
    unit: str | None
    with_distribution: bool


def read_points(
    conn: Connection, question: Question, budget: Budget
) -> dict[tuple[int, str], Point]:
    """The points of each period that has any, by the start of the period and the unit."""
    periods: dict[tuple[int, str], Point] = {}
    for start_s, unit, point in _stored(conn, question, budget):
        at = start_s - (start_s - question.start_s) % question.period_s
        known = periods.get((at, unit))
        if known is None:
            periods[at, unit] = point
        else:
            known.merge(point)
    return periods


def read_points_of_all_units(
    conn: Connection, question: Question, budget: Budget
) -> dict[int, Point]:
    """The same, with all units added up."""
    periods: dict[int, Point] = {}
    for (at, _), point in read_points(conn, question, budget).items():
        if at in periods:
            periods[at].merge(point)
        else:
            periods[at] = point
    return periods


def _stored(
    conn: Connection, question: Question, budget: Budget
) -> Iterator[tuple[int, str, Point]]:
    metric_id = find_metric(conn, question.metric)
    if metric_id is None:
        return
    statement = Q.points if question.with_distribution else Q.points_without_distribution
    rows = conn.all(
        statement,
        {
            "metric_id": metric_id,
            "start_s": question.start_s,
            "end_s": question.end_s,
            "period_s": question.period_s,
            "limit": budget.left,
        },
    )
    budget.spend(len(rows))
    for row in rows:
        if question.unit in (None, row["unit"]):
            yield row["start_s"], row["unit"], Point.of_row(row)
