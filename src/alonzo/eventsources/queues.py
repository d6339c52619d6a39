"""Runs a mapping whose source is a queue: reads batches, calls, deletes what is done.

* One reader waits in a long poll, so an idle mapping costs one call in 20 s. While the queue
  answers full, up to ``READERS_MAX`` read beside each other.
* A batch is read only once there is room for it under ``scaling``, and in memory: nothing waits
  hidden in vain.
* What failed is left: the queue shows it again, counts it, and moves it to its dead-letter queue.
* A throttled batch is kept and called again as long as the call would end before its messages
  are seen again; then it is left. Meanwhile nothing else is read beyond what is allowed.
* Messages of one group are never in two calls: the queue hands out no more of a group while some
  of it is hidden, and what one receive gave is called in order, without the groups that failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any

from alonzo.eventsources.backoff import (
    call_pause_s,
    may_call_again,
    source_pause_s,
    usable_window_s,
)
from alonzo.eventsources.batching import BatchRule, OpenBatch, groups_of, without_groups
from alonzo.eventsources.calls import Fate, FunctionCaller, Tools, Waker
from alonzo.eventsources.filtering import split
from alonzo.eventsources.items import Item
from alonzo.eventsources.loops import split_loop
from alonzo.eventsources.responses import failed_items
from alonzo.eventsources.scaling import Scaling, bounds_of
from alonzo.eventsources.settings import read_settings
from alonzo.eventsources.sources import FunctionGoneError, QueueSource
from alonzo.lib import faults
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.model.event_sources import EventSourceMapping, FunctionFacts

log = logging.getLogger("alonzo.eventsources")

#: Messages of one receive and of one delete. Source: SQS API.
PIECE_MAX = 10
#: How long a receive waits for a message, in seconds. Source: Lambda developer guide.
LONG_POLL_S = 20
READERS_MAX = 4
DELETE_TRIES_MAX = 6
#: Deletes under way of what filters dropped: reading is faster where a queue lets nobody delete.
DROPS_MAX = 8
#: How often a mapping that is at its limit looks whether it may grow.
_GROWTH_S = 1.0
#: How long a receive may still take that a stop finds under way: it may just have found something.
_LAST_RECEIVE_S = 0.25


class QueueRunner:
    """One mapping at work, from its start to its stop."""

    def __init__(self, mapping: EventSourceMapping, source: QueueSource, tools: Tools) -> None:
        self._mapping = mapping
        self._settings = read_settings(mapping.document)
        self._source = source
        self._tools = tools
        self._clock = tools.clock
        self._waker = Waker()
        self._caller = FunctionCaller(tools, self._waker)
        self._scaling = Scaling(bounds_of(self._settings, None))
        self._scope = TaskScope()
        self._readers = 0
        self._under_way = 0
        self._room = asyncio.Event()
        self._polls: set[asyncio.Task[list[Item] | Exception]] = set()
        self._drops: set[asyncio.Task[None]] = set()
        self._trouble = ""

    def apply(self, mapping: EventSourceMapping) -> None:
        """Go on by what the mapping says now."""
        self._mapping = mapping
        self._settings = read_settings(mapping.document)
        self.nudge()

    def nudge(self) -> None:
        """What it waits for may have come. Never blocks."""
        self._waker.nudge()
        self._room.set()

    def stop(self) -> None:
        """Read no more; ``run`` returns once nothing is under way. Never blocks."""
        self._waker.stop()
        self._room.set()
        loop = asyncio.get_running_loop()
        for poll in self._polls:
            loop.call_later(_LAST_RECEIVE_S, poll.cancel)

    async def run(self) -> None:
        """Read until stopped, and return once nothing is under way."""
        async with self._scope:
            self._readers += 1
            await self._read(alone=True)
            await self._scope.drain()

    # Reading.

    async def _read(self, *, alone: bool) -> None:
        """Read batches and start their calls.

        ``alone``: it waits where there is nothing to read; others end then.
        """
        failures = 0
        try:
            while not self._waker.stopping:
                await self._wait_for_room()
                if self._waker.stopping:
                    return
                self._under_way += 1
                started = False
                try:
                    started = await self._read_once(LONG_POLL_S if alone else 0)
                    failures = 0
                    self._recovered()
                except Exception as err:  # noqa: BLE001 - a mapping outlives any error
                    failures += 1
                    self._log_trouble(err)
                finally:
                    if not started:
                        self._release()
                if not started and not alone:
                    return
                if failures:
                    await self._waker.pause(source_pause_s(failures, self._tools.chance))
        finally:
            self._readers -= 1

    async def _read_once(self, wait_s: int) -> bool:
        """Read one batch and start its call; answers whether there was any."""
        facts = await self._tools.functions.facts(self._mapping.function)
        if facts is None:
            raise FunctionGoneError(self._mapping.function.arn)
        self._scaling.set_bounds(bounds_of(self._settings, facts.reserved))
        hidden_s = await self._source.hidden_s()
        window_s = usable_window_s(
            self._settings.window_s, hidden_s=hidden_s, timeout_s=facts.timeout_s
        )
        batch, first_at_s, more = await self._collect(wait_s, window_s)
        await faults.reach("event_sources.after_receive")
        if not len(batch):
            if self._under_way == 1:
                self._scaling.saw_end()
            return False
        if more and self._readers < READERS_MAX and not self._waker.stopping:
            self._readers += 1
            self._spawn(self._read(alone=False), "read")
        self._spawn(self._process(batch.take(), facts, first_at_s + hidden_s), "call")
        return True

    async def _wait_for_room(self) -> None:
        while self._is_full() and not self._waker.stopping:
            self._room.clear()
            # While calls are refused there is nothing to grow for: only an end makes room.
            throttled, began_s = self._caller.waiting > 0, self._clock.monotonic_s()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if throttled else _GROWTH_S):
                    await self._room.wait()
            if not throttled:
                self._scaling.waited(self._clock.monotonic_s() - began_s)

    def _is_full(self) -> bool:
        if self._under_way >= self._scaling.allowed():
            return True
        return self._under_way > 0 and self._tools.held.is_full

    async def _collect(self, wait_s: int, window_s: float) -> tuple[OpenBatch, float, bool]:
        """Make a batch. Answers it, when its first message was hidden, and if there is more."""
        settings = self._settings
        batch = OpenBatch(BatchRule(settings.batch_size, self._tools.payload_bytes_max))
        first_at_s, more = self._clock.monotonic_s(), False
        while batch.room and not self._waker.stopping:
            pause_s = wait_s
            if len(batch):
                left_s = batch.opened_at_s + window_s - self._clock.monotonic_s()
                if left_s <= 0:
                    break
                if left_s < 1 and not more:  # Receives wait for whole seconds.
                    await self._waker.pause(left_s)
                pause_s = 0 if more else min(int(left_s), LONG_POLL_S)
            asked = min(batch.room, PIECE_MAX)
            try:
                items = await self._receive(asked, pause_s)
            except Exception:
                if not len(batch):
                    raise
                break  # What was read is called first; the next read meets the trouble again.
            now_s = self._clock.monotonic_s()
            if not items and not len(batch):
                break
            if items and not len(batch):
                first_at_s = now_s
            more = len(items) == asked
            passed, dropped = split(settings.filters, items)
            if dropped:
                await self._drop(dropped)
            batch.add(passed, now_s)
            if window_s <= 0 and len(batch):
                break
        return batch, first_at_s, more

    async def _drop(self, items: Sequence[Item]) -> None:
        """Have messages deleted that no filter lets through; waits where that lags behind."""
        if len(self._drops) >= DROPS_MAX:
            await asyncio.wait(self._drops, return_when=asyncio.FIRST_COMPLETED)
        drop = self._spawn(self._delete(items), "delete")
        self._drops.add(drop)
        drop.add_done_callback(self._drops.discard)

    async def _receive(self, most: int, wait_s: int) -> list[Item]:
        """Receive; a stop ends the wait."""
        if wait_s == 0:
            return await self._source.receive(most, 0)
        poll = self._spawn(self._try_receive(most, wait_s), "receive")
        self._polls.add(poll)
        try:
            await asyncio.wait({poll})
        finally:
            self._polls.discard(poll)
        if poll.cancelled():  # By ``stop``.
            return []
        answer = poll.result()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _try_receive(self, most: int, wait_s: int) -> list[Item] | Exception:
        try:
            return await self._source.receive(most, wait_s)
        except Exception as err:  # noqa: BLE001 - it is raised where the answer is awaited
            return err

    # Calling.

    def _process(
        self, batches: Sequence[list[Item]], facts: FunctionFacts, hidden_until_s: float
    ) -> Coroutine[Any, Any, None]:
        """What calls the function with batches; from now on they count as held."""
        n_bytes = sum(len(item.document) for items in batches for item in items)
        self._tools.held.change(n_bytes)
        return self._call_each(batches, facts, hidden_until_s, n_bytes)

    async def _call_each(
        self,
        batches: Sequence[list[Item]],
        facts: FunctionFacts,
        hidden_until_s: float,
        n_bytes: int,
    ) -> None:
        """Call the function with batches, one after another; delete what is done."""
        try:
            waiting, blocked = deque(batches), set[str]()
            while waiting:
                items, _ = without_groups(waiting.popleft(), blocked)
                if not items:
                    continue
                done, rest = await self._call(items, facts.timeout_s, hidden_until_s)
                if rest:
                    waiting.appendleft(rest)
                left = {id(item) for item in (*done, *rest)}
                blocked |= groups_of(item for item in items if id(item) not in left)
                if done:
                    await faults.reach("event_sources.after_call")
                    await self._delete(done)
        finally:
            self._tools.held.change(-n_bytes)
            self._release()

    async def _call(
        self, items: list[Item], timeout_s: int, hidden_until_s: float
    ) -> tuple[list[Item], list[Item]]:
        """Call it once. Answers what is done, and what is to be called again without the rest."""

        def patience(pause_s: float) -> bool:
            return may_call_again(
                pause_s=pause_s,
                now_s=self._clock.monotonic_s(),
                hidden_until_s=hidden_until_s,
                timeout_s=timeout_s,
            )

        partial = self._settings.partial
        called = await self._caller.call(self._mapping, items, patience, self._scaling.throttled)
        if called.fate is Fate.LOOPED:
            return [], split_loop(items)[1]
        if called.fate is not Fate.RAN:
            return [], []
        if called.errored:
            self._scaling.failed()
        failed = failed_items(items, called.payload, errored=called.errored, partial=partial)
        failures = {id(item) for item in failed}
        return [item for item in items if id(item) not in failures], []

    async def _delete(self, items: Sequence[Item]) -> None:
        """Take messages out of the queue. What cannot be, comes back."""
        for start in range(0, len(items), PIECE_MAX):
            left = list(items[start : start + PIECE_MAX])
            for tries in range(1, DELETE_TRIES_MAX + 1):
                try:
                    left = await self._source.delete(left)
                    reason = "the queue kept some"
                except (AwsError, FunctionGoneError) as err:
                    reason = repr(err)
                if not left:
                    break
                if tries == DELETE_TRIES_MAX:
                    said = {"mapping": self._mapping.arn, "messages": len(left), "reason": reason}
                    log.warning("event_source.not_deleted", extra=said)
                    break
                await asyncio.sleep(call_pause_s(tries, self._tools.chance))

    def _release(self) -> None:
        self._under_way -= 1
        self._room.set()

    def _spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        return self._scope.spawn(work, name=f"{name} {self._mapping.id}")

    # Saying what is wrong, once.

    def _log_trouble(self, err: Exception) -> None:
        trouble = f"{type(err).__name__}: {err}"
        if trouble != self._trouble:
            self._trouble = trouble
            # A refusal says itself what it is; where it came from is known of it.
            trace = None if isinstance(err, AwsError | FunctionGoneError) else err
            said = {"mapping": self._mapping.arn, "reason": trouble}
            log.warning("event_source.not_read", extra=said, exc_info=trace)

    def _recovered(self) -> None:
        if self._trouble:
            self._trouble = ""
            log.warning("event_source.read_again", extra={"mapping": self._mapping.arn})
