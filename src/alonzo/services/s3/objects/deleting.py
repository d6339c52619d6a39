"""DeleteObject and DeleteObjects."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.s3.errors import s3_error
from alonzo.services.s3.objects import rows
from alonzo.services.s3.objects.changing import Deleted, delete_object, need_bucket
from alonzo.services.s3.objects.conditions import check_delete
from alonzo.services.s3.objects.core import Core, Params, version_id_of
from alonzo.services.s3.objects.intent import check_key
from alonzo.services.s3.records import Bucket
from alonzo.store.base import Connection

#: Keys of one DeleteObjects. Source: S3 API.
KEYS_MAX = 1000

#: Keys that are judged before others get their turn: about 2 ms.
_JUDGED_TOGETHER = 50


class DeleteOperations:
    """The operations that delete objects."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def delete_object(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """Delete a version for good, or put a delete marker before all of them."""
        core = self._core
        bucket, key = core.place_of(params)
        version_id, cause = version_id_of(params), core.cause_of(context)

        def delete(db: Connection) -> Deleted:
            now = need_bucket(db, bucket)
            check_delete(params.get("IfMatch"), rows.try_latest(db, now.id, key))
            return delete_object(
                db,
                now,
                key,
                version_id,
                changes=core.changes,
                cause=cause,
                new_version_id=core.new_version_id,
            )

        deleted = await core.store.tx(delete)
        core.vault.nudge()
        return _members(deleted, version_id)

    async def delete_objects(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """Delete those that may be deleted, in one unit of work, and say why the others stay."""
        core = self._core
        bucket, cause = core.bucket_of(params), core.cause_of(context)
        wanted: list[Params] = params["Delete"].get("Objects") or []
        if not 1 <= len(wanted) <= KEYS_MAX:
            raise s3_error(
                "MalformedXML",
                "The XML you provided was not well-formed or did not validate against our "
                "published schema",
                400,
            )

        refusals = await self._judged(context, bucket, wanted)

        def delete(db: Connection) -> list[Deleted | AwsError]:
            now = need_bucket(db, bucket)
            results: list[Deleted | AwsError] = []
            for each, refused in zip(wanted, refusals, strict=True):
                if refused is not None:
                    results.append(refused)
                    continue
                try:
                    check_delete(each.get("ETag"), rows.try_latest(db, now.id, each["Key"]))
                except AwsError as refusal:
                    results.append(refusal)
                    continue
                results.append(
                    delete_object(
                        db,
                        now,
                        each["Key"],
                        each.get("VersionId") or None,
                        changes=core.changes,
                        cause=cause,
                        new_version_id=core.new_version_id,
                    )
                )
            return results

        results = await core.store.tx(delete)
        core.vault.nudge()
        answer: dict[str, Any] = {}
        for each, result in zip(wanted, results, strict=True):
            named = {name: each[name] for name in ("Key", "VersionId") if each.get(name)}
            if isinstance(result, AwsError):
                error = {**named, "Code": result.code, "Message": result.message}
                answer.setdefault("Errors", []).append(error)
            elif not params["Delete"].get("Quiet"):
                answer.setdefault("Deleted", []).append({**named, **_listed(result)})
        return answer

    async def _judged(
        self, context: RequestContext, bucket: Bucket, wanted: Sequence[Params]
    ) -> list[AwsError | None]:
        """Why each of them is not to be deleted; None: it is.

        Source: S3 API reference, DeleteObjects, permissions and response elements.
        """
        found: list[AwsError | None] = []
        for count, each in enumerate(wanted):
            if count % _JUDGED_TOGETHER == 0:
                await asyncio.sleep(0)
            try:
                check_key(each["Key"])
                # An empty one is none, as many clients write it.
                version_id = version_id_of({"VersionId": each.get("VersionId") or None})
            except AwsError as error:
                found.append(error)
                continue
            found.append(
                await self._core.permits.why_not_delete(context, bucket, each["Key"], version_id)
            )
        return found


def _members(deleted: Deleted, version_id: str | None) -> dict[str, Any]:
    version = deleted.version
    if deleted.is_marker_made and version is not None:
        return {"DeleteMarker": True, "VersionId": version.version_id}
    members: dict[str, Any] = {} if version_id is None else {"VersionId": version_id}
    if version is not None and version.is_delete_marker:
        members["DeleteMarker"] = True
    return members


def _listed(deleted: Deleted) -> dict[str, Any]:
    version = deleted.version
    if version is None or not version.is_delete_marker:
        return {}
    return {"DeleteMarker": True, "DeleteMarkerVersionId": version.version_id}
