"""The event that a request becomes: payload format 2.0. Pure.

What a request does not have is left out, not null.

Source: Lambda developer guide, "Invoking Lambda function URLs"; events of public requests.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import orjson

from alonzo.edge.function_urls.address import Address
from alonzo.edge.http1.head import Head
from alonzo.lib.clock import utc
from alonzo.model.context import Principal

#: Headers about this connection, not about the request. Source: RFC 9110, 7.6.1.
_HOP_BY_HOP = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization"),
        *(b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    )
)
_COOKIE = b"cookie"

#: Bodies of these types come as text; all others, forms among them, in base64.
_TEXT = re.compile(r"text/.*|(?:.*[/+])?(?:json|xml|javascript|ecmascript)")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a function URL. ``caller`` is None where nobody had to sign.

    ``trace_header`` is the trace that the invocation belongs to.
    """

    address: Address
    head: Head
    source_ip: str
    request_id: str
    now_s: float
    trace_header: str
    caller: Principal | None = None
    http_1_0: bool = False
    scheme: str = "http"


def render_event(call: Call, body: bytes) -> bytes:
    """The event as JSON."""
    return orjson.dumps(_event(call, body))


def _event(call: Call, body: bytes) -> dict[str, Any]:
    head = call.head
    path = call.address.path.decode("latin-1")
    query = head.query.decode("latin-1")
    headers = _headers(call)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
    }
    if cookies := _cookies(head.headers):
        event["cookies"] = cookies
    event["headers"] = headers
    if parameters := _parameters(query):
        event["queryStringParameters"] = parameters
    event["requestContext"] = _context(call, path, headers)
    text = _text(body, headers.get("content-type", ""))
    if text is not None:
        event["body"] = text
    elif body:
        event["body"] = base64.b64encode(body).decode()
    event["isBase64Encoded"] = text is None and bool(body)
    return event


def _context(call: Call, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    moment = utc(call.now_s)
    http = {
        "method": call.head.method,
        "path": path,
        "protocol": "HTTP/1.0" if call.http_1_0 else "HTTP/1.1",
        "sourceIp": call.source_ip,
    }
    if (agent := headers.get("user-agent")) is not None:
        http["userAgent"] = agent
    caller = call.caller
    context: dict[str, Any] = {
        "accountId": "anonymous" if caller is None else caller.account,
        "apiId": call.address.url_id,
    }
    if caller is not None:
        context["authentication"] = None
        context["authorizer"] = {"iam": _identity(caller)}
    return context | {
        "domainName": call.address.host,
        "domainPrefix": call.address.url_id,
        "http": http,
        "requestId": call.request_id,
        "routeKey": "$default",
        "stage": "$default",
        # Not strftime's %b: that speaks the language of the host.
        "time": moment.strftime(f"%d/{_MONTHS[moment.month - 1]}/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(call.now_s * 1000),
    }


def _identity(caller: Principal) -> dict[str, str | None]:
    return {
        "accessKey": caller.access_key_id,
        "accountId": caller.account,
        "callerId": caller.user_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": caller.arn,
        "userId": caller.user_id,
    }


def _headers(call: Call) -> dict[str, str]:
    """Headers by lower-case name, repeated ones joined by commas, and those of the way here."""
    connection = call.head.fields.get(b"connection", b"").lower()
    dropped = _HOP_BY_HOP.union(token.strip() for token in connection.split(b","))
    headers: dict[str, str] = {}
    for name, value in call.head.headers:
        if name == _COOKIE or name in dropped:
            continue
        key, text = name.decode("latin-1"), _decoded(value)
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    before = headers.get("x-forwarded-for")
    headers["x-forwarded-for"] = f"{before}, {call.source_ip}" if before else call.source_ip
    # A proxy in front of us that ends TLS says so here.
    headers.setdefault("x-forwarded-proto", call.scheme)
    default_port = "443" if call.scheme == "https" else "80"
    headers.setdefault("x-forwarded-port", call.address.port or default_port)
    headers["x-amzn-trace-id"] = call.trace_header
    return headers


def _cookies(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    pieces = (
        piece.strip()
        for name, value in headers
        if name == _COOKIE
        for piece in _decoded(value).split(";")
    )
    return [piece for piece in pieces if piece]


def _parameters(query: str) -> dict[str, str]:
    """Decoded parameters, the values of a repeated one joined by commas."""
    parameters: dict[str, list[str]] = {}
    for piece in query.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            parameters.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return {name: ",".join(values) for name, values in parameters.items()}


def _text(body: bytes, content_type: str) -> str | None:
    """The body as text; None if it is none, or has to be sent in base64."""
    if not body or not _TEXT.fullmatch(content_type.partition(";")[0].strip().lower()):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
