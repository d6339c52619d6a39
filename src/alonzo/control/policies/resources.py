"""What a policy can belong to: a function, one of its versions, or one of its aliases.

A policy has the revision of what it belongs to, and a change of either is a change of both; so AWS
was recorded. Every function here is part of a unit of work and gets the unit's connection.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from alonzo.control import aliases, records
from alonzo.control.aliases import AliasRecord
from alonzo.control.policies.documents import Policy
from alonzo.control.records import VersionRecord
from alonzo.model.arns import LATEST, FunctionKey, FunctionRef
from alonzo.model.errors import not_found
from alonzo.store.base import Connection
from alonzo.store.queries import load

Q = load("alonzo.control.policies")

_ALIAS = re.compile(r"(?![0-9]+$)[a-zA-Z0-9-_]+")


@dataclass(frozen=True, slots=True)
class PolicyResource:
    """One function, version or alias. ``record`` of a function is that of ``$LATEST``."""

    ref: FunctionRef
    record: VersionRecord | AliasRecord
    policy: Policy | None

    @property
    def arn(self) -> str:
        """The ARN that its statements name."""
        return self.ref.arn

    @property
    def revision_id(self) -> str:
        """The revision of it and of its policy."""
        return self.record.revision_id


def try_find(db: Connection, ref: FunctionRef) -> PolicyResource | None:
    """What ``ref`` names, with its policy; None if it does not exist."""
    record = _record(db, ref)
    if record is None:
        return None
    row = db.one(Q.find_policy, _columns(ref))
    if row is None:
        return PolicyResource(ref, record, None)
    return PolicyResource(ref, record, Policy(json.loads(row["document"]), record.revision_id))


def get(db: Connection, ref: FunctionRef) -> PolicyResource:
    """What ``ref`` names, with its policy.

    Raises:
        AwsError: ResourceNotFoundException.
    """
    if records.find_function(db, ref.key) is None:
        raise not_found(f"Function not found: {ref.key.arn}")
    found = try_find(db, ref)
    if found is None:
        if ref.qualifier is not None and _ALIAS.fullmatch(ref.qualifier):
            raise not_found(f"Cannot find alias arn: {ref.arn}")
        raise not_found(f"Function not found: {ref.arn}")
    return found


def change(
    db: Connection, resource: PolicyResource, policy: Policy | None, *, revision_id: str
) -> None:
    """Give a resource another policy, or none, and a new revision."""
    ref, record = resource.ref, resource.record
    if policy is None:
        db.execute(Q.delete_policy, _columns(ref))
    else:
        is_alias = isinstance(record, AliasRecord)
        db.execute(
            Q.put_policy,
            _columns(ref)
            | {
                "version": None if is_alias else ref.qualifier,
                "alias": ref.qualifier if is_alias else None,
                "document": policy.text,
            },
        )
    if isinstance(record, AliasRecord):
        aliases.save(db, replace(record, revision_id=revision_id))
    else:
        records.save_version(db, replace(record, revision_id=revision_id))


def _record(db: Connection, ref: FunctionRef) -> VersionRecord | AliasRecord | None:
    return records.find_version(db, ref.key, ref.qualifier or LATEST) or (
        aliases.find(db, ref.key, ref.qualifier) if ref.qualifier else None
    )


def _columns(ref: FunctionRef) -> dict[str, Any]:
    key: FunctionKey = ref.key
    return {
        "account": key.account,
        "region": key.region,
        "name": key.name,
        "qualifier": ref.qualifier or "",
    }
