"""What a subscription says, checked: pure.

Source: Lambda developer guide, Telemetry API reference and the old Logs API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast
from urllib.parse import urlsplit

import orjson


class Kind(Enum):
    """Which of the two APIs a subscription belongs to: its name in errors."""

    TELEMETRY = "Telemetry"
    LOGS = "Logs"


#: The versions of the schema, oldest first; the first is meant where none is given.
SCHEMAS = {
    Kind.TELEMETRY: ("2022-07-01", "2022-12-13", "2025-01-29"),
    Kind.LOGS: ("2020-08-15", "2021-03-18"),
}
TYPES = ("platform", "function", "extension")

#: Names of the environment's own loopback.
_HOSTS = ("sandbox.localdomain", "sandbox", "localhost", "127.0.0.1")
_RESERVED_PORT = 9001
_PATH = re.compile(r"/[!-~]*")
_PORT_MAX = 65535

#: Lowest, highest and default values.
_LIMITS = {
    "maxItems": (1_000, 10_000),
    "maxBytes": (262_144, 1_048_576),
    "timeoutMs": (25, 30_000),
}
_DEFAULTS = {
    Kind.TELEMETRY: {"maxItems": 1_000, "maxBytes": 262_144, "timeoutMs": 1_000},
    Kind.LOGS: {"maxItems": 10_000, "maxBytes": 262_144, "timeoutMs": 1_000},
}


class InvalidSubscriptionError(Exception):
    """The body of a subscription does not hold; the text lists everything that is wrong."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where events go, which, and how many at a time.

    ``path`` is None for TCP, where events are lines; else they are posted there as an array.
    """

    kind: Kind
    schema: str
    types: tuple[str, ...]
    port: int
    path: str | None
    items_max: int
    bytes_max: int
    timeout_s: float


def parse_subscription(kind: Kind, body: bytes) -> Subscription:
    """Read and check the body of a subscription.

    Raises:
        InvalidSubscriptionError: it does not hold.
    """
    try:
        document: Any = orjson.loads(body)
    except ValueError as err:
        raise InvalidSubscriptionError("the body is not JSON") from err
    if not isinstance(document, dict):
        raise InvalidSubscriptionError("the body is no JSON object")
    members = cast("dict[str, Any]", document)
    wrong: list[str] = []
    schema = _schema(kind, members.get("schemaVersion"), wrong)
    port, path = _destination(members.get("destination"), wrong)
    types = _types(members.get("types"), wrong)
    buffering = _buffering(kind, members.get("buffering"), wrong)
    if wrong:
        raise InvalidSubscriptionError("; ".join(wrong))
    return Subscription(
        kind,
        schema,
        types,
        port,
        path,
        items_max=buffering["maxItems"],
        bytes_max=buffering["maxBytes"],
        timeout_s=buffering["timeoutMs"] / 1000,
    )


def _schema(kind: Kind, stated: Any, wrong: list[str]) -> str:
    known = SCHEMAS[kind]
    if stated is None:
        return known[0]
    if stated not in known:
        wrong.append(f"schemaVersion should be one of {', '.join(known)}")
        return known[0]
    return stated


def _types(stated: Any, wrong: list[str]) -> tuple[str, ...]:
    if not isinstance(stated, list) or not stated:
        wrong.append("types should not be empty")
        return ()
    listed = cast("list[Any]", stated)
    if any(kind not in TYPES for kind in listed):
        wrong.append(f"types should be among {', '.join(TYPES)}")
    return tuple(kind for kind in TYPES if kind in listed)


def _buffering(kind: Kind, stated: Any, wrong: list[str]) -> dict[str, int]:
    values = dict(_DEFAULTS[kind])
    if stated is None:
        return values
    if not isinstance(stated, dict):
        wrong.append("buffering is no JSON object")
        return values
    given = cast("dict[str, Any]", stated)
    for name, (lowest, highest) in _LIMITS.items():
        value: Any = given.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            wrong.append(f"{name} should be between {lowest} and {highest}")
        else:
            values[name] = value
    return values


def _destination(stated: Any, wrong: list[str]) -> tuple[int, str | None]:
    if not isinstance(stated, dict):
        wrong.append("destination is not provided")
        return 0, None
    given = cast("Mapping[str, Any]", stated)
    protocol: Any = given.get("protocol")
    if protocol not in ("HTTP", "TCP"):
        wrong.append("destination protocol should be HTTP or TCP")
        return 0, None
    if protocol == "TCP" and given.get("URI") is None:
        port: Any = given.get("port")
        path = None
    else:
        port, path = _uri(given.get("URI"), wrong)
        if port is None:
            return 0, None
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port <= _PORT_MAX:
        wrong.append("port is not provided")
        return 0, None
    if port == _RESERVED_PORT:
        wrong.append(f"port {_RESERVED_PORT} is reserved")
    return port, None if protocol == "TCP" else path


def _uri(stated: Any, wrong: list[str]) -> tuple[int | None, str | None]:
    """Port and path; port is None if that is wrong, and ``wrong`` says so."""
    if not isinstance(stated, str) or not stated:
        wrong.append("URI is not provided")
        return None, None
    try:
        uri = urlsplit(stated)
        port = uri.port
    except ValueError:
        wrong.append("URI is invalid")
        return None, None
    path = (uri.path or "/") + (f"?{uri.query}" if uri.query else "")
    if uri.scheme.lower() not in ("http", "tcp"):
        wrong.append("URI scheme should be http")
    elif (uri.hostname or "") not in _HOSTS:
        wrong.append("URI host should be sandbox.localdomain")
    elif not _PATH.fullmatch(path):
        wrong.append("URI is invalid")
    elif not port:
        wrong.append("URI port is not provided")
    else:
        return port, path
    return None, None
