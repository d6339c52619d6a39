"""How versions come and go, as units of work: for requests, and for what expires by itself.

* With versioning enabled each write adds a version, and a delete adds a marker.
* Otherwise a write replaces the version ``null``, and a delete removes it; under suspended
  versioning the delete leaves a marker in its place.

Whoever runs one of these lets the vault know afterwards, since blobs may have become useless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from alonzo.services.s3 import bucket_rows
from alonzo.services.s3.changes import Cause, Changes
from alonzo.services.s3.errors import no_bucket
from alonzo.services.s3.objects import rows
from alonzo.services.s3.records import (
    ENABLED,
    NULL_VERSION,
    SUSPENDED,
    Bucket,
    ObjectVersion,
    Piece,
    Upload,
)
from alonzo.store.base import Connection


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a delete did. ``version`` is what was deleted, or the marker that was made, or None."""

    version: ObjectVersion | None
    is_marker_made: bool


def need_bucket(conn: Connection, bucket: Bucket) -> Bucket:
    """The bucket as it is now.

    Raises:
        AwsError: it was deleted since.
    """
    now = bucket_rows.try_find_bucket(conn, bucket.id)
    if now is None:
        raise no_bucket(bucket.name)
    return now


def add_version(
    conn: Connection,
    bucket: Bucket,
    version: ObjectVersion,
    content: bytes | None,
    pieces: tuple[Piece, ...],
    new_version_id: Callable[[], str],
) -> ObjectVersion:
    """Make a version the newest one of its object; answers it with its ids.

    ``bucket`` is as of now (``need_bucket``).
    """
    old = rows.try_latest(conn, bucket.id, version.key)
    if bucket.versioning == ENABLED:
        version_id = new_version_id()
    else:
        version_id = NULL_VERSION
        null = old
        if old is not None and old.version_id != NULL_VERSION:
            null = rows.try_version(conn, bucket.id, version.key, NULL_VERSION)
        if null is not None:
            rows.remove_version(conn, replace(null, is_latest=False))
    if old is not None:
        rows.no_longer_latest(conn, bucket.id, version.key)
    added = replace(
        version,
        id=bucket_rows.next_number(conn),
        bucket_id=bucket.id,
        version_id=version_id,
        is_latest=True,
    )
    rows.insert_version(conn, added, content)
    for piece in pieces:
        rows.save_piece(conn, added.id, piece)
    return added


def delete_object(
    conn: Connection,
    bucket: Bucket,
    key: str,
    version_id: str | None,
    *,
    changes: Changes,
    cause: Cause,
    new_version_id: Callable[[], str],
) -> Deleted:
    """Delete one version for good, or, without ``version_id``, what the object is now.

    ``bucket`` is as of now. What is not there is deleted all the same, as AWS has it.
    """
    if version_id is not None:
        version = rows.try_version(conn, bucket.id, key, version_id)
        return _remove(conn, bucket, version, changes, cause)
    if not bucket.versioning:
        version = rows.try_version(conn, bucket.id, key, NULL_VERSION)
        return _remove(conn, bucket, version, changes, cause)
    assert bucket.versioning in (ENABLED, SUSPENDED), bucket.versioning
    marker = ObjectVersion(
        id=0,
        bucket_id=bucket.id,
        key=key,
        version_id="",
        is_latest=True,
        is_delete_marker=True,
        size=0,
        etag="",
        modified_at_s=cause.at_s,
        owner=bucket.account,
    )
    marker = add_version(conn, bucket, marker, None, (), new_version_id)
    changes.note(conn, bucket, "ObjectRemoved:DeleteMarkerCreated", marker, cause)
    return Deleted(marker, is_marker_made=True)


def _remove(
    conn: Connection,
    bucket: Bucket,
    version: ObjectVersion | None,
    changes: Changes,
    cause: Cause,
) -> Deleted:
    if version is not None:
        rows.remove_version(conn, version)
        changes.note(conn, bucket, "ObjectRemoved:Delete", version, cause)
    return Deleted(version, is_marker_made=False)


def abort_upload(conn: Connection, upload: Upload) -> None:
    """Delete an upload in parts, and the parts."""
    rows.remove_upload(conn, upload)
