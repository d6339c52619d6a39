"""When a schedule fires: its expression, its dates, its window, and ticks that were missed. Pure.

* A *tick* is a time that the expression names. It is handed over when it comes, or, with a flexible
  window, at a chance time within the window that begins with it.
* Of the ticks of a recurring schedule that nobody could hand over in time, the last one counts: it
  is made up for at once, unless its retry policy gives events of its age up.
* A rate counts from ``StartDate`` on, or from when the schedule was made, which is its first tick.

Source: EventBridge Scheduler user guide, schedule types, flexible time windows; what AWS takes for
an expression was measured. It has no word on ticks that are missed: these are ours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from alonzo.lib.schedules import At, Schedule, ScheduleError, parse
from alonzo.services.scheduler.errors import invalid, invalid_expression, invalid_timezone
from alonzo.services.scheduler.limits import LATE_S_MAX, START_AGE_S_MAX

_FORM = re.compile(r"(at|cron|rate)\((.*)\)", re.ASCII | re.IGNORECASE)
_MINUTE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}", re.ASCII)
_FIELDS_WITHOUT_YEAR = 5
#: What dates can be made of in every time zone.
_EARLIEST_S, _LATEST_S = 86_400.0, 253_402_000_000.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Everything that decides when a schedule fires. Times are epoch seconds."""

    expression: str
    timezone: str = "UTC"
    start_s: float | None = None
    end_s: float | None = None
    window_s: int = 0


@dataclass(frozen=True, slots=True)
class Fire:
    """What comes of a tick: which one is handed over, when, and the next one; None: no more."""

    tick_at_s: float
    due_at_s: float
    next_at_s: float | None


@lru_cache(maxsize=4096)
def schedule_of(expression: str, timezone: str) -> Schedule:
    """Read an expression in all the ways that AWS takes.

    Raises:
        AwsError: ValidationException: it is none, or there is no such time zone.
    """
    found = _FORM.fullmatch(expression)
    if found is None:
        raise invalid_expression(expression)
    kind, inner = found[1].lower(), found[2]
    if kind == "at" and _MINUTE.fullmatch(inner):
        inner += ":00"
    if kind == "cron" and len(inner.split(" ")) == _FIELDS_WITHOUT_YEAR:
        inner += " *"
    try:
        parse("rate(1 minute)", timezone)
    except ScheduleError as error:
        raise invalid_timezone(timezone) from error
    try:
        return parse(f"{kind}({inner})", timezone)
    # Years that no time of the host can be made of.
    except (ScheduleError, OverflowError, ValueError, OSError) as error:
        raise invalid_expression(expression) from error


def is_one_time(timing: Timing) -> bool:
    """Whether the schedule fires once; start, end and windows' ends are not asked then."""
    return isinstance(schedule_of(timing.expression, timing.timezone), At)


def check(timing: Timing, now_s: float, *, known_start_s: float | None = None) -> None:
    """Refuse dates and expressions that cannot be. ``known_start_s`` was accepted before.

    Raises:
        AwsError: ValidationException.
    """
    if is_one_time(timing):
        return
    start_s, end_s = timing.start_s, timing.end_s
    if any(each is not None and not _EARLIEST_S <= each <= _LATEST_S for each in (start_s, end_s)):
        raise invalid("StartDate and EndDate must be dates from 1970 to 9999.")
    if start_s is not None and end_s is not None and start_s >= end_s:
        raise invalid("The StartDate you specify must come before the EndDate.")
    if start_s is not None and start_s != known_start_s and start_s < now_s - START_AGE_S_MAX:
        raise invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")


def window_s(window: Mapping[str, Any]) -> int:
    """The length of a flexible window.

    Raises:
        AwsError: ValidationException: mode and length do not fit each other.
    """
    minutes: int | None = window.get("MaximumWindowInMinutes")
    if window["Mode"] == "OFF":
        if minutes is not None:
            raise invalid(
                "MaximumWindowInMinutes must not be provided when FlexibleTimeWindowMode is set to "
                "OFF."
            )
        return 0
    if minutes is None:
        raise invalid(
            "MaximumWindowInMinutes must be provided when FlexibleTimeWindowMode is set to "
            "FLEXIBLE."
        )
    return minutes * 60


def anchor_of(timing: Timing, now_s: float) -> float:
    """From when on rates are counted, of a schedule that is made or changed now."""
    return float(math.floor(now_s)) if timing.start_s is None else timing.start_s


def first_tick(timing: Timing, anchor_s: float, now_s: float) -> float | None:
    """The first tick of a schedule that is made now, or None: it never fires.

    A one-time schedule whose time has just passed fires all the same, one made later never.
    """
    if is_one_time(timing):
        return next_tick(timing, anchor_s, now_s - LATE_S_MAX)
    # A tick of this very moment counts.
    from_s = anchor_s if timing.start_s is None else max(timing.start_s, now_s)
    return next_tick(timing, anchor_s, math.nextafter(from_s, 0.0))


def next_tick(timing: Timing, anchor_s: float, after_s: float) -> float | None:
    """The next tick later than ``after_s``, or None: there is none."""
    tick_at_s = schedule_of(timing.expression, timing.timezone).next_after(after_s, anchor_s)
    return tick_at_s if tick_at_s is not None and is_within(timing, tick_at_s) else None


def fire(timing: Timing, anchor_s: float, tick_at_s: float, now_s: float, chance: float) -> Fire:
    """What to do about a tick that has come. ``chance`` is from 0 up to, and without, 1."""
    last_s = _last_tick(timing, anchor_s, tick_at_s, now_s)
    due_at_s = last_s + timing.window_s * chance
    return Fire(last_s, due_at_s, next_tick(timing, anchor_s, last_s))


def _last_tick(timing: Timing, anchor_s: float, tick_at_s: float, now_s: float) -> float:
    """The last tick up to now; ``tick_at_s`` is one. Asks the expression about 40 times at most."""
    low_s, high_s = tick_at_s, max(now_s, tick_at_s)
    if not _ticks_between(timing, anchor_s, low_s, high_s):
        return tick_at_s
    # There is a tick after low, up to now, and none after high.
    while high_s - low_s > 1.0:
        middle_s = (low_s + high_s) / 2
        if _ticks_between(timing, anchor_s, middle_s, now_s):
            low_s = middle_s
        else:
            high_s = middle_s
    found = next_tick(timing, anchor_s, low_s)
    assert found is not None, "there is one after low"
    return found


def _ticks_between(timing: Timing, anchor_s: float, after_s: float, until_s: float) -> bool:
    found = next_tick(timing, anchor_s, after_s)
    return found is not None and found <= until_s


def is_within(timing: Timing, tick_at_s: float) -> bool:
    """Whether a tick of the expression is before the schedule's end."""
    return timing.end_s is None or is_one_time(timing) or tick_at_s <= timing.end_s
