"""How a received message looks: its attributes, those that were asked for, and its handle. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from alonzo.services.sqs.errors import unknown_attribute
from alonzo.services.sqs.messages import attributes as rules
from alonzo.services.sqs.messages.entries import attributes_of
from alonzo.services.sqs.messages.receipts import Receipt
from alonzo.services.sqs.messages.records import sequence_number
from alonzo.services.sqs.queue import Queue

#: What ``AttributeNames`` and ``MessageSystemAttributeNames`` may ask for, beside ``All``.
SYSTEM_NAMES = frozenset(
    {
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
        "SequenceNumber",
        "MessageDeduplicationId",
        "MessageGroupId",
        "AWSTraceHeader",
        "DeadLetterQueueSourceArn",
    }
)


def system_names(params: Mapping[str, Any]) -> frozenset[str]:
    """The system attributes that a receive asks for.

    Raises:
        AwsError: InvalidAttributeName.
    """
    asked = [
        *(params.get("AttributeNames") or ()),
        *(params.get("MessageSystemAttributeNames") or ()),
    ]
    for name in asked:
        if name != "All" and name not in SYSTEM_NAMES:
            raise unknown_attribute(name)
    return SYSTEM_NAMES if "All" in asked else frozenset(asked)


def receipt_of(queue: Queue, row: Mapping[str, Any], received_at_ms: int) -> Receipt:
    """The receipt of a row that was just claimed."""
    return Receipt(queue.id, row["id"], row["message_id"], row["receive_count"], received_at_ms)


def shown(
    queue: Queue,
    row: Mapping[str, Any],
    receipt: Receipt,
    *,
    system: frozenset[str],
    own: Iterable[str],
) -> dict[str, Any]:
    """A message as ReceiveMessage answers it."""
    answer: dict[str, Any] = {
        "MessageId": row["message_id"],
        "ReceiptHandle": receipt.handle(),
        "MD5OfBody": rules.md5_of_body(row["body"].encode()),
        "Body": row["body"],
    }
    if not system and not own:
        return answer
    document = orjson.loads(row["attributes"])
    if system:
        known = _system_attributes(queue, row, document)
        wanted = {name: value for name, value in known.items() if name in system}
        if wanted:
            answer["Attributes"] = wanted
    stored = document.get("attributes")
    if stored and own:
        chosen = attributes_of(rules.chosen(stored, own))
        if chosen:
            answer["MessageAttributes"] = chosen
            answer["MD5OfMessageAttributes"] = rules.md5_of(chosen)
    return answer


def _system_attributes(
    queue: Queue, row: Mapping[str, Any], document: Mapping[str, Any]
) -> dict[str, str]:
    source = row["dead_letter_source"]
    known = {
        "SenderId": document["sender"],
        "SentTimestamp": str(row["sent_at_ms"]),
        "ApproximateReceiveCount": str(row["earlier_receives"] + row["receive_count"]),
        "ApproximateFirstReceiveTimestamp": str(row["first_received_at_ms"]),
        "MessageGroupId": document.get("group"),
        "AWSTraceHeader": document.get("trace"),
        "DeadLetterQueueSourceArn": source,
    }
    if queue.is_fifo:
        known["SequenceNumber"] = sequence_number(row["id"])
        # Two that shared an id in their own queues must not in this one. Source: SQS developer
        # guide, "Configure a dead-letter queue redrive".
        known["MessageDeduplicationId"] = (
            row["message_id"] if source else document.get("deduplication")
        )
    return {name: value for name, value in known.items() if value is not None}
