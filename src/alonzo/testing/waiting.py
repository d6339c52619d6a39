"""Waiting for a condition in place of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_INTERVAL_S = 0.02


def eventually(condition: Callable[[], T], within_s: float) -> T:
    """Call ``condition`` until it answers something true, and return that.

    Raises:
        AssertionError: it did not within ``within_s`` seconds; the text has its last answer.
    """
    deadline_s = time.monotonic() + within_s
    while not (answer := condition()):
        if time.monotonic() > deadline_s:
            name = getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"{name} still answers {answer!r} after {within_s} s")
        time.sleep(POLL_INTERVAL_S)
    return answer
