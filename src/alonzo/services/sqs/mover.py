"""Moves messages out of dead-letter queues, as tasks say that were started.

What a task has moved is written down in the unit of work that moves it, so a task goes on after a
restart where it was. It is over once it has moved as many messages as there were to be received
when it was started, or when there is none left: what comes later, perhaps the same message failed
once more, is for another task.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from alonzo.lib.clock import Clock
from alonzo.services.sqs import task_records
from alonzo.services.sqs.backlog import Backlog
from alonzo.services.sqs.directory import Directory
from alonzo.services.sqs.records import Q
from alonzo.services.sqs.task_records import CANCELLED, COMPLETED, FAILED, RUNNING, MoveTask
from alonzo.store.base import Connection, Store, StoreError

log = logging.getLogger("alonzo.sqs")

#: Messages moved in one unit of work, so that others get their turn.
PIECE_MAX = 100

#: Pause between two looks for tasks, if nobody nudges, and after a failure of the store.
_PASS_INTERVAL_S = 60.0
_RETRY_S = 1.0

#: Why a task failed, in AWS's words. *Recorded.*
_NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
_NO_SOURCE = "CouldNotDetermineMessageSource"


@dataclass(slots=True)
class _Progress:
    """Since when, on the steady clock, this process works on a task, and what it has moved."""

    since_s: float
    moved: int = 0


class Mover:
    """Works on all tasks that are not over."""

    def __init__(
        self, directory: Directory, store: Store, backlog: Backlog, *, clock: Clock
    ) -> None:
        self._directory = directory
        self._store = store
        self._backlog = backlog
        self._clock = clock
        self._nudged = asyncio.Event()
        self._progress: dict[str, _Progress] = {}

    def nudge(self) -> None:
        """Have a look now."""
        self._nudged.set()

    async def run(self) -> None:
        """Move until cancelled."""
        while True:
            self._nudged.clear()
            try:
                wait_s = await self.step()
            except StoreError:
                log.exception("sqs.not_moved")
                wait_s = _RETRY_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._nudged.wait()
            except TimeoutError:
                continue

    async def step(self) -> float:
        """Move a piece of each task; answers after how many seconds there is more to do."""
        tasks = await self._store.read(task_records.active)
        self._progress = {
            task.id: self._progress.get(task.id) or _Progress(self._clock.monotonic_s())
            for task in tasks
        }
        waits = [await self._advance(task) for task in tasks]
        return min(waits, default=_PASS_INTERVAL_S)

    async def _advance(self, task: MoveTask) -> float:
        progress = self._progress[task.id]
        due = self._due(task, progress)
        if due or task.state != RUNNING:
            progress.moved += await self._store.tx(lambda conn: self._move(conn, task.id, due))
        return self._wait_s(task, progress)

    def _due(self, task: MoveTask, progress: _Progress) -> int:
        """How many messages may be moved now."""
        if task.per_second_max is None:
            return PIECE_MAX
        elapsed_s = self._clock.monotonic_s() - progress.since_s
        return max(0, min(int(elapsed_s * task.per_second_max) - progress.moved, PIECE_MAX))

    def _wait_s(self, task: MoveTask, progress: _Progress) -> float:
        if task.per_second_max is None:
            return 0.0
        next_s = progress.since_s + (progress.moved + 1) / task.per_second_max
        return max(0.001, next_s - self._clock.monotonic_s())

    def _move(self, conn: Connection, task_id: str, due: int) -> int:
        """Move up to ``due`` messages, and write down how far the task has got."""
        # Read again here: it may have been cancelled since.
        task = task_records.try_find(conn, task_id)
        if task is None:
            return 0
        now_s = self._clock.now_s()
        if task.state != RUNNING:
            task_records.end(conn, task, CANCELLED, now_s)
            return 0
        source = self._directory.of_id_nowait(task.queue_id)
        to = self._directory.of_arn_nowait(task.destination_arn or "")
        if source is None or (to is None and task.destination_arn is not None):
            task_records.end(conn, task, FAILED, now_s, _NO_QUEUE)
            return 0
        wanted = min(due, task.to_move - task.moved)
        moved, is_stuck = self._backlog.move_some(conn, source, to, wanted)
        conn.execute(Q.count_moved, {"id": task.id, "moved": moved})
        if is_stuck:
            task_records.end(conn, task, FAILED, now_s, _NO_SOURCE)
        elif moved < wanted or task.moved + moved >= task.to_move:
            task_records.end(conn, task, COMPLETED, now_s)
        return moved
