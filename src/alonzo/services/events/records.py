"""Buses, rules, archives and replays as the store has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from alonzo.services.events.arns import name_of
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

#: The statements of this room.
Q = load("alonzo.services.events")


@dataclass(frozen=True, slots=True)
class Bus:
    """One event bus. ``statements`` are those of its policy. Times are epoch seconds."""

    arn: str
    created_at_s: float
    changed_at_s: float
    description: str | None = None
    statements: Sequence[Mapping[str, Any]] = ()
    tags: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        """Its name, unique in the account and region."""
        return name_of(self.arn)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``targets`` are as PutTargets gave them. ``anchor_s``: rates count from then."""

    arn: str
    bus_arn: str
    name: str
    state: str
    created_by: str
    anchor_s: float
    pattern: str | None = None
    schedule: str | None = None
    description: str | None = None
    role_arn: str | None = None
    targets: Sequence[Mapping[str, Any]] = ()
    tags: Mapping[str, str] | None = None

    @property
    def is_enabled(self) -> bool:
        """Whether it fires."""
        return self.state != "DISABLED"


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive. ``retention_days`` 0 keeps events for good."""

    arn: str
    bus_arn: str
    created_at_s: float
    retention_days: int = 0
    pattern: str | None = None
    description: str | None = None

    @property
    def name(self) -> str:
        """Its name, unique in the account and region."""
        return name_of(self.arn)


class ReplayState(StrEnum):
    """Where a replay stands."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


#: States in which there is work left.
OPEN = frozenset({ReplayState.STARTING, ReplayState.RUNNING, ReplayState.CANCELLING})


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay. Times are epoch seconds; ``filters`` are rules, and none of them means all."""

    arn: str
    archive_arn: str
    state: ReplayState
    from_s: float
    until_s: float
    bus_arn: str
    filters: Sequence[str]
    started_at_s: float
    description: str | None = None
    reason: str | None = None
    last_event_s: float | None = None
    ended_at_s: float | None = None

    @property
    def name(self) -> str:
        """Its name, unique in the account and region."""
        return name_of(self.arn)


def _document(record: Bus | Rule | Archive | Replay) -> str:
    # Escapes all but ASCII: halves of characters, which JSON lets in, are no UTF-8.
    return json.dumps(asdict(record), separators=(",", ":"))


def bus_from(row: Row) -> Bus:
    """A bus from a row of ``events_bus``."""
    return Bus(**json.loads(row["document"]))


def rule_from(row: Row) -> Rule:
    """A rule from a row of ``events_rule``."""
    return Rule(**json.loads(row["document"]))


def archive_from(row: Row) -> Archive:
    """An archive from a row of ``events_archive``."""
    return Archive(**json.loads(row["document"]))


def replay_from(row: Row) -> Replay:
    """A replay from a row of ``events_replay``."""
    document = json.loads(row["document"])
    return Replay(**document | {"state": ReplayState(document["state"])})


def save_bus(db: Connection, bus: Bus) -> None:
    """Write a bus, new or changed."""
    db.execute(Q.save_bus, {"arn": bus.arn, "document": _document(bus)})


def save_rule(db: Connection, rule: Rule, due_at_s: float | None) -> None:
    """Write a rule, new or changed. ``due_at_s`` is its next tick, if it has one."""
    values = {"arn": rule.arn, "bus_arn": rule.bus_arn, "due_at_s": due_at_s}
    db.execute(Q.save_rule, values | {"document": _document(rule)})


def save_archive(db: Connection, archive: Archive) -> None:
    """Write an archive, new or changed."""
    values = {"arn": archive.arn, "bus_arn": archive.bus_arn, "document": _document(archive)}
    db.execute(Q.save_archive, values)


def add_replay(db: Connection, replay: Replay) -> None:
    """Write a new replay, which has sent nothing."""
    values = {
        "arn": replay.arn,
        "archive_arn": replay.archive_arn,
        "position_s": replay.from_s,
        "position_id": 0,
        "document": _document(replay),
    }
    db.execute(Q.add_replay, values)


def save_replay(db: Connection, replay: Replay) -> None:
    """Write a changed replay, where it is."""
    db.execute(Q.save_replay, {"arn": replay.arn, "document": _document(replay)})


def find_rule(db: Connection, arn: str) -> tuple[Rule, float | None] | None:
    """A rule and its next tick, or None."""
    row = db.one(Q.find_rule, {"arn": arn})
    return None if row is None else (rule_from(row), row["due_at_s"])


def find_replay(db: Connection, arn: str) -> Replay | None:
    """A replay, or None."""
    row = db.one(Q.find_replay, {"arn": arn})
    return None if row is None else replay_from(row)
