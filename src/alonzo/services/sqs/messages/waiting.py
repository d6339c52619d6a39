"""Who waits for messages, and of which queues it is known that there are none.

A queue is *quiet* when a receive has found that nothing may be received before a moment that it
learned, and nothing has been heard since. A receive of a quiet queue asks no store. Whatever is
committed that may end the quiet is heard (``records.ring``) before its sender is answered.

One message wakes one receive. Whoever gets all that it asked for wakes the next; whoever gets less
knows that no more is there. So somebody who waits is always about to be woken by a commit, by the
timer of the queue, or by one that was woken before.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Set

from alonzo.lib.clock import Clock
from alonzo.services.sqs.messages.records import TOPIC
from alonzo.services.sqs.records import CHANGES_TOPIC
from alonzo.store.base import Store

#: Nothing will ever happen by itself.
_NEVER_MS = 1 << 62


class _Bell:
    """One queue. ``quiet_until_ms`` is 0 as long as nobody knows."""

    __slots__ = ("generation", "quiet_until_ms", "timer", "waiters")

    def __init__(self) -> None:
        self.generation = 0
        self.quiet_until_ms = 0
        self.timer: asyncio.TimerHandle | None = None
        self.waiters: deque[_Waiter] = deque()

    def set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        """Have this timer and no other."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = timer


class _Waiter:
    """One receive that waits for so many messages."""

    __slots__ = ("messages_max", "woken")

    def __init__(self, messages_max: int) -> None:
        self.messages_max = messages_max
        self.woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Waiting:
    """The receives that wait, by queue."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._clock = clock
        self._bells: dict[int, _Bell] = {}
        self._closed = False
        self._subscriptions = (
            store.subscribe(TOPIC, self._hear),
            store.subscribe(CHANGES_TOPIC, self._hear_of_queue),
        )

    def is_quiet_nowait(self, queue_id: int, now_ms: int) -> bool:
        """Whether a receive would find nothing."""
        bell = self._bells.get(queue_id)
        return bell is not None and bell.quiet_until_ms > now_ms

    def generation(self, queue_id: int) -> int:
        """A number that grows whenever the queue is heard of; for ``note``."""
        return self._bell(queue_id).generation

    def note(self, queue_id: int, generation: int, next_ms: int | None) -> None:
        """A receive that began at that generation left nothing that is visible before ``next_ms``.

        None: nothing will be, unless something happens.
        """
        bell = self._bell(queue_id)
        if bell.generation == generation:
            bell.quiet_until_ms = _NEVER_MS if next_ms is None else next_ms
            self._watch(bell)

    async def wait(self, queue_id: int, messages_max: int, timeout_s: float) -> bool:
        """Wait until there may be something; False: the time is up, or waiting is over."""
        bell = self._bell(queue_id)
        if self._closed:
            return False
        if bell.quiet_until_ms <= int(self._clock.now_s() * 1000):
            return True
        waiter = _Waiter(messages_max)
        bell.waiters.append(waiter)
        self._watch(bell)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(timeout_s, _end, waiter)
        try:
            await waiter.woken
        except asyncio.CancelledError:
            if waiter in bell.waiters:
                bell.waiters.remove(waiter)
            else:
                self._wake(bell, 1)
            raise
        finally:
            timer.cancel()
        if waiter in bell.waiters:
            bell.waiters.remove(waiter)
            return False
        return not self._closed

    def pass_on(self, queue_id: int) -> None:
        """There may be more than the caller took: let the next one look."""
        bell = self._bells.get(queue_id)
        if bell is not None:
            self._wake(bell, 1)

    def keep_only(self, queue_ids: Set[int]) -> None:
        """Forget all other queues."""
        for queue_id in self._bells.keys() - queue_ids:
            bell = self._bells.pop(queue_id)
            bell.set_timer(None)
            self._wake(bell, _NEVER_MS)

    def end_waits(self) -> None:
        """Whoever waits gets its empty answer now, and nobody waits any more."""
        self._closed = True
        for bell in self._bells.values():
            bell.set_timer(None)
            self._wake(bell, _NEVER_MS)

    def close(self) -> None:
        """End all waits, and hear nothing any more."""
        for unsubscribe in self._subscriptions:
            unsubscribe()
        self.end_waits()

    def _hear(self, key: str) -> None:
        queue_id, n, _ = key.split(" ")
        bell = self._bells.get(int(queue_id))
        if bell is not None:
            bell.generation += 1
            bell.quiet_until_ms = 0
            bell.set_timer(None)
            self._wake(bell, int(n))

    def _hear_of_queue(self, key: str) -> None:
        """A queue is not as it was, or not at all: each receive has to look at it anew."""
        self._hear(f"{key} {_NEVER_MS} 0")

    def _wake(self, bell: _Bell, n: int) -> None:
        """Wake as many as may want so many messages."""
        while bell.waiters and n > 0:
            waiter = bell.waiters.popleft()
            if not waiter.woken.done():
                waiter.woken.set_result(None)
                n -= waiter.messages_max

    def _watch(self, bell: _Bell) -> None:
        """As long as somebody waits, look again when the quiet is over."""
        if not bell.waiters or not 0 < bell.quiet_until_ms < _NEVER_MS or self._closed:
            bell.set_timer(None)
            return
        in_s = bell.quiet_until_ms / 1000 - self._clock.now_s()
        loop = asyncio.get_running_loop()
        bell.set_timer(loop.call_later(max(0.0, in_s), self._look_again, bell))

    def _look_again(self, bell: _Bell) -> None:
        bell.timer = None
        bell.quiet_until_ms = 0
        self._wake(bell, 1)

    def _bell(self, queue_id: int) -> _Bell:
        return self._bells.setdefault(queue_id, _Bell())


def _end(waiter: _Waiter) -> None:
    """The time of a waiter is up; that it is still in the queue tells it so."""
    if not waiter.woken.done():
        waiter.woken.set_result(None)
