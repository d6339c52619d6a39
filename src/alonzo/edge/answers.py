"""The errors that belong to no service."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from alonzo.model.http import HttpRequest, HttpResponse

_FORM = b"application/x-www-form-urlencoded"


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
