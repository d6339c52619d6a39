"""The durable way of messages to subscriptions.

* A message and its deliveries are stored by the commit that its publisher waits for. A delivery is
  deleted once its endpoint has the message: at least once, whatever dies.
* A commit wakes this at once, through the store's topic; nobody looks at the store to find work.
  What is on its way is in memory, a window of each subscription's; the rest stays in the store.
* A delivery that failed is tried again as its policy says, and at last goes to the subscription's
  dead-letter queue. One that has none is lost then, and the log says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.services.sns.at_rest import AtRest, document_of
from alonzo.services.sns.directory import Directory
from alonzo.services.sns.records import (
    Kind,
    Message,
    Q,
    State,
    Subscription,
)
from alonzo.services.sns.schedule import WINDOW, Entry, Gap, Schedule
from alonzo.services.sns.subscription_attributes import HTTP
from alonzo.services.sns.targets import DeliveryError, Targets
from alonzo.store.base import Connection, Store, StoreClosedError
from alonzo.store.retrying import until_stored

log = logging.getLogger("alonzo.sns")

#: The store's topic on which every message that was stored is published, under its id.
MESSAGES_TOPIC = "sns_message"

#: Calls of queues and functions that are under way at once, and posts over HTTP.
CALLS_MAX = 128
POSTS_MAX = 512
#: Characters of messages that are kept for those of their deliveries that are still to come.
_KEPT_MAX = 16 * 1024 * 1024
#: How often to look though nothing is due: the host's clock may have been set.
_LOOK_AGAIN_S = 60.0
#: Between tries that failed for reasons of ours, or of a dead-letter queue's that may pass.
_TRY_AGAIN_S = 20.0


class _Messages:
    """The messages used last, up to a bound."""

    def __init__(self, store: Store, at_rest: AtRest) -> None:
        self._store = store
        self._at_rest = at_rest
        self._kept: OrderedDict[str, Message] = OrderedDict()
        self._size = 0

    def keep(self, message: Message) -> None:
        self._kept[message.message_id] = message
        self._size += _size_of(message)
        while self._size > _KEPT_MAX:
            self._size -= _size_of(self._kept.popitem(last=False)[1])

    async def find(self, message_id: str) -> Message | None:
        found = self._kept.get(message_id)
        if found is not None:
            self._kept.move_to_end(message_id)
            return found
        row = await self._store.read(lambda db: db.one(Q.find_message, {"message_id": message_id}))
        if row is None:
            return None
        message = await self._at_rest.open(row["document"])
        if message_id not in self._kept:
            self.keep(message)
        return message


class DeliveryQueue:
    """Delivers what was stored."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        directory: Directory,
        targets: Targets,
        at_rest: AtRest,
    ) -> None:
        self._store = store
        self._clock = clock
        self._directory = directory
        self._targets = targets
        self._messages = _Messages(store, at_rest)
        self._calls = Schedule(CALLS_MAX, self._per_s)
        self._posts = Schedule(POSTS_MAX, self._per_s)
        self._nudged = asyncio.Event()
        self._stored: dict[str, tuple[Message, list[tuple[Schedule, Entry]]]] = {}
        self._refilling: set[str] = set()
        self._unsubscribe: Callable[[], None] | None = None

    async def open(self) -> None:
        """Find what a former run has left. To be called before the first request."""
        self._unsubscribe = self._store.subscribe(MESSAGES_TOPIC, self._accept)
        waiting = await self._store.read(lambda db: db.all(Q.waiting_subscriptions))
        for row in waiting:
            subscription = self._directory.try_subscription(row["arn"])
            await self._fill(self._schedule_for(subscription), Gap(row["arn"]))

    def close(self) -> None:
        """Hear of no more messages."""
        if self._unsubscribe is not None:
            self._unsubscribe()

    def put(
        self,
        db: Connection,
        message: Message,
        receivers: Sequence[Subscription],
        sealed: bytes | None = None,
    ) -> None:
        """Store a message on its way: part of a unit of work. It is told once that is committed.

        ``sealed`` is the message encrypted, if it is to be kept so.
        """
        now_s = self._clock.now_s()
        keys = {"message_id": message.message_id}
        row = db.one(
            Q.add_message,
            {**keys, "topic_arn": message.topic_arn, "document": document_of(message, sealed)},
        )
        assert row is not None
        place = int(row["place"])
        is_fifo = message.sequence is not None
        group_id = (message.group_id or "") if is_fifo else ""
        entries = [
            Entry(each.arn, place, message.message_id, group_id, 0, now_s) for each in receivers
        ]
        db.execute_many(
            Q.add_delivery,
            (
                {
                    **keys,
                    "arn": each.subscription_arn,
                    "place": place,
                    "group_id": group_id,
                    "due_at_s": now_s,
                }
                for each in entries
            ),
        )
        # Of a message whose subscriptions have all gone meanwhile, nothing is left.
        if db.execute(Q.finish_message, keys):
            return
        schedules = [self._schedule_for(each) for each in receivers]
        self._stored[message.message_id] = (message, list(zip(schedules, entries, strict=True)))
        db.publish(MESSAGES_TOPIC, message.message_id)

    def forget(self, message_ids: Iterable[str]) -> None:
        """The unit of work that ``put`` was part of came to nothing."""
        for message_id in message_ids:
            self._stored.pop(message_id, None)

    async def run(self) -> None:
        """Deliver until cancelled. What is under way then is delivered after the next start."""
        async with TaskScope() as scope:
            while True:
                self._nudged.clear()
                now_s = self._clock.now_s()
                for schedule in (self._calls, self._posts):
                    for entry in schedule.start(now_s):
                        scope.spawn(self._carry(schedule, entry, scope), name="sns delivery")
                await self._wait(now_s)

    async def _wait(self, now_s: float) -> None:
        alarms = [each.next_alarm_s() for each in (self._calls, self._posts)]
        due_s = min((at_s for at_s in alarms if at_s is not None), default=now_s + _LOOK_AGAIN_S)
        wait_s = min(max(due_s - now_s, 0.0), _LOOK_AGAIN_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._nudged.wait()

    def _accept(self, message_id: str) -> None:
        """A message was committed."""
        found = self._stored.pop(message_id, None)
        if found is None:
            return
        message, entries = found
        self._messages.keep(message)
        now_s = self._clock.now_s()
        for schedule, entry in entries:
            schedule.add(entry, now_s)
        self._nudged.set()

    async def _carry(self, schedule: Schedule, entry: Entry, scope: TaskScope) -> None:
        """One try, and what it means."""
        due_at_s: float | None = None
        try:
            try:
                due_at_s = await self._try(entry)
            except StoreClosedError:
                raise
            except AwsError as error:  # KMS does not open the message, for now.
                said = {"message_id": entry.message_id, "reason": error.code}
                log.warning("sns.message_not_opened", extra=said)
                due_at_s = self._clock.now_s() + _TRY_AGAIN_S
            except Exception:
                log.exception("sns.try_failed", extra={"message_id": entry.message_id})
                due_at_s = self._clock.now_s() + _TRY_AGAIN_S
            await faults.reach("sns.after_deliver")
            await until_stored(lambda: self._settle(entry, due_at_s), name="settle delivery")
        finally:
            now_s = self._clock.now_s()
            if due_at_s is None:
                schedule.finish(entry, now_s)
            else:
                schedule.postpone(entry, due_at_s, now_s)
            self._look_for_more(schedule, entry.subscription_arn, scope)
            self._nudged.set()

    async def _try(self, entry: Entry) -> float | None:
        """Deliver once. Answers when to try again, or None: it is over."""
        subscription = self._directory.try_subscription(entry.subscription_arn)
        message = await self._find_message(entry)
        if subscription is None or message is None:
            return None
        if message.kind is Kind.NOTIFICATION and subscription.state is not State.CONFIRMED:
            return None
        await faults.reach("sns.before_deliver")
        try:
            await self._targets.deliver(message, subscription)
        except DeliveryError as error:
            delay_s = self._targets.policy_of(subscription).delay_s(entry.attempts + 1)
            said = {
                "subscription": subscription.arn,
                "message_id": message.message_id,
                "reason": str(error),
            }
            if delay_s is not None and not error.is_final:
                log.info("sns.delivery_postponed", extra=said)
                return self._clock.now_s() + delay_s
            if message.kind is not Kind.NOTIFICATION:
                log.warning("sns.confirmation_failed", extra=said)
                return None
            try:
                buried = await self._targets.bury(message, subscription)
            except DeliveryError as failure:
                if not failure.is_final:
                    return self._clock.now_s() + _TRY_AGAIN_S
                log.warning("sns.dead_letter_failed", extra=said | {"queue": str(failure)})
                return None
            log.warning("sns.delivery_failed", extra=said | {"dead_letter": buried})
        return None

    async def _find_message(self, entry: Entry) -> Message | None:
        found: Message | None = None

        async def step() -> None:
            nonlocal found
            found = await self._messages.find(entry.message_id)

        await until_stored(step, name="find message")
        return found

    async def _settle(self, entry: Entry, due_at_s: float | None) -> None:
        keys = {
            "arn": entry.subscription_arn,
            "place": entry.place,
            "message_id": entry.message_id,
        }

        def work(db: Connection) -> None:
            if due_at_s is None:
                db.execute(Q.finish_delivery, keys)
                db.execute(Q.finish_message, {"message_id": entry.message_id})
            else:
                again = {"attempts": entry.attempts + 1, "due_at_s": due_at_s}
                db.execute(Q.postpone_delivery, keys | again)

        await self._store.tx(work)

    def _look_for_more(self, schedule: Schedule, arn: str, scope: TaskScope) -> None:
        if arn not in self._refilling and schedule.gap(arn) is not None:
            self._refilling.add(arn)
            scope.spawn(self._refill(schedule, arn), name="sns refill")

    async def _refill(self, schedule: Schedule, arn: str) -> None:
        try:
            while (gap := schedule.gap(arn)) is not None:
                await until_stored(partial(self._fill, schedule, gap), name="find deliveries")
        finally:
            self._refilling.discard(arn)
            self._nudged.set()

    async def _fill(self, schedule: Schedule, gap: Gap) -> None:
        """Bring a window of deliveries into memory."""
        arn = gap.subscription_arn
        values = {"arn": arn, "after": gap.after, "limit": WINDOW + 1}
        rows = await self._store.read(lambda db: db.all(Q.next_deliveries, values))
        entries = [Entry(subscription_arn=arn, **row) for row in rows[:WINDOW]]
        schedule.refill(gap, entries, len(rows) > WINDOW, self._clock.now_s())

    def _schedule_for(self, subscription: Subscription | None) -> Schedule:
        over_http = subscription is not None and subscription.protocol in HTTP
        return self._posts if over_http else self._calls

    def _per_s(self, arn: str) -> float | None:
        subscription = self._directory.try_subscription(arn)
        return None if subscription is None else self._targets.policy_of(subscription).per_s


def _size_of(message: Message) -> int:
    texts: Iterable[str] = message.texts.values()
    attributes = sum(
        len(value.get("StringValue") or value.get("BinaryValue") or "")
        for value in message.attributes.values()
    )
    return sum(map(len, texts)) + attributes + 1024
