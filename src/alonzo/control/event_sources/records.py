"""Event source mappings as they lie in the store.

Every function here is part of a unit of work and gets the unit's connection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alonzo.control.event_sources.kinds import KINDS, Kind
from alonzo.control.event_sources.machine import State
from alonzo.control.event_sources.rules import source_key
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.control.event_sources")

#: The store's topic on which every change of a mapping is published, under its ARN.
MAPPINGS_TOPIC = "event_source_mapping"


@dataclass(frozen=True, slots=True)
class MappingKey:
    """One mapping, in one account and region."""

    account: str
    region: str
    id: str

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:lambda:{self.region}:{self.account}:event-source-mapping:{self.id}"


@dataclass(frozen=True, slots=True)
class MappingRecord:
    """One row of ``event_source_mapping``. ``document`` is what ``rules.py`` made."""

    key: MappingKey
    function: FunctionRef
    kind: Kind
    source_arn: str | None
    document: Mapping[str, Any]
    state: State
    enabled: bool
    modified_at_s: float
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


def _columns(key: MappingKey) -> dict[str, Any]:
    return {"account": key.account, "region": key.region, "id": key.id}


def _row(record: MappingRecord) -> dict[str, Any]:
    return _columns(record.key) | {
        "function_name": record.function.key.name,
        "function_qualifier": record.function.qualifier,
        "kind": record.kind.name,
        "source_arn": record.source_arn,
        "source_key": source_key(record.source_arn, record.document),
        "document": json.dumps(record.document, separators=(",", ":")),
        "tags": json.dumps(record.tags, separators=(",", ":"), sort_keys=True),
        "state": str(record.state),
        "enabled": int(record.enabled),
        "modified_at_s": record.modified_at_s,
    }


def _record(row: Row) -> MappingRecord:
    key = MappingKey(row["account"], row["region"], row["id"])
    return MappingRecord(
        key=key,
        function=FunctionRef(
            FunctionKey(key.account, key.region, row["function_name"]), row["function_qualifier"]
        ),
        kind=KINDS[row["kind"]],
        source_arn=row["source_arn"],
        document=json.loads(row["document"]),
        state=State(row["state"]),
        enabled=bool(row["enabled"]),
        modified_at_s=row["modified_at_s"],
        tags=json.loads(row["tags"]),
    )


def insert(db: Connection, record: MappingRecord) -> None:
    """A new mapping."""
    db.execute(Q.insert_mapping, _row(record))
    db.publish(MAPPINGS_TOPIC, record.key.arn)


def save(db: Connection, record: MappingRecord) -> None:
    """Replace a mapping by ``record``."""
    db.execute(Q.update_mapping, _row(record))
    db.publish(MAPPINGS_TOPIC, record.key.arn)


def delete(db: Connection, key: MappingKey) -> None:
    """Delete a mapping, for good."""
    db.execute(Q.delete_mapping, _columns(key))
    db.publish(MAPPINGS_TOPIC, key.arn)


def find(db: Connection, key: MappingKey) -> MappingRecord | None:
    """One mapping, or None."""
    row = db.one(Q.find_mapping, _columns(key))
    return None if row is None else _record(row)


def find_same(db: Connection, record: MappingRecord) -> MappingRecord | None:
    """Another mapping that reads the same for the same function, or None."""
    row = db.one(Q.find_same, _row(record))
    return None if row is None else _record(row)


def page(
    db: Connection,
    *,
    account: str,
    region: str,
    function: FunctionRef | None,
    source_arn: str | None,
    after: str,
    rows_max: int,
) -> list[MappingRecord]:
    """Mappings by id, those after ``after``: all, or those of a function, of a source, or both.

    A function without a qualifier stands for all its versions and aliases.
    """
    values = {
        "account": account,
        "region": region,
        "function_name": None if function is None else function.key.name,
        "function_qualifier": None if function is None else function.qualifier,
        "source_arn": source_arn,
        "after": after,
        "rows_max": rows_max,
    }
    if function is not None:
        statement = Q.list_mappings_of_function
    elif source_arn is not None:
        statement = Q.list_mappings_of_source
    else:
        statement = Q.list_mappings
    return [_record(row) for row in db.all(statement, values)]


def list_busy(db: Connection, *, rows_max: int) -> list[MappingRecord]:
    """Some of the mappings, of every account, for which something is under way."""
    return [_record(row) for row in db.all(Q.list_busy, {"rows_max": rows_max})]


def list_enabled(db: Connection, *, after: MappingKey, rows_max: int) -> list[MappingRecord]:
    """Mappings of every account that are to run, by account, region and id, those after a key."""
    values = {"after_account": after.account, "after_region": after.region, "after_id": after.id}
    return [_record(row) for row in db.all(Q.list_enabled, {**values, "rows_max": rows_max})]
