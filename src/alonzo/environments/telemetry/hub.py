"""Who subscribed to the telemetry of one generation of processes, and what they get.

Extensions subscribe while the environment initialises, after some events have happened: those are
kept, up to a bound, and go to each who subscribes. Once init is over nobody can subscribe any more;
if nobody has, ``is_wanted`` is false and no event need be made.
"""

from __future__ import annotations

import asyncio
from collections import deque

from alonzo.environments.telemetry.buffer import Budget
from alonzo.environments.telemetry.delivery import Connect, Subscriber
from alonzo.environments.telemetry.schema import Record, TelemetryEvent
from alonzo.environments.telemetry.subscription import Subscription
from alonzo.lib.clock import Clock
from alonzo.lib.tasks import TaskScope

#: What of the time before a subscription is kept.
_EARLY_EVENTS_MAX = 1_000
_EARLY_BYTES_MAX = 256 << 10


class Telemetry:
    """Takes events and hands them to subscribers, by the extension's name."""

    def __init__(self, connect: Connect, *, clock: Clock, scope: TaskScope, budget: Budget) -> None:
        self._connect = connect
        self._clock = clock
        self._scope = scope
        self._budget = budget
        self._subscribers: dict[str, tuple[Subscriber, asyncio.Task[None]]] = {}
        self._early: deque[TelemetryEvent] = deque()
        self._early_bytes = 0
        self._open = True

    @property
    def is_open(self) -> bool:
        """Whether one can subscribe."""
        return self._open

    @property
    def is_wanted(self) -> bool:
        """Whether an event would reach anybody, now or later."""
        return self._open or bool(self._subscribers)

    def subscription_of(self, name: str) -> Subscription | None:
        """What that extension subscribed to."""
        known = self._subscribers.get(name)
        return None if known is None else known[0].subscription

    def subscribe(self, name: str, subscription: Subscription) -> None:
        """Let an extension have its events from the beginning. One it had before ends."""
        self._unsubscribe(name)
        subscriber = Subscriber(subscription, self._connect, self._clock, self._budget)
        for event in self._early:
            subscriber.add(event)
        task = self._scope.spawn(subscriber.run(), name="telemetry")
        self._subscribers[name] = subscriber, task

    def _unsubscribe(self, name: str) -> None:
        known = self._subscribers.pop(name, None)
        if known is not None:
            subscriber, task = known
            task.cancel()
            subscriber.close()

    def publish(self, at_s: float, kind: str, record: Record, *, structured: bool = False) -> None:
        """Tell every subscriber, and those who subscribe later."""
        event = TelemetryEvent(at_s, kind, record, structured)
        if self._open:
            self._keep(event)
        for subscriber, _ in self._subscribers.values():
            subscriber.add(event)

    def _keep(self, event: TelemetryEvent) -> None:
        size = len(event.record) if isinstance(event.record, str) else 0
        full = len(self._early) >= _EARLY_EVENTS_MAX
        if not full and self._early_bytes + size <= _EARLY_BYTES_MAX:
            self._early.append(event)
            self._early_bytes += size

    def close_subscriptions(self) -> None:
        """Init is over."""
        self._open = False
        self._early.clear()

    def pause(self) -> None:
        """The environment is about to be frozen."""
        for subscriber, _ in self._subscribers.values():
            subscriber.pause()

    def resume(self) -> None:
        """The environment runs again."""
        for subscriber, _ in self._subscribers.values():
            subscriber.resume()

    def hurry(self) -> None:
        """The environment is about to end."""
        for subscriber, _ in self._subscribers.values():
            subscriber.hurry()

    def close(self) -> None:
        """Nobody takes anything any more. Safe to call twice."""
        self.close_subscriptions()
        for name in list(self._subscribers):
            self._unsubscribe(name)
