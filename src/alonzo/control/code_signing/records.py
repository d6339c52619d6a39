"""Code signing configurations as they lie in the store, and which functions have one.

Every function here is part of a unit of work and gets the unit's connection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alonzo.model.arns import FunctionKey
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.control.code_signing")


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One configuration, in one account and region."""

    account: str
    region: str
    id: str

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:lambda:{self.region}:{self.account}:code-signing-config:{self.id}"


@dataclass(frozen=True, slots=True)
class ConfigRecord:
    """One row of ``code_signing_config``. ``document`` has the members without a column."""

    key: ConfigKey
    document: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def enforces(self) -> bool:
        """Whether code without a good signature is refused, not only noted."""
        policies = self.document["CodeSigningPolicies"]
        return policies["UntrustedArtifactOnDeployment"] == "Enforce"


def _columns(key: ConfigKey) -> dict[str, Any]:
    return {"account": key.account, "region": key.region, "id": key.id}


def _function(key: FunctionKey) -> dict[str, Any]:
    return {"account": key.account, "region": key.region, "name": key.name}


def _row(record: ConfigRecord) -> dict[str, Any]:
    return _columns(record.key) | {
        "document": json.dumps(record.document, separators=(",", ":")),
        "tags": json.dumps(record.tags, separators=(",", ":"), sort_keys=True),
    }


def _record(row: Row) -> ConfigRecord:
    return ConfigRecord(
        key=ConfigKey(row["account"], row["region"], row["id"]),
        document=json.loads(row["document"]),
        tags=json.loads(row["tags"]),
    )


def insert(db: Connection, record: ConfigRecord) -> None:
    """A new configuration."""
    db.execute(Q.insert_config, _row(record))


def find(db: Connection, key: ConfigKey) -> ConfigRecord | None:
    """One configuration, or None."""
    row = db.one(Q.find_config, _columns(key))
    return None if row is None else _record(row)


def save(db: Connection, record: ConfigRecord) -> None:
    """Replace a configuration by ``record``."""
    db.execute(Q.update_config, _row(record))


def delete(db: Connection, key: ConfigKey) -> None:
    """Delete a configuration, which no function has."""
    db.execute(Q.delete_config, _columns(key))


def page(
    db: Connection, *, account: str, region: str, after: str, rows_max: int
) -> list[ConfigRecord]:
    """Configurations by id, those after ``after``."""
    rows = db.all(
        Q.list_configs,
        {"account": account, "region": region, "after": after, "rows_max": rows_max},
    )
    return [_record(row) for row in rows]


def attach(db: Connection, function: FunctionKey, config: ConfigKey) -> None:
    """Give a function a configuration in the place of any other."""
    db.execute(Q.attach, _function(function) | {"config_id": config.id})


def detach(db: Connection, function: FunctionKey) -> None:
    """Take a function's configuration away, if it has one."""
    db.execute(Q.detach, _function(function))


def find_attached(db: Connection, function: FunctionKey) -> ConfigRecord | None:
    """The configuration that a function has, or None."""
    row = db.one(Q.find_attached, _function(function))
    return None if row is None else _record(row)


def functions_of(
    db: Connection, config: ConfigKey, *, after: str, rows_max: int
) -> list[FunctionKey]:
    """The functions that have a configuration, by name, those after ``after``."""
    rows = db.all(
        Q.list_functions,
        {
            "account": config.account,
            "region": config.region,
            "config_id": config.id,
            "after": after,
            "rows_max": rows_max,
        },
    )
    return [FunctionKey(config.account, config.region, row["name"]) for row in rows]
