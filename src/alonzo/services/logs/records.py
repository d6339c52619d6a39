"""Log groups and streams in the store: find, make, append. Runs inside units of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from alonzo.services.logs.chunks import Chunk
from alonzo.services.logs.errors import group_not_found, stream_not_found
from alonzo.services.logs.rules import GroupKey
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.services.logs")

#: Chunks that one unit of work deletes, so that it does not hold the writer for long.
DELETED_CHUNKS_MAX = 500


@dataclass(frozen=True, slots=True)
class Group:
    """One log group as stored. ``document`` holds tags, class and deletion protection."""

    id: int
    name: str
    created_ms: int
    retention_days: int | None
    stored_bytes: int
    document: dict[str, Any]

    @property
    def tags(self) -> dict[str, str]:
        """The tags, possibly none."""
        return self.document.get("tags", {})

    @property
    def log_class(self) -> str:
        """Its log group class."""
        return self.document.get("class", "STANDARD")

    @property
    def protected(self) -> bool:
        """Whether deletion protection is on."""
        return self.document.get("protected", False)


def group_from(row: Row) -> Group:
    """A group from a row of ``log_group``."""
    return Group(
        row["id"],
        row["name"],
        row["created_ms"],
        row["retention_days"],
        row["stored_bytes"],
        orjson.loads(row["document"]),
    )


def find_group(conn: Connection, key: GroupKey) -> Group | None:
    """The group of that name, or None."""
    row = conn.one(Q.find_group, {"account": key.account, "region": key.region, "name": key.name})
    return None if row is None else group_from(row)


def need_group(conn: Connection, key: GroupKey) -> Group:
    """The group of that name.

    Raises:
        ResourceNotFoundException: there is none.
    """
    group = find_group(conn, key)
    if group is None:
        raise group_not_found()
    return group


def insert_group(
    conn: Connection, key: GroupKey, *, created_ms: int, document: dict[str, Any]
) -> bool:
    """Make a group. False if the name is in use."""
    changed = conn.execute(
        Q.insert_group,
        {
            "account": key.account,
            "region": key.region,
            "name": key.name,
            "created_ms": created_ms,
            "document": orjson.dumps(document).decode(),
        },
    )
    return changed == 1


def save_document(conn: Connection, group: Group, **changes: Any) -> None:
    """Replace members of a group's document."""
    document = orjson.dumps(group.document | changes).decode()
    conn.execute(Q.set_document, {"group_id": group.id, "document": document})


def find_stream(conn: Connection, group_id: int, name: str) -> int | None:
    """The id of the stream of that name, or None."""
    row = conn.one(Q.find_stream, {"group_id": group_id, "name": name})
    return None if row is None else row["id"]


def need_stream(conn: Connection, group_id: int, name: str) -> int:
    """The id of the stream of that name.

    Raises:
        ResourceNotFoundException: there is none.
    """
    stream = find_stream(conn, group_id, name)
    if stream is None:
        raise stream_not_found()
    return stream


def insert_stream(conn: Connection, group_id: int, name: str, *, created_ms: int) -> bool:
    """Make a stream. False if the name is in use."""
    row = {"group_id": group_id, "name": name, "created_ms": created_ms}
    return conn.execute(Q.insert_stream, row) == 1


def append(
    conn: Connection,
    *,
    group_id: int,
    stream_id: int,
    chunks: Sequence[Chunk],
    ingestion_ms: int,
    with_ids: bool = False,
) -> list[int]:
    """Add chunks to a stream. There must be at least one. Answers their ids, if asked for them."""
    rows = [
        {
            "stream_id": stream_id,
            "group_id": group_id,
            "first_ms": chunk.first_ms,
            "last_ms": chunk.last_ms,
            "events": chunk.events,
            "bytes": chunk.bytes,
            "body": chunk.body,
        }
        for chunk in chunks
    ]
    chunk_ids: list[int] = []
    if with_ids:
        found = [conn.one(Q.insert_known_chunk, row) for row in rows]
        chunk_ids = [row["id"] for row in found if row is not None]
    else:
        conn.execute_many(Q.insert_chunk, rows)
    size = sum(chunk.bytes for chunk in chunks)
    conn.execute(Q.grow_group, {"group_id": group_id, "bytes": size})
    conn.execute(
        Q.grow_stream,
        {
            "stream_id": stream_id,
            "first_ms": min(chunk.first_ms for chunk in chunks),
            "last_ms": max(chunk.last_ms for chunk in chunks),
            "bytes": size,
            "ingestion_ms": ingestion_ms,
        },
    )
    return chunk_ids
