"""GetObject, HeadObject, GetObjectAttributes, and the bytes of a version for whoever needs them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from email.utils import formatdate
from typing import Any

from alonzo.model.context import ANONYMOUS, RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.s3 import facts
from alonzo.services.s3.errors import invalid_argument, invalid_request, no_key
from alonzo.services.s3.objects import encryption, rows, sealed_streams
from alonzo.services.s3.objects.conditions import check_read
from alonzo.services.s3.objects.core import (
    Core,
    Params,
    need_version,
    shown_version,
    version_id_of,
)
from alonzo.services.s3.objects.intent import HEADERS
from alonzo.services.s3.objects.ranges import content_range, is_still, read_range
from alonzo.services.s3.objects.rows import Content
from alonzo.services.s3.objects.sealing import ObjectKey
from alonzo.services.s3.records import Bucket, ObjectVersion, Piece
from alonzo.store.base import Connection
from alonzo.store.blobs import BlobMissingError

#: Parts of an answer. Source: S3 API, GetObjectAttributes.
PARTS_MAX = 1000

#: How often an object may be replaced between finding it and opening it.
_TRIES = 5

_OVERRIDES = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
    "ResponseExpires": "Expires",
}


class ReadOperations:
    """The operations that change nothing."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def get_object(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """An object or a part of it; its bytes follow while they are read."""
        _check_overrides(context, params)
        for _ in range(_TRIES):
            bucket, version, content = await self._find(params, "GET")
            # First: who has not the customer's key learns nothing from a condition or a range.
            self._core.keys.check_reading(context, version, params)
            within = _in_range(context, version, params)
            members, start, length = _described(bucket, version, content, within)
            members |= self._core.expirations.shown(bucket, version)
            key = await self._core.keys.for_reading(context, bucket, version, params)
            try:
                members["Body"] = (
                    b"" if not length else await _begun(self.stream(content, start, length, key))
                )
            except BlobMissingError:
                # Deleted, or replaced, between the two steps.
                continue
            return members
        raise no_key(params["Key"])

    async def head_object(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """What GetObject would say, without the bytes."""
        _check_overrides(context, params)
        bucket, version, content = await self._find(params, "HEAD")
        sums = params.get("ChecksumMode") == "ENABLED" and _has_sums(version, content)
        await self._check_key(context, bucket, version, params, sums=sums)
        within = _in_range(context, version, params)
        members, _, _ = _described(bucket, version, content, within)
        return {**members, **self._core.expirations.shown(bucket, version)}

    async def get_object_attributes(
        self, context: RequestContext, params: Params
    ) -> dict[str, Any]:
        """What is known of an object beside its headers and its bytes."""
        bucket, version, content = await self._find(params, "GET")
        wanted = params["ObjectAttributes"]
        sums = ("Checksum" in wanted or "ObjectParts" in wanted) and _has_sums(version, content)
        await self._check_key(context, bucket, version, params, sums=sums)
        members: dict[str, Any] = {"LastModified": version.modified_at_s}
        members |= shown_version(bucket, version)
        description = version.description
        if "ETag" in wanted:
            members["ETag"] = version.etag
        if "ObjectSize" in wanted:
            members["ObjectSize"] = version.size
        if "StorageClass" in wanted:
            members["StorageClass"] = version.storage_class
        if "Checksum" in wanted and description.checksums:
            sums = {name: text.partition("-")[0] for name, text in description.checksums.items()}
            members["Checksum"] = {**sums, "ChecksumType": description.checksum_type}
        if "ObjectParts" in wanted and description.parts:
            members["ObjectParts"] = _attributes_of_parts(params, description.parts, content.pieces)
        return members

    async def read(
        self, context: RequestContext, bucket: Bucket, key: str, version_id: str | None
    ) -> tuple[ObjectVersion, AsyncGenerator[bytes]]:
        """A version and its bytes, for another part of the platform that asks for somebody.

        Raises:
            AwsError: NoSuchKey, NoSuchVersion, MethodNotAllowed, or its key is not to be had.
        """
        version, content = await self._core.store.read(
            lambda db: _with_content(db, need_version(db, bucket, key, version_id, "GET"))
        )
        opener = await self._core.keys.for_reading(context, bucket, version, {})
        return version, self.stream(content, 0, version.size, opener)

    async def stream(
        self, content: Content, start: int, length: int, key: ObjectKey | None
    ) -> AsyncGenerator[bytes]:
        """Some bytes of a version. Its blobs are held meanwhile, so a delete does not cut them.

        ``key`` is what the bytes are sealed with, if they are.

        Raises:
            BlobMissingError: it was deleted before, and replaced perhaps.
        """
        vault = self._core.vault
        if content.inline is not None:
            plain = sealed_streams.opened(vault.unseal(content.inline), key)
            yield plain[start : start + length]
            return
        spans = spans_of(content.pieces, start, length)
        # Of what is sealed no two pieces are alike.
        pieces = {piece.sha256: piece for piece in content.pieces}
        async with vault.reading(*(sha256 for sha256, _, _ in spans)):
            # One blob that is missing shows at once; of several, the later ones only when the
            # first are on their way. What is there now that they are held stays.
            if len(spans) > 1 and not await self._is_as_found(content):
                raise BlobMissingError("the version was deleted, or has another key")
            for sha256, first, n_bytes in spans:
                parts = (
                    vault.blobs.open_range(sha256, first, n_bytes)
                    if key is None
                    else sealed_streams.open_range(
                        vault.blobs,
                        sha256,
                        pieces[sha256].size,
                        first,
                        n_bytes,
                        key.of_part(pieces[sha256].number),
                    )
                )
                async for part in parts:
                    yield part

    async def _is_as_found(self, content: Content) -> bool:
        """Whether the version has its pieces still: all of them go together."""
        last = content.pieces[-1]
        return await self._core.store.read(lambda db: rows.has_piece(db, content.owner_id, last))

    async def _check_key(
        self,
        context: RequestContext,
        bucket: Bucket,
        version: ObjectVersion,
        params: Params,
        *,
        sums: bool,
    ) -> None:
        """Who may not open an object may not see its checksums, and with SSE-C nothing of it.

        Source: S3 API reference, HeadObject, ChecksumMode.
        """
        if sums:
            await self._core.keys.for_reading(context, bucket, version, params)
        else:
            self._core.keys.check_reading(context, version, params)

    async def _find(self, params: Params, method: str) -> tuple[Bucket, ObjectVersion, Content]:
        bucket, key = self._core.place_of(params)
        version_id = version_id_of(params)

        def find(db: Connection) -> tuple[ObjectVersion, Content]:
            version = need_version(db, bucket, key, version_id, method)
            if method == "HEAD" and params.get("PartNumber") is None:
                # Up to ten thousand pieces that nothing would be said of.
                return version, Content(version.id, None)
            return _with_content(db, version)

        version, content = await self._core.store.read(find)
        return bucket, version, content


def _has_sums(version: ObjectVersion, content: Content) -> bool:
    """Whether an answer might show a checksum: of the whole, or of a part."""
    return bool(version.description.checksums) or any(each.checksum for each in content.pieces)


def _check_overrides(context: RequestContext, params: Params) -> None:
    """Who signs nothing gets the headers that were stored: a link must not say how to show them.

    Raises:
        AwsError: InvalidRequest.
    """
    if context.principal == ANONYMOUS and any(params.get(name) is not None for name in _OVERRIDES):
        raise invalid_request(
            "Request specific response headers cannot be used for anonymous GET requests."
        )


async def _begun(stream: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same stream, begun: what cannot be read at all is an error, not half an answer."""
    return _chained(await anext(stream), stream)


