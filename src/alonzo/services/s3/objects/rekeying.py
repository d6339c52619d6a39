"""UpdateObjectEncryption: an object that is there is sealed with another key of KMS.

All that is said of it stays, also its ETag and checksums, and nobody is notified. On AWS only the
data key is sealed anew; here the bytes are, piece by piece, and change places in one unit of work.

Source: S3 API reference, UpdateObjectEncryption; its texts.
"""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.s3.buckets.asking import part
from alonzo.services.s3.errors import invalid_request, no_key, s3_error
from alonzo.services.s3.objects import rows
from alonzo.services.s3.objects.core import Core, Params, need_version, version_id_of
from alonzo.services.s3.objects.intake import taking
from alonzo.services.s3.objects.reading import ReadOperations
from alonzo.services.s3.objects.rows import Content
from alonzo.services.s3.objects.sealing import ObjectKey
from alonzo.services.s3.objects.writing import Copied
from alonzo.services.s3.records import KMS, Bucket, ObjectVersion, Piece
from alonzo.store.base import Connection

#: More bytes than any row holds.
_LONGEST = 1 << 20

_KEY_ARN = re.compile(r"arn:aws[a-zA-Z0-9-]*:kms:[a-z0-9-]+:(\d{12}):key/[a-zA-Z0-9-]+")


class RekeyOperations:
    """The operation."""

    def __init__(self, core: Core, reads: ReadOperations) -> None:
        self._core = core
        self._reads = reads

    async def update_object_encryption(
        self, context: RequestContext, params: Params
    ) -> dict[str, Any]:
        """Seal a version with the key that is named; who asks may open it and use that key."""
        core = self._core
        bucket, key = core.place_of(params)
        version_id = version_id_of(params)
        asked = _asked(params, bucket)
        version, content = await core.store.read(lambda db: _find(db, bucket, key, version_id))
        opener = await core.keys.for_reading(context, bucket, version, {})
        at_rest, sealer = await core.keys.for_new(
            context, bucket, key, asked, "UpdateObjectEncryption"
        )
        description = replace(version.description, at_rest=at_rest)
        async with AsyncExitStack() as held:
            inline, pieces = await self._sealed(held, content, opener, sealer)

            def change(db: Connection) -> None:
                now = rows.try_version(db, bucket.id, key, version.version_id)
                if now is None or now.id != version.id:
                    raise no_key(key)
                rows.reseal_version(db, version.id, description, inline)
                for piece in pieces:
                    rows.save_piece(db, version.id, piece)

            await core.store.tx(change)
        core.vault.nudge()
        return {}

    async def _sealed(
        self,
        held: AsyncExitStack,
        content: Content,
        opener: ObjectKey | None,
        sealer: ObjectKey | None,
    ) -> tuple[bytes | None, list[Piece]]:
        """The bytes under the new key, in the same pieces. Their blobs are held with ``held``."""
        vault = self._core.vault
        if content.inline is not None:
            plain = b"".join(
                [part async for part in self._reads.stream(content, 0, _LONGEST, opener)]
            )
            async with taking(vault, plain, {}, key=sealer) as taken:
                assert taken.inline is not None, "it was short enough before"
                return vault.seal(taken.inline), []
        pieces: list[Piece] = []
        for piece in content.pieces:
            alone = replace(content, pieces=(piece,))
            body = Copied(self._reads, alone, 0, piece.size, opener)
            own = None if sealer is None else sealer.of_part(piece.number)
            async with taking(vault, body, {}, inline=False, key=own) as taken:
                await held.enter_async_context(vault.holding(taken.sha256))
            pieces.append(replace(piece, sha256=taken.sha256))
        return None, pieces


def _asked(params: Params, bucket: Bucket) -> Params:
    """The new encryption in the words of a request that writes.

    Raises:
        AwsError: InvalidRequest, AccessDenied.
    """
    document = part(part(params, "ObjectEncryption"), "SSEKMS")
    if not document:
        raise invalid_request(
            "Requests that modify an object encryption configuration require a valid new "
            "encryption type. Valid values are SSEKMS. Modify the request to specify SSE-KMS for "
            "the updated encryption type, and then try again."
        )
    arn = str(document.get("KMSKeyArn") or "")
    found = _KEY_ARN.fullmatch(arn)
    if found is None:
        raise invalid_request(
            "Requests that modify an object's encryption type to SSE-KMS require a valid AWS KMS "
            "key Amazon Resource Name (ARN). Confirm that you have a correctly formatted KMS key "
            "ARN in your request, and then try again."
        )
    if found[1] != bucket.account:
        raise s3_error(
            "AccessDenied",
            "The AWS KMS key in the request must be owned by the same account as the bucket. "
            "Modify the request to specify a KMS key from the same account, and then try again.",
            403,
        )
    return {
        "ServerSideEncryption": KMS,
        "SSEKMSKeyId": arn,
        "BucketKeyEnabled": bool(document.get("BucketKeyEnabled")),
    }


def _find(
    db: Connection, bucket: Bucket, key: str, version_id: str | None
) -> tuple[ObjectVersion, Content]:
    version = need_version(db, bucket, key, version_id, "PUT")
    at_rest = version.description.at_rest
    if at_rest is not None and at_rest.algorithm != KMS:
        raise invalid_request(
            "The UpdateObjectEncryption operation doesn't support source objects with the "
            "encryption type DSSE-KMS or SSE-C. Only source objects encrypted with SSE-S3 or "
            "SSE-KMS are supported."
        )
    return version, rows.content_of(db, version)
