"""Aliases as they lie in the store. Every function here gets the unit of work's connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alonzo.control.records import Q
from alonzo.control.routing import Routing
from alonzo.model.arns import FunctionKey
from alonzo.model.functions import CHANGES_TOPIC
from alonzo.store.base import Connection, Row

#: Aliases that an error names at most.
NAMES_MAX = 50


@dataclass(frozen=True, slots=True)
class AliasRecord:
    """One row of ``function_alias``."""

    key: FunctionKey
    name: str
    version: str
    routing: Routing | None
    description: str
    revision_id: str

    @property
    def arn(self) -> str:
        """The alias' own ARN."""
        return self.key.qualified(self.name)


def _columns(key: FunctionKey, alias: str) -> dict[str, Any]:
    return {"account": key.account, "region": key.region, "name": key.name, "alias": alias}


def _row(record: AliasRecord) -> dict[str, Any]:
    routing = record.routing
    return _columns(record.key, record.name) | {
        "version": record.version,
        "additional_version": routing and routing.additional_version,
        "additional_weight": routing and routing.weight,
        "description": record.description,
        "revision_id": record.revision_id,
    }


def _record(row: Row) -> AliasRecord:
    additional = row["additional_version"]
    return AliasRecord(
        key=FunctionKey(row["account"], row["region"], row["name"]),
        name=row["alias"],
        version=row["version"],
        routing=None if additional is None else Routing(additional, row["additional_weight"]),
        description=row["description"],
        revision_id=row["revision_id"],
    )


def find(db: Connection, key: FunctionKey, alias: str) -> AliasRecord | None:
    """One alias, or None."""
    row = db.one(Q.find_alias, _columns(key, alias))
    return None if row is None else _record(row)


def insert(db: Connection, record: AliasRecord) -> None:
    """A new alias of versions that exist. The caller knows that the name is free."""
    db.execute(Q.insert_alias, _row(record))
    db.publish(CHANGES_TOPIC, record.key.path)


def save(db: Connection, record: AliasRecord) -> None:
    """Replace an alias by ``record``."""
    db.execute(Q.update_alias, _row(record))
    db.publish(CHANGES_TOPIC, record.key.path)


def delete(db: Connection, key: FunctionKey, alias: str) -> None:
    """Delete an alias, if there is one."""
    if db.execute(Q.delete_alias, _columns(key, alias)):
        db.publish(CHANGES_TOPIC, key.path)


def page(
    db: Connection, key: FunctionKey, *, version: str | None, after: str, rows_max: int
) -> list[AliasRecord]:
    """Aliases by name, those after ``after``; with ``version``, those that send it calls."""
    columns = _columns(key, "") | {"after": after, "rows_max": rows_max, "version": version}
    statement = Q.list_aliases if version is None else Q.list_aliases_of_version
    return [_record(row) for row in db.all(statement, columns)]


def names_of_version(db: Connection, key: FunctionKey, version: str) -> list[str]:
    """The names of aliases that send a version calls: the first ``NAMES_MAX``."""
    return [each.name for each in page(db, key, version=version, after="", rows_max=NAMES_MAX)]
