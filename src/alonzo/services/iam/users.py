"""Operations on users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.iam import errors, managed, records
from alonzo.services.iam.entity_pages import entity_page
from alonzo.services.iam.identities import Unit
from alonzo.services.iam.operations import IamOperations, boundary_of, head, with_tags
from alonzo.services.iam.records import Entity, Kind, Q
from alonzo.services.iam.tags import read_tags
from alonzo.store.base import Connection


class UserOperations(IamOperations):
    """CreateUser and its like."""

    async def create_user(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """CreateUser."""
        tags = read_tags(params.get("Tags"))
        limit = params.get("PermissionsBoundary")

        def work(unit: Unit) -> dict[str, Any]:
            conn, account = unit.conn, context.account
            if limit:
                managed.need_attachable(conn, account, limit)
            user = records.insert(
                conn,
                ids=self._identities.ids,
                account=account,
                kind=Kind.USER,
                name=params["UserName"],
                path=params.get("Path") or "/",
                now_s=self._now_s(),
                document={"tags": tags} if tags else {},
            )
            if limit:
                conn.execute(Q.attach, _boundary_row(user, limit))
            unit.touch(user)
            return {"User": render(conn, user)}

        return await self._identities.change(work)

    async def get_user(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """GetUser. Without a name, of whoever asks."""
        name, principal = params.get("UserName"), context.principal
        if not name and principal.is_root:
            return {
                "User": {
                    "Path": "/",
                    "UserId": principal.account,
                    "Arn": principal.arn,
                    "CreateDate": 0.0,
                }
            }
        if not name and principal.session is not None and principal.session.role_arn:
            raise errors.validation_error(
                "Must specify userName when calling with non-User credentials"
            )

        def work(conn: Connection) -> dict[str, Any]:
            wanted = name or principal.arn.rpartition("/")[2]
            return {"User": render(conn, records.find(conn, context.account, Kind.USER, wanted))}

        return await self._identities.read(work)

    async def list_users(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListUsers. It shows neither tags nor boundaries, as on AWS."""
        return await self._identities.read(
            lambda conn: entity_page(conn, context, params, Kind.USER, "Users", head)
        )

    async def update_user(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UpdateUser: another name, another path. Keys and policies stay."""

        def work(unit: Unit) -> None:
            user = records.find(unit.conn, context.account, Kind.USER, params["UserName"])
            records.save(unit.conn, renamed(user, params, "NewUserName"))
            unit.touch(user)

        await self._identities.change(work)

    async def delete_user(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteUser."""

        def work(unit: Unit) -> None:
            conn = unit.conn
            user = records.find(conn, context.account, Kind.USER, params["UserName"])
            if records.groups_of(conn, user):
                raise errors.delete_conflict(
                    "Cannot delete entity, must remove users from group first."
                )
            need_no_policies(conn, user)
            if conn.all(Q.keys_of_user, {"user_id": user.unique_id}):
                raise errors.delete_conflict("Cannot delete entity, must delete access keys first.")
            records.delete(conn, unit.touch(user))

        await self._identities.change(work)


def render(conn: Connection, user: Entity) -> dict[str, Any]:
    """A user as GetUser shows it."""
    return {**head(user), **boundary_of(conn, user), **with_tags(user)}


def renamed(entity: Entity, params: Mapping[str, Any], member: str) -> Entity:
    """The entity with the new name and path of an update."""
    return replace(
        entity,
        name=params.get(member) or entity.name,
        path=params.get("NewPath") or entity.path,
    )


def need_no_policies(conn: Connection, entity: Entity) -> None:
    """Make sure that nothing is attached to what is to be deleted.

    Raises:
        AwsError: DeleteConflict.
    """
    if records.attached(conn, entity):
        raise errors.delete_conflict("Cannot delete entity, must detach all policies first.")
    if records.inline(conn, entity):
        raise errors.delete_conflict("Cannot delete entity, must delete policies first.")


def _boundary_row(entity: Entity, arn: str) -> dict[str, Any]:
    return {
        "entity_id": entity.unique_id,
        "usage": "boundary",
        "policy_arn": arn,
        "account": entity.account,
    }
