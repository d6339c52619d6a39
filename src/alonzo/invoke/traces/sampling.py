"""Which calls are traced where the caller leaves it open: functions with active tracing.

The first call of each function in a second, and one in twenty of the others. Source: X-Ray
developer guide, the default sampling rule. No clock: seconds come in.
"""

from __future__ import annotations

from alonzo.model.arns import FunctionKey

_SHARE = 0.05


class TraceSampler:
    """Decides."""

    def __init__(self) -> None:
        self._second = 0
        self._seen: set[FunctionKey] = set()

    def samples(self, key: FunctionKey, now_s: float, random_hex: str) -> bool:
        """Whether this call is traced. ``random_hex`` has at least four digits, the last count."""
        second = int(now_s)
        if second != self._second:
            self._second, self._seen = second, set()
        if key not in self._seen:
            self._seen.add(key)
            return True
        return int(random_hex[-4:], 16) < _SHARE * 0x10000
