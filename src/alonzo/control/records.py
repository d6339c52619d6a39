"""Functions as they lie in the store: plain values in, plain values out, one statement each.

Every function here is part of a unit of work and gets the unit's connection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from alonzo.control.machine import Phase, Reason, Status
from alonzo.model.arns import LATEST, FunctionKey
from alonzo.model.functions import CHANGES_TOPIC, RESERVATIONS_TOPIC, ServingVersion, layers_tree
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.control")


@dataclass(frozen=True, slots=True)
class Code:
    """One package: the hex digest that names its blob, and its sizes."""

    sha256: str
    zipped_bytes: int
    unzipped_bytes: int


#: Of a layer of AWS's that the platform stands in for.
NO_CODE = Code("", 0, 0)


@dataclass(frozen=True, slots=True)
class BoundLayer:
    """A layer version as a function keeps it: nothing that becomes of the layer changes it."""

    arn: str
    code: Code


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One row of ``function_version``. ``configuration`` is what the column ``document`` holds.

    ``layers`` are in their order, the first one at the bottom.
    """

    key: FunctionKey
    version: str
    configuration: Mapping[str, Any]
    revision_id: str
    status: Status
    deploying: bool
    code: Code
    serving: ServingVersion | None = None
    layers: tuple[BoundLayer, ...] = ()
    runtime_management: Mapping[str, str] | None = None

    @property
    def number(self) -> int:
        """The version as a number; ``$LATEST`` is 0."""
        return 0 if self.version == LATEST else int(self.version)

    @property
    def layer_digests(self) -> tuple[str, ...]:
        """The packages of its layers, in their order."""
        return tuple(layer.code.sha256 for layer in self.layers if layer.code != NO_CODE)


@dataclass(frozen=True, slots=True)
class FunctionRecord:
    """One row of ``function``: what belongs to no version of its own."""

    tags: Mapping[str, str]
    last_version: int
    published_digest: str | None
    reserved_concurrency: int | None
    recursive_loop: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account uses in a region.

    ``code_bytes`` counts the code of every version and every layer version, unpacked.
    ``reserved`` is the concurrency that its functions have reserved together, ``provisioned`` what
    is provisioned for those that have reserved none.
    """

    functions: int
    code_bytes: int
    reserved: int
    provisioned: int


def _columns(key: FunctionKey) -> dict[str, Any]:
    return {"account": key.account, "region": key.region, "name": key.name}


def _row(record: VersionRecord) -> dict[str, Any]:
    status = record.status
    state_reason, update_reason = status.state_reason, status.last_update_reason
    serving = record.serving
    return _columns(record.key) | {
        "version": record.version,
        "number": record.number,
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
        "layers": json.dumps([asdict(layer) for layer in record.layers], separators=(",", ":")),
        "runtime_management": record.runtime_management and _json(record.runtime_management),
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
        layers=tuple(
            BoundLayer(layer["arn"], Code(**layer["code"])) for layer in json.loads(row["layers"])
        ),
        runtime_management=row["runtime_management"] and json.loads(row["runtime_management"]),
    )


def find_version(db: Connection, key: FunctionKey, version: str) -> VersionRecord | None:
    """One version, or None."""
    row = db.one(Q.find_version, _columns(key) | {"version": version})
    return None if row is None else _record(row)


def insert_function(db: Connection, record: VersionRecord, tags: Mapping[str, str]) -> None:
    """A new function with its first record. The caller knows that the name is free."""
    db.execute(Q.insert_function, _columns(record.key) | {"tags": _json(tags)})
    db.execute(Q.insert_version, _row(record))
    _note_layers(db, record)
    _publish(db, record.key)


def find_function(db: Connection, key: FunctionKey) -> FunctionRecord | None:
    """What belongs to a function as a whole, or None."""
    row = db.one(Q.find_function, _columns(key))
    if row is None:
        return None
    return FunctionRecord(
        tags=json.loads(row["tags"]),
        last_version=row["last_version"],
        published_digest=row["published_digest"],
        reserved_concurrency=row["reserved_concurrency"],
        recursive_loop=row["recursive_loop"],
    )


def insert_published(db: Connection, record: VersionRecord, digest: str) -> None:
    """A new version with the next number, published from the content that ``digest`` names."""
    db.execute(Q.insert_version, _row(record))
    _note_layers(db, record)
    db.execute(Q.set_published, _columns(record.key) | {"number": record.number, "digest": digest})
    _publish(db, record.key)


def delete_version(db: Connection, record: VersionRecord) -> None:
    """Delete one published version, which no alias names."""
    db.execute(Q.delete_version, _columns(record.key) | {"version": record.version})
    _publish(db, record.key)


def set_reserved_concurrency(db: Connection, key: FunctionKey, reserved: int | None) -> None:
    """Reserve concurrency for a function; None gives it back."""
    db.execute(Q.set_reserved_concurrency, _columns(key) | {"reserved": reserved})
    _publish(db, key)
    db.publish(RESERVATIONS_TOPIC, key.region_path)


def set_recursive_loop(db: Connection, key: FunctionKey, recursive_loop: str) -> None:
    """Say what becomes of loops through a function: ``Allow`` or ``Terminate``."""
    db.execute(Q.set_recursive_loop, _columns(key) | {"recursive_loop": recursive_loop})
    _publish(db, key)


def set_runtime_management(
    db: Connection, key: FunctionKey, version: str, config: Mapping[str, str]
) -> None:
    """Replace a version's RuntimeManagementConfig, which no invoke looks at."""
    db.execute(
        Q.set_runtime_management, _columns(key) | {"version": version, "config": _json(config)}
    )


