"""The wire form of Lambda's ``Invoke``, read and written without the codec: the hot path.

Pure. The payload is kept byte for byte and never looked into; whether it is JSON is for the
runtime and the invoker to say. A missing ``Content-Type`` is as good as any.

Source: Lambda API, ``Invoke``; constraints from the service model, texts as observed from AWS.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, unquote_to_bytes

from alonzo.edge.http1.head import Head
from alonzo.edge.http1.response import Response, header_value
from alonzo.model.arns import FUNCTION_NAME_PATTERN, account_of_function
from alonzo.model.errors import AwsError, validation
from alonzo.model.invocations import InvocationType, InvokeRequest, InvokeResult
from alonzo.model.limits import CLIENT_CONTEXT_BYTES_MAX
from alonzo.model.payloads import PayloadLimits, payload_too_large

if TYPE_CHECKING:
    from alonzo.model.context import Principal

_PREFIX = b"/2015-03-31/functions/"
_PATH = re.compile(re.escape(_PREFIX) + rb"([^/]+)/invocations/?")
#: What the path of a streamed call begins with.
STREAM_PREFIX = b"/2021-11-15/functions/"
_STREAM_PATH = re.compile(re.escape(STREAM_PREFIX) + rb"([^/]+)/response-streaming-invocations/?")

#: Names kept, as they came in paths no longer than this; both bound their memory.
_NAMES_MAX = 2048
_KEPT_BYTES_MAX = 256

#: Names that are valid for sure and need no decoding, which is nearly all of them.
_PLAIN_NAME = re.compile(rb"[a-zA-Z0-9-_]{1,64}")
_FUNCTION_NAME = re.compile(FUNCTION_NAME_PATTERN)
_QUALIFIER_PATTERN = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
_TENANT_PATTERN = r"[a-zA-Z0-9\._:\/=+\-@ ]+"
_TYPES = {kind.value.encode(): kind for kind in InvocationType}
_LOG_TYPES = {b"None": False, b"Tail": True}


def is_invoke(method: str, raw_path: bytes) -> bool:
    """Whether this is ``POST /2015-03-31/functions/{FunctionName}/invocations``, or with ``/``."""
    return method == "POST" and raw_path.startswith(_PREFIX) and _name(raw_path) is not None


def is_stream(method: str, raw_path: bytes) -> bool:
    """Whether this is the path of ``InvokeWithResponseStream``."""
    return method == "POST" and raw_path.startswith(STREAM_PREFIX) and _name(raw_path) is not None


class _Name(NamedTuple):
    """A function's name in a path. ``plain`` if it is valid for sure."""

    text: str
    plain: bool


def _name(raw_path: bytes) -> _Name | None:
    return _kept_name(raw_path) if len(raw_path) <= _KEPT_BYTES_MAX else _read_name(raw_path)


def _read_name(raw_path: bytes) -> _Name | None:
    found = _PATH.fullmatch(raw_path) or _STREAM_PATH.fullmatch(raw_path)
    if found is None:
        return None
    label: bytes = found[1]
    plain = _PLAIN_NAME.fullmatch(label) is not None
    return _Name(label.decode() if plain else _text(label), plain)


_kept_name = lru_cache(maxsize=_NAMES_MAX)(_read_name)


def parse_invoke(
    head: Head,
    body: bytes,
    limits: PayloadLimits,
    *,
    request_id: str,
    principal: Principal,
    region: str,
) -> InvokeRequest:
    """Read a request for which ``is_invoke`` or ``is_stream`` holds.

    ``principal`` calls in ``region``.

    Raises:
        ValidationException: the name, the qualifier or a header breaks the model's constraints.
        InvalidRequestContentException: the client context is not base64 of a JSON object.
        RequestEntityTooLargeException: the payload is longer than its invocation type allows.
    """
    header = head.fields.get
    type_header = header(b"x-amz-invocation-type")
    log_header = header(b"x-amz-log-type")
    client_context = header(b"x-amz-client-context")
    trace = header(b"x-amzn-trace-id")
    tenant = header(b"x-amz-tenant-id")
    name = _name(head.raw_path)
    assert name is not None, "the path of neither"
    qualifier = _qualifier(head.query) if head.query else None
    kind = _TYPES.get(type_header) if type_header else InvocationType.REQUEST_RESPONSE
    log_tail = _LOG_TYPES.get(log_header) if log_header else False
    tenant_id = None if tenant is None else tenant.decode("latin-1")
    problems: list[str] = []
    if not name.plain or qualifier is not None or tenant_id is not None:
        problems = _problems(name, qualifier, tenant_id)
    if kind is None:
        problems.append(_outside("invocationType", type_header, "Event, RequestResponse, DryRun"))
    elif kind is InvocationType.EVENT and head.raw_path.startswith(STREAM_PREFIX):
        problems.append(_outside("invocationType", type_header, "RequestResponse, DryRun"))
    if log_tail is None:
        problems.append(_outside("logType", log_header, "None, Tail"))
    if problems or kind is None or log_tail is None:
        raise _violations(problems)
    if len(body) > limits.of(kind):
        raise payload_too_large(len(body), kind, limits)
    account = principal.account
    if not name.plain:
        account = account_of_function(name.text, account)
    # With its fields by name it would take three times as long, for each call.
    request = InvokeRequest(
        request_id, account, region, name.text, qualifier, kind, body, principal
    )
    request.log_tail = log_tail
    request.tenant_id = tenant_id
    if client_context is not None:
        request.client_context = _client_context(client_context)
    if trace is not None:
        request.trace_header = trace.decode("latin-1")
    return request


