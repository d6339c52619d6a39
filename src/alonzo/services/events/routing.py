"""From an event on a bus to what is to be sent and kept: parcels and archived events. Pure.

A parcel is whole: what its target gets, and all that is needed to deliver it, so that a rule that
changes or goes later does not change what was on its way.

| ``about`` | |
|---|---|
| ``rule``, ``target`` | the rule's ARN, the target's |
| ``role`` | with whose permissions; absent: with the service's own |
| ``group`` | the message group of a FIFO queue |
| ``retries``, ``age_s`` | when it is given up |
| ``dead_letters`` | the queue for what was given up |
| ``trace`` | the trace header of PutEvents |
| ``hops`` | how often the event has gone on to another bus |
| ``failed`` | of a dead letter: what is said of the delivery |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alonzo.services.events.directory import Directory
from alonzo.services.events.documents import REPLAY_NAME, Document, render, time_text
from alonzo.services.events.errors import too_much
from alonzo.services.events.inputs import Occasion, OutputError, output_of
from alonzo.services.events.limits import (
    EVENT_AGE_S_DEFAULT,
    FORWARDS_MAX,
    RETRIES_DEFAULT,
    ROUTED_BYTES_MAX,
)
from alonzo.services.events.records import Rule
from alonzo.store.outbox import NewParcel


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that has come to a bus. ``filters`` are rules that alone may fire; empty: all."""

    bus_arn: str
    event: Document
    text: str
    at_s: float
    event_at_s: float
    trace: str | None = None
    hops: int = 0
    filters: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Kept:
    """An event for an archive."""

    archive_arn: str
    event_at_s: float
    document: bytes


@dataclass(frozen=True, slots=True)
class Routed:
    """Everything that becomes of arrivals."""

    parcels: Sequence[NewParcel]
    kept: Sequence[Kept]


def route(directory: Directory, arrivals: Iterable[Arrival]) -> Routed:
    """Find the rules and archives of each event. Reads memory alone.

    Raises:
        AwsError: ThrottlingException: all targets together are to get too much.
    """
    parcels: list[NewParcel] = []
    kept: list[Kept] = []
    n_bytes = 0
    for each in arrivals:
        for rule in directory.rules_for(each.bus_arn, each.event):
            if each.filters and rule.arn not in each.filters:
                continue
            made = parcels_of(rule, each)
            n_bytes += sum(len(parcel.document) for parcel in made)
            if n_bytes > ROUTED_BYTES_MAX:
                raise too_much()
            parcels += made
        # What an archive has sent out again is not archived once more.
        if REPLAY_NAME not in each.event:
            document = each.text.encode("utf-8", "replace")
            kept += [
                Kept(archive.arn, each.event_at_s, document)
                for archive in directory.archives_for(each.bus_arn, each.event)
            ]
    return Routed(parcels, kept)


def parcels_of(rule: Rule, arrival: Arrival) -> list[NewParcel]:
    """What the targets of a rule get of an event."""
    occasion = Occasion(rule.arn, rule.name, time_text(arrival.at_s))
    return [
        parcel
        for target in rule.targets
        if (parcel := _parcel(rule, target, arrival, occasion)) is not None
    ]


def _parcel(
    rule: Rule, target: Mapping[str, Any], arrival: Arrival, occasion: Occasion
) -> NewParcel | None:
    is_bus = target["Arn"].split(":", 3)[2] == "events"
    if is_bus and arrival.hops >= FORWARDS_MAX:
        return None
    try:
        text = output_of(target, arrival.event, arrival.text, occasion)
    except OutputError:
        return None
    retry: Mapping[str, int] = target.get("RetryPolicy") or {}
    about: dict[str, Any] = {
        "rule": rule.arn,
        "target": target["Arn"],
        "retries": retry.get("MaximumRetryAttempts", RETRIES_DEFAULT),
        "age_s": retry.get("MaximumEventAgeInSeconds", EVENT_AGE_S_DEFAULT),
        "hops": arrival.hops,
    }
    queue: Mapping[str, str] = target.get("SqsParameters") or {}
    dead_letters: Mapping[str, str] = target.get("DeadLetterConfig") or {}
    optional: Mapping[str, str | None] = {
        "role": target.get("RoleArn"),
        "group": queue.get("MessageGroupId"),
        "dead_letters": dead_letters.get("Arn"),
        "trace": arrival.trace,
    }
    about |= {name: value for name, value in optional.items() if value}
    return NewParcel(target["Arn"], about, text.encode("utf-8", "replace"))


def with_replay(event: Document, replay_name: str) -> tuple[dict[str, Any], str]:
    """An archived event as a replay sends it, and its text.

    Raises:
        ValueError: it is deeper than an event may be.
    """
    changed = {**event, REPLAY_NAME: replay_name}
    return changed, render(changed)
