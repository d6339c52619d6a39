"""Events as rows: the fields that every event has, and those found in its message. Pure.

* ``@timestamp``, ``@message``, ``@logStream``, ``@log``, ``@ingestionTime`` and ``@ptr``;
* of Lambda's own lines ``@type``, ``@requestId`` and the figures of REPORT lines;
* every member of the first JSON object in a message, by its path: ``user.name``, ``items.0.id``.

Source: CloudWatch Logs user guide, supported logs and discovered fields.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, cast

import orjson

from alonzo.services.logs.positions import parts_of
from alonzo.services.logs.scan import FoundEvent

#: What a row weighs, and a value of one, beside their texts; and characters of those texts that
#: commands may work out.
_ROW_WEIGHT, _VALUE_WEIGHT = 500, 100
_TEXTS_MAX = 4 << 20
#: Members of a document that are looked at for fields.
_MEMBERS_MAX = 10_000
#: Characters of a path whose members are still looked at.
_PATH_MAX = 4096

#: Fields of one event that are shown. Source: user guide, discovered fields of JSON logs.
_FIELDS_MAX = 200

#: What an expression is worth: a text, a number, or nothing.
Value = str | int | float | None

_REQUEST = re.compile(r"(START|END|REPORT) RequestId: ([0-9a-fA-F-]{36})")
_FIGURE = re.compile(
    r"\t(Duration|Billed Duration|Memory Size|Max Memory Used|Init Duration): "
    r"([0-9.]+) (?:ms|MB)"
)
#: The fields of REPORT lines, and what one of the line's units is in that of the field.
_FIGURES = {
    "Duration": ("@duration", 1),
    "Billed Duration": ("@billedDuration", 1),
    "Init Duration": ("@initDuration", 1),
    "Memory Size": ("@memorySize", 1_000_000),
    "Max Memory Used": ("@maxMemoryUsed", 1_000_000),
}
#: No position is longer; and no database has a greater chunk in one.
_POINTER = re.compile(r"[0-9a-f]{37,47}")
_CHUNK_MAX = (1 << 63) - 1
_DECODER = json.JSONDecoder()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The years 1 to 9999, in which times can be shown.
_SHOWN_MS = range(-62_135_596_800_000, 253_402_300_800_000)


class Row:
    """One row on its way through a query. ``values`` are what commands have worked out."""

    __slots__ = ("_discovered", "_event", "_log", "_texts", "values")

    def __init__(
        self, values: dict[str, Value], event: FoundEvent | None = None, log: str = ""
    ) -> None:
        self.values = values
        self._event = event
        self._log = log
        self._discovered: Mapping[str, Any] | None = None
        self._texts = 0

    def get(self, name: str) -> Value:
        """The value of a field, or None."""
        if name in self.values:
            return self.values[name]
        event = self._event
        if event is None:
            return None
        own = _OWN.get(name)
        if own is not None:
            return own(event)
        if name == "@log":
            return self._log
        if self._discovered is None:
            self._discovered = discover(event.message)
        return _find(self._discovered, name)

    def put(self, name: str, value: Value) -> None:
        """Set what a command has worked out; nothing, where a row would hold too much."""
        if isinstance(value, str):
            if self._texts + len(value) > _TEXTS_MAX:
                value = None
            else:
                self._texts += len(value)
        self.values[name] = value

    def forget(self) -> None:
        """Let go of what can be found again: the document in a message is larger than it."""
        self._discovered = None

    @property
    def weight(self) -> int:
        """About how many characters it holds on to."""
        own = sum(len(each) for each in self.values.values() if isinstance(each, str))
        own += _VALUE_WEIGHT * len(self.values)
        return _ROW_WEIGHT + own + (0 if self._event is None else len(self._event.message))

    @property
    def pointer(self) -> str | None:
        """What names the event, for those rows that are one."""
        return None if self._event is None else _pointer(self._event)


def _pointer(event: FoundEvent) -> str:
    return base64.b64encode(f"{event.at:x}".encode()).decode()


def read_pointer(pointer: str) -> int | None:
    """The position in a pointer, or None if it is none."""
    try:
        text = base64.b64decode(pointer, validate=True).decode()
        at = int(text, 16) if _POINTER.fullmatch(text) else None
    except ValueError:
        return None
    return None if at is None or parts_of(at)[1] > _CHUNK_MAX else at


_OWN: Mapping[str, Callable[[FoundEvent], Value]] = {
    "@timestamp": lambda event: event.timestamp_ms,
    "@ingestionTime": lambda event: event.ingestion_ms,
    "@message": lambda event: event.message,
    "@logStream": lambda event: event.stream,
    "@ptr": _pointer,
}
#: Fields that are times, which are shown as such.
TIMES = frozenset({"@timestamp", "@ingestionTime"})


def fields_of(event: FoundEvent, log: str) -> dict[str, str]:
    """All fields of an event, as texts; those of a JSON document by their paths."""
    shown = {"@log": log, **{name: str(of(event)) for name, of in _OWN.items()}}
    for path, node in islice(_members("", discover(event.message)), _MEMBERS_MAX):
        text = None if isinstance(node, dict | list) else show(_plain(node))
        if text is not None:
            shown[whole(path)] = whole(text)
        if len(shown) >= _FIELDS_MAX:
            break
    return shown


def _members(path: str, document: Any) -> Iterator[tuple[str, Any]]:
    """All that is in a document, and in what is in it, with the paths, in order."""
    waiting = [_own_members(path, document)]
    while waiting:
        for found in waiting[-1]:
            yield found
            if isinstance(found[1], dict | list) and len(found[0]) <= _PATH_MAX:
                waiting.append(_own_members(*found))
                break
        else:
            waiting.pop()


def _own_members(path: str, node: Any) -> Iterator[tuple[str, Any]]:
    start = f"{path}." if path else ""
    pairs: Iterable[tuple[object, Any]] = ()
    if isinstance(node, dict):
        pairs = cast("dict[str, Any]", node).items()
    elif isinstance(node, list):
        pairs = enumerate(cast("list[Any]", node))
    return ((f"{start}{name}", each) for name, each in pairs)


def whole(text: str) -> str:
    """A text without halves of characters, which JSON's escapes allow but which have no bytes."""
    return text.encode("utf-8", "replace").decode()


