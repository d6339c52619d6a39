"""Chunks of log events: how a batch is cut into them, and the bytes of one. Pure.

The body is zlib over JSON, column by column: ``[ingestion_ms, [timestamp_ms, …], [message, …]]``,
oldest event first. Ten thousand Lambda lines pack in about 12 ms and unpack in about 4.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

import orjson

from alonzo.services.logs.limits import (
    CHUNK_BYTES_MAX,
    CHUNK_SPAN_MS_MAX,
    EVENT_BYTES_MAX,
    EVENT_OVERHEAD_BYTES,
)

#: Fast, and on log lines nearly as small as the default.
_LEVEL = 1
#: A message cut into pieces of so many characters is within the limit in any encoding.
_PIECE_CHARACTERS = (EVENT_BYTES_MAX - EVENT_OVERHEAD_BYTES) // 4


#: Epoch milliseconds and message: a ``LogEvent``, or a plain pair, which costs less to make.
Event = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Events of one stream, packed. ``bytes`` is their size before compression."""

    first_ms: int
    last_ms: int
    events: int
    bytes: int
    body: bytes


def message_bytes(message: str) -> int:
    """Length in UTF-8; a lone surrogate, which has none, counts as the ``?`` it is stored as."""
    return len(message) if message.isascii() else len(message.encode("utf-8", "replace"))


def pack(events: Sequence[Event], *, ingestion_ms: int) -> list[Chunk]:
    """Sort events by time and pack them into as few chunks as the limits allow.

    Events of one millisecond keep their order. An event longer than AWS takes becomes several.
    """
    longest = max([len(message) for _, message in events], default=0)
    fitting = events if longest <= _PIECE_CHARACTERS else _cut(events)
    ordered = sorted(fitting, key=itemgetter(0))
    return [_pack_one(part, size, ingestion_ms) for part, size in _parts(ordered)]


def unpack(body: bytes) -> tuple[int, list[int], list[str]]:
    """Ingestion time, timestamps and messages of a chunk, oldest first."""
    ingestion_ms, timestamps, messages = orjson.loads(zlib.decompress(body))
    return ingestion_ms, timestamps, messages


def _cut(events: Sequence[Event]) -> Iterator[Event]:
    for at_ms, message in events:
        if len(message) <= _PIECE_CHARACTERS:
            yield at_ms, message
            continue
        if message_bytes(message) <= EVENT_BYTES_MAX - EVENT_OVERHEAD_BYTES:
            yield at_ms, message
            continue
        for start in range(0, len(message), _PIECE_CHARACTERS):
            yield at_ms, message[start : start + _PIECE_CHARACTERS]


def _parts(ordered: list[Event]) -> Iterator[tuple[list[Event], int]]:
    # Together first: mostly they make one part, and that is soon found out.
    together = "".join([message for _, message in ordered])
    all_bytes = message_bytes(together) + EVENT_OVERHEAD_BYTES * len(ordered)
    if (
        ordered
        and all_bytes <= CHUNK_BYTES_MAX
        and ordered[-1][0] - ordered[0][0] <= CHUNK_SPAN_MS_MAX
    ):
        yield ordered, all_bytes
        return
    part: list[Event] = []
    size = 0
    for event in ordered:
        event_size = message_bytes(event[1]) + EVENT_OVERHEAD_BYTES
        if part and (
            size + event_size > CHUNK_BYTES_MAX or event[0] - part[0][0] > CHUNK_SPAN_MS_MAX
        ):
            yield part, size
            part, size = [], 0
        part.append(event)
        size += event_size
    if part:
        yield part, size


def _pack_one(part: list[Event], size: int, ingestion_ms: int) -> Chunk:
    timestamps = [at_ms for at_ms, _ in part]
    messages = [message for _, message in part]
    try:
        document = orjson.dumps([ingestion_ms, timestamps, messages])
    except TypeError:
        # Lone surrogates: JSON admits them in a request, UTF-8 has no bytes for them.
        messages = [message.encode("utf-8", "replace").decode() for message in messages]
        document = orjson.dumps([ingestion_ms, timestamps, messages])
    return Chunk(timestamps[0], timestamps[-1], len(part), size, zlib.compress(document, _LEVEL))
