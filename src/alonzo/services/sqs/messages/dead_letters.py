"""Messages that change their queue: to the dead-letter queue, and back. Runs inside units of work.

To a dead-letter queue a message goes with its id. In a standard one its time of sending stays, in a
FIFO one it is new, as is its place at the end of its group. A message that a task moves back is a
new one in all respects. Source: SQS developer guide, "Setting-up dead-letter queue retention" and
"Configure a dead-letter queue redrive".
"""

from __future__ import annotations

from alonzo.services.sqs.messages.fifo import enter_group
from alonzo.services.sqs.messages.records import Numbers, Q, ring
from alonzo.services.sqs.queue import Queue
from alonzo.store.base import Connection, Row


def bury(
    conn: Connection, row: Row, *, source: Queue, to: Queue, numbers: Numbers, now_ms: int
) -> None:
    """Move a message that has just been claimed once too often."""
    new_id, sent_at_ms = row["id"], row["sent_at_ms"]
    if to.is_fifo:
        new_id, sent_at_ms = numbers.next(conn, now_ms), now_ms
    conn.execute(
        Q.move_message,
        {
            "id": row["id"],
            "new_id": new_id,
            "queue_id": to.id,
            "group_id": _group_in(conn, row, to, sent_at_ms),
            "message_id": row["message_id"],
            "sent_at_ms": sent_at_ms,
            # So that the oldest come first, and the sweeper finds what is too old.
            "visible_at_ms": sent_at_ms,
            "earlier_receives": row["earlier_receives"] + row["receive_count"] - 1,
            "first_received_at_ms": row["first_received_at_ms"],
            "dead_letter_source": source.arn,
        },
    )
    ring(conn, to.id, 1, new_id)


def bring_back(
    conn: Connection, row: Row, *, to: Queue, message_id: str, numbers: Numbers, now_ms: int
) -> None:
    """Move a message out of a dead-letter queue, under a new id."""
    new_id = numbers.next(conn, now_ms)
    conn.execute(
        Q.move_message,
        {
            "id": row["id"],
            "new_id": new_id,
            "queue_id": to.id,
            "group_id": _group_in(conn, row, to, now_ms),
            "message_id": message_id,
            "sent_at_ms": now_ms,
            "visible_at_ms": now_ms,
            "earlier_receives": 0,
            "first_received_at_ms": None,
            "dead_letter_source": None,
        },
    )
    ring(conn, to.id, 1, new_id)


def _group_in(conn: Connection, row: Row, to: Queue, visible_at_ms: int) -> int | None:
    if not to.is_fifo:
        return None
    group = conn.one(Q.group_name, {"id": row["group_id"]})
    assert group is not None
    return enter_group(conn, to.id, group["name"], visible_at_ms)
