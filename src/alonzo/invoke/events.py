"""The durable queue of events (``InvocationType=Event``).

* An event is acknowledged after its commit and deleted after its run: at least once, whatever dies.
* The worker marks the events that it runs. One process owns the store, so at its start every mark
  is one of a process that ended, and is forgotten.
* When an event runs again, and how it ends, is decided by ``event_life.py``. What a death must
  not change is stored before it matters.
* The commit that ends an event also stores its record and its dead letter, where somebody gets
  them (``endings.py``).
* A store that fails stops nothing: each step is tried again until the store can do it.
* No function takes all the slots: see ``lib.slots``; one that is throttled takes no more
  than it can use: see ``pacing.py``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from alonzo.invoke import event_life
from alonzo.invoke.deliveries import add_delivery, log_lost
from alonzo.invoke.endings import TOO_LARGE, Ended, plan_deliveries
from alonzo.invoke.event_life import Again, Condition, EventPolicy, Life, Over, Run
from alonzo.invoke.pacing import Pacing
from alonzo.invoke.recursion import loop_stopped
from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.slots import share_slots
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvokeRequest
from alonzo.model.limits import ASYNC_PAYLOAD_BYTES_MAX
from alonzo.model.metering import LambdaMetric, Uncounted
from alonzo.model.ports.logs import FunctionMetrics
from alonzo.store.base import Connection, Row, Store, StoreError
from alonzo.store.queries import load
from alonzo.store.retrying import until_stored

log = logging.getLogger("alonzo.invoke")

_SQL = load("alonzo.invoke")

#: Events run at the same time, beside the synchronous calls.
_PARALLEL_MAX = 100

#: How often to look though no event came or ended, in seconds: the host's clock may have been set.
_LOOK_AGAIN_S = 60.0

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
    """One accepted event. ``last`` is the last run that failed, where it was kept."""

    id: int
    request_id: str
    ref: FunctionRef
    tenant_id: str | None
    payload: bytes
    trace_header: str
    life: Life
    last: Run | None


class EventRunner(Protocol):
    """Runs events. Implemented by ``api.LambdaInvoker``."""

    async def event_policy(self, ref: FunctionRef) -> EventPolicy:
        """What holds for the events to ``ref`` now."""
        ...

    async def run_event(self, event: Event) -> Run:
        """Run an event once.

        Raises:
            AwsError: the function did not run.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Ending:
    """An event that is over, and the rows of what is sent of it."""

    event_id: int
    deliveries: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class _Claim:
    """What was decided of due events: which run now, by which policy, and which are over."""

    running: list[tuple[Event, EventPolicy]]
    over: list[_Ending]


