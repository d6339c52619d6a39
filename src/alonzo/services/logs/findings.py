"""What filters and live tails find in events that are being written. Pure; runs in a thread.

A chunk is looked at as it will be stored: what is found in it is named by its place there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson

from alonzo.model.ports.logs import FoundValue
from alonzo.services.logs.chunks import Chunk, unpack
from alonzo.services.logs.filter_pattern.extraction import number_of, text_of
from alonzo.services.logs.filters import MetricFilter, SubscriptionFilter
from alonzo.services.logs.limits import (
    METRIC_DIMENSION_MAX,
    METRIC_PAST_MS,
    METRIC_VALUE_MAX,
    TOO_NEW_MS,
)
from alonzo.services.logs.rules import GroupKey

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Found:
    """Events that a subscription wants: the places of a chunk, as JSON. ``chunk`` is its index."""

    filter: SubscriptionFilter
    chunk: int
    places: bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """An event that a live tail shows."""

    group: GroupKey
    stream: str
    timestamp_ms: int
    ingestion_ms: int
    message: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """A live tail: which streams and events it wants, and how it takes them."""

    wants_stream: Callable[[str], bool]
    matches: Callable[[str], bool] | None
    show: Callable[[Sequence[Shown], int], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """Everybody who watches a group at a moment."""

    group: GroupKey
    subscriptions: Sequence[SubscriptionFilter]
    metrics: Sequence[MetricFilter]
    viewers: Sequence[Viewer]


@dataclass(slots=True)
class Findings:
    """What was found in the new events of one stream. ``shown``: by viewer, with how many more."""

    pushes: list[Found] = field(default_factory=list[Found])
    values: list[FoundValue] = field(default_factory=list[FoundValue])
    shown: list[tuple[Viewer, list[Shown], int]] = field(
        default_factory=list[tuple[Viewer, list[Shown], int]]
    )


#: Events of one write that one live tail keeps; it shows no more in a second anyway.
SHOWN_MAX = 500


def look(watch: Watch, stream: str, chunks: Sequence[Chunk], now_ms: int) -> Findings:
    """Look at the new chunks of a stream for all who watch its group."""
    findings = Findings()
    viewers = [each for each in watch.viewers if each.wants_stream(stream)]
    shown: dict[int, list[Shown]] = defaultdict(list)
    more: dict[int, int] = defaultdict(int)
    for index, chunk in enumerate(chunks):
        ingestion_ms, times, messages = unpack(chunk.body)
        for each in watch.subscriptions:
            places = _places(each.matches, messages)
            if places:
                findings.pushes.append(Found(each, index, orjson.dumps(places)))
        for metric in watch.metrics:
            findings.values += _values(metric, watch.group, times, messages, now_ms)
        for at, viewer in enumerate(viewers):
            for place in _places(viewer.matches, messages):
                if len(shown[at]) == SHOWN_MAX:
                    more[at] += 1
                    continue
                shown[at].append(
                    Shown(watch.group, stream, times[place], ingestion_ms, messages[place])
                )
    findings.shown = [(viewers[at], events, more[at]) for at, events in shown.items() if events]
    return findings


def _places(matches: Callable[[str], bool] | None, messages: Sequence[str]) -> list[int]:
    if matches is None:
        return list(range(len(messages)))
    return [place for place, message in enumerate(messages) if matches(message)]


def _values(
    metric: MetricFilter,
    group: GroupKey,
    times: Sequence[int],
    messages: Sequence[str],
    now_ms: int,
) -> list[FoundValue]:
    """The values of one chunk, added up by minute and dimensions; and the defaults."""
    into = metric.transformation
    found: dict[tuple[int, tuple[tuple[str, str], ...]], dict[float, int]] = {}
    quiet: set[int] = set()
    for at_ms, message in zip(times, messages, strict=True):
        if not now_ms - METRIC_PAST_MS < at_ms < now_ms + TOO_NEW_MS:
            continue
        minute_s = at_ms // _MINUTE_MS * 60
        if metric.matches is not None and not metric.matches(message):
            quiet.add(minute_s)
            continue
        value = number_of(into.read(message))
        dimensions = _dimensions(metric, message)
        if value is not None and abs(value) <= METRIC_VALUE_MAX and dimensions is not None:
            counts = found.setdefault((minute_s, dimensions), {})
            counts[value] = counts.get(value, 0) + 1

    def value_of(
        minute_s: int, dimensions: tuple[tuple[str, str], ...], counts: dict[float, int]
    ) -> FoundValue:
        return FoundValue(
            group.account,
            group.region,
            into.namespace,
            into.metric,
            dimensions,
            into.unit,
            minute_s,
            counts,
        )

    values = [value_of(*where, counts) for where, counts in found.items()]
    if into.default is not None:
        reported = {minute_s for minute_s, _ in found}
        # Once in a minute, and not where that minute has had a value: as far as we know.
        values += [
            value_of(minute_s, (), {into.default: 1})
            for minute_s in sorted(quiet - reported)
            if minute_s > metric.reported_s
        ]
        metric.reported_s = max([metric.reported_s, *reported, *quiet])
    return values


def _dimensions(metric: MetricFilter, message: str) -> tuple[tuple[str, str], ...] | None:
    """Names and values; None if the event lacks one of them."""
    pairs: list[tuple[str, str]] = []
    for name, read in metric.transformation.dimensions.items():
        value = read(message)
        if value is None or isinstance(value, dict | list):
            return None
        text = text_of(value)
        if not 0 < len(text) <= METRIC_DIMENSION_MAX or not text.isprintable():
            return None
        pairs.append((name, text))
    return tuple(sorted(pairs))
