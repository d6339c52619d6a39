"""Uploads in parts: begun, filled part by part in any order, and completed or aborted.

Parts are blobs from the moment that they are here; to complete an upload moves no bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.s3 import bucket_rows
from alonzo.services.s3.access import begun_keys, written_keys
from alonzo.services.s3.changes import Cause
from alonzo.services.s3.errors import (
    bad_digest,
    invalid_argument,
    invalid_request,
    no_upload,
    s3_error,
)
from alonzo.services.s3.objects import checksums, encryption, rows
from alonzo.services.s3.objects.changing import abort_upload, add_version, need_bucket
from alonzo.services.s3.objects.conditions import check_write
from alonzo.services.s3.objects.core import Core, Params, shown_version
from alonzo.services.s3.objects.encryption import SOURCE
from alonzo.services.s3.objects.intake import Taken, given_checksum, known_algorithm, taking
from alonzo.services.s3.objects.intent import (
    check_declined,
    headers_of,
    metadata_of,
    storage_class_of,
    tags_of_header,
)
from alonzo.services.s3.objects.ranges import read_copy_range
from alonzo.services.s3.objects.reading import ReadOperations, checksum_member
from alonzo.services.s3.objects.writing import Copied, New, WriteOperations, find_source
from alonzo.services.s3.records import Bucket, Description, ObjectVersion, Piece, Upload
from alonzo.store.base import Connection

#: Source: S3 User Guide, multipart upload limits. The last part may be smaller.
PART_BYTES_MIN = 5 * 1024**2
PARTS_MAX = 10_000

#: How often parts may be replaced while an upload is completed.
_TRIES = 3


class MultipartOperations:
    """The operations on uploads in parts, but for the lists."""

    def __init__(self, core: Core, reads: ReadOperations, writes: WriteOperations) -> None:
        self._core = core
        self._reads = reads
        self._writes = writes

    async def create_multipart_upload(
        self, context: RequestContext, params: Params
    ) -> dict[str, Any]:
        """Begin an upload."""
        core = self._core
        bucket, key = core.place_of(params)
        check_declined(params, bucket)
        algorithm = (
            known_algorithm(params["ChecksumAlgorithm"]) if params.get("ChecksumAlgorithm") else ""
        )
        description = Description(headers_of(params), metadata_of(params))
        at_rest, _ = await core.keys.for_new(context, bucket, key, params, "PutObject")
        upload = Upload(
            id=0,
            upload_id=core.ids.hex(32),
            bucket_id=bucket.id,
            key=key,
            started_at_s=core.clock.now_s(),
            owner=context.principal.arn,
            storage_class=storage_class_of(params),
            description=replace(description, at_rest=at_rest),
            tags=tags_of_header(params),
            algorithm=algorithm,
            checksum_type=_type_for(algorithm, params.get("ChecksumType")),
            asked=begun_keys(params),
        )

        def create(db: Connection) -> None:
            need_bucket(db, bucket)
            rows.insert_upload(db, replace(upload, id=bucket_rows.next_number(db)))

        await core.store.tx(create)
        shown = {"ChecksumAlgorithm": algorithm, "ChecksumType": upload.checksum_type}
        return {
            "Bucket": bucket.name,
            "Key": key,
            "UploadId": upload.upload_id,
            **encryption.shown_to_writer(at_rest, params),
            **{name: text for name, text in shown.items() if text},
        }

    async def upload_part(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """Take in a part, in place of an earlier one of its number."""
        core = self._core
        bucket, _ = core.place_of(params)
        upload = await self._find_to_write(context, params)
        number, summed = _part_number(params), _with_algorithm(params, upload)
        sealer = await core.keys.for_part(context, bucket, upload, number, params)
        async with taking(
            core.vault, params.get("Body"), summed, inline=False, key=sealer
        ) as taken:
            piece = await self._keep(upload, number, taken)
        core.vault.nudge()
        told = encryption.shown(upload.description.at_rest, params)
        return {"ETag": f'"{piece.etag}"', **told, **checksum_member(piece)}

    async def upload_part_copy(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """A part from bytes of another object."""
        core = self._core
        bucket, _ = core.place_of(params)
        upload = await self._find_to_write(context, params)
        number, source = _part_number(params), self._writes.source_of(params)
        old, content = await core.store.read(lambda db: find_source(db, source, params))
        start, length = 0, old.size
        if params.get("CopySourceRange"):
            start, length = read_copy_range(params["CopySourceRange"], old.size)
        opener = await core.keys.for_reading(context, source.bucket, old, params, SOURCE)
        sealer = await core.keys.for_part(context, bucket, upload, number, params)
        body = Copied(self._reads, content, start, length, opener)
        summed = _with_algorithm({}, upload)
        async with taking(core.vault, body, summed, inline=False, key=sealer) as taken:
            piece = await self._keep(upload, number, taken)
        core.vault.nudge()
        result = {"ETag": f'"{piece.etag}"', "LastModified": piece.modified_at_s}
        members: dict[str, Any] = {
            "CopyPartResult": {**result, **checksum_member(piece)},
            **encryption.shown(upload.description.at_rest, params),
        }
        shown = shown_version(source.bucket, old)
        if shown:
            members["CopySourceVersionId"] = shown["VersionId"]
        return members

    async def complete_multipart_upload(
        self, context: RequestContext, params: Params
    ) -> dict[str, Any]:
        """Make the parts that are listed an object, and forget the others."""
        core = self._core
        bucket, key = core.place_of(params)
        await self._find_to_write(context, params)
        document: Params = params.get("MultipartUpload") or {}
        listed: list[Params] = document.get("Parts") or []
        _check_list(listed)
        cause = core.cause_of(context)

        for _ in range(_TRIES):
            version = await self._try_complete(bucket, params, listed, cause)
            if version is not None:
                break
        else:
            raise s3_error(
                "OperationAborted",
                "A conflicting conditional operation is currently in progress against this "
                "resource. Please try again.",
                409,
            )
        core.vault.nudge()
        description = version.description
        return {
            "Location": f"{context.endpoint}/{bucket.name}/{key}",
            "Bucket": bucket.name,
            "Key": key,
            "ETag": f'"{version.etag}"',
            **encryption.shown(description.at_rest, {}),
            **shown_version(bucket, version),
            **core.expirations.shown(bucket, version),
            **description.checksums,
            **({"ChecksumType": description.checksum_type} if description.checksums else {}),
        }

    async def _try_complete(
        self, bucket: Bucket, params: Params, listed: Sequence[Params], cause: Cause
    ) -> ObjectVersion | None:
        """The new version; None: parts were replaced meanwhile."""
        core, key = self._core, params["Key"]

        def choose(db: Connection) -> tuple[Upload, list[Piece]]:
            upload = _need(db, bucket, params)
            return upload, _chosen(listed, rows.pieces_of(db, upload.id), upload)

        looked, seen = await core.store.read(choose)
        # The sum of ten thousand parts takes long, and would keep other commits waiting.
        version = await asyncio.to_thread(_whole, bucket, looked, seen, params, cause.at_s)

        def complete(db: Connection) -> ObjectVersion | None:
            now = need_bucket(db, bucket)
            upload = _need(db, bucket, params)
            check_write(params, key, rows.try_latest(db, now.id, key))
            there = rows.pieces_of(db, upload.id)
            if _chosen(listed, there, upload) != seen:
                return None
            added = add_version(db, now, version, None, (), core.new_version_id)
            kept = {piece.number for piece in seen}
            for piece in there:
                if piece.number not in kept:
                    rows.release_piece(db, upload.id, piece)
            rows.give_pieces(db, upload.id, added.id)
            rows.remove_upload(db, upload)
            core.changes.note(db, now, "ObjectCreated:CompleteMultipartUpload", added, cause)
            return added

        return await core.store.tx(complete)

    async def abort_multipart_upload(self, context: RequestContext, params: Params) -> None:
        """Forget an upload and its parts."""
        bucket, _ = self._core.place_of(params)
        await self._core.store.tx(lambda db: abort_upload(db, _need(db, bucket, params)))
        self._core.vault.nudge()

    async def find(self, params: Params) -> Upload:
        """The upload of a request.

        Raises:
            AwsError: NoSuchUpload, NoSuchBucket, AccessDenied.
        """
        bucket, _ = self._core.place_of(params)
        return await self._core.store.read(lambda db: _need(db, bucket, params))

    async def _find_to_write(self, context: RequestContext, params: Params) -> Upload:
        """The upload of a request, if its caller may write the object.

        Raises:
            AwsError: AccessDenied, and as ``find``.
        """
        bucket, key = self._core.place_of(params)
        upload = await self._core.store.read(lambda db: _try_find(db, bucket, params))
        keys = written_keys(params) if upload is None else {**upload.asked, **written_keys(params)}
        await self._core.permits.check_write(context, bucket, key, keys)
        if upload is None:
            raise _no_upload(params)
        return upload

    async def _keep(self, upload: Upload, number: int, taken: Taken) -> Piece:
        checksum = f"{taken.algorithm}={taken.checksum}" if taken.algorithm else ""
        piece = Piece(
            number, taken.size, taken.sha256, taken.etag, checksum, self._core.clock.now_s()
        )

        def keep(db: Connection) -> None:
            # It may be completed or aborted by now: then nobody would ever delete the part.
            if rows.try_upload(db, upload.upload_id) is None:
                raise no_upload(upload.upload_id)
            rows.save_piece(db, upload.id, piece)

        await self._core.store.tx(keep)
        return piece


def _need(db: Connection, bucket: Bucket, params: Params) -> Upload:
    upload = _try_find(db, bucket, params)
    if upload is None:
        raise _no_upload(params)
    return upload


def _try_find(db: Connection, bucket: Bucket, params: Params) -> Upload | None:
    upload = rows.try_upload(db, params.get("UploadId") or "")
    if upload is None or (upload.bucket_id, upload.key) != (bucket.id, params["Key"]):
        return None
    return upload


def _no_upload(params: Params) -> AwsError:
    return no_upload(str(params.get("UploadId") or "")[:1024])


def _part_number(params: Params) -> int:
    number = params["PartNumber"]
    if not 1 <= number <= PARTS_MAX:
        raise invalid_argument(
            f"Part number must be an integer between 1 and {PARTS_MAX}, inclusive",
            "partNumber",
            str(number),
        )
    return number


def _type_for(algorithm: str, named: str | None) -> str:
    """The type of the whole object's checksum.

    Raises:
        AwsError: InvalidRequest; the algorithm has no such type.
    """
    if not algorithm:
        if named:
            raise invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm "
                "header."
            )
        return ""
    kind = named or checksums.default_type(algorithm)
    refused = (kind == checksums.FULL_OBJECT and not checksums.can_be_combined(algorithm)) or (
        kind == checksums.COMPOSITE and algorithm == "CRC64NVME"
    )
    if refused or kind not in (checksums.FULL_OBJECT, checksums.COMPOSITE):
        raise invalid_request(
            f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum "
            "algorithm."
        )
    return kind


def _with_algorithm(params: Params, upload: Upload) -> Params:
    """Have the part summed as the upload wants it, whatever the client said.

    Raises:
        AwsError: InvalidRequest; the client sums it otherwise.
    """
    algorithm, _ = given_checksum(params)
    if upload.algorithm and algorithm and algorithm != upload.algorithm:
        raise invalid_request(
            f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm.lower()}, "
            f"actual checksum Type: {algorithm.lower()}"
        )
    if not upload.algorithm or algorithm or params.get("ChecksumAlgorithm"):
        return params
    return {**params, "ChecksumAlgorithm": upload.algorithm}


def _check_list(listed: Sequence[Mapping[str, Any]]) -> None:
    """The list of parts makes sense by itself.

    Raises:
        AwsError: MalformedXML, InvalidPartOrder.
    """
    numbers = [part.get("PartNumber") for part in listed]
    if not numbers or len(numbers) > PARTS_MAX or any(number is None for number in numbers):
        raise s3_error(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published "
            "schema",
            400,
        )
    known = [number for number in numbers if number is not None]
    if any(first >= second for first, second in pairwise(known)):
        raise s3_error(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. The parts list must be specified in "
            "order by part number.",
            400,
        )


def _chosen(
    listed: Sequence[Mapping[str, Any]], there: Sequence[Piece], upload: Upload
) -> list[Piece]:
    """The parts that are listed.

    Raises:
        AwsError: InvalidPart, EntityTooSmall.
    """
    by_number = {piece.number: piece for piece in there}
    chosen: list[Piece] = []
    for part in listed:
        piece = by_number.get(part["PartNumber"])
        etag = str(part.get("ETag") or "").strip('"')
        if piece is None or etag != piece.etag or not _agrees(part, piece):
            raise s3_error(
                "InvalidPart",
                "One or more of the specified parts could not be found. The part may not have been "
                "uploaded, or the specified entity tag may not match the part's entity tag.",
                400,
                UploadId=upload.upload_id,
                PartNumber=str(part["PartNumber"]),
                ETag=etag[:1024],
            )
        chosen.append(piece)
    for piece in chosen[:-1]:
        if piece.size < PART_BYTES_MIN:
            raise s3_error(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                400,
                ProposedSize=str(piece.size),
                MinSizeAllowed=str(PART_BYTES_MIN),
                PartNumber=str(piece.number),
                ETag=piece.etag,
            )
    return chosen


def _agrees(part: Mapping[str, Any], piece: Piece) -> bool:
    algorithm, value = given_checksum(part)
    return not algorithm or not piece.checksum or piece.checksum == f"{algorithm}={value}"


def _whole(
    bucket: Bucket, upload: Upload, pieces: Sequence[Piece], params: Params, now_s: float
) -> ObjectVersion:
    """The object that the parts make.

    Raises:
        AwsError: it is not what the client says that it is.
    """
    size = sum(piece.size for piece in pieces)
    expected_size = params.get("MpuObjectSize")
    if expected_size is not None and int(expected_size) != size:
        raise invalid_request(
            f"The provided 'x-amz-mp-object-size' header value {expected_size} does not match what "
            f"was computed: {size}"
        )
    digests = b"".join(bytes.fromhex(piece.etag) for piece in pieces)
    etag = hashlib.md5(digests, usedforsecurity=False).hexdigest()
    checksum = _checksum_of(upload, pieces)
    algorithm, given = given_checksum(params)
    if algorithm and checksum and (algorithm, given) != (upload.algorithm, checksum):
        raise _mismatch(algorithm)
    description = replace(
        upload.description,
        checksums={f"Checksum{upload.algorithm}": checksum} if checksum else {},
        checksum_type=upload.checksum_type if checksum else "",
        parts=len(pieces),
    )
    new = New(bucket, upload.key, description, upload.tags, upload.storage_class)
    return new.version(size, f"{etag}-{len(pieces)}", now_s)


def _checksum_of(upload: Upload, pieces: Sequence[Piece]) -> str:
    algorithm = upload.algorithm
    texts = [piece.checksum.removeprefix(f"{algorithm}=") for piece in pieces]
    values = [checksums.decoded(algorithm, text) for text in texts] if algorithm else []
    known = [value for value in values if value is not None]
    if not algorithm or len(known) < len(pieces):
        return ""
    if upload.checksum_type == checksums.COMPOSITE:
        return checksums.composite(algorithm, known)
    sizes = (piece.size for piece in pieces)
    return checksums.combined(algorithm, list(zip(known, sizes, strict=True)))


def _mismatch(algorithm: str) -> AwsError:
    return bad_digest(f"The {algorithm.lower()} you specified did not match what we received.")
