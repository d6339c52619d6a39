"""What PutMetricData takes, and where periods begin."""

from datetime import UTC, datetime

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.cloudwatch.rules import check_period, entries_of_put, first_period_at

NOW_S = 1_800_000_000.0
DAY_S = 86_400


def put(*data, namespace="mine", **more):
    params = {"Namespace": namespace, "MetricData": list(data), **more}
    return entries_of_put("000000000000", "us-east-1", params, NOW_S)


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC)


def datum(**members):
    return {"MetricName": "m", **members}


def test_a_datum_becomes_a_point_of_its_minute():
    (entry,) = put(
        datum(
            Value=3.5,
            Unit="Seconds",
            Timestamp=at(NOW_S - 61.5),
            Dimensions=[{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}],
        )
    )
    assert entry.dimensions == [("a", "1"), ("b", "2")]
    assert (entry.unit, entry.period_s, entry.start_s) == ("Seconds", 60, int(NOW_S) - 120)
    assert (entry.values, entry.counts, entry.summary) == ([3.5], None, None)


def test_high_resolution_is_kept_by_the_second():
    (entry,) = put(datum(Value=1.0, StorageResolution=1, Timestamp=at(NOW_S - 1.5)))
    assert (entry.period_s, entry.start_s) == (1, int(NOW_S) - 2)


def test_data_of_entities_are_taken_too():
    entries = put(datum(Value=1.0), EntityMetricData=[{"MetricData": [datum(Value=2.0)]}])
    assert [entry.values for entry in entries] == [[1.0], [2.0]]


SUMMARY = {"SampleCount": 2.0, "Sum": 3.0, "Minimum": 1.0, "Maximum": 2.0}


@pytest.mark.parametrize(
    ("data", "code", "text"),
    [
        ([], "MissingRequiredParameter", "MetricData is required"),
        ([datum()], "MissingRequiredParameter", "At least one of the parameters"),
        ([datum(Value=1.0)] * 1001, "InvalidParameterValue", "greater than 1000"),
        ([datum(Value=float("nan"))], "InvalidParameterValue", "The value NaN"),
        ([datum(Value=float("inf"))], "InvalidParameterValue", "MetricData.member.1.Value"),
        ([datum(Value=2.0**361)], "InvalidParameterValue", "is invalid"),
        ([datum(Value=1.0, Values=[1.0])], "InvalidParameterCombination", "mutually exclusive"),
        ([datum(Value=1.0, Counts=[1.0])], "InvalidParameterCombination", "Counts are mutually"),
        ([datum(Values=[1.0], Counts=[1.0, 2.0])], "InvalidParameterValue", "of the same size"),
        ([datum(Values=[1.0], Counts=[0.0])], "InvalidParameterValue", "Counts.member.1"),
        ([datum(Values=[1.0], Counts=[float("nan")])], "InvalidParameterValue", "Counts.member.1"),
        ([datum(Values=[])], "MissingRequiredParameter", "must not be empty"),
        ([datum(Values=[1.0] * 151)], "InvalidParameterValue", "greater than 150"),
        ([datum(StatisticValues=SUMMARY | {"SampleCount": 0.0})], "InvalidParameterValue", "0.0"),
        ([datum(StatisticValues=SUMMARY | {"Minimum": 5.0})], "InvalidParameterComb", "Maximum"),
        ([datum(Value=1.0, StorageResolution=5)], "InvalidParameterValue", "StorageResolution"),
        ([datum(Value=1.0, Timestamp=at(NOW_S - 15 * DAY_S))], "InvalidParameterV", "two weeks"),
        ([datum(Value=1.0, Timestamp=at(NOW_S + 7300))], "InvalidParameterValue", "two hours"),
        ([datum(Value=1.0, Dimensions=[{"Name": " ", "Value": "x"}])], "InvalidPar", "Name"),
        ([datum(Value=1.0, Dimensions=[{"Name": "a", "Value": "\n"}])], "InvalidPar", "Value"),
        ([datum(Value=1.0, Dimensions=[{"Name": ":a", "Value": "x"}])], "InvalidPar", "Name"),
    ],
)
def test_what_is_no_datum_is_refused(data, code, text):
    with pytest.raises(AwsError) as caught:
        put(*data)
    assert caught.value.code.startswith(code)
    assert text in caught.value.message


@pytest.mark.parametrize("namespace", ["AWS/Lambda", "AWS/", "a\nb"])
def test_some_namespaces_are_not_the_users(namespace):
    with pytest.raises(AwsError):
        put(datum(Value=1.0), namespace=namespace)


@pytest.mark.parametrize("period_s", [1, 5, 10, 20, 30, 60, 300, 3600, 86_400])
def test_periods_are_short_or_whole_minutes(period_s):
    assert check_period(period_s) == period_s


@pytest.mark.parametrize("period_s", [-60, 0, 2, 45, 61, 90, 86_460])
def test_other_periods_are_refused(period_s):
    with pytest.raises(AwsError):
        check_period(period_s)


@pytest.mark.parametrize(
    ("age_s", "period_s", "grain_s"),
    [
        (100, 60, 60),
        (100, 300, 60),
        (100, 10, 10),
        (100, 1, 1),
        (16 * DAY_S, 60, 300),
        (64 * DAY_S, 60, 3600),
    ],
)
def test_a_question_begins_at_what_is_kept_of_its_time(age_s, period_s, grain_s):
    start_s = NOW_S - age_s - 0.5
    first_s = first_period_at(start_s, period_s, NOW_S)
    assert first_s <= start_s < first_s + grain_s
    assert first_s % grain_s == 0
