"""Decisions of CloudWatch Logs that need no store: names, batches, retention. Pure.

Source: CloudWatch Logs API reference, each operation named below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from alonzo.model.ports.logs import LogEvent
from alonzo.services.logs.chunks import message_bytes
from alonzo.services.logs.errors import (
    group_not_found,
    invalid,
    no_group_name,
    two_group_names,
)
from alonzo.services.logs.limits import (
    BATCH_BYTES_MAX,
    BATCH_EVENTS_MAX,
    BATCH_SPAN_MS_MAX,
    DAY_MS,
    EVENT_BYTES_MAX,
    EVENT_OVERHEAD_BYTES,
    RETENTION_DAYS,
    TOO_NEW_MS,
    TOO_OLD_MS,
)

_GROUP_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:logs:(?P<region>[^:]+):(?P<account>\d{12})"
    r":log-group:(?P<name>[\w.\-/#]+)(?::\*)?"
)

#: Sorts behind every name: the largest code point, which no name may start with.
NAME_END = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class GroupKey:
    """One log group, in one account and region."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The ARN without ``:*``, which the API calls ``logGroupArn``."""
        return f"arn:aws:logs:{self.region}:{self.account}:log-group:{self.name}"

    def stream_arn(self, stream: str) -> str:
        """The ARN of one of its streams."""
        return f"{self.arn}:log-stream:{stream}"


def group_by_identifier(identifier: str, *, account: str, region: str) -> GroupKey:
    """Read a ``logGroupIdentifier`` or ``resourceArn``: a name, or an ARN with or without ``:*``.

    Raises:
        ResourceNotFoundException: the ARN is of another account or region, or no group's ARN.
    """
    if not identifier.startswith("arn:"):
        return GroupKey(account, region, identifier)
    found = _GROUP_ARN.fullmatch(identifier)
    if found is None or (found["account"], found["region"]) != (account, region):
        raise group_not_found()
    return GroupKey(account, region, found["name"])


def group_of(params: Mapping[str, Any], *, account: str, region: str) -> GroupKey:
    """The group that ``logGroupName`` or ``logGroupIdentifier`` names.

    Raises:
        ValidationException: both are given, or none.
        ResourceNotFoundException: the ARN is of another account or region.
    """
    name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
    if name is not None and identifier is not None:
        raise two_group_names()
    if name is not None:
        return GroupKey(account, region, name)
    if identifier is None:
        raise no_group_name()
    return group_by_identifier(identifier, account=account, region=region)


def check_retention(days: int) -> None:
    """Refuse a retention that CloudWatch Logs does not offer. Source: PutRetentionPolicy.

    Raises:
        InvalidParameterException: the text is the framework's for an enumeration.
    """
    if days not in RETENTION_DAYS:
        offered = ", ".join(map(str, RETENTION_DAYS))
        raise invalid(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{offered}]"
        )


def expiry_cutoff_ms(retention_days: int | None, *, now_ms: int) -> int:
    """Events before this time have expired. 0 if the group keeps them for ever."""
    return 0 if retention_days is None else now_ms - retention_days * DAY_MS


@dataclass(frozen=True, slots=True)
class Batch:
    """What PutLogEvents accepts of a call, and the members of ``rejectedLogEventsInfo``."""

    accepted: Sequence[LogEvent]
    rejected: Mapping[str, int]


def decide_batch(events: Sequence[LogEvent], *, now_ms: int, retention_days: int | None) -> Batch:
    """Check one PutLogEvents call and set aside what is too old, expired or too new.

    Events must be in chronological order, so what is refused for its age is a head or a tail.

    Raises:
        InvalidParameterException: the whole call breaks a limit.

    Source: PutLogEvents; the texts are recorded.
    """
    _check_size(events)
    times = [event.timestamp_ms for event in events]
    if any(later < earlier for earlier, later in pairwise(times)):
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
    rejected: dict[str, int] = {}
    too_old_end = sum(time < now_ms - TOO_OLD_MS for time in times)
    if too_old_end:
        rejected["tooOldLogEventEndIndex"] = too_old_end
    cutoff_ms = expiry_cutoff_ms(retention_days, now_ms=now_ms)
    expired_end = sum(time < cutoff_ms for time in times)
    if expired_end > too_old_end:
        rejected["expiredLogEventEndIndex"] = expired_end
    start = max(too_old_end, expired_end)
    end = len(times) - sum(time > now_ms + TOO_NEW_MS for time in times)
    if end < len(times):
        rejected["tooNewLogEventStartIndex"] = end
    if end > start and times[end - 1] - times[start] > BATCH_SPAN_MS_MAX:
        raise invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than "
            "24 hours."
        )
    return Batch(events[start:end], rejected)


def _check_size(events: Sequence[LogEvent]) -> None:
    if len(events) > BATCH_EVENTS_MAX:
        raise invalid(
            f"1 validation error detected: Value at 'logEvents' failed to satisfy constraint: "
            f"Member must have length less than or equal to {BATCH_EVENTS_MAX}"
        )
    sizes = [message_bytes(event.message) + EVENT_OVERHEAD_BYTES for event in events]
    for size in sizes:
        if size > EVENT_BYTES_MAX:
            raise invalid(f"Log event too large: {size} bytes exceeds limit of {EVENT_BYTES_MAX}")
    if sum(sizes) > BATCH_BYTES_MAX:
        raise invalid(f"Upload too large: {sum(sizes)} bytes exceeds limit of {BATCH_BYTES_MAX}")
