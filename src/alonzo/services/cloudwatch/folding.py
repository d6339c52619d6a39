"""The fold: turns the journal into points and usage, in one commit that also deletes it.

    every minute, and before each read:   journal ─▶ points + usage, and those rows are gone

* A row is folded once: the commit that adds its figures deletes it.
* Decoding and adding up is done in a thread; the store's writer gets the sums.
* An account has at most ``METRICS_MAX`` metrics of its own in a region. A value of one more is
  dropped here if it came from a log line; PutMetricData asks first, and refuses it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from alonzo.lib import faults
from alonzo.lib.periodic import every
from alonzo.services.cloudwatch import records
from alonzo.services.cloudwatch.errors import too_many_metrics
from alonzo.services.cloudwatch.journal import Document, PointEntry
from alonzo.services.cloudwatch.lambda_metrics import (
    MINUTE_S,
    UsageFigures,
    UsageKey,
    points_of_attempts,
    points_of_figure,
    usage_of_attempts,
    usage_of_reserved,
)
from alonzo.services.cloudwatch.limits import METRICS_MAX
from alonzo.services.cloudwatch.points import Point
from alonzo.services.cloudwatch.series import Metric, Slot
from alonzo.services.cloudwatch.sink import Q
from alonzo.store.base import Connection, Row, Store

log = logging.getLogger("alonzo.metrics")

#: How long figures wait in the journal while nobody reads them.
FOLD_INTERVAL_S = 60.0
#: Rows read at a time, and points of one commit: it must not hold the store's writer for long.
_ROWS_MAX = 500
_POINTS_MAX = 5000


@dataclass(slots=True)
class _Sums:
    """What some rows of the journal add up to."""

    last_id: int = 0
    points: dict[Slot, Point] = field(default_factory=dict[Slot, Point])
    usage: dict[UsageKey, UsageFigures] = field(default_factory=dict[UsageKey, UsageFigures])


class Folder:
    """Folds. ``settle`` makes durable what has been counted up to now."""

    def __init__(
        self,
        store: Store,
        settle: Callable[[], Awaitable[None]],
        *,
        metrics_max: int = METRICS_MAX,
    ) -> None:
        self._store = store
        self._settle = settle
        self._metrics_max = metrics_max
        self._folding = asyncio.Lock()
        self._metrics: Counter[tuple[str, str]] | None = None

    async def run(self) -> None:
        """Fold until cancelled."""
        await every(
            FOLD_INTERVAL_S,
            self.fold,
            on_error=partial(log.exception, "metrics.not_folded"),
            after_a_period=True,
        )

    async def fold(self) -> None:
        """Return once all that was counted before the call can be read.

        Raises:
            StoreError: the store could not do it; nothing is lost.
        """
        await self._settle()
        async with self._folding:
            if self._metrics is None:
                self._metrics = Counter(await self._store.read(records.count_metrics))
            while rows := await self._store.read(
                lambda conn: conn.all(Q.read_journal, {"limit": _ROWS_MAX})
            ):
                sums = await asyncio.to_thread(_add_up, rows)
                await faults.reach("metrics.before_fold")
                made = await self._store.tx(lambda conn, sums=sums: self._apply(conn, sums))
                await faults.reach("metrics.after_fold")
                self._metrics.update(made)

    async def check_room(self, points: Sequence[PointEntry]) -> None:
        """Refuse points of new metrics of an account that has as many as it may have.

        Raises:
            AwsError: LimitExceeded.
        """
        where = points[0].account, points[0].region
        if self._metrics is None or self._metrics[where] + len(points) <= self._metrics_max:
            return
        new = {point.metric for point in points}
        missing = await self._store.read(
            lambda conn: sum(records.find_metric(conn, metric) is None for metric in new)
        )
        if missing and self._metrics[where] + missing > self._metrics_max:
            raise too_many_metrics(self._metrics_max)

    def forget(self, gone: Counter[tuple[str, str]]) -> None:
        """Metrics are no more, by account and region."""
        if self._metrics is not None:
            self._metrics.subtract(gone)

    def _apply(self, conn: Connection, sums: _Sums) -> Counter[tuple[str, str]]:
        made: Counter[tuple[str, str]] = Counter()
        ids: dict[Metric, int | None] = {}
        dropped = 0
        for slot, point in sums.points.items():
            metric = slot.metric
            if metric not in ids:
                ids[metric] = self._find_or_add(conn, metric, slot.start_s, made)
            metric_id = ids[metric]
            if metric_id is None:
                dropped += 1
            else:
                records.merge_point(conn, metric_id, slot, point)
        records.add_usage(conn, sums.usage.items(), period_s=MINUTE_S)
        conn.execute(Q.trim_journal, {"id": sums.last_id})
        if dropped:
            log.warning("metrics.too_many", extra={"points": dropped})
        return made

    def _find_or_add(
        self, conn: Connection, metric: Metric, start_s: int, made: Counter[tuple[str, str]]
    ) -> int | None:
        found = records.find_metric(conn, metric)
        if found is not None:
            conn.execute(Q.touch_metric, {"id": found, "last_s": start_s})
            return found
        where = metric.account, metric.region
        assert self._metrics is not None
        full = self._metrics[where] + made[where] >= self._metrics_max
        if full and not metric.namespace.startswith("AWS/"):
            return None
        made[where] += 1
        return records.add_metric(conn, metric, last_s=start_s)


def _add_up(rows: Iterable[Row]) -> _Sums:
    """Add up rows of the journal, in order, until it is enough for one commit."""
    sums = _Sums()
    for row in rows:
        document = Document.decode(row["body"])
        for slot, point in _points_of(document):
            known = sums.points.get(slot)
            if known is None:
                sums.points[slot] = point
            else:
                known.merge(point)
        for key, figures in (
            *(usage_of_attempts(entry) for entry in document.attempts),
            *(usage_of_reserved(entry) for entry in document.reserved),
        ):
            known_usage = sums.usage.get(key)
            sums.usage[key] = figures if known_usage is None else known_usage.plus(figures)
        sums.last_id = row["id"]
        if len(sums.points) > _POINTS_MAX:
            break
    return sums


def _points_of(document: Document) -> Iterable[tuple[Slot, Point]]:
    for attempts in document.attempts:
        yield from points_of_attempts(attempts)
    for figure in document.figures:
        yield from points_of_figure(figure)
    for entry in document.points:
        if entry.summary is not None:
            point = Point.of_set(*entry.summary)
        else:
            point = Point.of_values(entry.values, entry.counts)
        yield Slot(entry.metric, entry.unit, entry.period_s, entry.start_s), point
