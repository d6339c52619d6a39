"""The reaper: deletes chunks whose every event is older than its group's retention."""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial

from alonzo.lib.clock import Clock
from alonzo.lib.periodic import every
from alonzo.services.logs.records import DELETED_CHUNKS_MAX, Q
from alonzo.services.logs.rules import expiry_cutoff_ms
from alonzo.store.base import Connection, Store

log = logging.getLogger("alonzo.logs")

#: Pause between two passes. Reads hide expired events at once, so this only frees room.
PASS_INTERVAL_S = 300.0


class Reaper:
    """Frees the room of expired events. Reads do not wait for it: they hide what has expired."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        """Reap until cancelled."""
        await every(
            PASS_INTERVAL_S,
            self.reap,
            on_error=partial(log.exception, "logs.not_reaped"),
        )

    async def reap(self) -> int:
        """One pass over all groups; answers how many chunks it deleted.

        Deletes a bounded number in each unit of work, so that writers get their turn.
        """
        groups = await self._store.read(lambda conn: conn.all(Q.groups_with_retention))
        deleted = 0
        for group in groups:
            while True:
                count = await self._store.tx(
                    lambda conn, group_id=group["id"]: self._delete_some(conn, group_id)
                )
                deleted += count
                if count < DELETED_CHUNKS_MAX:
                    break
        return deleted

    def _delete_some(self, conn: Connection, group_id: int) -> int:
        # Read again here: the policy may have changed since the pass began.
        policy = conn.one(Q.retention_of_group, {"group_id": group_id})
        if policy is None or policy["retention_days"] is None:
            return 0
        cutoff_ms = expiry_cutoff_ms(
            policy["retention_days"], now_ms=int(self._clock.now_s() * 1000)
        )
        chunks = conn.all(
            Q.expired_chunks,
            {"group_id": group_id, "cutoff_ms": cutoff_ms, "limit": DELETED_CHUNKS_MAX},
        )
        freed: Counter[int] = Counter()
        for chunk in chunks:
            freed[chunk["stream_id"]] += chunk["bytes"]
        conn.execute_many(Q.delete_chunk, [{"id": chunk["id"]} for chunk in chunks])
        conn.execute(Q.grow_group, {"group_id": group_id, "bytes": -freed.total()})
        conn.execute_many(
            Q.shrink_stream,
            [{"stream_id": stream_id, "bytes": size} for stream_id, size in freed.items()],
        )
        return len(chunks)
