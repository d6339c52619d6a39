"""What the operations on objects share: where things are, and what each of them begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.s3.buckets.expirations import Expirations
from alonzo.services.s3.changes import Cause, Changes
from alonzo.services.s3.directory import Directory
from alonzo.services.s3.errors import invalid_argument, method_not_allowed, no_key, no_version
from alonzo.services.s3.objects import rows
from alonzo.services.s3.objects.intent import check_key, check_owner
from alonzo.services.s3.objects.keys import ObjectKeys
from alonzo.services.s3.objects.vault import Vault
from alonzo.services.s3.permits import Permits
from alonzo.services.s3.records import Bucket, ObjectVersion
from alonzo.store.base import Connection, Store

Params = Mapping[str, Any]

_VERSION_CHARS_MAX = 1024


@dataclass(frozen=True, slots=True)
class Core:
    """The parts that objects are made of."""

    store: Store
    directory: Directory
    vault: Vault
    changes: Changes
    clock: Clock
    ids: IdSource
    keys: ObjectKeys
    permits: Permits = field(default_factory=Permits)
    expirations: Expirations = field(default_factory=Expirations)

    def bucket_of(self, params: Params) -> Bucket:
        """The bucket of a request, which belongs to whom its caller thinks.

        Raises:
            AwsError: NoSuchBucket, AccessDenied.
        """
        bucket = self.directory.find_nowait(params["Bucket"])
        check_owner(params, bucket)
        return bucket

    def place_of(self, params: Params) -> tuple[Bucket, str]:
        """The bucket and the key of a request.

        Raises:
            AwsError: NoSuchBucket, AccessDenied, KeyTooLongError.
        """
        bucket = self.bucket_of(params)
        check_key(params["Key"])
        return bucket, params["Key"]

    def cause_of(self, context: RequestContext) -> Cause:
        """What a notification says of a request."""
        return Cause(
            context.principal.user_id,
            context.source_ip,
            context.request_id,
            self.clock.now_s(),
            context.trace_header,
        )

    def new_version_id(self) -> str:
        """A version id as AWS's are: 32 characters that say nothing."""
        return self.ids.hex(16)


def shown_version(bucket: Bucket, version: ObjectVersion) -> dict[str, str]:
    """The version id, which buckets that were never versioned do not show."""
    return {"VersionId": version.version_id} if bucket.versioning else {}


def version_id_of(params: Params) -> str | None:
    """The version that a request asks for; None: the newest.

    Raises:
        AwsError: InvalidArgument.
    """
    version_id = params.get("VersionId")
    if version_id is None:
        return None
    if not 0 < len(version_id) <= _VERSION_CHARS_MAX:
        raise invalid_argument("Invalid version id specified", "versionId", version_id[:100])
    return version_id


def need_version(
    conn: Connection, bucket: Bucket, key: str, version_id: str | None, method: str
) -> ObjectVersion:
    """A version that has bytes.

    Raises:
        AwsError: NoSuchKey, NoSuchVersion; MethodNotAllowed for a delete marker.
    """
    if version_id is None:
        version = rows.try_latest(conn, bucket.id, key)
        if version is None:
            raise no_key(key)
        if version.is_delete_marker:
            raise _with_headers(no_key(key), version)
        return version
    version = rows.try_version(conn, bucket.id, key, version_id)
    if version is None:
        raise no_version(key, version_id)
    if version.is_delete_marker:
        raise _with_headers(method_not_allowed(method, "DeleteMarker"), version)
    return version


def _with_headers(error: AwsError, marker: ObjectVersion) -> AwsError:
    error.headers.update({"x-amz-delete-marker": "true", "x-amz-version-id": marker.version_id})
    return error
