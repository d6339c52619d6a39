"""Freezes environments that have been idle for a moment.

One timer serves them all, so that a call that comes sooner costs no timer of its own. An
environment is frozen between ``freeze_after_s`` and twice that after its last call.

One that is called again soon after that was frozen in vain, and both calls of the kernel cost more
than the call. It rests twice as long the next time, up to sixteen times: of many environments that
share a steady load each is idle for a moment now and then.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from alonzo.lib.clock import Clock

#: One that is called again within this time was frozen in vain.
_IN_VAIN_S = 1.0

_PATIENCE_MAX = 16


def next_patience(patience: int, frozen_s: float) -> int:
    """How many times ``freeze_after_s`` an environment rests from now on, after it was frozen."""
    return min(2 * patience, _PATIENCE_MAX) if frozen_s < _IN_VAIN_S else 1


class Rests(Protocol):
    """What can be frozen. ``patience``: how many times the usual it rests before."""

    idle_since_s: float
    patience: int

    def freeze_nowait(self) -> None:
        """Freeze, if it is idle."""
        ...


class Freezer:
    """Has each one that rests frozen in its time."""

    def __init__(self, clock: Clock, freeze_after_s: float) -> None:
        self._clock = clock
        self._freeze_after_s = freeze_after_s
        self._resting: dict[Rests, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def rest(self, environment: Rests) -> None:
        """It is idle from now on. If it is busy again by the time, it says so itself."""
        self._resting[environment] = None
        if self._timer is None:
            self._again(self._freeze_after_s)

    def _again(self, delay_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._look)

    def _look(self) -> None:
        self._timer = None
        now_s, after_s = self._clock.monotonic_s(), self._freeze_after_s
        due = [
            each for each in self._resting if each.idle_since_s + each.patience * after_s <= now_s
        ]
        for environment in due:
            del self._resting[environment]
            environment.freeze_nowait()
        if self._resting:
            self._again(self._freeze_after_s)

    def close(self) -> None:
        """Freeze no more."""
        self._resting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
