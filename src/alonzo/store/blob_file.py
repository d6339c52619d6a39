"""The form of a blob's file: a header, and the plaintext in encrypted chunks.

    magic 8 · salt 32 · size 8 · tag 32 │ chunk 0 │ chunk 1 │ … │ last chunk (may be shorter)

* Each file has keys of its own, HKDF-SHA256 of the store's key and the random salt: one for the
  chunks, one for the tag.
* A chunk is AES-256-GCM of ``CHUNK_BYTES`` of plaintext with its index as the nonce: no chunk can
  stand in another's place, nor in another file, and no nonce is used twice with one key.
* ``tag`` is HMAC-SHA256 of magic, salt, size and the plaintext's SHA-256, so a file cannot pass for
  another blob; and as ``size`` says how long the file must be, nothing can be cut off or added.
* The header is written last: until then the file is not a blob.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import AEADEncryptionContext, Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from alonzo.store.base import StoreError

#: Plaintext bytes of each chunk but the last.
CHUNK_BYTES = 256 * 1024

_MAGIC = b"ALZBLOB1"
_HEADER = struct.Struct(">8s32sQ32s")
_SALT_BYTES = 32
_GCM_TAG_BYTES = 16


class BlobCorruptError(StoreError):
    """A blob's file is not what was written: damaged, cut, swapped, or of another key."""


class _FileKeys:
    """The keys of one file, from the store's key and the file's salt (RFC 5869)."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        secret = hmac.digest(salt, key, "sha256")
        self._chunk_key = hmac.digest(secret, b"alonzo blob chunks\x01", "sha256")
        self._chunks = AESGCM(self._chunk_key)
        self._tag = hmac.digest(secret, b"alonzo blob tag\x01", "sha256")
        self._salt = salt

    def header(self, sha256: bytes, size: int) -> bytes:
        signed = _HEADER.pack(_MAGIC, self._salt, size, sha256)
        return _HEADER.pack(_MAGIC, self._salt, size, hmac.digest(self._tag, signed, "sha256"))

    def encrypt(self, index: int, plaintext: memoryview) -> bytes:
        return self._chunks.encrypt(_nonce(index), plaintext, None)

    def begin(self, index: int) -> AEADEncryptionContext:
        """To encrypt a chunk that comes in parts."""
        return Cipher(AES(self._chunk_key), GCM(_nonce(index))).encryptor()

    def decrypt(self, index: int, sealed: bytes) -> bytes:
        return self._chunks.decrypt(_nonce(index), sealed, None)


def _nonce(index: int) -> bytes:
    return index.to_bytes(12, "big")


class BlobWriter:
    """Writes one blob to a new file. Its methods may be called from any thread.

    What came is encrypted and handed on at once, so a blob that comes slowly holds no memory.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        salt = os.urandom(_SALT_BYTES)
        self._keys = _FileKeys(key, salt)
        self._digest = hashlib.sha256()
        # The chunk that is not whole yet, and how much of it is there.
        self._open: AEADEncryptionContext | None = None
        self._filled = 0
        self._chunks = 0
        self._size = 0
        self._lock = threading.Lock()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._file.seek(_HEADER.size)

    def write(self, piece: bytes) -> None:
        """Add to the content."""
        with self._lock:
            self._digest.update(piece)
            self._size += len(piece)
            rest = memoryview(piece)
            while rest:
                part = rest[: CHUNK_BYTES - self._filled]
                rest = rest[len(part) :]
                if len(part) == CHUNK_BYTES:
                    self._file.write(self._keys.encrypt(self._chunks, part))
                    self._chunks += 1
                    continue
                if self._open is None:
                    self._open = self._keys.begin(self._chunks)
                self._file.write(self._open.update(part))
                self._filled += len(part)
                if self._filled == CHUNK_BYTES:
                    self._end_chunk(self._open)

    def _end_chunk(self, chunk: AEADEncryptionContext) -> None:
        self._file.write(chunk.finalize() + chunk.tag)
        self._open, self._filled = None, 0
        self._chunks += 1

    def finish(self) -> tuple[str, int]:
        """Write what is left and the header, and sync. Answers hex SHA-256 and size."""
        with self._lock:
            if self._open is not None:
                self._end_chunk(self._open)
            self._file.seek(0)
            self._file.write(self._keys.header(self._digest.digest(), self._size))
            self._file.flush()
            os.fsync(self._file.fileno())
            return self._digest.hexdigest(), self._size

    def discard(self) -> None:
        """Close, and remove the file if it still has the name that it was written under."""
        with self._lock:
            with contextlib.suppress(OSError):
                # On a full disk the last buffer cannot be written; it is of no use any more.
                self._file.close()
            self.path.unlink(missing_ok=True)


class BlobReader:
    """The verified chunks of one blob, in order."""

    def __init__(self, path: Path, key: bytes, sha256: str) -> None:
        """Open the file.

        Raises:
            BlobCorruptError: it is not the blob of that digest, written whole with that key.
            FileNotFoundError: there is no such file.
        """
        self._sha256 = sha256
        self._index = 0
        self._lock = threading.Lock()
        self._file = path.open("rb")
        try:
            self._keys, self._size = self._verify_header(key)
            self._left = self._size
        except BaseException:
            self._file.close()
            raise

    def _verify_header(self, key: bytes) -> tuple[_FileKeys, int]:
        header = self._file.read(_HEADER.size)
        if len(header) != _HEADER.size:
            raise self._corrupt("its header is cut")
        _, salt, size, _ = _HEADER.unpack(header)
        keys = _FileKeys(key, salt)
        if not hmac.compare_digest(header, keys.header(bytes.fromhex(self._sha256), size)):
            raise self._corrupt("its header does not verify")
        if os.fstat(self._file.fileno()).st_size != _file_bytes(size):
            raise self._corrupt("it is cut or has grown")
        return keys, size

    def _corrupt(self, what: str) -> BlobCorruptError:
        return BlobCorruptError(f"blob {self._sha256} is damaged: {what}")

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._lock:
            if not self._left:
                raise StopIteration
            length = min(self._left, CHUNK_BYTES)
            sealed = self._file.read(length + _GCM_TAG_BYTES)
            try:
                plaintext = self._keys.decrypt(self._index, sealed)
            except InvalidTag:
                raise self._corrupt(f"chunk {self._index} does not verify") from None
            self._index += 1
            self._left -= length
            return plaintext

    def seek(self, offset: int) -> int:
        """Go on with the chunk that ``offset`` is in; answers how far into it that is."""
        with self._lock:
            self._index, skip = divmod(offset, CHUNK_BYTES)
            self._left = max(0, self._size - self._index * CHUNK_BYTES)
            self._file.seek(_HEADER.size + self._index * (CHUNK_BYTES + _GCM_TAG_BYTES))
            return skip

    def read(self, n_bytes: int) -> bytes:
        """The next chunks, whole ones, until there are ``n_bytes`` or no more."""
        pieces: list[bytes] = []
        while n_bytes > 0 and (piece := next(self, None)) is not None:
            pieces.append(piece)
            n_bytes -= len(piece)
        return b"".join(pieces)

    def __enter__(self) -> BlobReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._file.close()


def _file_bytes(size: int) -> int:
    chunks = -(-size // CHUNK_BYTES)
    return _HEADER.size + size + chunks * _GCM_TAG_BYTES