async def _chained(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    try:
        yield first
        async for piece in rest:
            yield piece
    finally:
        await rest.aclose()


def spans_of(pieces: Sequence[Piece], start: int, length: int) -> list[tuple[str, int, int]]:
    """Which bytes of which blobs: digest, first, count."""
    spans: list[tuple[str, int, int]] = []
    for piece in pieces:
        n_bytes = min(length, piece.size - start)
        if n_bytes > 0:
            spans.append((piece.sha256, start, n_bytes))
            length -= n_bytes
        start = max(0, start - piece.size)
    return spans


def _with_content(db: Connection, version: ObjectVersion) -> tuple[ObjectVersion, Content]:
    return version, rows.content_of(db, version)


def _in_range(context: RequestContext, version: ObjectVersion, params: Params) -> Params:
    """The parameters, but for a range that was meant of something else."""
    condition = facts.if_range(context)
    if condition is None or is_still(condition, f'"{version.etag}"', version.modified_at_s):
        return params
    return {name: value for name, value in params.items() if name != "Range"}


def _described(
    bucket: Bucket, version: ObjectVersion, content: Content, params: Params
) -> tuple[dict[str, Any], int, int]:
    """The members of an answer, and which bytes it is about.

    Raises:
        AwsError: a condition does not hold, or there is no such range or part.
    """
    etag = f'"{version.etag}"'
    check_read(
        params,
        version,
        {"ETag": etag, "Last-Modified": formatdate(version.modified_at_s, usegmt=True)},
    )
    description = version.description
    members: dict[str, Any] = {
        **description.headers,
        **encryption.shown(description.at_rest, params),
        **shown_version(bucket, version),
        "AcceptRanges": "bytes",
        "ETag": etag,
        "LastModified": version.modified_at_s,
        "ContentLength": version.size,
        "Metadata": dict(description.metadata),
    }
    if version.storage_class != "STANDARD":
        members["StorageClass"] = version.storage_class
    if version.tags:
        members["TagCount"] = len(version.tags)
    for name, member in _OVERRIDES.items():
        if params.get(name) is not None:
            members[member] = params[name]
    start, length = 0, version.size
    asked = _asked_for(params, version, content)
    if asked is not None:
        start, length = asked
        members["ContentRange"] = content_range(start, length, version.size)
        members["ContentLength"] = length
    if params.get("PartNumber") is not None and description.parts:
        members["PartsCount"] = description.parts
    if params.get("ChecksumMode") == "ENABLED":
        members |= _checksums(version, content, params, whole=length == version.size)
    assert set(HEADERS) >= set(description.headers), "headers of the system alone"
    return members, start, length


def _asked_for(params: Params, version: ObjectVersion, content: Content) -> tuple[int, int] | None:
    number: int | None = params.get("PartNumber")
    text = params.get("Range")
    if number is None:
        return None if text is None else read_range(text, version.size)
    if text is not None:
        raise invalid_request("Cannot specify both Range header and partNumber query parameter")
    pieces: Sequence[Piece] = content.pieces if version.description.parts else ()
    if not 1 <= number <= 10_000:
        raise invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive",
            "partNumber",
            str(number),
        )
    if not pieces:
        if number != 1:
            raise _no_part(number, 1)
        return (0, version.size) if version.size else None
    if number > len(pieces):
        raise _no_part(number, len(pieces))
    start = sum(piece.size for piece in pieces[: number - 1])
    return start, pieces[number - 1].size


