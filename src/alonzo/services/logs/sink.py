"""The log sink: takes events in about a microsecond, makes them durable ten times a second.

    write_nowait ──▶ queue ──▶ run(): every 100 ms, or sooner when much waits
                                 group by stream · pack · one unit of work for all streams

* ``write_nowait`` only appends to a queue; sorting, packing and the store come later, and packing
  runs in a thread, so that no invoke waits for it.
* The queue is bounded. Past the bound the oldest events go, and the next flush writes a line into
  each stream that lost some.
* A flush that fails puts its batch back; nothing is lost while it fits the bound.
* A flush belongs to the writer, not to the caller that asked for it: a caller that is cancelled
  stops waiting, and the batch is written once, not twice.
* Lines are stored with the final newline that the port leaves out: on AWS every event of a Lambda
  function ends with one (recorded). So no event is empty, which the API would not allow.
* Whoever reads calls ``flush()`` first, so a read sees every event written before it.
* What a function's role may not write is dropped, as on AWS; a group or a stream that is there
  already needs no permission to be made.
* A companion's work is part of each flush: what is counted when a REPORT line is written becomes
  durable in the commit of that line, or not at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.lib.tasks import TaskScope
from alonzo.model.ports.logs import LateEvents, LogEvent, LogRights, LogStream
from alonzo.services.logs import records
from alonzo.services.logs.chunks import Chunk, Event, pack
from alonzo.services.logs.rules import GroupKey
from alonzo.store.base import Connection, Store, StoreError

if TYPE_CHECKING:
    # With what they need they are half a MiB, and most platforms have no filters.
    from alonzo.services.logs.findings import Findings, Watch
    from alonzo.services.logs.watching import Watchers

log = logging.getLogger("alonzo.logs")

#: How long an event waits at most while the flusher runs.
FLUSH_INTERVAL_S = 0.1
#: How long the flusher waits after the store refused a batch.
RETRY_INTERVAL_S = 1.0
#: Characters waiting that start a flush at once.
FLUSH_CHARACTERS = 1 << 20
#: Characters that may wait; the port's bound. While a flush is under way its batch comes on top.
QUEUED_CHARACTERS_MAX = 32 << 20
#: What an event weighs in the queue beside its message.
EVENT_WEIGHT = 64

#: What events weigh whose texts are made later, on the whole.
LATE_WEIGHT = 512

_Write = tuple[LogStream, Sequence[LogEvent]]


@dataclass(slots=True)
class _Packed:
    """The new chunks of a stream, and what those found in them who watch its group."""

    stream: LogStream
    chunks: list[Chunk]
    watch: Watch | None = None
    findings: Findings | None = None


class Load(Protocol):
    """What a companion writes with one flush."""

    def prepare(self, lines: Iterable[_Write]) -> None:
        """Get ready, in a thread; ``lines`` are those of the flush, without final newlines."""
        ...

    def write(self, conn: Connection) -> None:
        """Part of the unit of work that writes the lines."""
        ...

    def settle(self, *, written: bool) -> None:
        """On the event loop: the unit of work is durable, or nothing of it is left."""
        ...


class Companion(Protocol):
    """Whoever has something that must become durable together with the lines of its moment."""

    @property
    def waits(self) -> bool:
        """Whether there is something to write."""
        ...

    def take(self) -> Load:
        """All that there is now, in the same step in which the lines are taken."""
        ...


class LogWriter:
    """Implements ``model.ports.logs.LogSink`` over a store. For one event loop."""

    def __init__(
        self, store: Store, *, clock: Clock, queued_characters_max: int = QUEUED_CHARACTERS_MAX
    ) -> None:
        self._store = store
        self._clock = clock
        self._queued_characters_max = queued_characters_max
        self._queue: deque[_Write] = deque()
        #: See ``LogSink``.
        self.batch = object()
        self._weight = 0
        self._dropped: dict[LogStream, int] = {}
        self._waiting = asyncio.Event()
        self._crowded = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._scope = TaskScope()
        self._companion: Companion | None = None
        self._rights: LogRights | None = None
        self._watchers: Watchers | None = None

    def watch(self, watchers: Watchers) -> None:
        """From now on have all events looked at by those who watch their groups."""
        self._watchers = watchers

    def ask(self, rights: LogRights) -> None:
        """From now on drop what roles may not write."""
        self._rights = rights

    def accompany(self, companion: Companion) -> None:
        """Have a companion's work done with every flush. There is one at most."""
        self._companion = companion

    def wake(self) -> None:
        """Flush soon: the companion has something to write. Never blocks."""
        self._waiting.set()

    def write_nowait(self, stream: LogStream, events: Sequence[LogEvent]) -> None:
        """Queue events for the next flush. The caller must not change ``events`` afterwards."""
        queue = self._queue
        if not queue:
            self._waiting.set()
        queue.append((stream, events))
        # What is late is not made here; it is short.
        self._weight += LATE_WEIGHT if type(events) is LateEvents else _weight(events)
        if self._weight > FLUSH_CHARACTERS:
            self._make_room()

    async def run(self) -> None:
        """Flush until cancelled; then ``close()`` writes what is left."""
        while True:
            await self._waiting.wait()
            try:
                async with asyncio.timeout(FLUSH_INTERVAL_S):
                    await self._crowded.wait()
            except TimeoutError:
                pass
            try:
                await self.flush()
            except StoreError:
                log.exception("logs.flush_failed")
                await asyncio.sleep(RETRY_INTERVAL_S)

    async def flush(self) -> None:
        """Return once every event written before the call is durable.

        Costs next to nothing when nothing waits.

        Raises:
            StoreError: the store refused the batch, which stays queued.
        """
        if not self._has_work and not self._flushing.locked():
            return
        error = await asyncio.shield(self._scope.spawn(self._flush_once(), name="logs.flush"))
        if error is not None:
            raise error

    async def close(self) -> None:
        """Write what is left. Events written later are lost unless someone flushes again.

        Raises:
            StoreError: the store refused what was left.
        """
        await self.flush()
        await self._scope.drain()

    @property
    def _has_work(self) -> bool:
        if self._queue or self._dropped:
            return True
        return self._companion is not None and self._companion.waits

    async def _flush_once(self) -> StoreError | None:
        async with self._flushing:
            if self._has_work:
                try:
                    await self._flush_batch()
                except StoreError as error:
                    return error
        return None

    async def _flush_batch(self) -> None:
        batch, dropped = self._queue, self._dropped
        self._queue, self._dropped, self._weight = deque(), {}, 0
        self.batch = object()
        load = None if self._companion is None else self._companion.take()
        self._waiting.clear()
        self._crowded.clear()
        try:
            now_ms = int(self._clock.now_s() * 1000)
            # By the streams' addresses first: hashing one is dear, and each has many lines.
            streams = {*dropped, *{id(stream): stream for stream, _ in batch}.values()}
            barred = await self._barred(streams)
            if barred:
                batch = deque(write for write in batch if write[0] not in barred)
                dropped = {each: lost for each, lost in dropped.items() if each not in barred}
            watches = self._watches(streams - barred)
            packed = await asyncio.to_thread(_prepare, batch, dropped, now_ms, load)
            if watches:
                await asyncio.to_thread(self._look, packed, watches, now_ms)
            await faults.reach("logs.before_flush")
            await self._store.tx(
                lambda conn: _append_all(conn, packed, now_ms, load, self._watchers)
            )
        except BaseException:
            self._put_back(batch, dropped)
            if load is not None:
                load.settle(written=False)
            raise
        await faults.reach("logs.after_flush")
        if load is not None:
            load.settle(written=True)
        if watches and self._watchers is not None:
            for each in packed:
                if each.findings is not None:
                    self._watchers.show(each.findings)

    def _watches(self, streams: Iterable[LogStream]) -> Mapping[LogStream, Watch]:
        """Who watches, by the streams of a flush that anybody does."""
        if self._watchers is None:
            return {}
        found: dict[LogStream, Watch] = {}
        for stream in streams:
            key = GroupKey(stream.account, stream.region, stream.group)
            watch = self._watchers.watch_of(key)
            if watch is not None:
                found[stream] = watch
        return found

    def _look(
        self, packed: Iterable[_Packed], watches: Mapping[LogStream, Watch], now_ms: int
    ) -> None:
        assert self._watchers is not None
        for each in packed:
            each.watch = watches.get(each.stream)
            if each.watch is not None:
                name = each.stream.name
                each.findings = self._watchers.look(each.watch, name, each.chunks, now_ms)

    async def _barred(self, streams: set[LogStream]) -> set[LogStream]:
        """Those that their roles may not write to."""
        if self._rights is None:
            return set()
        barred = set[LogStream]()
        for stream in streams:
            if not stream.role_arn:
                continue
            group, own, events = await self._rights.permit(stream)
            if not events or (
                not (group and own)
                and not await self._is_there(stream, with_stream=not own, with_group=not group)
            ):
                barred.add(stream)
        return barred

    async def _is_there(self, stream: LogStream, *, with_group: bool, with_stream: bool) -> bool:
        key = GroupKey(stream.account, stream.region, stream.group)

        def work(conn: Connection) -> bool:
            group = records.find_group(conn, key)
            if group is None:
                return not with_group and not with_stream
            return not with_stream or records.find_stream(conn, group.id, stream.name) is not None

        return await self._store.read(work)

    def _put_back(self, batch: deque[_Write], dropped: dict[LogStream, int]) -> None:
        for stream, count in dropped.items():
            self._dropped[stream] = self._dropped.get(stream, 0) + count
        batch.extend(self._queue)
        self._queue = batch
        self.batch = object()
        self._weight = sum(_weight(events) for _, events in batch)
        self._waiting.set()
        self._make_room()

    def _make_room(self) -> None:
        self._crowded.set()
        lost = 0
        while self._weight > self._queued_characters_max and self._queue:
            stream, events = self._queue.popleft()
            self._weight -= _weight(events)
            self._dropped[stream] = self._dropped.get(stream, 0) + len(events)
            lost += len(events)
        if lost:
            self.batch = object()
            log.warning("logs.dropped", extra={"events": lost})


