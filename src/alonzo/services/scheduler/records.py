"""Schedules and groups in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from alonzo.services.scheduler.names import DEFAULT_GROUP, schedule_arn
from alonzo.services.scheduler.rules import Timing
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.services.scheduler")

#: The store's topic on which times are published at which a schedule is to be looked at.
TICKS_TOPIC = "schedule tick"


class Place(NamedTuple):
    """Whose things are meant, and where."""

    account: str
    region: str

    @property
    def keys(self) -> dict[str, Any]:
        """As parameters of statements."""
        return {"account": self.account, "region": self.region}


@dataclass(frozen=True, slots=True)
class Group:
    """A group. Times are epoch seconds; the default group has none."""

    name: str
    created_at_s: float | None = None
    modified_at_s: float | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    token: str = ""


@dataclass(frozen=True, slots=True)
class ScheduleRecord:
    """A schedule. Times are epoch seconds.

    ``settings`` are members of CreateSchedule as they are shown again, with dates in epoch seconds;
    ``target`` is apart, for its size. ``token`` and ``fingerprint`` are those of the request that
    made it. ``tick_at_s`` is when it is looked at next: at its next tick, or, with ``is_over``, to
    be deleted. ``last_s`` is the last tick that came.
    """

    place: Place
    group: str
    name: str
    state: str
    created_at_s: float
    modified_at_s: float
    anchor_s: float
    tick_at_s: float | None
    settings: Mapping[str, Any]
    target: Mapping[str, Any] = field(repr=False)
    token: str = ""
    fingerprint: str = ""
    is_over: bool = False
    last_s: float = 0.0
    id: int = 0

    @property
    def arn(self) -> str:
        """The ARN."""
        return schedule_arn(*self.place, self.group, self.name)

    @property
    def timing(self) -> Timing:
        """What decides when it fires."""
        window = self.settings["FlexibleTimeWindow"]
        return Timing(
            self.settings["ScheduleExpression"],
            self.settings["ScheduleExpressionTimezone"],
            self.settings.get("StartDate"),
            self.settings.get("EndDate"),
            60 * window.get("MaximumWindowInMinutes", 0),
        )


def schedule_from(row: Row) -> ScheduleRecord:
    """A schedule from its row."""
    document = orjson.loads(row["document"])
    return ScheduleRecord(
        Place(row["account"], row["region"]),
        row["group_name"],
        row["name"],
        row["state"],
        row["created_at_s"],
        row["modified_at_s"],
        row["anchor_s"],
        row["tick_at_s"],
        document["settings"],
        orjson.loads(row["target"]),
        document["token"],
        document["fingerprint"],
        document["is_over"],
        document["last_s"],
        row["id"],
    )


def try_schedule(conn: Connection, place: Place, group: str, name: str) -> ScheduleRecord | None:
    """The schedule of that name, or None."""
    row = conn.one(Q.find_schedule, place.keys | {"group_name": group, "name": name})
    return None if row is None else schedule_from(row)


def save_schedule(conn: Connection, record: ScheduleRecord) -> None:
    """Write a schedule, new (without an id) or changed; the timer hears of its tick."""
    values = {
        "state": record.state,
        "modified_at_s": record.modified_at_s,
        "anchor_s": record.anchor_s,
        "tick_at_s": record.tick_at_s,
        "document": document_of(record),
        "target_arn": record.target["Arn"],
        "target": orjson.dumps(record.target).decode(),
    }
    if record.id:
        conn.execute(Q.update_schedule, values | {"id": record.id})
    else:
        names = {"group_name": record.group, "name": record.name}
        created = {"created_at_s": record.created_at_s}
        conn.execute(Q.add_schedule, record.place.keys | values | names | created)
    if record.tick_at_s is not None:
        conn.publish(TICKS_TOPIC, repr(record.tick_at_s))


def move_tick(conn: Connection, record: ScheduleRecord, next_at_s: float | None) -> bool:
    """Move the tick on; False: somebody else did, or the schedule is gone."""
    values = {"id": record.id, "tick_at_s": record.tick_at_s, "next_at_s": next_at_s}
    return conn.execute(Q.move_tick, values | {"document": document_of(record)}) > 0


def end_schedule(conn: Connection, record: ScheduleRecord) -> bool:
    """Delete a schedule at its tick; False: it was moved, or the schedule is gone."""
    return conn.execute(Q.end_schedule, {"id": record.id, "tick_at_s": record.tick_at_s}) > 0


def document_of(record: ScheduleRecord) -> str:
    """The part that is read with the row alone."""
    document = {
        "settings": record.settings,
        "token": record.token,
        "fingerprint": record.fingerprint,
        "is_over": record.is_over,
        "last_s": record.last_s,
    }
    return orjson.dumps(document).decode()


def try_group(conn: Connection, place: Place, name: str) -> Group | None:
    """The group of that name, or None; the default group is always there."""
    if name == DEFAULT_GROUP:
        return Group(name)
    row = conn.one(Q.find_group, place.keys | {"name": name})
    return None if row is None else group_from(row)


def group_from(row: Row) -> Group:
    """A group from its row."""
    document = orjson.loads(row["document"])
    return Group(
        row["name"],
        row["created_at_s"],
        row["modified_at_s"],
        document["tags"],
        document["token"],
    )


def save_group(conn: Connection, place: Place, group: Group) -> None:
    """Write a group, new or changed."""
    document = orjson.dumps({"tags": group.tags, "token": group.token}).decode()
    values = {
        "name": group.name,
        "created_at_s": group.created_at_s,
        "modified_at_s": group.modified_at_s,
        "document": document,
    }
    conn.execute(Q.save_group, place.keys | values)


def prefix_range(prefix: str | None) -> dict[str, str]:
    """What names that begin so lie between, as parameters of statements."""
    prefix = prefix or ""
    # Names are ASCII: nothing comes after this.
    return {"prefix": prefix, "prefix_end": f"{prefix}\x7f"}
