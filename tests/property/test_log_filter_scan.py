"""The scan over overlapping chunks, and its tokens, against a list sorted by hand."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alonzo.model.ports.logs import LogEvent
from alonzo.services.logs.chunks import pack, unpack
from alonzo.services.logs.positions import (
    event_id,
    position,
    read_search_token,
    read_stream_token,
    search_token,
    stream_token,
    timestamp_ms,
)
from alonzo.services.logs.scan import Scan, Window

BATCHES = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=6), min_size=0, max_size=12)


def rows_of(batches: list[list[int]]) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """Chunks as the store holds them, and every event with its position."""
    rows: list[dict[str, Any]] = []
    events: list[tuple[int, str]] = []
    for times in batches:
        (chunk,) = pack(
            [LogEvent(time, f"{len(events) + i}") for i, time in enumerate(times)], ingestion_ms=9
        )
        number = len(rows) + 1
        rows.append(
            {
                "id": number,
                "first_ms": chunk.first_ms,
                "last_ms": chunk.last_ms,
                "bytes": chunk.bytes,
                "body": chunk.body,
                "stream": "s",
            }
        )
        _, stamps, texts = unpack(chunk.body)
        for place, (stamp, text) in enumerate(zip(stamps, texts, strict=True)):
            events.append((position(stamp, number, place), text))
    return rows, events


def in_order(rows: list[dict[str, Any]], window: Window, *, forward: bool) -> Iterator[Any]:
    near = "first_ms" if forward else "last_ms"
    fitting = [
        row
        for row in rows
        if row["last_ms"] >= window.start_ms and row["first_ms"] <= window.end_ms
    ]
    heap = sorted(fitting, key=lambda row: (row[near], row["id"]), reverse=not forward)
    return iter(heapq.merge(heap, key=lambda row: 0))


@given(BATCHES, st.integers(0, 30), st.integers(0, 30), st.booleans(), st.integers(1, 20))
def test_pages_of_a_scan_hold_every_event_once_and_in_order(
    batches: list[list[int]], start: int, end: int, forward: bool, events_max: int
) -> None:
    rows, events = rows_of(batches)
    whole = Window.of_times(start, end)
    expected = sorted(
        ((at, text) for at, text in events if start <= timestamp_ms(at) <= end),
        reverse=not forward,
    )
    found: list[tuple[int, str]] = []
    window = whole
    for _ in range(200):
        scan = Scan(
            in_order(rows, window, forward=forward),
            window,
            forward=forward,
            events_max=events_max,
        )
        found += [(event.at, event.message) for event in scan]
        if scan.stopped_at is None:
            break
        window = window.after(scan.stopped_at) if forward else window.before(scan.stopped_at)
    assert found == expected


@given(st.integers(0, 1 << 42), st.integers(1, 1 << 62), st.integers(0, 10_000), st.booleans())
def test_tokens_give_back_what_was_put_in(time: int, chunk: int, place: int, forward: bool) -> None:
    at = position(time, chunk, place)
    assert timestamp_ms(at) == time
    assert len(event_id(at)) == 56
    assert read_stream_token(stream_token(at, forward=forward)) == (at, forward)
    assert read_search_token(search_token(at, forward=forward)) == (at, forward)


@given(st.lists(st.tuples(st.integers(0, 300_000), st.text(max_size=5)), min_size=1, max_size=40))
def test_packing_keeps_every_event_and_no_chunk_spans_more_than_a_minute(
    events: list[tuple[int, str]],
) -> None:
    chunks = pack([LogEvent(time, text) for time, text in events], ingestion_ms=5)
    kept: list[tuple[int, str]] = []
    for chunk in chunks:
        ingestion, times, texts = unpack(chunk.body)
        assert (ingestion, chunk.events) == (5, len(times))
        assert (chunk.first_ms, chunk.last_ms) == (times[0], times[-1])
        assert chunk.last_ms - chunk.first_ms <= 60_000
        kept += zip(times, texts, strict=True)
    assert kept == sorted(events, key=lambda event: event[0])
