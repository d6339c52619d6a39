"""Operations on attached managed policies, and on permissions boundaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.iam import errors, managed, records
from alonzo.services.iam.identities import Identities, Unit
from alonzo.services.iam.limits import ATTACHED_MAX
from alonzo.services.iam.operations import WORDS, IamOperations
from alonzo.services.iam.paging import one_page
from alonzo.services.iam.records import Entity, Kind, Q
from alonzo.services.iam.roles import need_own
from alonzo.store.base import Connection


class AttachmentOperations(IamOperations):
    """AttachUserPolicy and its like, for one kind."""

    def __init__(self, identities: Identities, kind: Kind) -> None:
        super().__init__(identities)
        self._kind = kind
        self._member = f"{WORDS[kind]}Name"

    async def attach(self, context: RequestContext, params: dict[str, Any]) -> None:
        """AttachUserPolicy, AttachGroupPolicy, AttachRolePolicy."""
        arn = params["PolicyArn"]

        def work(unit: Unit) -> None:
            conn = unit.conn
            entity = need_own(self._find(conn, context, params))
            managed.need_attachable(conn, context.account, arn)
            if len({*records.attached(conn, entity), arn}) > ATTACHED_MAX:
                raise errors.limit_exceeded(f"PoliciesPer{WORDS[self._kind]}", ATTACHED_MAX)
            conn.execute(Q.attach, {**_row(entity, arn, "policy"), "account": context.account})

        await self._identities.change(work)

    async def detach(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DetachUserPolicy, DetachGroupPolicy, DetachRolePolicy."""
        arn = params["PolicyArn"]

        def work(unit: Unit) -> None:
            entity = need_own(self._find(unit.conn, context, params))
            if not unit.conn.execute(Q.detach, _row(entity, arn, "policy")):
                raise errors.policy_not_found(arn)

        await self._identities.change(work)

    async def list(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """ListAttachedUserPolicies, ListAttachedGroupPolicies, ListAttachedRolePolicies."""
        prefix = params.get("PathPrefix") or "/"

        def work(conn: Connection) -> dict[str, Any]:
            entity = self._find(conn, context, params)
            arns = [
                arn for arn in records.attached(conn, entity) if path_of(arn).startswith(prefix)
            ]
            shown, answer = one_page("AttachedPolicies", arns, params, str)
            return {**answer, "AttachedPolicies": [attached_policy(arn) for arn in shown]}

        return await self._identities.read(work)

    async def put_boundary(self, context: RequestContext, params: dict[str, Any]) -> None:
        """PutUserPermissionsBoundary, PutRolePermissionsBoundary."""
        arn = params["PermissionsBoundary"]

        def work(unit: Unit) -> None:
            entity = need_own(self._find(unit.conn, context, params))
            managed.need_attachable(unit.conn, context.account, arn)
            row = _row(entity, arn, "boundary")
            unit.conn.execute(Q.detach_all, {"entity_id": entity.unique_id, "usage": "boundary"})
            unit.conn.execute(Q.attach, {**row, "account": context.account})

        await self._identities.change(work)

    async def delete_boundary(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteUserPermissionsBoundary, DeleteRolePermissionsBoundary."""

        def work(unit: Unit) -> None:
            entity = need_own(self._find(unit.conn, context, params))
            row = {"entity_id": entity.unique_id, "usage": "boundary"}
            if not unit.conn.execute(Q.detach_all, row):
                raise errors.no_such_entity(
                    f"{WORDS[self._kind]} {entity.name} does not have a permissions boundary "
                    "associated."
                )

        await self._identities.change(work)

    def _find(self, conn: Connection, context: RequestContext, params: Mapping[str, Any]) -> Entity:
        return records.find(conn, context.account, self._kind, params[self._member])


def attached_policy(arn: str) -> dict[str, Any]:
    """An attached policy as lists show it."""
    return {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}


def path_of(arn: str) -> str:
    """The path of a managed policy."""
    middle = arn.partition("/")[2].rpartition("/")[0]
    return f"/{middle}/" if middle else "/"


def _row(entity: Entity, arn: str, usage: str) -> dict[str, Any]:
    return {"entity_id": entity.unique_id, "usage": usage, "policy_arn": arn}