class EventQueue:
    """Accepts events and runs them."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: IdSource,
        *,
        metrics: FunctionMetrics | None = None,
        record_bytes_max: int = ASYNC_PAYLOAD_BYTES_MAX,
    ) -> None:
        """``record_bytes_max``: a longer record is not delivered; no event could hold it."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._metrics = metrics or Uncounted()
        self._record_bytes_max = record_bytes_max
        self._nudged = asyncio.Event()
        self._in_hand: dict[int, Event] = {}
        self._pacing = Pacing(_PARALLEL_MAX)
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

    async def refuse(
        self, request: InvokeRequest, ref: FunctionRef, trace_header: str, policy: EventPolicy
    ) -> None:
        """Have those hear of it who are to, that an event would have gone on with a loop.

        Raises:
            StoreError: it could not be kept.
        """
        rows = self._plan(
            Ended(
                request_id=request.request_id,
                ref=ref,
                payload=request.payload or b"{}",
                trace_header=trace_header,
                over=Over(Condition.RECURSIVE_INVOCATION, 0),
                last=None,
                refusal=loop_stopped(),
                is_record=request.is_record,
            ),
            policy,
        )
        if rows:
            await self._store.tx(lambda db: _add_deliveries(db, rows))

    def nudge(self) -> None:
        """Look at the queue and the clock soon. Never blocks."""
        self._nudged.set()

    async def run(self, runner: EventRunner) -> None:
        """Run events as they come due, until ``stop``."""
        self._ended.clear()
        try:
            async with TaskScope() as scope:
                await until_stored(self._forget, name="forget running events", stop=self._stopping)
                while not self._stopping.is_set():
                    await until_stored(
                        lambda: self._start_due(scope, runner),
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
            self._handed_back = True
            await self._hand_back(self._in_hand.values())

    async def _hand_back(self, events: Iterable[Event]) -> None:
        rows = [self._as_not_tried(event) for event in events]
        try:
            await self._store.tx(lambda db: db.execute_many(_SQL.put_back_event, rows))
        except StoreError as err:  # The next start forgets the marks; all that counts is a try.
            log.warning("events.not_handed_back", extra={"error": str(err)})

    async def _forget(self) -> None:
        await self._store.tx(lambda db: db.execute(_SQL.forget_running))

    async def _start_due(self, scope: TaskScope, runner: EventRunner) -> None:
        """Claim what is due and has a slot, and start it; with nothing to do, wait for work."""
        self._nudged.clear()
        now_s = self._clock.now_s()
        held = Counter(event.ref.key.path for event in self._in_hand.values())
        ceilings = self._pacing.ceilings(now_s)
        rows, next_due_at_s = await self._store.read(lambda db: _due(db, now_s, held, ceilings))
        if not rows:
            ends = (next_due_at_s, self._pacing.pause_ends_at_s(now_s))
            known = [at_s for at_s in ends if at_s is not None]
            await self._wait_for_work(min(known, default=None))
            return
        claim = await self._decide([_event(row) for row in rows], runner, now_s)
        if self._stopping.is_set():
            return  # What was just handed back looks as if nobody had it.
        await self._store.tx(lambda db: _claim(db, claim))
        await faults.reach("events.after_claim")
        if self._handed_back:
            await self._hand_back([event for event, _ in claim.running])
            return
        for event, policy in claim.running:
            self._in_hand[event.id] = event
            self._pacing.started(event.ref.key.path)
            scope.spawn(self._carry(event, policy, runner), name=f"event {event.request_id}")

    async def _decide(self, due: list[Event], runner: EventRunner, now_s: float) -> _Claim:
        claim = _Claim([], [])
        policies: dict[FunctionRef, EventPolicy] = {}
        for event in due:
            policy = policies.get(event.ref)
            if policy is None:
                policy = policies[event.ref] = await runner.event_policy(event.ref)
            over = event_life.before_run(event.life, policy, now_s)
            if over is None:
                claim.running.append((event, policy))
            else:
                claim.over.append(self._end(event, policy, over, event.last))
        return claim

    async def _wait_for_work(self, next_due_at_s: float | None) -> None:
        """Until a nudge, or until the next event that waits comes due."""
        wait_s = _LOOK_AGAIN_S
        if next_due_at_s is not None:
            wait_s = min(wait_s, next_due_at_s - self._clock.now_s())
        try:
            async with asyncio.timeout(wait_s):
                await self._nudged.wait()
        except TimeoutError:
            return

    async def _carry(self, event: Event, policy: EventPolicy, runner: EventRunner) -> None:
        """One attempt, and what it means for the event."""
        try:
            step = await self._attempt(event, policy, runner)
            await until_stored(lambda: self._settle(step), name="settle event")
            await faults.reach("events.after_settle")
        finally:
            del self._in_hand[event.id]
            self._nudged.set()

    async def _attempt(
        self, event: Event, policy: EventPolicy, runner: EventRunner
    ) -> _Ending | Row:
        """Try it once. Answers how it is over, or how it goes back into the queue."""
        try:
            run = await runner.run_event(event)
        except asyncio.CancelledError:
            self._pacing.cut(event.ref.key.path)
            raise
        except Exception as err:  # noqa: BLE001 - an event outlives any error of ours
            return self._after_refusal(event, policy, err)
        self._pacing.ran(event.ref.key.path)
        await faults.reach("events.after_run")
        verdict = event_life.after_run(event.life, policy, run, self._clock.now_s())
        if isinstance(verdict, Again):
            return self._back(event, verdict, self._kept(run, policy))
        return self._end(event, policy, verdict, run)

    def _after_refusal(self, event: Event, policy: EventPolicy, err: Exception) -> _Ending | Row:
        final = isinstance(err, AwsError) and err.code in _FINAL
        if self._handed_back or final:
            self._pacing.cut(event.ref.key.path)
        else:
            self._pacing.refused(event.ref.key.path, self._clock.now_s())
        if self._handed_back:
            return self._as_not_tried(event)
        verdict = event_life.after_refusal(event.life, policy, self._clock.now_s(), final=final)
        if isinstance(verdict, Over):
            return self._end(event, policy, verdict, event.last, err)
        # A refusal says itself what it is; where it came from is known of it.
        trace = None if isinstance(err, AwsError) else err
        said = {"request": event.request_id, "reason": repr(err)}
        log.warning("event.postponed", extra=said, exc_info=trace)
        return self._back(event, verdict, event.last)

    def _as_not_tried(self, event: Event) -> Row:
        again = Again(self._clock.now_s(), event.life.runs, event.life.tries - 1)
        return self._back(event, again, event.last)

    def _back(self, event: Event, again: Again, last: Run | None) -> Row:
        """How an event goes back into the queue."""
        return {
            "id": event.id,
            "attempts": again.tries,
            "runs": again.runs,
            "due_at_s": again.due_at_s,
            "last_response": last and last.payload,
            "last_version": last and last.executed_version,
        }

    def _kept(self, run: Run, policy: EventPolicy) -> Run | None:
        """The run, if somebody may be told of it; no record could hold a longer answer."""
        wanted = policy.keeps_errors and len(run.payload) <= self._record_bytes_max
        return run if wanted else None

    def _end(
        self,
        event: Event,
        policy: EventPolicy,
        over: Over,
        last: Run | None,
        refusal: Exception | None = None,
    ) -> _Ending:
        """How an event is over. One that nobody hears of is logged."""
        ended = Ended(
            request_id=event.request_id,
            ref=event.ref,
            payload=event.payload,
            trace_header=event.trace_header,
            over=over,
            last=last,
            refusal=refusal,
        )
        rows = self._plan(ended, policy)
        if over.condition is not Condition.SUCCESS:
            self._metrics.add_nowait(LambdaMetric.ASYNC_EVENTS_DROPPED, event.ref)
            if not rows:
                after = "" if refusal is None else f" after {refusal!r}"
                said = {"request": event.request_id, "reason": f"{over.condition}{after}"}
                log.warning("event.dropped", extra=said)
        return _Ending(event.id, rows)

    def _plan(self, ended: Ended, policy: EventPolicy) -> tuple[Mapping[str, Any], ...]:
        planned = plan_deliveries(
            ended,
            policy,
            self._ids.uuid,
            self._clock.now_s(),
            record_bytes_max=self._record_bytes_max,
        )
        for target_arn in planned.too_large_for:
            log_lost(ended.sender_arn, target_arn, TOO_LARGE)
            self._metrics.add_nowait(LambdaMetric.DESTINATION_DELIVERY_FAILURES, ended.ref)
        return planned.rows

    async def _settle(self, step: _Ending | Row) -> None:
        if isinstance(step, _Ending):
            await self._store.tx(lambda db: _finish(db, step))
        else:
            await self._store.tx(lambda db: db.execute(_SQL.put_back_event, step))


def _due(
    db: Connection, now_s: float, held: Mapping[str, int], ceilings: Mapping[str, int]
) -> tuple[list[Row], float | None]:
    """Events to claim now, and when the next of the others comes due. Reads only.

    ``held`` are the slots in use, by function, ``ceilings`` what some may use (``pacing.py``). A
    due event that gets none waits for another event to end, or a pause, and not for its own time.
    """
    waiting = db.all(_SQL.waiting_functions)
    due = [row["function_path"] for row in waiting if row["due_at_s"] <= now_s]
    later = [row["due_at_s"] for row in waiting if row["due_at_s"] > now_s]
    rows: list[Row] = []
    for function_path, limit in share_slots(due, held, _PARALLEL_MAX, ceilings).items():
        values = {"function_path": function_path, "now_s": now_s, "limit": limit}
        rows += db.all(_SQL.due_events, values)
    return rows, min(later, default=None)


def _claim(db: Connection, claim: _Claim) -> None:
    db.execute_many(_SQL.claim_event, [{"id": event.id} for event, _ in claim.running])
    for ending in claim.over:
        _finish(db, ending)


def _finish(db: Connection, ending: _Ending) -> None:
    if db.execute(_SQL.finish_event, {"id": ending.event_id}):
        _add_deliveries(db, ending.deliveries)


def _add_deliveries(db: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        add_delivery(db, row)


def _event(row: Row) -> Event:
    version = row["last_version"]
    return Event(
        id=row["id"],
        request_id=row["request_id"],
        ref=FunctionRef(FunctionKey.from_path(row["function_path"]), row["qualifier"]),
        tenant_id=row["tenant_id"],
        payload=row["payload"],
        trace_header=row["trace_header"],
        life=Life(row["accepted_at_s"], row["runs"], row["attempts"] + 1),
        last=None if version is None else Run(row["last_response"], version, failed=True),
    )
