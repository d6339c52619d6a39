"""Why an alarm is in its state, in CloudWatch's words: a sentence, and a JSON document. Pure.

Source: texts and documents as in the CloudWatch user guide's events, and as recorded in public.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from alonzo.lib.clock import utc
from alonzo.services.cloudwatch.alarms.evaluation import (
    OPERATORS,
    Criteria,
    Missing,
    State,
    Verdict,
    breaches,
)

INITIAL = "Unchecked: Initial alarm creation"

_TREATED = {Missing.BREACHING: "Breaching", Missing.NOT_BREACHING: "NonBreaching"}
#: Values that a sentence and a document show. The model bounds both texts.
_SHOWN_MAX = 10
_REASON_MAX = 1023


@dataclass(frozen=True, slots=True)
class Seen:
    """What an evaluation saw. ``values`` are by the period of ``starts_s``, the newest last.

    ``samples`` are None where nobody knows how many there were: in an expression's values.
    """

    at_s: float
    statistic: str | None
    unit: str | None
    period_s: int
    starts_s: Sequence[int]
    values: Sequence[float | None]
    samples: Sequence[float | None]


def reason_of(
    criteria: Criteria, verdict: Verdict, seen: Seen, before: State, *, counted: bool
) -> str:
    """The sentence. ``counted``: the alarm says how many datapoints it takes."""
    periods = criteria.periods
    if not verdict.used:
        if verdict.state is State.INSUFFICIENT_DATA or criteria.missing not in _TREATED:
            return f"Insufficient Data: {_many(periods, 'datapoint')} {_was(periods)} unknown."
        return (
            f"Threshold Crossed: no datapoints were received for {_many(periods, 'period')} and "
            f"{_many(periods, 'missing datapoint')} {_was(periods)} treated as "
            f"[{_TREATED[criteria.missing]}]."
        )
    wanted = verdict.state is State.ALARM
    shown = [
        place for place in verdict.used if breaches(criteria, seen.values[place] or 0.0) is wanted
    ] or list(verdict.used)
    number = len(shown)
    listed = ", ".join(
        f"{seen.values[place]} ({utc(seen.starts_s[place]):%d/%m/%y %H:%M:%S})"
        for place in shown[:_SHOWN_MAX]
    )
    if counted:
        head = f"{number} out of the last {len(verdict.used)} datapoints"
    else:
        head = _many(number, "datapoint")
    negation = "" if wanted else "not "
    text = (
        f"Threshold Crossed: {head} [{listed}] {_was(number)} {negation}"
        f"{OPERATORS[criteria.comparison][1]} the threshold ({float(criteria.threshold)})"
    )
    if counted and verdict.state is not before:
        enough = criteria.datapoints if wanted else criteria.periods - criteria.datapoints + 1
        source = State.OK if wanted else State.ALARM
        text += (
            f" (minimum {_many(enough, 'datapoint')} for {source} -> {verdict.state} transition)"
        )
    return f"{text}."[:_REASON_MAX]


def data_of(criteria: Criteria, verdict: Verdict, seen: Seen) -> str:
    """The document that goes with the sentence."""
    used = verdict.used[:_SHOWN_MAX]
    oldest_first = sorted(used)
    document: dict[str, object] = {"version": "1.0", "queryDate": moment(seen.at_s)}
    if used:
        document["startDate"] = moment(seen.starts_s[oldest_first[0]])
    if seen.statistic is not None:
        document["statistic"] = seen.statistic
    if seen.unit is not None:
        document["unit"] = seen.unit
    document["period"] = seen.period_s
    document["recentDatapoints"] = [seen.values[place] for place in oldest_first]
    document["threshold"] = float(criteria.threshold)
    document["evaluatedDatapoints"] = [
        {
            "timestamp": moment(seen.starts_s[place]),
            **({} if seen.samples[place] is None else {"sampleCount": seen.samples[place]}),
            "value": seen.values[place],
        }
        for place in used
    ]
    return json.dumps(document, separators=(",", ":"))


def moment(at_s: float) -> str:
    """A time as CloudWatch writes it in documents: ``2026-11-21T10:00:00.000+0000``."""
    return f"{utc(at_s):%Y-%m-%dT%H:%M:%S}.{int(at_s * 1000) % 1000:03d}+0000"


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"
