"""Functions as they lie in the store: plain values in, plain values out, one statement each.

Every function here is part of a unit of work and gets the unit's connection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alonzo.control.machine import Phase, Reason, Status
from alonzo.model.arns import LATEST, FunctionKey
from alonzo.model.functions import CHANGES_TOPIC, ServingVersion
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.control")


@dataclass(frozen=True, slots=True)
class Code:
    """One package: the hex digest that names its blob, and its sizes."""

    sha256: str
    zipped_bytes: int
    unzipped_bytes: int


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One row of ``function_version``. ``configuration`` is what the column ``document`` holds."""

    key: FunctionKey
    version: str
    configuration: Mapping[str, Any]
    revision_id: str
    status: Status
    deploying: bool
    code: Code
    serving: ServingVersion | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account uses in a region. ``code_bytes`` counts every version's code, unpacked."""

    functions: int
    code_bytes: int


def _columns(key: FunctionKey) -> dict[str, Any]:
    return {"account": key.account, "region": key.region, "name": key.name}


def _row(record: VersionRecord) -> dict[str, Any]:
    status = record.status
    state_reason, update_reason = status.state_reason, status.last_update_reason
    serving = record.serving
    return _columns(record.key) | {
        "version": record.version,
        "document": json.dumps(record.configuration, separators=(",", ":")),
        "revision_id": record.revision_id,
        "state": status.state,
        "state_reason_code": state_reason and state_reason.code,
        "state_reason": state_reason and state_reason.text,
        "last_update_status": status.last_update_status,
        "last_update_status_reason_code": update_reason and update_reason.code,
        "last_update_status_reason": update_reason and update_reason.text,
        "deploying": int(record.deploying),
        "code_sha256": record.code.sha256,
        "code_bytes": record.code.zipped_bytes,
        "unzipped_bytes": record.code.unzipped_bytes,
        "serving": serving and serving.to_json(),
        "serving_code_sha256": serving and serving.code_sha256,
    }


def _status(row: Row) -> Status:
    phase = Phase((row["state"], row["last_update_status"]))
    prefix = "state_reason" if phase.value[1] is None else "last_update_status_reason"
    code = row[f"{prefix}_code"]
    return Status(phase, None if code is None else Reason(code, row[prefix]))


def _record(row: Row) -> VersionRecord:
    return VersionRecord(
        key=FunctionKey(row["account"], row["region"], row["name"]),
        version=row["version"],
        configuration=json.loads(row["document"]),
        revision_id=row["revision_id"],
        status=_status(row),
        deploying=bool(row["deploying"]),
        code=Code(row["code_sha256"], row["code_bytes"], row["unzipped_bytes"]),
        serving=row["serving"] and ServingVersion.from_json(row["serving"]),
    )


def find_version(db: Connection, key: FunctionKey, version: str) -> VersionRecord | None:
    """One version, or None."""
    row = db.one(Q.find_version, _columns(key) | {"version": version})
    return None if row is None else _record(row)


def insert_function(db: Connection, record: VersionRecord, tags: Mapping[str, str]) -> None:
    """A new function with its first record. The caller knows that the name is free."""
    db.execute(Q.insert_function, _columns(record.key) | {"tags": _json(tags)})
    db.execute(Q.insert_version, _row(record))
    _publish(db, record.key)


def save_version(db: Connection, record: VersionRecord) -> None:
    """Replace a version's row by ``record``."""
    db.execute(Q.update_version, _row(record))
    _publish(db, record.key)


def delete_function(db: Connection, key: FunctionKey) -> bool:
    """Delete a function with all its versions; False if there was none."""
    deleted = db.execute(Q.delete_function, _columns(key)) > 0
    if deleted:
        _publish(db, key)
    return deleted


def find_tags(db: Connection, key: FunctionKey) -> dict[str, str] | None:
    """A function's tags; None if there is no such function."""
    row = db.one(Q.find_tags, _columns(key))
    return None if row is None else json.loads(row["tags"])


def set_tags(db: Connection, key: FunctionKey, tags: Mapping[str, str]) -> None:
    """Replace a function's tags."""
    db.execute(Q.set_tags, _columns(key) | {"tags": _json(tags)})
    _publish(db, key)


def list_functions(
    db: Connection, *, account: str, region: str, after: str, rows_max: int
) -> list[VersionRecord]:
    """``$LATEST`` of the functions whose names come after ``after``, in order."""
    rows = db.all(
        Q.list_page,
        {
            "account": account,
            "region": region,
            "version": LATEST,
            "after": after,
            "rows_max": rows_max,
        },
    )
    return [_record(row) for row in rows]


def list_all_versions(
    db: Connection, *, account: str, region: str, after: tuple[str, str], rows_max: int
) -> list[VersionRecord]:
    """Every version of every function that comes after the name and version in ``after``."""
    rows = db.all(
        Q.list_page_all_versions,
        {
            "account": account,
            "region": region,
            "after_name": after[0],
            "after_version": after[1],
            "rows_max": rows_max,
        },
    )
    return [_record(row) for row in rows]


def list_versions(
    db: Connection, key: FunctionKey, *, after: str, rows_max: int
) -> list[VersionRecord]:
    """The versions of one function that come after ``after``."""
    rows = db.all(Q.list_versions, _columns(key) | {"after": after, "rows_max": rows_max})
    return [_record(row) for row in rows]


def list_deploying(db: Connection, *, rows_max: int) -> list[VersionRecord]:
    """Some of the versions, of every account, that the deployer has work with."""
    return [_record(row) for row in db.all(Q.list_deploying, {"rows_max": rows_max})]


def find_usage(db: Connection, *, account: str, region: str) -> Usage:
    """What an account uses in a region now."""
    row = db.one(Q.usage, {"account": account, "region": region})
    assert row is not None
    return Usage(functions=row["functions"], code_bytes=row["code_bytes"])


def reserve_package(db: Connection, sha256: str, *, now_s: float) -> bool:
    """Note that a blob is about to be relied on; False while it is being deleted."""
    return db.one(Q.reserve_package, {"sha256": sha256, "now_s": now_s}) is not None


def touch_package(db: Connection, sha256: str, *, now_s: float) -> bool:
    """Note that a blob is relied on now; False if it is being deleted or is gone."""
    return db.execute(Q.touch_package, {"sha256": sha256, "now_s": now_s}) > 0


def let_go(db: Connection, record: VersionRecord, *, now_s: float) -> None:
    """Note that the blobs of ``record`` go out of use now, which is when their grace begins."""
    touch_package(db, record.code.sha256, now_s=now_s)
    if record.serving is not None:
        touch_package(db, record.serving.code_sha256, now_s=now_s)


def mark_collectable(db: Connection, *, used_before_s: float) -> list[str]:
    """Decide which blobs go: the digests of all that are to be deleted, older decisions too."""
    db.execute(Q.mark_collectable, {"used_before_s": used_before_s})
    return [row["sha256"] for row in db.all(Q.list_collecting)]


def forget_package(db: Connection, sha256: str) -> None:
    """A blob that was to be deleted is gone."""
    db.execute(Q.forget_package, {"sha256": sha256})


def _json(value: Mapping[str, str]) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _publish(db: Connection, key: FunctionKey) -> None:
    db.publish(CHANGES_TOPIC, key.path)
