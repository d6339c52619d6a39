"""The attributes of topics: which there are, and what they may be. Pure.

Source: SNS API reference, CreateTopic and SetTopicAttributes; texts that are not known are ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from alonzo.lib.policies.compiled import PolicyError
from alonzo.lib.policies.grammar import read_resource_based
from alonzo.services.sns.arns import is_text
from alonzo.services.sns.delivery_policies import effective_topic_policy, read_topic_policy
from alonzo.services.sns.errors import invalid, not_supported
from alonzo.services.sns.limits import (
    DISPLAY_NAME_MAX,
    LARGE_SUBSCRIPTIONS_MAX,
    MESSAGE_BYTES_DEFAULT,
    MESSAGE_BYTES_MAX,
    MESSAGE_BYTES_MIN,
    POLICY_BYTES_MAX,
)
from alonzo.services.sns.records import State, Subscription, Topic

#: What a policy of a topic may allow. Source: AddPermission; SNS access control.
ACTIONS = (
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
)
_IN_POLICIES = frozenset(
    name.lower()
    for name in (
        *ACTIONS,
        "GetDataProtectionPolicy",
        "ListTagsForResource",
        "PutDataProtectionPolicy",
        "Receive",
        "TagResource",
        "UntagResource",
    )
)
_STATUS_LOGS = re.compile(
    r"(?:HTTP|Firehose|Lambda|Application|SQS)"
    r"(?:(?:Success|Failure)FeedbackRoleArn|SuccessFeedbackSampleRate)"
)
_NOT_HERE = {
    "ArchivePolicy": "messages are not archived.",
    "DataProtectionPolicy": "messages are not searched for sensitive data.",
}
_KEY_ID_MAX = 2048
_FIFO_ONLY = ("ContentBasedDeduplication", "FifoThroughputScope")


def default_policy(arn: str, account: str) -> str:
    """The policy of a new topic."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{name}" for name in ACTIONS],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
    }
    document = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
    return json.dumps(document, separators=(",", ":"))


def new_attributes(arn: str, account: str, given: Mapping[str, str]) -> dict[str, str]:
    """The attributes of a new topic.

    Raises:
        AwsError: InvalidParameter.
    """
    fifo = is_fifo(given)
    found = {"Policy": default_policy(arn, account)}
    if fifo:
        found |= {"FifoTopic": "true", "ContentBasedDeduplication": "false"}
    for name, text in given.items():
        if name != "FifoTopic":
            value = checked(arn, name, text, fifo=fifo, place="Attributes Reason: ")
            if value is not None:
                found[name] = value
    return found


def is_fifo(given: Mapping[str, str]) -> bool:
    """Whether attributes are those of a FIFO topic.

    Raises:
        AwsError: InvalidParameter.
    """
    text = given.get("FifoTopic", "false").lower()
    if text not in ("true", "false"):
        raise invalid("Attributes Reason: FifoTopic: Invalid value. Must be true or false.")
    return text == "true"


def checked(arn: str, name: str, text: str | None, *, fifo: bool, place: str = "") -> str | None:
    """The value that is kept of an attribute that is set; None: it is taken away.

    Raises:
        AwsError: InvalidParameter.
    """
    if text is not None and not is_text(text):
        raise invalid(f"{place}AttributeValue Reason: it is not UTF-8")
    if name in _NOT_HERE and text:
        raise not_supported(f"{place}{name}", _NOT_HERE[name])
    if name in _NOT_HERE:
        return None
    if _STATUS_LOGS.fullmatch(name) is not None:
        raise not_supported(f"{place}{name}", "the status of deliveries is not logged.")
    if name == "Policy":
        return checked_policy(arn, text)
    check = _CHECKS.get(name)
    if check is None or (name in _FIFO_ONLY and not fifo):
        raise invalid(f"{place}{'Unknown attribute ' + name[:100] if place else 'AttributeName'}")
    return check(text or "", place)


def shown(topic: Topic, subscriptions: Sequence[Subscription]) -> dict[str, str]:
    """What GetTopicAttributes answers."""
    pending = sum(each.state is State.PENDING for each in subscriptions)
    effective = effective_topic_policy(topic.attributes.get("DeliveryPolicy"))
    return {
        "DisplayName": "",
        **topic.attributes,
        "EffectiveDeliveryPolicy": json.dumps(effective, separators=(",", ":")),
        "Owner": topic.account,
        "SubscriptionsConfirmed": str(len(subscriptions) - pending),
        "SubscriptionsDeleted": str(topic.deleted_subscriptions),
        "SubscriptionsPending": str(pending),
        "TopicArn": topic.arn,
    }