def save_version(db: Connection, record: VersionRecord) -> None:
    """Replace a version's row by ``record``."""
    db.execute(Q.update_version, _row(record))
    _note_layers(db, record)
    _publish(db, record.key)


def delete_function(db: Connection, key: FunctionKey) -> bool:
    """Delete a function with all its versions; False if there was none."""
    deleted = db.execute(Q.delete_function, _columns(key)) > 0
    if deleted:
        _publish(db, key)
        db.publish(RESERVATIONS_TOPIC, key.region_path)
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
            "after": after,
            "rows_max": rows_max,
        },
    )
    return [_record(row) for row in rows]


def list_all_versions(
    db: Connection, *, account: str, region: str, after: tuple[str, int], rows_max: int
) -> list[VersionRecord]:
    """Every version of every function that comes after the name and number in ``after``."""
    rows = db.all(
        Q.list_page_all_versions,
        {
            "account": account,
            "region": region,
            "after_name": after[0],
            "after_number": after[1],
            "rows_max": rows_max,
        },
    )
    return [_record(row) for row in rows]


def list_versions(
    db: Connection, key: FunctionKey, *, after: int, rows_max: int
) -> list[VersionRecord]:
    """The versions of one function whose numbers come after ``after``; ``$LATEST`` is 0."""
    rows = db.all(Q.list_versions, _columns(key) | {"after": after, "rows_max": rows_max})
    return [_record(row) for row in rows]


def list_plain(
    db: Connection, *, after: tuple[str, str, str, int], rows_max: int
) -> list[VersionRecord]:
    """Some of the versions, of every account, whose variables are in plain text.

    ``after`` is the account, region, name and number of the last one seen.
    """
    account, region, name, number = after
    where = {"account": account, "region": region, "name": name, "number": number}
    return [_record(row) for row in db.all(Q.list_plain, where | {"rows_max": rows_max})]


def list_deploying(db: Connection, *, rows_max: int) -> list[VersionRecord]:
    """Some of the versions, of every account, that the deployer has work with."""
    return [_record(row) for row in db.all(Q.list_deploying, {"rows_max": rows_max})]


def find_usage(db: Connection, *, account: str, region: str) -> Usage:
    """What an account uses in a region now."""
    row = db.one(Q.usage, {"account": account, "region": region})
    assert row is not None
    return Usage(row["functions"], row["code_bytes"], row["reserved"], row["provisioned"])


def reserve_package(db: Connection, sha256: str, *, now_s: float) -> bool:
    """Note that a blob is about to be relied on; False while it is being deleted."""
    return db.one(Q.reserve_package, {"sha256": sha256, "now_s": now_s}) is not None


def touch_package(db: Connection, sha256: str, *, now_s: float) -> bool:
    """Note that a blob is relied on now; False if it is being deleted or is gone."""
    return db.execute(Q.touch_package, {"sha256": sha256, "now_s": now_s}) > 0


def let_go(db: Connection, record: VersionRecord, *, now_s: float) -> None:
    """Note that the blobs of ``record`` may go out of use now, which is when their grace begins."""
    touch_package(db, record.code.sha256, now_s=now_s)
    if record.serving is not None:
        touch_package(db, record.serving.code_sha256, now_s=now_s)
    for digests in _layer_stacks(record):
        for sha256 in digests:
            touch_package(db, sha256, now_s=now_s)


def let_go_all(db: Connection, key: FunctionKey, *, now_s: float) -> None:
    """The same for every version of a function."""
    db.execute(Q.touch_packages_of_function, _columns(key) | {"now_s": now_s})


def mark_collectable(db: Connection, *, used_before_s: float) -> list[str]:
    """Decide which blobs go: the digests of all that are to be deleted, older decisions too."""
    db.execute(Q.mark_collectable, {"used_before_s": used_before_s})
    return [row["sha256"] for row in db.all(Q.list_collecting)]


def forget_package(db: Connection, sha256: str) -> None:
    """A blob that was to be deleted is gone."""
    db.execute(Q.forget_package, {"sha256": sha256})


def _layer_stacks(record: VersionRecord) -> set[tuple[str, ...]]:
    """The layers that a version needs, by their packages: as it was set, and as it serves."""
    stacks = {record.layer_digests}
    if record.serving is not None:
        stacks.add(record.serving.layers)
    return stacks - {()}


def _note_layers(db: Connection, record: VersionRecord) -> None:
    """Note what the version's layers need, so that it is neither deleted nor swept."""
    version = _columns(record.key) | {"version": record.version}
    db.execute(Q.forget_layers, version)
    for digests in _layer_stacks(record):
        tree = layers_tree(digests)
        for sha256 in set(digests):
            db.execute(Q.note_layer, version | {"tree": tree, "code_sha256": sha256})


def _json(value: Mapping[str, str]) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _publish(db: Connection, key: FunctionKey) -> None:
    db.publish(CHANGES_TOPIC, key.path)
