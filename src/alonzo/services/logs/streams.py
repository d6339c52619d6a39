"""Operations on log streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.model.context import RequestContext
from alonzo.services.logs import records
from alonzo.services.logs.errors import (
    deletion_protected,
    invalid,
    invalid_token,
    stream_exists,
)
from alonzo.services.logs.limits import DESCRIBE_PAGE_MAX
from alonzo.services.logs.positions import (
    event_id,
    opaque_token,
    position,
    read_opaque_token,
)
from alonzo.services.logs.records import Q
from alonzo.services.logs.rules import NAME_END, GroupKey, group_of
from alonzo.services.logs.sink import LogWriter
from alonzo.store.base import Connection, Row, Store

#: Queries by (order, descending), and where such a listing starts.
_LISTINGS = {
    ("LogStreamName", False): (Q.list_streams_by_name, (0, "")),
    ("LogStreamName", True): (Q.list_streams_by_name_descending, (0, NAME_END)),
    ("LastEventTime", False): (Q.list_streams_by_time, (-1, "")),
    ("LastEventTime", True): (Q.list_streams_by_time_descending, (1 << 62, "")),
}


class StreamOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, store: Store, writer: LogWriter, clock: Clock) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock

    async def create_log_stream(self, context: RequestContext, params: dict[str, Any]) -> None:
        """CreateLogStream."""
        key = GroupKey(context.account, context.region, params["logGroupName"])
        name = params["logStreamName"]
        now_ms = int(self._clock.now_s() * 1000)

        def work(conn: Connection) -> None:
            group = records.need_group(conn, key)
            if not records.insert_stream(conn, group.id, name, created_ms=now_ms):
                raise stream_exists()

        await self._writer.flush()
        await self._store.tx(work)

    async def delete_log_stream(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteLogStream. Interrupted half-way, it leaves the stream with fewer events."""
        key = GroupKey(context.account, context.region, params["logGroupName"])
        name = params["logStreamName"]

        def delete_some(conn: Connection) -> bool:
            group = records.need_group(conn, key)
            stream_id = records.need_stream(conn, group.id, name)
            if group.protected:
                raise deletion_protected()
            limit = records.DELETED_CHUNKS_MAX
            scope = {"stream_id": stream_id, "limit": limit}
            if conn.execute(Q.delete_some_chunks_of_stream, scope) == limit:
                return False
            stream = {"group_id": group.id, "stream_id": stream_id}
            conn.execute(Q.shrink_group_by_stream, stream)
            conn.execute(Q.delete_stream, {"stream_id": stream_id})
            return True

        await self._writer.flush()
        while not await self._store.tx(delete_some):
            pass

    async def describe_log_streams(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DescribeLogStreams."""
        key = group_of(params, account=context.account, region=context.region)
        prefix = params.get("logStreamNamePrefix", "")
        order = params.get("orderBy", "LogStreamName")
        if order == "LastEventTime" and prefix:
            raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        limit: int = params.get("limit", DESCRIBE_PAGE_MAX)
        query, start = _LISTINGS[order, params.get("descending", False)]
        token = params.get("nextToken")
        last_event_ms, name = start if token is None else _read_token(token)

        def work(conn: Connection) -> list[Row]:
            group = records.need_group(conn, key)
            return conn.all(
                query,
                {
                    "group_id": group.id,
                    "prefix": prefix,
                    "prefix_end": prefix + NAME_END,
                    "last_event_ms": last_event_ms,
                    "name": name,
                    "limit": limit + 1,
                },
            )

        await self._writer.flush()
        rows = await self._store.read(work)
        page: dict[str, Any] = {"logStreams": [_described(key, row) for row in rows[:limit]]}
        if len(rows) > limit:
            page["nextToken"] = _token(rows[limit - 1])
        return page


def _token(row: Row) -> str:
    return opaque_token(f"{row['last_event_ms']}:{row['name']}")


def _read_token(token: str) -> tuple[int, str]:
    last_event_ms, colon, name = read_opaque_token(token).partition(":")
    if not colon or not (last_event_ms.isascii() and last_event_ms.isdigit()):
        raise invalid_token()
    return min(int(last_event_ms[:20]), 1 << 62), name


def _described(key: GroupKey, row: Row) -> Mapping[str, Any]:
    """A LogStream. AWS has shown no stored bytes of a stream since 2019."""
    shown: dict[str, Any] = {
        "logStreamName": row["name"],
        "creationTime": row["created_ms"],
        "arn": key.stream_arn(row["name"]),
        "storedBytes": 0,
    }
    if row["last_ingestion_ms"] is not None:
        shown["lastIngestionTime"] = row["last_ingestion_ms"]
        shown["uploadSequenceToken"] = event_id(position(row["last_ingestion_ms"], 0, 0))
    if row["first_event_ms"] is not None:
        shown["firstEventTimestamp"] = row["first_event_ms"]
        shown["lastEventTimestamp"] = row["last_event_ms"]
    return shown
