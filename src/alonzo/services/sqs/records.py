"""Queues in the store. Runs inside units of work."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from alonzo.services.sqs.attributes import queue_of
from alonzo.services.sqs.queue import Queue, QueueKey
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.services.sqs")

#: Changes of queues are published under this topic, with the id of the queue as key.
CHANGES_TOPIC = "sqs.queues"


def queue_from(row: Row) -> Queue:
    """A queue from a row of ``sqs_queue``."""
    return queue_of(
        row["id"],
        row["revision"],
        QueueKey(row["account"], row["region"], row["name"]),
        created_at_s=row["created_at_s"],
        modified_at_s=row["modified_at_s"],
        attributes=orjson.loads(row["attributes"]),
        tags=orjson.loads(row["tags"]),
    )


def every_queue(conn: Connection) -> list[Queue]:
    """All queues there are."""
    return list(map(queue_from, conn.all(Q.every_queue)))


def try_find(conn: Connection, queue_id: int) -> Queue | None:
    """The queue of that id, or None: it is deleted."""
    row = conn.one(Q.find_queue, {"id": queue_id})
    return None if row is None else queue_from(row)


def try_find_by_key(conn: Connection, key: QueueKey) -> Queue | None:
    """The queue of that name, or None."""
    row = conn.one(
        Q.find_queue_by_name,
        {"account": key.account, "region": key.region, "name": key.name},
    )
    return None if row is None else queue_from(row)


def insert(
    conn: Connection,
    key: QueueKey,
    attributes: Mapping[str, str],
    tags: Mapping[str, str],
    now_s: float,
) -> int:
    """Make a queue; answers its id."""
    queue_id = _next(conn)
    conn.execute(
        Q.insert_queue,
        {
            "id": queue_id,
            "revision": queue_id,
            "account": key.account,
            "region": key.region,
            "name": key.name,
            "now_s": now_s,
            "attributes": _text(attributes),
            "tags": _text(tags),
        },
    )
    return queue_id


def save_attributes(
    conn: Connection, queue_id: int, attributes: Mapping[str, str], now_s: float
) -> None:
    """Replace the attributes that are set."""
    row = {"id": queue_id, "revision": _next(conn), "attributes": _text(attributes)}
    conn.execute(Q.set_attributes, {**row, "now_s": now_s})


def save_tags(conn: Connection, queue_id: int, tags: Mapping[str, str]) -> None:
    """Replace the tags."""
    row = {"id": queue_id, "revision": _next(conn), "tags": _text(tags)}
    conn.execute(Q.set_tags, row)


def delete(conn: Connection, queue_id: int, now_s: float) -> None:
    """Delete a queue; its messages go later, piece by piece."""
    conn.execute(Q.delete_queue, {"id": queue_id})
    conn.execute(Q.insert_deleted_queue, {"id": queue_id, "now_s": now_s})


def _next(conn: Connection) -> int:
    row = conn.one(Q.next_number)
    assert row is not None
    return row["last"]


def _text(members: Mapping[str, str]) -> str:
    return orjson.dumps(members).decode()
