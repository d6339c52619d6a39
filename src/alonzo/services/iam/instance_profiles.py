"""Operations on instance profiles, which tools make beside roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.iam import errors, records
from alonzo.services.iam.identities import Unit
from alonzo.services.iam.operations import (
    IamOperations,
    path_prefix,
    render_profile,
    with_tags,
)
from alonzo.services.iam.paging import one_page
from alonzo.services.iam.records import Entity, Kind, Q, entity_from
from alonzo.services.iam.roles import find_role
from alonzo.services.iam.tags import read_tags
from alonzo.store.base import Connection


class InstanceProfileOperations(IamOperations):
    """CreateInstanceProfile and its like."""

    async def create_instance_profile(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """CreateInstanceProfile."""
        tags = read_tags(params.get("Tags"))

        def work(unit: Unit) -> dict[str, Any]:
            profile = records.insert(
                unit.conn,
                ids=self._identities.ids,
                account=context.account,
                kind=Kind.PROFILE,
                name=params["InstanceProfileName"],
                path=params.get("Path") or "/",
                now_s=self._now_s(),
                document={"tags": tags} if tags else {},
            )
            return {"InstanceProfile": _render(unit.conn, unit.touch(profile))}

        return await self._identities.change(work)

    async def get_instance_profile(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetInstanceProfile."""
        return await self._identities.read(
            lambda conn: {"InstanceProfile": _render(conn, _find(conn, context, params))}
        )

    async def list_instance_profiles(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListInstanceProfiles."""

        def work(conn: Connection) -> dict[str, Any]:
            found = records.page(
                conn,
                context.account,
                Kind.PROFILE,
                path=path_prefix(params),
                after="",
                limit=1 << 20,
            )
            return _page(conn, found, params)

        return await self._identities.read(work)

    async def list_instance_profiles_for_role(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListInstanceProfilesForRole."""

        def work(conn: Connection) -> dict[str, Any]:
            role = find_role(conn, context, params)
            rows = conn.all(Q.profiles_of_role, {"role_id": role.unique_id})
            return _page(conn, [entity_from(row) for row in rows], params)

        return await self._identities.read(work)

    async def delete_instance_profile(
        self, context: RequestContext, params: dict[str, Any]
    ) -> None:
        """DeleteInstanceProfile."""

        def work(unit: Unit) -> None:
            profile = _find(unit.conn, context, params)
            if unit.conn.one(Q.role_of_profile, {"profile_id": profile.unique_id}):
                raise errors.delete_conflict(
                    "Cannot delete entity, must remove roles from instance profile first."
                )
            records.delete(unit.conn, unit.touch(profile))

        await self._identities.change(work)

    async def add_role_to_instance_profile(
        self, context: RequestContext, params: dict[str, Any]
    ) -> None:
        """AddRoleToInstanceProfile. A profile holds one role."""

        def work(unit: Unit) -> None:
            profile = _find(unit.conn, context, params)
            role = find_role(unit.conn, context, params)
            if not unit.conn.execute(Q.put_profile_role, _row(profile, role)):
                raise errors.limit_exceeded("InstanceSessionsPerInstanceProfile", 1)

        await self._identities.change(work)

    async def remove_role_from_instance_profile(
        self, context: RequestContext, params: dict[str, Any]
    ) -> None:
        """RemoveRoleFromInstanceProfile."""

        def work(unit: Unit) -> None:
            profile = _find(unit.conn, context, params)
            role = find_role(unit.conn, context, params)
            if not unit.conn.execute(Q.delete_profile_role, _row(profile, role)):
                raise errors.not_found(Kind.ROLE, role.name)

        await self._identities.change(work)


def _find(conn: Connection, context: RequestContext, params: Mapping[str, Any]) -> Entity:
    return records.find(conn, context.account, Kind.PROFILE, params["InstanceProfileName"])


def _row(profile: Entity, role: Entity) -> dict[str, Any]:
    return {"profile_id": profile.unique_id, "role_id": role.unique_id}


def _render(conn: Connection, profile: Entity) -> dict[str, Any]:
    return {**render_profile(conn, profile), **with_tags(profile)}


def _page(conn: Connection, profiles: list[Entity], params: Mapping[str, Any]) -> dict[str, Any]:
    shown, answer = one_page("InstanceProfiles", profiles, params, lambda each: each.name.lower())
    return {**answer, "InstanceProfiles": [render_profile(conn, each) for each in shown]}
