"""Responses onto the wire, and the errors that belong to no service."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, cast
from xml.sax.saxutils import escape

from alonzo.model.http import HttpRequest, HttpResponse

_FORM = b"application/x-www-form-urlencoded"

#: Statuses without a body. Source: RFC 9110, 6.4.1.
_BODILESS = frozenset({204, 304})

#: A header must not hold control characters; whatever text they came in, a blank does.
_PRINTABLE = bytes(0x20 if byte < 0x20 or byte == 0x7F else byte for byte in range(256))


def bare_error(request: HttpRequest, status: int, code: str, message: str) -> HttpResponse:
    """An error where no service is known: XML for a form, as the query protocol has it, else JSON.

    Both name the code where that protocol's clients look for it.
    """
    if (request.header(b"content-type") or b"").startswith(_FORM):
        fault = "Sender" if status < 500 else "Receiver"
        text = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{escape(code)}</Code>"
            f"<Message>{escape(message)}</Message></Error></ErrorResponse>"
        )
        return HttpResponse(status, {"content-type": "text/xml"}, text.encode())
    return HttpResponse(
        status,
        {"content-type": "application/json", "x-amzn-errortype": code},
        json.dumps({"__type": code, "message": message}).encode(),
    )


Send = Callable[[dict[str, Any]], Awaitable[None]]


async def send_response(
    response: HttpResponse,
    send: Send,
    *,
    request_id: str,
    closes: bool,
) -> None:
    """Send a response. ``closes`` ends the connection after it.

    A streaming body that fails half-way is left incomplete, and its exception travels on.
    """
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace").translate(_PRINTABLE))
        for name, value in response.headers.items()
    ]
    names = {name for name, _ in headers}
    if b"x-amzn-requestid" not in names:
        headers.append((b"x-amzn-requestid", request_id.encode()))
    if closes:
        headers.append((b"connection", b"close"))
    body = response.body
    if isinstance(body, bytes):
        if b"content-length" not in names and response.status not in _BODILESS:
            headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    try:
        async for piece in body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        if isinstance(body, AsyncGenerator):
            await cast("AsyncGenerator[bytes, None]", body).aclose()
    await send({"type": "http.response.body", "body": b""})
