"""Topics, subscriptions and messages as the store has them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import orjson

from alonzo.services.sns.arns import FIFO, account_of, region_of
from alonzo.services.sns.limits import DELETED_MAX
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

#: The statements of this room.
Q = load("alonzo.services.sns")


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. ``attributes`` are those that were set, as SNS shows them."""

    arn: str
    created_at_s: float
    attributes: Mapping[str, str]
    tags: Mapping[str, str]
    deleted_subscriptions: int = 0

    @property
    def account(self) -> str:
        """Whose it is."""
        return account_of(self.arn)

    @property
    def region(self) -> str:
        """Where it is."""
        return region_of(self.arn)

    @property
    def is_fifo(self) -> bool:
        """Whether it keeps the order of its messages."""
        return self.arn.endswith(FIFO)


class State(StrEnum):
    """Where a subscription stands.

    One that somebody ended without signing is ``ENDED``: until its token expires, whoever has the
    token can have it back. Nobody sees it.
    """

    PENDING = "pending"
    CONFIRMED = "confirmed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription. ``attributes`` are those that were set, as SNS shows them.

    ``base_url`` is the platform as whoever subscribed addressed it. ``token`` is good until
    ``token_until_s`` (epoch seconds). ``signed_only``: nobody ends it without a signature.
    """

    arn: str
    topic_arn: str
    created_at_s: float
    protocol: str
    endpoint: str
    owner: str
    principal_arn: str
    base_url: str
    state: State
    attributes: Mapping[str, str]
    token: str = ""
    token_until_s: float = 0.0
    was_authenticated: bool = False
    signed_only: bool = False

    @property
    def is_raw(self) -> bool:
        """Whether the endpoint gets nothing but the message."""
        return self.attributes.get("RawMessageDelivery") == "true"

    @property
    def scope(self) -> str:
        """What the filter policy looks at."""
        return self.attributes.get("FilterPolicyScope", "MessageAttributes")

    def at(self, base_url: str) -> Subscription:
        """The same, with the platform at another address."""
        return replace(self, base_url=base_url)

    def with_attribute(self, name: str, value: str | None) -> Subscription:
        """The same with one attribute changed; None takes it away."""
        kept = {each: text for each, text in self.attributes.items() if each != name}
        return replace(self, attributes=kept if value is None else {**kept, name: value})


class Kind(StrEnum):
    """What a message is about, as SNS names it."""

    NOTIFICATION = "Notification"
    CONFIRMATION = "SubscriptionConfirmation"
    ENDING = "UnsubscribeConfirmation"


@dataclass(frozen=True, slots=True)
class Message:
    """One message, as every subscription of its topic gets it.

    ``texts`` are by protocol, with ``default`` for the others. ``attributes`` are those of the
    request: ``DataType`` with ``StringValue`` or ``BinaryValue``. ``token`` is that of a
    confirmation.
    """

    message_id: str
    topic_arn: str
    kind: Kind
    published_at_s: float
    texts: Mapping[str, str]
    attributes: Mapping[str, Mapping[str, Any]]
    subject: str | None = None
    group_id: str | None = None
    deduplication_id: str | None = None
    sequence: int | None = None
    trace_header: str | None = None
    signature_version: str = "1"
    token: str = ""

    def text_for(self, protocol: str) -> str:
        """What subscriptions of a protocol get."""
        text = self.texts.get(protocol)
        return self.texts["default"] if text is None else text

    def __repr__(self) -> str:
        return f"Message({self.message_id})"


def topic_from(row: Row) -> Topic:
    """A topic from a row of ``sns_topic``."""
    document = orjson.loads(row["document"])
    return Topic(
        row["arn"],
        row["created_at_s"],
        document["attributes"],
        document["tags"],
        document["deleted_subscriptions"],
    )


def subscription_from(row: Row) -> Subscription:
    """A subscription from a row of ``sns_subscription``."""
    document: dict[str, Any] = orjson.loads(row["document"])
    document["state"] = State(document["state"])
    return Subscription(row["arn"], row["topic_arn"], row["created_at_s"], **document)


def try_topic(conn: Connection, arn: str) -> Topic | None:
    """The topic of that ARN, or None."""
    row = conn.one(Q.find_topic, {"arn": arn})
    return None if row is None else topic_from(row)


def try_subscription(conn: Connection, arn: str) -> Subscription | None:
    """The subscription of that ARN, or None."""
    row = conn.one(Q.find_subscription, {"arn": arn})
    return None if row is None else subscription_from(row)


def save_topic(conn: Connection, topic: Topic) -> None:
    """Write a topic, new or changed."""
    document = {
        "attributes": topic.attributes,
        "tags": topic.tags,
        "deleted_subscriptions": topic.deleted_subscriptions,
    }
    values = {"arn": topic.arn, "created_at_s": topic.created_at_s}
    conn.execute(Q.save_topic, values | {"document": orjson.dumps(document).decode()})


_SUBSCRIPTION_MEMBERS = (
    "protocol",
    "endpoint",
    "owner",
    "principal_arn",
    "base_url",
    "state",
    "attributes",
    "token",
    "token_until_s",
    "was_authenticated",
    "signed_only",
)


def save_subscription(conn: Connection, subscription: Subscription) -> None:
    """Write a subscription, new or changed."""
    document = {name: getattr(subscription, name) for name in _SUBSCRIPTION_MEMBERS}
    values = {
        "arn": subscription.arn,
        "topic_arn": subscription.topic_arn,
        "created_at_s": subscription.created_at_s,
    }
    conn.execute(Q.save_subscription, values | {"document": orjson.dumps(document).decode()})


def message_bytes(message: Message) -> bytes:
    """A message for the store."""
    document = {
        "message_id": message.message_id,
        "topic_arn": message.topic_arn,
        "kind": message.kind,
        "published_at_s": message.published_at_s,
        "texts": message.texts,
        "attributes": {name: _kept(value) for name, value in message.attributes.items()},
        "subject": message.subject,
        "group_id": message.group_id,
        "deduplication_id": message.deduplication_id,
        "sequence": message.sequence,
        "trace_header": message.trace_header,
        "signature_version": message.signature_version,
        "token": message.token,
    }
    return orjson.dumps(document)


def message_from(document: dict[str, Any]) -> Message:
    """A message from what ``message_bytes`` made of it, read."""
    attributes = {name: _given(value) for name, value in document["attributes"].items()}
    document |= {"kind": Kind(document["kind"]), "attributes": attributes}
    return Message(**document)


def _kept(value: Mapping[str, Any]) -> dict[str, Any]:
    binary = value.get("BinaryValue")
    if binary is None:
        return dict(value)
    return {**value, "BinaryValue": base64.b64encode(binary).decode()}


def _given(value: Mapping[str, Any]) -> dict[str, Any]:
    binary = value.get("BinaryValue")
    return dict(value) if binary is None else {**value, "BinaryValue": base64.b64decode(binary)}


def delete_subscription(conn: Connection, arn: str) -> bool:
    """Delete a subscription with what is on its way to it; False: there is more, call again."""
    rows = conn.all(Q.delete_some_deliveries, {"arn": arn, "limit": DELETED_MAX})
    for row in rows:
        conn.execute(Q.finish_message, {"message_id": row["message_id"]})
    if len(rows) == DELETED_MAX:
        return False
    conn.execute(Q.delete_subscription, {"arn": arn})
    return True
