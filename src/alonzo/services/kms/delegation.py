"""What grants allow, in the words of policies. Pure.

A grant becomes statements that stand beside the key policy's. Its constraints become conditions on
keys of a request that only ``access.py`` sets: names of an encryption context are compared with
their case, which condition keys do not have.

Source: KMS developer guide, grants in AWS KMS; API reference, CreateGrant, GrantConstraints.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from alonzo.services.kms.records import Grant

#: Operations that can be granted for symmetric keys.
OPERATIONS = frozenset(
    {
        "CreateGrant",
        "Decrypt",
        "DescribeKey",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
        "RetireGrant",
    }
)
#: Those to which a constraint of the encryption context does not apply.
_WITHOUT_CONTEXT = frozenset({"CreateGrant", "DescribeKey", "RetireGrant"})

GRANT_ID = "alonzo:grantid"
CONSTRAINTS = "alonzo:grantconstraints"
CONTEXT_SIZE = "alonzo:encryptioncontextsize"
_CONTEXT = "alonzo:encryptioncontext/"


def context_keys(encryption_context: Mapping[str, str]) -> dict[str, str | tuple[str, ...]]:
    """The keys of a request that constraints look at."""
    keys: dict[str, str | tuple[str, ...]] = {CONTEXT_SIZE: str(len(encryption_context))}
    for name, value in encryption_context.items():
        keys[_context_key(name)] = value
    return keys


def constraints_text(constraints: Mapping[str, Any] | None) -> str:
    """Constraints as a text, the same for the same ones."""
    return orjson.dumps(constraints or {}, option=orjson.OPT_SORT_KEYS).decode()


def statements(grants: Iterable[Grant]) -> list[Mapping[str, Any]]:
    """What grants allow. They are to be compiled without policy variables."""
    return [statement for grant in grants for statement in _statements(grant)]


def _statements(grant: Grant) -> Iterator[Mapping[str, Any]]:
    document = grant.document
    grantee, granted = document["GranteePrincipal"], set(document["Operations"])
    constraints: Mapping[str, Any] = document.get("Constraints") or {}
    used = sorted(granted - _WITHOUT_CONTEXT)
    if used:
        yield _allow(grantee, used, _condition(constraints))
    if "DescribeKey" in granted:
        yield _allow(grantee, ["DescribeKey"], {})
    if "CreateGrant" in granted:
        # A grant made under a grant gives no more than that one does.
        condition: dict[str, Any] = {
            "ForAllValues:StringEquals": {"kms:GrantOperations": sorted(granted)}
        }
        if constraints:
            condition["StringEquals"] = {CONSTRAINTS: constraints_text(constraints)}
        yield _allow(grantee, ["CreateGrant"], condition)
    retiring = document.get("RetiringPrincipal")
    for principal in [
        *([grantee] if "RetireGrant" in granted else []),
        *([retiring] if retiring else []),
        f"arn:aws:iam::{document['IssuingAccount']}:root",
    ]:
        yield _allow(principal, ["RetireGrant"], {"StringEquals": {GRANT_ID: grant.id}})


def _allow(principal: str, operations: list[str], condition: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": [f"kms:{operation}" for operation in operations],
        "Condition": condition,
    }


def _condition(constraints: Mapping[str, Any]) -> dict[str, Any]:
    exact = constraints.get("EncryptionContextEquals")
    pairs: Mapping[str, str] = exact or constraints.get("EncryptionContextSubset") or {}
    wanted = {_context_key(name): value for name, value in pairs.items()}
    if exact:
        wanted[CONTEXT_SIZE] = str(len(exact))
    return {"StringEquals": wanted} if wanted else {}


def _context_key(name: str) -> str:
    return _CONTEXT + name.encode("utf-8", "surrogatepass").hex()
