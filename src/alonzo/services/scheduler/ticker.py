"""The one timer of all schedules.

It sleeps until the first tick there is; how many come after costs nothing. The commit that moves a
schedule's tick on also puts what the tick asks for on its way: a tick is handed over once, whatever
dies, and whatever is done to the host's clock. A clock that is set back makes ticks wait until it
has caught up; one that is set forward passes over ticks as a platform does that was not running.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from dataclasses import replace

from alonzo.lib import faults
from alonzo.lib.chance import Chance
from alonzo.lib.clock import Clock
from alonzo.services.scheduler import rules
from alonzo.services.scheduler.carrier import parcel_of
from alonzo.services.scheduler.limits import FIRED_AT_ONCE
from alonzo.services.scheduler.records import (
    TICKS_TOPIC,
    Q,
    ScheduleRecord,
    end_schedule,
    move_tick,
    schedule_from,
)
from alonzo.store.base import Connection, Store, StoreError
from alonzo.store.outbox import Outbox
from alonzo.store.retrying import until_stored

log = logging.getLogger("alonzo.scheduler")

#: How often to look though nothing is due: the host's clock may have been set.
_LOOK_AGAIN_S = 60.0
#: How long a schedule waits that cannot be read any more.
_PUT_OFF_S = 3600.0


class Ticker:
    """Fires schedules."""

    def __init__(self, store: Store, clock: Clock, outbox: Outbox, chance: Chance) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._chance = chance
        self._nudged = asyncio.Event()
        self._next_at_s = -math.inf

    async def run(self) -> None:
        """Fire until cancelled. What comes due afterwards fires after the next start."""
        unsubscribe = self._store.subscribe(TICKS_TOPIC, self._hear)
        try:
            while True:
                await until_stored(self._step, name="schedules")
        finally:
            unsubscribe()

    async def fire_due(self) -> int:
        """Fire what is due now, up to a number; answers how many came due."""
        now_s = self._clock.now_s()
        count = await self._store.tx(lambda conn: self._fire(conn, now_s))
        if count:
            await faults.reach("scheduler.after_fire")
        return count

    def _hear(self, tick_at_s: str) -> None:
        """A schedule was made or changed."""
        if float(tick_at_s) < self._next_at_s:
            self._nudged.set()

    async def _step(self) -> None:
        self._nudged.clear()
        # Until it is known, everything that is made meanwhile is a reason to look again.
        self._next_at_s = math.inf
        row = await self._store.read(lambda conn: conn.one(Q.first_tick))
        found = None if row is None else row["tick_at_s"]
        self._next_at_s = math.inf if found is None else found
        wait_s = self._next_at_s - self._clock.now_s()
        if wait_s <= 0:
            await self.fire_due()
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait_s, _LOOK_AGAIN_S)):
                await self._nudged.wait()

    def _fire(self, conn: Connection, now_s: float) -> int:
        rows = conn.all(Q.due, {"now_s": now_s, "limit": FIRED_AT_ONCE})
        for row in rows:
            try:
                self._fire_one(conn, schedule_from(row), now_s)
            except StoreError:
                raise
            except Exception:
                # The host may have lost a time zone: that one waits, and the others go on.
                log.exception("scheduler.not_fired", extra={"schedule": row["name"]})
                conn.execute(Q.put_off, {"id": row["id"], "tick_at_s": now_s + _PUT_OFF_S})
        return len(rows)

    def _fire_one(self, conn: Connection, record: ScheduleRecord, now_s: float) -> None:
        assert record.tick_at_s is not None, "it is due"
        if record.is_over:
            end_schedule(conn, record)
            return
        plan = rules.fire(record.timing, record.anchor_s, record.tick_at_s, now_s, self._chance())
        next_at_s = plan.next_at_s
        ends = next_at_s is None and record.settings["ActionAfterCompletion"] == "DELETE"
        if ends and plan.due_at_s <= now_s:
            moved = end_schedule(conn, record)
        else:
            # One that ends stays to be seen until its window has let the target be called.
            told = replace(record, is_over=ends, last_s=plan.tick_at_s)
            moved = move_tick(conn, told, plan.due_at_s if ends else next_at_s)
        if moved:
            self._outbox.add(conn, [parcel_of(record, plan.tick_at_s, plan.due_at_s)])