def _weight(events: Sequence[LogEvent]) -> int:
    if type(events) is LateEvents:
        return LATE_WEIGHT
    return sum([len(event.message) + EVENT_WEIGHT for event in events])


def _pack_all(batch: Iterable[_Write], dropped: dict[LogStream, int], now_ms: int) -> list[_Packed]:
    by_stream: dict[LogStream, list[Event]] = {}
    for stream, count in dropped.items():
        note = f"{count} log events were dropped: too many waited\n"
        by_stream[stream] = [(now_ms, note)]
    # By the streams' addresses first, as above.
    lists: dict[int, list[Event]] = {}
    for stream, events in batch:
        into = lists.get(id(stream))
        if into is None:
            into = lists[id(stream)] = by_stream.setdefault(stream, [])
        if type(events) is LateEvents:
            into += events.pairs("\n")
        else:
            into += [(at_ms, f"{message}\n") for at_ms, message in events]
    return [
        _Packed(stream, pack(events, ingestion_ms=now_ms))
        for stream, events in by_stream.items()
        if events
    ]


def _prepare(
    batch: Iterable[_Write], dropped: dict[LogStream, int], now_ms: int, load: Load | None
) -> list[_Packed]:
    if load is not None:
        load.prepare(batch)
    return _pack_all(batch, dropped, now_ms)


def _append_all(
    conn: Connection,
    packed: list[_Packed],
    now_ms: int,
    load: Load | None,
    watchers: Watchers | None,
) -> None:
    if load is not None:
        load.write(conn)
    for each in packed:
        stream = each.stream
        key = GroupKey(stream.account, stream.region, stream.group)
        group = records.find_group(conn, key)
        if group is None:
            records.insert_group(conn, key, created_ms=now_ms, document={})
            group = records.need_group(conn, key)
        stream_id = records.find_stream(conn, group.id, stream.name)
        if stream_id is None:
            records.insert_stream(conn, group.id, stream.name, created_ms=now_ms)
            stream_id = records.need_stream(conn, group.id, stream.name)
        findings = each.findings
        chunk_ids = records.append(
            conn,
            group_id=group.id,
            stream_id=stream_id,
            chunks=each.chunks,
            ingestion_ms=now_ms,
            with_ids=findings is not None and bool(findings.pushes),
        )
        if findings is not None and each.watch is not None and watchers is not None:
            watchers.store(conn, each.watch, findings, chunk_ids, now_ms / 1000)