def check_large(bytes_max: int, subscriptions: Sequence[tuple[str, str]]) -> None:
    """Refuse large messages where somebody gets them who cannot.

    ``subscriptions`` are protocols and endpoints.

    Raises:
        AwsError: InvalidParameter.
    """
    if bytes_max <= MESSAGE_BYTES_DEFAULT:
        return
    if len(subscriptions) > LARGE_SUBSCRIPTIONS_MAX:
        raise invalid(
            "MaximumMessageSize Reason: a topic with a MaximumMessageSize above 256 KiB must have "
            "100 or fewer subscriptions"
        )
    if any(protocol not in ("sqs", "lambda") for protocol, _ in subscriptions):
        raise invalid(
            "MaximumMessageSize Reason: a topic with a MaximumMessageSize above 256 KiB can have "
            "Amazon SQS and Lambda subscriptions only"
        )


def checked_policy(arn: str, text: str | None) -> str:
    """The policy of a topic, as text; an empty one is the default.

    Raises:
        AwsError: InvalidParameter.
    """
    if not text:
        return default_policy(arn, arn.split(":")[4])
    if len(text.encode("utf-8", "surrogatepass")) > POLICY_BYTES_MAX:
        raise invalid("Policy Reason: Policy is too large")
    try:
        document, _ = read_resource_based(text, arn)
    except PolicyError as error:
        raise invalid(f"Policy Error: {error}") from error
    for statement in _statements(document):
        for action in _listed(statement.get("Action")):
            service, _, name = action.lower().partition(":")
            if action != "*" and not (service == "sns" and _is_action(name)):
                raise invalid("Policy statement action out of service scope!")
        for resource in _listed(statement.get("Resource")):
            if resource not in ("*", arn) and not resource.startswith("arn:aws:sns:"):
                raise invalid("Policy statement resource is not a topic of SNS")
    return text


def _is_action(name: str) -> bool:
    return "*" in name or "?" in name or name in _IN_POLICIES


def _statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = document["Statement"]
    return cast("list[Mapping[str, Any]]", found if isinstance(found, list) else [found])


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return cast("list[str]", value if isinstance(value, list) else [value])


def _display_name(text: str, place: str) -> str:
    if len(text) > DISPLAY_NAME_MAX or not all(char.isprintable() for char in text):
        raise invalid(f"{place}DisplayName")
    return text


def _delivery_policy(text: str, _place: str) -> str | None:
    if not text:
        return None
    return json.dumps(read_topic_policy(text), separators=(",", ":"))


def _message_size(text: str, place: str) -> str:
    fits = text.isascii() and text.isdigit() and len(text) < 8
    if not fits or not MESSAGE_BYTES_MIN <= int(text) <= MESSAGE_BYTES_MAX:
        raise invalid(
            f"{place}MaximumMessageSize Reason: must be between {MESSAGE_BYTES_MIN} and "
            f"{MESSAGE_BYTES_MAX}"
        )
    return str(int(text))


def _one_of(name: str, *values: str) -> Callable[[str, str], str]:
    def check(text: str, place: str) -> str:
        found = {value.lower(): value for value in values}.get(text.lower())
        if found is None:
            raise invalid(f"{place}{name}: Invalid value [{text[:100]}].")
        return found

    return check


def _tracing(text: str, place: str) -> str:
    if text == "Active":
        raise not_supported(
            f"{place}TracingConfig",
            "there are no segments of X-Ray; the trace header passes through as it is.",
        )
    return _one_of("TracingConfig", "PassThrough")(text, place)


def _key_id(text: str, place: str) -> str | None:
    if len(text) > _KEY_ID_MAX or not (text.isascii() and text.isprintable()):
        raise invalid(f"{place}KmsMasterKeyId")
    return text or None


_CHECKS: Mapping[str, Callable[[str, str], str | None]] = {
    "ContentBasedDeduplication": _one_of("ContentBasedDeduplication", "true", "false"),
    "DeliveryPolicy": _delivery_policy,
    "DisplayName": _display_name,
    "FifoThroughputScope": _one_of("FifoThroughputScope", "Topic", "MessageGroup"),
    "KmsMasterKeyId": _key_id,
    "MaximumMessageSize": _message_size,
    "SignatureVersion": _one_of("SignatureVersion", "1", "2"),
    "TracingConfig": _tracing,
}
