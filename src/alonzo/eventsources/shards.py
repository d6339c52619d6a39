"""Runs a mapping whose source has shards: reads each in order, calls, moves its checkpoint.

* A shard is one sequence of batches. With a parallelization factor, what one read gave is called
  side by side, by the group of the items, and the checkpoint waits for all of it.
* What failed is handed over again, split or given up as ``retrying`` decides. The checkpoint never
  passes an item that is neither done nor given up, so a death costs repetitions and no item.
* What is given up is reported to the on-failure destination before the checkpoint moves.
* A throttled call is no attempt: it is made again until it runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from zlib import crc32

from alonzo.eventsources.backoff import call_pause_s, source_pause_s
from alonzo.eventsources.batching import BatchRule, OpenBatch
from alonzo.eventsources.calls import Called, Fate, FunctionCaller, Tools, Waker
from alonzo.eventsources.failure_records import failure_record
from alonzo.eventsources.filtering import split
from alonzo.eventsources.items import Item
from alonzo.eventsources.responses import failed_items
from alonzo.eventsources.retrying import Attempted, Discard, after_failure, split_expired
from alonzo.eventsources.settings import read_settings
from alonzo.eventsources.sources import FunctionGoneError, ShardSource
from alonzo.lib import faults
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import LATEST
from alonzo.model.deliveries import Delivery
from alonzo.model.errors import AwsError
from alonzo.model.event_sources import EventSourceMapping

log = logging.getLogger("alonzo.eventsources")

#: How often to look for new shards, and how long a read waits for items, in seconds.
_SHARDS_EVERY_S = 10.0
_READ_S = 1.0
_DELIVERY_TRIES_MAX = 5


class ShardRunner:
    """One mapping at work, from its start to its stop."""

    def __init__(self, mapping: EventSourceMapping, source: ShardSource, tools: Tools) -> None:
        self._mapping = mapping
        self._settings = read_settings(mapping.document)
        self._source = source
        self._tools = tools
        self._clock = tools.clock
        self._waker = Waker()
        self._caller = FunctionCaller(tools, self._waker)
        self._scope = TaskScope()
        self._shards: set[str] = set()

    def apply(self, mapping: EventSourceMapping) -> None:
        """Go on by what the mapping says now."""
        self._mapping = mapping
        self._settings = read_settings(mapping.document)
        self._waker.nudge()

    def nudge(self) -> None:
        """What it waits for may have come. Never blocks."""
        self._waker.nudge()

    def stop(self) -> None:
        """Read no more; ``run`` returns once nothing is under way. Never blocks."""
        self._waker.stop()

    async def run(self) -> None:
        """Read until stopped, and return once nothing is under way."""
        async with self._scope:
            failures = 0
            while not self._waker.stopping:
                try:
                    found = await self._source.shards()
                    failures = 0
                except Exception as err:  # noqa: BLE001 - a mapping outlives any error
                    failures += 1
                    self._log("event_source.not_read", err)
                    found = []
                for shard in found:
                    if shard not in self._shards:
                        self._shards.add(shard)
                        self._scope.spawn(self._follow(shard), name=f"shard {shard}")
                pause_s = source_pause_s(failures, self._tools.chance) if failures else None
                await self._waker.pause(pause_s or _SHARDS_EVERY_S)
            await self._scope.drain()

    async def _follow(self, shard: str) -> None:
        """Read one shard until stopped."""
        position: str | None = None
        known, failures = False, 0
        while not self._waker.stopping:
            try:
                if not known:
                    position, known = await self._source.checkpoint(shard), True
                last = await self._step(shard, position)
                position = position if last is None else last.id
                failures = 0
            except Exception as err:  # noqa: BLE001 - a shard outlives any error
                # What was done of the read has its checkpoint: that is where it goes on.
                known, failures = False, failures + 1
                self._log("event_source.not_read", err)
                await self._waker.pause(source_pause_s(failures, self._tools.chance))

    async def _step(self, shard: str, position: str | None) -> Item | None:
        """Read once and work it off; answers the last item that is done, or None."""
        items = await self._collect(shard, position)
        if not items or self._waker.stopping:
            return None
        passed, _ = split(self._settings.filters, items)
        lanes = _lanes(passed, self._settings.parallelization)
        alone = len(lanes) == 1
        works = (self._work(shard, each, alone) for each in lanes)
        for ended in await asyncio.gather(*works, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended
            if not ended:
                raise _StoppedError
        await self._source.commit(shard, items[-1])
        return items[-1]

    async def _collect(self, shard: str, position: str | None) -> list[Item]:
        """What one batch of each lane is made of."""
        settings = self._settings
        rule = BatchRule(
            settings.batch_size * settings.parallelization, self._tools.payload_bytes_max
        )
        batch, items = OpenBatch(rule), list[Item]()
        while batch.room and not self._waker.stopping:
            wait_s = _READ_S
            if items:
                left_s = batch.opened_at_s + settings.window_s - self._clock.monotonic_s()
                if left_s <= 0:
                    break
                wait_s = min(left_s, _READ_S)
            after = items[-1].id if items else position
            found = await self._source.read(shard, after, batch.room, wait_s)
            batch.add(found, self._clock.monotonic_s())
            items += found
            if not items:
                break
        taken = batch.take()
        return taken[0] if taken else []

    async def _work(self, shard: str, items: Sequence[Item], alone: bool) -> bool:
        """Work off items of one lane; False: it was stopped. ``alone``: it moves the checkpoint."""
        size = self._settings.batch_size
        todo = deque(
            Attempted(tuple(items[start : start + size])) for start in range(0, len(items), size)
        )
        last: Called | None = None
        failures = 0
        while todo:
            batch, expired = split_expired(todo.popleft(), self._settings, self._clock.now_s())
            if expired is not None:
                await self._report(shard, expired, last)
            if not batch.items:
                continue
            if self._waker.stopping:
                return False
            last = await self._call(batch)
            if last.fate is Fate.THROTTLED:
                return False
            failed = self._failed(batch, last)
            done = batch.items
            if failed:
                failures += 1
                following = after_failure(batch, failed, self._settings)
                done = batch.items[: batch.items.index(failed[0])]
                if isinstance(following, Discard):
                    await self._report(shard, following, last)
                    done = batch.items
                else:
                    todo.extendleft(reversed(following))
                    await self._waker.pause(call_pause_s(failures, self._tools.chance))
            else:
                failures = 0
            if alone and done:
                await faults.reach("event_sources.after_call")
                await self._source.commit(shard, done[-1])
        return True

    async def _call(self, batch: Attempted) -> Called:
        def patience(pause_s: float) -> bool:
            return not self._waker.stopping

        return await self._caller.call(self._mapping, batch.items, patience, _ignore)

    def _failed(self, batch: Attempted, called: Called) -> list[Item]:
        return failed_items(
            batch.items,
            called.payload,
            errored=called.errored,
            partial=self._settings.partial,
        )

    async def _report(self, shard: str, discard: Discard, last: Called | None) -> None:
        """Tell the on-failure destination what is given up."""
        target = self._settings.on_failure
        facts = await self._tools.functions.facts(self._mapping.function)
        if target is None or facts is None:
            said = {"mapping": self._mapping.arn, "records": len(discard.items)}
            log.warning("event_source.discarded", extra=said)
            return
        ref, now_s, request_id = self._mapping.function, self._clock.now_s(), self._tools.ids.uuid()
        record = failure_record(
            discard,
            self._source.info(shard, discard.items),
            request_id=request_id,
            function_arn=ref.arn,
            last=last,
            now_s=now_s,
        )
        delivery = Delivery(
            request_id=request_id,
            sender_arn=ref.key.qualified(ref.qualifier or LATEST),
            target_arn=target,
            trace_header="",
            document=record,
            role_arn=facts.role_arn,
            ended_at_s=now_s,
        )
        for tries in range(1, _DELIVERY_TRIES_MAX + 1):
            try:
                await self._tools.destinations.deliver(delivery)
            except AwsError as err:
                self._log("event_source.not_reported", err)
                await asyncio.sleep(call_pause_s(tries, self._tools.chance))
            else:
                return

    def _log(self, event: str, err: Exception) -> None:
        if isinstance(err, _StoppedError):
            return
        trace = None if isinstance(err, AwsError | FunctionGoneError) else err
        said = {"mapping": self._mapping.arn, "reason": repr(err)}
        log.warning(event, extra=said, exc_info=trace)


class _StoppedError(Exception):
    """Some of a read is not done because the mapping is being stopped, or its calls throttled."""


def _ignore() -> None:
    """Of shards there are only so many: nothing is to be slowed down."""


def _lanes(items: Sequence[Item], factor: int) -> list[list[Item]]:
    """Items that may be called side by side; those of one group stay together, in their order."""
    lanes: dict[int, list[Item]] = {}
    for item in items:
        number = crc32((item.group or "").encode()) % factor if factor > 1 else 0
        lanes.setdefault(number, []).append(item)
    return list(lanes.values()) or [[]]
