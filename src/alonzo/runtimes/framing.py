"""Frames between the daemon and our own bootstraps, over one inherited Unix stream socket.

A frame is ``length:u32be kind:u8 header_length:u16be header body``; ``length`` counts what follows
it. The header is a JSON object in UTF-8 (or empty), the body raw bytes.

| Kind | Direction | Header | Body |
|---|---|---|---|
| ``INVOKE`` | to the runtime | ``id, deadline_ms, arn`` and, if present, ``trace, client_context, cognito, tenant`` | event |
| ``READY`` | from it | | init is done; sent once |
| ``RESPONSE`` | from it | ``id`` | result; it waits for the next ``INVOKE`` |
| ``ERROR`` | from it | ``id, type`` | error document; likewise |
| ``INIT_ERROR`` | from it | ``type`` | error document; it exits then |

The bootstraps implement the same few lines in their own language. ``trace``, ``client_context``
and ``cognito`` are the texts that the Runtime API carries in its headers.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

_PREFIX = struct.Struct(">IBH")

#: A frame may carry a response a little over the limit, so that the daemon, which knows the limit,
#: is the one to refuse it. Beyond this the peer is broken.
FRAME_BYTES_MAX = 64 << 20


class Kind(IntEnum):
    """What a frame says."""

    INVOKE = 1
    READY = 16
    RESPONSE = 17
    ERROR = 18
    INIT_ERROR = 19


class FrameError(Exception):
    """The peer sent what is no frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, decoded."""

    kind: Kind
    header: Mapping[str, Any]
    body: bytes


def encode(kind: Kind, header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """One frame as bytes, the body included."""
    head = json.dumps(header, separators=(",", ":")).encode() if header else b""
    return _PREFIX.pack(3 + len(head) + len(body), kind, len(head)) + head + body


class Decoder:
    """Cuts a byte stream into frames. Feed it what arrives; iterate over what is complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes and yield each frame that they complete.

        Raises:
            FrameError: the bytes are no frame; the connection is beyond repair.
        """
        self._buffer += data
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if not 3 <= length <= FRAME_BYTES_MAX:
                raise FrameError(f"a frame of {length} bytes")
            if len(self._buffer) < 4 + length:
                return
            _, kind, head = _PREFIX.unpack_from(self._buffer)
            if 7 + head > 4 + length:
                raise FrameError("a header longer than its frame")
            with memoryview(self._buffer) as view:
                header, body = bytes(view[7 : 7 + head]), bytes(view[7 + head : 4 + length])
            del self._buffer[: 4 + length]
            yield _frame(kind, header, body)


def _frame(kind: int, header: bytes, body: bytes) -> Frame:
    try:
        document: Any = json.loads(header) if header else {}
        known = Kind(kind)
    except ValueError as err:
        raise FrameError(f"a frame of kind {kind} that cannot be read") from err
    if not isinstance(document, dict):
        raise FrameError("a header that is no object")
    return Frame(known, document, body)
