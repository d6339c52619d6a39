"""Messages in the store: the statements that both kinds of queue share. Runs inside units of work.

``Numbers`` hands out the ids of rows, which say in which order messages were sent. It is used on
the store's one writing thread only, so ids are given in the order of the commits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from alonzo.services.sqs.messages import limits
from alonzo.services.sqs.messages.entries import NewMessage
from alonzo.services.sqs.messages.receipts import Receipt
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.services.sqs.messages")

#: Says of a queue that messages may be received; see ``ring``.
TOPIC = "sqs.messages"

#: A body and its attributes up to here are in the message's own row: a row with more would not
#: fit into a page of the database, and be written again with each receive.
_INLINE_BYTES_MAX = 2000

_PARAMETER = re.compile(r":([a-z_]+)")
#: Added to a row's id it gives a number of 20 digits, as AWS's sequence numbers have.
_SEQUENCE_BASE = 188 * 10**17


class Numbers:
    """Ids that grow: microseconds of the time of sending, or the last one and one."""

    def __init__(self) -> None:
        self._last: int | None = None

    def next(self, conn: Connection, now_ms: int) -> int:
        """The next id, greater than all before it."""
        last = self._last
        if last is None:
            row = conn.one(Q.greatest_id)
            last = int(row["id"] or 0) if row is not None else 0
        self._last = max(last + 1, now_ms * 1000)
        return self._last


def sequence_number(row_id: int) -> str:
    """A FIFO message's SequenceNumber."""
    return str(_SEQUENCE_BASE + row_id)


def ring(conn: Connection, queue_id: int, n: int, row_id: int) -> None:
    """Have receives of the queue look again, once this is committed.

    ``n`` is how many messages there may be more. The row's id makes each call a word of its own:
    what is told twice with one commit would be heard once.
    """
    conn.publish(TOPIC, f"{queue_id} {n} {row_id}")


def insert(
    conn: Connection, rows: Sequence[tuple[int, NewMessage, int | None]], queue_id: int, now_ms: int
) -> None:
    """Store messages, each with the id of its row and of its group."""
    parameters: dict[str, Any] = {}
    for at, (row_id, message, group_id) in enumerate(rows):
        body: str | None = message.body
        document: bytes | None = message.document
        payload_id = None
        if message.n_bytes + len(message.document) > _INLINE_BYTES_MAX:
            payload_id = row_id
            conn.execute(Q.insert_payload, {"id": row_id, "body": body, "attributes": document})
            body = document = None
        values = (
            row_id,
            queue_id,
            group_id,
            message.message_id,
            now_ms,
            now_ms + message.delay_ms,
            payload_id,
            body,
            document,
        )
        parameters.update(zip(_INSERTED[at], values, strict=True))
    conn.execute(_INSERTS[len(rows)], parameters)


def with_payload(conn: Connection, row: Row) -> dict[str, Any]:
    """A claimed row with its body and document, wherever they are."""
    full = dict(row)
    if row["payload_id"] is not None:
        payload = conn.one(Q.find_payload, {"id": row["payload_id"]})
        assert payload is not None
        full |= payload
    return full


def delete_payloads(conn: Connection, rows: Iterable[Row]) -> None:
    """Forget what deleted rows kept elsewhere."""
    large = [{"id": row["payload_id"]} for row in rows if row["payload_id"] is not None]
    if large:
        conn.execute_many(Q.delete_payload, large)


def delete_row(conn: Connection, row: Row) -> None:
    """Forget one message that has been read."""
    conn.execute(Q.delete_message, {"id": row["id"]})
    delete_payloads(conn, [row])


def delete_by_receipts(conn: Connection, queue_id: int, receipts: Sequence[Receipt]) -> None:
    """Delete messages of a standard queue, if they are still there."""
    parameters: dict[str, Any] = {"queue_id": queue_id}
    for at in range(limits.BATCH_MAX):
        receipt = receipts[at] if at < len(receipts) else None
        parameters[f"id_{at}"] = receipt and receipt.id
        parameters[f"message_id_{at}"] = receipt and receipt.message_id
    delete_payloads(conn, conn.all(Q.delete_messages, parameters))


def find(conn: Connection, receipt: Receipt) -> Row | None:
    """The message that a handle is for, or None: it is deleted, or in another queue."""
    return conn.one(
        Q.find_message,
        {"id": receipt.id, "queue_id": receipt.queue_id, "message_id": receipt.message_id},
    )


def _widened(statement: str, rows: int) -> str:
    """An INSERT of one row, for several."""
    head, values = statement.split("VALUES")
    return f"{head}VALUES" + ",".join(
        _PARAMETER.sub(lambda name, at=at: f":{name[1]}_{at}", values) for at in range(rows)
    )


#: The parameters of each row of a batch, in the order in which ``insert`` gives them.
_INSERTED = [
    tuple(
        f"{name}_{at}"
        for name in (
            "id",
            "queue_id",
            "group_id",
            "message_id",
            "sent_at_ms",
            "visible_at_ms",
            "payload_id",
            "body",
            "attributes",
        )
    )
    for at in range(limits.BATCH_MAX)
]
_INSERTS = [_widened(Q.insert_message, rows) for rows in range(limits.BATCH_MAX + 1)]
