"""A body that its handler reads while it arrives. Implements ``model.uploads.UploadBody``.

Framing is taken off, signatures of chunks and the digest of the whole are checked on the way; what
is long is worked on in a thread. A reader learns that something is wrong at the latest where the
body would end.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256

from alonzo.edge.http1.head import Head
from alonzo.edge.http1.incoming import ClientTooSlowError, Incoming
from alonzo.edge.http1.room import Room
from alonzo.edge.sigv4.canonical import UNSIGNED_PAYLOAD
from alonzo.edge.sigv4.chunked import ChunkDecoder
from alonzo.edge.sigv4.verify import ChunkSeal
from alonzo.model.errors import AwsError

#: More is decoded and hashed in a thread.
_INLINE_BYTES_MAX = 64 * 1024

#: What chunks and trailers may add to a body: a signature for each 8 KiB is more than S3 allows.
_FRAMING_BYTES_MAX = 1 << 20
_FRAMING_PART = 8

_NAMES_MAX = 16
_DIGITS_MAX = 15


class StreamedBody:
    """The body of one request."""

    def __init__(
        self, incoming: Incoming, seal: ChunkSeal | None, room: Room, *, bytes_max: int
    ) -> None:
        """``seal`` is for a body in chunks. ``bytes_max`` is without framing."""
        fields = incoming.head.fields
        self._room = room
        self._incoming = incoming
        self.length = _length_of(incoming.head, seal)
        self._decoder = None
        if seal is not None:
            self._decoder = ChunkDecoder(seal, decoded_bytes=self.length)
            bytes_max += bytes_max // _FRAMING_PART + _FRAMING_BYTES_MAX
        self._bytes_max = bytes_max
        self.trailer_names = _names_in(fields.get(b"x-amz-trailer", b"")) if seal else ()
        self.trailers: Mapping[str, str] = {}
        digest = fields.get(b"x-amz-content-sha256", UNSIGNED_PAYLOAD)
        # What is no digest is signed as well, and agrees with no body.
        self._expected = b"" if seal is not None or digest == UNSIGNED_PAYLOAD else digest
        self._hash = sha256()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """See ``UploadBody``."""
        while wire := await self._next():
            if self._decoder is None and not self._expected:
                piece = wire
            elif len(wire) <= _INLINE_BYTES_MAX:
                piece = self._take(wire)
            else:
                piece = await asyncio.to_thread(self._take, wire)
            del wire
            if piece:
                yield piece
            # The next one may be long in coming, and this one is no longer counted.
            del piece
        self._finish()

    async def _next(self) -> bytes:
        try:
            return await self._incoming.next_piece(self._bytes_max, self._room)
        except ClientTooSlowError:
            raise AwsError(
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the "
                "timeout period.",
                status=400,
            ) from None

    def _take(self, wire: bytes) -> bytes:
        if self._decoder is not None:
            return self._decoder.feed(wire)
        self._hash.update(wire)
        return wire

    def _finish(self) -> None:
        if self._decoder is not None:
            self._decoder.finish()
            self.trailers = {
                name.decode(): value.decode("latin-1")
                for name, value in self._decoder.trailers.items()
            }
        elif self._expected:
            made = self._hash.hexdigest()
            if not hmac.compare_digest(made.encode(), self._expected):
                raise AwsError(
                    "XAmzContentSHA256Mismatch",
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                    status=400,
                    members={
                        "ClientComputedContentSHA256": self._expected.decode("latin-1"),
                        "S3ComputedContentSHA256": made,
                    },
                )


def _length_of(head: Head, seal: ChunkSeal | None) -> int | None:
    name = b"content-length" if seal is None else b"x-amz-decoded-content-length"
    text = head.fields.get(name, b"")
    return int(text) if text.isdigit() and len(text) <= _DIGITS_MAX else None


def _names_in(text: bytes) -> tuple[str, ...]:
    names = [name.strip().lower().decode("latin-1") for name in text.split(b",")[:_NAMES_MAX]]
    return tuple(name for name in names if name)
