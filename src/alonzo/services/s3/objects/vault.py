"""The bytes of objects: small ones sealed into the row, others as blobs that pieces share.

* A blob has a row that counts the pieces it is in. At 0 the blob is deleted, soon.
* Whoever is about to use a blob holds it; what is held is not deleted, and what is being deleted
  cannot be held. So a count that is 0 cannot grow behind the back of whoever deletes.
* A crash between a blob and its row leaves a file that nothing names: ``open`` removes those.

The folder of these blobs is S3's alone.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from alonzo.services.s3.objects import rows
from alonzo.store.base import Connection, Store, StoreError
from alonzo.store.blobs import BlobStore
from alonzo.store.retrying import until_stored

#: Objects up to this size are kept in their row: a file of its own costs two syncs.
INLINE_BYTES_MAX = 16 * 1024

#: Blobs that are looked at together.
_SWEEP_MAX = 200
_NONCE_BYTES = 12


class Vault:
    """Keeps bytes, and deletes what nothing uses."""

    def __init__(self, store: Store, blobs: BlobStore, key: bytes) -> None:
        """``key`` is 32 secret bytes, the same at each start: it seals what is in rows."""
        self.blobs = blobs
        self._store = store
        self._seal = AESGCM(key)
        self._held = Counter[str]()
        self._deleting: dict[str, asyncio.Event] = {}
        #: Blobs that may have no row, for what was to use them failed.
        self._suspects: set[str] = set()
        self._wake = asyncio.Event()

    async def open(self) -> None:
        """Remove what a crash left behind, before the first request."""
        async for digests in self.blobs.batches():
            self._suspects.update(
                await self._store.read(lambda db, digests=digests: rows.unused_of(db, digests))
            )
            if self._suspects:
                await self.sweep()

    def seal(self, content: bytes) -> bytes:
        """A small content, encrypted."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, content, None)

    def unseal(self, sealed: bytes) -> bytes:
        """What ``seal`` was given."""
        return self._seal.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)

    @asynccontextmanager
    async def holding(self, *digests: str) -> AsyncGenerator[None]:
        """Keep blobs from being deleted until whoever uses them has stored that."""
        async with self.reading(*digests):
            try:
                yield
            except BaseException:
                self._suspects.update(digests)
                raise

    @asynccontextmanager
    async def reading(self, *digests: str) -> AsyncGenerator[None]:
        """Keep blobs that are in use from being deleted while they are read."""
        held: list[str] = []
        try:
            for sha256 in digests:
                while (deleting := self._deleting.get(sha256)) is not None:
                    await deleting.wait()
                self._held[sha256] += 1
                held.append(sha256)
            yield
        finally:
            for sha256 in held:
                self._held[sha256] -= 1
                if not self._held[sha256]:
                    del self._held[sha256]
            self.nudge()

    def nudge(self) -> None:
        """Something may have become useless."""
        self._wake.set()

    async def run(self) -> None:
        """Delete what nothing uses, until cancelled."""
        while True:
            self._wake.clear()
            await until_stored(self.sweep, name="s3.blobs")
            await self._wake.wait()

    async def sweep(self) -> None:
        """Delete the blobs that nothing uses.

        Raises:
            StoreError: what has not been deleted is left to the next sweep.
        """
        while True:
            found = await self._store.read(lambda db: rows.unused_blobs(db, _SWEEP_MAX))
            suspects = [self._suspects.pop() for _ in range(min(_SWEEP_MAX, len(self._suspects)))]
            free = [each for each in dict.fromkeys([*found, *suspects]) if each not in self._held]
            if not free:
                return
            await self._delete(free)

    async def _delete(self, digests: Sequence[str]) -> None:
        """Delete those that nothing uses; none of them is held. One commit is for all."""
        gone = asyncio.Event()
        self._deleting.update(dict.fromkeys(digests, gone))
        try:
            for sha256 in await self._store.tx(lambda db: _forget_unused(db, digests)):
                await self.blobs.delete(sha256)
        except StoreError:
            self._suspects.update(digests)
            raise
        finally:
            for sha256 in digests:
                del self._deleting[sha256]
            gone.set()


def _forget_unused(db: Connection, digests: Sequence[str]) -> list[str]:
    unused = rows.unused_of(db, digests)
    for sha256 in unused:
        rows.forget_blob(db, sha256)
    return unused
