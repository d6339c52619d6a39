"""What the operations of IAM need to be allowed. Actions are called as their operations.

The resource of an operation follows from the parameter that names it. Entities that exist are known
by their whole ARN, with the path.

Source: service authorization reference, AWS Identity and Access Management.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.access import Access, AccessRule, AccessRules
from alonzo.model.context import RequestContext
from alonzo.services.iam import api
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.records import Kind, arn_of
from alonzo.services.iam.service_linked import role_name

#: Operations whose action has no resource.
_ON_ALL = frozenset(
    {
        "CreateAccountAlias",
        "DeleteAccountAlias",
        "GetAccountAuthorizationDetails",
        "GetAccountSummary",
        "GetContextKeysForCustomPolicy",
        "GetServiceLinkedRoleDeletionStatus",
        "ListAccountAliases",
        "ListGroups",
        "ListInstanceProfiles",
        "ListOpenIDConnectProviders",
        "ListPolicies",
        "ListRoles",
        "ListUsers",
        "SimulateCustomPolicy",
    }
)
#: Operations on whoever asks, where they name nobody.
_ON_ONESELF = frozenset(
    {"CreateAccessKey", "DeleteAccessKey", "GetUser", "ListAccessKeys", "UpdateAccessKey"}
)
#: Operations with two names, of which one is the resource.
_BY = {
    "AddRoleToInstanceProfile": "InstanceProfileName",
    "AddUserToGroup": "GroupName",
    "RemoveRoleFromInstanceProfile": "InstanceProfileName",
    "RemoveUserFromGroup": "GroupName",
}
_NAMES = {
    "UserName": Kind.USER,
    "GroupName": Kind.GROUP,
    "RoleName": Kind.ROLE,
    "InstanceProfileName": Kind.PROFILE,
}


def access_rules(identities: Identities) -> AccessRules:
    """The rules, by operation."""
    return {name: _rule(identities, name) for name in api.operations(identities)}


def _rule(identities: Identities, name: str) -> AccessRule:
    action = f"iam:{name}"

    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        resource = _resource(identities, name, context, params)
        wanted = [Access(action, resource, _keys(name, params))]
        if name == "AddRoleToInstanceProfile":
            role = _named(identities, context, Kind.ROLE, params["RoleName"], "/")
            passed = {"iam:passedtoservice": "ec2.amazonaws.com"}
            wanted.append(Access("iam:PassRole", role, passed))
        return wanted

    return rule


def _resource(
    identities: Identities, name: str, context: RequestContext, params: Mapping[str, Any]
) -> str:
    if name in _ON_ALL:
        return "*"
    if name == "GetAccessKeyLastUsed":
        # Of whom a key is that signs nothing any more is for the operation to find out.
        key = identities.access_key(str(params["AccessKeyId"]))
        ours = key is not None and key.principal.account == context.account
        return key.principal.arn if key is not None and ours else "*"
    if name == "CreateServiceLinkedRole":
        service = str(params["AWSServiceName"])
        role = role_name(service, params.get("CustomSuffix"))
        return arn_of(context.account, Kind.ROLE, f"/aws-service-role/{service}/", role)
    if name == "CreateOpenIDConnectProvider":
        url = str(params["Url"]).removeprefix("https://")
        return arn_of(context.account, Kind.OIDC, "/", url)
    if params.get("OpenIDConnectProviderArn"):
        return str(params["OpenIDConnectProviderArn"])
    if params.get("PolicySourceArn"):
        return str(params["PolicySourceArn"])
    path = str(params.get("Path") or "/")
    for member in (_BY[name],) if name in _BY else _NAMES:
        if params.get(member):
            return _named(identities, context, _NAMES[member], str(params[member]), path)
    if name in _ON_ONESELF:
        return context.principal.arn
    if params.get("PolicyArn"):
        return str(params["PolicyArn"])
    return arn_of(context.account, Kind.POLICY, path, str(params.get("PolicyName", "*")))


def _named(
    identities: Identities, context: RequestContext, kind: Kind, name: str, path: str
) -> str:
    known = identities.arn_of_name(context.account, kind, name)
    return known or arn_of(context.account, kind, path, name)


def _keys(name: str, params: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    keys: dict[str, str | tuple[str, ...]] = {}
    if params.get("PermissionsBoundary"):
        keys["iam:permissionsboundary"] = str(params["PermissionsBoundary"])
    if params.get("PolicyArn") and name.startswith(("Attach", "Detach")):
        keys["iam:policyarn"] = str(params["PolicyArn"])
    if params.get("AWSServiceName"):
        keys["iam:awsservicename"] = str(params["AWSServiceName"])
    return keys
