"""Reading events in order out of chunks that overlap in time. Runs inside units of work.

Chunks come from the store in the order of their near end (first event going forward, last event
going backward). An event is final, and is handed out, once every chunk that could hold an earlier
one has been unpacked: that is, once it lies before the near end of the next chunk.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from alonzo.services.logs.chunks import unpack
from alonzo.services.logs.limits import CHUNK_SPAN_MS_MAX
from alonzo.services.logs.positions import position, timestamp_ms
from alonzo.services.logs.records import Q
from alonzo.services.logs.rules import NAME_END
from alonzo.store.base import Connection, Row

#: Chunks fetched by one query. Their bodies are held until they are unpacked.
_FETCH = 32
#: No place in a chunk is larger.
_PLACE_MAX = (1 << 24) - 1
_AT = itemgetter(0)
#: Timestamps past this (the year 287396) are cut, so that arithmetic on them fits SQL integers.
_MS_MAX = 1 << 53


class FoundEvent(NamedTuple):
    """One event. ``at`` is its position; times are epoch milliseconds."""

    at: int
    timestamp_ms: int
    ingestion_ms: int
    message: str
    stream: str


@dataclass(frozen=True, slots=True)
class Window:
    """The positions to read, both bounds exclusive."""

    low: int
    high: int

    @staticmethod
    def of_times(start_ms: int, end_ms: int) -> Window:
        """Every event from ``start_ms`` to ``end_ms``, both inclusive."""
        start, end = min(start_ms, _MS_MAX), min(end_ms, _MS_MAX)
        return Window(position(start, 0, 0) - 1, position(end + 1, 0, 0))

    def after(self, at: int) -> Window:
        """The part behind a position."""
        return Window(max(self.low, at), self.high)

    def before(self, at: int) -> Window:
        """The part before a position."""
        return Window(self.low, min(self.high, at))

    @property
    def is_empty(self) -> bool:
        """Whether no position fits."""
        return self.low + 1 >= self.high

    @property
    def start_ms(self) -> int:
        """The earliest timestamp that may lie inside."""
        return timestamp_ms(self.low + 1)

    @property
    def end_ms(self) -> int:
        """The latest timestamp that may lie inside."""
        return timestamp_ms(self.high - 1)


def stream_chunks(
    conn: Connection, stream_id: int, window: Window, *, forward: bool
) -> Iterator[Row]:
    """The chunks of one stream that may hold events of the window, by their near end."""
    query = Q.scan_stream if forward else Q.scan_stream_descending
    yield from _chunks(conn, query, {"stream_id": stream_id}, window, forward=forward)


def group_chunks(
    conn: Connection, group_id: int, window: Window, *, prefix: str, forward: bool
) -> Iterator[Row]:
    """The same for all streams of a group whose names start with ``prefix``."""
    query = Q.scan_group if forward else Q.scan_group_descending
    scope = {"group_id": group_id, "prefix": prefix, "prefix_end": prefix + NAME_END}
    yield from _chunks(conn, query, scope, window, forward=forward)


def merge_chunks(chunks: Iterable[Iterator[Row]], *, forward: bool) -> Iterator[Row]:
    """Chunks of several streams as one sequence, by their near end."""
    return heapq.merge(*chunks, key=_edge_of(forward=forward), reverse=not forward)


def _chunks(
    conn: Connection, query: str, scope: dict[str, int | str], window: Window, *, forward: bool
) -> Iterator[Row]:
    if window.is_empty:
        return
    near = "first_ms" if forward else "last_ms"
    # No chunk spans more than CHUNK_SPAN_MS_MAX, so none that matters starts before this edge.
    edge_ms = window.start_ms - CHUNK_SPAN_MS_MAX if forward else window.end_ms + CHUNK_SPAN_MS_MAX
    edge_id = -1 if forward else 0
    while True:
        rows = conn.all(
            query,
            {
                **scope,
                "start_ms": window.start_ms,
                "end_ms": window.end_ms,
                "edge_ms": edge_ms,
                "edge_id": edge_id,
                "limit": _FETCH,
            },
        )
        yield from rows
        if len(rows) < _FETCH:
            return
        edge_ms, edge_id = rows[-1][near], rows[-1]["id"]


def _edge_of(*, forward: bool) -> Callable[[Row], int]:
    if forward:
        return lambda row: position(row["first_ms"], row["id"], 0)
    return lambda row: position(row["last_ms"], row["id"], _PLACE_MAX)


class Scan:
    """Hands out the events of a window that match, in order. Iterate it once.

    ``stopped_at`` is None, or, after the iteration has ended early because it had looked at
    ``events_max`` events or ``bytes_max`` bytes, or ``is_late()``, the position to go on from. It
    always lies behind where this scan began, so that a client who goes on comes to an end.
    """

    def __init__(
        self,
        chunks: Iterator[Row],
        window: Window,
        *,
        forward: bool,
        matches: Callable[[str], bool] | None = None,
        events_max: int | None = None,
        bytes_max: int | None = None,
        is_late: Callable[[], bool] = lambda: False,
    ) -> None:
        self._chunks = chunks
        self._window = window
        self._forward = forward
        self._matches = matches
        self._events_left = events_max
        self._bytes_left = bytes_max
        self._is_late = is_late
        self.stopped_at: int | None = None

    def __iter__(self) -> Iterator[FoundEvent]:
        edge_of = _edge_of(forward=self._forward)
        pending: list[FoundEvent] = []
        for row in self._chunks:
            edge = edge_of(row)
            if pending:
                final, pending = self._split(pending, edge)
                yield from final
            resume_at = edge - 1 if self._forward else edge + 1
            if self._is_spent() and self._window.low < resume_at < self._window.high:
                self.stopped_at = resume_at
                return
            pending.extend(self._events_of(row))
        yield from self._split(pending, None)[0]

    def _split(
        self, pending: list[FoundEvent], edge: int | None
    ) -> tuple[list[FoundEvent], list[FoundEvent]]:
        """The events that no later chunk can precede, in order, and the others."""
        pending.sort()
        if self._forward:
            cut = len(pending) if edge is None else bisect_left(pending, edge, key=_AT)
            return pending[:cut], pending[cut:]
        cut = 0 if edge is None else bisect_left(pending, edge + 1, key=_AT)
        return pending[cut:][::-1], pending[:cut]

    def _is_spent(self) -> bool:
        return (
            (self._events_left is not None and self._events_left <= 0)
            or (self._bytes_left is not None and self._bytes_left <= 0)
            or self._is_late()
        )

    def _events_of(self, row: Row) -> Iterator[FoundEvent]:
        ingestion_ms, timestamps, messages = unpack(row["body"])
        if self._events_left is not None:
            self._events_left -= len(timestamps)
        if self._bytes_left is not None:
            self._bytes_left -= row["bytes"]
        low, high, matches = self._window.low, self._window.high, self._matches
        chunk, stream = row["id"], row["stream"]
        for place, time_ms in enumerate(timestamps):
            at = position(time_ms, chunk, place)
            if low < at < high and (matches is None or matches(messages[place])):
                yield FoundEvent(at, time_ms, ingestion_ms, messages[place], stream)
