"""Event invoke configurations as they lie in the store.

Every function here is part of a unit of work and gets the unit's connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alonzo.model.arns import LATEST, FunctionKey
from alonzo.model.functions import CHANGES_TOPIC
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.control.event_invoke")


@dataclass(frozen=True, slots=True)
class EventInvokeRecord:
    """One row of ``function_event_invoke``. None is "not set"; destinations are ARNs."""

    key: FunctionKey
    qualifier: str
    retries_max: int | None
    age_s_max: int | None
    on_success: str | None
    on_failure: str | None
    modified_at_s: float

    @property
    def arn(self) -> str:
        """The ARN of what it is for, qualified."""
        return self.key.qualified(self.qualifier)


def _columns(key: FunctionKey) -> dict[str, Any]:
    return {"account": key.account, "region": key.region, "name": key.name}


def _record(row: Row) -> EventInvokeRecord:
    return EventInvokeRecord(
        key=FunctionKey(row["account"], row["region"], row["name"]),
        qualifier=row["qualifier"],
        retries_max=row["retries_max"],
        age_s_max=row["age_s_max"],
        on_success=row["on_success"],
        on_failure=row["on_failure"],
        modified_at_s=row["modified_at_s"],
    )


def find(db: Connection, key: FunctionKey, qualifier: str) -> EventInvokeRecord | None:
    """The configuration of a function (``$LATEST``), version or alias, or None."""
    row = db.one(Q.find_config, _columns(key) | {"qualifier": qualifier})
    return None if row is None else _record(row)


def put(db: Connection, record: EventInvokeRecord, *, is_alias: bool) -> None:
    """Give what ``record`` names this configuration in the place of any other."""
    named = None if record.qualifier == LATEST else record.qualifier
    db.execute(
        Q.put_config,
        _columns(record.key)
        | {
            "qualifier": record.qualifier,
            "version": None if is_alias else named,
            "alias": named if is_alias else None,
            "retries_max": record.retries_max,
            "age_s_max": record.age_s_max,
            "on_success": record.on_success,
            "on_failure": record.on_failure,
            "modified_at_s": record.modified_at_s,
        },
    )
    db.publish(CHANGES_TOPIC, record.key.path)


def delete(db: Connection, key: FunctionKey, qualifier: str) -> bool:
    """Delete a configuration; False if there was none."""
    deleted = db.execute(Q.delete_config, _columns(key) | {"qualifier": qualifier}) > 0
    if deleted:
        db.publish(CHANGES_TOPIC, key.path)
    return deleted


def page(db: Connection, key: FunctionKey, *, after: str, rows_max: int) -> list[EventInvokeRecord]:
    """The configurations of a function by qualifier, those after ``after``."""
    rows = db.all(Q.list_configs, _columns(key) | {"after": after, "rows_max": rows_max})
    return [_record(row) for row in rows]
