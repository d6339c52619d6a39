"""The operations that list what is in a bucket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote_plus

from alonzo.lib.clock import utc
from alonzo.model.context import RequestContext
from alonzo.services.s3.buckets import tokens
from alonzo.services.s3.buckets.asking import Params, bucket_of
from alonzo.services.s3.buckets.names import canonical_id
from alonzo.services.s3.buckets.pages import (
    PAGE_MAX,
    Cursor,
    Page,
    Wanted,
    cursor_behind,
    one_page,
    successor,
)
from alonzo.services.s3.buckets.records import Q
from alonzo.services.s3.directory import Directory
from alonzo.services.s3.errors import invalid_argument
from alonzo.services.s3.objects import rows
from alonzo.services.s3.records import Bucket, ObjectVersion
from alonzo.store.base import Connection, Store

#: Members of answers whose texts ``encoding-type=url`` is about.
_ENCODED = (
    "Delimiter",
    "KeyMarker",
    "Marker",
    "NextKeyMarker",
    "NextMarker",
    "Prefix",
    "StartAfter",
)


class ListOperations:
    """ListObjects, ListObjectsV2 and ListObjectVersions."""

    def __init__(self, directory: Directory, store: Store) -> None:
        self._directory = directory
        self._store = store

    async def list_objects(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """A page of objects, the old way: behind a marker."""
        bucket, wanted = bucket_of(self._directory, params), _wanted(params)
        marker = params.get("Marker") or ""
        begin = cursor_behind(marker, wanted)
        page = await self._store.read(
            lambda conn: one_page(wanted, begin, _objects(conn, bucket.id))
        )
        answer = _answer(bucket, params, page) | {"Marker": marker}
        answer["Contents"] = [_shown(each, owner=True) for each in page.entries]
        # Source: API reference, ListObjects: only with a delimiter; else the last key is the one.
        if page.last is not None and wanted.delimiter:
            answer["NextMarker"] = _name(page.last)
        return _encoded(answer, params)

    async def list_objects_v2(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """A page of objects, continued by a token."""
        bucket, wanted = bucket_of(self._directory, params), _wanted(params)
        token, start_after = params.get("ContinuationToken"), params.get("StartAfter") or ""
        after = start_after if token is None else tokens.read(token)[0]
        begin = cursor_behind(after, wanted)
        page = await self._store.read(
            lambda conn: one_page(wanted, begin, _objects(conn, bucket.id))
        )
        answer = _answer(bucket, params, page)
        owner = bool(params.get("FetchOwner"))
        answer["Contents"] = [_shown(each, owner=owner) for each in page.entries]
        answer["KeyCount"] = len(page.entries) + len(page.prefixes)
        if token is not None:
            answer["ContinuationToken"] = token
        if start_after:
            answer["StartAfter"] = start_after
        if page.last is not None:
            answer["NextContinuationToken"] = tokens.token(_name(page.last))
        return _encoded(answer, params)

    async def list_object_versions(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """A page of versions and delete markers: by key, the newest first."""
        bucket, wanted = bucket_of(self._directory, params), _wanted(params)
        key, version_id = params.get("KeyMarker") or "", params.get("VersionIdMarker") or ""
        if version_id and not key:
            raise invalid_argument(
                "A version-id marker cannot be specified without a key marker.",
                "version-id-marker",
                version_id,
            )

        def read(conn: Connection) -> Page:
            begin = cursor_behind(key, wanted)
            if version_id and key >= wanted.prefix:
                found = rows.try_version(conn, bucket.id, key, version_id)
                # One that was deleted since the page before: its key is listed once more.
                begin = Cursor(key, None if found is None else found.id)
            return one_page(wanted, begin, _versions(conn, bucket.id))

        page = await self._store.read(read)
        answer = _answer(bucket, params, page)
        answer |= {"KeyMarker": key, "VersionIdMarker": version_id}
        answer["Versions"] = [_version(each) for each in page.entries if not each.is_delete_marker]
        answer["DeleteMarkers"] = [_marker(each) for each in page.entries if each.is_delete_marker]
        if page.last is not None:
            answer["NextKeyMarker"] = _name(page.last)
            if isinstance(page.last, ObjectVersion):
                answer["NextVersionIdMarker"] = page.last.version_id
        return _encoded(answer, params)


Reader = Callable[[Cursor, str, int], Sequence[ObjectVersion]]


def _objects(conn: Connection, bucket_id: int) -> Reader:
    def fetch(cursor: Cursor, stop: str, limit: int) -> list[ObjectVersion]:
        return _read(conn, Q.objects_from, bucket_id, cursor, stop, limit)

    return fetch


def _versions(conn: Connection, bucket_id: int) -> Reader:
    def fetch(cursor: Cursor, stop: str, limit: int) -> list[ObjectVersion]:
        found: list[ObjectVersion] = []
        if cursor.below:
            named = {"bucket_id": bucket_id, "start": cursor.start, "below": cursor.below}
            found = list(
                map(rows.version_from, conn.all(Q.versions_of_key, named | {"limit": limit}))
            )
        if len(found) < limit:
            left = limit - len(found)
            found += _read(conn, Q.versions_from, bucket_id, cursor, stop, left)
        return found

    return fetch


def every_version(
    conn: Connection, bucket_id: int, prefix: str, after: Cursor, limit: int
) -> list[ObjectVersion]:
    """Versions and markers in order, from a place on: for those who look at all of them."""
    return list(_versions(conn, bucket_id)(after, successor(prefix), limit))


def _read(
    conn: Connection, statement: str, bucket_id: int, cursor: Cursor, stop: str, limit: int
) -> list[ObjectVersion]:
    found = conn.all(
        statement,
        {
            "bucket_id": bucket_id,
            "start": cursor.start,
            "stop": stop,
            # No key is empty.
            "but": "" if cursor.below is None else cursor.start,
            "limit": limit,
        },
    )
    return list(map(rows.version_from, found))


def _wanted(params: Params) -> Wanted:
    limit = params.get("MaxKeys")
    if limit is not None and limit < 0:
        raise invalid_argument(
            "Argument maxKeys must be an integer between 0 and 2147483647", "maxKeys", str(limit)
        )
    encoding = params.get("EncodingType")
    if encoding not in (None, "url"):
        raise invalid_argument(
            "Invalid Encoding Method specified in Request", "encoding-type", encoding[:100]
        )
    return Wanted(
        params.get("Prefix") or "",
        params.get("Delimiter") or "",
        PAGE_MAX if limit is None else min(limit, PAGE_MAX),
    )


def _answer(bucket: Bucket, params: Params, page: Page) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "Name": bucket.name,
        "Prefix": params.get("Prefix") or "",
        "MaxKeys": PAGE_MAX if params.get("MaxKeys") is None else params["MaxKeys"],
        "IsTruncated": page.last is not None,
        "CommonPrefixes": [{"Prefix": prefix} for prefix in page.prefixes],
    }
    if params.get("Delimiter"):
        answer["Delimiter"] = params["Delimiter"]
    return answer


def _name(last: ObjectVersion | str) -> str:
    return last if isinstance(last, str) else last.key


def _shown(version: ObjectVersion, *, owner: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Key": version.key,
        "LastModified": utc(version.modified_at_s),
        "ETag": f'"{version.etag}"',
        "Size": version.size,
        "StorageClass": version.storage_class,
    }
    checksums = version.description.checksums
    if checksums:
        shown["ChecksumAlgorithm"] = [name.removeprefix("Checksum") for name in checksums]
        shown["ChecksumType"] = version.description.checksum_type or "FULL_OBJECT"
    if owner:
        shown["Owner"] = {"ID": canonical_id(version.owner)}
    return shown


def _version(version: ObjectVersion) -> dict[str, Any]:
    named = {"VersionId": version.version_id, "IsLatest": version.is_latest}
    return _shown(version, owner=True) | named


def _marker(version: ObjectVersion) -> dict[str, Any]:
    return {
        "Key": version.key,
        "VersionId": version.version_id,
        "IsLatest": version.is_latest,
        "LastModified": utc(version.modified_at_s),
        "Owner": {"ID": canonical_id(version.owner)},
    }


def _encoded(answer: dict[str, Any], params: Params) -> dict[str, Any]:
    """With names in URL encoding, if the request wants them so: not every key is fit for XML."""
    if params.get("EncodingType") != "url":
        return answer
    for name in _ENCODED:
        if name in answer:
            answer[name] = encoded(answer[name])
    for group in answer["CommonPrefixes"]:
        group["Prefix"] = encoded(group["Prefix"])
    for member in ("Contents", "Versions", "DeleteMarkers"):
        for entry in answer.get(member, ()):
            entry["Key"] = encoded(entry["Key"])
    return answer | {"EncodingType": "url"}


def encoded(text: str) -> str:
    """A key as lists and notifications spell it. Source: public recordings: + is a space."""
    return quote_plus(text, safe="/*-._")
