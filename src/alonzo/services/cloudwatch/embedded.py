"""Metrics embedded in log lines (the embedded metric format). Pure.

    {"_aws": {"Timestamp": 1700000000000, "CloudWatchMetrics": [{"Namespace": "shop",
        "Dimensions": [["Service"]], "Metrics": [{"Name": "Orders", "Unit": "Count"}]}]},
     "Service": "checkout", "Orders": 3}

* A line is a document if it is one JSON object with ``_aws.CloudWatchMetrics``; other lines are not
  looked at.
* What is wrong is left out, never the line itself: a document that cannot be read counts as
  ``EMFParsingErrors``, a directive that breaks a rule as ``EMFValidationErrors``, both in
  ``AWS/Logs`` by ``LogGroupName``. The other directives of the line count.
* One flush reads so much and no more (``limits.py``); what is past that counts as such an error.

Source: CloudWatch user guide, specification of the embedded metric format; CloudWatch Logs user
guide, monitoring with metrics.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeGuard, cast

import orjson

from alonzo.model.ports.logs import LateEvents, LogEvent, LogStream
from alonzo.services.cloudwatch.journal import PointEntry
from alonzo.services.cloudwatch.limits import (
    DIMENSIONS_MAX,
    EMF_FLUSH_BYTES_MAX,
    EMF_FLUSH_POINTS_MAX,
    EMF_METRICS_MAX,
    EMF_VALUES_MAX,
    TOO_NEW_S,
    TOO_OLD_S,
    VALUE_MAX,
)
from alonzo.services.cloudwatch.series import dimensions_of, start_of

_SIZES = tuple(
    f"{scale}{what}s" for scale in ("", "Kilo", "Mega", "Giga", "Tera") for what in ("byte", "bit")
)
UNITS = frozenset(
    {"Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"}
    | {size.capitalize() for size in _SIZES}
    | {f"{size.capitalize()}/Second" for size in _SIZES}
)

_PARSING, _VALIDATION = "EMFParsingErrors", "EMFValidationErrors"
_NAME_MAX = 255
_DIMENSION_MAX = 1024


class _WrongError(Exception):
    """A directive breaks a rule."""


#: Where values go: namespace, name, dimensions, unit, grain and start.
_Place = tuple[str, str, tuple[tuple[str, str], ...], str, int, int]


def read_embedded(
    lines: Iterable[tuple[LogStream, Sequence[LogEvent]]], now_s: float
) -> list[PointEntry]:
    """The points of all embedded documents among the lines, and of what was wrong with them."""
    reader: _Reader | None = None
    for stream, events in lines:
        if isinstance(events, LateEvents):  # Our own lines, which hold no such document.
            continue
        for event in events:
            message = event.message
            if '"_aws"' in message and '"CloudWatchMetrics"' in message:
                reader = reader or _Reader(now_s)
                reader.read(stream, message, event.timestamp_ms)
    return [] if reader is None else list(reader.points())


class _Reader:
    """Collects the values of one flush."""

    def __init__(self, now_s: float) -> None:
        self._now_s = now_s
        self._bytes = 0
        self._count = 0
        self._values: dict[tuple[str, str, _Place], list[float]] = {}
        self._errors: Counter[tuple[str, str, str, str]] = Counter()

    def read(self, stream: LogStream, message: str, written_ms: int) -> None:
        text = message.strip()
        if not text.startswith("{"):
            return
        where = stream.account, stream.region
        self._bytes += len(text)
        if self._bytes > EMF_FLUSH_BYTES_MAX or self._count >= EMF_FLUSH_POINTS_MAX:
            self._errors[*where, stream.group, _VALIDATION] += 1
            return
        try:
            document = orjson.loads(text)
        except ValueError:  # A lone surrogate, which UTF-8 does not have, is one too.
            self._errors[*where, stream.group, _PARSING] += 1
            return
        if not isinstance(document.get("_aws"), dict):
            return
        metadata: dict[str, Any] = document["_aws"]
        directives = metadata.get("CloudWatchMetrics")
        if directives is None:
            return
        at_s = self._time_of(metadata, written_ms)
        if at_s is None or not isinstance(directives, list):
            self._errors[*where, stream.group, _VALIDATION] += 1
            return
        for directive in cast("list[Any]", directives)[:EMF_METRICS_MAX]:
            try:
                room = EMF_FLUSH_POINTS_MAX - self._count
                found = list(islice(_values(directive, document, at_s), room))
            except _WrongError:
                self._errors[*where, stream.group, _VALIDATION] += 1
                continue
            for place, values in found:
                self._count += 1
                self._values.setdefault((*where, place), []).extend(values)

    def _time_of(self, metadata: dict[str, Any], written_ms: int) -> float | None:
        timestamp = metadata.get("Timestamp", written_ms)
        if not _is_number(timestamp):
            return None
        at_s = timestamp / 1000
        in_time = self._now_s - TOO_OLD_S <= at_s <= self._now_s + TOO_NEW_S
        return at_s if in_time else None

    def points(self) -> Iterator[PointEntry]:
        for (account, region, place), values in self._values.items():
            namespace, name, dimensions, unit, period_s, start_s = place
            yield PointEntry(
                account,
                region,
                namespace,
                name,
                list(dimensions),
                unit,
                period_s,
                start_s,
                values,
                None,
                None,
            )
        minute_s = start_of(self._now_s, 60)
        for (account, region, group, name), count in self._errors.items():
            yield PointEntry(
                account,
                region,
                "AWS/Logs",
                name,
                [("LogGroupName", group)],
                "Count",
                60,
                minute_s,
                [1.0],
                [float(count)],
                None,
            )


def _values(
    directive: Any, document: Mapping[str, Any], at_s: float
) -> Iterator[tuple[_Place, list[float]]]:
    """Where each metric of a directive goes, under each set of dimensions, and its values."""
    if not isinstance(directive, dict):
        raise _WrongError
    members = cast("dict[str, Any]", directive)
    namespace, sets, metrics = (members.get(n) for n in ("Namespace", "Dimensions", "Metrics"))
    if not _is_text(namespace, _NAME_MAX) or namespace.startswith((":", "AWS/")):
        raise _WrongError
    if not isinstance(sets, list | None) or not isinstance(metrics, list):
        raise _WrongError
    if max(len(cast("list[Any]", metrics)), len(cast("list[Any]", sets or []))) > EMF_METRICS_MAX:
        raise _WrongError
    dimensions = [_dimensions(each, document) for each in cast("list[Any]", sets or [[]])]
    for metric in cast("list[Any]", metrics):
        if not isinstance(metric, dict):
            raise _WrongError
        facts = cast("dict[str, Any]", metric)
        name, unit = facts.get("Name"), facts.get("Unit", "None")
        resolution = facts.get("StorageResolution", 60)
        if not _is_text(name, _NAME_MAX) or resolution not in (1, 60):
            raise _WrongError
        if not isinstance(unit, str) or unit not in UNITS:
            raise _WrongError
        values = _numbers(document.get(name))
        start_s = start_of(at_s, resolution)
        for each in dimensions:
            yield (namespace, name, each, unit, resolution, start_s), values


def _dimensions(names: Any, document: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    if not isinstance(names, list) or len(cast("list[Any]", names)) > DIMENSIONS_MAX:
        raise _WrongError
    pairs: list[tuple[str, str]] = []
    for name in cast("list[Any]", names):
        if not _is_text(name, _NAME_MAX):
            raise _WrongError
        value = document.get(name)
        if not _is_text(value, _DIMENSION_MAX):
            raise _WrongError
        pairs.append((name, value))
    return dimensions_of(pairs)


def _numbers(value: Any) -> list[float]:
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not values or len(values) > EMF_VALUES_MAX:
        raise _WrongError
    if not all(_is_number(each) for each in values):
        raise _WrongError
    return [float(each) for each in values]


def _is_text(value: Any, length_max: int) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= length_max and value.isprintable()


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and abs(value) <= VALUE_MAX
