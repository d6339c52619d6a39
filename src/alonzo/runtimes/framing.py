"""Frames between the daemon and our own bootstraps, over one inherited Unix stream socket.

A frame is ``length:u32be kind:u8 header_length:u16be header body``; ``length`` counts what follows
it. The header is a JSON object in UTF-8 (or empty), the body raw bytes.

| Kind | Direction | Header | Body |
|---|---|---|---|
| ``CONFIG`` | to it | | the variables, a JSON object; once to one that parks or is restored |
| ``INVOKE`` | to it | ``id, deadline_ms, arn[, trace, client_context, cognito, tenant]`` | event |
| ``READY`` | from it | | init is done, or restore; sent once for each |
| ``CHUNK`` | from it | ``id[, type]``, in the first one | a piece of the result, up to 64 KiB |
| ``RESPONSE`` | from it | ``id`` | result, or its last piece; it waits for the next ``INVOKE`` |
| ``ERROR`` | from it | ``id, type[, last]`` | error document; likewise, or it exits if ``last`` |
| ``INIT_ERROR`` | from it | ``type`` | error document; it exits then |

A bootstrap parks if it is started with the variable ``_ALONZO_PARK=1``: it does what it can without
knowing the function, reads ``CONFIG``, makes those variables the process's own, and only then looks
at any of them. One that is started without it has its variables from the start.

One whose ``AWS_LAMBDA_INITIALIZATION_TYPE`` is ``snap-start`` runs the hooks before a snapshot and
says ``READY``. Then, much later perhaps, it reads ``CONFIG``, the variables that differ, of which
there may be none; it runs the hooks after a restore, says ``READY`` again, and serves. One that
also finds ``_ALONZO_SNAPSHOT`` never reads again after the first ``READY``. It is forked, and each
fork goes on from there on a channel of its own.

A result that is not whole yet goes out as ``CHUNK`` after ``CHUNK``; ``type`` is its media type.
``RESPONSE`` ends it, or ``ERROR`` breaks it off. The daemon stops reading while whoever takes the
result is slower than the function, so a bootstrap must be able to wait in the middle of a write.

The bootstrap's end of the socket, and its log descriptor, are blocking when it starts.
The bootstraps implement the same few lines in their own language. ``trace``, ``client_context``
and ``cognito`` are the texts that the Runtime API carries in its headers.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any, NamedTuple, cast

import orjson

_PREFIX = struct.Struct(">IBH")
_PREFIX_BYTES = _PREFIX.size

#: The longest body that is kept where nobody says otherwise.
BODY_BYTES_MAX = 64 << 20

#: The longest body of a ``CHUNK``.
CHUNK_BYTES_MAX = 64 << 10


class Kind(IntEnum):
    """What a frame says."""

    INVOKE = 1
    CONFIG = 2
    READY = 16
    RESPONSE = 17
    ERROR = 18
    INIT_ERROR = 19
    CHUNK = 20


class FrameError(Exception):
    """The peer sent what is no frame."""


class Frame(NamedTuple):
    """One frame, decoded. The body of one that is ``too_large`` is empty: it was not kept."""

    kind: Kind
    header: Mapping[str, Any]
    body: bytes
    too_large: bool = False


def encode(kind: Kind, header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """One frame as bytes, the body included."""
    return encode_head(kind, header, len(body)) + body


def encode_head(kind: Kind, header: Mapping[str, Any], body_bytes: int) -> bytes:
    """A frame up to its body, which the caller sends right behind it."""
    head = orjson.dumps(header) if header else b""
    return _PREFIX.pack(3 + len(head) + body_bytes, kind, len(head)) + head


class Decoder:
    """Cuts a byte stream into frames. Feed it what arrives; iterate over what is complete.

    It holds no more than one header and one body. A body longer than ``body_bytes_max`` is skipped
    as it arrives, and its frame is ``too_large``; a ``CHUNK`` has a bound of its own.
    """

    def __init__(self, *, body_bytes_max: int = BODY_BYTES_MAX) -> None:
        self.body_bytes_max = body_bytes_max
        self._head = b""
        # The frame whose head is whole; its body so far, and how much of it has not come yet.
        self._open: tuple[Kind, Mapping[str, Any], bool] | None = None
        self._body: io.BytesIO | None = None
        self._missing_bytes = 0

    def try_whole(self, data: bytes) -> Frame | None:
        """The frame, if the bytes are one that is small, whole and alone; else ``feed`` them.

        Raises:
            FrameError: likewise.
        """
        n_bytes = len(data)
        if self._open is not None or self._head or n_bytes < _PREFIX_BYTES:
            return None
        length, kind, header_bytes = _PREFIX.unpack_from(data)
        body_at = _PREFIX_BYTES + header_bytes
        known = _WHOLE_KINDS.get(kind)
        if known is None or n_bytes != length + 4:
            return None
        if not 0 <= n_bytes - body_at <= self.body_bytes_max:
            return None
        return Frame(known, _header(data[_PREFIX_BYTES:body_at]), data[body_at:])

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes; answers each frame that they complete.

        Raises:
            FrameError: with the iteration: the bytes are no frame; the connection is beyond repair.
        """
        if self._head:
            data, self._head = self._head + data, b""
        at = 0
        while at < len(data):
            if self._open is None:
                body_at = self._read_head(data, at)
                if body_at is None:
                    self._head = data[at:]
                    return
                at = body_at
            end = min(at + self._missing_bytes, len(data))
            frame = self._read_body(data, at, end)
            if frame is not None:
                yield frame
            at = end

    def _read_head(self, data: bytes, at: int) -> int | None:
        """Open the frame that begins there. Answers where its body begins; None: not yet."""
        if len(data) - at < _PREFIX.size:
            return None
        length, kind, header_bytes = _PREFIX.unpack_from(data, at)
        known = _KINDS.get(kind)
        if known is None:
            raise FrameError(f"a frame of kind {kind}")
        body_bytes = length - 3 - header_bytes
        if body_bytes < 0:
            raise FrameError("a header longer than its frame")
        if known is Kind.CHUNK and body_bytes > CHUNK_BYTES_MAX:
            raise FrameError("a CHUNK frame that is too long")
        header_at = at + _PREFIX.size
        body_at = header_at + header_bytes
        if body_at > len(data):
            return None
        header = _header(data[header_at:body_at])
        too_large = body_bytes > self.body_bytes_max and known is not Kind.CHUNK
        self._open = known, header, too_large
        self._missing_bytes = body_bytes
        return body_at

    def _read_body(self, data: bytes, at: int, end: int) -> Frame | None:
        """Take a piece of the body of the open frame. Answers the frame if that was the last."""
        assert self._open is not None
        kind, header, too_large = self._open
        self._missing_bytes -= end - at
        if self._missing_bytes or self._body is not None:
            if not too_large:
                if self._body is None:
                    self._body = sized_buffer(end - at + self._missing_bytes)
                self._body.write(memoryview(data)[at:end])
            if self._missing_bytes:
                return None
        if self._body is not None:
            body = self._body.getvalue()
        else:
            body = b"" if too_large else data[at:end]
        self._open = self._body = None
        return Frame(kind, header, body, too_large)


def sized_buffer(n_bytes: int) -> io.BytesIO:
    """A buffer for that many bytes, which never has to grow: that would copy them time and again.

    A BytesIO, unlike a bytearray, hands out as bytes what it gathered without a last copy.
    """
    buffer = io.BytesIO()
    if n_bytes:
        buffer.seek(n_bytes - 1)
        buffer.write(b"\0")
        buffer.seek(0)
    return buffer


_KINDS = {int(kind): kind for kind in Kind}
#: Those that are mostly alone, and have no bound of their own.
_WHOLE_KINDS = {number: kind for number, kind in _KINDS.items() if kind is not Kind.CHUNK}


def _header(data: bytes) -> Mapping[str, Any]:
    if not data:
        return {}
    try:
        header: Any = orjson.loads(data)
    except ValueError as err:
        raise FrameError("a header that is no JSON") from err
    if not isinstance(header, dict):
        raise FrameError("a header that is no object")
    return cast("dict[str, Any]", header)
