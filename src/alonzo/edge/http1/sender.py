"""The way out of a connection: one write for each answer, and patience with slow clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import cast

from alonzo.edge.http1.incoming import Incoming
from alonzo.edge.http1.response import BODILESS, STATUS_LINES, Response

#: Up to this size head and body are copied together; longer bodies go out as they are.
_JOINED_BYTES_MAX = 64 * 1024


class Sender:
    """Writes the answers of one connection."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, write_idle_s: float
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._write_idle_s = write_idle_s
        self._drained: asyncio.Future[None] | None = None
        # What the client has not taken yet, while that is more than the transport likes to hold.
        self._unsent_bytes = 0
        self._guard: asyncio.TimerHandle | None = None

    # --- back-pressure

    def pause(self) -> None:
        """The client is slower than the answer: see that it takes some of it."""
        self._drained = self._loop.create_future()
        self._unsent_bytes = self._transport.get_write_buffer_size()
        self._guard = self._loop.call_later(self._write_idle_s, self._check)

    def resume(self) -> None:
        """The client has caught up, or is gone."""
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    def _check(self) -> None:
        # Nothing is added while writing is paused, so an equal size means that nothing was taken.
        unsent_bytes = self._transport.get_write_buffer_size()
        if unsent_bytes >= self._unsent_bytes:
            self._transport.abort()
            return
        self._unsent_bytes = unsent_bytes
        self._guard = self._loop.call_later(self._write_idle_s, self._check)

    # --- answers

    def try_send(self, incoming: Incoming, response: Response, *, closes: bool) -> bool:
        """Send a response whose body is whole. False: not now, or the body is a stream."""
        body = response.body
        if self._drained is not None or not isinstance(body, bytes):
            return False
        self._send_whole(incoming, response, body, closes=closes)
        return True

    async def send(self, incoming: Incoming, response: Response, *, closes: bool) -> bool:
        """Send any response, no faster than the client takes it. False if it was cut short.

        A stream whose client left is read to its end all the same: what was asked for is done.
        """
        await self.writable()
        body = response.body
        if isinstance(body, bytes):
            self._send_whole(incoming, response, body, closes=closes)
            return True
        try:
            return await self._send_stream(incoming, response, body, closes=closes)
        finally:
            if isinstance(body, AsyncGenerator):
                await cast("AsyncGenerator[bytes, None]", body).aclose()

    async def writable(self) -> None:
        """Return once the client has caught up, or is gone."""
        while self._drained is not None:
            await self._drained

    def _send_whole(
        self, incoming: Incoming, response: Response, body: bytes, *, closes: bool
    ) -> None:
        if incoming.gone or self._transport.is_closing():
            return
        incoming.started = True
        status = response.status
        ending = b"connection: close\r\n\r\n" if closes else b"\r\n"
        if status in BODILESS:
            self._transport.write(b"".join((STATUS_LINES[status], response.fields, ending)))
            return
        without_body = incoming.head.method == "HEAD"
        length = len(body)
        if without_body:
            if response.length is not None:
                length = response.length
            body = b""
        head = b"%bcontent-length: %d\r\n%b" % (response.fields, length, ending)
        if len(body) <= _JOINED_BYTES_MAX:
            self._transport.write(b"".join((STATUS_LINES[status], head, body)))
        else:
            self._transport.writelines((STATUS_LINES[status] + head, body))

    def begin(self, incoming: Incoming, response: Response, *, closes: bool) -> bool:
        """Send the head of a response whose body is to follow. Whether that must be in chunks.

        HTTP/1.0 knows none: there the end of the connection is the end of the body.
        """
        chunked = not incoming.http_1_0
        framing = b"transfer-encoding: chunked\r\n" if chunked else b""
        ending = b"connection: close\r\n\r\n" if closes else b"\r\n"
        if not (incoming.gone or self._transport.is_closing()):
            incoming.started = True
            head = (STATUS_LINES[response.status], response.fields, framing, ending)
            self._transport.write(b"".join(head))
        return chunked

    async def _send_stream(
        self,
        incoming: Incoming,
        response: Response,
        stream: AsyncIterator[bytes],
        *,
        closes: bool,
    ) -> bool:
        transport, left = self._transport, response.length
        without_body = incoming.head.method == "HEAD" or response.status in BODILESS
        # HTTP/1.0 knows no chunks: there the end of the connection is the end of the body.
        chunked = left is None and not without_body and not incoming.http_1_0
        framing = b"transfer-encoding: chunked\r\n" if chunked else b""
        if left is not None and response.status not in BODILESS:
            framing = b"content-length: %d\r\n" % left
        ending = b"connection: close\r\n\r\n" if closes else b"\r\n"
        if not incoming.gone:
            incoming.started = True
            transport.write(
                b"".join((STATUS_LINES[response.status], response.fields, framing, ending))
            )
        async for piece in stream:
            if left is not None:
                left -= len(piece)
                if left < 0:
                    return False
            if without_body or not piece:
                continue
            await self.writable()
            if incoming.gone or transport.is_closing():
                if response.ends_with_client:
                    return False
                continue
            if chunked:
                transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n"))
            else:
                transport.write(piece)
        if left and not without_body:
            return False
        if chunked and not (incoming.gone or transport.is_closing()):
            await self.writable()
            transport.write(b"0\r\n\r\n")
        return True
