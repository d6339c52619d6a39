"""The tags of objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.s3.objects import rows
from alonzo.services.s3.objects.changing import need_bucket
from alonzo.services.s3.objects.core import (
    Core,
    Params,
    need_version,
    shown_version,
    version_id_of,
)
from alonzo.services.s3.objects.intent import checked_tags
from alonzo.services.s3.records import ObjectVersion
from alonzo.store.base import Connection


class TagOperations:
    """PutObjectTagging and its like."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def get_object_tagging(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """The tags of a version."""
        bucket, key = self._core.place_of(params)
        version_id = version_id_of(params)
        version = await self._core.store.read(
            lambda db: need_version(db, bucket, key, version_id, "GET")
        )
        tags = [{"Key": name, "Value": text} for name, text in version.tags.items()]
        return {"TagSet": tags, **shown_version(bucket, version)}

    async def put_object_tagging(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """Replace the tags of a version."""
        tags = checked_tags(params["Tagging"].get("TagSet") or [])
        return await self._save(context, params, tags, "PUT", "ObjectTagging:Put")

    async def delete_object_tagging(
        self, context: RequestContext, params: Params
    ) -> dict[str, Any]:
        """Leave a version without tags."""
        return await self._save(context, params, {}, "DELETE", "ObjectTagging:Delete")

    async def _save(
        self,
        context: RequestContext,
        params: Params,
        tags: Mapping[str, str],
        method: str,
        event: str,
    ) -> dict[str, Any]:
        core = self._core
        bucket, key = core.place_of(params)
        version_id, cause = version_id_of(params), core.cause_of(context)

        def save(db: Connection) -> ObjectVersion:
            now = need_bucket(db, bucket)
            version = need_version(db, now, key, version_id, method)
            rows.save_tags(db, version.id, tags)
            core.changes.note(db, now, event, version, cause)
            return version

        return {**shown_version(bucket, await core.store.tx(save))}
