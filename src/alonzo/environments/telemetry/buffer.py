"""What waits for one subscriber: when a batch is due, and what is dropped when it does not come.

* A batch is due when there are ``items_max`` events or ``bytes_max`` bytes, or when its oldest
  event is ``timeout_s`` old.
* Twice ``bytes_max`` may wait, if the platform has room for it; what comes beyond that is dropped
  and counted. What is being sent counts as waiting.

Pure: the caller has the clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


class Budget:
    """How much may wait in all environments together, in bytes."""

    def __init__(self, bytes_max: int = 64 << 20) -> None:
        self._left_bytes = bytes_max

    def take(self, n_bytes: int) -> bool:
        """Whether there is room for so much, which is then taken."""
        if n_bytes > self._left_bytes:
            return False
        self._left_bytes -= n_bytes
        return True

    def take_anyway(self, n_bytes: int) -> None:
        """Take so much, room or not: for the little that has to be said."""
        self._left_bytes -= n_bytes

    def give_back(self, n_bytes: int) -> None:
        """So much of it waits no longer."""
        self._left_bytes += n_bytes


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was lost since the last batch."""

    records: int
    n_bytes: int


class Buffer:
    """Events for one subscriber, encoded. Call ``sent()`` or ``take()`` again after ``take()``."""

    def __init__(self, *, items_max: int, bytes_max: int, timeout_s: float, budget: Budget) -> None:
        self._items_max = items_max
        self._bytes_max = bytes_max
        self._timeout_s = timeout_s
        self._budget = budget
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._waiting_bytes = 0
        self._sending_bytes = 0
        self._dropped_records = 0
        self._dropped_bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def held_bytes(self) -> int:
        """All that it holds on to."""
        return self._waiting_bytes + self._sending_bytes

    def add(self, event: bytes, now_s: float) -> None:
        """Keep an event, or drop it and remember how much was dropped."""
        size = len(event)
        # One event may be larger than a batch; it then is one.
        fits = self.held_bytes + size <= 2 * self._bytes_max or not self.held_bytes
        if fits and self._budget.take(size):
            self._keep(event, now_s)
        else:
            self._dropped_records += 1
            self._dropped_bytes += size

    def add_notice(self, event: bytes, now_s: float) -> None:
        """Keep the word of what was dropped; there is one for each batch at most."""
        self._budget.take_anyway(len(event))
        self._keep(event, now_s)

    def _keep(self, event: bytes, now_s: float) -> None:
        self._waiting.append((event, now_s))
        self._waiting_bytes += len(event)

    def due_at_s(self, now_s: float) -> float | None:
        """When the next batch is due; None while nothing waits."""
        if not self._waiting:
            return None
        if len(self._waiting) >= self._items_max or self._waiting_bytes >= self._bytes_max:
            return now_s
        return self._waiting[0][1] + self._timeout_s

    def take(self) -> tuple[list[bytes], Dropped | None]:
        """The next batch, and what was lost before the one after it."""
        self._release_sent()
        batch: list[bytes] = []
        while self._waiting and len(batch) < self._items_max:
            size = len(self._waiting[0][0])
            if batch and self._sending_bytes + size > self._bytes_max:
                break
            batch.append(self._waiting.popleft()[0])
            self._waiting_bytes -= size
            self._sending_bytes += size
        dropped = None
        if self._dropped_records and not self._waiting:
            dropped = Dropped(self._dropped_records, self._dropped_bytes)
            self._dropped_records = self._dropped_bytes = 0
        return batch, dropped

    def sent(self) -> None:
        """The last batch has arrived."""
        self._release_sent()

    def _release_sent(self) -> None:
        self._budget.give_back(self._sending_bytes)
        self._sending_bytes = 0

    def clear(self) -> None:
        """Nobody will take any of it."""
        self._release_sent()
        self._budget.give_back(self._waiting_bytes)
        self._waiting.clear()
        self._waiting_bytes = 0
