"""RedrivePolicy and RedriveAllowPolicy: reading them, and whether one queue may use another. Pure.

A value is answered as it is understood: the count as a number, and nothing that means nothing.
Source: SQS API reference, CreateQueue; texts as recorded from it, ours where a comment says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from alonzo.model.errors import AwsError
from alonzo.services.sqs.errors import invalid_attribute, invalid_for_parameter
from alonzo.services.sqs.names import key_of_arn
from alonzo.services.sqs.queue import Queue, QueueKey, Redrive, RedriveAllow

_RECEIVES_MAX = 1000
_SOURCES_MAX = 10
_TEXT_BYTES_MAX = 8192


def read_redrive(text: str) -> tuple[Redrive, str]:
    """A RedrivePolicy, and its canonical text.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    members = _members(text)
    if members is None:
        raise _bad(text, "Redrive policy is not a valid JSON map.")
    arn = members.get("deadLetterTargetArn")
    if arn is None:
        raise _bad(
            text, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."
        )
    if not isinstance(arn, str) or key_of_arn(arn) is None:
        raise _bad(text, "Invalid value for deadLetterTargetArn.")
    if members.get("maxReceiveCount") is None:
        raise _bad(text, "Redrive policy does not contain mandatory attribute: maxReceiveCount.")
    count = _count(members["maxReceiveCount"])
    if count is None:
        raise _bad(
            text,
            f"Invalid value for maxReceiveCount: {members['maxReceiveCount']}, valid values are "
            f"from 1 to {_RECEIVES_MAX} both inclusive.",
        )
    canonical = {"deadLetterTargetArn": arn, "maxReceiveCount": count}
    return Redrive(arn, count), _compact(canonical)


def read_redrive_allow(text: str) -> tuple[RedriveAllow, str]:
    """A RedriveAllowPolicy, and its canonical text.

    Raises:
        AwsError: InvalidAttributeValue.
    """
    members = _members(text)
    permission = None if members is None else members.get("redrivePermission", "allowAll")
    arns = _sources(None if members is None else members.get("sourceQueueArns"))
    if (
        permission not in ("allowAll", "denyAll", "byQueue")
        or arns is None
        or (permission == "byQueue") != bool(arns)
    ):
        raise invalid_attribute("RedriveAllowPolicy")
    canonical: dict[str, Any] = {"redrivePermission": permission}
    if arns:
        canonical["sourceQueueArns"] = list(arns)
    return RedriveAllow(permission, arns), _compact(canonical)


def check_target(text: str, source: QueueKey, *, is_fifo: bool, target: Queue | None) -> None:
    """Refuse a dead-letter queue that a queue cannot have. ``text`` is the RedrivePolicy.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    redrive, _ = read_redrive(text)
    key = key_of_arn(redrive.dead_letter_arn)
    assert key is not None, "what was read is an ARN"
    if key.account != source.account:
        raise _bad(text, "Dead letter target owner should be same as the source.")
    if target is None or key.region != source.region:
        raise _bad(text, "Dead letter target does not exist.")
    if target.is_fifo != is_fifo:
        raise _bad(text, "Dead-letter queue must be same type of queue as the source.")
    if target.redrive_allow is not None and not target.redrive_allow.allows(source.arn):
        # The text is ours.
        raise _bad(text, "The dead-letter queue does not allow this source queue.")


def _members(text: str) -> Mapping[str, Any] | None:
    if len(text) > _TEXT_BYTES_MAX:
        return None
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else None


def _sources(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return ()
    if not isinstance(value, list):
        return None
    arns = cast("list[Any]", value)
    if len(arns) > _SOURCES_MAX:
        return None
    if not all(isinstance(each, str) and key_of_arn(each) for each in arns):
        return None
    return tuple(arns)


def _count(value: Any) -> int | None:
    """A count as a number, or as text: several tools write it so."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _RECEIVES_MAX:
        return value
    return None


def _bad(text: str, reason: str) -> AwsError:
    return invalid_for_parameter(text, "RedrivePolicy", reason)


def _compact(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
