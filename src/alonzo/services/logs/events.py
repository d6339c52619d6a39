"""Operations on log events: put, get by stream, filter by group."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import RequestContext
from alonzo.model.ports.logs import LogEvent
from alonzo.services.logs import filter_pattern, records
from alonzo.services.logs.chunks import message_bytes, pack
from alonzo.services.logs.errors import invalid
from alonzo.services.logs.limits import (
    PAGE_BYTES_MAX,
    PAGE_EVENTS_MAX,
    PAGE_SCANNED_BYTES_MAX,
    PAGE_SCANNED_EVENTS_MAX,
    PAGE_SCANNED_S_MAX,
)
from alonzo.services.logs.positions import (
    event_id,
    read_search_token,
    read_stream_token,
    search_token,
    stream_token,
)
from alonzo.services.logs.records import Group
from alonzo.services.logs.rules import (
    GroupKey,
    decide_batch,
    expiry_cutoff_ms,
    group_of,
)
from alonzo.services.logs.scan import (
    FoundEvent,
    Scan,
    Window,
    group_chunks,
    merge_chunks,
    stream_chunks,
)
from alonzo.services.logs.sink import LogWriter
from alonzo.services.logs.watching import Watchers
from alonzo.store.base import Connection, Row, Store

#: The latest endTime that a search without one stands for.
_END_MS = 1 << 53
#: FilterLogEvents runs backward only over events of 2024 and later. Source: its startFromHead.
_BACKWARD_SINCE_MS = 1_704_067_200_000


class EventOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(
        self, store: Store, writer: LogWriter, watchers: Watchers, clock: Clock, ids: IdSource
    ) -> None:
        self._watchers = watchers
        self._store = store
        self._writer = writer
        self._clock = clock
        self._ids = ids

    async def put_log_events(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """PutLogEvents. Any sequence token is accepted, as on AWS since 2023."""
        key = GroupKey(context.account, context.region, params["logGroupName"])
        events = [LogEvent(event["timestamp"], event["message"]) for event in params["logEvents"]]
        now_ms = int(self._clock.now_s() * 1000)
        await self._writer.flush()
        group, _ = await self._store.read(
            lambda conn: _group_and_stream(conn, key, params["logStreamName"])
        )
        batch = decide_batch(events, now_ms=now_ms, retention_days=group.retention_days)
        if batch.accepted:
            await self._append(key, params["logStreamName"], batch.accepted, now_ms)
        answer: dict[str, Any] = {"nextSequenceToken": self._sequence_token()}
        if batch.rejected:
            answer["rejectedLogEventsInfo"] = batch.rejected
        return answer

    async def _append(
        self, key: GroupKey, stream: str, events: Sequence[LogEvent], now_ms: int
    ) -> None:
        chunks = await asyncio.to_thread(pack, events, ingestion_ms=now_ms)
        watchers, findings = self._watchers, None
        watch = watchers.watch_of(key)
        if watch is not None:
            findings = await asyncio.to_thread(watchers.look, watch, stream, chunks, now_ms)

        def work(conn: Connection) -> None:
            # Looked up again: either may have been deleted while the events were packed.
            now_group, stream_id = _group_and_stream(conn, key, stream)
            chunk_ids = records.append(
                conn,
                group_id=now_group.id,
                stream_id=stream_id,
                chunks=chunks,
                ingestion_ms=now_ms,
                with_ids=findings is not None and bool(findings.pushes),
            )
            if watch is not None and findings is not None:
                watchers.store(conn, watch, findings, chunk_ids, now_ms / 1000)

        await self._store.tx(work)
        if findings is not None:
            watchers.show(findings)

    def _sequence_token(self) -> str:
        """56 digits that start as AWS's do. Nothing reads them."""
        return f"496{int(self._ids.hex(22), 16) % 10**53:053d}"

    async def get_log_events(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetLogEvents. ``endTime`` is exclusive here, and inclusive in FilterLogEvents."""
        key = group_of(params, account=context.account, region=context.region)
        token = params.get("nextToken")
        forward = params.get("startFromHead", False)
        at: int | None = None
        if token is not None:
            at, forward = read_stream_token(token)
        limit = params.get("limit", PAGE_EVENTS_MAX)
        now_ms = int(self._clock.now_s() * 1000)

        def work(conn: Connection) -> tuple[Window, list[FoundEvent]]:
            group, stream_id = _group_and_stream(conn, key, params["logStreamName"])
            window = _window(group, params, now_ms=now_ms, end_is_inside=False)
            if at is not None:
                window = window.after(at) if forward else window.before(at)
            chunks = stream_chunks(conn, stream_id, window, forward=forward)
            page, _ = _take(iter(Scan(chunks, window, forward=forward)), limit)
            return window, page if forward else page[::-1]

        await self._writer.flush()
        window, page = await self._store.read(work)
        first, last = _page_ends(page, window, at, forward=forward)
        return {
            "events": [_event(event) for event in page],
            "nextForwardToken": stream_token(last, forward=True),
            "nextBackwardToken": stream_token(first, forward=False),
        }

    async def filter_log_events(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """FilterLogEvents. Always interleaved; ``searchedLogStreams`` is empty, as on AWS."""
        key = group_of(params, account=context.account, region=context.region)
        names, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix")
        if names and prefix:
            raise invalid("LogStreamNames and LogStreamNamePrefix are mutually exclusive.")
        token = params.get("nextToken")
        forward = params.get("startFromHead", True)
        at: int | None = None
        if token is not None:
            at, forward = read_search_token(token)
        if not forward and params.get("startTime", _BACKWARD_SINCE_MS) < _BACKWARD_SINCE_MS:
            raise invalid("startFromHead can be false only when startTime is in 2024 or later.")
        limit = params.get("limit", PAGE_EVENTS_MAX)
        matches = filter_pattern.parse(params.get("filterPattern", ""))
        now_ms = int(self._clock.now_s() * 1000)

        def work(conn: Connection) -> tuple[list[FoundEvent], int | None]:
            group = records.need_group(conn, key)
            window = _window(group, params, now_ms=now_ms, end_is_inside=True)
            if at is not None:
                window = window.after(at) if forward else window.before(at)
            chunks = (
                _chunks_of(conn, group.id, names, window, forward=forward)
                if names
                else group_chunks(conn, group.id, window, prefix=prefix or "", forward=forward)
            )
            deadline_s = self._clock.monotonic_s() + PAGE_SCANNED_S_MAX
            scan = Scan(
                chunks,
                window,
                forward=forward,
                matches=matches,
                events_max=PAGE_SCANNED_EVENTS_MAX,
                bytes_max=PAGE_SCANNED_BYTES_MAX,
                is_late=lambda: self._clock.monotonic_s() > deadline_s,
            )
            page, more = _take(iter(scan), limit)
            return page, page[-1].at if more else scan.stopped_at

        await self._writer.flush()
        page, resume_at = await self._store.read(work)
        answer: dict[str, Any] = {
            "events": [
                {
                    "logStreamName": event.stream,
                    **_event(event),
                    "eventId": event_id(event.at),
                }
                for event in page
            ],
            "searchedLogStreams": [],
        }
        if resume_at is not None:
            answer["nextToken"] = search_token(resume_at, forward=forward)
        return answer


def _group_and_stream(conn: Connection, key: GroupKey, stream: str) -> tuple[Group, int]:
    group = records.need_group(conn, key)
    return group, records.need_stream(conn, group.id, stream)


def _window(group: Group, params: Mapping[str, Any], *, now_ms: int, end_is_inside: bool) -> Window:
    """The times asked for, without what has expired."""
    start_ms = max(
        params.get("startTime", 0), expiry_cutoff_ms(group.retention_days, now_ms=now_ms)
    )
    end_ms = params.get("endTime", _END_MS)
    return Window.of_times(start_ms, end_ms if end_is_inside else end_ms - 1)


def _chunks_of(
    conn: Connection, group_id: int, names: list[str], window: Window, *, forward: bool
) -> Iterator[Row]:
    streams = {records.need_stream(conn, group_id, name) for name in names}
    return merge_chunks(
        [stream_chunks(conn, stream, window, forward=forward) for stream in streams],
        forward=forward,
    )


def _take(events: Iterator[FoundEvent], limit: int) -> tuple[list[FoundEvent], bool]:
    """One page of events in the order given, and whether another event follows."""
    page: list[FoundEvent] = []
    size = 0
    for event in events:
        size += message_bytes(event.message)
        if len(page) == limit or (page and size > PAGE_BYTES_MAX):
            return page, True
        page.append(event)
    return page, False


def _page_ends(
    page: list[FoundEvent], window: Window, at: int | None, *, forward: bool
) -> tuple[int, int]:
    """Where the backward and the forward token of a page point.

    An empty page keeps the token it was asked with, and its other token turns round there.
    """
    if page:
        return page[0].at, page[-1].at
    if at is None:
        return window.low + 1, window.low
    return (at + 1, at) if forward else (at, at - 1)


def _event(event: FoundEvent) -> dict[str, Any]:
    return {
        "timestamp": event.timestamp_ms,
        "message": event.message,
        "ingestionTime": event.ingestion_ms,
    }