def invocation_type(head: Head) -> InvocationType:
    """The type that the headers ask for; the default if they ask for none that exists."""
    value = head.fields.get(b"x-amz-invocation-type", b"")
    return _TYPES.get(value, InvocationType.REQUEST_RESPONSE)


def render_invoke(result: InvokeResult, request_id: str) -> Response:
    """Write the answer. The payload is sent as the function gave it."""
    fields = (
        "content-type: application/json\r\nx-amzn-remapped-content-length: 0\r\n"
        f"x-amzn-requestid: {request_id}\r\n"
    )
    if result.executed_version is not None:
        fields += f"x-amz-executed-version: {_plain_version(result.executed_version)}\r\n"
    if result.function_error is not None:
        fields += f"x-amz-function-error: {_plain(result.function_error)}\r\n"
    if result.log_tail is not None:
        fields += f"x-amz-log-result: {base64.b64encode(result.log_tail).decode()}\r\n"
    if result.trace_header is not None:
        fields += f"x-amzn-trace-id: {_plain(result.trace_header)}\r\n"
    return Response(result.status, fields.encode("latin-1"), result.payload)


def _plain(text: str) -> str:
    """Text as the value of a header, which nearly all text already is."""
    if text.isascii() and text.isprintable():
        return text
    return header_value(text).decode("latin-1")


#: Versions are few and short.
_plain_version = lru_cache(maxsize=256)(_plain)


def _qualifier(query: bytes) -> str | None:
    for piece in query.split(b"&"):
        name, _, value = piece.partition(b"=")
        if name == b"Qualifier" or (b"%" in name and unquote_to_bytes(name) == b"Qualifier"):
            return _text(value.replace(b"+", b" "))
    return None


def _text(encoded: bytes) -> str:
    return unquote(encoded.decode("latin-1"))


def _client_context(header: bytes) -> str:
    """Decode the client context: base64 of a JSON object, at most 3,583 bytes as sent."""
    if len(header) > CLIENT_CONTEXT_BYTES_MAX:
        raise _bad_content(
            f"Client context must be no more than {CLIENT_CONTEXT_BYTES_MAX} bytes when encoded."
        )
    try:
        text = base64.b64decode(header, validate=True).decode()
        document = json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        raise _bad_content("Client context must be a valid Base64-encoded JSON object.") from None
    if not isinstance(document, dict):
        raise _bad_content("Client context must be a valid Base64-encoded JSON object.")
    return text


def _bad_content(message: str) -> AwsError:
    return AwsError("InvalidRequestContentException", message, members={"Type": "User"})


def _problems(name: _Name, qualifier: str | None, tenant_id: str | None) -> list[str]:
    """What the model's constraints say against the strings; each entry is one violation."""
    problems: list[str] = []
    if not name.plain:
        problems += _check("functionName", name.text, 256, FUNCTION_NAME_PATTERN)
    if qualifier is not None:
        problems += _check("qualifier", qualifier, 128, _QUALIFIER_PATTERN)
    if tenant_id is not None:
        problems += _check("tenantId", tenant_id, 256, _TENANT_PATTERN)
    return problems


def _check(member: str, value: str, length_max: int, pattern: str) -> list[str]:
    problems: list[str] = []
    if not value:
        problems.append(_violation(member, value, "have length greater than or equal to 1"))
    if len(value) > length_max:
        problems.append(
            _violation(member, value, f"have length less than or equal to {length_max}")
        )
    if re.fullmatch(pattern, value) is None:
        problems.append(_violation(member, value, f"satisfy regular expression pattern: {pattern}"))
    return problems


def _outside(member: str, value: bytes | None, allowed: str) -> str:
    text = (value or b"").decode("latin-1")
    return _violation(member, text, f"satisfy enum value set: [{allowed}]")


def _violation(member: str, value: str, constraint: str) -> str:
    return f"Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}"


def _violations(problems: list[str]) -> AwsError:
    """All violations in one error. Source: observed ValidationException texts."""
    count = len(problems)
    noun = "error" if count == 1 else "errors"
    return validation(f"{count} validation {noun} detected: " + "; ".join(problems))
