"""A timer for deadlines that move all the time and are hardly ever missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls back at the latest at the time it was told, and perhaps too early: look, and tell anew.

    A deadline that moves away costs nothing: the call comes at the old time.
    """

    __slots__ = ("_at_s", "_callback", "_handle", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None
        self._at_s = 0.0

    def by(self, at_s: float) -> None:
        """Call back at ``at_s`` of the loop's time, if not earlier."""
        if self._handle is not None:
            if self._at_s <= at_s:
                return
            self._handle.cancel()
        self._at_s = at_s
        self._handle = self._loop.call_at(at_s, self._ring)

    def cancel(self) -> None:
        """Do not call back."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        self._callback()
