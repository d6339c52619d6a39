"""Operations of AWS STS. Source: STS API reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.ports import Operations

_NEEDS_ROLES = "There are no roles to assume yet: trust policies come with IAM."
_NEEDS_FEDERATION = "No identity provider is known to the platform."

#: What is not offered, and why.
UNSUPPORTED: Mapping[str, str] = {
    "AssumeRole": _NEEDS_ROLES,
    "AssumeRoleWithSAML": _NEEDS_FEDERATION,
    "AssumeRoleWithWebIdentity": _NEEDS_FEDERATION,
    "AssumeRoot": "There is one account, hence no other account's root to assume.",
    "DecodeAuthorizationMessage": "No denial carries an encoded message.",
    "GetAccessKeyInfo": "Key ids of the platform do not encode an account.",
    "GetDelegatedAccessToken": _NEEDS_FEDERATION,
    "GetFederationToken": "A federated user's rights are policies, which come with IAM.",
    "GetSessionToken": "Sessions belong to roles; sessions of users come with IAM.",
    "GetWebIdentityToken": _NEEDS_FEDERATION,
}


def operations() -> Operations:
    """What STS offers, by the name in its model."""
    return {"GetCallerIdentity": get_caller_identity}


async def get_caller_identity(
    context: RequestContext, parameters: dict[str, Any]
) -> Mapping[str, Any]:
    """Who signed the request. Needs no permission, as on AWS."""
    principal = context.principal
    return {"UserId": principal.user_id, "Account": principal.account, "Arn": principal.arn}