def _no_part(number: int, count: int) -> AwsError:
    return AwsError(
        "InvalidPartNumber",
        "The requested partnumber is not satisfiable",
        status=416,
        members={"PartNumberRequested": str(number), "ActualPartCount": str(count)},
    )


def _checksums(
    version: ObjectVersion, content: Content, params: Params, *, whole: bool
) -> dict[str, str]:
    """Those of the whole object, or of the one part that is asked for; of a range there is none."""
    description = version.description
    number: int | None = params.get("PartNumber")
    if number is not None and description.parts:
        algorithm, _, text = content.pieces[number - 1].checksum.partition("=")
        return {f"Checksum{algorithm}": text, "ChecksumType": "COMPOSITE"} if algorithm else {}
    if not whole or not description.checksums:
        return {}
    return {**description.checksums, "ChecksumType": description.checksum_type}


def _attributes_of_parts(params: Params, count: int, pieces: Sequence[Piece]) -> dict[str, Any]:
    after = max(0, int(params.get("PartNumberMarker") or 0))
    limit = int(params.get("MaxParts") or PARTS_MAX)
    if limit < 0:
        raise invalid_argument(
            "Argument max-parts must be an integer between 0 and 2147483647",
            "max-parts",
            str(limit),
        )
    limit = min(limit, PARTS_MAX)
    rest = [piece for piece in pieces if piece.number > after]
    page = rest[:limit]
    members: dict[str, Any] = {
        "TotalPartsCount": count,
        "PartNumberMarker": str(after),
        "MaxParts": limit,
        "IsTruncated": len(rest) > len(page),
        "NextPartNumberMarker": str(page[-1].number if page else 0),
    }
    if any(piece.checksum for piece in page):
        members["Parts"] = [
            {"PartNumber": piece.number, "Size": piece.size, **checksum_member(piece)}
            for piece in page
        ]
    return members


def checksum_member(piece: Piece) -> Mapping[str, str]:
    """The checksum of a part as a member of the API."""
    algorithm, _, text = piece.checksum.partition("=")
    return {f"Checksum{algorithm}": text} if algorithm else {}
