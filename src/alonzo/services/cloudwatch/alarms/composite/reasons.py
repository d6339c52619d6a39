"""Why a composite alarm is in its state: a sentence, and a JSON document. Pure.

Source: CloudWatch user guide, alarm events; as recorded in public.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from heapq import nsmallest
from typing import Any

from alonzo.lib.clock import utc
from alonzo.services.cloudwatch.alarms.evaluation import State
from alonzo.services.cloudwatch.alarms.reasons import moment

#: Alarms that a document lists, and characters of one. Source: alarm e-mails; StateReasonData.
_LISTED_MAX, _DATA_MAX = 10, 4000
_REASON_MAX = 1023


def after_put(arn: str, *, created: bool, state: State) -> str:
    """The alarm was put. The text of an update is ours, after that of a creation."""
    done = "created" if created else "updated"
    return f"{arn} was {done} and its alarm rule evaluates to {state}"[:_REASON_MAX]


def after_child(arn: str, state: State, at_s: float) -> str:
    """An alarm that it looks at has changed."""
    at = f"{utc(at_s):%A %d %B, %Y %H:%M:%S} UTC"
    return f"{arn} transitioned to {state} at {at}"[:_REASON_MAX]


def data_of(because: Iterable[tuple[str, State, float]]) -> str:
    """The document: ARN, state and time of change of the alarms that suffice, the last first."""
    last = nsmallest(_LISTED_MAX, because, key=lambda each: (-each[2], each[0]))
    shown: list[dict[str, Any]] = [
        {"arn": arn, "state": {"value": state, "timestamp": moment(at_s)}}
        for arn, state, at_s in last
    ]
    while True:
        text = json.dumps({"triggeringAlarms": shown}, separators=(",", ":"))
        if len(text) <= _DATA_MAX:
            return text
        shown.pop()


def children_of(data: str | None) -> list[dict[str, Any]]:
    """The alarms that a document lists, as messages to topics have them."""
    try:
        found: Any = json.loads(data or "{}")
        return [
            {
                "Arn": each["arn"],
                "State": {
                    "Value": each["state"]["value"],
                    "Timestamp": each["state"]["timestamp"],
                },
            }
            for each in found["triggeringAlarms"]
        ]
    except (ValueError, KeyError, TypeError):
        # Anybody may set a state with any JSON.
        return []
