"""Provisioned concurrency configurations as they lie in the store.

Every function here is part of a unit of work and gets the unit's connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alonzo.model.arns import FunctionKey
from alonzo.model.functions import CHANGES_TOPIC, RESERVATIONS_TOPIC
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.control.provisioned")


@dataclass(frozen=True, slots=True)
class ProvisionedRecord:
    """One row of ``function_provisioned_concurrency``. ``qualifier`` is a version or an alias."""

    key: FunctionKey
    qualifier: str
    requested: int
    revision_id: str
    modified_at_s: float


def _columns(key: FunctionKey) -> dict[str, Any]:
    return {"account": key.account, "region": key.region, "name": key.name}


def _record(row: Row) -> ProvisionedRecord:
    return ProvisionedRecord(
        key=FunctionKey(row["account"], row["region"], row["name"]),
        qualifier=row["qualifier"],
        requested=row["requested"],
        revision_id=row["revision_id"],
        modified_at_s=row["modified_at_s"],
    )


def find(db: Connection, key: FunctionKey, qualifier: str) -> ProvisionedRecord | None:
    """The configuration of a version or an alias, or None."""
    row = db.one(Q.find_config, _columns(key) | {"qualifier": qualifier})
    return None if row is None else _record(row)


def put(db: Connection, record: ProvisionedRecord, *, is_alias: bool) -> None:
    """Give what ``record`` names this configuration in the place of any other."""
    db.execute(
        Q.put_config,
        _columns(record.key)
        | {
            "qualifier": record.qualifier,
            "version": None if is_alias else record.qualifier,
            "alias": record.qualifier if is_alias else None,
            "requested": record.requested,
            "revision_id": record.revision_id,
            "modified_at_s": record.modified_at_s,
        },
    )
    _publish(db, record.key)


def delete(db: Connection, key: FunctionKey, qualifier: str) -> None:
    """Delete a configuration, if there is one."""
    if db.execute(Q.delete_config, _columns(key) | {"qualifier": qualifier}):
        _publish(db, key)


def page(db: Connection, key: FunctionKey, *, after: str, rows_max: int) -> list[ProvisionedRecord]:
    """The configurations of a function by qualifier, those after ``after``."""
    rows = db.all(Q.list_configs, _columns(key) | {"after": after, "rows_max": rows_max})
    return [_record(row) for row in rows]


def total(db: Connection, key: FunctionKey) -> int:
    """What is requested for a function in all."""
    row = db.one(Q.total_of_function, _columns(key))
    assert row is not None
    return row["total"]


def users_of_version(db: Connection, key: FunctionKey, version: str) -> list[str]:
    """The qualifiers whose configurations provision a version: the version, and aliases of it."""
    rows = db.all(Q.users_of_version, _columns(key) | {"version": version})
    return [row["qualifier"] for row in rows]


def _publish(db: Connection, key: FunctionKey) -> None:
    db.publish(CHANGES_TOPIC, key.path)
    # What is provisioned is withheld from the other functions of the region.
    db.publish(RESERVATIONS_TOPIC, key.region_path)
