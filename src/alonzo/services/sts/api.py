"""Operations of AWS STS. Source: STS API reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import AccessKey, Federation, Sessions
from alonzo.model.ports.operations import Operations
from alonzo.model.sessions import RoleRequest

_NEEDS_FEDERATION = (
    "Only providers of OpenID Connect are known to the platform, and it is none itself."
)

#: What is not offered, and why.
UNSUPPORTED: Mapping[str, str] = {
    "AssumeRoleWithSAML": _NEEDS_FEDERATION,
    "AssumeRoot": "Accounts of the platform belong to no organization.",
    "DecodeAuthorizationMessage": "No denial carries an encoded message.",
    "GetDelegatedAccessToken": _NEEDS_FEDERATION,
    "GetFederationToken": "There are no federated users; assume a role with a session policy.",
    "GetWebIdentityToken": _NEEDS_FEDERATION,
}


def operations(sessions: Sessions, federation: Federation) -> Operations:
    """What STS offers, by the name in its model."""
    offered = StsOperations(sessions, federation)
    return {
        "AssumeRoleWithWebIdentity": offered.assume_role_with_web_identity,
        "AssumeRole": offered.assume_role,
        "GetAccessKeyInfo": offered.get_access_key_info,
        "GetCallerIdentity": offered.get_caller_identity,
        "GetSessionToken": offered.get_session_token,
    }


class StsOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, sessions: Sessions, federation: Federation) -> None:
        self._sessions = sessions
        self._federation = federation

    async def assume_role(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """AssumeRole."""
        _refuse_second_factor(params)
        request = RoleRequest(
            role_arn=params["RoleArn"],
            session_name=params["RoleSessionName"],
            duration_s=params.get("DurationSeconds"),
            policy=params.get("Policy"),
            policy_arns=tuple(each["arn"] for each in params.get("PolicyArns") or ()),
            tags=tuple((tag["Key"], tag["Value"]) for tag in params.get("Tags") or ()),
            transitive=tuple(params.get("TransitiveTagKeys") or ()),
            external_id=params.get("ExternalId"),
            source_identity=params.get("SourceIdentity"),
        )
        key = await self._sessions.assume_role(context, request)
        principal = key.principal
        answer: dict[str, Any] = {
            "Credentials": _credentials(key),
            "AssumedRoleUser": {"AssumedRoleId": principal.user_id, "Arn": principal.arn},
        }
        if principal.session is not None and principal.session.source_identity is not None:
            answer["SourceIdentity"] = principal.session.source_identity
        return answer

    async def assume_role_with_web_identity(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """AssumeRoleWithWebIdentity. The token stands for a signature."""
        if params.get("ProviderId") is not None:
            raise AwsError(
                "ValidationError",
                "ProviderId is for access tokens of OAuth 2.0, which are not taken here.",
                status=400,
            )
        request = RoleRequest(
            role_arn=params["RoleArn"],
            session_name=params["RoleSessionName"],
            duration_s=params.get("DurationSeconds"),
            policy=params.get("Policy"),
            policy_arns=tuple(each["arn"] for each in params.get("PolicyArns") or ()),
        )
        key, identity = await self._federation.assume_role_with_web_identity(
            context, request, params["WebIdentityToken"]
        )
        principal = key.principal
        answer: dict[str, Any] = {
            "Credentials": _credentials(key),
            "AssumedRoleUser": {"AssumedRoleId": principal.user_id, "Arn": principal.arn},
            "SubjectFromWebIdentityToken": identity.subject,
            "Audience": identity.audience,
            "Provider": identity.provider,
        }
        if principal.session is not None and principal.session.source_identity is not None:
            answer["SourceIdentity"] = principal.session.source_identity
        return answer

    async def get_session_token(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetSessionToken."""
        _refuse_second_factor(params)
        key = await self._sessions.session_of_caller(context, params.get("DurationSeconds"))
        return {"Credentials": _credentials(key)}

    async def get_access_key_info(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetAccessKeyInfo. Key ids hold their account, whether they are in use or not."""
        account = self._sessions.account_of_key(params["AccessKeyId"])
        if account is None:
            raise AwsError("ValidationError", "Invalid AccessKeyId.", status=400)
        return {"Account": account}

    async def get_caller_identity(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """Who signed the request. Needs no permission, as on AWS."""
        principal = context.principal
        return {"UserId": principal.user_id, "Account": principal.account, "Arn": principal.arn}


def _refuse_second_factor(params: Mapping[str, Any]) -> None:
    if params.get("TokenCode") is not None:
        raise AwsError(
            "AccessDenied",
            "MultiFactorAuthentication failed with invalid MFA one time pass code.",
            status=403,
        )


def _credentials(key: AccessKey) -> Mapping[str, Any]:
    return {
        "AccessKeyId": key.access_key_id,
        "SecretAccessKey": key.secret_access_key,
        "SessionToken": key.session_token,
        "Expiration": key.expires_at_s,
    }
