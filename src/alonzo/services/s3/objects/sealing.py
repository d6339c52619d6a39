"""The form of bytes that are sealed with a key of their owner before they are stored. Pure.

    salt (32) | chunk 0, tag (16) | chunk 1, tag (16) | … | last chunk (shorter perhaps), tag (16)

* Each stream has a key of its own: HMAC-SHA256 of the data key, over a label, the stream's salt,
  the number of its part and the name of its object. A data key may thus be shared by the parts of
  an object, and by the objects of a bucket; no stream opens as another part, nor as another object.
* A chunk is AES-256-GCM of ``CHUNK_BYTES`` of plaintext. Its nonce is its index and whether it is
  the last one: nothing can be moved, cut off or added.
* The salt is random, so the same content is never the same stream: what is named by the digest of
  a stream says nothing about what is in it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: Plaintext bytes of each chunk but the last.
CHUNK_BYTES = 256 * 1024
SALT_BYTES = 32
TAG_BYTES = 16
KEY_BYTES = 32

_SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
_STREAM = b"alonzo s3 stream\x01"
_CHUNKS = b"alonzo s3 chunks\x01"
_ETAG = b"alonzo s3 etag\x01"
_CHECK = b"alonzo s3 customer key\x01"


class SealedBytesError(Exception):
    """The stream was changed, or sealed with another key or for another object."""


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """The key of one object's streams. ``name`` is the object's, the same whenever it is opened.

    ``part`` is the number of the stream's part; what was not put in parts is part 1.
    """

    data_key: bytes
    name: str
    part: int = 1

    def __repr__(self) -> str:
        return f"ObjectKey({self.name}, {self.part})"

    def of_part(self, number: int) -> ObjectKey:
        """The key of another part's stream."""
        return replace(self, part=number)

    def sealing(self) -> Sealing:
        """A new stream."""
        salt = os.urandom(SALT_BYTES)
        return Sealing(self._secret(salt), salt)

    def opening(self, salt: bytes, size: int, index: int = 0) -> Opening:
        """The stream of that salt and of ``size`` plaintext bytes, from chunk ``index`` on."""
        return Opening(self._secret(salt), size, index)

    def open_whole(self, stream: bytes) -> bytes:
        """What is in a short stream.

        Raises:
            SealedBytesError: it is none of this key's.
        """
        length = len(stream) - SALT_BYTES
        size = length - max(1, -(-length // _SEALED_CHUNK_BYTES)) * TAG_BYTES
        if size < 0:
            raise SealedBytesError("it is cut")
        return self.opening(stream[:SALT_BYTES], size).add(stream[SALT_BYTES:])

    def _secret(self, salt: bytes) -> bytes:
        bound_to = _STREAM + salt + self.part.to_bytes(4, "big") + self.name.encode()
        return hmac.digest(self.data_key, bound_to, hashlib.sha256)


class Sealing:
    """A stream on its way in. ``add`` and ``finish`` answer what is to be written."""

    def __init__(self, secret: bytes, salt: bytes) -> None:
        self._secret = secret
        self._cipher = _cipher(secret)
        self._head = salt
        self._pending = bytearray()
        self._index = 0

    def add(self, piece: bytes) -> bytes:
        """More plaintext. What may be the last chunk is kept back."""
        self._pending += piece
        written = [self._head]
        self._head = b""
        start = 0
        with memoryview(self._pending) as pending:
            while len(pending) - start > CHUNK_BYTES:
                written.append(self._sealed(pending[start : start + CHUNK_BYTES], is_last=False))
                start += CHUNK_BYTES
        del self._pending[:start]
        return b"".join(written)

    def finish(self) -> bytes:
        """There is no more."""
        head, self._head = self._head, b""
        return head + self._sealed(bytes(self._pending), is_last=True)

    def etag(self, md5: bytes) -> str:
        """An ETag that tells nobody the digest of the plaintext, of the same form: 32 hex digits.

        Source: S3 API reference, Object: what is encrypted with SSE-KMS or SSE-C has an ETag that
        is not the MD5 digest of its data.
        """
        return hmac.digest(self._secret, _ETAG + md5, hashlib.sha256)[:16].hex()

    def _sealed(self, chunk: bytes | memoryview, *, is_last: bool) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._index, is_last=is_last), chunk, None)
        self._index += 1
        return sealed


class Opening:
    """A stream on its way out, from a chunk's beginning on."""

    def __init__(self, secret: bytes, size: int, index: int) -> None:
        self._cipher = _cipher(secret)
        self._count = _chunks_of(size)
        self._last_bytes = size - (self._count - 1) * CHUNK_BYTES + TAG_BYTES
        self._index = index
        self._pending = bytearray()

    def add(self, piece: bytes) -> bytes:
        """More of the stream; answers the plaintext of the chunks that are whole.

        Raises:
            SealedBytesError: it is none of this key's.
        """
        self._pending += piece
        opened: list[bytes] = []
        start = 0
        with memoryview(self._pending) as pending:
            while self._index < self._count:
                is_last = self._index == self._count - 1
                length = self._last_bytes if is_last else _SEALED_CHUNK_BYTES
                if len(pending) - start < length:
                    break
                try:
                    nonce = _nonce(self._index, is_last=is_last)
                    opened.append(
                        self._cipher.decrypt(nonce, pending[start : start + length], None)
                    )
                except InvalidTag:
                    raise SealedBytesError(f"chunk {self._index} does not open") from None
                start += length
                self._index += 1
        del self._pending[:start]
        return b"".join(opened)


@dataclass(frozen=True, slots=True)
class Span:
    """Where some plaintext bytes are in a stream.

    ``offset`` and ``length`` are of the stream, ``index`` is that of the first chunk, and ``skip``
    plaintext bytes of it come before those that are wanted.
    """

    offset: int
    length: int
    index: int
    skip: int


def span_of(size: int, first: int, n_bytes: int) -> Span:
    """The chunks that hold ``n_bytes`` (at least one) of ``size`` from byte ``first`` on."""
    index, skip = divmod(first, CHUNK_BYTES)
    behind = (first + n_bytes - 1) // CHUNK_BYTES + 1
    end = min(behind * _SEALED_CHUNK_BYTES, size + _chunks_of(size) * TAG_BYTES)
    begin = index * _SEALED_CHUNK_BYTES
    return Span(SALT_BYTES + begin, end - begin, index, skip)


def check_of(customer_key: bytes) -> bytes:
    """What is kept of a customer's key: a salt, and the key's HMAC with it."""
    salt = os.urandom(16)
    return salt + _mark(customer_key, salt)


def fits(customer_key: bytes, check: bytes) -> bool:
    """Whether it is the key of which ``check`` was kept."""
    return hmac.compare_digest(check[16:], _mark(customer_key, check[:16]))


def _mark(customer_key: bytes, salt: bytes) -> bytes:
    return hmac.digest(customer_key, _CHECK + salt, hashlib.sha256)


def _chunks_of(size: int) -> int:
    return max(1, -(-size // CHUNK_BYTES))


def _cipher(secret: bytes) -> AESGCM:
    return AESGCM(hmac.digest(secret, _CHUNKS, hashlib.sha256))


def _nonce(index: int, *, is_last: bool) -> bytes:
    return index.to_bytes(11, "big") + (b"\x01" if is_last else b"\x00")
