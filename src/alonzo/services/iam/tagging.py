"""Operations on tags; the same for users, roles, managed policies and instance profiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.iam import managed, records
from alonzo.services.iam.identities import Identities, Unit
from alonzo.services.iam.operations import WORDS, IamOperations
from alonzo.services.iam.paging import one_page
from alonzo.services.iam.records import Entity, Kind
from alonzo.services.iam.roles import need_own
from alonzo.services.iam.tags import added, removed, render_tags
from alonzo.store.base import Connection


class TagOperations(IamOperations):
    """TagUser and its like, for one kind."""

    def __init__(self, identities: Identities, kind: Kind) -> None:
        super().__init__(identities)
        self._kind = kind

    async def tag(self, context: RequestContext, params: dict[str, Any]) -> None:
        """TagUser, TagRole, TagPolicy, TagInstanceProfile."""

        def work(unit: Unit) -> None:
            entity = self._find(unit.conn, context, params)
            self._save(unit, entity, added(entity.tags, params["Tags"]))

        await self._identities.change(work)

    async def untag(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UntagUser, UntagRole, UntagPolicy, UntagInstanceProfile."""

        def work(unit: Unit) -> None:
            entity = self._find(unit.conn, context, params)
            self._save(unit, entity, removed(entity.tags, params["TagKeys"]))

        await self._identities.change(work)

    async def list(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """ListUserTags, ListRoleTags, ListPolicyTags, ListInstanceProfileTags."""

        def work(conn: Connection) -> dict[str, Any]:
            tags = self._find(conn, context, params).tags
            entries = sorted(render_tags(tags), key=lambda tag: tag["Key"])
            return one_page("Tags", entries, params, lambda tag: tag["Key"])[1]

        return await self._identities.read(work)

    def _find(self, conn: Connection, context: RequestContext, params: Mapping[str, Any]) -> Entity:
        if self._kind is Kind.POLICY:
            return managed.find_own(conn, context.account, params["PolicyArn"])
        name = params[f"{WORDS[self._kind]}Name"]
        return records.find(conn, context.account, self._kind, name)

    def _save(self, unit: Unit, entity: Entity, tags: Mapping[str, str]) -> None:
        changed = need_own(unit.touch(entity)).changed(tags=dict(tags) or None)
        records.save(unit.conn, changed)
