"""Which state the values of a metric mean for an alarm, and why. Pure.

An alarm looks at ``N`` periods and some more before them (``SPARE_PERIODS``), which stand in for
periods without a value. Of the newest ``N`` values, ``M`` that break the threshold are an alarm.
Where there are fewer than ``N``, the rest is filled as ``TreatMissingData`` says:

| | breaching | notBreaching | ignore, missing |
|---|---|---|---|
| no value at all | ALARM | OK | as before; INSUFFICIENT_DATA |
| some | filled breach | filled do not | by what there is |

With ``ignore`` and ``missing``, values that all break the threshold, too few for an alarm, are one
all the same once the oldest is ``M`` periods old (``missing``), or change nothing (``ignore``).

Source: CloudWatch user guide, alarm evaluation; configuring how alarms treat missing data, with
both of its tables in ``tests/unit/services/test_alarm_evaluation.py``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

#: Periods beyond ``N`` that are looked at: the evaluation range is 5 for an ``N`` of 3.
SPARE_PERIODS = 2

OPERATORS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


class State(StrEnum):
    """The states of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Missing(StrEnum):
    """What a period without a value stands for."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


@dataclass(frozen=True, slots=True)
class Criteria:
    """When an alarm goes off: ``datapoints`` of ``periods`` beyond the threshold."""

    periods: int
    datapoints: int
    threshold: float
    comparison: str
    missing: Missing


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the values mean. ``used`` are places of values that counted, the newest first.

    ``filled`` periods stood in for none.
    """

    state: State
    used: tuple[int, ...]
    breaching: int
    filled: int


def breaches(criteria: Criteria, value: float) -> bool:
    """Whether a value is beyond the threshold."""
    return OPERATORS[criteria.comparison][0](value, criteria.threshold)


def decide(criteria: Criteria, values: Sequence[float | None], before: State) -> Verdict:
    """The verdict on the periods of the evaluation range, the newest last."""
    newest_first = list(reversed(values))
    ages = [age for age, value in enumerate(newest_first) if value is not None][: criteria.periods]
    beyond = [age for age in ages if breaches(criteria, newest_first[age] or 0.0)]
    used = tuple(len(values) - 1 - age for age in ages)
    filled = criteria.periods - len(ages)
    state = _state(criteria, ages, beyond, filled, before)
    return Verdict(state, used, len(beyond), filled)


def _state(
    criteria: Criteria, ages: list[int], beyond: list[int], filled: int, before: State
) -> State:
    enough = criteria.datapoints
    if not ages:
        return {
            Missing.MISSING: State.INSUFFICIENT_DATA,
            Missing.IGNORE: before,
            Missing.BREACHING: State.ALARM,
            Missing.NOT_BREACHING: State.OK,
        }[criteria.missing]
    counted = len(beyond) + (filled if criteria.missing is Missing.BREACHING else 0)
    if counted >= enough:
        return State.ALARM
    real_only = criteria.missing in (Missing.MISSING, Missing.IGNORE)
    if not filled or not real_only or len(beyond) < len(ages):
        return State.OK
    # All there is breaks the threshold, but it is not enough.
    if criteria.missing is Missing.MISSING and ages[-1] + 1 >= enough:
        return State.ALARM
    return before
