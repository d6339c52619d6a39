"""How a message looks to those who get it: queues, HTTP endpoints and functions. Pure.

| To | Is |
|---|---|
| a queue, an HTTP endpoint | a JSON object, or with raw delivery the message alone |
| a function | an event with one record, whose URLs have other names |

Messages of FIFO topics have a sequence number and no signature.

Source: SNS developer guide, parsing message formats, verifying signatures, raw message delivery;
Lambda developer guide, SNS. The blanks in the JSON are AWS's (observed).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from alonzo.lib.clock import iso_ms
from alonzo.services.sns.links import LINKS_PATH
from alonzo.services.sns.records import Kind, Message, Subscription

_SIGNED: Mapping[Kind, tuple[str, ...]] = {
    Kind.NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    Kind.CONFIRMATION: (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}


@dataclass(frozen=True, slots=True)
class Seal:
    """A signature, and where the certificate is that verifies it."""

    signature: str
    certificate_url: str


def canonical(message: Message, text: str, base_url: str) -> str:
    """What is signed: names and values in the order of the names.

    ``text`` is what the protocol gets; ``base_url`` counts for confirmations only.
    """
    values: dict[str, str | None] = {
        "Message": text,
        "MessageId": message.message_id,
        "Subject": message.subject,
        "SubscribeURL": subscribe_url(message, base_url),
        "Timestamp": iso_ms(message.published_at_s),
        "Token": message.token,
        "TopicArn": message.topic_arn,
        "Type": str(message.kind),
    }
    kind = Kind.NOTIFICATION if message.kind is Kind.NOTIFICATION else Kind.CONFIRMATION
    names = (name for name in _SIGNED[kind] if values[name] is not None)
    return "".join(f"{name}\n{values[name]}\n" for name in names)


def subscribe_url(message: Message, base_url: str) -> str:
    """The link that confirms a subscription."""
    return (
        f"{base_url}{LINKS_PATH}?Action=ConfirmSubscription"
        f"&TopicArn={quote(message.topic_arn, safe=':')}&Token={message.token}"
    )


def unsubscribe_url(subscription: Subscription) -> str:
    """The link that ends a subscription."""
    arn = quote(subscription.arn, safe=":")
    return f"{subscription.base_url}{LINKS_PATH}?Action=Unsubscribe&SubscriptionArn={arn}"


def is_raw(message: Message, subscription: Subscription) -> bool:
    """Whether the endpoint gets the message alone."""
    return subscription.is_raw and message.kind is Kind.NOTIFICATION


def body(message: Message, subscription: Subscription, seal: Seal | None) -> str:
    """What a queue or an HTTP endpoint gets. ``seal`` None: it is not signed."""
    text = message.text_for(subscription.protocol)
    if is_raw(message, subscription):
        return text
    found: dict[str, Any] = {"Type": str(message.kind), "MessageId": message.message_id}
    if message.sequence is not None:
        found["SequenceNumber"] = sequence_number(message.sequence)
    if message.token:
        found["Token"] = message.token
    found["TopicArn"] = message.topic_arn
    if message.subject is not None:
        found["Subject"] = message.subject
    found["Message"] = text
    if message.token:
        found["SubscribeURL"] = subscribe_url(message, subscription.base_url)
    found["Timestamp"] = iso_ms(message.published_at_s)
    if seal is not None:
        found["SignatureVersion"] = message.signature_version
        found["Signature"] = seal.signature
        found["SigningCertURL"] = seal.certificate_url
    if not message.token:
        found["UnsubscribeURL"] = unsubscribe_url(subscription)
    if message.attributes:
        found["MessageAttributes"] = _shown(message)
    return _laid_out(found)


def event(message: Message, subscription: Subscription, seal: Seal | None) -> bytes:
    """What a function gets."""
    sealed: dict[str, Any] = {}
    if seal is not None:
        sealed = {
            "SignatureVersion": message.signature_version,
            "Signature": seal.signature,
            "SigningCertUrl": seal.certificate_url,
        }
    record = {
        "Type": str(message.kind),
        "MessageId": message.message_id,
        "TopicArn": message.topic_arn,
        "Subject": message.subject,
        "Message": message.text_for("lambda"),
        "Timestamp": iso_ms(message.published_at_s),
        **sealed,
        "UnsubscribeUrl": unsubscribe_url(subscription),
        "MessageAttributes": _shown(message),
    }
    whole = {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription.arn,
                "Sns": record,
            }
        ]
    }
    return json.dumps(whole, separators=(",", ":")).encode()


def headers(message: Message, subscription: Subscription, content_type: str) -> dict[str, str]:
    """The headers of a post to an HTTP endpoint."""
    found = {
        "x-amz-sns-message-type": str(message.kind),
        "x-amz-sns-message-id": message.message_id,
        "x-amz-sns-topic-arn": message.topic_arn,
    }
    if message.kind is not Kind.CONFIRMATION:
        found["x-amz-sns-subscription-arn"] = subscription.arn
    if is_raw(message, subscription):
        found["x-amz-sns-rawdelivery"] = "true"
    return {
        **found,
        "Content-Type": content_type,
        "User-Agent": "Amazon Simple Notification Service Agent",
    }


def sequence_number(sequence: int) -> str:
    """The number of a message of a FIFO topic as SNS shows it: 20 digits."""
    return f"1{sequence:016d}000"


def _shown(message: Message) -> dict[str, dict[str, str]]:
    return {name: _attribute(value) for name, value in message.attributes.items()}


def _attribute(value: Mapping[str, Any]) -> dict[str, str]:
    binary = value.get("BinaryValue")
    text = value["StringValue"] if binary is None else base64.b64encode(binary).decode()
    return {"Type": value["DataType"], "Value": text}


def _laid_out(found: Mapping[str, Any]) -> str:
    lines = [f'  "{name}" : {_value(value)}' for name, value in found.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _value(value: Any) -> str:
    if not isinstance(value, dict):
        return _json(value)
    members = (
        f"    {json.dumps(name)} : {_json(each)}"
        for name, each in cast("dict[str, Any]", value).items()
    )
    return "{\n" + ",\n".join(members) + "\n  }"


def _json(value: Any) -> str:
    """JSON; but for two characters as they are, which no message of SQS may have."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
