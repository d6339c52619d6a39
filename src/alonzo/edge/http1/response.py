"""One response, ready for the wire but for what only its connection knows: how it is framed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

from alonzo.model.http import HttpResponse

#: Statuses without a body. Source: RFC 9110, 6.4.1.
BODILESS = frozenset({204, 304})

#: A header must not hold control characters; whatever text they came in, a blank does.
_PRINTABLE = bytes(0x20 if byte < 0x20 or byte == 0x7F else byte for byte in range(256))

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")

#: Names that say how a message is framed, which is for the connection alone to say.
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})


@dataclass(slots=True)
class Response:
    """A response.

    ``fields`` are the header lines, each with its end, without those that frame the message.
    ``body`` is whole, or a stream that is sent as it comes. ``length`` is that of the body where
    ``body`` does not tell: of a stream, or of what ``HEAD`` leaves out. ``closes`` ends the
    connection after it. ``ends_with_client``: see ``HttpResponse``.
    """

    status: int
    fields: bytes
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None
    closes: bool = False
    ends_with_client: bool = False

    @classmethod
    def of(cls, response: HttpResponse, *, request_id: str, closes: bool = False) -> Response:
        """Encode the headers; the request's id goes with them unless they have one.

        Raises:
            ValueError: a name is none.
        """
        length = None
        lines: list[bytes] = []
        identified = False
        for name, value in response.headers.items():
            name = name.lower()
            if name in _FRAMING:
                if name == "content-length":
                    length = int(value)
                continue
            if _TOKEN.fullmatch(name) is None:
                raise ValueError(f"no name of a header: {name!r}")
            identified = identified or name == "x-amzn-requestid"
            lines.append(b"%b: %b\r\n" % (name.encode("latin-1"), header_value(value)))
        if not identified:
            lines.append(b"x-amzn-requestid: %b\r\n" % request_id.encode())
        return cls(
            response.status,
            b"".join(lines),
            response.body,
            length,
            closes,
            response.ends_with_client,
        )


def header_value(text: str) -> bytes:
    """Any text as the value of a header."""
    return text.encode("latin-1", "replace").translate(_PRINTABLE)


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINES = {status: _status_line(status) for status in range(100, 600)}


def _refusal(status: int) -> bytes:
    phrase = HTTPStatus(status).phrase
    return (
        STATUS_LINES[status]
        + (
            f"content-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(phrase)}\r\nconnection: close\r\n\r\n{phrase}"
        ).encode()
    )


#: Answers to what never became a request.
REFUSALS = {status: _refusal(status) for status in (400, 408, 431, 503)}
