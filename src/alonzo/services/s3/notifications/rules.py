"""Notification configurations: what they may say, and what they say of a change. Pure.

Source: S3 API reference, PutBucketNotificationConfiguration; user guide, configuring event
notifications using object key name filtering.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from alonzo.model.errors import AwsError
from alonzo.services.s3.buckets.asking import Params, malformed, part, parts
from alonzo.services.s3.errors import invalid_argument

#: Configurations of one bucket. Source: S3 user guide, event notifications, limits.
CONFIGURATIONS_MAX = 100
_ID_CHARS_MAX = 255

#: The lists of a configuration: kind, member of the list, member of the ARN, services of ARNs.
KINDS = (
    ("lambda", "LambdaFunctionConfigurations", "LambdaFunctionArn"),
    ("sqs", "QueueConfigurations", "QueueArn"),
    ("sns", "TopicConfigurations", "TopicArn"),
)
_BRIDGE = "EventBridgeConfiguration"
_ARN = re.compile(r"arn:aws[a-z-]*:(lambda|sqs|sns):([a-z0-9-]+):(\d{12}):([\w:.$-]+)", re.ASCII)
_FAMILIES = {
    "ObjectCreated": ("*", "Put", "Post", "Copy", "CompleteMultipartUpload"),
    "ObjectRemoved": ("*", "Delete", "DeleteMarkerCreated"),
    "ObjectRestore": ("*", "Post", "Completed", "Delete"),
    "Replication": (
        "*",
        "OperationFailedReplication",
        "OperationNotTracked",
        "OperationMissedThreshold",
        "OperationReplicatedAfterThreshold",
    ),
    "LifecycleExpiration": ("*", "Delete", "DeleteMarkerCreated"),
    "ObjectTagging": ("*", "Put", "Delete"),
    "ObjectAcl": ("Put",),
}
_EVENTS = frozenset(
    {
        *(f"s3:{family}:{name}" for family, names in _FAMILIES.items() for name in names),
        "s3:IntelligentTiering",
        "s3:LifecycleTransition",
        "s3:ReducedRedundancyLostObject",
    }
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who wants to know of what. ``kind`` is ``lambda``, ``sqs`` or ``sns``."""

    id: str
    kind: str
    arn: str
    events: tuple[str, ...]
    prefix: str
    suffix: str

    def wants(self, event_name: str, key: str) -> bool:
        """``event_name`` is without ``s3:``."""
        return (
            any(_covers(each, f"s3:{event_name}") for each in self.events)
            and key.startswith(self.prefix)
            and key.endswith(self.suffix)
        )


@dataclass(frozen=True, slots=True)
class Wishes:
    """A configuration in force. ``bridge``: EventBridge hears of everything."""

    subscriptions: tuple[Subscription, ...] = ()
    bridge: bool = False


def checked(given: Params, new_id: Callable[[], str], region: str) -> dict[str, Any]:
    """The configuration as it is kept and shown, with an id for each part.

    Raises:
        AwsError: InvalidArgument, MalformedXML.
    """
    kept: dict[str, Any] = {}
    for kind, member, arn_member in KINDS:
        found = [_checked(each, arn_member, new_id) for each in parts(given, member)]
        for each in found:
            _check_arn(each[arn_member], kind, arn_member, region)
        if found:
            kept[member] = found
    if given.get(_BRIDGE) is not None:
        kept[_BRIDGE] = {}
    _check_together(wishes_of(kept).subscriptions)
    return kept


def wishes_of(kept: Mapping[str, Any]) -> Wishes:
    """What a configuration says."""
    return Wishes(
        tuple(
            Subscription(each["Id"], kind, each[arn_member], tuple(each["Events"]), *_filter(each))
            for kind, member, arn_member in KINDS
            for each in kept.get(member, ())
        ),
        _BRIDGE in kept,
    )


