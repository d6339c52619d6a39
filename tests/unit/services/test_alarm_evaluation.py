"""Both tables of the user guide on missing data, and the sentences that explain a state."""

import json

import pytest

from alonzo.services.cloudwatch.alarms.evaluation import (
    Criteria,
    Missing,
    State,
    decide,
)
from alonzo.services.cloudwatch.alarms.reasons import Seen, data_of, reason_of

KEEP = "keep"
#: CloudWatch user guide, how alarms treat missing data: 3 of 3 datapoints, then 2 of 3. Columns:
#: missing, ignore, breaching, notBreaching.
TABLES = {
    3: {
        "0 - X - X": "OK OK OK OK",
        "- - - - 0": "OK OK OK OK",
        "- - - - -": f"INSUFFICIENT_DATA {KEEP} ALARM OK",
        "0 X X - X": "ALARM ALARM ALARM ALARM",
        "- - X - -": f"ALARM {KEEP} ALARM OK",
    },
    2: {
        "0 - X - X": "ALARM ALARM ALARM ALARM",
        "0 0 X 0 X": "ALARM ALARM ALARM ALARM",
        "0 - X - -": "OK OK ALARM OK",
        "- - - - 0": "OK OK ALARM OK",
        "- - - X -": f"ALARM {KEEP} ALARM OK",
    },
}
ROWS = [
    (datapoints, row, Missing(treatment), expected)
    for datapoints, table in TABLES.items()
    for row, states in table.items()
    for treatment, expected in zip(
        ("missing", "ignore", "breaching", "notBreaching"), states.split(), strict=True
    )
]


def values_of(row):
    return [{"0": 0.0, "-": None, "X": 9.0}[each] for each in row.split()]


@pytest.mark.parametrize("before", State)
def test_missing_data_is_treated_as_the_guide_says(before):
    for datapoints, row, treatment, expected in ROWS:
        criteria = Criteria(3, datapoints, 5.0, "GreaterThanThreshold", treatment)
        wanted = before if expected == KEEP else State(expected)
        found = decide(criteria, values_of(row), before).state
        assert found is wanted, (datapoints, row, treatment)


@pytest.mark.parametrize(
    ("comparison", "beyond"),
    [
        ("GreaterThanThreshold", [6.0]),
        ("GreaterThanOrEqualToThreshold", [5.0, 6.0]),
        ("LessThanThreshold", [4.0]),
        ("LessThanOrEqualToThreshold", [4.0, 5.0]),
    ],
)
def test_each_operator_has_its_border(comparison, beyond):
    criteria = Criteria(1, 1, 5.0, comparison, Missing.MISSING)
    found = [v for v in (4.0, 5.0, 6.0) if decide(criteria, [v], State.OK).state is State.ALARM]
    assert found == beyond


def test_one_breaching_value_of_three_is_no_alarm_yet():
    criteria = Criteria(3, 3, 5.0, "GreaterThanThreshold", Missing.MISSING)
    fresh = decide(criteria, values_of("- - - - X"), State.INSUFFICIENT_DATA)
    assert fresh.state is State.INSUFFICIENT_DATA


def explained(row, before=State.OK, datapoints=1, counted=False, **more):
    facts = {"periods": 1, "datapoints": datapoints, "threshold": 5.0} | more
    criteria = Criteria(
        facts["periods"],
        facts["datapoints"],
        facts["threshold"],
        "GreaterThanThreshold",
        facts.get("missing", Missing.MISSING),
    )
    values = values_of(row)
    starts = [1_700_000_000 // 60 * 60 + 60 * at for at in range(len(values))]
    seen = Seen(starts[-1] + 60.5, "Sum", None, 60, starts, values, [1.0] * len(values))
    verdict = decide(criteria, values, before)
    return (
        reason_of(criteria, verdict, seen, before, counted=counted),
        json.loads(data_of(criteria, verdict, seen)),
    )


def test_reasons_are_in_cloudwatchs_words():
    reason, data = explained("- - X")
    assert reason == (
        "Threshold Crossed: 1 datapoint [9.0 (14/11/23 22:15:00)] was greater than the threshold "
        "(5.0)."
    )
    assert data == {
        "version": "1.0",
        "queryDate": "2023-11-14T22:16:00.500+0000",
        "startDate": "2023-11-14T22:15:00.000+0000",
        "statistic": "Sum",
        "period": 60,
        "recentDatapoints": [9.0],
        "threshold": 5.0,
        "evaluatedDatapoints": [
            {"timestamp": "2023-11-14T22:15:00.000+0000", "sampleCount": 1.0, "value": 9.0}
        ],
    }
    reason, _ = explained("0 - X X", periods=2, datapoints=2, counted=True)
    assert reason == (
        "Threshold Crossed: 2 out of the last 2 datapoints [9.0 (14/11/23 22:16:00), 9.0 (14/11/23 "
        "22:15:00)] were greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM "
        "transition)."
    )
    reason, _ = explained("X X 0", before=State.ALARM, counted=True)
    assert reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [0.0 (14/11/23 22:15:00)] was not "
        "greater than the threshold (5.0) (minimum 1 datapoint for ALARM -> OK transition)."
    )
    assert explained("- - -")[0] == "Insufficient Data: 1 datapoint was unknown."
    assert explained("- - -", missing=Missing.NOT_BREACHING)[0] == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was "
        "treated as [NonBreaching]."
    )
