"""Entities in the store: users, groups, roles, managed policies, instance profiles.

Every function is part of a unit of work and gets the unit's connection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from alonzo.lib.ids import IdSource
from alonzo.services.iam import errors
from alonzo.services.iam.key_ids import unique_id
from alonzo.services.iam.limits import ENTITIES_MAX
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.services.iam")


class Kind(StrEnum):
    """Kinds of entities, as their ARNs spell them."""

    USER = "user"
    GROUP = "group"
    ROLE = "role"
    POLICY = "policy"
    PROFILE = "instance-profile"
    OIDC = "oidc-provider"
    #: The root user of an account, whose unique id is the account's (``roots``).
    ROOT = "root"


#: How the unique ids of a kind begin. Source: IAM user guide, unique identifiers.
PREFIXES = {
    Kind.USER: "AIDA",
    Kind.GROUP: "AGPA",
    Kind.ROLE: "AROA",
    Kind.POLICY: "ANPA",
    Kind.PROFILE: "AIPA",
    # Ours: nobody is shown the id of a provider.
    Kind.OIDC: "OIDC",
}


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity as stored. ``document`` is what only its kind knows."""

    unique_id: str
    account: str
    kind: Kind
    name: str
    path: str
    created_at_s: float
    document: Mapping[str, Any]

    @property
    def arn(self) -> str:
        """Its ARN, which changes with name and path."""
        return arn_of(self.account, self.kind, self.path, self.name)

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags, possibly none."""
        return self.document.get("tags", {})

    def changed(self, **members: Any) -> Entity:
        """The entity with members of its document replaced, or removed where None."""
        document = {**self.document, **members}
        return replace(
            self, document={name: value for name, value in document.items() if value is not None}
        )


def arn_of(account: str, kind: str, path: str, name: str) -> str:
    """The ARN of an entity."""
    return f"arn:aws:iam::{account}:{kind}{path}{name}"


def entity_from(row: Row) -> Entity:
    """An entity from a row of ``iam_entity``."""
    return Entity(
        row["unique_id"],
        row["account"],
        Kind(row["kind"]),
        row["name"],
        row["path"],
        row["created_at_s"],
        json.loads(row["document"]),
    )


def try_find(conn: Connection, account: str, kind: Kind, name: str) -> Entity | None:
    """The entity of that name in any spelling of cases, or None."""
    row = conn.one(Q.find_entity, {"account": account, "kind": kind, "name_key": name.lower()})
    return None if row is None else entity_from(row)


def find(conn: Connection, account: str, kind: Kind, name: str) -> Entity:
    """The entity of that name.

    Raises:
        AwsError: NoSuchEntity.
    """
    entity = try_find(conn, account, kind, name)
    if entity is None:
        raise errors.not_found(kind, name)
    return entity


def try_find_by_id(conn: Connection, entity_id: str) -> Entity | None:
    """The entity of that unique id, or None."""
    row = conn.one(Q.find_by_id, {"unique_id": entity_id})
    return None if row is None else entity_from(row)


def insert(
    conn: Connection,
    *,
    ids: IdSource,
    account: str,
    kind: Kind,
    name: str,
    path: str,
    now_s: float,
    document: Mapping[str, Any],
) -> Entity:
    """Make an entity.

    Raises:
        AwsError: EntityAlreadyExists, LimitExceeded.
    """
    quota, limit = ENTITIES_MAX[kind]
    if try_find(conn, account, kind, name) is not None:
        raise errors.exists(kind, name)
    if count(conn, account, kind) >= limit:
        raise errors.limit_exceeded(quota, limit)
    created_at_s = float(int(now_s))
    entity = Entity(
        unique_id(PREFIXES[kind], ids), account, kind, name, path, created_at_s, document
    )
    conn.execute(
        Q.insert_entity,
        {**_columns(entity), "account": account, "kind": kind, "created_at_s": created_at_s},
    )
    if kind is Kind.ROLE:
        conn.execute(Q.forget_deleted_role, {"arn": entity.arn})
    return entity


def save(conn: Connection, entity: Entity) -> None:
    """Write an entity that is there: its name, path and document.

    Raises:
        AwsError: EntityAlreadyExists: another has the name.
    """
    holder = try_find(conn, entity.account, entity.kind, entity.name)
    if holder is not None and holder.unique_id != entity.unique_id:
        raise errors.exists(entity.kind, entity.name)
    conn.execute(Q.update_entity, _columns(entity))


def delete(conn: Connection, entity: Entity) -> None:
    """Delete an entity with all that is its own. That a role was there stays known."""
    if entity.kind is Kind.ROLE:
        conn.execute(Q.note_deleted_role, {"arn": entity.arn})
    conn.execute(Q.delete_entity, {"unique_id": entity.unique_id})


def count(conn: Connection, account: str, kind: Kind) -> int:
    """How many of a kind an account has."""
    row = conn.one(Q.count_entities, {"account": account, "kind": kind})
    assert row is not None
    return int(row["n"])


def page(
    conn: Connection, account: str, kind: Kind, *, path: str, after: str, limit: int
) -> list[Entity]:
    """Entities below a path in the order of their names, from ``after`` on."""
    rows = conn.all(
        Q.list_entities,
        {"account": account, "kind": kind, "path": path, "after": after, "limit": limit},
    )
    return [entity_from(row) for row in rows]


def attached(conn: Connection, entity: Entity) -> list[str]:
    """The ARNs of the managed policies that are attached."""
    return _arns(conn, entity, "policy")


def boundary(conn: Connection, entity: Entity) -> str | None:
    """The ARN of the permissions boundary, or None."""
    return next(iter(_arns(conn, entity, "boundary")), None)


def inline(conn: Connection, entity: Entity) -> dict[str, str]:
    """The inline policies by name."""
    rows = conn.all(Q.list_inline, {"entity_id": entity.unique_id})
    return {row["name"]: row["document"] for row in rows}


def groups_of(conn: Connection, user: Entity) -> list[Entity]:
    """The groups that a user is in."""
    return [entity_from(row) for row in conn.all(Q.groups_of_user, {"user_id": user.unique_id})]


def _arns(conn: Connection, entity: Entity, usage: str) -> list[str]:
    rows = conn.all(Q.list_attached, {"entity_id": entity.unique_id, "usage": usage})
    return [row["policy_arn"] for row in rows]


def _columns(entity: Entity) -> dict[str, Any]:
    return {
        "unique_id": entity.unique_id,
        "name_key": entity.name.lower(),
        "name": entity.name,
        "path": entity.path,
        "document": json.dumps(entity.document, separators=(",", ":")),
    }
