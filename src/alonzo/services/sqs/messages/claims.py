"""One receive in the store: which messages it takes, and what becomes of the others it meets.

What is older than the retention period is deleted instead, and what has been received too often
goes to the dead-letter queue. Runs inside units of work.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from alonzo.services.sqs.errors import over_limit
from alonzo.services.sqs.messages import limits
from alonzo.services.sqs.messages.dead_letters import bury
from alonzo.services.sqs.messages.fifo import settle_group
from alonzo.services.sqs.messages.receipts import Receipt
from alonzo.services.sqs.messages.records import Numbers, Q, delete_row, with_payload
from alonzo.services.sqs.queue import Queue
from alonzo.store.base import Connection, Row

#: How often a receive looks again because what it met went elsewhere.
_ROUNDS_MAX = 50
#: When to look again for a FIFO queue that has too many messages in flight.
_OVER_LIMIT_MS = 1000


@dataclass(frozen=True, slots=True)
class Ask:
    """What one receive asks for. ``dead_letters`` is where the queue's dead letters go, if any."""

    queue: Queue
    dead_letters: Queue | None
    messages_max: int
    visibility_ms: int
    now_ms: int


@dataclass(slots=True)
class Claim:
    """What it got, in order, and if that is less than it asked for, when there may be more."""

    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    next_ms: int | None = None


class InFlight:
    """How many messages of a queue may still be claimed. Used on the store's writing thread only.

    A number is a lower bound: what was counted once, less what was claimed since. So the messages
    are counted only when it runs out.
    """

    def __init__(self) -> None:
        self._room: dict[int, int] = {}

    def room(self, conn: Connection, queue_id: int, wanted: int, now_ms: int) -> int:
        """How many of those wanted may be claimed."""
        room = self._room.get(queue_id, 0)
        if room < wanted:
            row = conn.one(Q.count_in_flight, {"queue_id": queue_id, "now_ms": now_ms})
            room = limits.IN_FLIGHT_MAX - (row["n"] if row else 0)
            self._room[queue_id] = room
        return max(0, min(room, wanted))

    def claimed(self, queue_id: int, n: int) -> None:
        """Note that so many are in flight now."""
        self._room[queue_id] -= n

    def forget(self, queue_id: int) -> None:
        """A queue is no more."""
        self._room.pop(queue_id, None)


class Claims:
    """Carries out receives."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self.in_flight = InFlight()

    def claim(self, conn: Connection, ask: Ask) -> Claim:
        """Take what may be received.

        Raises:
            AwsError: OverLimit: too many of a standard queue's messages are in flight.
        """
        queue = ask.queue
        room = self.in_flight.room(conn, queue.id, ask.messages_max, ask.now_ms)
        if not room:
            if queue.is_fifo:
                # Source: developer guide, FIFO quotas: no error there.
                return Claim(next_ms=ask.now_ms + _OVER_LIMIT_MS)
            raise over_limit("Too many messages of the queue are in flight.")
        claim = Claim()
        rounds = _ROUNDS_MAX if ask.visibility_ms else 1
        take = self._take_in_order if queue.is_fifo else self._take
        while rounds and len(claim.rows) < room and take(conn, ask, claim, room):
            rounds -= 1
        if not queue.is_fifo:
            claim.rows.sort(key=_by_id)
        self.in_flight.claimed(queue.id, len(claim.rows))
        if len(claim.rows) < ask.messages_max:
            statement = Q.next_ready if queue.is_fifo else Q.next_visible
            row = conn.one(statement, {"queue_id": queue.id})
            claim.next_ms = None if row is None else row["at_ms"]
        return claim

    def claim_again(self, conn: Connection, ask: Ask, receipts: Iterable[Receipt]) -> Claim | None:
        """What an earlier receive got, once more; None: any of it was received again or deleted."""
        claim, until_ms = Claim(), ask.now_ms + ask.visibility_ms
        found: list[Row] = []
        for receipt in receipts:
            row = conn.one(
                Q.find_message,
                {"id": receipt.id, "queue_id": ask.queue.id, "message_id": receipt.message_id},
            )
            if (
                row is None
                or row["receive_count"] != receipt.receive_count
                or row["visible_at_ms"] <= ask.now_ms
            ):
                return None
            found.append(row)
        for row in found:
            again = {"id": row["id"], "until_ms": until_ms}
            full = conn.one(Q.claim_again, again)
            assert full is not None
            claim.rows.append(with_payload(conn, full))
        for row in found:
            settle_group(conn, ask.queue.id, row["group_id"], row["id"])
        return claim

    def _take(self, conn: Connection, ask: Ask, claim: Claim, room: int) -> bool:
        """One look at a standard queue; answers whether another one may find more."""
        wanted = room - len(claim.rows)
        rows = conn.all(
            Q.claim,
            {
                "queue_id": ask.queue.id,
                "now_ms": ask.now_ms,
                "until_ms": ask.now_ms + ask.visibility_ms,
                "limit": wanted,
            },
        )
        kept = self._sort_out(conn, ask, rows)
        claim.rows += kept
        return len(rows) == wanted and len(kept) < wanted

    def _take_in_order(self, conn: Connection, ask: Ask, claim: Claim, room: int) -> bool:
        """One look at a FIFO queue: as much as may be of one group, and then of the next."""
        groups = conn.all(
            Q.ready_groups,
            {
                "queue_id": ask.queue.id,
                "now_ms": ask.now_ms,
                "limit": room - len(claim.rows),
            },
        )
        for group in groups:
            if len(claim.rows) == room:
                break
            self._take_group(conn, ask, claim, room, group["id"])
        return bool(groups)

    def _take_group(
        self, conn: Connection, ask: Ask, claim: Claim, room: int, group_id: int
    ) -> None:
        until_ms = ask.now_ms + ask.visibility_ms
        taken, after_id = False, 0
        for _ in range(_ROUNDS_MAX):
            wanted = room - len(claim.rows)
            rows = conn.all(
                Q.claim_in_group,
                {
                    "group_id": group_id,
                    "after_id": after_id,
                    "now_ms": ask.now_ms,
                    "until_ms": until_ms,
                    "limit": wanted,
                },
            )
            kept = self._sort_out(conn, ask, rows)
            claim.rows += kept
            taken = taken or bool(kept)
            if len(kept) == wanted or len(rows) < wanted:
                break
            after_id = max(map(_by_id, rows))
        if taken:
            conn.execute(Q.set_group_ready_at, {"id": group_id, "ready_at_ms": until_ms})
        else:
            settle_group(conn, ask.queue.id, group_id, 0)

    def _sort_out(self, conn: Connection, ask: Ask, rows: list[Row]) -> list[dict[str, Any]]:
        """Those that are delivered, in order; the others are not in the queue any more."""
        queue, kept = ask.queue, list[dict[str, Any]]()
        oldest_ms = ask.now_ms - queue.retention_s * 1000
        for row in sorted(rows, key=_by_id):
            if row["sent_at_ms"] <= oldest_ms:
                delete_row(conn, row)
            elif (
                queue.redrive is not None
                and ask.dead_letters is not None
                and row["receive_count"] > queue.redrive.receives_max
            ):
                bury(
                    conn,
                    row,
                    source=queue,
                    to=ask.dead_letters,
                    numbers=self._numbers,
                    now_ms=ask.now_ms,
                )
            else:
                kept.append(with_payload(conn, row))
        return kept


def _by_id(row: Row) -> int:
    return row["id"]
