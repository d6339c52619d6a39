"""Takes in the bytes of one object or part: counted, summed, checked, and kept but not yet used.

Small contents stay in memory, to be sealed into their row; the others go to a blob piece by piece,
in threads, one piece at a time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from alonzo.model.uploads import UploadBody
from alonzo.services.s3.errors import bad_digest, invalid_request, s3_error
from alonzo.services.s3.objects.checksums import ALGORITHMS, Running, decoded, encoded
from alonzo.services.s3.objects.sealing import ObjectKey
from alonzo.services.s3.objects.vault import INLINE_BYTES_MAX, Vault
from alonzo.store.blobs import BlobUpload

#: The largest object that is put in one piece, and the largest part. Source: S3 User Guide, quotas.
PUT_BYTES_MAX = 5 * 1024**3

_TRAILER_PREFIX = "x-amz-checksum-"
_MEMBER_PREFIX = "Checksum"
#: Members that begin like checksums and are none.
_NO_CHECKSUMS = frozenset({"ChecksumAlgorithm", "ChecksumMode", "ChecksumType"})


@dataclass(frozen=True, slots=True)
class Taken:
    """What came in. ``checksum`` is the client's, by its algorithm; empty if there was none.

    Either ``inline`` has the bytes, or ``sha256`` names the blob; with a key they are sealed.
    """

    size: int
    etag: str
    algorithm: str
    checksum: str
    inline: bytes | None
    sha256: str


class _Sums:
    """The sums that are made on the way, and the file that is written."""

    def __init__(self, algorithm: str, key: ObjectKey | None) -> None:
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.running: Running | None = ALGORITHMS[algorithm]() if algorithm else None
        self.size = 0
        self._sealing = None if key is None else key.sealing()

    def add(self, piece: bytes, upload: BlobUpload | None) -> None:
        self.size += len(piece)
        self.md5.update(piece)
        if self.running is not None:
            self.running.update(piece)
        if upload is not None:
            self.write(piece, upload)

    def write(self, piece: bytes, upload: BlobUpload) -> None:
        """What was added before there was a file, too."""
        upload.write(piece if self._sealing is None else self._sealing.add(piece))

    def finish(self, upload: BlobUpload) -> None:
        """There is no more to be written."""
        if self._sealing is not None:
            upload.write(self._sealing.finish())

    def sealed(self, small: bytes) -> bytes:
        """A small content that no file gets."""
        if self._sealing is None:
            return small
        return self._sealing.add(small) + self._sealing.finish()

    def etag(self) -> str:
        if self._sealing is None:
            return self.md5.hexdigest()
        return self._sealing.etag(self.md5.digest())


@asynccontextmanager
async def taking(
    vault: Vault,
    body: UploadBody | bytes | None,
    params: Mapping[str, Any],
    *,
    inline: bool = True,
    key: ObjectKey | None = None,
) -> AsyncGenerator[Taken]:
    """Take in a body. While the context lasts its blob is held, and durable.

    ``params`` has the digests that the client announced. Unless ``inline``, small contents become
    blobs too. With a ``key`` all that is kept is sealed.

    Raises:
        AwsError: what came is not what was announced, or too much.
    """
    source = _WholeBody(body or b"") if isinstance(body, bytes | None) else body
    _check_length(source)
    algorithm, expected = _announced(params, source)
    wanted_md5 = _wanted_md5(params)
    upload: BlobUpload | None = None
    sums, small = _Sums(algorithm, key), bytearray()
    try:
        async for piece in source:
            if upload is None and inline and len(small) + len(piece) <= INLINE_BYTES_MAX:
                small += piece
                sums.add(piece, None)
                continue
            if upload is None:
                upload = await vault.blobs.begin()
                if small:
                    await vault.blobs.in_thread(partial(sums.write, bytes(small), upload))
                    small.clear()
            await vault.blobs.in_thread(partial(sums.add, piece, upload))
            # The next one may be long in coming.
            del piece
        if upload is None and not inline:
            upload = await vault.blobs.begin()
        checksum = _check(sums, algorithm, expected or _trailer_of(source, algorithm), wanted_md5)
        etag = sums.etag()
        if upload is None:
            yield Taken(sums.size, etag, algorithm, checksum, sums.sealed(bytes(small)), "")
            return
        await vault.blobs.in_thread(partial(sums.finish, upload))
        ref = await upload.seal()
        async with vault.holding(ref.sha256):
            await upload.keep()
            yield Taken(sums.size, etag, algorithm, checksum, None, ref.sha256)
    finally:
        if upload is not None:
            await upload.discard()


def _check_length(body: UploadBody) -> None:
    if body.length is None:
        raise s3_error(
            "MissingContentLength", "You must provide the Content-Length HTTP header.", 411
        )
    if body.length > PUT_BYTES_MAX:
        raise s3_error(
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
            400,
            ProposedSize=str(body.length),
            MaxSizeAllowed=str(PUT_BYTES_MAX),
        )


def given_checksum(params: Mapping[str, Any]) -> tuple[str, str]:
    """The algorithm and the value of the checksum among parameters; empty: there is none.

    Raises:
        AwsError: InvalidRequest; several, one of an algorithm that is not known, or it is none.
    """
    names = [
        name
        for name in params
        if name.startswith(_MEMBER_PREFIX) and name not in _NO_CHECKSUMS and params[name]
    ]
    if len(names) > 1:
        raise invalid_request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    if not names:
        return "", ""
    algorithm = known_algorithm(names[0].removeprefix(_MEMBER_PREFIX))
    text = str(params[names[0]])
    if decoded(algorithm, text.partition("-")[0]) is None:
        raise _invalid_value(algorithm)
    return algorithm, text


def known_algorithm(name: str) -> str:
    """An algorithm that is made here.

    Raises:
        AwsError: InvalidRequest.
    """
    if name.upper() not in ALGORITHMS:
        raise invalid_request(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid "
            f"types: [{', '.join(sorted(ALGORITHMS))}]"
        )
    return name.upper()


def _announced(params: Mapping[str, Any], body: UploadBody) -> tuple[str, str]:
    algorithm, value = given_checksum(params)
    trailing = [name for name in body.trailer_names if name.startswith(_TRAILER_PREFIX)]
    if trailing and (algorithm or len(trailing) > 1):
        raise invalid_request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    if trailing:
        algorithm = known_algorithm(trailing[0].removeprefix(_TRAILER_PREFIX))
    named = params.get("ChecksumAlgorithm")
    if named and algorithm and known_algorithm(named) != algorithm:
        raise invalid_request("Value for x-amz-sdk-checksum-algorithm header is invalid.")
    return algorithm or (known_algorithm(named) if named else ""), value


def _trailer_of(body: UploadBody, algorithm: str) -> str:
    name = _TRAILER_PREFIX + algorithm.lower()
    if not algorithm or name not in body.trailer_names:
        return ""
    value = body.trailers.get(name, "")
    if decoded(algorithm, value) is None:
        raise _invalid_value(algorithm)
    return value


def _wanted_md5(params: Mapping[str, Any]) -> str:
    text = params.get("ContentMD5")
    if text is None:
        return ""
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise s3_error("InvalidDigest", "The Content-MD5 you specified was invalid.", 400)
    return digest.hex()


def _check(sums: _Sums, algorithm: str, expected: str, wanted_md5: str) -> str:
    """Compare; the checksum in base64."""
    if wanted_md5 and wanted_md5 != sums.md5.hexdigest():
        raise bad_digest("The Content-MD5 you specified did not match what we received.")
    if sums.running is None:
        return ""
    made = encoded(sums.running.digest())
    if expected and expected != made:
        raise bad_digest(f"The {algorithm} you specified did not match the calculated checksum.")
    return made


def _invalid_value(algorithm: str) -> Exception:
    return invalid_request(f"Value for x-amz-checksum-{algorithm.lower()} header is invalid.")


class _WholeBody:
    """Bytes that are here as a body that arrives."""

    trailer_names = ()
    trailers: Mapping[str, str] = {}

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._body:
            yield self._body
