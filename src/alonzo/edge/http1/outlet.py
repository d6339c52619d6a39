"""One response that is written while it comes to be, no faster than its client takes it."""

from __future__ import annotations

import asyncio

from alonzo.edge.http1.incoming import Incoming
from alonzo.edge.http1.sender import Sender
from alonzo.model.ports.invoking import ClientGoneError


class SentInPieces:
    """The body of one response on its way out. Implements ``incoming.Outlet``."""

    def __init__(
        self,
        sender: Sender,
        transport: asyncio.Transport,
        incoming: Incoming,
        *,
        chunked: bool,
        closes: bool,
    ) -> None:
        self.ended = False
        self.closes = closes
        self._sender = sender
        self._transport = transport
        self._incoming = incoming
        self._chunked = chunked

    async def write(self, data: bytes) -> None:
        """See ``Outlet``."""
        self._check()
        if self._chunked:
            self._transport.writelines((b"%x\r\n" % len(data), data, b"\r\n"))
        else:
            self._transport.write(data)
        await self._sender.writable()
        self._check()

    def end(self) -> None:
        """See ``Outlet``."""
        self.ended = True
        if self._chunked and not self._is_gone():
            self._transport.write(b"0\r\n\r\n")

    def _check(self) -> None:
        if self._is_gone():
            raise ClientGoneError

    def _is_gone(self) -> bool:
        return self._incoming.gone or self._transport.is_closing()
