"""PutObject and CopyObject: one new version, as one unit of work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from alonzo.model.context import RequestContext
from alonzo.services.s3 import facts
from alonzo.services.s3.buckets.settings import ENCRYPTION
from alonzo.services.s3.changes import Cause
from alonzo.services.s3.errors import invalid_argument, invalid_request
from alonzo.services.s3.objects import checksums, encryption, rows
from alonzo.services.s3.objects.changing import add_version, need_bucket
from alonzo.services.s3.objects.conditions import check_source, check_write
from alonzo.services.s3.objects.core import Core, Params, need_version, shown_version
from alonzo.services.s3.objects.encryption import SOURCE
from alonzo.services.s3.objects.intake import Taken, known_algorithm, taking
from alonzo.services.s3.objects.intent import (
    check_declined,
    check_key,
    check_owner,
    headers_of,
    metadata_of,
    storage_class_of,
    tags_of_header,
)
from alonzo.services.s3.objects.reading import ReadOperations
from alonzo.services.s3.objects.rows import Content
from alonzo.services.s3.objects.sealing import ObjectKey
from alonzo.services.s3.records import Bucket, Description, ObjectVersion, Piece
from alonzo.store.base import Connection
from alonzo.store.blobs import BlobMissingError

#: The largest object that CopyObject copies. Source: S3 User Guide, copying objects.
COPY_BYTES_MAX = 5 * 1024**3

_REPLACE, _COPY = "REPLACE", "COPY"


@dataclass(frozen=True, slots=True)
class New:
    """A version that is to be: all but its bytes and ids."""

    bucket: Bucket
    key: str
    description: Description
    tags: Mapping[str, str]
    storage_class: str

    def version(self, size: int, etag: str, now_s: float) -> ObjectVersion:
        """The version, as far as it is known before it is stored."""
        return ObjectVersion(
            id=0,
            bucket_id=self.bucket.id,
            key=self.key,
            version_id="",
            is_latest=True,
            is_delete_marker=False,
            size=size,
            etag=etag,
            modified_at_s=now_s,
            owner=self.bucket.account,
            storage_class=self.storage_class,
            description=self.description,
            tags=self.tags,
        )


class WriteOperations:
    """The operations that make a version from one body or from another object."""

    def __init__(self, core: Core, reads: ReadOperations) -> None:
        self._core = core
        self._reads = reads

    async def put_object(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """A new version of an object, from a body of any length."""
        bucket, key = self._core.place_of(params)
        check_declined(params, bucket)
        description = Description(headers_of(params), metadata_of(params))
        new = New(bucket, key, description, tags_of_header(params), storage_class_of(params))
        if params.get("IfNoneMatch") or params.get("IfMatch"):
            # Before the body too: a client that would lose need not send it.
            latest = await self._core.store.read(lambda db: rows.try_latest(db, bucket.id, key))
            check_write(params, key, latest)
        at_rest, sealer = await self._core.keys.for_new(context, bucket, key, params, "PutObject")
        new = replace(new, description=replace(description, at_rest=at_rest))
        async with taking(self._core.vault, params.get("Body"), params, key=sealer) as taken:
            event = f"ObjectCreated:{'Post' if facts.is_form(context) else 'Put'}"
            version = await self.store_taken(
                new, taken, event, self._core.cause_of(context), params
            )
        self._core.vault.nudge()
        return {
            **_answer(bucket, version, params),
            **self._core.expirations.shown(bucket, version),
            **version.description.checksums,
            **_type_of(version.description),
        }

    async def store_taken(
        self, new: New, taken: Taken, event: str, cause: Cause, conditions: Params
    ) -> ObjectVersion:
        """Make what was taken in a version. To be called while its blob is held."""
        core = self._core
        if taken.algorithm:
            new = replace(new, description=_summed(new.description, taken))
        sealed = None if taken.inline is None else core.vault.seal(taken.inline)
        pieces = () if sealed is not None else (_piece_of(taken, cause.at_s),)

        def put(db: Connection) -> ObjectVersion:
            bucket = need_bucket(db, new.bucket)
            if conditions.get("IfNoneMatch") or conditions.get("IfMatch"):
                check_write(conditions, new.key, rows.try_latest(db, bucket.id, new.key))
            version = new.version(taken.size, taken.etag, cause.at_s)
            added = add_version(db, bucket, version, sealed, pieces, core.new_version_id)
            core.changes.note(db, bucket, event, added, cause)
            return added

        return await core.store.tx(put)

    async def copy_object(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """A new version with the bytes of another.

        They are read if they are to be sealed with another key, or summed anew.
        """
        core = self._core
        bucket, key = core.place_of(params)
        check_declined(params, bucket)
        source = self.source_of(params)
        if (source.bucket.id, source.key) == (bucket.id, key) and not _changes(params, source):
            raise invalid_request(
                "This copy request is illegal because it is trying to copy an object to itself "
                "without changing the object's metadata, storage class, website redirect location "
                "or encryption attributes."
            )
        old, content = await core.store.read(lambda db: find_source(db, source, params))
        if old.size > COPY_BYTES_MAX:
            raise invalid_request(
                "The specified copy source is larger than the maximum allowable size for a copy "
                f"source: {COPY_BYTES_MAX}"
            )
        opener = await core.keys.for_reading(context, source.bucket, old, params, SOURCE)
        at_rest, sealer = await core.keys.for_new(context, bucket, key, params, "CopyObject")
        description = replace(_copied(params, old), at_rest=at_rest)
        new = New(bucket, key, description, _copied_tags(params, old), storage_class_of(params))
        cause = core.cause_of(context)
        named = params.get("ChecksumAlgorithm")
        is_plain = opener is None and sealer is None
        if is_plain and (content.inline is not None or not (named or old.description.parts)):
            version = await self._copy_as_it_is(new, old, content, cause, params)
        else:
            body = Copied(self._reads, content, 0, old.size, opener)
            summed = [name.removeprefix("Checksum") for name in old.description.checksums]
            algorithm = known_algorithm(named) if named else "".join(summed)
            wanted = {"ChecksumAlgorithm": algorithm} if algorithm else {}
            async with taking(core.vault, body, wanted, key=sealer) as taken:
                version = await self.store_taken(new, taken, "ObjectCreated:Copy", cause, params)
        core.vault.nudge()
        answer = _answer(bucket, version, params)
        result = {"ETag": answer.pop("ETag"), "LastModified": version.modified_at_s}
        result |= {**version.description.checksums, **_type_of(version.description)}
        return {
            **answer,
            **core.expirations.shown(bucket, version),
            "CopyObjectResult": result,
            **{
                f"CopySource{name}": text
                for name, text in shown_version(source.bucket, old).items()
            },
        }

    async def _copy_as_it_is(
        self, new: New, old: ObjectVersion, content: Content, cause: Cause, params: Params
    ) -> ObjectVersion:
        """Copy without reading: the blob gets one use more, the sealed bytes are taken over."""
        core, named = self._core, params.get("ChecksumAlgorithm")
        sums, kind = dict(old.description.checksums), old.description.checksum_type
        if named and content.inline is not None:
            running = checksums.ALGORITHMS[known_algorithm(named)]()
            running.update(core.vault.unseal(content.inline))
            sums = {f"Checksum{known_algorithm(named)}": checksums.encoded(running.digest())}
            kind = checksums.FULL_OBJECT
        new = replace(new, description=replace(new.description, checksums=sums, checksum_type=kind))
        pieces = tuple(replace(piece, modified_at_s=cause.at_s) for piece in content.pieces)

        def copy(db: Connection) -> ObjectVersion:
            bucket = need_bucket(db, new.bucket)
            if params.get("IfNoneMatch") or params.get("IfMatch"):
                check_write(params, new.key, rows.try_latest(db, bucket.id, new.key))
            version = new.version(old.size, old.etag, cause.at_s)
            added = add_version(db, bucket, version, content.inline, pieces, core.new_version_id)
            core.changes.note(db, bucket, "ObjectCreated:Copy", added, cause)
            return added

        async with core.vault.holding(*(piece.sha256 for piece in pieces)):
            await _still_there(core, pieces)
            return await core.store.tx(copy)

    def source_of(self, params: Params) -> Source:
        """The source of a copy.

        Raises:
            AwsError: InvalidArgument, NoSuchBucket, AccessDenied.
        """
        name, key, version_id = read_source(params["CopySource"])
        bucket = self._core.directory.find_nowait(name)
        check_owner(params, bucket, "ExpectedSourceBucketOwner")
        check_key(key)
        return Source(bucket, key, version_id)


@dataclass(frozen=True, slots=True)
class Source:
    """What is copied."""

    bucket: Bucket
    key: str
    version_id: str | None


class Copied:
    """Bytes of a version as a body that arrives."""

    trailer_names = ()
    trailers: Mapping[str, str] = {}

    def __init__(
        self,
        reads: ReadOperations,
        content: Content,
        start: int,
        length: int,
        key: ObjectKey | None,
    ) -> None:
        self.length = length
        self._stream = reads.stream(content, start, length, key)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                yield piece
        except BlobMissingError:
            raise invalid_request("The source of the copy was deleted meanwhile.") from None


def read_source(text: str) -> tuple[str, str, str | None]:
    """Bucket, key and version of an ``x-amz-copy-source``.

    Raises:
        AwsError: InvalidArgument.
    """
    path, _, version = text.partition("?versionId=")
    bucket, slash, key = unquote(path).removeprefix("/").partition("/")
    if not (bucket and slash and key):
        raise invalid_argument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            "x-amz-copy-source",
            text[:1024],
        )
    return bucket, key, version or None


def find_source(db: Connection, source: Source, params: Params) -> tuple[ObjectVersion, Content]:
    """What is to be copied, if its conditions hold.

    Raises:
        AwsError: NoSuchKey, NoSuchVersion, PreconditionFailed, InvalidRequest.
    """
    old = need_version(db, source.bucket, source.key, source.version_id, "PUT")
    check_source(params, old)
    return old, rows.content_of(db, old)


async def _still_there(core: Core, pieces: tuple[Piece, ...]) -> None:
    """The blobs are held by now; one that went before that was of a source that is gone."""
    digests = [piece.sha256 for piece in pieces]
    if await core.store.read(lambda db: rows.unused_of(db, digests)):
        raise invalid_request("The source of the copy was deleted meanwhile.")


def _changes(params: Params, source: Source) -> bool:
    return (
        params.get("MetadataDirective") == _REPLACE
        or source.version_id is not None
        or any(
            params.get(name)
            for name in (
                "StorageClass",
                "WebsiteRedirectLocation",
                "ServerSideEncryption",
                "SSECustomerAlgorithm",
            )
        )
        # Source: public recordings of S3; a bucket that was never configured does not count.
        or ENCRYPTION in source.bucket.documents
    )


def _copied(params: Params, old: ObjectVersion) -> Description:
    directive = params.get("MetadataDirective") or _COPY
    if directive not in (_COPY, _REPLACE):
        raise invalid_argument(
            "Unknown metadata directive.", "x-amz-metadata-directive", directive[:100]
        )
    if directive == _REPLACE:
        return Description(headers_of(params), metadata_of(params))
    headers = dict(old.description.headers)
    headers.pop("WebsiteRedirectLocation", None)
    if params.get("WebsiteRedirectLocation"):
        headers["WebsiteRedirectLocation"] = params["WebsiteRedirectLocation"]
    return Description(headers, old.description.metadata)


def _copied_tags(params: Params, old: ObjectVersion) -> Mapping[str, str]:
    directive = params.get("TaggingDirective") or _COPY
    if directive not in (_COPY, _REPLACE):
        raise invalid_argument(
            "Unknown tagging directive.", "x-amz-tagging-directive", directive[:100]
        )
    return tags_of_header(params) if directive == _REPLACE else old.tags


def _summed(description: Description, taken: Taken) -> Description:
    sums = {f"Checksum{taken.algorithm}": taken.checksum}
    return replace(description, checksums=sums, checksum_type=checksums.FULL_OBJECT)


def _piece_of(taken: Taken, now_s: float) -> Piece:
    return Piece(1, taken.size, taken.sha256, taken.etag, "", now_s)


def _type_of(description: Description) -> dict[str, str]:
    return {"ChecksumType": description.checksum_type} if description.checksum_type else {}


def _answer(bucket: Bucket, version: ObjectVersion, params: Params) -> dict[str, Any]:
    return {
        "ETag": f'"{version.etag}"',
        **encryption.shown_to_writer(version.description.at_rest, params),
        **shown_version(bucket, version),
    }
