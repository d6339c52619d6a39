"""Events as subscribers get them, by API and version of the schema: pure.

An event is made once, in the words of the newest schema, and written out once for each dialect that
somebody subscribed with.

Source: Lambda developer guide, Telemetry API schema reference and the old Logs API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, cast

import orjson

from alonzo.environments.telemetry.subscription import Kind, Subscription
from alonzo.lib.clock import iso_ms

Record = str | Mapping[str, Any]


class Dialect(Enum):
    """The forms that events take."""

    LOGS_2020 = auto()
    LOGS_2021 = auto()
    TELEMETRY_2022_07 = auto()
    TELEMETRY = auto()


_DIALECTS = {
    (Kind.LOGS, "2020-08-15"): Dialect.LOGS_2020,
    (Kind.LOGS, "2021-03-18"): Dialect.LOGS_2021,
    (Kind.TELEMETRY, "2022-07-01"): Dialect.TELEMETRY_2022_07,
}

#: What the old API has of each platform event; others it does not know.
_LOGS_MEMBERS = {
    "platform.start": ("requestId", "version"),
    "platform.end": ("requestId",),
    "platform.report": ("requestId", "metrics"),
    "platform.extension": ("name", "state", "events", "errorType"),
    "platform.logsSubscription": ("name", "state", "types"),
    "platform.logsDropped": ("droppedBytes", "droppedRecords", "reason"),
}
_LOGS_2021_MEMBERS = {**_LOGS_MEMBERS, "platform.runtimeDone": ("requestId", "status")}

#: What only the old API has.
_LOGS_ONLY = frozenset({"platform.end", "platform.fault", "platform.logsSubscription"})

#: Metrics that the old API has in a report.
_LOGS_METRICS = (
    "durationMs",
    "billedDurationMs",
    "memorySizeMB",
    "maxMemoryUsedMB",
    "initDurationMs",
)


def dialect_of(subscription: Subscription) -> Dialect:
    """The form in which a subscription gets its events."""
    return _DIALECTS.get((subscription.kind, subscription.schema), Dialect.TELEMETRY)


@dataclass(slots=True)
class TelemetryEvent:
    """One event. ``kind`` is ``platform.…``, ``function`` or ``extension``.

    ``structured`` says that a text record which is a JSON object is passed on as the object.
    """

    at_s: float
    kind: str
    record: Record
    structured: bool = False
    _encoded: dict[Dialect, bytes | None] = field(default_factory=dict["Dialect", "bytes | None"])

    @property
    def type(self) -> str:
        """What one subscribes to: ``platform``, ``function`` or ``extension``."""
        return self.kind.partition(".")[0]

    def encoded(self, dialect: Dialect) -> bytes | None:
        """The event in that form; None: there is none."""
        if dialect not in self._encoded:
            record = translate(self, dialect)
            document = None
            if record is not None:
                envelope = {"time": iso_ms(self.at_s), "type": self.kind, "record": record}
                document = orjson.dumps(envelope)
            self._encoded[dialect] = document
        return self._encoded[dialect]


def translate(event: TelemetryEvent, dialect: Dialect) -> Record | None:
    """The record in the words of a dialect; None if that does not know the event."""
    record = event.record
    if isinstance(record, str):
        if event.kind in _LOGS_ONLY and dialect not in (Dialect.LOGS_2020, Dialect.LOGS_2021):
            return None
        if event.structured and dialect is Dialect.TELEMETRY:
            return _object(record)
        return record
    if dialect in (Dialect.TELEMETRY, Dialect.TELEMETRY_2022_07):
        return None if event.kind in _LOGS_ONLY else record
    members = (_LOGS_MEMBERS if dialect is Dialect.LOGS_2020 else _LOGS_2021_MEMBERS).get(
        event.kind
    )
    if members is None:
        return None
    kept = {name: record[name] for name in members if name in record}
    if "metrics" in kept:
        metrics = cast("Mapping[str, Any]", kept["metrics"])
        kept["metrics"] = {name: metrics[name] for name in _LOGS_METRICS if name in metrics}
    return kept


def _object(text: str) -> Record:
    """The JSON object that the text is, or else the text."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        value: Any = orjson.loads(text)
    except ValueError:
        return text
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else text


def dropped_event(at_s: float, records: int, n_bytes: int) -> TelemetryEvent:
    """Tells a subscriber what it missed."""
    reason = (
        "Some logs were dropped because the downstream consumer is slower than the logs "
        "production rate"
    )
    record = {"droppedBytes": n_bytes, "droppedRecords": records, "reason": reason}
    return TelemetryEvent(at_s, "platform.logsDropped", record)
