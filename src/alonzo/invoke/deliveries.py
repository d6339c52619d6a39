"""The durable way of invocation records to their destinations.

* A record is stored by the commit that ends its event (``events.py``) and deleted once its
  destination has it: at least once, whatever dies. Each try bears the same request id.
* A destination that fails is tried again with a growing delay, for as long as an event may wait.
  One that will never take the record ends it. Either end is logged.
* At most ``_PARALLEL_MAX`` records are on their way, each for ``_DELIVERY_S_MAX`` at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from alonzo.invoke.event_life import backoff_s
from alonzo.invoke.retries import until_stored
from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.model.limits import MAXIMUM_EVENT_AGE_S
from alonzo.model.ports import Delivery, Destinations
from alonzo.store.base import Connection, Row, Store
from alonzo.store.queries import load

log = logging.getLogger("alonzo.invoke")

_SQL = load("alonzo.invoke")

#: The store's topic on which every new record is published, under the sender's ARN.
DELIVERIES_TOPIC = "async_delivery"

_PARALLEL_MAX = 16
_DELIVERY_S_MAX = 30.0
#: How often to look though nothing was published: the host's clock may have been set.
_LOOK_AGAIN_S = 60.0

#: Errors after which another try can do no better.
_FINAL = frozenset(
    {
        "AccessDeniedException",
        "InvalidParameterValueException",
        "InvalidRequestContentException",
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

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Look at the store soon. Never blocks."""
        self._nudged.set()

    async def run(self, destinations: Destinations) -> None:
        """Deliver until cancelled. What is under way then is delivered after the next start."""
        unsubscribe = self._store.subscribe(DELIVERIES_TOPIC, lambda _: self.nudge())
        try:
            while True:
                await until_stored(lambda: self._round(destinations), name="deliver records")
        finally:
            unsubscribe()

    async def _round(self, destinations: Destinations) -> None:
        """Deliver some of what is due; with nothing to do, wait for work."""
        self._nudged.clear()
        now_s = self._clock.now_s()
        rows, next_due_at_s = await self._store.read(lambda db: _due(db, now_s))
        if not rows:
            wait_s = _LOOK_AGAIN_S if next_due_at_s is None else next_due_at_s - now_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, _LOOK_AGAIN_S)):
                    await self._nudged.wait()
            return
        async with TaskScope() as scope:
            for row in rows:
                scope.spawn(self._deliver(row, destinations), name=f"deliver {row['request_id']}")
            await scope.drain()

    async def _deliver(self, row: Row, destinations: Destinations) -> None:
        due_at_s = await self._try(row, destinations)
        await faults.reach("deliveries.after_deliver")
        await until_stored(lambda: self._settle(row, due_at_s), name="settle delivery")

    async def _try(self, row: Row, destinations: Destinations) -> float | None:
        """Deliver once. Answers when to try again, or None: the record is over."""
        delivery = Delivery(
            request_id=row["request_id"],
            sender_arn=row["sender_arn"],
            target_arn=row["target_arn"],
            trace_header=row["trace_header"],
            record=row["record"],
        )
        try:
            async with asyncio.timeout(_DELIVERY_S_MAX):
                await destinations.deliver(delivery)
        except Exception as err:
            due_at_s = self._clock.now_s() + backoff_s(row["attempts"] + 1)
            final = isinstance(err, AwsError) and err.code in _FINAL
            if final or due_at_s - row["ended_at_s"] > MAXIMUM_EVENT_AGE_S:
                log_lost(delivery.sender_arn, delivery.target_arn, repr(err))
                return None
            log.warning("delivery.postponed", extra={"request": delivery.request_id}, exc_info=err)
            return due_at_s
        return None

    async def _settle(self, row: Row, due_at_s: float | None) -> None:
        values = {"id": row["id"], "attempts": row["attempts"] + 1, "due_at_s": due_at_s}
        statement = _SQL.finish_delivery if due_at_s is None else _SQL.postpone_delivery
        await self._store.tx(lambda db: db.execute(statement, values))


def log_lost(sender_arn: str, target_arn: str, reason: str) -> None:
    """A record is over without having reached its destination. Nobody else is told."""
    log.warning(
        "delivery.failed", extra={"function": sender_arn, "target": target_arn, "reason": reason}
    )


def _due(db: Connection, now_s: float) -> tuple[list[Row], float | None]:
    """Records to deliver now, and when the next one comes due if there are none."""
    rows = db.all(_SQL.due_deliveries, {"now_s": now_s, "limit": _PARALLEL_MAX})
    following = None if rows else db.one(_SQL.next_delivery)
    return rows, None if following is None else following["due_at_s"]
