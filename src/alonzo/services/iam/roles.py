"""Operations on roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.lib.policies.grammar import read_trust
from alonzo.model.context import RequestContext
from alonzo.services.iam import errors, managed, records
from alonzo.services.iam.entity_pages import entity_page
from alonzo.services.iam.errors import limit_exceeded, validation_error
from alonzo.services.iam.identities import Unit
from alonzo.services.iam.limits import SESSION_S_DEFAULT, TRUST_CHARS_MAX
from alonzo.services.iam.operations import (
    IamOperations,
    boundary_of,
    check_policy,
    policy_chars,
    render_role,
    with_tags,
)
from alonzo.services.iam.records import Entity, Kind, Q
from alonzo.services.iam.tags import read_tags
from alonzo.services.iam.trust import check_principals
from alonzo.services.iam.users import need_no_policies
from alonzo.store.base import Connection

#: Where roles live that a service makes for itself.
SERVICE_PATH = "/aws-service-role/"


class RoleOperations(IamOperations):
    """CreateRole and its like."""

    async def create_role(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """CreateRole."""
        path = params.get("Path") or "/"
        if path.startswith(SERVICE_PATH):
            raise validation_error(
                "The path /aws-service-role/ is reserved for service-linked roles. "
                "Use CreateServiceLinkedRole."
            )
        trust = params["AssumeRolePolicyDocument"]
        document: dict[str, Any] = {
            "trust": trust,
            "max_session_duration": params.get("MaxSessionDuration") or SESSION_S_DEFAULT,
        }
        if params.get("Description") is not None:
            document["description"] = params["Description"]
        if tags := read_tags(params.get("Tags")):
            document["tags"] = tags
        parsed = _checked_trust(trust)
        limit = params.get("PermissionsBoundary")

        def work(unit: Unit) -> dict[str, Any]:
            conn, account = unit.conn, context.account
            document["trusted"] = check_principals(conn, account, parsed)
            if limit:
                managed.need_attachable(conn, account, limit)
            role = records.insert(
                conn,
                ids=self._identities.ids,
                account=account,
                kind=Kind.ROLE,
                name=params["RoleName"],
                path=path,
                now_s=self._now_s(),
                document=document,
            )
            if limit:
                conn.execute(
                    Q.attach,
                    {
                        "entity_id": role.unique_id,
                        "usage": "boundary",
                        "policy_arn": limit,
                        "account": account,
                    },
                )
            unit.touch(role)
            return {"Role": render(conn, role)}

        return await self._identities.change(work)

    async def get_role(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """GetRole."""

        def work(conn: Connection) -> dict[str, Any]:
            return {"Role": render(conn, find_role(conn, context, params))}

        return await self._identities.read(work)

    async def list_roles(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListRoles. It shows neither tags nor boundaries, as on AWS."""
        return await self._identities.read(
            lambda conn: entity_page(conn, context, params, Kind.ROLE, "Roles", render_role)
        )

    async def update_role(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """UpdateRole: another description, another longest session."""
        changes: dict[str, Any] = {}
        if params.get("Description") is not None:
            changes["description"] = params["Description"]
        if params.get("MaxSessionDuration") is not None:
            changes["max_session_duration"] = params["MaxSessionDuration"]
        await self._update(context, params, changes)
        return {}

    async def update_role_description(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """UpdateRoleDescription."""
        changes = {"description": params["Description"]}
        return {"Role": await self._update(context, params, changes)}

    async def update_assume_role_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> None:
        """UpdateAssumeRolePolicy."""
        trust = params["PolicyDocument"]
        parsed = _checked_trust(trust)

        def work(unit: Unit) -> None:
            role = need_own(find_role(unit.conn, context, params))
            trusted = check_principals(unit.conn, context.account, parsed)
            changed = unit.touch(role).changed(trust=trust, trusted=trusted)
            records.save(unit.conn, changed)

        await self._identities.change(work)

    async def delete_role(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteRole. Its sessions are over when this returns."""

        def work(unit: Unit) -> None:
            role = need_own(find_role(unit.conn, context, params))
            delete(unit, role)

        await self._identities.change(work)

    async def _update(
        self, context: RequestContext, params: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> dict[str, Any]:
        def work(unit: Unit) -> dict[str, Any]:
            role = find_role(unit.conn, context, params)
            if role.path.startswith(SERVICE_PATH) and "max_session_duration" in changes:
                raise protected(role)
            role = unit.touch(role).changed(**changes)
            records.save(unit.conn, role)
            return render(unit.conn, role)

        return await self._identities.change(work)


def delete(unit: Unit, role: Entity) -> None:
    """Delete a role that nothing holds on to. Part of a unit of work.

    Raises:
        AwsError: DeleteConflict.
    """
    need_no_policies(unit.conn, role)
    if unit.conn.all(Q.profiles_of_role, {"role_id": role.unique_id}):
        raise errors.delete_conflict(
            "Cannot delete entity, must remove roles from instance profile first."
        )
    records.delete(unit.conn, unit.touch(role))


def render(conn: Connection, role: Entity) -> dict[str, Any]:
    """A role as GetRole shows it."""
    used = role.document.get("last_used")
    shown = {} if used is None else {"LastUsedDate": used["at_s"], "Region": used["region"]}
    return {
        **render_role(role),
        **boundary_of(conn, role),
        **with_tags(role),
        "RoleLastUsed": shown,
    }


def find_role(conn: Connection, context: RequestContext, params: Mapping[str, Any]) -> Entity:
    """The role that is named.

    Raises:
        AwsError: NoSuchEntity.
    """
    return records.find(conn, context.account, Kind.ROLE, params["RoleName"])


def need_own(role: Entity) -> Entity:
    """Refuse to change what belongs to a service.

    Raises:
        AwsError: UnmodifiableEntity.
    """
    if role.path.startswith(SERVICE_PATH):
        raise protected(role)
    return role


def protected(role: Entity) -> Exception:
    """The refusal of a change of a service-linked role."""
    return errors.unmodifiable(
        f"Cannot perform the operation on the protected role '{role.name}' - this role is only "
        "modifiable by AWS"
    )


def _checked_trust(text: str) -> Mapping[str, Any]:
    if policy_chars(text) > TRUST_CHARS_MAX:
        raise limit_exceeded("ACLSizePerRole", TRUST_CHARS_MAX)
    return check_policy(read_trust, text)
