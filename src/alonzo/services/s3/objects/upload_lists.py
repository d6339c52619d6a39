"""ListParts and ListMultipartUploads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from alonzo.model.context import RequestContext
from alonzo.services.s3.errors import invalid_argument
from alonzo.services.s3.objects import rows
from alonzo.services.s3.objects.core import Core, Params
from alonzo.services.s3.objects.multipart import MultipartOperations
from alonzo.services.s3.objects.reading import checksum_member
from alonzo.services.s3.records import Bucket, Upload
from alonzo.store.base import Connection

#: Entries of a page. Source: S3 API.
PAGE_MAX = 1000

#: Behind every upload of a key; ids are hex digits.
_LAST_ID = "\uffff"


class ListOperations:
    """What uploads there are, and what parts they have."""

    def __init__(self, core: Core, multipart: MultipartOperations) -> None:
        self._core = core
        self._multipart = multipart

    async def list_parts(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """The parts of an upload, by number."""
        upload = await self._multipart.find(params)
        after, limit = int(params.get("PartNumberMarker") or 0), _limit(params, "MaxParts")
        found = await self._core.store.read(
            lambda db: rows.pieces_after(db, upload.id, after, limit + 1)
        )
        page = found[:limit]
        members: dict[str, Any] = {
            "Bucket": params["Bucket"],
            "Key": upload.key,
            "UploadId": upload.upload_id,
            "PartNumberMarker": after,
            "NextPartNumberMarker": page[-1].number if page else 0,
            "MaxParts": limit,
            "IsTruncated": len(found) > limit,
            "Parts": [
                {
                    "PartNumber": piece.number,
                    "LastModified": piece.modified_at_s,
                    "ETag": f'"{piece.etag}"',
                    "Size": piece.size,
                    **checksum_member(piece),
                }
                for piece in page
            ],
            **_people(upload),
            "StorageClass": upload.storage_class,
        }
        if upload.algorithm:
            members["ChecksumAlgorithm"] = upload.algorithm
            members["ChecksumType"] = upload.checksum_type
        return members

    async def list_multipart_uploads(
        self, context: RequestContext, params: Params
    ) -> dict[str, Any]:
        """The uploads of a bucket that are under way, by key and id."""
        bucket, limit = self._core.bucket_of(params), _limit(params, "MaxUploads")
        encode = _encoder(params)
        uploads, prefixes, marker = await self._core.store.read(
            lambda db: _page(db, bucket, params, limit)
        )
        members: dict[str, Any] = {
            "Bucket": bucket.name,
            "KeyMarker": encode(params.get("KeyMarker") or ""),
            "UploadIdMarker": params.get("UploadIdMarker") or "",
            "MaxUploads": limit,
            "IsTruncated": marker is not None,
            "Uploads": [_entry(upload, encode(upload.key)) for upload in uploads],
            "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in prefixes],
        }
        for name in ("Prefix", "Delimiter"):
            if params.get(name):
                members[name] = encode(params[name])
        if params.get("EncodingType"):
            members["EncodingType"] = params["EncodingType"]
        if marker is not None:
            members["NextKeyMarker"] = encode(marker[0])
            members["NextUploadIdMarker"] = marker[1]
        return members


def _page(
    db: Connection, bucket: Bucket, params: Params, limit: int
) -> tuple[list[Upload], list[str], tuple[str, str] | None]:
    """Uploads, common prefixes, and, if there is more, where the next page begins."""
    prefix, delimiter = params.get("Prefix") or "", params.get("Delimiter") or ""
    key = params.get("KeyMarker") or ""
    upload_id = (params.get("UploadIdMarker") or _LAST_ID) if key else ""
    if key < prefix:
        key, upload_id = prefix, ""
    uploads: list[Upload] = []
    prefixes: list[str] = []
    last: tuple[str, str] | None = None
    while True:
        found = rows.uploads_after(db, bucket.id, key, upload_id, PAGE_MAX)
        for upload in found:
            key, upload_id = upload.key, upload.upload_id
            if not key.startswith(prefix):
                return uploads, prefixes, None
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            common = key[: end + len(delimiter)] if end >= 0 else ""
            if common and (common in prefixes[-1:] or _is_behind(params, common)):
                continue
            if len(uploads) + len(prefixes) >= limit:
                return uploads, prefixes, last
            if common:
                prefixes.append(common)
                last = common, ""
            else:
                uploads.append(upload)
                last = key, upload_id
        if len(found) < PAGE_MAX:
            return uploads, prefixes, None


def _is_behind(params: Params, common: str) -> bool:
    """Whether a common prefix was on an earlier page."""
    return (params.get("KeyMarker") or "").startswith(common)


def _limit(params: Params, name: str) -> int:
    limit = params.get(name)
    if limit is None:
        return PAGE_MAX
    if limit < 0:
        raise invalid_argument(
            f"Argument {name} must be an integer between 0 and 2147483647", name, str(limit)
        )
    return min(int(limit), PAGE_MAX)


def _encoder(params: Params) -> Callable[[str], str]:
    return _in_url if params.get("EncodingType") == "url" else str


def _in_url(text: str) -> str:
    return quote(text, safe="/")


def _people(upload: Upload) -> dict[str, Any]:
    name = upload.owner.rpartition("/")[2] or upload.owner
    return {
        "Initiator": {"ID": upload.owner, "DisplayName": name},
        "Owner": {"ID": upload.owner.split(":")[4] if ":" in upload.owner else upload.owner},
    }


def _entry(upload: Upload, key: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "UploadId": upload.upload_id,
        "Key": key,
        "Initiated": upload.started_at_s,
        "StorageClass": upload.storage_class,
        **_people(upload),
    }
    if upload.algorithm:
        entry["ChecksumAlgorithm"] = upload.algorithm
        entry["ChecksumType"] = upload.checksum_type
    return entry
