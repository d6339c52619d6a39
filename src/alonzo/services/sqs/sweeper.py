"""Deletes what deleted queues leave, piece by piece.

A queue is gone with its row; nobody can read its messages any more, and a queue made anew under its
name has another id. So this only frees room.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from alonzo.lib.clock import Clock
from alonzo.lib.periodic import every
from alonzo.services.sqs.backlog import Backlog
from alonzo.services.sqs.records import Q
from alonzo.store.base import Connection, Row, Store

log = logging.getLogger("alonzo.sqs")

#: A message may still come to a queue as it is deleted; no request takes as long as this.
_LINGER_S = 120.0
#: Pause between two passes, if nobody nudges.
_PASS_INTERVAL_S = 60.0
#: Deleted queues that one pass looks at.
_QUEUES_MAX = 100


class Sweeper:
    """Frees the room of deleted queues."""

    def __init__(self, store: Store, backlog: Backlog, *, clock: Clock) -> None:
        self._store = store
        self._backlog = backlog
        self._clock = clock
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Have a pass made now."""
        self._nudged.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        await every(
            _PASS_INTERVAL_S,
            self.sweep,
            on_error=partial(log.exception, "sqs.not_swept"),
            nudged=self._nudged,
        )

    async def sweep(self) -> None:
        """One pass over the queues that were deleted first."""
        rows = await self._store.read(
            lambda conn: conn.all(Q.deleted_queues, {"limit": _QUEUES_MAX})
        )
        for row in rows:
            while await self._store.tx(lambda conn, row=row: self._sweep_some(conn, row)):
                pass  # Between two units others get their turn.

    def _sweep_some(self, conn: Connection, row: Row) -> int:
        deleted = self._backlog.delete_some(conn, row["id"])
        if not deleted and row["deleted_at_s"] + _LINGER_S <= self._clock.now_s():
            conn.execute(Q.delete_move_tasks, {"queue_id": row["id"]})
            conn.execute(Q.forget_deleted_queue, {"id": row["id"]})
        return deleted
