"""Secrets and their versions in the store. Runs inside units of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from alonzo.services.secretsmanager.limits import DEPRECATED_MAX
from alonzo.services.secretsmanager.rules import arn_of
from alonzo.services.secretsmanager.stages import Stages
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.services.secretsmanager")


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret as stored.

    ``document`` has ``Description``, ``KmsKeyId``, ``Tags`` (a mapping), ``Policy``, the members of
    rotation, and dates, as DescribeSecret names them; ``rotation`` is a rotation under way.
    """

    id: str
    account: str
    region: str
    name: str
    suffix: str
    created_at_s: float
    deletion_at_s: float | None
    document: Mapping[str, Any]

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arn_of(self.account, self.region, self.name, self.suffix)

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags, possibly none."""
        return self.document.get("Tags", {})

    @property
    def names(self) -> dict[str, str]:
        """The members that nearly every answer begins with."""
        return {"ARN": self.arn, "Name": self.name}


@dataclass(frozen=True, slots=True)
class Version:
    """One version as stored; without ``sealed`` it has no value yet."""

    id: str
    created_at_s: float
    accessed_at_s: float | None
    stages: tuple[str, ...]
    kind: str | None
    key_arn: str | None
    sealed: bytes | None

    def __repr__(self) -> str:
        return f"Version({self.id})"


def secret_from(row: Row) -> Secret:
    """A secret from a row of ``sm_secret``."""
    return Secret(
        row["id"],
        row["account"],
        row["region"],
        row["name"],
        row["suffix"],
        row["created_at_s"],
        row["deletion_at_s"],
        orjson.loads(row["document"]),
    )


def version_from(row: Row) -> Version:
    """A version from a row of ``sm_version``."""
    return Version(
        row["id"],
        row["created_at_s"],
        row["accessed_at_s"],
        tuple(orjson.loads(row["stages"])),
        row["kind"],
        row["key_arn"],
        None if row["sealed"] is None else bytes(row["sealed"]),
    )


def try_find(conn: Connection, secret_id: str) -> Secret | None:
    """The secret of that id, or None."""
    row = conn.one(Q.find_secret, {"id": secret_id})
    return None if row is None else secret_from(row)


def versions(conn: Connection, secret: Secret) -> list[Version]:
    """All versions, the oldest first."""
    return list(map(version_from, conn.all(Q.versions, {"secret_id": secret.id})))


def stages_of(conn: Connection, secret: Secret) -> Stages:
    """The labels of all versions."""
    return {version.id: version.stages for version in versions(conn, secret)}


def save_document(conn: Connection, secret: Secret, **changes: Any) -> None:
    """Replace members of a secret's document; None takes one away."""
    merged = {**secret.document, **changes}
    document = {name: value for name, value in merged.items() if value is not None}
    conn.execute(Q.set_document, {"id": secret.id, "document": orjson.dumps(document).decode()})


def save_stages(conn: Connection, secret: Secret, stages: Stages) -> None:
    """Give the versions their labels, and delete the oldest of those that have had none for long.

    A version of a rotation that is over goes with its label if it never got a value.
    """
    every = versions(conn, secret)
    for version in every:
        after = stages.get(version.id, ())
        if after != version.stages:
            row = {"secret_id": secret.id, "id": version.id}
            if not after and version.sealed is None:
                conn.execute(Q.delete_version, row)
            else:
                conn.execute(Q.set_stages, {**row, "stages": orjson.dumps(after).decode()})
    deprecated = [each for each in every if not stages.get(each.id)]
    for version in deprecated[: max(0, len(deprecated) - DEPRECATED_MAX)]:
        conn.execute(Q.delete_version, {"secret_id": secret.id, "id": version.id})
