"""Policies of buckets: what may be stored, which are public, and who is kept out all the same.

Source: S3 user guide, bucket policies; blocking public access, the meaning of "public".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from alonzo.lib.policies.compiled import Policy, PolicyError, compile_policy
from alonzo.lib.policies.conditions import texts_of
from alonzo.lib.policies.grammar import read_resource_based, statements_of
from alonzo.model.errors import AwsError
from alonzo.services.s3.buckets.names import bucket_of_arn
from alonzo.services.s3.buckets.settings import POLICY, PUBLIC_ACCESS
from alonzo.services.s3.errors import s3_error
from alonzo.services.s3.records import Bucket

#: Source: S3 user guide, bucket policies.
POLICY_BYTES_MAX = 20 * 1024

#: Keys that hold a policy to known callers, if they are compared with fixed values.
_FIXING = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
    }
)
_FIXED_OPERATORS = frozenset(
    {"stringequals", "stringlike", "arnequals", "arnlike", "ipaddress", "stringequalsignorecase"}
)
_ANY_ADDRESS = frozenset({"0.0.0.0/0", "::/0"})

#: What counts where a policy cannot be evaluated: it might deny.
_DENY_ALL = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}


def checked(text: str, bucket: Bucket) -> None:
    """Refuse what cannot be a policy of that bucket.

    Raises:
        AwsError: MalformedPolicy.
    """
    if len(text.encode()) > POLICY_BYTES_MAX:
        raise _malformed("Policy exceeds the maximum allowed document size.")
    try:
        document, _ = read_resource_based(text)
    except PolicyError as error:
        raise _malformed(str(error)) from error
    for statement in statements_of(document):
        actions = _texts(statement, "Action", "NotAction")
        if not actions or any(not _is_action(each) for each in actions):
            raise _malformed("Policy has invalid action")
        resources = _texts(statement, "Resource", "NotResource")
        if not resources:
            raise _malformed("Missing required field Resource")
        if any(bucket_of_arn(each) != bucket.name for each in resources):
            raise _malformed("Policy has invalid resource")


def is_public(text: str) -> bool:
    """Whether a policy lets in callers that it does not know."""
    return any(
        statement.get("Effect") == "Allow"
        and _is_everyone(statement)
        and not _is_held(statement.get("Condition") or {})
        for statement in statements_of(json.loads(text))
    )


def compiled(bucket: Bucket) -> Policy | None:
    """What the authorizer asks: the policy, held to the account where the bucket says so."""
    text = bucket.documents.get(POLICY)
    if text is None:
        return None
    try:
        document: dict[str, Any] = json.loads(text)
        statements = [dict(each) for each in statements_of(document)]
        if _restricts(bucket) and is_public(text):
            statements.append(_only_own(bucket))
        return compile_policy(document | {"Statement": statements}, bucket.arn)
    except (PolicyError, ValueError, AttributeError):
        return compile_policy({"Statement": _DENY_ALL}, "unreadable policy")


def blocks_public_policies(bucket: Bucket) -> bool:
    """Whether the bucket takes no policy that is public."""
    return bool(_switches(bucket).get("BlockPublicPolicy"))


def _restricts(bucket: Bucket) -> bool:
    return bool(_switches(bucket).get("RestrictPublicBuckets"))


def _switches(bucket: Bucket) -> Mapping[str, bool]:
    return json.loads(bucket.documents.get(PUBLIC_ACCESS) or "{}")


def _only_own(bucket: Bucket) -> dict[str, Any]:
    """RestrictPublicBuckets: services and the owner's account stay, everyone else is out."""
    return {
        "Sid": "RestrictPublicBuckets",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket.arn, f"{bucket.arn}/*"],
        "Condition": {
            "StringNotEqualsIfExists": {"aws:PrincipalAccount": bucket.account},
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
        },
    }


def _is_action(text: str) -> bool:
    return text == "*" or text.lower().startswith("s3:")


def _is_everyone(statement: Mapping[str, Any]) -> bool:
    if "NotPrincipal" in statement:
        return True
    principal = statement.get("Principal")
    if isinstance(principal, Mapping):
        found = cast("Mapping[str, Any]", principal).get("AWS", ())
        names = [found] if isinstance(found, str) else cast("Sequence[str]", found)
        return "*" in names
    return principal == "*"


def _is_held(condition: Mapping[str, Any]) -> bool:
    """Whether any condition compares who calls with values that are fixed."""
    for name, keys in condition.items():
        operator = name.lower().rpartition(":")[2]
        if operator not in _FIXED_OPERATORS:
            continue
        for key, value in cast("Mapping[str, Any]", keys).items():
            values = texts_of(value)
            if key.lower() in _FIXING and values and all(map(_is_fixed, values)):
                return True
    return False


def _is_fixed(text: str) -> bool:
    return "*" not in text and "?" not in text and "${" not in text and text not in _ANY_ADDRESS


def _texts(statement: Mapping[str, Any], *names: str) -> list[str]:
    return list(_each(statement, names))


def _each(statement: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        found = statement.get(name, ())
        yield from [found] if isinstance(found, str) else cast("Sequence[str]", found)


def _malformed(message: str) -> AwsError:
    return s3_error("MalformedPolicy", message, 400)
