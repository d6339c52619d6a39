"""One HTTP/1.1 connection of a runtime: bytes in, requests out, answers back.

The other end runs a user's code, so whatever it may send has a bound here:

* a body is kept only if its request can use it, and is counted while it comes; one that is passed
  on piece by piece is not kept at all;
* a head or a body is small, or at least alone in its environment (``Owner.claim``);
* one read brings a bounded number of requests, and answers that nobody takes stop the reading;
* nothing is heard while a request waits for its answer, so answers keep their order.

An offered ``Upgrade`` is ignored (RFC 9110, 7.8); httptools would lose the body with it.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, cast

import httptools

from alonzo.runtimes.framing import sized_buffer

#: A head up to this size is every connection's to send. A runtime sends a few hundred bytes.
_HEAD_BYTES_FREE = 64 << 10

#: A body whose limit is no higher than this is every connection's, too.
BODY_BYTES_FREE = 64 << 10

#: AWS's own runtimes put up to 1 MiB of X-Ray cause into a header of an error.
_HEAD_BYTES_MAX = (1 << 20) + _HEAD_BYTES_FREE
_HEADERS_MAX = 100

#: No runtime sends a request before it has the answer to the last. This is for those that do.
_REQUESTS_PER_READ_MAX = 32

#: So much of a body that is passed on piece by piece is looked at in one turn of the loop.
_POURED_PER_TURN = 16 << 10

#: A longer body is written apart from its head: the copy would cost more than the call.
_JOIN_BYTES_MAX = 1 << 16

_STATUS_LINES = {
    status: f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    for status in (200, 202, 400, 401, 403, 404, 405, 413, 500)
}
_JSON_CONTENT = (("Content-Type", "application/json"),)


@dataclass(frozen=True, slots=True)
class Route:
    """What a request comes to once it is whole.

    ``body_bytes_max`` is the longest body that is of any use to it; a longer one is ``too_large``
    and thrown away. With 0 every body is. ``pour``, once the head is here, may answer what takes
    the body piece by piece; such a body is ``None`` in the end.
    """

    run: Callable[[Connection], None]
    body_bytes_max: int = 0
    pour: Callable[[Connection], Pourer | None] | None = None


#: Takes a piece of a body.
Pourer = Callable[[bytes], None]


class Owner(Protocol):
    """Serves the requests of all connections of one environment."""

    def joined(self, connection: Connection) -> bool:
        """Take note of a connection; False if there are too many."""
        ...

    def left(self, connection: Connection) -> None:
        """A connection is gone, with whatever it waited for or claimed."""
        ...

    def claim(self, connection: Connection) -> bool:
        """Whether this connection may hold much; one at a time may."""
        ...

    def release(self, connection: Connection) -> None:
        """This connection holds much no longer, if it did."""
        ...

    def route(self, method: bytes, target: bytes) -> Route:
        """Decide from its first line what a request may do."""
        ...


class _RefusedError(Exception):
    """The connection asks for too much."""


class Connection(asyncio.Protocol):
    """One connection. ``waiting`` while the answer to its request is still to come."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self.waiting = False
        self._keep_alive = True
        # What came since the last byte of a body: httptools gathers a field until it is whole.
        self._bodiless_bytes = 0
        self._requests_in_read = 0
        self._upgrade_offered = False
        # Why nothing is read: answers that nobody takes, a body that nobody has room for, or bytes
        # of one that are still to be looked at.
        self._clogged = self._held = False
        self._later = b""
        self._start()

    def _start(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._n_headers = 0
        self._route: Route | None = None
        self._body: io.BytesIO | None = None
        self._pourer: Pourer | None = None
        self.too_large = False

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the runtime has connected."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._owner.joined(self):
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the runtime, or we, have closed."""
        self._later = b""
        self._start()
        self._owner.left(self)

    def pause_writing(self) -> None:
        """asyncio: the runtime does not take its answers, so it may not ask for more."""
        self._clogged = True
        self._read_or_wait()

    def resume_writing(self) -> None:
        """asyncio: the runtime has caught up."""
        self._clogged = False
        self._read_or_wait()

    def hold(self) -> None:
        """There is no room for the body: its sender has to wait."""
        self._held = True
        self._read_or_wait()

    def resume(self) -> None:
        """There is room again."""
        self._held = False
        self._read_or_wait()
        if self._later:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _read_or_wait(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._clogged or self._held or self._later:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def _go_on(self) -> None:
        """Look at what was put off."""
        if self._held or not self._later or self._transport is None:
            return
        data, self._later = self._later, b""
        self.data_received(data)
        if not self._later:
            self._read_or_wait()

    def _put_off(self, data: bytes) -> None:
        self._later = data
        self._read_or_wait()
        if not self._held:
            asyncio.get_running_loop().call_soon(self._go_on)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come."""
        if len(data) > _POURED_PER_TURN and self._body is None:
            self._take_some(data)
        else:
            self._take(data)

    def _take_some(self, data: bytes) -> None:
        """Take the first bytes, and others in a later turn if they are of a body that is poured.

        Its chunks may be as small as the runtime likes, and others want their turn.
        """
        self._take(data[:_POURED_PER_TURN])
        rest = data[_POURED_PER_TURN:]
        if self._pourer is not None:
            self._put_off(rest)
        elif self._transport is not None and not self._transport.is_closing():
            self._take(rest)

    def _take(self, data: bytes) -> None:
        self._bodiless_bytes += len(data)
        self._requests_in_read = 0
        try:
            self._feed(data)
        except httptools.HttpParserCallbackError as err:
            if not isinstance(err.__context__, _RefusedError):
                raise
            self.abort()
        except httptools.HttpParserError:
            self.abort()
        else:
            if self._bodiless_bytes > _HEAD_BYTES_FREE and not (
                self._bodiless_bytes <= _HEAD_BYTES_MAX and self._owner.claim(self)
            ):
                self.abort()

    def _feed(self, data: bytes) -> None:
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                # The parser stops behind the head: it takes what follows for another protocol.
                data = self._head_without_upgrade() + data[offer.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        method, version = self._parser.get_method(), self._parser.get_http_version()
        lines = [b"%b %b HTTP/%b" % (method, self._target, version.encode())]
        for name, value in self._headers.items():
            if name == "connection":
                options = [option.strip() for option in value.lower().split(",")]
                value = ", ".join(option for option in options if option != "upgrade")
            if name != "upgrade":
                lines.append(f"{name}: {value}".encode("latin-1"))
        return b"\r\n".join([*lines, b"", b""])

    # httptools

    def on_message_begin(self) -> None:
        """httptools: a request begins."""
        self._requests_in_read += 1
        if self.waiting or self._requests_in_read > _REQUESTS_PER_READ_MAX:
            raise _RefusedError
        self._start()

    def on_url(self, url: bytes) -> None:
        """httptools: a piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: a header, or a trailer behind the body."""
        self._n_headers += 1
        if self._n_headers > _HEADERS_MAX:
            raise _RefusedError
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """httptools: the head is whole. Now is the time to say whether a body may come."""
        method = self._parser.get_method()
        self._upgrade_offered = self._parser.should_upgrade()
        if self._upgrade_offered:
            if method == b"CONNECT":
                raise _RefusedError
            return
        self._route = self._owner.route(method, self._target)
        limit = self._route.body_bytes_max
        if self._route.pour is not None:
            self._pourer = self._route.pour(self)
        if self._pourer is None and limit and (limit <= BODY_BYTES_FREE or self._owner.claim(self)):
            self._body = sized_buffer(self._stated_body_bytes(limit))
        if self._headers.get("expect", "").lower() == "100-continue":
            assert self._transport is not None
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _stated_body_bytes(self, limit: int) -> int:
        """How long the body is going to be, within the limit; 0 if nobody said."""
        stated = self._headers.get("content-length", "")
        # Zeros may stand before it, more of them than int() takes.
        stated = stated.lstrip("0")
        return min(int(stated), limit) if stated.isdecimal() else 0

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body. What nobody can use, or past the limit, is dropped."""
        self._bodiless_bytes = 0
        if self._pourer is not None:
            self._pourer(body)
            return
        if self._body is None:
            return
        assert self._route is not None
        if self._body.tell() + len(body) > self._route.body_bytes_max:
            self._body = None
            self.too_large = True
        else:
            self._body.write(body)

    def on_message_complete(self) -> None:
        """httptools: the request is whole."""
        if self._upgrade_offered:
            return
        assert self._route is not None
        self._bodiless_bytes = 0
        self._keep_alive = self._parser.should_keep_alive()
        self.waiting = True
        try:
            if self._transport is not None and not self._transport.is_closing():
                self._route.run(self)
        finally:
            self._body = None
            self._owner.release(self)

    # What the owner asks of a connection

    def header(self, name: str) -> str | None:
        """A header or trailer of the request, by its lower-case name."""
        return self._headers.get(name)

    def body(self) -> bytes | None:
        """The body of the request; empty if it was ``too_large``, None if it was not to be kept."""
        if self._body is None:
            return b"" if self.too_large else None
        return self._body.getvalue()

    def answer(
        self, status: int, body: bytes, headers: tuple[tuple[str, str], ...] = _JSON_CONTENT
    ) -> bool:
        """Write the response to the request; False if there is nobody to read it.

        Values of headers come from callers too, so line ends are taken out.
        """
        self.waiting = False
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        lines = [_STATUS_LINES[status]]
        for name, value in headers:
            if "\r" in value or "\n" in value:
                value = value.replace("\r", " ").replace("\n", " ")
            lines.append(f"{name}: {value}")
        lines.append(f"Content-Length: {len(body)}\r\n\r\n")
        head = "\r\n".join(lines).encode("utf-8", "replace")
        if len(body) > _JOIN_BYTES_MAX:
            transport.writelines((head, body))
        else:
            transport.write(head + body)
        if not self._keep_alive:
            transport.close()
        return True

    def refuse(self, status: int, error_type: str, message: str) -> None:
        """Write an error as the Runtime API words it."""
        document = {"errorMessage": message, "errorType": error_type}
        self.answer(status, json.dumps(document).encode() + b"\n")

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()
