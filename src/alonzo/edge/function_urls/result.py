"""What a function's answer means as HTTP. Pure.

| The function returns | The client gets |
|---|---|
| an object with ``statusCode`` | that, ``headers``, ``cookies`` as ``set-cookie``, ``body`` |
| a string | 200, the text itself |
| any other JSON | 200, that JSON |
| what is no JSON, as handlers that stream do and custom runtimes may | 200, those bytes |
| an object whose members are of no response | 502 |

Nothing that a function says frames the message or ends a line of its head: names that do are
dropped, and values that could are refused.

Source: Lambda developer guide, "Response payload format"; recorded answers. Of ``www-authenticate``
public reports tell what becomes of it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

Headers = list[tuple[str, str]]

_JSON = "application/json"
#: Of a body whose function did not say what it is.
BYTES_TYPE = "application/octet-stream"

#: Final statuses only: a client waits for more after one below 200.
_STATUS_MIN, _STATUS_MAX = 200, 599
_STATUS = re.compile(r"[0-9]{3}")

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

#: Names that are for us to say, or that belong to one connection.
_OURS = frozenset(
    (
        *("connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "x-amzn-requestid", "x-amzn-trace-id"),
    )
)
_REMAPPED = {"www-authenticate": "x-amzn-remapped-www-authenticate"}


class MalformedResultError(Exception):
    """A function's answer is no HTTP response. The text is for the log, not for the client."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as a function means it. Names of ``headers`` are in lower case."""

    status: int
    headers: Headers
    body: bytes = b""


def read_result(payload: bytes) -> Answer:
    """Read what a function returned.

    Raises:
        MalformedResultError: it is an object that means to be a response, and is none.
    """
    try:
        value: Any = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return Answer(200, [("content-type", BYTES_TYPE)], payload)
    if isinstance(value, dict) and "statusCode" in value:
        document = cast("Mapping[str, Any]", value)
        answer = read_head(document)
        body = _body(document.get("body"), is_base64=document.get("isBase64Encoded") is True)
        return Answer(answer.status, answer.headers, body)
    body = value.encode() if isinstance(value, str) else payload
    return Answer(200, [("content-type", _JSON)], body)


def read_head(document: Mapping[str, Any], default_type: str = _JSON) -> Answer:
    """The status and the headers of a response; without a ``statusCode`` it is 200.

    Raises:
        MalformedResultError: they are none.
    """
    headers: Headers = []
    for name, value in _members(document, "headers"):
        headers += _header(name, [value])
    for name, values in _members(document, "multiValueHeaders"):
        headers += _header(name, _list(values))
    for cookie in _list(document.get("cookies")):
        headers += _header("set-cookie", [cookie])
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", default_type))
    return Answer(_status(document.get("statusCode", 200)), headers)


def _status(value: Any) -> int:
    number = int(value) if isinstance(value, str) and _STATUS.fullmatch(value) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or number % 1:
        raise MalformedResultError("no status")
    if not _STATUS_MIN <= number <= _STATUS_MAX:
        raise MalformedResultError("no status of an answer")
    return int(number)


def _members(document: Mapping[str, Any], member: str) -> Iterable[tuple[str, Any]]:
    value = document.get(member)
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise MalformedResultError(f"{member} is no object")
    return cast("dict[str, Any]", value).items()


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedResultError("not a list")
    return cast("list[Any]", value)


def _header(name: str, values: Iterable[Any]) -> Headers:
    name = name.lower()
    if not _NAME.fullmatch(name):
        raise MalformedResultError("no name of a header")
    if name in _OURS:
        return []
    name = _REMAPPED.get(name, name)
    return [(name, _value(value)) for value in values if value is not None]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str) or _CONTROL.search(value):
        raise MalformedResultError("no value of a header")
    return value.strip(" \t")


def _body(value: Any, *, is_base64: bool) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, str):
        return orjson.dumps(value)
    if not is_base64:
        return value.encode()
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedResultError("the body is not base64") from error
