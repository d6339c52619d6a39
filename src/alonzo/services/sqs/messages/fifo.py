"""FIFO queues in the store: message groups, deduplication, claims in order. Runs inside units.

A group is blocked while any of its messages is in flight, or its first one is delayed. That is kept
as one moment, ``ready_at_ms``, in a row per group; so a receive finds groups that are ready in an
index, however long the backlog is. Those of a group that have been received and not deleted are its
first ones, ten at most: a receive takes no more, and takes none behind one that it leaves.
"""

from __future__ import annotations

from collections.abc import Sequence

from alonzo.services.sqs.messages import limits
from alonzo.services.sqs.messages.entries import NewMessage
from alonzo.services.sqs.messages.records import Numbers, Q, insert, ring
from alonzo.services.sqs.queue import Queue
from alonzo.store.base import Connection


def send(
    conn: Connection, queue: Queue, messages: Sequence[NewMessage], numbers: Numbers, now_ms: int
) -> list[tuple[str, int]]:
    """Store what is no duplicate. Answers each message's id and row id: a duplicate's first's."""
    answers: list[tuple[str, int]] = []
    rows: list[tuple[int, NewMessage, int | None]] = []
    for message in messages:
        assert message.group is not None
        key = {
            "queue_id": queue.id,
            "scope": message.group if queue.deduplication_scope == "messageGroup" else "",
            "deduplication_id": message.deduplication_id,
        }
        first = conn.one(Q.find_duplicate, {**key, "now_ms": now_ms})
        if first is not None:
            answers.append((first["message_id"], first["sequence"]))
            continue
        row_id = numbers.next(conn, now_ms)
        known = {
            "message_id": message.message_id,
            "sequence": row_id,
            "expires_at_ms": now_ms + limits.DEDUPLICATION_MS,
        }
        conn.execute(Q.remember, key | known)
        group_id = enter_group(conn, queue.id, message.group, now_ms + message.delay_ms)
        rows.append((row_id, message, group_id))
        answers.append((message.message_id, row_id))
    if rows:
        insert(conn, rows, queue.id, now_ms)
        ring(conn, queue.id, len(rows), rows[0][0])
    return answers


def enter_group(conn: Connection, queue_id: int, name: str, visible_at_ms: int) -> int:
    """The id of a group, for a message that becomes its last, and perhaps its first."""
    group = conn.one(Q.find_group, {"queue_id": queue_id, "name": name})
    if group is None:
        group = conn.one(
            Q.insert_group, {"queue_id": queue_id, "name": name, "ready_at_ms": visible_at_ms}
        )
        assert group is not None
    return group["id"]


def settle_group(conn: Connection, queue_id: int, group_id: int, row_id: int) -> None:
    """Work out anew when a group is ready, after one of its messages went or changed.

    ``row_id`` is that message's. Receives hear of it if the moment is another one.
    """
    front = conn.all(Q.front_of_group, {"group_id": group_id, "limit": limits.BATCH_MAX})
    if not front:
        conn.execute(Q.delete_group, {"id": group_id})
        return
    ready_at_ms = max(
        row["visible_at_ms"] for at, row in enumerate(front) if at == 0 or row["receive_count"]
    )
    if conn.execute(Q.set_group_ready_at, {"id": group_id, "ready_at_ms": ready_at_ms}):
        ring(conn, queue_id, limits.BATCH_MAX, row_id)
