"""Decodes ``aws-chunked`` bodies and checks the signature of each chunk.

    chunk    = size-hex [";chunk-signature=" 64hex] CRLF data CRLF
    body     = *chunk  "0" [";chunk-signature=" 64hex] CRLF  [*trailer] CRLF
    trailer  = name ":" value CRLF ; the last is x-amz-trailer-signature if chunks are signed

Each signature covers the one before it; the first covers that of the request. Pure and incremental:
a chunk may be as long as the whole body, so its data is handed out as it comes. That all of it is
right is known once ``finish`` has not complained; until then nothing may come of the data.

Source: S3 User Guide, "Transferring payload in multiple chunks".
"""

from __future__ import annotations

import hmac
import re
from enum import Enum, auto
from hashlib import sha256

from alonzo.edge.sigv4.canonical import EMPTY_SHA256, trim
from alonzo.edge.sigv4.refusals import AuthFailure, Refusal
from alonzo.edge.sigv4.verify import ChunkSeal
from alonzo.model.errors import AwsError

_LINE_BYTES_MAX = 1024
_TRAILERS_MAX = 16
_TRAILER_SIGNATURE = b"x-amz-trailer-signature"
_HEAD = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER = re.compile(rb"([A-Za-z0-9-]{1,128}):([\x20-\x7e]*)")


class _State(Enum):
    HEAD = auto()
    DATA = auto()
    TRAILER = auto()
    DONE = auto()


class ChunkDecoder:
    """One body. ``trailers`` is filled when the body is whole; names are in lower case."""

    def __init__(self, seal: ChunkSeal, *, decoded_bytes: int | None) -> None:
        """``decoded_bytes`` is what ``x-amz-decoded-content-length`` announced."""
        self.trailers: dict[bytes, bytes] = {}
        self._seal = seal
        self._decoded_bytes = decoded_bytes
        self._previous = seal.seed_signature
        self._state = _State.HEAD
        self._buffer = bytearray()
        # Of the chunk that is being taken: how long it is, and how much of it was.
        self._size = self._taken = 0
        self._digest = sha256()
        self._signature: bytes | None = None
        self._total = 0
        self._trailer_text = b""

    def feed(self, data: bytes) -> bytes:
        """Take what came off the wire; give the data in it.

        Raises:
            AuthFailure: the signature of a chunk or of the trailer is wrong.
            AwsError: the framing is wrong, or the body is longer than announced.
        """
        self._buffer += data
        out: list[bytes] = []
        while True:
            if self._state is _State.DATA:
                if not self._take_data(out):
                    break
                continue
            if self._state is _State.DONE:
                if self._buffer:
                    raise _incomplete_body()
                break
            line = self._take_line()
            if line is None:
                break
            if self._state is _State.HEAD:
                self._take_head(line)
            else:
                self._take_trailer(line)
        return b"".join(out)

    def finish(self) -> None:
        """Say that the body is over.

        Raises:
            AwsError: it ended too early, or is shorter than announced.
        """
        short = self._decoded_bytes is not None and self._total != self._decoded_bytes
        if self._state is not _State.DONE or short:
            raise _incomplete_body()

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, _LINE_BYTES_MAX)
        if end < 0:
            if len(self._buffer) >= _LINE_BYTES_MAX:
                raise _incomplete_body()
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _take_head(self, line: bytes) -> None:
        found = _HEAD.fullmatch(line)
        if found is None or (found[2] is not None) is not self._seal.signed:
            raise _incomplete_body()
        self._size, self._signature = int(found[1], 16), found[2]
        self._total += self._size
        if self._decoded_bytes is not None and self._total > self._decoded_bytes:
            raise _incomplete_body()
        self._digest, self._taken = sha256(), 0
        if self._size == 0:
            self._check_chunk()
            self._state = _State.TRAILER
        else:
            self._state = _State.DATA

    def _take_data(self, out: list[bytes]) -> bool:
        """Give what is here of a chunk; whether the chunk is whole."""
        part = bytes(self._buffer[: self._size - self._taken])
        if part:
            del self._buffer[: len(part)]
            self._taken += len(part)
            if self._signature is not None:
                self._digest.update(part)
            out.append(part)
        if self._taken < self._size or len(self._buffer) < 2:
            return False
        if not self._buffer.startswith(b"\r\n"):
            raise _incomplete_body()
        del self._buffer[:2]
        self._check_chunk()
        self._state = _State.HEAD
        return True

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            if self._seal.trailer and self._seal.signed and _TRAILER_SIGNATURE not in self.trailers:
                raise AuthFailure(Refusal.MISMATCH)
            self._state = _State.DONE
            return
        found = _TRAILER.fullmatch(line)
        if not self._seal.trailer or found is None or len(self.trailers) >= _TRAILERS_MAX:
            raise _incomplete_body()
        name, value = found[1].lower(), trim(found[2])
        if name in self.trailers or _TRAILER_SIGNATURE in self.trailers:
            raise _incomplete_body()
        self.trailers[name] = value
        if name == _TRAILER_SIGNATURE:
            digest = sha256(self._trailer_text).hexdigest()
            self._check("AWS4-HMAC-SHA256-TRAILER", digest, value)
        else:
            self._trailer_text += name + b":" + value + b"\n"

    def _check_chunk(self) -> None:
        if self._signature is not None:
            digest = f"{EMPTY_SHA256}\n{self._digest.hexdigest()}"
            self._check("AWS4-HMAC-SHA256-PAYLOAD", digest, self._signature)

    def _check(self, kind: str, digests: str, signature: bytes) -> None:
        seal = self._seal
        if seal.signing_key is None:
            return
        text = f"{kind}\n{seal.timestamp}\n{seal.scope}\n{self._previous}\n{digests}"
        expected = hmac.digest(seal.signing_key, text.encode(), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), signature):
            raise AuthFailure(Refusal.MISMATCH)
        self._previous = expected


def decode_body(seal: ChunkSeal, body: bytes, *, decoded_bytes: int | None) -> bytes:
    """Decode and check a body that is here as a whole.

    Raises:
        AuthFailure: the signature of a chunk is wrong.
        AwsError: the framing or the announced length is wrong.
    """
    decoder = ChunkDecoder(seal, decoded_bytes=decoded_bytes)
    data = decoder.feed(body)
    decoder.finish()
    return data


def _incomplete_body() -> AwsError:
    """Source: S3 API, error ``IncompleteBody``."""
    return AwsError(
        "IncompleteBody",
        "The request body terminated unexpectedly",
        status=400,
    )
