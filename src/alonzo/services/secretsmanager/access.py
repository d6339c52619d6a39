"""What the operations of Secrets Manager need to be allowed.

BatchGetSecretValue asks for each secret by itself, as it gets to it.

Source: service authorization reference, AWS Secrets Manager.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.access import Access, AccessRule, AccessRules, on_all
from alonzo.model.context import RequestContext
from alonzo.services.secretsmanager.directory import Directory
from alonzo.services.secretsmanager.rules import arn_of

#: What stands for the six random characters of a secret that is not there, as policies write them.
_NO_SUFFIX = "??????"

_ON_SECRET = (
    "CancelRotateSecret",
    "DeleteResourcePolicy",
    "DeleteSecret",
    "DescribeSecret",
    "GetResourcePolicy",
    "GetSecretValue",
    "ListSecretVersionIds",
    "PutResourcePolicy",
    "PutSecretValue",
    "RestoreSecret",
    "RotateSecret",
    "TagResource",
    "UntagResource",
    "UpdateSecret",
    "UpdateSecretVersionStage",
    "ValidateResourcePolicy",
)
_MEMBERS = (
    "BlockPublicPolicy",
    "Description",
    "ForceDeleteWithoutRecovery",
    "KmsKeyId",
    "Name",
    "RecoveryWindowInDays",
    "RotateImmediately",
    "RotationLambdaARN",
    "VersionId",
    "VersionStage",
)

_Keys = dict[str, str | tuple[str, ...]]


def access_rules(directory: Directory) -> AccessRules:
    """The rules, by operation."""
    rules: dict[str, AccessRule] = {name: _on_secret(directory, name) for name in _ON_SECRET}
    rules["CreateSecret"] = _create
    rules["BatchGetSecretValue"] = _batch
    rules["GetRandomPassword"] = on_all("secretsmanager:GetRandomPassword")
    rules["ListSecrets"] = on_all("secretsmanager:ListSecrets")
    return rules


def _on_secret(directory: Directory, name: str) -> AccessRule:
    action = f"secretsmanager:{name}"

    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        named = params.get("SecretId")
        keys = _keys(params)
        if not named:
            return (Access(action, "*", keys),)
        secret = directory.try_find(context, str(named))
        if secret is None:
            return (Access(action, _absent(context, str(named)), keys),)
        keys |= {f"aws:resourcetag/{key.lower()}": value for key, value in secret.tags.items()}
        keys |= {
            f"secretsmanager:resourcetag/{key.lower()}": value for key, value in secret.tags.items()
        }
        keys["secretsmanager:secretid"] = secret.arn
        if secret.document.get("RotationLambdaARN"):
            function = str(secret.document["RotationLambdaARN"])
            keys["secretsmanager:resource/allowrotationlambdaarn"] = function
        return (Access(action, secret.arn, keys),)

    return rule


def _create(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
    resource = _absent(context, str(params["Name"]))
    wanted = [Access("secretsmanager:CreateSecret", resource, _keys(params))]
    if params.get("Tags"):
        wanted.append(Access("secretsmanager:TagResource", resource, _keys(params)))
    return wanted


def _batch(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
    wanted = [Access("secretsmanager:BatchGetSecretValue")]
    if params.get("Filters"):
        wanted.append(Access("secretsmanager:ListSecrets"))
    return wanted


def _absent(context: RequestContext, named: str) -> str:
    if named.startswith("arn:"):
        return named
    return arn_of(context.account, context.region, named, _NO_SUFFIX)


def _keys(params: Mapping[str, Any]) -> _Keys:
    keys: _Keys = {}
    for member in _MEMBERS:
        value = params.get(member)
        if value is not None:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            keys[f"secretsmanager:{member.lower()}"] = text
    return keys
