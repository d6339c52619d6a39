"""Makes it so: ends what is under way with event source mappings.

The store alone says what there is to do, so a start, a change and a poll run the same code. There
are no pollers to start or stop yet; what remains is the state, which changes in a commit of its
own, as callers see it on AWS.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace

from alonzo.control.event_sources import machine, records
from alonzo.control.event_sources.machine import State
from alonzo.control.event_sources.records import MAPPINGS_TOPIC
from alonzo.lib import faults
from alonzo.store.base import Connection, Store, StoreError

log = logging.getLogger("alonzo.control")

#: Mappings of one commit, and how often to look though nothing was published, in seconds.
_BATCH_MAX = 100
_POLL_S = 30.0


class MappingReconciler:
    """Works for as long as ``run()`` runs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled."""
        unsubscribe = self._store.subscribe(MAPPINGS_TOPIC, lambda _: self._wake.set())
        try:
            while True:
                self._wake.clear()
                try:
                    settled = await self.reconcile()
                except StoreError:
                    log.exception("event_sources.reconcile_failed")
                    settled = 0
                if settled < _BATCH_MAX:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_S):
                            await self._wake.wait()
        finally:
            unsubscribe()

    async def reconcile(self) -> int:
        """Settle some of the mappings that are busy. Answers how many."""
        if not await self._store.read(lambda db: records.list_busy(db, rows_max=1)):
            return 0
        await faults.reach("event_sources.after_look")
        return await self._store.tx(_settle)


def _settle(db: Connection) -> int:
    busy = records.list_busy(db, rows_max=_BATCH_MAX)
    for record in busy:
        if record.state is State.DELETING:
            records.delete(db, record.key)
        else:
            state = machine.step(record.state, machine.settle(record.enabled))
            records.save(db, replace(record, state=state))
    return len(busy)
