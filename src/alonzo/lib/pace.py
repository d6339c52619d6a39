"""A bound on how often something may happen: so many a second, and only so many at once.

Pure: the caller has the clock. One number is the whole state, so a pace costs a fraction of a
microsecond, and what was not used does not add up.
"""

from __future__ import annotations


class Pace:
    """How often one thing happened lately. The generic cell rate algorithm.

    ``burst_s``: what the rate allows in so many seconds may happen at once.
    """

    __slots__ = ("_burst_s", "_paid_until_s")

    def __init__(self, burst_s: float = 1.0) -> None:
        # The slack is for what adding thousands of small fractions loses.
        self._burst_s = burst_s + 1e-6
        self._paid_until_s = float("-inf")

    def try_pass(self, now_s: float, per_s: float) -> bool:
        """Whether it may happen now, at ``per_s``; if so it counts as having happened.

        ``now_s`` is of a clock that never runs backwards. The rate may differ from call to call.
        """
        after_s = max(self._paid_until_s, now_s) + 1.0 / per_s
        if after_s - now_s > self._burst_s:
            return False
        self._paid_until_s = after_s
        return True

    def is_quiet(self, now_s: float) -> bool:
        """Whether it may be forgotten: a new one would answer the same."""
        return self._paid_until_s <= now_s
