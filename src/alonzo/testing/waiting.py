"""Waiting for a condition in place of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_INTERVAL_S = 0.02
#: How many times as long everything may take here: more on an emulated processor, where
#: ``tools/cgroup2_host`` says so.
TIMES = 1


def eventually(condition: Callable[[], T], within_s: float) -> T:
    """Call ``condition`` until it answers something true, and return that.

    Raises:
        AssertionError: it did not within ``within_s`` seconds (``TIMES`` as many); the text has
            its last answer.
    """
    within_s *= TIMES
    deadline_s = time.monotonic() + within_s
    while not (answer := condition()):
        if time.monotonic() > deadline_s:
            name = getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"{name} still answers {answer!r} after {within_s} s")
        time.sleep(POLL_INTERVAL_S)
    return answer
