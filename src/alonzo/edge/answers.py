"""The errors that belong to no service."""

from __future__ import annotations

import json

from alonzo.edge.protocols.xml import escape
from alonzo.edge.sigv4.claim import Claim
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest, HttpResponse

_FORM = b"application/x-www-form-urlencoded"


def sent_as_form(request: HttpRequest) -> bool:
    """Whether a request looks like one of the query protocol, as far as its head tells."""
    return is_form(request.header(b"content-type"))


def is_form(content_type: bytes | None) -> bool:
    """Whether a body is a form of the query protocol."""
    return (content_type or b"").startswith(_FORM)


def bare_error(request: HttpRequest, status: int, code: str, message: str) -> HttpResponse:
    """An error where no service is known: XML for a form, as the query protocol has it, else JSON.

    Both name the code where that protocol's clients look for it.
    """
    if sent_as_form(request):
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


def nobody_answers(request: HttpRequest, claim: Claim | None) -> AwsError:
    """No service of ours fits. AWS has no such answer: its services have a host each."""
    if claim is not None:
        return AwsError(
            "UnknownOperationException",
            f"The service '{claim.service}' is not supported by Alonzo yet.",
            status=501,
        )
    path = request.raw_path[:200].decode("latin-1")
    return AwsError(
        "UnknownOperationException", f"Nothing here answers {request.method} {path}", status=404
    )
