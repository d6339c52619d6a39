"""Layer versions as they lie in the store: plain values in, plain values out.

Every function here is part of a unit of work and gets the unit's connection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alonzo.control.layers.names import NUMBER_MAX, LayerKey, LayerVersionKey
from alonzo.control.policies.documents import Policy
from alonzo.control.records import Code
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.control.layers")


@dataclass(frozen=True, slots=True)
class LayerVersionRecord:
    """One row of ``layer_version``.

    ``document`` has the members that the API shows of every version and that have no column.
    """

    key: LayerVersionKey
    document: Mapping[str, Any]
    code: Code
    policy: Policy | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which versions a list shows: those that say they go with the runtime and architecture."""

    runtime: str | None = None
    architecture: str | None = None

    @property
    def columns(self) -> dict[str, str]:
        """The filter as the statements want it."""
        return {"runtimes": _like(self.runtime), "architectures": _like(self.architecture)}


def _like(value: str | None) -> str:
    return "%" if value is None else f"%,{value},%"


def _joined(values: Sequence[str] | None) -> str:
    return f",{','.join(values or ())},"


def _columns(key: LayerKey) -> dict[str, Any]:
    return {"account": key.account, "region": key.region, "name": key.name}


def _version_columns(key: LayerVersionKey) -> dict[str, Any]:
    return _columns(key.layer) | {"version": key.number}


def _record(row: Row) -> LayerVersionRecord:
    layer = LayerKey(row["account"], row["region"], row["name"])
    policy = row["policy"]
    return LayerVersionRecord(
        key=LayerVersionKey(layer, row["version"]),
        document=json.loads(row["document"]),
        code=Code(row["code_sha256"], row["code_bytes"], row["unzipped_bytes"]),
        policy=policy and Policy(json.loads(policy), row["policy_revision_id"]),
    )


def insert_next(
    db: Connection, layer: LayerKey, document: Mapping[str, Any], code: Code
) -> LayerVersionRecord:
    """A new version under the next number, which no version of the layer ever had."""
    row = db.one(Q.next_number, _columns(layer))
    assert row is not None
    key = LayerVersionKey(layer, row["last_version"])
    db.execute(
        Q.insert_version,
        _version_columns(key)
        | {
            "document": json.dumps(document, separators=(",", ":")),
            "runtimes": _joined(document.get("CompatibleRuntimes")),
            "architectures": _joined(document.get("CompatibleArchitectures")),
            "code_sha256": code.sha256,
            "code_bytes": code.zipped_bytes,
            "unzipped_bytes": code.unzipped_bytes,
        },
    )
    return LayerVersionRecord(key, document, code)


def find_version(db: Connection, key: LayerVersionKey) -> LayerVersionRecord | None:
    """One version, or None."""
    if key.number > NUMBER_MAX:
        return None
    row = db.one(Q.find_version, _version_columns(key))
    return None if row is None else _record(row)


def delete_version(db: Connection, key: LayerVersionKey) -> None:
    """Delete a version with its policy. The layer's numbers go on from where they were."""
    db.execute(Q.delete_version, _version_columns(key))


def set_policy(db: Connection, key: LayerVersionKey, policy: Policy | None) -> None:
    """Replace a version's policy, or take it away."""
    db.execute(
        Q.set_policy,
        _version_columns(key)
        | {
            "policy": policy and policy.text,
            "policy_revision_id": policy and policy.revision_id,
        },
    )


def list_latest(
    db: Connection, *, account: str, region: str, shown: Filter, after: str, rows_max: int
) -> list[LayerVersionRecord]:
    """The layers whose names come after ``after``, each in its latest version that is shown."""
    rows = db.all(
        Q.list_latest,
        {
            "account": account,
            "region": region,
            "after": after,
            "rows_max": rows_max,
            **shown.columns,
        },
    )
    return [_record(row) for row in rows]


def list_versions(
    db: Connection, layer: LayerKey, *, shown: Filter, before: int, rows_max: int
) -> list[LayerVersionRecord]:
    """The versions of a layer with numbers below ``before``, the newest first."""
    rows = db.all(
        Q.list_versions,
        _columns(layer) | {"before": before, "rows_max": rows_max, **shown.columns},
    )
    return [_record(row) for row in rows]
