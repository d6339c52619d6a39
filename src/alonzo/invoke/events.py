"""The durable queue of events (``InvocationType=Event``).

* An event is acknowledged after its commit and deleted after its run: at least once, whatever dies.
* The worker marks the events that it runs. One process owns the store, so at its start every mark
  is one of a process that ended, and is forgotten.
* A throttle or a system error puts the event back with a growing delay, until it is too old. A
  function error ends it, and so does an error that no other attempt can heal.
* A store that fails stops nothing: each step is tried again until the store can do it.
* No function takes all the slots: see ``rules.share_slots``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from alonzo.invoke.retries import until_stored
from alonzo.invoke.rules import is_expired, next_attempt_at_s, share_slots
from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvokeRequest
from alonzo.store.base import Connection, Row, Store, StoreError
from alonzo.store.queries import load

log = logging.getLogger("alonzo.invoke")

_SQL = load("alonzo.invoke")

#: Events run at the same time, beside the synchronous calls.
_PARALLEL_MAX = 100

#: Errors after which another attempt can do no better.
_FINAL = frozenset(
    {
        "AccessDeniedException",
        "InvalidParameterValueException",
        "InvalidRuntimeException",
        "InvalidZipFileException",
        "ResourceNotFoundException",
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """One accepted event. ``attempts`` counts this one."""

    id: int
    request_id: str
    ref: FunctionRef
    tenant_id: str | None
    payload: bytes
    trace_header: str
    attempts: int
    accepted_at_s: float


Handler = Callable[[Event], Awaitable[None]]


class EventQueue:
    """Accepts events and runs them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._nudged = asyncio.Event()
        self._in_hand: dict[int, Event] = {}
        self._stopping = asyncio.Event()
        self._handed_back = False
        self._ended = asyncio.Event()
        self._ended.set()

    async def accept(
        self, request: InvokeRequest, ref: FunctionRef, payload: bytes, trace_header: str
    ) -> None:
        """Take an event; it is durable when this returns.

        Raises:
            StoreError: it could not be kept; nothing of it is left.
        """
        row = {
            "request_id": request.request_id,
            "function_path": ref.key.path,
            "qualifier": ref.qualifier,
            "tenant_id": request.tenant_id,
            "payload": payload,
            "trace_header": trace_header,
            "now_s": self._clock.now_s(),
        }
        await self._store.tx(lambda db: db.execute(_SQL.add_event, row))
        self._nudged.set()

    async def run(self, handle: Handler) -> None:
        """Run events as they come due, until ``stop``. ``handle`` raises if it could not."""
        self._ended.clear()
        try:
            async with TaskScope() as scope:
                await until_stored(self._forget, name="forget running events", stop=self._stopping)
                while not self._stopping.is_set():
                    await until_stored(
                        lambda: self._start_due(scope, handle),
                        name="claim events",
                        stop=self._stopping,
                    )
                await scope.drain()
        finally:
            self._ended.set()

    async def stop(self, grace_s: float) -> None:
        """Claim nothing more, and wait until no event is in hand, for ``grace_s`` at most.

        What runs on after that may be cut at any time: its attempt does not count, and it is among
        the first events of the next start. ``accept`` goes on.
        """
        self._stopping.set()
        self._nudged.set()
        try:
            async with asyncio.timeout(grace_s):
                await self._ended.wait()
        except TimeoutError:
            await self._hand_back()

    async def _hand_back(self) -> None:
        self._handed_back = True
        rows = [self._as_not_tried(event) for event in self._in_hand.values()]
        try:
            await self._store.tx(lambda db: db.execute_many(_SQL.put_back_event, rows))
        except StoreError as err:  # The next start forgets the marks; all that counts is a try.
            log.warning("events.not_handed_back", extra={"error": str(err)})

    async def _forget(self) -> None:
        await self._store.tx(lambda db: db.execute(_SQL.forget_running))

    async def _start_due(self, scope: TaskScope, handle: Handler) -> None:
        """Claim what is due and has a slot, and start it; with nothing to do, wait for work."""
        self._nudged.clear()
        now_s = self._clock.now_s()
        held = Counter(event.ref.key.path for event in self._in_hand.values())
        rows, next_due_at_s = await self._store.read(lambda db: _due(db, now_s, held))
        if not rows:
            await self._wait_for_work(next_due_at_s)
            return
        expired = [row for row in rows if is_expired(row["accepted_at_s"], now_s)]
        events = [_event(row) for row in rows if not is_expired(row["accepted_at_s"], now_s)]
        await self._store.tx(lambda db: _claim(db, events, expired))
        await faults.reach("events.after_claim")
        for row in expired:
            _log_dropped(row["request_id"], "EventAgeExceeded")
        for event in events:
            self._in_hand[event.id] = event
            scope.spawn(self._carry(event, handle), name=f"event {event.request_id}")

    async def _wait_for_work(self, next_due_at_s: float | None) -> None:
        """Until a nudge, or until the next event that waits comes due."""
        wait_s = None if next_due_at_s is None else next_due_at_s - self._clock.now_s()
        try:
            async with asyncio.timeout(wait_s):
                await self._nudged.wait()
        except TimeoutError:
            return

    async def _carry(self, event: Event, handle: Handler) -> None:
        """One attempt, and what it means for the event."""
        try:
            put_back = await self._attempt(event, handle)
            await until_stored(lambda: self._settle(event, put_back), name="settle event")
        finally:
            del self._in_hand[event.id]
            self._nudged.set()

    async def _attempt(self, event: Event, handle: Handler) -> Row | None:
        """Run it once. Answers how the event goes back into the queue, or None: it is over."""
        try:
            await handle(event)
            await faults.reach("events.after_run")
        except Exception as err:  # noqa: BLE001 - an event outlives any error of ours
            return self._after_failure(event, err)
        return None

    def _after_failure(self, event: Event, err: Exception) -> Row | None:
        if self._handed_back:
            return self._as_not_tried(event)
        if isinstance(err, AwsError) and err.code in _FINAL:
            _log_dropped(event.request_id, str(err))
            return None
        due_at_s = next_attempt_at_s(
            event.attempts, accepted_at_s=event.accepted_at_s, now_s=self._clock.now_s()
        )
        if due_at_s is None:
            _log_dropped(event.request_id, f"EventAgeExceeded after {err!r}")
            return None
        log.warning("event.postponed", extra={"request": event.request_id}, exc_info=err)
        return {"id": event.id, "attempts": event.attempts, "due_at_s": due_at_s}

    def _as_not_tried(self, event: Event) -> Row:
        return {"id": event.id, "attempts": event.attempts - 1, "due_at_s": self._clock.now_s()}

    async def _settle(self, event: Event, put_back: Row | None) -> None:
        def work(db: Connection) -> None:
            if put_back is None:
                db.execute(_SQL.finish_event, {"id": event.id})
            else:
                db.execute(_SQL.put_back_event, put_back)

        await self._store.tx(work)


