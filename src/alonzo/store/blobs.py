"""Blobs: immutable bytes, named by the SHA-256 of their plaintext, encrypted at rest.

A blob is one file, complete from the moment that it has its name: it is written under another
name, synced, renamed, and then the folder is synced. ``put`` answers after that, so what it
acknowledged survives ``kill -9`` and a power cut. ``blob_file.py`` has the form of the file. Work
on files is done in threads, one chunk at a time, so a blob of any size takes constant memory.

With threads of its own, a folder on a slow disk keeps nothing else waiting.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import hmac
import itertools
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from alonzo.lib import faults
from alonzo.store.base import StoreError, StoreFullError
from alonzo.store.blob_file import CHUNK_BYTES, BlobCorruptError, BlobReader, BlobWriter
from alonzo.store.data_dir import read_or_create, sync_folder

T = TypeVar("T")

_DIGEST = re.compile(r"[0-9a-f]{64}")
_UNFINISHED = ".unfinished"
_KEY_CHECK = "key-check"
#: Plaintext bytes that a reader of a range takes at a time.
RANGE_PIECE_BYTES = 4 * CHUNK_BYTES

#: Names of files that are read together.
_LISTED = 1000

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class BlobMissingError(StoreError):
    """No blob has that digest."""


class BlobKeyError(StoreError):
    """The folder's blobs were written with another key."""


@dataclass(frozen=True, slots=True)
class BlobRef:
    """What names a blob: the lower-case hex SHA-256 of its plaintext, and its length in bytes."""

    sha256: str
    size: int


class BlobUpload:
    """One blob on its way in. Nothing of it is to be seen before ``keep``; always ``discard`` it.

    ``write`` blocks: it is for threads. Of the rest, one call at a time.
    """

    def __init__(self, store: BlobStore, writer: BlobWriter) -> None:
        self._store = store
        self._writer = writer
        self._ref: BlobRef | None = None

    def write(self, piece: bytes) -> None:
        """Add to the content.

        Raises:
            StoreFullError: there is no space left.
            StoreError: the file could not be written.
        """
        _named(lambda: self._writer.write(piece))

    async def seal(self) -> BlobRef:
        """The content is whole, and durable under no name yet.

        Raises:
            StoreFullError: there is no space left.
            StoreError: the file could not be written.
        """
        self._ref = BlobRef(*await self._store.in_thread(self._writer.finish))
        return self._ref

    async def keep(self) -> None:
        """Let the sealed content be found. Durable when this returns.

        Raises:
            StoreError: the file could not be renamed.
        """
        ref = self._ref
        assert ref is not None, "only what is sealed is kept"
        await self._store.in_thread(lambda: self._store.name_blocking(self._writer, ref))

    async def discard(self) -> None:
        """Leave nothing behind but what is kept. Waits for a write that is under way."""
        await asyncio.shield(self._store.in_thread(self._writer.discard))


