"""The attributes of subscriptions: which there are, and what they may be. Pure.

Source: SNS API reference, Subscribe and SetSubscriptionAttributes; texts as recorded from AWS, and
ours where none is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from alonzo.services.sns.arns import FIFO, is_queue_or_function, is_text
from alonzo.services.sns.delivery_policies import (
    effective_subscription_policy,
    read_subscription_policy,
)
from alonzo.services.sns.errors import invalid, not_supported
from alonzo.services.sns.filter_policies import BY_ATTRIBUTES, BY_BODY, read_filter
from alonzo.services.sns.limits import SMALL_POLICY_CHARS_MAX
from alonzo.services.sns.records import State, Subscription, Topic

#: In errors of Subscribe, before what is wrong.
ON_SUBSCRIBE = "Attributes Reason: "

_NAMES = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
)
_NOT_HERE = {
    "ReplayPolicy": "messages are not archived, so there is nothing to replay.",
    "SubscriptionRoleArn": "there are no subscriptions of Firehose.",
}
_PROTOCOLS_ELSEWHERE = {
    "application": "there are no push notifications.",
    "email": "no mails are sent.",
    "email-json": "no mails are sent.",
    "firehose": "there is no Firehose.",
    "sms": "no text messages are sent.",
}
HTTP = ("http", "https")
_PASSWORD = re.compile(r"(?<=://)([^/:@?#]*):[^/@?#]*@")


def check_protocol(protocol: str, *, fifo: bool) -> None:
    """Refuse a protocol that a topic has no subscriptions of.

    Raises:
        AwsError: InvalidParameter.
    """
    known = {*HTTP, "lambda", "sqs", *_PROTOCOLS_ELSEWHERE}
    if protocol not in known:
        raise invalid(f"Amazon SNS does not support this protocol string: {protocol[:100]}")
    if fifo and protocol != "sqs":
        raise invalid(f"Invalid protocol type: {protocol}")
    if protocol in _PROTOCOLS_ELSEWHERE:
        raise not_supported(f"Protocol {protocol}", _PROTOCOLS_ELSEWHERE[protocol])


def check_endpoint(protocol: str, endpoint: str | None, *, fifo: bool) -> str:
    """Refuse an endpoint that is none of the protocol. URLs are looked at where they are read.

    Raises:
        AwsError: InvalidParameter.
    """
    if not endpoint:
        raise invalid("Endpoint Reason: no value for required parameter")
    if protocol in HTTP:
        if not endpoint.startswith(f"{protocol}://"):
            raise invalid("Endpoint must match the specified protocol")
        return endpoint
    service = "SQS" if protocol == "sqs" else "Lambda"
    if not is_queue_or_function(endpoint, protocol):
        raise invalid(f"{service} endpoint ARN")
    if protocol == "sqs" and endpoint.endswith(FIFO) and not fifo:
        raise invalid(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to "
            "standard SNS topics"
        )
    return endpoint


def with_attributes(
    subscription: Subscription, given: Mapping[str, str], place: str = ""
) -> Subscription:
    """The subscription with attributes changed. An empty value takes an attribute away.

    Raises:
        AwsError: InvalidParameter.
    """
    # The scope says how the policy is to be read, so it comes first.
    for name in sorted(given, key=lambda name: name != "FilterPolicyScope"):
        value = _checked(subscription, name, given[name] or "", place)
        subscription = subscription.with_attribute(name, value)
    policy = subscription.attributes.get("FilterPolicy")
    if policy is not None and read_filter(policy, subscription.scope, place) is None:
        return subscription.with_attribute("FilterPolicy", None)
    return subscription


def normal(given: Mapping[str, str]) -> dict[str, str]:
    """Attributes of a request as they would be kept, for telling whether they are the same."""
    return {
        name: text.lower() if name == "RawMessageDelivery" else text
        for name, text in given.items()
        if text
    }


def shown(subscription: Subscription, topic: Topic | None) -> dict[str, str]:
    """What GetSubscriptionAttributes answers."""
    found = {
        "ConfirmationWasAuthenticated": _flag(subscription.was_authenticated),
        "Endpoint": subscription.endpoint,
        "Owner": subscription.owner,
        "PendingConfirmation": _flag(subscription.state is State.PENDING),
        "Protocol": subscription.protocol,
        "RawMessageDelivery": "false",
        "SubscriptionArn": subscription.arn,
        "SubscriptionPrincipal": subscription.principal_arn,
        "TopicArn": subscription.topic_arn,
        **subscription.attributes,
    }
    if "FilterPolicy" in subscription.attributes:
        found["FilterPolicyScope"] = subscription.scope
    else:
        found.pop("FilterPolicyScope", None)
    if subscription.protocol in HTTP:
        of_topic = None if topic is None else topic.attributes.get("DeliveryPolicy")
        effective = effective_subscription_policy(
            subscription.attributes.get("DeliveryPolicy"), of_topic
        )
        found["EffectiveDeliveryPolicy"] = json.dumps(effective, separators=(",", ":"))
    return found


def listed(subscription: Subscription) -> dict[str, str]:
    """A subscription in lists, where passwords are not shown."""
    waits = subscription.state is State.PENDING
    return {
        "SubscriptionArn": "PendingConfirmation" if waits else subscription.arn,
        "Owner": subscription.owner,
        "Protocol": subscription.protocol,
        "Endpoint": _PASSWORD.sub(r"\1:****@", subscription.endpoint),
        "TopicArn": subscription.topic_arn,
    }


def dead_letter_queue(subscription: Subscription) -> str | None:
    """The ARN of the queue for what cannot be delivered, or None."""
    text = subscription.attributes.get("RedrivePolicy")
    return None if text is None else json.loads(text)["deadLetterTargetArn"]


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _checked(subscription: Subscription, name: str, text: str, place: str) -> str | None:
    if not is_text(text):
        raise invalid(f"{place}AttributeValue Reason: it is not UTF-8")
    if name in _NOT_HERE:
        raise not_supported(f"{place}{name}", _NOT_HERE[name])
    if name not in _NAMES:
        raise invalid(f"{place}AttributeName")
    if name == "RawMessageDelivery":
        return _raw(subscription, text, place)
    if name == "FilterPolicyScope":
        if text not in (BY_ATTRIBUTES, BY_BODY):
            raise invalid(
                f"{place}FilterPolicyScope: Invalid value [{text[:100]}]. Please use either "
                "MessageBody or MessageAttributes"
            )
        return text
    if not text:
        return None
    if name == "RedrivePolicy":
        return _redrive(subscription, text, place)
    if name == "DeliveryPolicy":
        if subscription.protocol not in HTTP:
            raise invalid(
                f"{place}DeliveryPolicy: Delivery protocol [{subscription.protocol}] does not "
                "support delivery policies."
            )
        read_subscription_policy(text)
    return text


def _raw(subscription: Subscription, text: str, place: str) -> str:
    if text.lower() not in ("true", "false"):
        raise invalid(
            f"{place}RawMessageDelivery: Invalid value [{text[:100]}]. Must be true or false."
        )
    if text.lower() == "true" and subscription.protocol == "lambda":
        raise invalid(f"{place}Delivery protocol [lambda] does not support raw message delivery.")
    return text.lower()


def _redrive(subscription: Subscription, text: str, place: str) -> str:
    if len(text) > SMALL_POLICY_CHARS_MAX:
        raise invalid(f"{place}RedrivePolicy: it is too long")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid(f"{place}RedrivePolicy: failed to parse JSON.") from error
    found = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    arn = found.get("deadLetterTargetArn")
    if not isinstance(arn, str) or not is_queue_or_function(arn, "sqs"):
        raise invalid(f"{place}RedrivePolicy: deadLetterTargetArn is an invalid arn")
    if arn.split(":")[3:5] != subscription.topic_arn.split(":")[3:5]:
        raise invalid(
            f"{place}RedrivePolicy: the queue must be in the account and the region of the topic"
        )
    if subscription.endpoint.endswith(FIFO) and not arn.endswith(FIFO):
        raise invalid(
            f"{place}RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO "
            "Topic."
        )
    if arn.endswith(FIFO) and not subscription.topic_arn.endswith(FIFO):
        raise invalid(
            f"{place}RedrivePolicy: must use a standard queue as DLQ for a standard topic"
        )
    return text
