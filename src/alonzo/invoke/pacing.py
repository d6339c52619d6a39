"""How many events of one function are tried at once, after some were refused. Pure.

A function that is throttled could run none of the events that wait beside those that run. Trying
them all would only move each to a later time, and leave free what the function has later. So as
many are tried as ran when the first was refused, and after every few that ran one more. Where none
ran, one is tried after a pause, which doubles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from alonzo.invoke.event_life import backoff_s

#: Runs that end well between one step up and the next.
RUNS_PER_STEP = 16
#: The longest pause: how much later than it could a function's events may go on.
PAUSE_S_MAX = 16.0
#: Functions that are remembered; of more, the one that was refused first is tried as any other.
FUNCTIONS_MAX = 2000


@dataclass(slots=True)
class _Held:
    """``refusals`` are those in a row, with none that ran between; ``runs`` since the last step."""

    ceiling: int
    refusals: int = 0
    runs: int = 0
    paused_until_s: float = float("-inf")


class Pacing:
    """What is known of functions whose events were refused. Functions are named by their path."""

    def __init__(self, slots: int) -> None:
        """``slots``: a function that may try so many is held back no more."""
        self._slots = slots
        self._running: Counter[str] = Counter()
        self._held: dict[str, _Held] = {}

    def started(self, function_path: str) -> None:
        """An event is tried. One of the three below follows."""
        self._running[function_path] += 1

    def ran(self, function_path: str) -> None:
        """It ran, well or badly."""
        self._end(function_path)
        held = self._held.get(function_path)
        if held is None:
            return
        held.refusals = 0
        held.paused_until_s = float("-inf")
        held.runs += 1
        if held.runs >= RUNS_PER_STEP:
            held.runs = 0
            held.ceiling += 1
            if held.ceiling >= self._slots:
                del self._held[function_path]

    def refused(self, function_path: str, now_s: float) -> None:
        """It did not run, and may later."""
        others = self._end(function_path)
        held = self._held.get(function_path)
        if held is None:
            if len(self._held) >= FUNCTIONS_MAX:
                del self._held[next(iter(self._held))]
            held = self._held[function_path] = _Held(self._slots)
        held.runs = 0
        held.ceiling = max(1, min(held.ceiling, others))
        if not others:
            held.refusals += 1
            held.paused_until_s = now_s + min(backoff_s(held.refusals), PAUSE_S_MAX)

    def cut(self, function_path: str) -> None:
        """Nothing is known of it but that it is no longer tried."""
        self._end(function_path)

    def ceilings(self, now_s: float) -> Mapping[str, int]:
        """How many may be tried at once, of every function that is held back; 0 in a pause."""
        return {
            path: held.ceiling if held.paused_until_s <= now_s else 0
            for path, held in self._held.items()
        }

    def pause_ends_at_s(self, now_s: float) -> float | None:
        """When the next pause ends, or None if there is none."""
        ends = (held.paused_until_s for held in self._held.values())
        return min((end_s for end_s in ends if end_s > now_s), default=None)

    def _end(self, function_path: str) -> int:
        """Answers how many of the function are still tried."""
        left = self._running[function_path] - 1
        assert left >= 0, "an event ended that was not started"
        if left:
            self._running[function_path] = left
        else:
            del self._running[function_path]
        return left