def _due(db: Connection, now_s: float, held: Mapping[str, int]) -> tuple[list[Row], float | None]:
    """Events to claim now, and when the next of the others comes due. Reads only.

    ``held`` are the slots in use, by function. A due event that gets none waits for another event
    to end, and not for a time.
    """
    waiting = db.all(_SQL.waiting_functions)
    due = [row["function_path"] for row in waiting if row["due_at_s"] <= now_s]
    later = [row["due_at_s"] for row in waiting if row["due_at_s"] > now_s]
    rows: list[Row] = []
    for function_path, limit in share_slots(due, held, _PARALLEL_MAX).items():
        values = {"function_path": function_path, "now_s": now_s, "limit": limit}
        rows += db.all(_SQL.due_events, values)
    return rows, min(later, default=None)


def _claim(db: Connection, events: Iterable[Event], expired: Iterable[Row]) -> None:
    db.execute_many(_SQL.claim_event, [{"id": event.id} for event in events])
    db.execute_many(_SQL.finish_event, [{"id": row["id"]} for row in expired])


def _log_dropped(request_id: str, reason: str) -> None:
    """An event is over without having been handled. Nobody else is told."""
    log.warning("event.dropped", extra={"request": request_id, "reason": reason})


def _event(row: Row) -> Event:
    return Event(
        id=row["id"],
        request_id=row["request_id"],
        ref=FunctionRef(FunctionKey.from_path(row["function_path"]), row["qualifier"]),
        tenant_id=row["tenant_id"],
        payload=row["payload"],
        trace_header=row["trace_header"],
        attempts=row["attempts"] + 1,
        accepted_at_s=row["accepted_at_s"],
    )
