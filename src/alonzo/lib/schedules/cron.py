"""Cron expressions of AWS's six fields. Pure; a time that never comes is found out quickly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo

from alonzo.lib.schedules.fields import HOURS, MINUTES, MONTHS, YEARS, Days, ScheduleError, days
from alonzo.lib.schedules.zones import epoch_of, local_of

_FIELDS = 6


@dataclass(frozen=True, slots=True)
class Cron:
    """The times that all fields name together, by the clocks of ``tz``."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
    years: tuple[int, ...]
    tz: tzinfo

    def next_after(self, after_s: float, anchor_s: float) -> float | None:
        """See ``Schedule``."""
        for local in self._from(local_of(after_s, self.tz)):
            at_s = epoch_of(local, self.tz)
            # What the clocks show a second time has been, though it seems to be yet to come.
            if at_s is not None and at_s > after_s:
                return at_s
        return None

    def _from(self, start: datetime) -> Iterator[datetime]:
        """Local times in their order, those of the day of ``start`` and later."""
        for day in self._days_from(start):
            today = day.date() == start.date()
            for hour in self.hours:
                if today and hour < start.hour:
                    continue
                yield from (day.replace(hour=hour, minute=minute) for minute in self.minutes)

    def _days_from(self, start: datetime) -> Iterator[datetime]:
        first = (start.year, start.month, start.day)
        for year in self.years:
            if year < start.year:
                continue
            for month in self.months:
                if (year, month) < first[:2]:
                    continue
                for day in self.days(year, month):
                    if (year, month, day) >= first:
                        yield datetime(year, month, day)  # noqa: DTZ001 - local by intention


def parse_cron(text: str, tz: tzinfo) -> Cron:
    """Read the six fields.

    Raises:
        ScheduleError: a field is none, or there are not six.
    """
    fields = text.split()
    if len(fields) != _FIELDS:
        raise ScheduleError(f"a cron expression has {_FIELDS} fields, not {len(fields)}")
    minutes, hours, of_month, months, of_week, years = fields
    return Cron(
        MINUTES.all_of(minutes),
        HOURS.all_of(hours),
        days(of_month, of_week.upper()),
        MONTHS.all_of(months),
        YEARS.all_of(years),
        tz,
    )
