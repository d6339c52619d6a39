"""Keys, aliases and grants in the store. Runs inside units of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from alonzo.model.context import RequestContext
from alonzo.services.kms.errors import alias_not_found, key_not_found
from alonzo.services.kms.limits import ROTATION_DAYS_DEFAULT
from alonzo.services.kms.machine import State
from alonzo.services.kms.rules import KeyName, arn_of, parse_key_name
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.services.kms")


@dataclass(frozen=True, slots=True)
class Key:
    """One key as stored. ``document``: description, manager, policy, tags and rotation."""

    id: str
    account: str
    region: str
    created_at_s: float
    state: State
    deletion_at_s: float | None
    document: Mapping[str, Any]

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arn_of(self.account, self.region, f"key/{self.id}")

    @property
    def policy(self) -> str:
        """The key policy, as it was put."""
        return self.document["policy"]

    @property
    def tags(self) -> dict[str, str]:
        """The tags, possibly none."""
        return self.document.get("tags", {})

    @property
    def is_managed(self) -> bool:
        """Whether a service made it for itself."""
        return self.document.get("manager") == "AWS"

    @property
    def rotation_days(self) -> int:
        """The period of automatic rotation, whether it is on or not."""
        return self.document.get("rotation_days", ROTATION_DAYS_DEFAULT)

    @property
    def rotates_at_s(self) -> float | None:
        """When the next automatic rotation is due, or None if there is none."""
        return self.document.get("rotates_at_s")


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant. ``document`` has the members of CreateGrant, and ``IssuingAccount``."""

    id: str
    key_id: str
    created_at_s: float
    document: Mapping[str, Any]


def key_from(row: Row) -> Key:
    """A key from a row of ``kms_key``."""
    return Key(
        row["id"],
        row["account"],
        row["region"],
        row["created_at_s"],
        State(row["state"]),
        row["deletion_at_s"],
        orjson.loads(row["document"]),
    )


def grant_from(row: Row) -> Grant:
    """A grant from a row of ``kms_grant``."""
    return Grant(row["id"], row["key_id"], row["created_at_s"], orjson.loads(row["document"]))


def try_find(conn: Connection, key_id: str) -> Key | None:
    """The key of that id, whosever it is, or None."""
    row = conn.one(Q.find_key, {"id": key_id})
    return None if row is None else key_from(row)


def need_named(conn: Connection, name: KeyName) -> Key:
    """The key of that name.

    Raises:
        AwsError: NotFoundException.
    """
    if name.key_id is not None:
        key = try_find(conn, name.key_id)
        if key is None or (key.account, key.region) != (name.account, name.region):
            raise key_not_found(name.arn)
        return key
    row = conn.one(
        Q.find_alias, {"account": name.account, "region": name.region, "name": name.alias}
    )
    key = None if row is None else try_find(conn, row["key_id"])
    if key is None:
        raise alias_not_found(name.arn)
    return key


def need_key(conn: Connection, context: RequestContext, text: str) -> Key:
    """The key that a ``KeyId`` names.

    Raises:
        AwsError: NotFoundException, InvalidArnException.
    """
    name = parse_key_name(text, account=context.account, region=context.region)
    return need_named(conn, name)


def save_document(conn: Connection, key: Key, **changes: Any) -> None:
    """Replace members of a key's document; None takes one away."""
    merged = {**key.document, **changes}
    document = {name: value for name, value in merged.items() if value is not None}
    conn.execute(Q.set_document, {"id": key.id, "document": orjson.dumps(document).decode()})


def set_state(
    conn: Connection, key: Key, state: State, *, deletion_at_s: float | None = None
) -> None:
    """Give a key the state that ``machine.step`` answered."""
    conn.execute(Q.set_state, {"id": key.id, "state": str(state), "deletion_at_s": deletion_at_s})
