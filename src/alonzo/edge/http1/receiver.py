"""Bytes in, requests out: httptools at work, and the limits of what one request may look like.

* A request head has a size; so has a field that never ends.
* Trailer fields after a chunked body are dropped.
* An offered ``Upgrade`` is ignored (RFC 9110, 7.8); httptools would lose the body with it.
* A body that nobody read is thrown away as it comes, up to a limit.
* Nothing is heard behind the last request of a connection.

What is ambiguous is refused by llhttp, in its strict mode: a length beside chunks, two lengths, odd
lengths, bare line feeds, blanks before a colon, folded lines.
"""

from __future__ import annotations

from typing import Protocol

import httptools

from alonzo.edge.http1.head import Head
from alonzo.edge.http1.incoming import Incoming, Source
from alonzo.edge.http1.limits import ServerLimits

_VERSIONS = frozenset({"1.0", "1.1"})


class RefusedError(Exception):
    """What came is no request that can be served; ``status`` says why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _OverLimitError(Exception):
    """The head of a request is too large, or too many requests wait."""


class _NoMoreError(Exception):
    """This connection has no place for another request."""


class Sink(Source, Protocol):
    """Who takes the requests: the connection."""

    def begin(self, incoming: Incoming) -> bool:
        """The head of a request is here. False: too many wait already."""
        ...

    def hold(self) -> None:
        """More of a body came than anybody asked for."""
        ...

    def cut(self) -> None:
        """There is nothing to be had from this client any more."""
        ...


class Receiver:
    """What is being received on one connection. ``feed`` it; httptools calls the rest."""

    def __init__(self, sink: Sink, limits: ServerLimits) -> None:
        self._sink = sink
        self._limits = limits
        self._parser = self._new_parser()
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._upgrade_offered = False
        # Bytes that came since the last that were body, without and with those fed just now.
        self._bodiless_bytes = 0
        self._fed_bytes = 0
        self._discarded_bytes = 0
        #: Whose bytes come in, for connections that have no address.
        self.source_ip = ""
        #: ``https`` under TLS, and the sandbox at the other end, if it is one.
        self.scheme = "http"
        self.place = ""
        #: Version and cipher suite under TLS.
        self.tls: tuple[str, str] | None = None
        #: A request is not whole yet; nor is its head.
        self.in_message = False
        self.in_head = False
        #: Its first bytes came with the last ``feed``.
        self.is_new = False
        #: The request whose head was the last to be whole.
        self.incoming: Incoming | None = None
        #: Nothing more is heard; nothing but the rest of the last request.
        self.deaf = False
        self.ending = False

    def feed(self, data: bytes) -> None:
        """Take bytes off the wire.

        Raises:
            RefusedError: they are no HTTP, or too much of it. Nothing more may be fed.
        """
        if self.deaf:
            return
        self._fed_bytes = len(data)
        self._bodiless_bytes += self._fed_bytes
        self.is_new = False
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            self.deaf = True
            cause = error.__context__
            if not isinstance(cause, _NoMoreError):
                raise RefusedError(431 if isinstance(cause, _OverLimitError) else 400) from error
        if self.in_message and self._bodiless_bytes > self._limits.head_bytes_max:
            # A field without an end, which the parser would gather for ever.
            self.deaf = True
            raise RefusedError(431)

    def close(self) -> None:
        """Let go of the parser, which holds on to us."""
        self.deaf = True
        del self._parser

    @property
    def owes_rest(self) -> bool:
        """Whether what comes is the rest of a request that has its answer already."""
        return (
            self.in_message
            and not self.in_head
            and self.incoming is not None
            and self.incoming.answered
        )

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        # What follows a request with ``Connection: close`` is no error: it is not heard.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _parse(self, data: bytes) -> None:
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                # The parser stops behind the head: it takes what follows for another protocol.
                data = self._head_without_upgrade(self._parser) + data[offer.args[0] :]
                self._parser = self._new_parser()
            else:
                return

    def _head_without_upgrade(self, parser: httptools.HttpRequestParser) -> bytes:
        version = parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (parser.get_method(), self._target, version)]
        for name, value in self._headers:
            if name == b"connection":
                tokens = [token.strip() for token in value.lower().split(b",")]
                value = b", ".join(token for token in tokens if token != b"upgrade")
            if name != b"upgrade":
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        """Parser callback."""
        last = self.incoming
        if self.ending or (last is not None and not last.keep_alive):
            raise _NoMoreError
        self.in_message = self.in_head = self.is_new = True
        self._bodiless_bytes = 0
        self._target = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        """Parser callback; a long target comes in pieces."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser callback, for header and for trailer fields."""
        if self.in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Parser callback."""
        parser = self._parser
        if self._bodiless_bytes + self._fed_bytes > self._limits.head_bytes_max:
            self._check_head_size()
        method = parser.get_method()
        self._upgrade_offered = parser.should_upgrade()
        if self._upgrade_offered:
            if method == b"CONNECT":
                raise httptools.HttpParserInvalidMethodError("CONNECT")
            return
        path, query, authority = _split_target(self._target)
        if authority is not None:
            # It says more than the header does (RFC 9112, 3.2.2), and nobody is to see two hosts.
            self._headers = [
                (name, authority if name == b"host" else value) for name, value in self._headers
            ]
        version = parser.get_http_version()
        if version not in _VERSIONS:
            raise httptools.HttpParserError(f"not a version that is served: {version}")
        http_1_0 = version == "1.0"
        head = Head(method.decode("ascii"), path, query, self._headers)
        expects = head.fields.get(b"expect")
        self.in_head = False
        self._discarded_bytes = 0
        keep_alive = not http_1_0 and parser.should_keep_alive()
        awaited = expects is not None and not http_1_0 and expects.lower() == b"100-continue"
        # By name they would take twice as long, for each request.
        self.incoming = Incoming(
            self._sink,
            head,
            self.source_ip,
            http_1_0,
            keep_alive,
            awaited,
            self.scheme,
            self.place,
            self.tls,
        )
        if not self._sink.begin(self.incoming):
            raise _OverLimitError

    def _check_head_size(self) -> None:
        n_bytes = len(self._target) + sum(
            len(name) + len(value) + 4 for name, value in self._headers
        )
        if n_bytes > self._limits.head_bytes_max:
            raise _OverLimitError

    def on_body(self, body: bytes) -> None:
        """Parser callback. What comes after the answer is thrown away, up to a limit."""
        self._bodiless_bytes = 0
        incoming = self.incoming
        assert incoming is not None, "a body without a head"
        if not incoming.answered:
            incoming.feed(body)
            if incoming.is_enough(self._limits.unasked_bytes_max):
                self._sink.hold()
            return
        self._discarded_bytes += len(body)
        if self._discarded_bytes > self._limits.discard_bytes_max:
            self.deaf = True
            self._sink.cut()

    def on_message_complete(self) -> None:
        """Parser callback."""
        if self._upgrade_offered:
            return
        self.in_message = False
        assert self.incoming is not None, "an end without a beginning"
        self.incoming.finish()
        if self.ending:
            self._sink.cut()


def _split_target(target: bytes) -> tuple[bytes, bytes, bytes | None]:
    """The path and the query of a request target, and the host if it names one.

    Raises:
        httptools.HttpParserInvalidURLError: it is none, or not of ASCII.
    """
    if not target.isascii():
        raise httptools.HttpParserInvalidURLError("not of ASCII")
    if target[:1] == b"/" and b"#" not in target:
        path, _, query = target.partition(b"?")
        return path, query, None
    url = httptools.parse_url(target)
    authority = target.partition(b"//")[2].partition(b"/")[0].partition(b"?")[0]
    return url.path or b"", url.query or b"", authority if url.host else None
