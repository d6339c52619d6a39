"""How many sandboxes to keep ready for each kind of runtime. Pure: no I/O and no clock.

* A kind that was asked for lately keeps a floor. One that was not keeps one, so that its next call
  finds a place to start in.
* Each call adds to a kind's *heat*, which halves every ``HALF_LIFE_S``. A whole unit of heat is one
  more to keep ready: what came in a burst may come again.
* There is room for only so many in all. What is short is given out one by one, in turn, the
  hottest kind first.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

HALF_LIFE_S = 60.0

#: After this long without a claim a kind has no floor but one.
QUIET_S = 600.0

#: What one that waits takes of the host's memory: a parked interpreter, its sandbox, and our part.
PARKED_BYTES = 8 << 20

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Heat:
    """How much a kind was asked for, as of ``at_s``."""

    units: float = 0.0
    at_s: float = 0.0

    def now(self, now_s: float) -> float:
        """What is left of it."""
        return self.units * 0.5 ** (max(now_s - self.at_s, 0.0) / HALF_LIFE_S)

    def risen(self, now_s: float) -> Heat:
        """After one more call."""
        return Heat(self.now(now_s) + 1.0, now_s)


def room(*, parked_max: int, memory_bytes: int, memory_share: float, environments_free: int) -> int:
    """How many may be kept ready in all."""
    by_memory = int(memory_bytes * memory_share / PARKED_BYTES)
    return max(0, min(parked_max, by_memory, environments_free))


def wanted(heats: Mapping[K, Heat], *, now_s: float, floor: int, room: int) -> dict[K, int]:
    """How many of each kind to keep; together no more than ``room``."""
    wishes = {kind: _wish(heat, now_s, floor) for kind, heat in heats.items()}
    order = sorted(wishes, key=lambda kind: heats[kind].now(now_s), reverse=True)
    given = dict.fromkeys(wishes, 0)
    left = room
    while left and order:
        order = [kind for kind in order if given[kind] < wishes[kind]]
        for kind in order[:left]:
            given[kind] += 1
        left -= min(left, len(order))
    return given


def _wish(heat: Heat, now_s: float, floor: int) -> int:
    quiet = now_s - heat.at_s > QUIET_S
    return (min(floor, 1) if quiet else floor) + (int(heat.now(now_s)) if floor else 0)
