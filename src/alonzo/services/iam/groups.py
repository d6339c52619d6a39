"""Operations on groups and their members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.iam import errors, records
from alonzo.services.iam.entity_pages import entity_page
from alonzo.services.iam.identities import Unit
from alonzo.services.iam.limits import GROUPS_PER_USER_MAX
from alonzo.services.iam.operations import IamOperations, head
from alonzo.services.iam.paging import one_page
from alonzo.services.iam.records import Entity, Kind, Q, entity_from
from alonzo.services.iam.users import need_no_policies, renamed
from alonzo.store.base import Connection


class GroupOperations(IamOperations):
    """CreateGroup and its like."""

    async def create_group(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """CreateGroup."""

        def work(unit: Unit) -> dict[str, Any]:
            group = records.insert(
                unit.conn,
                ids=self._identities.ids,
                account=context.account,
                kind=Kind.GROUP,
                name=params["GroupName"],
                path=params.get("Path") or "/",
                now_s=self._now_s(),
                document={},
            )
            return {"Group": head(unit.touch(group))}

        return await self._identities.change(work)

    async def get_group(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """GetGroup: it and a page of its members."""

        def work(conn: Connection) -> dict[str, Any]:
            group = self._find(conn, context, params)
            rows = conn.all(Q.members_of_group, {"group_id": group.unique_id})
            shown, answer = one_page("Users", [entity_from(row) for row in rows], params, _key)
            return {**answer, "Group": head(group), "Users": [head(each) for each in shown]}

        return await self._identities.read(work)

    async def list_groups(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListGroups."""
        return await self._identities.read(
            lambda conn: entity_page(conn, context, params, Kind.GROUP, "Groups", head)
        )

    async def update_group(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UpdateGroup: another name, another path."""

        def work(unit: Unit) -> None:
            group = self._find(unit.conn, context, params)
            records.save(unit.conn, renamed(unit.touch(group), params, "NewGroupName"))

        await self._identities.change(work)

    async def delete_group(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteGroup."""

        def work(unit: Unit) -> None:
            group = self._find(unit.conn, context, params)
            if unit.conn.all(Q.members_of_group, {"group_id": group.unique_id}):
                raise errors.delete_conflict(
                    "Cannot delete entity, must remove users from group first."
                )
            need_no_policies(unit.conn, group)
            records.delete(unit.conn, unit.touch(group))

        await self._identities.change(work)

    async def add_user_to_group(self, context: RequestContext, params: dict[str, Any]) -> None:
        """AddUserToGroup."""

        def work(unit: Unit) -> None:
            conn = unit.conn
            group = self._find(conn, context, params)
            user = records.find(conn, context.account, Kind.USER, params["UserName"])
            mine = {each.unique_id for each in records.groups_of(conn, user)}
            if len(mine | {group.unique_id}) > GROUPS_PER_USER_MAX:
                raise errors.limit_exceeded("GroupsPerUser", GROUPS_PER_USER_MAX)
            conn.execute(Q.add_member, _member(group, user))

        await self._identities.change(work)

    async def remove_user_from_group(self, context: RequestContext, params: dict[str, Any]) -> None:
        """RemoveUserFromGroup."""

        def work(unit: Unit) -> None:
            group = self._find(unit.conn, context, params)
            user = records.find(unit.conn, context.account, Kind.USER, params["UserName"])
            unit.conn.execute(Q.remove_member, _member(group, user))

        await self._identities.change(work)

    async def list_groups_for_user(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListGroupsForUser."""

        def work(conn: Connection) -> dict[str, Any]:
            user = records.find(conn, context.account, Kind.USER, params["UserName"])
            shown, answer = one_page("Groups", records.groups_of(conn, user), params, _key)
            return {**answer, "Groups": [head(each) for each in shown]}

        return await self._identities.read(work)

    @staticmethod
    def _find(conn: Connection, context: RequestContext, params: Mapping[str, Any]) -> Entity:
        return records.find(conn, context.account, Kind.GROUP, params["GroupName"])


def _key(entity: Entity) -> str:
    return entity.name.lower()


def _member(group: Entity, user: Entity) -> dict[str, Any]:
    return {"group_id": group.unique_id, "user_id": user.unique_id}
