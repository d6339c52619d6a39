"""Where records of events and dead letters may go, by the kind of their target. Pure.

| Kind | Of a success | Of a failure | Dead letters |
|---|---|---|---|
| function, queue, topic, event bus | yes | yes | queue and topic |
| bucket | no | yes | no |

Queues and topics are standard ones. Source: Lambda developer guide, asynchronous invocation.
"""

from __future__ import annotations

from enum import StrEnum


class TargetKind(StrEnum):
    """The kind of a target, by the service in its ARN."""

    FUNCTION = "lambda"
    QUEUE = "sqs"
    TOPIC = "sns"
    EVENT_BUS = "events"
    BUCKET = "s3"


#: What may take the records of failures, those of successes, and dead letters.
ON_FAILURE = frozenset(TargetKind)
ON_SUCCESS = ON_FAILURE - {TargetKind.BUCKET}
DEAD_LETTER = frozenset({TargetKind.QUEUE, TargetKind.TOPIC})


_KINDS = {kind.value: kind for kind in TargetKind}


class TargetFault(StrEnum):
    """Why a target that may be one cannot be."""

    MISSING = "missing"
    FORBIDDEN = "forbidden"


def target_kind(arn: str) -> TargetKind | None:
    """The kind of what an ARN names; None if it can be no target: another service, or FIFO."""
    parts = arn.split(":", 5)
    kind = _KINDS.get(parts[2]) if len(parts) == 6 and parts[0] == "arn" else None
    return None if kind in DEAD_LETTER and arn.endswith(".fifo") else kind
