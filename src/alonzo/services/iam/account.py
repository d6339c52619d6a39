"""Operations on the account as a whole: its alias, its figures, all that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.iam import errors, managed, policies, records
from alonzo.services.iam.attachments import attached_policy
from alonzo.services.iam.aws_managed import AWS_MANAGED, AwsManagedPolicy
from alonzo.services.iam.identities import Unit
from alonzo.services.iam.limits import (
    ATTACHED_MAX,
    ENTITIES_MAX,
    GROUPS_PER_USER_MAX,
    INLINE_CHARS_MAX,
    KEYS_PER_USER_MAX,
    MANAGED_CHARS_MAX,
    TRUST_CHARS_MAX,
    VERSIONS_MAX,
)
from alonzo.services.iam.managed import encoded
from alonzo.services.iam.operations import IamOperations, boundary_of, head, render_profile
from alonzo.services.iam.operations import with_tags as tags_of
from alonzo.services.iam.paging import one_page
from alonzo.services.iam.records import Entity, Kind, Q, entity_from
from alonzo.services.iam.roles import render as render_whole_role
from alonzo.store.base import Connection

_Item = Entity | AwsManagedPolicy


class AccountOperations(IamOperations):
    """CreateAccountAlias, GetAccountSummary and their like."""

    async def create_account_alias(self, context: RequestContext, params: dict[str, Any]) -> None:
        """CreateAccountAlias. An account has one; another takes its place."""
        alias = params["AccountAlias"]

        def work(unit: Unit) -> None:
            owner = unit.conn.one(Q.alias_owner, {"alias": alias})
            if owner is not None:
                raise AwsError(
                    "EntityAlreadyExistsException",
                    f"The account alias {alias} already exists.",
                )
            unit.conn.execute(Q.put_alias, {"account": context.account, "alias": alias})

        await self._identities.change(work)

    async def list_account_aliases(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListAccountAliases."""

        def work(conn: Connection) -> dict[str, Any]:
            row = conn.one(Q.find_alias, {"account": context.account})
            return one_page("AccountAliases", [] if row is None else [row["alias"]], params, str)[1]

        return await self._identities.read(work)

    async def delete_account_alias(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteAccountAlias."""
        alias = params["AccountAlias"]

        def work(unit: Unit) -> None:
            row = {"account": context.account, "alias": alias}
            if not unit.conn.execute(Q.delete_alias, row):
                raise errors.no_such_entity(f"The account alias {alias} cannot be found.")

        await self._identities.change(work)

    async def get_account_summary(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetAccountSummary: what there is of each kind, and the quotas."""

        def work(conn: Connection) -> dict[str, int]:
            n = {kind: records.count(conn, context.account, kind) for kind in Kind}
            versions = [
                len(managed.versions(conn, policy))
                for policy in _all_of(conn, context, Kind.POLICY)
            ]
            return {
                "AccessKeysPerUserQuota": KEYS_PER_USER_MAX,
                "AccountAccessKeysPresent": 1,
                "AccountMFAEnabled": 0,
                "AccountPasswordPresent": 0,
                "AccountSigningCertificatesPresent": 0,
                "AssumeRolePolicySizeQuota": TRUST_CHARS_MAX,
                "AttachedPoliciesPerGroupQuota": ATTACHED_MAX,
                "AttachedPoliciesPerRoleQuota": ATTACHED_MAX,
                "AttachedPoliciesPerUserQuota": ATTACHED_MAX,
                "GroupPolicySizeQuota": INLINE_CHARS_MAX["group"],
                "Groups": n[Kind.GROUP],
                "GroupsPerUserQuota": GROUPS_PER_USER_MAX,
                "GroupsQuota": ENTITIES_MAX["group"][1],
                "InstanceProfiles": n[Kind.PROFILE],
                "InstanceProfilesQuota": ENTITIES_MAX["instance-profile"][1],
                "MFADevices": 0,
                "MFADevicesInUse": 0,
                "Policies": n[Kind.POLICY],
                "PoliciesQuota": ENTITIES_MAX["policy"][1],
                "PolicySizeQuota": MANAGED_CHARS_MAX,
                "PolicyVersionsInUse": sum(versions),
                "PolicyVersionsInUseQuota": 10_000,
                "Providers": n[Kind.OIDC],
                "RolePolicySizeQuota": INLINE_CHARS_MAX["role"],
                "Roles": n[Kind.ROLE],
                "RolesQuota": ENTITIES_MAX["role"][1],
                "ServerCertificates": 0,
                "ServerCertificatesQuota": 0,
                "SigningCertificatesPerUserQuota": 0,
                "UserPolicySizeQuota": INLINE_CHARS_MAX["user"],
                "Users": n[Kind.USER],
                "UsersQuota": ENTITIES_MAX["user"][1],
                "VersionsPerPolicyQuota": VERSIONS_MAX,
            }

        return {"SummaryMap": await self._identities.read(work)}

    async def get_account_authorization_details(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetAccountAuthorizationDetails."""
        wanted = params.get("Filter") or list(_DETAILS)

        def work(conn: Connection) -> dict[str, Any]:
            items = [
                (f"{place}{_name(item)}", member, item)
                for place, (name, (member, kind)) in enumerate(_DETAILS.items())
                if name in wanted
                for item in _items(conn, context, name, kind)
            ]
            shown, answer = one_page(
                "Items", sorted(items, key=lambda item: item[0]), params, lambda item: item[0]
            )
            del answer["Items"]
            lists: dict[str, list[Any]] = {member: [] for member, _ in _DETAILS.values()}
            for _, member, item in shown:
                lists[member].append(_detail(conn, context, item))
            return {**answer, **lists}

        return await self._identities.read(work)


#: The filters, in the order in which their entities are shown.
_DETAILS = {
    "User": ("UserDetailList", Kind.USER),
    "Group": ("GroupDetailList", Kind.GROUP),
    "Role": ("RoleDetailList", Kind.ROLE),
    "LocalManagedPolicy": ("Policies", Kind.POLICY),
    "AWSManagedPolicy": ("Policies", Kind.POLICY),
}


def _items(
    conn: Connection, context: RequestContext, name: str, kind: Kind
) -> list[Entity] | list[AwsManagedPolicy]:
    if name != "AWSManagedPolicy":
        return _all_of(conn, context, kind)
    # AWS shows those of its policies that are in use.
    rows = conn.all(Q.attached_arns, {"account": context.account, "usage": "policy"})
    used = {row["policy_arn"] for row in rows}
    return [policy for arn, policy in AWS_MANAGED.items() if arn in used]


def _all_of(conn: Connection, context: RequestContext, kind: Kind) -> list[Entity]:
    return records.page(conn, context.account, kind, path="/", after="", limit=1 << 20)


def _name(item: _Item) -> str:
    return f"{item.name.lower()} {item.arn}"


def _detail(conn: Connection, context: RequestContext, item: _Item) -> dict[str, Any]:
    if isinstance(item, AwsManagedPolicy) or item.kind is Kind.POLICY:
        versions = [policies.render_version(each) for each in managed.versions(conn, item)]
        rendered = policies.render(conn, context.account, item, detailed=True)
        rendered.pop("Tags")
        return {**rendered, "PolicyVersionList": versions}
    own = [
        {"PolicyName": name, "PolicyDocument": encoded(text)}
        for name, text in records.inline(conn, item).items()
    ]
    attached = [attached_policy(arn) for arn in records.attached(conn, item)]
    return {
        **_MEMBERS[item.kind](conn, item),
        f"{item.kind.capitalize()}PolicyList": own,
        "AttachedManagedPolicies": attached,
    }


def _user(conn: Connection, user: Entity) -> dict[str, Any]:
    groups = [group.name for group in records.groups_of(conn, user)]
    return {**head(user), **boundary_of(conn, user), **tags_of(user), "GroupList": groups}


def _role(conn: Connection, role: Entity) -> dict[str, Any]:
    rendered = render_whole_role(conn, role)
    # These are GetRole's alone.
    for member in ("MaxSessionDuration", "Description"):
        rendered.pop(member, None)
    rows = conn.all(Q.profiles_of_role, {"role_id": role.unique_id})
    profiles = [render_profile(conn, entity_from(row)) for row in rows]
    return {**rendered, "InstanceProfileList": profiles}


_MEMBERS: Mapping[Kind, Callable[[Connection, Entity], dict[str, Any]]] = {
    Kind.USER: _user,
    Kind.GROUP: lambda _conn, group: head(group),
    Kind.ROLE: _role,
}
