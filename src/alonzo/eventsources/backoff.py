"""How long to wait before what failed is tried again. Pure: chance is handed in."""

from __future__ import annotations

from alonzo.lib.chance import Chance

#: A source that cannot be read: no such queue, no permission.
_SOURCE_FIRST_S, SOURCE_S_MAX = 0.5, 15.0
#: A call that was throttled, or that Lambda could not make.
_CALL_FIRST_S, CALL_S_MAX = 0.1, 10.0
#: What may pass between the hiding of a message and our hearing of it.
_SLACK_S = 0.5


def source_pause_s(failures: int, chance: Chance) -> float:
    """After so many failures in a row to read: half a second at first, 15 s at most."""
    return _pause_s(_SOURCE_FIRST_S, SOURCE_S_MAX, failures, chance)


def call_pause_s(tries: int, chance: Chance) -> float:
    """After so many calls of the function that did not run: a tenth of a second, 10 s at most."""
    return _pause_s(_CALL_FIRST_S, CALL_S_MAX, tries, chance)


def _pause_s(first_s: float, most_s: float, times: int, chance: Chance) -> float:
    """Doubling, and somewhere in the upper half: what failed together does not return together."""
    whole_s = min(first_s * 2.0 ** min(times - 1, 16), most_s)
    return whole_s * (0.5 + chance() / 2)


def may_call_again(*, pause_s: float, now_s: float, hidden_until_s: float, timeout_s: int) -> bool:
    """Whether a call that begins after the pause is over before its messages are seen again.

    ``hidden_until_s``: when the queue shows them to others, by the clock of ``now_s``. One that
    would run beyond that is left: the messages come back by themselves, and none runs twice.
    """
    return now_s + pause_s + timeout_s + _SLACK_S <= hidden_until_s


def usable_window_s(window_s: float, *, hidden_s: float, timeout_s: int) -> float:
    """How long a batch may be collected: its call, too, is to end while the messages are hidden.

    ``hidden_s``: for how long the queue hides them; 0 where nobody knows.
    """
    if hidden_s <= 0:
        return window_s
    return max(0.0, min(window_s, hidden_s - timeout_s - _SLACK_S))
