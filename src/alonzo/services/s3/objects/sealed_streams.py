"""Reads bytes that are sealed with a key of their owner, from blobs and from rows."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial

from alonzo.services.s3.objects import sealing
from alonzo.services.s3.objects.sealing import ObjectKey, SealedBytesError
from alonzo.store.base import StoreError
from alonzo.store.blobs import BlobStore


def opened(content: bytes, key: ObjectKey | None) -> bytes:
    """A short content; without a key it is not sealed.

    Raises:
        StoreError: it is not what was sealed with that key.
    """
    if key is None:
        return content
    try:
        return key.open_whole(content)
    except SealedBytesError as error:
        raise StoreError(f"{key.name} is damaged: {error}") from error


async def open_range(
    blobs: BlobStore, sha256: str, size: int, first: int, n_bytes: int, key: ObjectKey
) -> AsyncGenerator[bytes]:
    """Some of the ``size`` plaintext bytes that a blob holds sealed.

    Raises:
        BlobMissingError: there is no such blob.
        StoreError: it is not what was sealed with that key; perhaps after some good pieces.
    """
    salt = bytearray()
    async for part in blobs.open_range(sha256, 0, sealing.SALT_BYTES):
        salt += part
    span = sealing.span_of(size, first, n_bytes)
    opening = key.opening(bytes(salt), size, span.index)
    skip = span.skip
    async for part in blobs.open_range(sha256, span.offset, span.length):
        try:
            plain = await blobs.in_thread(partial(opening.add, part))
        except SealedBytesError as error:
            raise StoreError(f"blob {sha256} is damaged: {error}") from error
        piece = plain[skip : skip + n_bytes]
        skip = max(0, skip - len(plain))
        n_bytes -= len(piece)
        if piece:
            yield piece
    if n_bytes:
        raise StoreError(f"blob {sha256} is damaged: it is cut")
