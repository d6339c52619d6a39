"""What a target is given: the input of the schedule with its placeholders filled in. Pure.

Source: EventBridge Scheduler user guide, adding context attributes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Occasion:
    """One tick of a schedule, on its way to the target for the so-manyth time, from 1 on."""

    schedule_arn: str
    tick_at_s: float
    attempt: int

    @property
    def time(self) -> str:
        """The time of the tick, as ``2022-03-22T18:59:43Z``."""
        return datetime.fromtimestamp(self.tick_at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def execution_id(self) -> str:
        """16 hexadecimal digits; the same for what is delivered twice, and for nothing else."""
        text = f"{self.schedule_arn} {self.tick_at_s!r} {self.attempt}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def filled_in(text: str, occasion: Occasion) -> str:
    """The input with the values of this occasion."""
    if "<aws.scheduler." not in text:
        return text
    values = {
        "schedule-arn": occasion.schedule_arn,
        "scheduled-time": occasion.time,
        "execution-id": occasion.execution_id,
        "attempt-number": str(occasion.attempt),
    }
    for name, value in values.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def notification(occasion: Occasion) -> str:
    """What targets are given where the schedule has no input."""
    _, _, _, region, account, _ = occasion.schedule_arn.split(":")
    tick = f"{occasion.schedule_arn} {occasion.tick_at_s!r}"
    digest = hashlib.sha256(tick.encode()).hexdigest()
    parts = (digest[:8], digest[8:12], "4" + digest[13:16], "8" + digest[17:20], digest[20:32])
    document = {
        "version": "0",
        "id": "-".join(parts),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": account,
        "time": occasion.time,
        "region": region,
        "resources": [occasion.schedule_arn],
        "detail": "{}",
    }
    return json.dumps(document, separators=(",", ":"))
