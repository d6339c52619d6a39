"""Deletes the packages that no function needs any more.

* ``code_package`` lists every blob that this room ever put, so what a crash or a refused request
  left behind is found as well as what a deleted function used.
* The decision is stored before the blob goes. From then on nobody can come to rely on the blob
  until it is gone and forgotten; then its package may come again.
* A blob lives on for a grace after its last use: requests that have put it and not yet stored
  who needs it, download links, and environments about to start may still want it.
"""

from __future__ import annotations

import logging

from alonzo.control import records
from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.store.base import Store
from alonzo.store.blobs import BlobStore

log = logging.getLogger("alonzo.control")

#: Seconds; longer than any request takes, and than a link lives.
GRACE_S = 3600.0


class Sweeper:
    """Sweeps when told to."""

    def __init__(self, store: Store, blobs: BlobStore, *, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock

    async def sweep(self) -> None:
        """Delete what nothing has needed for ``GRACE_S``, and what an earlier sweep left.

        Raises:
            StoreError: what has not been deleted is left to the next sweep.
        """
        before_s = self._clock.now_s() - GRACE_S
        digests = await self._store.tx(
            lambda db: records.mark_collectable(db, used_before_s=before_s)
        )
        for sha256 in digests:
            await faults.reach("control.before_blob_delete")
            await self._blobs.delete(sha256)
            await faults.reach("control.after_blob_delete")
            await self._store.tx(lambda db, sha256=sha256: records.forget_package(db, sha256))
        if digests:
            log.info("control.swept", extra={"packages": len(digests)})
