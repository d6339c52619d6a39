"""GetObjectAcl and PutObjectAcl: every object belongs to the owner of its bucket."""

from __future__ import annotations

from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.s3.buckets import acls
from alonzo.services.s3.objects.core import Core, Params, need_version, version_id_of


class AclOperations:
    """The operations on ACLs of objects."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def get_object_acl(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """The owner of the bucket may do everything, and by an ACL nobody else anything."""
        bucket, key = self._core.place_of(params)
        version_id = version_id_of(params)
        await self._core.store.read(lambda db: need_version(db, bucket, key, version_id, "GET"))
        return acls.owner_acl(bucket)

    async def put_object_acl(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """Take what says no more than that, where the bucket has ACLs at all."""
        bucket, key = self._core.place_of(params)
        version_id = version_id_of(params)
        await self._core.store.read(lambda db: need_version(db, bucket, key, version_id, "PUT"))
        acls.check_put(params, bucket)
        return {}
