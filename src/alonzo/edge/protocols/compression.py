"""Compressed request bodies: clients gzip large ones of operations that the model marks."""

from __future__ import annotations

import zlib

from alonzo.edge.protocols.malformed import Malformed

#: Length of a body once unpacked; more is taken for a bomb.
UNPACKED_BYTES_MAX = 32 << 20

_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


def is_gzip(content_encoding: bytes | None) -> bool:
    """Was gzip the last encoding that the client applied?"""
    return content_encoding is not None and content_encoding.lower().endswith(b"gzip")


def gunzip(body: bytes) -> bytes:
    """The unpacked body. Raises ``Malformed`` for what is no gzip, cut off, or too long."""
    unpacker = zlib.decompressobj(_GZIP_WINDOW_BITS)
    try:
        unpacked = unpacker.decompress(body, UNPACKED_BYTES_MAX)
    except zlib.error:
        raise Malformed("The body is not valid gzip") from None
    if not unpacker.eof:
        raise Malformed("The gzip body is cut off, or too long once unpacked")
    return unpacked
