"""What the operations of KMS need to be allowed. A key's policy must let the caller in, always.

Source: service authorization reference, AWS Key Management Service; KMS developer guide, condition
keys, permissions reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alonzo.model.access import Access, AccessRule, AccessRules, on_all
from alonzo.model.context import RequestContext
from alonzo.services.kms import delegation
from alonzo.services.kms.grant_tokens import try_read_token
from alonzo.services.kms.rules import arn_of
from alonzo.services.kms.sealing import SealError, origin_of
from alonzo.services.kms.vault import Facts, Vault

#: A member that no request has: the service that calls for somebody, as the key of policies has it.
VIA_SERVICE = "kms:ViaService"

_Keys = dict[str, str | tuple[str, ...]]

#: Operations on the key that ``KeyId`` names.
_ON_KEY = (
    "CancelKeyDeletion",
    "CreateGrant",
    "DescribeKey",
    "DisableKey",
    "DisableKeyRotation",
    "EnableKey",
    "EnableKeyRotation",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "ListGrants",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListResourceTags",
    "PutKeyPolicy",
    "RetireGrant",
    "RevokeGrant",
    "RotateKeyOnDemand",
    "ScheduleKeyDeletion",
    "TagResource",
    "UntagResource",
    "UpdateKeyDescription",
)
_ON_ALL = ("GenerateRandom", "ListAliases", "ListKeys", "ListRetirableGrants")
#: Members that become keys of the request as they are.
_AS_THEY_ARE = {
    "EncryptionAlgorithm": "kms:encryptionalgorithm",
    "GranteePrincipal": "kms:granteeprincipal",
    "RetiringPrincipal": "kms:retiringprincipal",
    "PendingWindowInDays": "kms:schedulekeydeletionpendingwindowindays",
    "RotationPeriodInDays": "kms:rotationperiodindays",
}


def access_rules(vault: Vault) -> AccessRules:
    """The rules, by operation."""
    rules: dict[str, AccessRule] = {name: on_all(f"kms:{name}") for name in _ON_ALL}
    rules |= {name: _on_key(vault, name) for name in _ON_KEY}
    for name, rule in {
        "CreateAlias": _create_alias,
        "DeleteAlias": _delete_alias,
        "UpdateAlias": _update_alias,
        "Decrypt": _decrypt,
        "ReEncrypt": _re_encrypt,
    }.items():
        rules[name] = _bound(rule, vault)
    rules["CreateKey"] = _create_key
    return rules


_VaultRule = Callable[[Vault, RequestContext, Mapping[str, Any]], Sequence[Access]]


def _bound(rule: _VaultRule, vault: Vault) -> AccessRule:
    return lambda context, params: rule(vault, context, params)


def _on_key(vault: Vault, name: str) -> AccessRule:
    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        token = try_read_token(params["GrantToken"]) if params.get("GrantToken") else None
        named = token.key_id if token is not None else str(params.get("KeyId") or "*")
        grant_id = token.grant_id if token is not None else params.get("GrantId")
        keys = _request_keys(params, params.get("EncryptionContext"))
        if grant_id:
            keys[delegation.GRANT_ID] = str(grant_id)
        if name == "CreateGrant":
            keys |= _grant_keys(params)
        return (_on(f"kms:{name}", vault, context, named, keys),)

    return rule


def _create_key(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
    keys: _Keys = {
        "kms:keyspec": str(params.get("KeySpec") or "SYMMETRIC_DEFAULT"),
        "kms:keyusage": str(params.get("KeyUsage") or "ENCRYPT_DECRYPT"),
        "kms:keyorigin": str(params.get("Origin") or "AWS_KMS"),
        "kms:multiregion": str(bool(params.get("MultiRegion"))).lower(),
        "kms:calleraccount": context.principal.account,
    }
    if "BypassPolicyLockoutSafetyCheck" in params:
        keys["kms:bypasspolicylockoutsafetycheck"] = str(
            params["BypassPolicyLockoutSafetyCheck"]
        ).lower()
    tags = {tag["TagKey"]: tag["TagValue"] for tag in params.get("Tags") or ()}
    if tags:
        keys["aws:tagkeys"] = tuple(tags)
        keys |= {f"aws:requesttag/{key.lower()}": value for key, value in tags.items()}
        return (Access("kms:CreateKey", "*", keys), Access("kms:TagResource", "*", keys))
    return (Access("kms:CreateKey", "*", keys),)


def _create_alias(
    vault: Vault, context: RequestContext, params: Mapping[str, Any]
) -> Sequence[Access]:
    return (
        _on_alias("kms:CreateAlias", context, params),
        _on("kms:CreateAlias", vault, context, str(params["TargetKeyId"]), {}),
    )


def _delete_alias(
    vault: Vault, context: RequestContext, params: Mapping[str, Any]
) -> Sequence[Access]:
    return (
        _on_alias("kms:DeleteAlias", context, params),
        *_on_target("kms:DeleteAlias", vault, context, params),
    )


def _update_alias(
    vault: Vault, context: RequestContext, params: Mapping[str, Any]
) -> Sequence[Access]:
    return (
        _on_alias("kms:UpdateAlias", context, params),
        *_on_target("kms:UpdateAlias", vault, context, params),
        _on("kms:UpdateAlias", vault, context, str(params["TargetKeyId"]), {}),
    )


def _decrypt(vault: Vault, context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
    keys = _request_keys(params, params.get("EncryptionContext"))
    keys |= _named_by(params.get("KeyId"))
    return (_on_origin("kms:Decrypt", vault, context, params, keys),)


def _re_encrypt(
    vault: Vault, context: RequestContext, params: Mapping[str, Any]
) -> Sequence[Access]:
    source = _request_keys(params, params.get("SourceEncryptionContext"))
    source |= _named_by(params.get("SourceKeyId"))
    target = _request_keys(params, params.get("DestinationEncryptionContext"))
    from_old = _on_origin("kms:ReEncryptFrom", vault, context, params, source)
    to_new = _on("kms:ReEncryptTo", vault, context, str(params["DestinationKeyId"]), target)
    same: _Keys = {"kms:reencryptonsamekey": str(from_old.resource == to_new.resource).lower()}
    return tuple(
        Access(each.action, each.resource, {**each.keys, **same}, each.policy_decides)
        for each in (from_old, to_new)
    )


def _on_alias(action: str, context: RequestContext, params: Mapping[str, Any]) -> Access:
    return Access(action, arn_of(context.account, context.region, str(params["AliasName"])))


def _on_target(
    action: str, vault: Vault, context: RequestContext, params: Mapping[str, Any]
) -> Sequence[Access]:
    facts = vault.facts(context, str(params["AliasName"]))
    return () if facts is None else (_of(action, context, facts, {}),)


def _on(
    action: str, vault: Vault, context: RequestContext, named: str, keys: Mapping[str, Any]
) -> Access:
    """An action on the key that a ``KeyId`` names. If it names none, the operation will say so."""
    facts = vault.facts(context, named)
    if facts is not None:
        return _of(action, context, facts, {**keys, **_named_by(named)})
    if not named.startswith("arn:"):
        resource = named if named.startswith("alias/") else f"key/{named}"
        named = arn_of(context.account, context.region, resource)
    return Access(action, named, keys)


def _on_origin(
    action: str,
    vault: Vault,
    context: RequestContext,
    params: Mapping[str, Any],
    keys: Mapping[str, Any],
) -> Access:
    """An action on the key that made the ciphertext of the request."""
    try:
        origin = origin_of(params.get("CiphertextBlob") or b"")
    except SealError:
        return Access(action, "*", keys)
    facts = vault.facts_by_id(origin.key_id)
    if facts is None:
        return Access(action, arn_of(context.account, context.region, f"key/{origin.key_id}"), keys)
    return _of(action, context, facts, keys)


def _of(action: str, context: RequestContext, facts: Facts, keys: Mapping[str, Any]) -> Access:
    key = facts.key
    own: _Keys = {
        "kms:calleraccount": context.principal.account,
        "kms:keyorigin": "AWS_KMS",
        "kms:keyspec": "SYMMETRIC_DEFAULT",
        "kms:keyusage": "ENCRYPT_DECRYPT",
        "kms:multiregion": "false",
    }
    if facts.aliases:
        own["kms:resourcealiases"] = facts.aliases
    own |= {f"aws:resourcetag/{tag.lower()}": value for tag, value in key.tags.items()}
    return Access(action, key.arn, {**own, **keys}, policy_decides=True)


def _named_by(named: Any) -> _Keys:
    text = str(named or "")
    alias = text.partition(":alias/")[2]
    if alias or text.startswith("alias/"):
        return {"kms:requestalias": f"alias/{alias}" if alias else text}
    return {}


def _request_keys(params: Mapping[str, Any], encryption_context: Any) -> _Keys:
    pairs: Mapping[str, str] = encryption_context or {}
    keys = delegation.context_keys(pairs)
    if pairs:
        keys["kms:encryptioncontextkeys"] = tuple(pairs)
        keys |= {f"kms:encryptioncontext:{name.lower()}": pairs[name] for name in pairs}
    for member, key in _AS_THEY_ARE.items():
        if params.get(member) is not None:
            keys[key] = str(params[member])
    if params.get(VIA_SERVICE):
        keys["kms:viaservice"] = str(params[VIA_SERVICE])
        service = f"{str(params[VIA_SERVICE]).partition('.')[0]}.amazonaws.com"
        keys |= {
            "aws:viaawsservice": "true",
            "aws:calledvia": (service,),
            "aws:calledviafirst": service,
            "aws:calledvialast": service,
        }
    if "BypassPolicyLockoutSafetyCheck" in params:
        keys["kms:bypasspolicylockoutsafetycheck"] = str(
            params["BypassPolicyLockoutSafetyCheck"]
        ).lower()
    tags = {tag["TagKey"]: tag["TagValue"] for tag in params.get("Tags") or ()}
    if tags or params.get("TagKeys"):
        keys["aws:tagkeys"] = tuple(tags) or tuple(params["TagKeys"])
        keys |= {f"aws:requesttag/{name.lower()}": value for name, value in tags.items()}
    return keys


def _grant_keys(params: Mapping[str, Any]) -> _Keys:
    constraints: Mapping[str, Any] = params.get("Constraints") or {}
    keys: _Keys = {
        "kms:grantoperations": tuple(params.get("Operations") or ()),
        # Services ask for grants that their own resources use.
        "kms:grantisforawsresource": str(bool(params.get(VIA_SERVICE))).lower(),
        delegation.CONSTRAINTS: delegation.constraints_text(constraints),
    }
    if constraints:
        keys["kms:grantconstrainttype"] = next(iter(constraints))
    return keys
