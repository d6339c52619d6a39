"""How slots are shared out, so that nobody takes them all. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping


def share_slots(
    waiting: Iterable[str],
    held: Mapping[str, int],
    slots: int,
    ceilings: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """How many more slots each waiter gets, dealt one by one in the given order.

    One may hold as many slots as are left free beside it: one alone half of them, two a third each,
    and so on. So there is room for one that comes later, whatever the others do. ``held`` is what
    each holds already.
    ``ceilings`` are what some may hold at most.
    """
    ceilings = ceilings or {}
    holds = Counter(held)
    free = slots - holds.total()
    shares: Counter[str] = Counter()
    turns = deque(waiting)
    while turns:
        waiter = turns.popleft()
        if holds[waiter] < min(free, ceilings.get(waiter, slots)):
            holds[waiter] += 1
            shares[waiter] += 1
            free -= 1
            turns.append(waiter)
    return dict(shares)
