"""Messages of SQS as records of an event. Pure.

Every attribute's value is a text. ``md5OfMessageAttributes`` is there only where there are any, and
binary values are base64. Source: Lambda developer guide, "Using Lambda with Amazon SQS"; the sample
events of AWS's own libraries.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from alonzo.eventsources.items import Item


def item_of(
    message: Mapping[str, Any], *, queue_arn: str, region: str, fifo: bool, now_s: float
) -> Item:
    """One message as ReceiveMessage answers it; ``now_s`` stands in for a missing arrival."""
    attributes: Mapping[str, str] = message.get("Attributes") or {}
    own: Mapping[str, Mapping[str, Any]] = message.get("MessageAttributes") or {}
    record: dict[str, Any] = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(attributes),
        "messageAttributes": {name: _attribute(value) for name, value in own.items()},
    }
    if message.get("MD5OfMessageAttributes"):
        record["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    record["md5OfBody"] = message.get("MD5OfBody", "")
    record["eventSource"] = "aws:sqs"
    record["eventSourceARN"] = queue_arn
    record["awsRegion"] = region
    sent_ms = attributes.get("SentTimestamp")
    return Item(
        id=message["MessageId"],
        document=orjson.dumps(record),
        metadata=record,
        data=message["Body"],
        data_key="body",
        handle=message["ReceiptHandle"],
        arrived_at_s=now_s if sent_ms is None else int(sent_ms) / 1000,
        group=attributes.get("MessageGroupId") if fifo else None,
        trace_header=attributes.get("AWSTraceHeader"),
    )


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    """A message attribute; lists are in the format and never used."""
    shown: dict[str, Any] = {}
    if value.get("StringValue") is not None:
        shown["stringValue"] = value["StringValue"]
    if value.get("BinaryValue") is not None:
        shown["binaryValue"] = base64.b64encode(bytes(value["BinaryValue"])).decode()
    return {
        **shown,
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value.get("DataType", ""),
    }
