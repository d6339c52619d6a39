"""Embedded metrics in log lines, good, wrong and hostile."""

import json

import pytest

from alonzo.model.ports.logs import LogEvent, LogStream
from alonzo.services.cloudwatch.embedded import read_embedded
from alonzo.services.cloudwatch.limits import EMF_FLUSH_BYTES_MAX, EMF_FLUSH_POINTS_MAX

NOW_S = 1_800_000_030.0
MINUTE_S = 1_800_000_000
GROUP = "/aws/lambda/f"
STREAM = LogStream("000000000000", "us-east-1", GROUP, "s")


def read(*lines):
    events = [LogEvent(int(NOW_S * 1000), line) for line in lines]
    return read_embedded([(STREAM, events)], NOW_S)


def document(directive=None, **members):
    given = {
        "Namespace": "shop",
        "Dimensions": [["Service"]],
        "Metrics": [{"Name": "Orders", "Unit": "Count"}],
    } | (directive or {})
    metadata = {"Timestamp": int(NOW_S * 1000), "CloudWatchMetrics": [given]}
    return {"_aws": metadata, "Service": "checkout", "Orders": 3, **members}


def line(*arguments, **members):
    return json.dumps(document(*arguments, **members))


def errors(points):
    return {
        point.name: point.counts[0]
        for point in points
        if (point.namespace, point.dimensions) == ("AWS/Logs", [("LogGroupName", GROUP)])
    }


def test_a_document_becomes_points():
    (point,) = read(line())
    assert (point.account, point.region, point.namespace) == ("000000000000", "us-east-1", "shop")
    assert (point.name, point.unit, point.period_s, point.start_s) == (
        "Orders", "Count", 60, MINUTE_S,
    )  # fmt: skip
    assert (point.dimensions, point.values) == ([("Service", "checkout")], [3.0])


def test_values_of_one_metric_come_together():
    (point,) = read(line(), line(Orders=[1, 2.5]))
    assert point.values == [3.0, 1.0, 2.5]


def test_every_set_of_dimensions_and_every_metric_counts():
    points = read(
        line(
            {
                "Dimensions": [["Service"], ["Service", "Zone"], []],
                "Metrics": [{"Name": "Orders"}, {"Name": "Took", "StorageResolution": 1}],
            },
            Zone="a",
            Took=5,
        )
    )
    assert len(points) == 6
    assert {len(point.dimensions) for point in points} == {0, 1, 2}
    assert {(p.name, p.period_s, p.unit) for p in points} == {
        ("Orders", 60, "None"), ("Took", 1, "None"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        '{"_aws": "CloudWatchMetrics"}',
        '{"a": "_aws CloudWatchMetrics"}',
        'x {"_aws": {"CloudWatchMetrics": []}}',
        '{"_aws": {"x": "CloudWatchMetrics"}}',
        '{"_aws": 7, "CloudWatchMetrics": 1}',
        '{"_aws": {"Timestamp": 1, "CloudWatchMetrics": null}}',
    ],
)
def test_other_lines_are_nothing_to_it(text):
    assert read(text) == []


def test_a_document_that_cannot_be_read_is_an_error_of_parsing():
    assert errors(read('{"_aws": {"CloudWatchMetrics": [')) == {"EMFParsingErrors": 1}
    assert errors(read(line()[:-1])) == {"EMFParsingErrors": 1}
    assert errors(read('{"_aws": {"CloudWatchMetrics": []}, "a": "\udc80"}')) == {
        "EMFParsingErrors": 1
    }


def wrong(**directive):
    return line(directive)


@pytest.mark.parametrize(
    "text",
    [
        wrong(Namespace=""),
        wrong(Namespace="AWS/Lambda"),
        wrong(Namespace=7),
        wrong(Namespace="x" * 256),
        wrong(Namespace="a\nb"),
        wrong(Dimensions="Service"),
        wrong(Dimensions=["Service"]),
        wrong(Dimensions=[["Nobody"]]),
        wrong(Dimensions=[["Service"] * 31]),
        wrong(Dimensions=[[]] * 101),
        wrong(Metrics={}),
        wrong(Metrics=[7]),
        wrong(Metrics=[{"Name": "Nobody"}]),
        wrong(Metrics=[{"Name": "Orders", "Unit": "Miles"}]),
        wrong(Metrics=[{"Name": "Orders", "Unit": []}]),
        wrong(Metrics=[{"Name": "Orders", "StorageResolution": 5}]),
        wrong(Metrics=[{"Name": "Orders"}] * 101),
        line(Orders="3"),
        line(Orders=True),
        line(Orders=[]),
        line(Orders=[1] * 101),
        line(Orders=[1, "2"]),
        line(Orders=2**361),
        line(Service=7),
        line(Service=""),
        line(Service="x" * 1025),
        json.dumps(document() | {"_aws": {"Timestamp": "now", "CloudWatchMetrics": []}}),
        json.dumps(document() | {"_aws": {"Timestamp": 1, "CloudWatchMetrics": []}}),
        json.dumps(document() | {"_aws": {"Timestamp": NOW_S * 1000, "CloudWatchMetrics": 7}}),
        json.dumps(document() | {"_aws": {"Timestamp": NOW_S * 1000, "CloudWatchMetrics": [7]}}),
    ],
)
def test_what_breaks_a_rule_is_left_out_and_counted(text):
    points = read(text)
    assert errors(points) == {"EMFValidationErrors": 1}
    assert len(points) == 1


def test_a_wrong_directive_costs_the_others_nothing():
    whole = document()
    whole["_aws"]["CloudWatchMetrics"].append({"Namespace": 7})
    points = read(json.dumps(whole))
    assert errors(points) == {"EMFValidationErrors": 1}
    assert [point.name for point in points] == ["Orders", "EMFValidationErrors"]


def test_a_flood_is_cut_and_the_rest_counted():
    many = [line(Service=f"s{number}") for number in range(EMF_FLUSH_POINTS_MAX + 50)]
    points = read(*many)
    assert len(points) == EMF_FLUSH_POINTS_MAX + 1
    assert errors(points) == {"EMFValidationErrors": 50}
    padded = [line(pad="x" * 100_000) for _ in range(20)]
    kept = EMF_FLUSH_BYTES_MAX // len(padded[0])
    assert errors(read(*padded)) == {"EMFValidationErrors": 20 - kept}


def test_a_hundred_metrics_in_a_hundred_sets_are_bounded_too():
    sets = [["Service", f"d{number}"] for number in range(100)]
    text = line(
        {"Dimensions": sets, "Metrics": [{"Name": f"m{n}"} for n in range(100)]},
        **{f"d{n}": "x" for n in range(100)},
        **{f"m{n}": 1 for n in range(100)},
    )
    assert len(read(text)) == EMF_FLUSH_POINTS_MAX
