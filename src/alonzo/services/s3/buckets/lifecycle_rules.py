"""Lifecycle configurations: what they may say, and what they say of a version. Pure.

A day of S3 ends at midnight UTC: what is to live for n days dies at the first midnight after them.

Source: S3 API reference, PutBucketLifecycleConfiguration, LifecycleRule; user guide, examples of
lifecycle configurations, lifecycle rules: based on an object's age.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alonzo.lib.clock import utc
from alonzo.services.s3.buckets.asking import malformed, not_implemented, part, parts
from alonzo.services.s3.errors import invalid_argument, invalid_request
from alonzo.services.s3.records import ObjectVersion

RULES_MAX = 1000
DAY_S = 86_400.0
_ID_CHARS_MAX = 255
_NEWER_MAX = 100
_ACTIONS = ("Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
_TRANSITIONS = ("Transitions", "NoncurrentVersionTransitions", "Transition")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which objects a rule is about. Sizes are in bytes, both exclusive."""

    prefix: str = ""
    tags: Mapping[str, str] | None = None
    larger_than: int | None = None
    smaller_than: int | None = None

    def takes(self, version: ObjectVersion) -> bool:
        """Whether the rule is about that version, or delete marker."""
        if not version.key.startswith(self.prefix):
            return False
        if version.is_delete_marker:
            # A marker has neither tags nor a size.
            return not self.tags and self.larger_than is None and self.smaller_than is None
        return (
            all(version.tags.get(key) == value for key, value in (self.tags or {}).items())
            and (self.larger_than is None or version.size > self.larger_than)
            and (self.smaller_than is None or version.size < self.smaller_than)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule in force. Times are in days, and ``at_s`` in epoch seconds."""

    filter: Filter
    id: str = ""
    days: int | None = None
    at_s: float | None = None
    lone_markers: bool = False
    noncurrent_days: int | None = None
    newer_kept: int = 0
    abort_days: int | None = None


def checked(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rules as they are kept: the document with dates in epoch seconds.

    Raises:
        AwsError: MalformedXML, InvalidArgument, InvalidRequest, NotImplemented.
    """
    rules = parts(given, "Rules")
    if not 1 <= len(rules) <= RULES_MAX:
        raise malformed()
    kept = [_checked_rule(rule, place) for place, rule in enumerate(rules)]
    if len({rule["ID"] for rule in kept}) < len(kept):
        raise invalid_argument("Rule ID must be unique. Found same ID for more than one rule")
    return kept


def shown(kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rules as GetBucketLifecycleConfiguration answers them."""
    rules: list[dict[str, Any]] = []
    for rule in kept:
        expiration = rule.get("Expiration")
        if expiration and "Date" in expiration:
            rule = rule | {"Expiration": expiration | {"Date": utc(expiration["Date"])}}
        rules.append(rule)
    return rules


def in_force(kept: list[dict[str, Any]]) -> list[Rule]:
    """The rules that are enabled."""
    return [_rule(each) for each in kept if each["Status"] == "Enabled"]


def expires_at_s(rule: Rule, modified_at_s: float) -> float | None:
    """When the rule ends a current version that was written then; None: never."""
    if rule.at_s is not None:
        return rule.at_s
    return None if rule.days is None else midnight_after(modified_at_s, rule.days)


def midnight_after(since_s: float, days: int) -> float:
    """The midnight at which so many days are over."""
    return math.ceil((since_s + days * DAY_S) / DAY_S) * DAY_S


def _checked_rule(given: Mapping[str, Any], place: int) -> dict[str, Any]:
    rule = {key: value for key, value in given.items() if value is not None}
    if rule.get("Status") not in ("Enabled", "Disabled"):
        raise malformed()
    if any(rule.get(name) for name in _TRANSITIONS) or rule.get("NoncurrentVersionTransition"):
        raise not_implemented("All objects are of the class STANDARD here.")
    if not any(name in rule for name in _ACTIONS):
        raise invalid_request("At least one action needs to be specified in a rule.")
    if len(rule.get("ID") or "") > _ID_CHARS_MAX:
        raise invalid_argument("ID length should not exceed allowed limit of 255")
    if "Filter" in rule and "Prefix" in rule:
        raise malformed()
    if "Filter" not in rule and "Prefix" not in rule:
        raise malformed()
    _check_filter(rule)
    rule["ID"] = rule.get("ID") or f"rule-{place + 1}"
    if "Expiration" in rule:
        rule["Expiration"] = _checked_expiration(rule["Expiration"])
    _check_noncurrent(rule.get("NoncurrentVersionExpiration"))
    abort = rule.get("AbortIncompleteMultipartUpload")
    if abort is not None:
        _check_days(abort.get("DaysAfterInitiation"), "DaysAfterInitiation")
        if _filter(rule) != Filter(_filter(rule).prefix):
            raise invalid_request(
                "AbortIncompleteMultipartUpload cannot be specified with Tags, or with the size of "
                "objects."
            )
    return rule


def _check_filter(rule: Mapping[str, Any]) -> None:
    found = part(rule, "Filter")
    if len([name for name in found if found[name] is not None]) > 1:
        raise malformed()
    both = found.get("And")
    if both is not None and len([name for name in both if both[name] is not None]) < 1:
        raise malformed()
    read = _filter(rule)
    larger, smaller = read.larger_than, read.smaller_than
    if larger is not None and smaller is not None and larger >= smaller:
        raise invalid_request(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."
        )


def _checked_expiration(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in given.items() if value is not None}
    if len(found) != 1:
        raise malformed()
    if "Days" in found:
        _check_days(found["Days"], "Days")
    date = found.get("Date")
    if isinstance(date, datetime):
        found["Date"] = date.timestamp()
    if "Date" in found and found["Date"] % DAY_S:
        raise invalid_argument("'Date' must be at midnight GMT")
    return found


def _check_noncurrent(given: Mapping[str, Any] | None) -> None:
    if given is None:
        return
    _check_days(given.get("NoncurrentDays"), "NoncurrentDays")
    newer = given.get("NewerNoncurrentVersions")
    if newer is not None and not 1 <= newer <= _NEWER_MAX:
        raise invalid_argument(
            "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be between 1 "
            "and 100"
        )


def _check_days(days: Any, name: str) -> None:
    if not isinstance(days, int) or days < 1:
        raise invalid_argument(f"'{name}' for the action must be a positive integer")


def _rule(kept: Mapping[str, Any]) -> Rule:
    expiration = part(kept, "Expiration")
    noncurrent = part(kept, "NoncurrentVersionExpiration")
    abort = part(kept, "AbortIncompleteMultipartUpload")
    return Rule(
        _filter(kept),
        id=str(kept.get("ID", "")),
        days=expiration.get("Days"),
        at_s=expiration.get("Date"),
        lone_markers=bool(expiration.get("ExpiredObjectDeleteMarker")),
        noncurrent_days=noncurrent.get("NoncurrentDays"),
        newer_kept=noncurrent.get("NewerNoncurrentVersions") or 0,
        abort_days=abort.get("DaysAfterInitiation"),
    )


def _filter(rule: Mapping[str, Any]) -> Filter:
    found = part(rule, "Filter")
    both = found.get("And") or found
    tags = parts(both, "Tags") or ([both["Tag"]] if both.get("Tag") else [])
    return Filter(
        both.get("Prefix") or rule.get("Prefix") or "",
        {tag["Key"]: tag.get("Value", "") for tag in tags} or None,
        both.get("ObjectSizeGreaterThan"),
        both.get("ObjectSizeLessThan"),
    )
