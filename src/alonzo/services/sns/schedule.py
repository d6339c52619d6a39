"""Which deliveries start now: lanes, slots and alarms. Pure; times are epoch seconds.

    waiting ──due──▶ ready ──slot──▶ in hand ──▶ gone
       ^                                │
       '------------- failed -----------'

* Each subscription has a lane. What belongs to one message group is delivered one after the other,
  in the order of publishing, and a failure holds up its group alone.
* Lanes take turns. A lane holds as many slots as are left free beside it, ``LANE_SLOTS_MAX`` at
  most: one whose endpoint is slow leaves room for all others.
* A lane holds the first ``WINDOW`` of its deliveries; the others are in the store (``more``).
* A throttled lane starts so many a second.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from alonzo.lib.pace import Pace

#: Deliveries of one subscription that memory holds.
WINDOW = 256
#: Deliveries to one subscription that are under way at once.
LANE_SLOTS_MAX = 16
#: Paces kept before those that say nothing any more are forgotten.
_PACES_MAX = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One delivery: to which subscription, and its place in the order of all messages.

    ``group_id`` is empty where there are no groups. ``attempts`` are those made.
    """

    subscription_arn: str
    place: int
    message_id: str
    group_id: str
    attempts: int
    due_at_s: float

    @property
    def key(self) -> str:
        """What it must not overtake, or itself."""
        return f"g{self.group_id}" if self.group_id else f"p{self.place}"


@dataclass(frozen=True, slots=True)
class Gap:
    """Deliveries of a subscription that memory has not: those after a place."""

    subscription_arn: str
    after: int = 0
    skipped: int = 0


@dataclass(slots=True)
class _Lane:
    """``groups`` has every delivery in memory, the head of a group that is in hand as well."""

    groups: dict[str, deque[Entry]] = field(default_factory=dict[str, "deque[Entry]"])
    ready: deque[str] = field(default_factory=deque[str])
    waiting: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    count: int = 0
    held: int = 0
    last_place: int = 0
    more: bool = False
    skipped: int = 0


class Schedule:
    """The lanes that share one set of slots."""

    def __init__(self, slots: int, per_s: Callable[[str], float | None]) -> None:
        """``per_s`` answers a subscription's throttle."""
        self._free = slots
        self._per_s = per_s
        self._lanes: dict[str, _Lane] = {}
        # In the order in which they take their turns; a dictionary is an ordered set.
        self._turns: dict[str, None] = {}
        self._alarms: list[tuple[float, str]] = []
        # Of throttled lanes, also while they are empty.
        self._paces: dict[str, Pace] = {}

    def add(self, entry: Entry, now_s: float) -> None:
        """Take in a delivery that was just stored; memory may be full, then the store keeps it."""
        lane = self._lanes.setdefault(entry.subscription_arn, _Lane())
        if lane.more or lane.count >= WINDOW:
            lane.more = True
            lane.skipped += 1
        else:
            self._put(lane, entry, now_s)

    def refill(self, gap: Gap, entries: list[Entry], more: bool, now_s: float) -> None:
        """Take in what the store had of a gap; ``more``: it has more."""
        arn = gap.subscription_arn
        lane = self._lanes.setdefault(arn, _Lane())
        # What was left out while the store was being read, the store did not show.
        lane.more = more or lane.skipped != gap.skipped
        for entry in entries:
            self._put(lane, entry, now_s)
        self._drop_if_empty(arn, lane)

    def gap(self, arn: str) -> Gap | None:
        """What the store is to be asked for of a lane; None: nothing yet."""
        lane = self._lanes.get(arn)
        if lane is None or not lane.more or lane.count > WINDOW // 2:
            return None
        return Gap(arn, lane.last_place, lane.skipped)

    def start(self, now_s: float) -> list[Entry]:
        """What is to start now; each holds a slot until ``finish`` or ``postpone``."""
        while self._alarms and self._alarms[0][0] <= now_s:
            self._turns.setdefault(heapq.heappop(self._alarms)[1])
        started: list[Entry] = []
        stuck: list[str] = []
        while self._turns and self._free:
            arn = next(iter(self._turns))
            del self._turns[arn]
            lane = self._lanes.get(arn)
            if lane is None:
                continue
            if lane.held >= min(LANE_SLOTS_MAX, self._free):
                stuck.append(arn)
                continue
            entry = self._next(arn, lane, now_s)
            if entry is None:
                continue
            lane.held += 1
            self._free -= 1
            started.append(entry)
            self._turns[arn] = None
        self._turns.update(dict.fromkeys(stuck))
        return started

    def finish(self, entry: Entry, now_s: float) -> None:
        """A delivery is over."""
        lane = self._release(entry)
        group = lane.groups[entry.key]
        group.popleft()
        lane.count -= 1
        if group:
            self._wake(entry.subscription_arn, lane, group[0], now_s)
        else:
            del lane.groups[entry.key]
        self._drop_if_empty(entry.subscription_arn, lane)

    def postpone(self, entry: Entry, due_at_s: float, now_s: float) -> None:
        """A delivery has failed once more and is tried again."""
        lane = self._release(entry)
        again = replace(entry, attempts=entry.attempts + 1, due_at_s=due_at_s)
        lane.groups[entry.key][0] = again
        self._wake(entry.subscription_arn, lane, again, now_s)

    def next_alarm_s(self) -> float | None:
        """When ``start`` may have something new without anybody's doing."""
        return self._alarms[0][0] if self._alarms else None

    def __len__(self) -> int:
        return sum(lane.count for lane in self._lanes.values())

    def _put(self, lane: _Lane, entry: Entry, now_s: float) -> None:
        lane.count += 1
        lane.last_place = max(lane.last_place, entry.place)
        group = lane.groups.setdefault(entry.key, deque())
        group.append(entry)
        if len(group) == 1:
            self._wake(entry.subscription_arn, lane, entry, now_s)

    def _wake(self, arn: str, lane: _Lane, head: Entry, now_s: float) -> None:
        """The head of a group is ready, or will be."""
        if head.due_at_s <= now_s:
            lane.ready.append(head.key)
            self._turns.setdefault(arn)
        else:
            heapq.heappush(lane.waiting, (head.due_at_s, head.key))
            heapq.heappush(self._alarms, (head.due_at_s, arn))

    def _next(self, arn: str, lane: _Lane, now_s: float) -> Entry | None:
        while lane.waiting and lane.waiting[0][0] <= now_s:
            lane.ready.append(heapq.heappop(lane.waiting)[1])
        if not lane.ready:
            return None
        per_s = self._per_s(arn)
        if per_s is not None and not self._may_start(arn, now_s, per_s):
            heapq.heappush(self._alarms, (now_s + 1.0 / per_s, arn))
            return None
        return lane.groups[lane.ready.popleft()][0]

    def _may_start(self, arn: str, now_s: float, per_s: float) -> bool:
        if len(self._paces) >= _PACES_MAX:
            self._paces = {
                each: pace for each, pace in self._paces.items() if not pace.is_quiet(now_s)
            }
        return self._paces.setdefault(arn, Pace()).try_pass(now_s, per_s)

    def _release(self, entry: Entry) -> _Lane:
        lane = self._lanes[entry.subscription_arn]
        lane.held -= 1
        self._free += 1
        # A lane that had as many slots as it may have gets its turn again.
        self._turns.setdefault(entry.subscription_arn)
        return lane

    def _drop_if_empty(self, arn: str, lane: _Lane) -> None:
        if not lane.count and not lane.more:
            self._lanes.pop(arn, None)
