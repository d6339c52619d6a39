"""Fires rules that have a schedule: one timer for all of them.

The timer waits for the next tick of all rules, which one step along an index finds; however many
rules there are, nothing runs until then. The commit of a tick holds what goes to the targets and
the rule's next tick, so it fires once, whatever dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from alonzo.lib import faults
from alonzo.model.errors import AwsError
from alonzo.services.events.arns import account_of, region_of
from alonzo.services.events.directory import TIMES_TOPIC, Directory
from alonzo.services.events.documents import envelope, render
from alonzo.services.events.limits import TICKS_MAX
from alonzo.services.events.records import Q, Rule, rule_from
from alonzo.services.events.routing import Arrival, parcels_of
from alonzo.services.events.schedule import plan_tick, read_schedule
from alonzo.store.base import Connection
from alonzo.store.outbox import NewParcel, Outbox
from alonzo.store.retrying import until_stored

log = logging.getLogger("alonzo.events")

#: How often to look though nothing has changed: the host's clock may have been set.
_LOOK_AGAIN_S = 60.0


class Ticker:
    """Runs schedules."""

    def __init__(self, directory: Directory, outbox: Outbox) -> None:
        self._directory = directory
        self._outbox = outbox
        self._nudged = asyncio.Event()

    async def run(self) -> None:
        """Fire what is due until cancelled."""
        unsubscribe = self._directory.store.subscribe(TIMES_TOPIC, lambda _: self._nudged.set())
        try:
            while True:
                await until_stored(self.step, name="events: ticks")
        finally:
            unsubscribe()

    async def step(self) -> None:
        """Fire what is due; with nothing due, wait for the next tick or for a change."""
        self._nudged.clear()
        store, clock = self._directory.store, self._directory.clock
        row = await store.read(lambda db: db.one(Q.next_due))
        due_at_s = None if row is None else row["due_at_s"]
        now_s = clock.now_s()
        if due_at_s is not None and due_at_s <= now_s:
            await store.tx(lambda db: self._fire(db, clock.now_s()))
            await faults.reach("events.after_tick")
            return
        wait_s = _LOOK_AGAIN_S if due_at_s is None else min(due_at_s - now_s, _LOOK_AGAIN_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._nudged.wait()

    def _fire(self, db: Connection, now_s: float) -> None:
        parcels: list[NewParcel] = []
        for row in db.all(Q.due_rules, {"now_s": now_s, "limit": TICKS_MAX}):
            rule = rule_from(row)
            next_at_s = None
            try:
                tick = plan_tick(
                    read_schedule(rule.schedule or ""), rule.anchor_s, row["due_at_s"], now_s
                )
            except AwsError:  # Checked when it was set; a later version may know better.
                log.warning("events.schedule_unreadable", extra={"rule": rule.arn})
            else:
                next_at_s = tick.next_at_s
                if tick.fires_at_s is None:
                    log.warning("events.tick_missed", extra={"rule": rule.arn})
                else:
                    parcels += parcels_of(rule, self._arrival(rule, tick.fires_at_s, now_s))
            db.execute(Q.move_rule, {"arn": rule.arn, "due_at_s": next_at_s})
        self._outbox.add(db, parcels)

    def _arrival(self, rule: Rule, at_s: float, now_s: float) -> Arrival:
        """The event of a tick. Source: user guide, events of scheduled rules."""
        event = envelope(
            event_id=self._directory.ids.uuid(),
            source="aws.events",
            detail_type="Scheduled Event",
            account=account_of(rule.arn),
            region=region_of(rule.arn),
            at_s=at_s,
            resources=[rule.arn],
        )
        return Arrival(rule.bus_arn, event, render(event), now_s, at_s)
