"""Metrics and usage of one platform, put together: what counts, what folds, what forgets."""

from __future__ import annotations

from typing import Protocol

from alonzo.lib.clock import Clock
from alonzo.lib.tasks import TaskScope
from alonzo.services.cloudwatch.folding import Folder
from alonzo.services.cloudwatch.retention import Reaper
from alonzo.services.cloudwatch.sink import MetricWriter
from alonzo.store.base import Store


class Log(Protocol):
    """The writer of the log, whose flushes take along what was counted."""

    def accompany(self, companion: MetricWriter) -> None:
        """Have the companion's work done with every flush."""
        ...

    def wake(self) -> None:
        """Flush soon."""
        ...

    async def flush(self) -> None:
        """Return once all that was written or counted before is durable."""
        ...


class Metering:
    """``writer`` counts, ``folder`` makes it readable."""

    def __init__(self, store: Store, clock: Clock, log: Log) -> None:
        self.writer = MetricWriter(store, clock=clock, wake=log.wake)
        log.accompany(self.writer)
        self.folder = Folder(store, log.flush)
        self._reaper = Reaper(store, self.folder, clock)

    async def run(self) -> None:
        """Fold and forget until cancelled. What is left in the journal then is folded later."""
        async with TaskScope() as scope:
            scope.spawn(self.folder.run(), name="fold metrics")
            await self._reaper.run()