def unreachable() -> AwsError:
    """A destination is not there, or does not let S3 in. The text is AWS's."""
    return invalid_argument("Unable to validate the following destination configurations")


def _checked(given: Params, arn_member: str, new_id: Callable[[], str]) -> dict[str, Any]:
    events = parts(given, "Events")
    if not events or not given.get(arn_member):
        raise malformed()
    for event in events:
        if event not in _EVENTS:
            raise invalid_argument(
                "A specified event is not supported for notifications", "Event", event[:100]
            )
    if len(given.get("Id") or "") > _ID_CHARS_MAX:
        raise invalid_argument("The Id is too long", "Id")
    kept = {
        "Id": given.get("Id") or new_id(),
        arn_member: given[arn_member],
        "Events": list(dict.fromkeys(events)),
    }
    rules = parts(part(part(given, "Filter"), "Key"), "FilterRules")
    if rules:
        kept["Filter"] = {"Key": {"FilterRules": _checked_filter(rules)}}
    return kept


def _checked_filter(given: Iterable[Params]) -> list[dict[str, str]]:
    rules: dict[str, str] = {}
    for rule in given:
        name = str(rule.get("Name") or "").lower()
        if name not in ("prefix", "suffix"):
            raise invalid_argument(
                "filter rule name must be either prefix or suffix", "FilterRule.Name", name[:100]
            )
        if name in rules:
            raise invalid_argument(f"Cannot specify more than one {name} rule in a filter.")
        value = rule.get("Value") or ""
        if len(value.encode("utf-8", "surrogatepass")) > 1024:
            raise invalid_argument("Size of filter rule value cannot exceed 1024 bytes in UTF-8")
        rules[name] = value
    # S3 answers the names like this, whatever they were.
    return [{"Name": name.capitalize(), "Value": value} for name, value in rules.items()]


def _check_arn(arn: str, kind: str, member: str, region: str) -> None:
    found = _ARN.fullmatch(arn)
    if found is None or found[1] != kind:
        raise invalid_argument("The ARN could not be parsed", member, arn[:200])
    if found[2] != region:
        raise invalid_argument(
            "The notification destination service region is not valid for the bucket location "
            "constraint",
            member,
            arn[:200],
        )
    if arn.endswith(".fifo"):
        # Source: S3 user guide, supported event destinations: no FIFO queues or topics.
        raise unreachable()


def _check_together(subscriptions: tuple[Subscription, ...]) -> None:
    if len(subscriptions) > CONFIGURATIONS_MAX:
        raise invalid_argument(
            f"The number of notification configurations cannot exceed {CONFIGURATIONS_MAX}"
        )
    if len({each.id for each in subscriptions}) < len(subscriptions):
        raise invalid_argument("Same ID used for multiple configurations. IDs must be unique")
    for one, other in itertools.combinations(subscriptions, 2):
        if not _share_events(one, other) or not _share_keys(one, other):
            continue
        if not (one.prefix or one.suffix or other.prefix or other.suffix):
            raise invalid_argument(
                "Configurations overlap. Configurations on the same bucket cannot share a common "
                "event type."
            )
        raise invalid_argument(
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules "
            "if the prefixes are overlapping for the same event type."
        )


def _share_events(one: Subscription, other: Subscription) -> bool:
    return any(_covers(a, b) or _covers(b, a) for a in one.events for b in other.events)


def _share_keys(one: Subscription, other: Subscription) -> bool:
    return (one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)) and (
        one.suffix.endswith(other.suffix) or other.suffix.endswith(one.suffix)
    )


def _covers(wanted: str, event: str) -> bool:
    return wanted == event or (wanted.endswith("*") and event.startswith(wanted[:-1]))


def _filter(kept: Mapping[str, Any]) -> tuple[str, str]:
    rules = part(part(kept, "Filter"), "Key").get("FilterRules") or ()
    found = {rule["Name"].lower(): rule["Value"] for rule in rules}
    return found.get("prefix", ""), found.get("suffix", "")
