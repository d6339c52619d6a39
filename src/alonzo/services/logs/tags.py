"""Tags of log groups, over the newer operations by ARN and the older ones by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.logs import records
from alonzo.services.logs.errors import too_many_tags
from alonzo.services.logs.limits import TAGS_MAX
from alonzo.services.logs.rules import GroupKey, group_by_identifier
from alonzo.services.logs.sink import LogWriter
from alonzo.store.base import Connection, Store


class TagOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, store: Store, writer: LogWriter) -> None:
        self._store = store
        self._writer = writer

    async def tag_resource(self, context: RequestContext, params: dict[str, Any]) -> None:
        """TagResource."""
        await self._add(_by_arn(context, params), params["tags"])

    async def untag_resource(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UntagResource."""
        await self._remove(_by_arn(context, params), params["tagKeys"])

    async def list_tags_for_resource(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListTagsForResource."""
        return await self._list(_by_arn(context, params))

    async def tag_log_group(self, context: RequestContext, params: dict[str, Any]) -> None:
        """TagLogGroup."""
        await self._add(_by_name(context, params), params["tags"])

    async def untag_log_group(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UntagLogGroup."""
        await self._remove(_by_name(context, params), params["tags"])

    async def list_tags_log_group(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListTagsLogGroup."""
        return await self._list(_by_name(context, params))

    async def _add(self, key: GroupKey, added: Mapping[str, str]) -> None:
        def change(tags: Mapping[str, str]) -> Mapping[str, str]:
            changed = {**tags, **added}
            if len(changed) > TAGS_MAX:
                raise too_many_tags(key.arn)
            return changed

        await self._change(key, change)

    async def _remove(self, key: GroupKey, names: Iterable[str]) -> None:
        gone = set(names)
        await self._change(
            key, lambda tags: {name: tags[name] for name in tags if name not in gone}
        )

    async def _change(
        self, key: GroupKey, change: Callable[[Mapping[str, str]], Mapping[str, str]]
    ) -> None:
        def work(conn: Connection) -> None:
            group = records.need_group(conn, key)
            records.save_document(conn, group, tags=change(group.tags))

        await self._writer.flush()
        await self._store.tx(work)

    async def _list(self, key: GroupKey) -> Mapping[str, Any]:
        await self._writer.flush()
        return {"tags": await self._store.read(lambda conn: records.need_group(conn, key).tags)}


def _by_name(context: RequestContext, params: Mapping[str, Any]) -> GroupKey:
    return GroupKey(context.account, context.region, params["logGroupName"])


def _by_arn(context: RequestContext, params: Mapping[str, Any]) -> GroupKey:
    return group_by_identifier(
        params["resourceArn"], account=context.account, region=context.region
    )
