"""Points, metrics and usage in the store. Runs inside units of work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alonzo.services.cloudwatch.lambda_metrics import UsageFigures, UsageKey
from alonzo.services.cloudwatch.points import Point
from alonzo.services.cloudwatch.series import Metric, Slot
from alonzo.services.cloudwatch.sink import Q
from alonzo.store.base import Connection


def find_metric(conn: Connection, metric: Metric) -> int | None:
    """The id of a metric, or None if it has never had a value."""
    row = conn.one(Q.find_metric, _columns(metric))
    return None if row is None else row["id"]


def add_metric(conn: Connection, metric: Metric, *, last_s: int) -> int:
    """Make a metric that there is not; answers its id."""
    row = conn.one(Q.add_metric, {**_columns(metric), "last_s": last_s})
    assert row is not None
    return row["id"]


def _columns(metric: Metric) -> dict[str, str]:
    return {
        "account": metric.account,
        "region": metric.region,
        "namespace": metric.namespace,
        "name": metric.name,
        "dimensions": metric.stored_dimensions,
    }


def merge_point(conn: Connection, metric_id: int, slot: Slot, point: Point) -> None:
    """Add a point to what is stored of its period."""
    merge_into(conn, metric_id, slot.start_s, slot.period_s, slot.unit, point)


def merge_into(
    conn: Connection, metric_id: int, start_s: int, period_s: int, unit: str, point: Point
) -> None:
    """The same, by the columns of the point."""
    key = {"metric_id": metric_id, "start_s": start_s, "period_s": period_s, "unit": unit}
    row = conn.one(Q.find_point, key)
    if row is not None:
        stored = Point.of_row(row)
        stored.merge(point)
        point = stored
    figures = {
        "samples": point.count,
        "total": point.total,
        "low": point.low,
        "high": point.high,
        "distribution": point.stored_distribution(),
    }
    conn.execute(Q.put_point, {**key, **figures})


def add_usage(
    conn: Connection, usage: Iterable[tuple[UsageKey, UsageFigures]], *, period_s: int
) -> None:
    """Add to what functions used."""
    conn.execute_many(
        Q.add_usage,
        [
            {
                **key._asdict(),
                "provisioned": int(key.provisioned),
                **figures._asdict(),
                "period_s": period_s,
            }
            for key, figures in usage
        ],
    )


def count_metrics(conn: Connection) -> Mapping[tuple[str, str], int]:
    """How many metrics there are, by account and region."""
    rows = conn.all(Q.count_metrics)
    return {(row["account"], row["region"]): row["metrics"] for row in rows}
