"""How a delivery looks to the service that takes it: one call of an operation. Pure.

The calls are those of the service models, so a service that comes to run here is a target at once.
Source: Lambda developer guide, asynchronous invocation, destinations and dead-letter queues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alonzo.lib.clock import utc
from alonzo.model.deliveries import Delivery, ServiceCall
from alonzo.model.destinations import TargetKind
from alonzo.model.errors import AwsError


def planned_call(kind: TargetKind, delivery: Delivery) -> ServiceCall:
    """The call that hands a delivery over to a target of another kind than a function."""
    return _CALLS[kind](delivery)


def probe(kind: TargetKind, target_arn: str) -> ServiceCall:
    """The call that finds out whether a target of another kind than a function exists."""
    return _PROBES[kind](target_arn)


def region_of(target_arn: str, sender_region: str) -> str:
    """The region of a target; a bucket's ARN names none."""
    return target_arn.split(":", 5)[3] or sender_region


def check_answer(kind: TargetKind, answer: Mapping[str, Any] | None) -> None:
    """Refuse an answer that says of a single entry that it was not taken.

    Raises:
        AwsError: with the entry's own code and text.
    """
    if kind is not TargetKind.EVENT_BUS or not answer:
        return
    for entry in answer.get("Entries") or ():
        if entry.get("ErrorCode"):
            raise AwsError(entry["ErrorCode"], entry.get("ErrorMessage") or "")


def _send_message(delivery: Delivery) -> ServiceCall:
    params: dict[str, Any] = {
        "QueueUrl": _queue_url(delivery.target_arn),
        "MessageBody": _text(delivery),
        "MessageSystemAttributes": {"AWSTraceHeader": _string(delivery.trace_header)},
    }
    return ServiceCall("sqs", "SendMessage", params | _attributes(delivery))


def _publish(delivery: Delivery) -> ServiceCall:
    params: dict[str, Any] = {"TopicArn": delivery.target_arn, "Message": _text(delivery)}
    return ServiceCall("sns", "Publish", params | _attributes(delivery))


def _put_events(delivery: Delivery) -> ServiceCall:
    outcome = "Success" if delivery.succeeded else "Failure"
    entry = {
        "Time": utc(int(delivery.ended_at_s)),
        "Source": "lambda",
        "Resources": [delivery.target_arn, delivery.sender_arn],
        "DetailType": f"Lambda Function Invocation Result - {outcome}",
        "Detail": _text(delivery),
        "EventBusName": delivery.target_arn,
        "TraceHeader": delivery.trace_header,
    }
    return ServiceCall("events", "PutEvents", {"Entries": [entry]})


def _put_object(delivery: Delivery) -> ServiceCall:
    """The key is the same at every try, so an object that is put twice is there once."""
    function_name = delivery.sender_arn.split(":")[6]
    ended = utc(int(delivery.ended_at_s))
    key = (
        f"aws/lambda/async/{function_name}/{ended:%Y/%m/%d}/"
        f"{ended:%Y-%m-%dT%H.%M.%S}-{delivery.request_id}"
    )
    bucket = delivery.target_arn.split(":", 5)[5]
    return ServiceCall("s3", "PutObject", {"Bucket": bucket, "Key": key, "Body": delivery.document})


def _attributes(delivery: Delivery) -> dict[str, Any]:
    """The message attributes of a dead letter; a record has none."""
    letter = delivery.dead_letter
    if letter is None:
        return {}
    attributes = {
        "RequestID": _string(letter.request_id),
        "ErrorMessage": _string(letter.error_message),
    }
    if letter.error_code is not None:
        attributes["ErrorCode"] = {"DataType": "Number", "StringValue": str(letter.error_code)}
    return {"MessageAttributes": attributes}


def _string(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _text(delivery: Delivery) -> str:
    """The document as a message. JSON may hold two characters that no message of SQS may."""
    text = delivery.document.decode(errors="replace")
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def _queue_url(arn: str) -> str:
    _, _, _, region, account, name = arn.split(":", 5)
    return f"https://sqs.{region}.amazonaws.com/{account}/{name}"


_CALLS: Mapping[TargetKind, Callable[[Delivery], ServiceCall]] = {
    TargetKind.QUEUE: _send_message,
    TargetKind.TOPIC: _publish,
    TargetKind.EVENT_BUS: _put_events,
    TargetKind.BUCKET: _put_object,
}

_PROBES: Mapping[TargetKind, Callable[[str], ServiceCall]] = {
    TargetKind.QUEUE: lambda arn: ServiceCall(
        "sqs", "GetQueueAttributes", {"QueueUrl": _queue_url(arn), "AttributeNames": ["QueueArn"]}
    ),
    TargetKind.TOPIC: lambda arn: ServiceCall("sns", "GetTopicAttributes", {"TopicArn": arn}),
    TargetKind.EVENT_BUS: lambda arn: ServiceCall("events", "DescribeEventBus", {"Name": arn}),
    TargetKind.BUCKET: lambda arn: ServiceCall(
        "s3", "HeadBucket", {"Bucket": arn.split(":", 5)[5]}
    ),
}