class BlobStore:
    """The blobs of one folder, which this process alone writes to."""

    def __init__(self, folder: Path, key: bytes, *, threads: int = 0) -> None:
        """Open the folder, and sweep what a crash left unfinished in it.

        ``key`` is 32 secret bytes, the same at each start. Files are worked on in at most so many
        ``threads`` of its own, which ``close`` ends; 0: in those that the event loop has for all.

        Raises:
            BlobKeyError: it is not the key that the folder was made with.
        """
        self._folder = folder
        self._key = key
        self._numbers = itertools.count()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="blobs") if threads else None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in folder.glob(f"*{_UNFINISHED}"):
            path.unlink()
        check = hmac.digest(key, b"alonzo blob key check", "sha256")
        if read_or_create(folder / _KEY_CHECK, lambda: check) != check:
            raise BlobKeyError(f"{folder} was written with another key; bring that key file back")

    def close(self) -> None:
        """End the threads. Waits for the work that is under way."""
        if self._threads is not None:
            self._threads.shutdown()

    def in_thread(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Do work on files of the folder in a thread. Raises as ``BlobUpload.write``."""
        return asyncio.get_running_loop().run_in_executor(self._threads, _named, work)

    def _path(self, sha256: str) -> Path:
        if _DIGEST.fullmatch(sha256) is None:
            raise ValueError(f"not a SHA-256 in lower-case hex: {sha256!r}")
        return self._folder / sha256

    async def put(self, content: bytes | AsyncIterator[bytes]) -> BlobRef:
        """Keep the content durably. The same content again costs only its digest.

        Raises:
            StoreFullError: there is no space left.
            StoreError: the file could not be written. Nothing is left behind in either case.
        """
        if isinstance(content, bytes):
            return await self.in_thread(lambda: self._put_bytes(content))
        upload = await self.in_thread(self._start)
        try:
            async for piece in content:
                await self.in_thread(lambda piece=piece: upload.write(piece))
            return await self.in_thread(lambda: self._finish(upload))
        finally:
            # Waits for a thread that a cancelled write may have left behind.
            await asyncio.shield(self.in_thread(upload.discard))

    def _put_bytes(self, content: bytes) -> BlobRef:
        ref = BlobRef(hashlib.sha256(content).hexdigest(), len(content))
        if self._is_intact(ref):
            return ref
        upload = self._start()
        try:
            upload.write(content)
            return self._finish(upload)
        finally:
            upload.discard()

    def _start(self) -> BlobWriter:
        return BlobWriter(self._folder / f"{next(self._numbers)}{_UNFINISHED}", self._key)

    def _finish(self, upload: BlobWriter) -> BlobRef:
        ref = BlobRef(*upload.finish())
        self.name_blocking(upload, ref)
        return ref

    def name_blocking(self, upload: BlobWriter, ref: BlobRef) -> None:
        """Give a finished file the name of its blob, unless there is such a blob.

        For threads, and for uploads alone.
        """
        if not self._is_intact(ref):
            faults.reach_nowait("blobs.before_rename")
            upload.path.rename(self._path(ref.sha256))
            sync_folder(self._folder)
            faults.reach_nowait("blobs.after_rename")

    def _is_intact(self, ref: BlobRef) -> bool:
        """Whether the blob is there, as far as its header and length tell, and durable."""
        try:
            self._open(ref.sha256).close()
        except (BlobMissingError, BlobCorruptError):
            return False
        # A put beside this one may have renamed the file, and not yet synced the folder.
        sync_folder(self._folder)
        return True

    def _open(self, sha256: str) -> BlobReader:
        try:
            return BlobReader(self._path(sha256), self._key, sha256)
        except FileNotFoundError as error:
            raise BlobMissingError(f"there is no blob {sha256}") from error

    async def read(self, sha256: str) -> bytes:
        """The whole content.

        Raises:
            BlobMissingError: there is none.
            BlobCorruptError: the file is not what was written.
        """
        return await self.in_thread(lambda: self._read(sha256))

    def _read(self, sha256: str) -> bytes:
        with self._open(sha256) as blob:
            return b"".join(blob)

    async def open_stream(self, sha256: str) -> AsyncIterator[bytes]:
        """The content piece by piece; each piece has been verified when it is handed out.

        Raises:
            BlobMissingError: there is none.
            BlobCorruptError: the file is not what was written; perhaps after some good pieces.
        """
        blob = await self.in_thread(lambda: self._open(sha256))
        try:
            while (piece := await self.in_thread(lambda: next(blob, None))) is not None:
                yield piece
        finally:
            await asyncio.shield(self.in_thread(blob.close))

    async def open_range(self, sha256: str, start: int, n_bytes: int) -> AsyncIterator[bytes]:
        """A part of the content, in pieces of about ``RANGE_PIECE_BYTES``, each of them verified.

        Raises:
            BlobMissingError: there is none.
            BlobCorruptError: the file is not what was written; perhaps after some good pieces.
        """
        blob = await self.in_thread(lambda: self._open(sha256))
        try:
            skip = await self.in_thread(lambda: blob.seek(start))
            while n_bytes > 0:
                wanted = skip + n_bytes
                piece = await self.in_thread(
                    lambda wanted=wanted: blob.read(min(wanted, RANGE_PIECE_BYTES))
                )
                if not piece:
                    return
                if skip or len(piece) > wanted:
                    piece = piece[skip:wanted]
                    skip = 0
                n_bytes -= len(piece)
                yield piece
        finally:
            await asyncio.shield(self.in_thread(blob.close))

    async def begin(self) -> BlobUpload:
        """A blob that is written by hand: for whoever does more with its bytes than to keep them.

        Raises:
            StoreFullError: there is no space left.
            StoreError: the file could not be made.
        """
        return BlobUpload(self, await self.in_thread(self._start))

    async def copy_to(self, sha256: str, path: Path) -> None:
        """Write the content in plain to a new file of mode 0600. Not synced: it is only a copy.

        Raises:
            BlobMissingError: there is none.
            BlobCorruptError: the file is not what was written; ``path`` is not left behind.
        """
        await self.in_thread(lambda: self._copy_to(sha256, path))

    def _copy_to(self, sha256: str, path: Path) -> None:
        with self._open(sha256) as blob:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(file, "wb") as stream:
                    for piece in blob:
                        stream.write(piece)
            except BaseException:
                path.unlink()
                raise

    async def exists(self, sha256: str) -> bool:
        """Whether there is a blob of that digest."""
        return await self.in_thread(self._path(sha256).exists)

    async def delete(self, sha256: str) -> None:
        """Remove the blob, if there is one.

        Only for a caller who knows that nobody refers to it, nor is about to put it again.
        """
        await self.in_thread(lambda: self._path(sha256).unlink(missing_ok=True))

    async def list_digests(self) -> list[str]:
        """The digests of all blobs, in no order."""
        return [name async for names in self.batches() for name in names]

    async def batches(self) -> AsyncIterator[list[str]]:
        """The digests of all blobs, in no order and some at a time."""
        entries = await self.in_thread(lambda: os.scandir(self._folder))
        try:
            while batch := await self.in_thread(lambda: _names(entries)):
                yield [name for name in batch if _DIGEST.fullmatch(name)]
        finally:
            entries.close()


def _names(entries: Iterator[os.DirEntry[str]]) -> list[str]:
    return [entry.name for entry in itertools.islice(entries, _LISTED)]


def _named(work: Callable[[], T]) -> T:
    """Run work on files; an error of the operating system leaves under a name of the store's."""
    try:
        return work()
    except OSError as error:
        kind = StoreFullError if error.errno in _FULL else StoreError
        raise kind(f"blob file: {error}") from error
