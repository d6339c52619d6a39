"""The fields of a cron expression: which minutes, hours, days, months and years they name. Pure.

| Field | Values | Beside values |
|---|---|---|
| minutes, hours | 0-59, 0-23 | ``*``, ranges, steps, lists |
| day of month | 1-31 | the same, ``L`` the last, ``15W`` the weekday next to the 15th, ``LW`` |
| month | 1-12, JAN-DEC | ``*``, ranges, steps, lists |
| day of week | 1-7, SUN-SAT | ``*``, ranges, lists, ``L`` Saturday, ``6L`` last Friday, ``6#3`` |
| year | 1970-2199 | ``*``, ranges, steps, lists |

Source: EventBridge user guide, cron expressions reference.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

#: Which days of a month, by year and month.
Days = Callable[[int, int], Iterable[int]]

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_ITEM = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d{1,4}))?", re.ASCII)
_NEAREST = re.compile(r"(\d{1,2}|L)W", re.ASCII)
_LAST = re.compile(r"(\w{1,3})L", re.ASCII)
_NTH = re.compile(r"(\w{1,3})#([1-5])", re.ASCII)
_SATURDAY, _SUNDAY = 6, 7


class ScheduleError(Exception):
    """A text is no schedule expression. The message says why."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """One field. ``names`` stand for values from ``low`` on. ``steps``: it may have them."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    steps: bool = True

    def value(self, text: str) -> int:
        if text.upper() in self.names:
            return self.names.index(text.upper()) + self.low
        value = int(text) if text.isdigit() and len(text) <= 4 else -1
        if not self.low <= value <= self.high:
            raise ScheduleError(f"no {self.name}: {text[:20]!r}")
        return value

    def values(self, text: str) -> frozenset[int]:
        """The values of one item of the list."""
        found = _ITEM.fullmatch(text)
        if found is None or (found[3] and not (self.steps and int(found[3]))):
            raise ScheduleError(f"no {self.name}: {text[:20]!r}")
        first, last, step = found[1], found[2], int(found[3] or 1)
        if first == "*":
            if last is not None:
                raise ScheduleError(f"no {self.name}: {text[:20]!r}")
            return frozenset(range(self.low, self.high + 1, step))
        begin = self.value(first)
        if last is None:
            return frozenset(range(begin, self.high + 1, step)) if found[3] else frozenset({begin})
        end = self.value(last)
        if end >= begin:
            return frozenset(range(begin, end + 1, step))
        # FRI-MON goes on past the end of the week, 22-2 past midnight.
        around = [*range(begin, self.high + 1), *range(self.low, end + 1)]
        return frozenset(around[::step])

    def all_of(self, text: str) -> tuple[int, ...]:
        """The values of the whole field, in order."""
        return tuple(sorted(frozenset[int]().union(*(self.values(each) for each in _items(text)))))


MINUTES = _Kind("minute", 0, 59)
HOURS = _Kind("hour", 0, 23)
MONTHS = _Kind("month", 1, 12, _MONTHS)
YEARS = _Kind("year", 1970, 2199)
_DAYS = _Kind("day of the month", 1, 31)
_DAYS_OF_WEEK = _Kind("day of the week", 1, 7, _WEEKDAYS, steps=False)


def days(of_month: str, of_week: str) -> Days:
    """The days of a month that both fields together name. One of the two must be ``?``.

    Raises:
        ScheduleError: a field is none, or both say something, or neither does.
    """
    if (of_month == "?") is (of_week == "?"):
        raise ScheduleError("one of day-of-month and day-of-week must be ?, and the other not")
    if of_week == "?":
        return _union([_day_of_month(each) for each in _items(of_month)])
    items = _items(of_week)
    if "#" in of_week and len(items) > 1:
        raise ScheduleError("with # there is one day of the week and no other")
    return _union([_day_of_week(each) for each in items])


def _items(text: str) -> list[str]:
    return text.split(",")


def _union(each: list[Days]) -> Days:
    return lambda year, month: sorted({day for one in each for day in one(year, month)})


def _day_of_month(text: str) -> Days:
    if text == "L":
        return lambda year, month: (_length(year, month),)
    nearest = _NEAREST.fullmatch(text)
    if nearest is not None:
        day = None if nearest[1] == "L" else _DAYS.value(nearest[1])
        return lambda year, month: _weekday_next_to(year, month, day)
    values = _DAYS.values(text)
    return lambda year, month: (day for day in values if day <= _length(year, month))


def _day_of_week(text: str) -> Days:
    if text == "L":
        return _weekdays(frozenset({_SATURDAY + 1}))
    nth = _NTH.fullmatch(text)
    if nth is not None:
        weekday, index = frozenset({_DAYS_OF_WEEK.value(nth[1])}), int(nth[2]) - 1
        return lambda year, month: list(_weekdays(weekday)(year, month))[index : index + 1]
    last = _LAST.fullmatch(text)
    if last is not None:
        weekday = frozenset({_DAYS_OF_WEEK.value(last[1])})
        return lambda year, month: list(_weekdays(weekday)(year, month))[-1:]
    return _weekdays(_DAYS_OF_WEEK.values(text))


def _weekdays(values: frozenset[int]) -> Days:
    """The days that are one of those of the week; 1 is Sunday."""
    return lambda year, month: [
        day
        for day in range(1, _length(year, month) + 1)
        if date(year, month, day).isoweekday() % 7 + 1 in values
    ]


def _weekday_next_to(year: int, month: int, day: int | None) -> Iterable[int]:
    """The weekday next to a day, within its month; of None, to the last. Nothing without it."""
    length = _length(year, month)
    if day is None:
        day = length
        return (day - max(0, date(year, month, day).isoweekday() - 5),)
    if day > length:
        return ()
    weekday = date(year, month, day).isoweekday()
    if weekday == _SATURDAY:
        return (day - 1 if day > 1 else day + 2,)
    if weekday == _SUNDAY:
        return (day + 1 if day < length else day - 2,)
    return (day,)


def _length(year: int, month: int) -> int:
    return monthrange(year, month)[1]
