"""How many sandboxes to keep ready for each kind of runtime. Pure: no I/O and no clock.

* A kind that was asked for lately keeps a floor. One that was not keeps one, so that its next call
  finds a place to start in.
* Each call adds to a kind's *heat*, which halves every ``HALF_LIFE_S``. A whole unit of heat is one
  more to keep ready: what came in a burst may come again.
* There is room for only so many in all, and for so much of their memory. What is short is given
  out one by one, in turn, the hottest kind first; who takes more than is left gets no more.
* A kind that is a few functions' own is forgotten after ``FORGOTTEN_S``: there may be many such.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

HALF_LIFE_S = 60.0

#: After this long without a claim a kind has no floor but one.
QUIET_S = 600.0

#: After this long nothing is kept of one that only functions with certain variables can use.
FORGOTTEN_S = 3600.0

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


@dataclass(frozen=True, slots=True)
class Demand:
    """What speaks for keeping a kind, and what one of it takes of the host's memory.

    ``lasting``: every function of a runtime can use it, so there are only a few such kinds.
    """

    heat: Heat
    bytes: int
    lasting: bool = True

    def forgotten(self, now_s: float) -> bool:
        """Whether nobody asked for so long that nothing of it is kept."""
        return not self.lasting and now_s - self.heat.at_s > FORGOTTEN_S


@dataclass(frozen=True, slots=True)
class Room:
    """How many may be kept ready in all, and how much of the host's memory they may take."""

    n: int
    bytes: int


def room(
    *, parked_max: int, memory_bytes: int, memory_share: float, environments_free: int
) -> Room:
    """The room that the settings, the host and the environments at work leave."""
    return Room(max(0, min(parked_max, environments_free)), int(memory_bytes * memory_share))


def wanted(demands: Mapping[K, Demand], *, now_s: float, floor: int, room: Room) -> dict[K, int]:
    """How many of each kind to keep; together no more than there is ``room`` for."""
    wishes = {kind: _wish(demand, now_s, floor) for kind, demand in demands.items()}
    order = sorted(wishes, key=lambda kind: demands[kind].heat.now(now_s), reverse=True)
    given = dict.fromkeys(wishes, 0)
    left, left_bytes = room.n, room.bytes
    while order:
        served: list[K] = []
        for kind in order:
            size = demands[kind].bytes
            if given[kind] < wishes[kind] and left and size <= left_bytes:
                given[kind] += 1
                left -= 1
                left_bytes -= size
                served.append(kind)
        order = served
    return given


def _wish(demand: Demand, now_s: float, floor: int) -> int:
    if demand.forgotten(now_s):
        return 0
    heat = demand.heat
    quiet = now_s - heat.at_s > QUIET_S
    return (min(floor, 1) if quiet else floor) + (int(heat.now(now_s)) if floor else 0)
