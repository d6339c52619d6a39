"""DeleteObject and DeleteObjects."""

from __future__ import annotations

from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.s3.errors import s3_error
from alonzo.services.s3.objects import rows
from alonzo.services.s3.objects.changing import Deleted, delete_object, need_bucket
from alonzo.services.s3.objects.conditions import check_delete
from alonzo.services.s3.objects.core import Core, Params, version_id_of
from alonzo.store.base import Connection

#: Keys of one DeleteObjects. Source: S3 API.
KEYS_MAX = 1000


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
        """Delete many, all in one unit of work; one that may not be deleted keeps none alive."""
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

        def delete(db: Connection) -> list[Deleted | AwsError]:
            now = need_bucket(db, bucket)
            results: list[Deleted | AwsError] = []
            for each in wanted:
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