def discover(message: str) -> Mapping[str, Any]:
    """The fields found in a message."""
    found = _REQUEST.match(message)
    if found is not None:
        fields: dict[str, Any] = {"@type": found[1], "@requestId": found[2]}
        if found[1] == "REPORT":
            for figure in _FIGURE.finditer(message):
                name, factor = _FIGURES[figure[1]]
                fields[name] = float(figure[2]) * factor
        return fields
    start = message.find("{")
    if start < 0:
        return {}
    try:
        document = orjson.loads(message[start:])
    except orjson.JSONDecodeError:
        try:
            document, _ = _DECODER.raw_decode(message, start)
        except (ValueError, RecursionError):
            return {}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}


def _find(fields: Mapping[str, Any], name: str) -> Value:
    if name in fields:
        return _plain(fields[name])
    node: Any = fields
    for step in name.split("."):
        if isinstance(node, dict) and step in node:
            node = cast("dict[str, Any]", node)[step]
        elif isinstance(node, list) and step.isdecimal():
            elements = cast("list[Any]", node)
            if len(step) > 9 or int(step) >= len(elements):
                return None
            node = elements[int(step)]
        else:
            return None
    return _plain(node)


def _plain(node: Any) -> Value:
    if isinstance(node, bool):
        return int(node)
    if node is None or isinstance(node, str | int | float):
        return node
    return json.dumps(node, separators=(",", ":"))


def show(value: Value, *, is_time: bool = False) -> str | None:
    """A value as results have it."""
    if value is None or isinstance(value, str):
        return value
    if is_time:
        return show_time(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def show_time(at_ms: float) -> str:
    """Epoch milliseconds as ``2026-11-21 10:00:00.000``."""
    # Python's own integers may be too long for it to say whether they are finite.
    if (isinstance(at_ms, float) and not math.isfinite(at_ms)) or int(at_ms) not in _SHOWN_MS:
        return str(at_ms)
    moment = _EPOCH + timedelta(milliseconds=int(at_ms))
    return f"{moment:%Y-%m-%d %H:%M:%S}.{int(at_ms) % 1000:03d}"
