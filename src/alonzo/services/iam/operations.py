"""What operations on every kind of entity share: the identities, and how answers look."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from alonzo.lib.policies.compiled import Policy, PolicyError
from alonzo.lib.policies.grammar import Document
from alonzo.model.context import RequestContext
from alonzo.services.iam import errors, records
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.managed import encoded
from alonzo.services.iam.records import Entity, Kind
from alonzo.services.iam.tags import render_tags
from alonzo.store.base import Connection

T = TypeVar("T")

#: The names that the model gives the members of a kind: ``UserName``, ``RoleId``, …
WORDS = {
    Kind.USER: "User",
    Kind.GROUP: "Group",
    Kind.ROLE: "Role",
    Kind.POLICY: "Policy",
    Kind.PROFILE: "InstanceProfile",
}
_SPACE = re.compile(r"\s")


class IamOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    def _now_s(self) -> float:
        return self._identities.clock.now_s()


def check_policy(read: Callable[[str], tuple[Document, Policy]], text: str) -> Document:
    """Have a document checked by one of ``grammar``'s readers.

    Raises:
        AwsError: MalformedPolicyDocument.
    """
    try:
        return read(text)[0]
    except PolicyError as error:
        raise errors.malformed(str(error)) from error


def policy_chars(text: str) -> int:
    """What a policy counts for in quotas: white space is free."""
    return len(_SPACE.sub("", text))


def head(entity: Entity) -> dict[str, Any]:
    """The members that every kind has."""
    word = WORDS[entity.kind]
    return {
        "Path": entity.path,
        f"{word}Name": entity.name,
        f"{word}Id": entity.unique_id,
        "Arn": entity.arn,
        "CreateDate": entity.created_at_s,
    }


def with_tags(entity: Entity) -> dict[str, Any]:
    """The tags as a member, if there are any."""
    return {"Tags": render_tags(entity.tags)} if entity.tags else {}


def boundary_of(conn: Connection, entity: Entity) -> dict[str, Any]:
    """The permissions boundary as a member, if there is one."""
    arn = records.boundary(conn, entity)
    if arn is None:
        return {}
    return {
        "PermissionsBoundary": {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": arn,
        }
    }


def render_role(entity: Entity) -> dict[str, Any]:
    """A role as lists show it."""
    document = entity.document
    rendered = {
        **head(entity),
        "AssumeRolePolicyDocument": encoded(document["trust"]),
        "MaxSessionDuration": document["max_session_duration"],
    }
    if "description" in document:
        rendered["Description"] = document["description"]
    return rendered


def render_profile(conn: Connection, entity: Entity) -> dict[str, Any]:
    """An instance profile."""
    row = conn.one(records.Q.role_of_profile, {"profile_id": entity.unique_id})
    role = None if row is None else records.try_find_by_id(conn, row["role_id"])
    return {**head(entity), "Roles": [] if role is None else [render_role(role)]}


def path_prefix(params: Mapping[str, Any]) -> str:
    """The path below which a list is asked for."""
    return str(params.get("PathPrefix") or "/")


def account_of(context: RequestContext) -> str:
    """IAM has one state for all regions."""
    return context.account
