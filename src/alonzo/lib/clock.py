"""Time as a value that is handed in, so that a test can own it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time and a steady time. Take one wherever "now" matters."""

    def now_s(self) -> float:
        """Epoch seconds."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never run backwards; only differences mean something."""
        ...


class SystemClock:
    """The host's own clocks, without a call in between: each invoke looks at them ten times."""

    #: Epoch seconds.
    now_s = staticmethod(time.time)
    #: Seconds since some point in the past.
    monotonic_s = staticmethod(time.monotonic)


class ManualClock:
    """A clock that moves only when told to; for tests and for replay."""

    def __init__(self, now_s: float = 1_800_000_000.0) -> None:
        self._now_s = now_s

    def now_s(self) -> float:
        """Epoch seconds."""
        return self._now_s

    def monotonic_s(self) -> float:
        """The same hand as ``now_s``."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Move both hands forward."""
        self._now_s += seconds


def utc(epoch_s: float) -> datetime:
    """Epoch seconds as an aware datetime."""
    return datetime.fromtimestamp(epoch_s, UTC)


def iso_ms(epoch_s: float) -> str:
    """Epoch seconds as ``2026-11-20T10:00:00.000Z``."""
    return utc(epoch_s).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(epoch_s * 1000) % 1000:03d}Z"
