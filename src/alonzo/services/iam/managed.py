"""Managed policies by their ARN: the account's own, and those of AWS.

Functions are part of a unit of work.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote

from alonzo.lib.policies.compiled import Policy, compile_policy
from alonzo.services.iam import records
from alonzo.services.iam.aws_managed import AWS_MANAGED, AwsManagedPolicy
from alonzo.services.iam.errors import no_such_entity, policy_not_found
from alonzo.services.iam.records import Entity, Kind, Q
from alonzo.store.base import Connection


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a managed policy."""

    number: int
    is_default: bool
    created_at_s: float
    text: str

    @property
    def version_id(self) -> str:
        """Its name."""
        return f"v{self.number}"


def parse_arn(arn: str, account: str) -> str | None:
    """The name of an own policy that an ARN means; None if it can mean none of this account."""
    head = f"arn:aws:iam::{account}:policy/"
    return arn[len(head) :].rpartition("/")[2] if arn.startswith(head) else None


def try_find_own(conn: Connection, account: str, arn: str) -> Entity | None:
    """The account's policy of that ARN, or None."""
    name = parse_arn(arn, account)
    found = records.try_find(conn, account, Kind.POLICY, name) if name else None
    return found if found is not None and found.arn == arn else None


def find_own(conn: Connection, account: str, arn: str) -> Entity:
    """The account's policy of that ARN.

    Raises:
        AwsError: NoSuchEntity.
    """
    found = try_find_own(conn, account, arn)
    if found is None:
        raise policy_not_found(arn)
    return found


def find(conn: Connection, account: str, arn: str) -> Entity | AwsManagedPolicy:
    """The policy of that ARN, whoever's it is.

    Raises:
        AwsError: NoSuchEntity.
    """
    return AWS_MANAGED.get(arn) or find_own(conn, account, arn)


def need_attachable(conn: Connection, account: str, arn: str) -> None:
    """Make sure that a policy can be attached.

    Raises:
        AwsError: NoSuchEntity.
    """
    if arn not in AWS_MANAGED and try_find_own(conn, account, arn) is None:
        raise no_such_entity(f"Policy {arn} does not exist or is not attachable.")


def versions(conn: Connection, policy: Entity | AwsManagedPolicy) -> list[Version]:
    """All versions, the newest first."""
    if isinstance(policy, AwsManagedPolicy):
        return [Version(1, is_default=True, created_at_s=policy.created_at_s, text=policy.text)]
    rows = conn.all(Q.list_versions, {"policy_id": policy.unique_id})
    return [
        Version(row["number"], bool(row["is_default"]), row["created_at_s"], row["document"])
        for row in rows
    ]


def version(conn: Connection, policy: Entity | AwsManagedPolicy, version_id: str) -> Version:
    """One version by its name.

    Raises:
        AwsError: NoSuchEntity.
    """
    for each in versions(conn, policy):
        if each.version_id == version_id:
            return each
    raise no_such_entity(
        f"Policy {policy.arn} version {version_id} does not exist or is not attachable."
    )


def default_version(conn: Connection, policy: Entity | AwsManagedPolicy) -> Version:
    """The version in force."""
    return next(each for each in versions(conn, policy) if each.is_default)


def try_ready(conn: Connection, account: str, arn: str) -> Policy | None:
    """The version in force, made ready; None if there is no such policy (any more)."""
    aws = AWS_MANAGED.get(arn)
    if aws is not None:
        return aws.policy
    own = try_find_own(conn, account, arn)
    return None if own is None else ready(default_version(conn, own).text, arn)


def ready(text: str, name: str) -> Policy:
    """A stored document made ready."""
    return compile_policy(json.loads(text), name)


def encoded(text: str) -> str:
    """A document as answers have it. Source: IAM API reference: URL-encoded, RFC 3986."""
    return quote(text, safe="-_.~")
