"""Bounds what failed authentications cost: so many records a minute, and a sum of the others."""

from __future__ import annotations

from collections import Counter
from typing import Any

_WINDOW_S = 60.0
#: Addresses that a sum names; those of the others are counted together.
_ADDRESSES_MAX = 20
OTHERS = "others"


class RefusalBudget:
    """Decides which refusals get a record of their own. Times are of the caller's steady clock."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._until_s = 0.0
        self._left = per_minute
        self._reasons: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()

    def take(self, reason: str, address: str, now_s: float) -> bool:
        """Whether this one gets a record; if not, it is counted."""
        if now_s >= self._until_s and not self._reasons:
            self._until_s, self._left = now_s + _WINDOW_S, self._per_minute
        if self._left > 0:
            self._left -= 1
            return True
        self._reasons[reason] += 1
        known = address in self._addresses or len(self._addresses) < _ADDRESSES_MAX
        self._addresses[address if known else OTHERS] += 1
        return False

    def due_at_s(self) -> float | None:
        """When there is a sum to be had; None if nothing was counted."""
        return self._until_s if self._reasons else None

    def sum_up(self, now_s: float) -> dict[str, Any]:
        """What was counted, and begin anew."""
        details = {
            "count": self._reasons.total(),
            "reasons": dict(self._reasons),
            "addresses": dict(self._addresses),
        }
        self._reasons.clear()
        self._addresses.clear()
        self._until_s, self._left = now_s + _WINDOW_S, self._per_minute
        return details
