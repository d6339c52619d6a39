"""Local times of a zone as epoch seconds, whatever daylight saving does to them. Pure."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from alonzo.lib.schedules.fields import ScheduleError

_NAME_MAX = 50


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """A time zone by its name in the tz database, which is the host's or else ``tzdata``'s.

    Raises:
        ScheduleError: there is none of that name.
    """
    if name == "UTC":
        return UTC
    if len(name) <= _NAME_MAX:
        # Odd names are looked for among files: a folder's, or what no file can be called.
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(name)
    raise ScheduleError(f"no time zone: {name[:_NAME_MAX]!r}")


def epoch_of(local: datetime, tz: tzinfo) -> float | None:
    """When the clocks of a zone show ``local``, the first time; None: they never do."""
    at = local.replace(tzinfo=tz, fold=0).astimezone(UTC)
    if at.astimezone(tz).replace(tzinfo=None, fold=0) != local:
        return None
    return at.timestamp()


def local_of(epoch_s: float, tz: tzinfo) -> datetime:
    """What the clocks of a zone show then."""
    return datetime.fromtimestamp(epoch_s, tz).replace(tzinfo=None, fold=0)
