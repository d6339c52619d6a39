"""Schedule expressions: when something is due. Pure.

    rate(5 minutes)    cron(15 10 ? * 6L 2026-2030)    at(2026-11-20T13:00:00)

``parse`` reads one; ``next_after`` of what it answers is asked again and again. Times are epoch
seconds. ``cron`` and ``at`` are told by the clock of a time zone, where a time that daylight saving
leaves out is skipped, and one that it repeats counts once.

Source: EventBridge user guide, cron expressions, rate expressions; EventBridge Scheduler user
guide, schedule types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Protocol

from alonzo.lib.schedules.cron import Cron, parse_cron
from alonzo.lib.schedules.fields import ScheduleError
from alonzo.lib.schedules.zones import zone

__all__ = ["At", "Cron", "Rate", "Schedule", "ScheduleError", "parse"]

_FORM = re.compile(r"(rate|cron|at)\((.*)\)", re.ASCII)
_RATE = re.compile(r"([1-9]\d{0,8}) (minute|hour|day)(s?)", re.ASCII)
_AT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", re.ASCII)
_UNITS_S = {"minute": 60, "hour": 3600, "day": 86_400}


class Schedule(Protocol):
    """When something is due."""

    def next_after(self, after_s: float, anchor_s: float) -> float | None:
        """The first time later than ``after_s``, or None: never again.

        ``anchor_s`` is from when on rates are counted; the others do not depend on it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so many seconds. The first time is that of the anchor itself."""

    period_s: int

    def next_after(self, after_s: float, anchor_s: float) -> float | None:
        """See ``Schedule``."""
        if after_s < anchor_s:
            return anchor_s
        return anchor_s + ((after_s - anchor_s) // self.period_s + 1) * self.period_s


@dataclass(frozen=True, slots=True)
class At:
    """Once."""

    at_s: float

    def next_after(self, after_s: float, anchor_s: float) -> float | None:
        """See ``Schedule``."""
        return self.at_s if after_s < self.at_s else None


def parse(expression: str, timezone: str = "UTC", *, exact_units: bool = False) -> Schedule:
    """Read an expression. ``timezone`` is a name of the tz database.

    ``exact_units``: one is an hour, two are hours; rules want it so, Scheduler takes either.

    Raises:
        ScheduleError: it is none, or there is no such time zone.
    """
    tz = zone(timezone)
    form = _FORM.fullmatch(expression)
    if form is None:
        raise ScheduleError(f"not of the form rate(), cron() or at(): {expression[:100]!r}")
    kind, inner = form.groups()
    if kind == "rate":
        return _rate(inner, exact_units=exact_units)
    return parse_cron(inner, tz) if kind == "cron" else _at(inner, tz)


def _rate(text: str, *, exact_units: bool) -> Rate:
    found = _RATE.fullmatch(text)
    if found is None or (exact_units and (found[1] == "1") is (found[3] == "s")):
        raise ScheduleError(f"no rate such as 5 minutes: {text[:100]!r}")
    return Rate(int(found[1]) * _UNITS_S[found[2]])


def _at(text: str, tz: tzinfo) -> At:
    try:
        local = datetime.fromisoformat(text) if _AT.fullmatch(text) else None
    except ValueError:
        local = None
    if local is None:
        raise ScheduleError(f"no time such as 2026-11-20T13:00:00: {text[:100]!r}")
    # One that daylight saving leaves out comes as much later as the clock is put forward.
    return At(local.replace(tzinfo=tz).timestamp())
