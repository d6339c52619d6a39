"""Operations on inline policies; the same for users, groups and roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.lib.policies.grammar import read_identity
from alonzo.model.context import RequestContext
from alonzo.services.iam import errors, records
from alonzo.services.iam.identities import Identities, Unit
from alonzo.services.iam.limits import INLINE_CHARS_MAX
from alonzo.services.iam.managed import encoded
from alonzo.services.iam.operations import WORDS, IamOperations, check_policy, policy_chars
from alonzo.services.iam.paging import one_page
from alonzo.services.iam.records import Entity, Kind, Q
from alonzo.services.iam.roles import need_own
from alonzo.store.base import Connection


class InlineOperations(IamOperations):
    """PutUserPolicy and its like, for one kind."""

    def __init__(self, identities: Identities, kind: Kind) -> None:
        super().__init__(identities)
        self._kind = kind
        self._member = f"{WORDS[kind]}Name"

    async def put(self, context: RequestContext, params: dict[str, Any]) -> None:
        """PutUserPolicy, PutGroupPolicy, PutRolePolicy."""
        text, name = params["PolicyDocument"], params["PolicyName"]
        check_policy(read_identity, text)

        def work(unit: Unit) -> None:
            entity = need_own(self._find(unit.conn, context, params))
            policies = records.inline(unit.conn, entity) | {name: text}
            limit = INLINE_CHARS_MAX[self._kind]
            if sum(map(policy_chars, policies.values())) > limit:
                raise errors.too_long(self._kind, entity.name, limit)
            unit.conn.execute(
                Q.put_inline, {"entity_id": entity.unique_id, "name": name, "document": text}
            )

        await self._identities.change(work)

    async def get(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """GetUserPolicy, GetGroupPolicy, GetRolePolicy."""

        def work(conn: Connection) -> dict[str, Any]:
            entity = self._find(conn, context, params)
            row = conn.one(Q.find_inline, self._row(entity, params))
            if row is None:
                raise self._missing(params)
            return {
                self._member: entity.name,
                "PolicyName": params["PolicyName"],
                "PolicyDocument": encoded(row["document"]),
            }

        return await self._identities.read(work)

    async def delete(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteUserPolicy, DeleteGroupPolicy, DeleteRolePolicy."""

        def work(unit: Unit) -> None:
            entity = need_own(self._find(unit.conn, context, params))
            if not unit.conn.execute(Q.delete_inline, self._row(entity, params)):
                raise self._missing(params)

        await self._identities.change(work)

    async def list(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """ListUserPolicies, ListGroupPolicies, ListRolePolicies."""

        def work(conn: Connection) -> dict[str, Any]:
            entity = self._find(conn, context, params)
            names = sorted(records.inline(conn, entity))
            return one_page("PolicyNames", names, params, str)[1]

        return await self._identities.read(work)

    def _find(self, conn: Connection, context: RequestContext, params: Mapping[str, Any]) -> Entity:
        return records.find(conn, context.account, self._kind, params[self._member])

    @staticmethod
    def _row(entity: Entity, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"entity_id": entity.unique_id, "name": params["PolicyName"]}

    def _missing(self, params: Mapping[str, Any]) -> Exception:
        return errors.no_such_entity(
            f"The {self._kind} policy with name {params['PolicyName']} cannot be found."
        )
