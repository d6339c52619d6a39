"""Makes it so: has pollers run as mappings say, and ends what is under way.

The store alone says what there is to do, so a start, a change and a poll run the same code. At its
start it names every enabled mapping to the pollers. A state changes in a commit of its own, as
callers see it on AWS, once the pollers have done what it says; a mapping that is disabled or
deleted stays busy until its last batch is over, and holds up no other one meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace

from alonzo.control.event_sources import machine, records
from alonzo.control.event_sources.machine import State
from alonzo.control.event_sources.records import MAPPINGS_TOPIC, MappingKey, MappingRecord
from alonzo.lib import faults
from alonzo.lib.tasks import TaskScope
from alonzo.model.event_sources import EventSourceMapping
from alonzo.model.ports.event_sources import Pollers
from alonzo.store.base import Connection, Store, StoreError

log = logging.getLogger("alonzo.control")

#: Mappings of one look, and how often to look though nothing was published, in seconds.
_BATCH_MAX = 100
_POLL_S = 30.0
#: Mappings of one page when all that are enabled are read.
_PAGE_MAX = 1000


class MappingReconciler:
    """Works for as long as ``run()`` runs."""

    def __init__(self, store: Store, pollers: Pollers) -> None:
        self._store = store
        self._pollers = pollers
        self._wake = asyncio.Event()
        self._started = False
        self._scope = TaskScope()
        self._stopping: set[MappingKey] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        unsubscribe = self._store.subscribe(MAPPINGS_TOPIC, lambda _: self._wake.set())
        try:
            async with self._scope:
                while True:
                    self._wake.clear()
                    try:
                        await self._start()
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
        """Settle some of the mappings that are busy; answers how many.

        Those that must end first are settled once they have.
        """
        rows_max = _BATCH_MAX + len(self._stopping)
        busy = await self._store.read(lambda db: records.list_busy(db, rows_max=rows_max))
        todo = [record for record in busy if record.key not in self._stopping]
        if not todo:
            return 0
        await faults.reach("event_sources.after_look")
        ready: list[MappingRecord] = []
        for record in todo:
            if record.enabled and record.state is not State.DELETING:
                await self._apply(record)
                ready.append(record)
            else:
                self._stopping.add(record.key)
                self._scope.spawn(self._stop(record), name=f"stop {record.key.id}")
        if ready:
            await self._settle(ready)
        return len(todo)

    async def drain(self) -> None:
        """Wait until no mapping is on its way to a stop."""
        await self._scope.drain()

    async def _start(self) -> None:
        """Name every enabled mapping to the pollers, once."""
        after = MappingKey("", "", "")
        while not self._started:
            page = await self._store.read(
                lambda db, after=after: records.list_enabled(db, after=after, rows_max=_PAGE_MAX)
            )
            for record in page:
                if record.state is not State.DELETING:
                    await self._apply(record)
            self._started = len(page) < _PAGE_MAX
            after = page[-1].key if page else after

    async def _apply(self, record: MappingRecord) -> None:
        try:
            await self._pollers.apply(seen_by_pollers(record))
        except Exception:
            # One that cannot run must not keep the others from it.
            log.exception("event_sources.not_applied", extra={"mapping": record.key.arn})

    async def _stop(self, record: MappingRecord) -> None:
        try:
            await self._pollers.stop(record.key.arn)
            await self._settle([record])
        except StoreError:
            # It is busy still, so the next look stops it once more.
            log.exception("event_sources.reconcile_failed")
        finally:
            self._stopping.discard(record.key)
            self._wake.set()

    async def _settle(self, ready: list[MappingRecord]) -> None:
        keys = [record.key for record in ready]
        await self._store.tx(lambda db: _settle(db, keys))


def seen_by_pollers(record: MappingRecord) -> EventSourceMapping:
    """A mapping as those who read its source see it."""
    return EventSourceMapping(
        arn=record.key.arn,
        id=record.key.id,
        function=record.function,
        kind=record.kind.name,
        source_arn=record.source_arn,
        document=record.document,
    )


def _settle(db: Connection, keys: list[MappingKey]) -> None:
    """End what is under way with mappings that are busy; nobody else changes such a state."""
    for key in keys:
        record = records.find(db, key)
        if record is None or record.state in machine.SETTLED:
            continue
        if record.state is State.DELETING:
            records.delete(db, key)
        else:
            state = machine.step(record.state, machine.settle(record.enabled))
            records.save(db, replace(record, state=state))
