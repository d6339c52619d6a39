"""Which mappings run. Implements ``ports.event_sources.Pollers``.

The control plane says what runs: at a start each mapping that is enabled, and later every change.
There is one runner for each mapping, and it lives until it is told to stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from alonzo.eventsources.calls import Tools
from alonzo.eventsources.queues import QueueRunner
from alonzo.eventsources.shards import ShardRunner
from alonzo.eventsources.sources import Poller, Reading
from alonzo.lib.tasks import TaskScope
from alonzo.model.event_sources import EventSourceMapping
from alonzo.model.functions import CHANGES_TOPIC
from alonzo.store.base import Store

Runner = QueueRunner | ShardRunner


@dataclass(frozen=True, slots=True)
class _Running:
    reading: Reading
    runner: Runner
    task: asyncio.Task[None]


class MappingEngine:
    """Reads the sources of mappings."""

    def __init__(
        self, store: Store, pollers: Sequence[Poller], tools: Tools, scope: TaskScope
    ) -> None:
        self._pollers = {kind: poller for poller in pollers for kind in poller.kinds}
        self._tools = tools
        self._scope = scope
        self._running: dict[str, _Running] = {}
        self._draining = False
        self._unsubscribe = store.subscribe(CHANGES_TOPIC, self._function_changed)

    def close(self) -> None:
        """Stop listening."""
        self._unsubscribe()

    def __len__(self) -> int:
        """The mappings that run."""
        return len(self._running)

    async def apply(self, mapping: EventSourceMapping) -> None:
        """Read the mapping's source from now on, as the mapping says."""
        running = self._running.get(mapping.arn)
        if running is not None:
            running.reading.mapping = mapping
            running.runner.apply(mapping)
            return
        poller = self._pollers.get(mapping.kind)
        if poller is None or self._draining or not self._tools.calls.offers(poller.service):
            return
        reading = Reading(mapping, self._tools.calls, self._tools.functions, self._tools.ids)
        runner = self._runner(poller, reading)
        task = self._scope.spawn(runner.run(), name=f"event source mapping {mapping.id}")
        self._running[mapping.arn] = _Running(reading, runner, task)

    async def stop(self, arn: str) -> None:
        """Read no more for the mapping; return once none of its batches is under way."""
        running = self._running.get(arn)
        if running is not None:
            running.runner.stop()
            await asyncio.wait({running.task})
            self._running.pop(arn, None)

    async def drain(self, grace_s: float) -> None:
        """Read no more at all, and wait until nothing is under way, for so long at most.

        What runs on after that may be cut at any time: its messages come back.
        """
        self._draining = True
        for running in self._running.values():
            running.runner.stop()
        if self._running:
            tasks = {running.task for running in self._running.values()}
            await asyncio.wait(tasks, timeout=grace_s)

    def _runner(self, poller: Poller, reading: Reading) -> Runner:
        if poller.queue is not None:
            return QueueRunner(reading.mapping, poller.queue(reading), self._tools)
        assert poller.shards is not None
        return ShardRunner(reading.mapping, poller.shards(reading), self._tools)

    def _function_changed(self, path: str) -> None:
        for running in self._running.values():
            if running.reading.mapping.function.key.path == path:
                running.runner.nudge()
