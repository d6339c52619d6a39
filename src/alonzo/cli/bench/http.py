"""The little HTTP/1.1 that the baselines read: whole requests off a stream, framed by a length."""

from __future__ import annotations

import asyncio
from typing import cast

HEAD_END = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """One end of a connection; ``transport`` is there once it is made."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out. uvloop's transports are no subclass of asyncio's."""
        self.transport = cast("asyncio.Transport", transport)


class MessageReader:
    """Cuts a byte stream into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: bytes | None = None
        self._length = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Take bytes; answer (head, body) once a message is whole. One message is in flight."""
        self._buffer += data
        if self._head is None and not self._read_head():
            return None
        assert self._head is not None
        if len(self._buffer) < self._length:
            return None
        body = bytes(self._buffer)
        head, self._head = self._head, None
        self._buffer.clear()
        return head, body

    def _read_head(self) -> bool:
        end = self._buffer.find(HEAD_END)
        if end < 0:
            return False
        self._head = bytes(self._buffer[:end]).lower()
        del self._buffer[: end + len(HEAD_END)]
        self._length = content_length(self._head) or 0
        return True


def content_length(head: bytes) -> int | None:
    """What a lower-case head says of the body's length; None if it says nothing."""
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else None
