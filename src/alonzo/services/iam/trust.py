"""Whom the trust policy of a role may name, and whom it means.

A user or role of the account that is named when the policy is written is meant for ever: another
that gets the name later is not trusted. So AWS does, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from alonzo.lib.policies.compiled import Policy, compile_policy
from alonzo.lib.policies.grammar import Document, statements_of
from alonzo.services.iam import errors, records
from alonzo.services.iam.records import Entity, Kind
from alonzo.store.base import Connection

_ARN = re.compile(
    r"arn:aws[a-z-]*:(?:iam|sts)::(?P<account>\d{12}):"
    r"(?P<what>root|(?P<kind>user|role)/(?P<path>.+)|assumed-role/[^/]+/[^/]+|federated-user/.+)"
)
_SERVICE = re.compile(r"(?:[a-z0-9-]+\.)+(?:amazonaws\.com(?:\.cn)?|amazon\.com|aws\.internal)")
_FEDERATED = re.compile(
    r"arn:aws[a-z-]*:iam::\d{12}:(?:oidc|saml)-provider/.+|(?:[a-z0-9-]+\.)+[a-z]{2,}"
)
_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")


def check_principals(conn: Connection, account: str, document: Document) -> dict[str, str]:
    """Refuse principals that cannot be; answers the unique ids of users and roles of the account.

    Raises:
        AwsError: MalformedPolicyDocument; those of the account must exist.
    """
    meant: dict[str, str] = {}
    for kind, text in _principals(document):
        entity = _named(conn, account, text) if kind == "AWS" else None
        if entity is not None:
            meant[text] = entity.unique_id
        elif not _may_be(account, kind, text):
            shown = kind.upper() if kind == "Service" else kind
            raise errors.malformed(f'Invalid principal in policy: "{shown}":"{text}"')
    return meant


def ready(role: Entity) -> Policy:
    """The trust policy of a role made ready, with unique ids in place of names."""
    document: dict[str, Any] = json.loads(role.document["trust"])
    meant: dict[str, str] = role.document.get("trusted", {})
    for statement in statements_of(document):
        for element in ("Principal", "NotPrincipal"):
            named = statement.get(element)
            if isinstance(named, dict) and "AWS" in named:
                several = _listed(cast("dict[str, Any]", named)["AWS"])
                named["AWS"] = [meant.get(text, text) for text in several]
    return compile_policy(document, role.arn)


def _named(conn: Connection, account: str, text: str) -> Entity | None:
    """The user or role of the account that has the ARN, or None."""
    found = _ARN.fullmatch(text)
    if found is None or found["account"] != account or found["kind"] is None:
        return None
    name = found["path"].rpartition("/")[2]
    entity = records.try_find(conn, account, Kind(found["kind"]), name)
    return entity if entity is not None and entity.arn == text else None


def _may_be(account: str, kind: str, text: str) -> bool:
    if kind == "Service":
        return _SERVICE.fullmatch(text) is not None
    if kind == "Federated":
        return _FEDERATED.fullmatch(text) is not None
    if kind != "AWS" or text == "*" or (len(text) == len(account) and text.isdigit()):
        return True
    if _ID.fullmatch(text):
        return True
    found = _ARN.fullmatch(text)
    return found is not None and (found["account"] != account or found["kind"] is None)


def _principals(document: Document) -> Iterator[tuple[str, str]]:
    for statement in statements_of(document):
        for element in ("Principal", "NotPrincipal"):
            named = statement.get(element)
            if isinstance(named, dict):
                for kind, value in cast("dict[str, Any]", named).items():
                    for text in _listed(value):
                        yield kind, text


def _listed(value: Any) -> list[str]:
    return cast("list[str]", value) if isinstance(value, list) else [value]
