"""How many messages queues have. Exact for short queues; a long one is not counted at every call.

A count reads the queue's index from end to end: a third of a second for a million messages. So one
of a long queue stands for a while, as long as the queue is long: whoever asks all the time keeps a
reader of the store busy for a few hundredths of it. Then it is counted again, and comes true.

Source: SQS API reference, GetQueueAttributes: the numbers are approximate, and are right a minute
after the last message was sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from alonzo.lib.clock import Clock
from alonzo.services.sqs.backlog import Counts
from alonzo.services.sqs.messages.records import Q
from alonzo.store.base import Store

#: Up to so many messages every call counts.
SHORT_MAX = 10_000
#: How long a count stands: a second for so many messages, and no longer than that.
_MESSAGES_PER_S = 100_000
STANDS_S_MAX = 30.0
#: Long queues whose counts are known.
_KNOWN_MAX = 1024


@dataclass(slots=True)
class _Known:
    """A count; ``until_s`` is on the steady clock."""

    counts: Counts
    until_s: float


class Counting:
    """Counts the messages of queues."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[int, _Known] = {}
        #: How often one was to be counted anew: what was being counted then is not kept.
        self._forgotten = 0

    async def of(self, queue_id: int, now_ms: int, *, exactly: bool = False) -> Counts:
        """How many messages a queue has; ``exactly`` so many as of now, however long it takes."""
        known = None if exactly else self._known.get(queue_id)
        if known is not None:
            if self._clock.monotonic_s() < known.until_s:
                return known.counts
            # Until it is counted, the others who ask make do with what is known.
            known.until_s = self._clock.monotonic_s() + STANDS_S_MAX
        scope, forgotten = {"queue_id": queue_id, "now_ms": now_ms}, self._forgotten
        try:
            row = await self._store.read(lambda conn: conn.one(Q.counts, scope))
        except BaseException:
            self._known.pop(queue_id, None)
            raise
        assert row is not None
        total: int = row["all_of_them"]
        counts = Counts(row["visible"], total - row["visible"] - row["delayed"], row["delayed"])
        self._known.pop(queue_id, None)
        if total > SHORT_MAX and forgotten == self._forgotten:
            if len(self._known) >= _KNOWN_MAX:
                del self._known[next(iter(self._known))]
            stands_s = min(total / _MESSAGES_PER_S, STANDS_S_MAX)
            self._known[queue_id] = _Known(counts, self._clock.monotonic_s() + stands_s)
        return counts

    def forget(self, queue_id: int) -> None:
        """Count a queue anew when it is asked for."""
        self._forgotten += 1
        self._known.pop(queue_id, None)
