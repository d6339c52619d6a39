"""The messages of all queues: what the operations share, and what the queues' half needs of them.

``Messages`` implements ``backlog.Backlog``. Its ``run`` deletes what is too old, and ``end_waits``
is for when the platform stops.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.periodic import every
from alonzo.services.sqs.backlog import Counts
from alonzo.services.sqs.bodies import Bodies
from alonzo.services.sqs.directory import Directory
from alonzo.services.sqs.messages.claims import Claims
from alonzo.services.sqs.messages.counting import Counting
from alonzo.services.sqs.messages.dead_letters import bring_back
from alonzo.services.sqs.messages.fifo import settle_group
from alonzo.services.sqs.messages.records import Numbers, Q, delete_payloads
from alonzo.services.sqs.messages.waiting import Waiting
from alonzo.services.sqs.queue import Queue
from alonzo.store.base import Connection, Row, Store

log = logging.getLogger("alonzo.sqs")

#: Between two looks for what is too old.
SWEEP_INTERVAL_S = 30.0
#: Messages that one unit of work deletes; others wait that long.
_CHUNK = 500
#: No id is greater.
_AFTER_ALL = (1 << 63) - 1


class Messages:
    """The messages in a store."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        *,
        clock: Clock,
        ids: IdSource,
        bodies: Bodies | None = None,
    ) -> None:
        """Without ``bodies`` no queue may name a key of KMS."""
        self.bodies = bodies
        self.store = store
        self.directory = directory
        self.clock = clock
        self.ids = ids
        self.numbers = Numbers()
        self.claims = Claims(self.numbers)
        self.waiting = Waiting(store, clock)
        self._counting = Counting(store, clock)

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self.clock.now_s() * 1000)

    async def counts(self, queue: Queue, *, exactly: bool = False) -> Counts:
        """Count a queue's messages: of long queues as of a moment ago, unless ``exactly``."""
        return await self._counting.of(queue.id, self.now_ms(), exactly=exactly)

    async def purge(self, queue: Queue) -> None:
        """Delete every message that was sent before the call."""
        before_id = await self.store.tx(lambda conn: self.numbers.next(conn, self.now_ms()))
        scope = {"queue_id": queue.id, "before_id": before_id}
        await self._in_chunks(lambda conn: _delete(conn, Q.delete_sent_before, scope))
        self._counting.forget(queue.id)

    def delete_some(self, conn: Connection, queue_id: int) -> int:
        """Delete a part of what a deleted queue leaves; 0: nothing is left."""
        self.claims.in_flight.forget(queue_id)
        scope = {"queue_id": queue_id, "before_id": _AFTER_ALL}
        return _delete(conn, Q.delete_sent_before, scope)

    def move_some(
        self, conn: Connection, source: Queue, to: Queue | None, limit: int
    ) -> tuple[int, bool]:
        """Move some of a queue's messages that may be received, the oldest first.

        ``to`` None: each goes to the queue that it came from. Answers how many were moved, and
        whether the first that was not came from no queue that there is.
        """
        now_ms, moved = self.now_ms(), 0
        while moved < limit:
            found = _movable(conn, source, now_ms, min(limit - moved, _CHUNK))
            for row in found:
                target = to or self._origin(row)
                if target is None or target.is_fifo != source.is_fifo:
                    _settle_groups(conn, source.id, found)
                    return moved, True
                bring_back(
                    conn,
                    row,
                    to=target,
                    message_id=self.ids.uuid(),
                    numbers=self.numbers,
                    now_ms=now_ms,
                )
                moved += 1
            _settle_groups(conn, source.id, found)
            if not found:
                break
        return moved, False

    async def run(self) -> None:
        """Delete what is too old, until cancelled."""
        await every(SWEEP_INTERVAL_S, self.sweep, on_error=partial(log.exception, "sqs.not_swept"))

    async def sweep(self) -> None:
        """Delete messages past their retention, and deduplication ids past their window.

        What is kept in memory of queues that are gone goes too.

        What has been received is deleted a retention period after it became visible again; but no
        receive returns it.
        """
        now_ms = self.now_ms()
        self.waiting.keep_only({queue.id for queue in self.directory.every()})
        ends = {queue.id: now_ms - queue.retention_s * 1000 for queue in self.directory.every()}

        def overdue(conn: Connection) -> list[int]:
            first = {each: conn.one(Q.next_visible, {"queue_id": each}) for each in ends}
            return [each for each, row in first.items() if row and row["at_ms"] <= ends[each]]

        for queue_id in await self.store.read(overdue):
            scope = {"queue_id": queue_id, "until_ms": ends[queue_id]}
            await self._in_chunks(lambda conn, scope=scope: _delete(conn, Q.delete_oldest, scope))
        await self._in_chunks(lambda conn: _forget_old(conn, now_ms))

    def end_waits(self) -> None:
        """Answer the receives that wait, with what they have: the platform stops."""
        self.waiting.end_waits()

    def close(self) -> None:
        """Stop listening to the store."""
        self.waiting.close()

    def dead_letters_nowait(self, queue: Queue) -> Queue | None:
        """Where a queue's dead letters go, or None: nowhere, or there is no such queue now."""
        if queue.redrive is None:
            return None
        target = self.directory.of_arn_nowait(queue.redrive.dead_letter_arn)
        return target if target is not None and target.is_fifo == queue.is_fifo else None

    def _origin(self, row: Row) -> Queue | None:
        source = row["dead_letter_source"]
        return None if source is None else self.directory.of_arn_nowait(source)

    async def _in_chunks(self, work: Callable[[Connection], int]) -> None:
        while await self.store.tx(work) >= _CHUNK:
            pass


def _delete(conn: Connection, statement: str, scope: dict[str, int]) -> int:
    rows = conn.all(statement, {**scope, "limit": _CHUNK})
    delete_payloads(conn, rows)
    _settle_groups(conn, scope["queue_id"], rows)
    return len(rows)


def _forget_old(conn: Connection, now_ms: int) -> int:
    nth = conn.one(Q.nth_expiry, {"now_ms": now_ms, "offset": _CHUNK - 1})
    return conn.execute(Q.forget_old, {"until_ms": now_ms if nth is None else nth["until_ms"]})


def _movable(conn: Connection, source: Queue, now_ms: int, limit: int) -> list[Row]:
    scope = {"queue_id": source.id, "now_ms": now_ms, "limit": limit}
    if not source.is_fifo:
        return conn.all(Q.movable_messages, scope)
    group = conn.one(Q.movable_group, scope)
    if group is None:
        return []
    return conn.all(Q.movable_in_group, {**scope, "group_id": group["group_id"]})


def _settle_groups(conn: Connection, queue_id: int, rows: list[Row]) -> None:
    for group_id in {row["group_id"] for row in rows} - {None}:
        settle_group(conn, queue_id, group_id, 0)
