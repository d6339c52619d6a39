"""When a rule with a schedule fires. Pure: the clock is the caller's.

* A tick fires once: the commit that stores what it sends also moves the rule to the next one.
* A tick that nobody was there for fires up to ``LATE_S_MAX`` late, so that a restart costs none.
  Older ones never fire: the rule goes on with its next tick. Of several that were missed only the
  latest one counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from alonzo.lib.schedules import At, Schedule, ScheduleError, parse
from alonzo.services.events.errors import invalid
from alonzo.services.events.limits import LATE_S_MAX


@dataclass(frozen=True, slots=True)
class Tick:
    """What to do with a rule that is due. Times are epoch seconds; None is never."""

    fires_at_s: float | None
    next_at_s: float | None


@lru_cache(maxsize=1024)
def read_schedule(expression: str) -> Schedule:
    """A rule's schedule; rules know no ``at()``.

    Raises:
        AwsError: ValidationException.
    """
    try:
        schedule = parse(expression, exact_units=True)
    except ScheduleError as error:
        raise invalid("ScheduleExpression") from error
    if isinstance(schedule, At):
        raise invalid("ScheduleExpression")
    return schedule


def plan_tick(schedule: Schedule, anchor_s: float, due_at_s: float, now_s: float) -> Tick:
    """Decide about a rule that was to fire at ``due_at_s``, which is not later than now."""
    following = schedule.next_after(now_s, anchor_s)
    if due_at_s > now_s - LATE_S_MAX:
        # What is due once a minute at most has had no second tick since.
        return Tick(due_at_s, following)
    late = schedule.next_after(now_s - LATE_S_MAX, anchor_s)
    return Tick(late if late is not None and late <= now_s else None, following)
