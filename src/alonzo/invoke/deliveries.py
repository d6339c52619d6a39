"""The durable way of invocation records and dead letters to their targets.

* What is to be delivered is stored by the commit that ends its event (``events.py``) and deleted
  once its target has it: at least once, whatever dies. Each try bears the same request id.
* A target that fails is tried again with a growing delay, for as long as an event may wait. One
  that will never take it ends it. Either end is logged and counted.
* At most ``_PARALLEL_MAX`` deliveries are under way, each for ``_DELIVERY_S_MAX`` at most, and no
  target takes all the slots: see ``lib.slots``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from alonzo.invoke.event_life import backoff_s
from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.lib.slots import share_slots
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import LATEST, FunctionKey, FunctionRef
from alonzo.model.deliveries import DeadLetter, Delivery, Destinations
from alonzo.model.errors import AwsError
from alonzo.model.limits import MAXIMUM_EVENT_AGE_S
from alonzo.model.metering import LambdaMetric, Uncounted
from alonzo.model.ports.logs import FunctionMetrics
from alonzo.store.base import Connection, Row, Store
from alonzo.store.queries import load
from alonzo.store.retrying import until_stored

log = logging.getLogger("alonzo.invoke")

_SQL = load("alonzo.invoke")

#: The store's topic on which every new record is published, under the sender's ARN.
DELIVERIES_TOPIC = "async_delivery"

_PARALLEL_MAX = 64
_DELIVERY_S_MAX = 30.0
#: How often to look though nothing was published: the host's clock may have been set.
_LOOK_AGAIN_S = 60.0

#: Errors of the services after which another try can do no better.
_FINAL = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AWS.SimpleQueueService.NonExistentQueue",
        "InvalidMessageContents",
        "InvalidParameter",
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "InvalidRequestContentException",
        "NoSuchBucket",
        "NotFound",
        "QueueDoesNotExist",
        "RecursiveInvocationException",
        "RequestEntityTooLargeException",
        "ResourceNotFoundException",
        "ValidationException",
    }
)


def add_delivery(db: Connection, row: Mapping[str, Any]) -> None:
    """Put a record on its way: part of the unit of work that ends its event."""
    db.execute(_SQL.add_delivery, row)
    db.publish(DELIVERIES_TOPIC, row["sender_arn"])


class DeliveryQueue:
    """Delivers what was stored."""

    def __init__(
        self, store: Store, clock: Clock, *, metrics: FunctionMetrics | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics or Uncounted()
        self._nudged = asyncio.Event()
        self._in_hand: dict[int, str] = {}

    def nudge(self) -> None:
        """Look at the store soon. Never blocks."""
        self._nudged.set()

    async def run(self, destinations: Destinations) -> None:
        """Deliver until cancelled. What is under way then is delivered after the next start."""
        unsubscribe = self._store.subscribe(DELIVERIES_TOPIC, lambda _: self.nudge())
        try:
            async with TaskScope() as scope:
                while True:
                    await until_stored(
                        lambda: self._start_due(scope, destinations), name="deliver records"
                    )
        finally:
            unsubscribe()

    async def _start_due(self, scope: TaskScope, destinations: Destinations) -> None:
        """Start what is due and has a slot; with nothing to do, wait for work."""
        self._nudged.clear()
        now_s = self._clock.now_s()
        in_hand = dict(self._in_hand)
        rows, next_due_at_s = await self._store.read(lambda db: _due(db, now_s, in_hand))
        # One that was in hand and has ended meanwhile is not in ``rows``: it was left out.
        for row in rows:
            self._in_hand[row["id"]] = row["target_arn"]
            scope.spawn(self._carry(row, destinations), name=f"deliver {row['request_id']}")
        if rows:
            return
        wait_s = _LOOK_AGAIN_S if next_due_at_s is None else next_due_at_s - now_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait_s, _LOOK_AGAIN_S)):
                await self._nudged.wait()

    async def _carry(self, row: Row, destinations: Destinations) -> None:
        """One try, and what it means."""
        try:
            due_at_s = await self._try(row, destinations)
            await faults.reach("deliveries.after_deliver")
            await until_stored(lambda: self._settle(row, due_at_s), name="settle delivery")
        finally:
            del self._in_hand[row["id"]]
            self._nudged.set()

    async def _try(self, row: Row, destinations: Destinations) -> float | None:
        """Deliver once. Answers when to try again, or None: it is over."""
        delivery = _delivery(row)
        try:
            async with asyncio.timeout(_DELIVERY_S_MAX):
                await destinations.deliver(delivery)
        except Exception as err:
            due_at_s = self._clock.now_s() + backoff_s(row["attempts"] + 1)
            final = isinstance(err, AwsError) and err.code in _FINAL
            if final or due_at_s - row["ended_at_s"] > MAXIMUM_EVENT_AGE_S:
                self._lose(delivery, err)
                return None
            # A refusal says itself what it is; where it came from is known of it.
            trace = None if isinstance(err, AwsError) else err
            said = {
                "request": delivery.request_id,
                "target": delivery.target_arn,
                "reason": repr(err),
            }
            log.warning("delivery.postponed", extra=said, exc_info=trace)
            return due_at_s
        return None

    def _lose(self, delivery: Delivery, err: Exception) -> None:
        log_lost(delivery.sender_arn, delivery.target_arn, repr(err))
        is_record = delivery.dead_letter is None
        metric = (
            LambdaMetric.DESTINATION_DELIVERY_FAILURES
            if is_record
            else LambdaMetric.DEAD_LETTER_ERRORS
        )
        self._metrics.add_nowait(metric, _sender(delivery.sender_arn))

    async def _settle(self, row: Row, due_at_s: float | None) -> None:
        values = {"id": row["id"], "attempts": row["attempts"] + 1, "due_at_s": due_at_s}
        statement = _SQL.finish_delivery if due_at_s is None else _SQL.postpone_delivery
        await self._store.tx(lambda db: db.execute(statement, values))


def log_lost(sender_arn: str, target_arn: str, reason: str) -> None:
    """A record is over without having reached its destination. Nobody else is told."""
    log.warning(
        "delivery.failed", extra={"function": sender_arn, "target": target_arn, "reason": reason}
    )


def _sender(arn: str) -> FunctionRef:
    """The function that an event was for, by its qualified ARN."""
    _, _, _, region, account, _, name, qualifier = arn.split(":")
    key = FunctionKey(account, region, name)
    return FunctionRef(key, None if qualifier == LATEST else qualifier)


def _delivery(row: Row) -> Delivery:
    letter = None
    if row["error_message"] is not None:
        letter = DeadLetter(row["event_request_id"], row["error_code"], row["error_message"])
    return Delivery(
        request_id=row["request_id"],
        sender_arn=row["sender_arn"],
        target_arn=row["target_arn"],
        trace_header=row["trace_header"],
        document=row["record"],
        role_arn=row["role_arn"],
        ended_at_s=row["ended_at_s"],
        succeeded=bool(row["succeeded"]),
        dead_letter=letter,
    )


def _due(
    db: Connection, now_s: float, in_hand: Mapping[int, str]
) -> tuple[list[Row], float | None]:
    """What to start now, and when the next of the others comes due. Reads only.

    ``in_hand`` are the targets of what is under way, by id; due ones that get no slot wait for one
    of these to end, and not for a time.
    """
    held = Counter(in_hand.values())
    due_at_s = {row["target_arn"]: row["due_at_s"] for row in db.all(_SQL.waiting_targets)}
    waiting = [target for target, at_s in due_at_s.items() if at_s <= now_s]
    later = [at_s for at_s in due_at_s.values() if at_s > now_s]
    rows: list[Row] = []
    for target_arn, share in share_slots(waiting, held, _PARALLEL_MAX).items():
        # Those in hand come first, as they were due first; one more tells when the next is due.
        limit = held[target_arn] + share + 1
        values = {"target_arn": target_arn, "limit": limit}
        others = [row for row in db.all(_SQL.due_deliveries, values) if row["id"] not in in_hand]
        found = [row for row in others if row["due_at_s"] <= now_s][:share]
        rows += _whole(db, found)
        later += [row["due_at_s"] for row in others if row["due_at_s"] > now_s]
    return rows, min(later, default=None)


def _whole(db: Connection, found: Iterable[Row]) -> list[Row]:
    rows = (db.one(_SQL.find_delivery, {"id": row["id"]}) for row in found)
    return [row for row in rows if row is not None]
