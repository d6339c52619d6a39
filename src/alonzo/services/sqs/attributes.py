"""The attributes of queues: their defaults, what they may be set to, and how they are shown. Pure.

| Attribute | Values | Default |
|---|---|---|
| ``DelaySeconds`` | 0 to 900 | 0 |
| ``MaximumMessageSize`` | 1,024 to 1,048,576 bytes | 1,048,576 |
| ``MessageRetentionPeriod`` | 60 to 1,209,600 | 345,600 |
| ``ReceiveMessageWaitTimeSeconds`` | 0 to 20 | 0 |
| ``VisibilityTimeout`` | 0 to 43,200 | 30 |
| ``KmsDataKeyReusePeriodSeconds`` | 60 to 86,400 | 300 |
| ``SqsManagedSseEnabled`` | true, false | true, unless a key of KMS is named |
| ``ContentBasedDeduplication`` (FIFO) | true, false | false |
| ``DeduplicationScope`` (FIFO) | queue, messageGroup | queue |
| ``FifoThroughputLimit`` (FIFO) | perQueue, perMessageGroupId | perQueue |

``Policy``, ``RedrivePolicy``, ``RedriveAllowPolicy`` and ``KmsMasterKeyId`` are taken away with an
empty value. Source: SQS API reference, CreateQueue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, cast

from alonzo.lib.policies.compiled import PolicyError
from alonzo.lib.policies.grammar import read_resource_based, statements_of
from alonzo.services.sqs.errors import (
    invalid_attribute,
    invalid_attribute_name,
    invalid_for_parameter,
    invalid_value,
    unknown_attribute,
)
from alonzo.services.sqs.queue import FIFO_SUFFIX, Queue, QueueKey, Redrive, RedriveAllow
from alonzo.services.sqs.redrive import read_redrive, read_redrive_allow

#: Bytes of a queue's policy. Source: SQS developer guide, quotas related to policies.
POLICY_BYTES_MAX = 8192

#: Least, most and default. Source: SQS API reference, CreateQueue.
_NUMBERS: Mapping[str, tuple[int, int, int]] = {
    "DelaySeconds": (0, 900, 0),
    "MaximumMessageSize": (1024, 1_048_576, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600, 345_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20, 0),
    "VisibilityTimeout": (0, 43_200, 30),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400, 300),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoQueue": ("true", "false"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
    "SqsManagedSseEnabled": ("true", "false"),
}
_TEXTS = frozenset({"KmsMasterKeyId", "Policy", "RedriveAllowPolicy", "RedrivePolicy"})
_SETTABLE = _TEXTS | _NUMBERS.keys() | _CHOICES.keys()
_COMPUTED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
)
#: Every attribute that GetQueueAttributes can be asked for.
READABLE = frozenset({*_SETTABLE, *_COMPUTED})

_OF_HIGH_THROUGHPUT = frozenset({"DeduplicationScope", "FifoThroughputLimit"})
_OF_FIFO = frozenset({"ContentBasedDeduplication", "FifoQueue"}) | _OF_HIGH_THROUGHPUT
_FIFO_DEFAULTS = {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}

_NUMBER = re.compile(r"[0-9]{1,9}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_KEY_CHARS_MAX = 2048

_BAD_NAME = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
_BAD_FIFO_NAME = (
    "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
    "must end with .fifo suffix and be 1 to 80 in length."
)
_TWO_ENCRYPTIONS = (
    "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS "
    "SSE or SQS SSE."
)

Attributes = Mapping[str, str]


def checked_for_new(name: str, given: Attributes) -> dict[str, str]:
    """The attributes of a queue to be made, in their canonical form.

    Raises:
        AwsError: the name or a value is bad.
    """
    is_fifo = given.get("FifoQueue", "").lower() == "true"
    if not is_fifo and _NAME.fullmatch(name) is None:
        raise invalid_value(_BAD_NAME)
    if is_fifo and (
        not name.endswith(FIFO_SUFFIX) or _NAME.fullmatch(name.replace(".", "_")) is None
    ):
        raise invalid_value(_BAD_FIFO_NAME)
    return _without_empty(_checked({}, given, is_fifo=is_fifo))


def checked_change(queue: Queue, given: Attributes) -> dict[str, str]:
    """All attributes that are set on a queue after some of them were given anew.

    Raises:
        AwsError: a value is bad.
    """
    return _without_empty(_checked(queue.attributes, given, is_fifo=queue.is_fifo))


def differing(queue: Queue, wanted: Attributes) -> str | None:
    """The first of the wanted attributes that a queue has another value for, or None."""
    has = {**_defaults(is_fifo=queue.is_fifo), **queue.attributes, **_encryption(queue)}
    return next((name for name, value in wanted.items() if has.get(name) != value), None)


def shown(queue: Queue) -> dict[str, str]:
    """Every attribute of a queue but for the counts of its messages."""
    attributes = {
        **_defaults(is_fifo=queue.is_fifo),
        **queue.attributes,
        **_encryption(queue),
        "CreatedTimestamp": str(int(queue.created_at_s)),
        "LastModifiedTimestamp": str(int(queue.modified_at_s)),
        "QueueArn": queue.arn,
    }
    if queue.kms_key_id is None:
        del attributes["KmsDataKeyReusePeriodSeconds"]
    return attributes


def queue_of(
    queue_id: int,
    revision: int,
    key: QueueKey,
    *,
    created_at_s: float,
    modified_at_s: float,
    attributes: Attributes,
    tags: Mapping[str, str],
) -> Queue:
    """The queue that attributes, checked before, make."""
    is_fifo = attributes.get("FifoQueue") == "true"
    has = {**_defaults(is_fifo=is_fifo), **attributes}
    key_id = attributes.get("KmsMasterKeyId")
    return Queue(
        id=queue_id,
        revision=revision,
        key=key,
        created_at_s=created_at_s,
        modified_at_s=modified_at_s,
        is_fifo=is_fifo,
        delay_s=int(has["DelaySeconds"]),
        message_bytes_max=int(has["MaximumMessageSize"]),
        retention_s=int(has["MessageRetentionPeriod"]),
        receive_wait_s=int(has["ReceiveMessageWaitTimeSeconds"]),
        visibility_s=int(has["VisibilityTimeout"]),
        redrive=_redrive(attributes),
        redrive_allow=_redrive_allow(attributes),
        policy=attributes.get("Policy"),
        kms_key_id=key_id,
        kms_data_key_reuse_s=int(has["KmsDataKeyReusePeriodSeconds"]),
        managed_encryption=key_id is None and has["SqsManagedSseEnabled"] == "true",
        content_based_deduplication=has.get("ContentBasedDeduplication") == "true",
        deduplication_scope=cast(
            'Literal["queue", "messageGroup"]', has.get("DeduplicationScope", "queue")
        ),
        throughput_limit=cast(
            'Literal["perQueue", "perMessageGroupId"]', has.get("FifoThroughputLimit", "perQueue")
        ),
        attributes=attributes,
        tags=tags,
    )


def _checked(before: Attributes, given: Attributes, *, is_fifo: bool) -> dict[str, str]:
    canonical = {name: _canonical(name, value, is_fifo) for name, value in given.items()}
    if before and given.get("FifoQueue", "true").lower() != "true":
        raise invalid_value(
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not "
            "supported."
        )
    merged = {**before, **canonical}
    # Naming a key turns the other encryption off; turning that on beside a key is refused.
    if merged.get("KmsMasterKeyId"):
        if canonical.get("SqsManagedSseEnabled") == "true":
            raise invalid_attribute_name(_TWO_ENCRYPTIONS)
        merged["SqsManagedSseEnabled"] = "false"
    if (
        merged.get("FifoThroughputLimit") == "perMessageGroupId"
        and merged.get("DeduplicationScope") != "messageGroup"
    ):
        raise invalid_attribute("FifoThroughputLimit")
    return merged


def _canonical(name: str, value: str, is_fifo: bool) -> str:
    if name in _OF_HIGH_THROUGHPUT and not is_fifo:
        raise invalid_attribute_name(
            f"You can specify the {name} only when FifoQueue is set to true."
        )
    if name not in _SETTABLE or (name in _OF_FIFO and not is_fifo):
        raise unknown_attribute(name)
    if name in _NUMBERS:
        return _number(name, value)
    if name in _CHOICES:
        return _choice(name, value)
    if not value:
        return ""
    if name == "KmsMasterKeyId":
        if len(value) > _KEY_CHARS_MAX:
            raise invalid_attribute(name)
        return value
    if name == "Policy":
        _check_policy(value)
        return value
    return read_redrive(value)[1] if name == "RedrivePolicy" else read_redrive_allow(value)[1]


def _number(name: str, value: str) -> str:
    least, most, _ = _NUMBERS[name]
    if _NUMBER.fullmatch(value) is None or not least <= int(value) <= most:
        raise invalid_attribute(name)
    return str(int(value))


def _choice(name: str, value: str) -> str:
    found = next((each for each in _CHOICES[name] if each.lower() == value.lower()), None)
    if found is None:
        raise invalid_attribute(name)
    return found


def _check_policy(text: str) -> None:
    if len(text.encode()) > POLICY_BYTES_MAX:
        raise invalid_attribute("Policy")
    try:
        document, _ = read_resource_based(text)
    except PolicyError:
        raise invalid_attribute("Policy") from None
    for statement in statements_of(document):
        actions = statement.get("Action", ())
        for action in [actions] if isinstance(actions, str) else actions:
            if action != "*" and not action.lower().startswith("sqs:"):
                raise invalid_for_parameter(
                    text, "Policy", "Policy statement action out of service scope!"
                )


def _defaults(*, is_fifo: bool) -> dict[str, str]:
    return {
        **{name: str(default) for name, (_, _, default) in _NUMBERS.items()},
        "SqsManagedSseEnabled": "true",
        **(_FIFO_DEFAULTS if is_fifo else {}),
    }


def _encryption(queue: Queue) -> dict[str, str]:
    return {"SqsManagedSseEnabled": "true" if queue.managed_encryption else "false"}


def _redrive(attributes: Attributes) -> Redrive | None:
    text = attributes.get("RedrivePolicy")
    return read_redrive(text)[0] if text else None


def _redrive_allow(attributes: Attributes) -> RedriveAllow | None:
    text = attributes.get("RedriveAllowPolicy")
    return read_redrive_allow(text)[0] if text else None


def _without_empty(attributes: Attributes) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if value}
