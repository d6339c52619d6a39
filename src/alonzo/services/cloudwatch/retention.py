"""The reaper: old points become fewer and coarser, and end at last; usage only becomes coarser.

Points of a second become those of a minute after 3 hours, of five minutes after 15 days, of an hour
after 63 days, and end after 455 days. Usage by the minute is kept by the hour after 15 days, and by
the day after 455. Source of the first: CloudWatch user guide, metrics retention.
"""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial

from alonzo.lib.clock import Clock
from alonzo.lib.periodic import every
from alonzo.services.cloudwatch import records
from alonzo.services.cloudwatch.folding import Folder
from alonzo.services.cloudwatch.lambda_metrics import UsageFigures, UsageKey
from alonzo.services.cloudwatch.limits import DAY_S, RETENTION_S
from alonzo.services.cloudwatch.points import Point
from alonzo.services.cloudwatch.series import start_of
from alonzo.services.cloudwatch.sink import Q
from alonzo.store.base import Connection, Store

log = logging.getLogger("alonzo.metrics")

#: Pause between two passes.
PASS_INTERVAL_S = 300.0
#: Rows that one unit of work moves, so that other writers get their turn.
_ROWS_MAX = 500

#: What points of each grain become.
_COARSER_S = {1: 60, 60: 300, 300: 3600, 3600: None}
#: The same of usage: the grain, after how long, and what it becomes.
_USAGE = ((60, 15 * DAY_S, 3600), (3600, 455 * DAY_S, DAY_S))


class Reaper:
    """Keeps what is stored of the past bounded."""

    def __init__(self, store: Store, folder: Folder, clock: Clock) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock

    async def run(self) -> None:
        """Reap until cancelled."""
        await every(
            PASS_INTERVAL_S,
            self.reap,
            on_error=partial(log.exception, "metrics.not_reaped"),
        )

    async def reap(self) -> None:
        """One pass over everything that is old enough."""
        now_s = int(self._clock.now_s())
        for period_s, kept_s in RETENTION_S.items():
            # Only whole periods of the coarser grain move, so that no point is split.
            coarser_s = _COARSER_S[period_s]
            before_s = start_of(now_s - kept_s, coarser_s or period_s)
            while await self._store.tx(
                lambda conn, period_s=period_s, before_s=before_s: _coarsen(
                    conn, period_s, before_s
                )
            ):
                pass
        for period_s, kept_s, coarser_s in _USAGE:
            before_s = start_of(now_s - kept_s, coarser_s)
            while await self._store.tx(
                lambda conn, given=(period_s, before_s, coarser_s): _coarsen_usage(conn, *given)
            ):
                pass
        silent_s = now_s - RETENTION_S[3600]
        while gone := await self._store.tx(lambda conn: _delete_silent(conn, silent_s)):
            self._folder.forget(gone)


def _coarsen(conn: Connection, period_s: int, before_s: int) -> bool:
    """Move some points to the next grain; whether there may be more."""
    coarser_s = _COARSER_S[period_s]
    rows = conn.all(
        Q.points_of_age, {"period_s": period_s, "before_s": before_s, "limit": _ROWS_MAX}
    )
    for row in rows:
        key = {"metric_id": row["metric_id"], "start_s": row["start_s"], "unit": row["unit"]}
        if coarser_s is not None:
            start_s = start_of(row["start_s"], coarser_s)
            point = Point.of_row(row)
            records.merge_into(conn, row["metric_id"], start_s, coarser_s, row["unit"], point)
        conn.execute(Q.delete_point, {**key, "period_s": period_s})
    return len(rows) == _ROWS_MAX


def _coarsen_usage(conn: Connection, period_s: int, before_s: int, coarser_s: int) -> bool:
    rows = conn.all(
        Q.usage_of_age, {"period_s": period_s, "before_s": before_s, "limit": _ROWS_MAX}
    )
    for row in rows:
        columns = dict(row)
        key = UsageKey(**{name: columns[name] for name in UsageKey._fields})
        figures = UsageFigures(**{name: columns[name] for name in UsageFigures._fields})
        coarser = key._replace(start_s=start_of(key.start_s, coarser_s))
        records.add_usage(conn, [(coarser, figures)], period_s=coarser_s)
        conn.execute(
            Q.delete_usage,
            {**key._asdict(), "provisioned": int(key.provisioned), "period_s": period_s},
        )
    return len(rows) == _ROWS_MAX


def _delete_silent(conn: Connection, before_s: int) -> Counter[tuple[str, str]]:
    """Forget metrics that have no points any more."""
    rows = conn.all(Q.silent_metrics, {"before_s": before_s, "limit": _ROWS_MAX})
    for row in rows:
        conn.execute(Q.delete_metric, {"id": row["id"]})
    return Counter((row["account"], row["region"]) for row in rows)
