"""What targets get of an event, when schedules fire, and which targets a rule may have."""

import json
from datetime import UTC, datetime

import pytest

from alonzo.lib.event_patterns import read_document
from alonzo.model.errors import AwsError
from alonzo.services.events.documents import envelope, render, time_of, time_text
from alonzo.services.events.inputs import (
    InputError,
    Occasion,
    OutputError,
    check_input,
    output_of,
    parse_path,
    value_at,
)
from alonzo.services.events.limits import DETAIL_DEPTH_MAX
from alonzo.services.events.schedule import plan_tick, read_schedule
from alonzo.services.events.target_checks import check_target

DETAIL = """{"id":"i-1","n":1.50,"big":12345678901234567890,"flag":true,"none":null,
 "quote":"say \\"hi\\"","list":[{"x":1},{"x":2}],"deep":{"a":"b"}}"""
EVENT = envelope(
    event_id="e",
    source="s",
    detail_type="t",
    account="000000000000",
    region="us-east-1",
    at_s=1_800_000_000,
    resources=["r1"],
    detail=read_document(DETAIL),
)
OCCASION = Occasion("arn:rule", "rule", "2027-01-15T08:00:00Z")
BUS = "arn:aws:events:us-east-1:000000000000:event-bus/default"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


def output(**target):
    check_input({"Id": "1", **target})
    return output_of({"Id": "1", **target}, EVENT, render(EVENT), OCCASION)


def transformed(template, **paths):
    return output(InputTransformer={"InputTemplate": template, "InputPathsMap": paths})


def test_an_event_is_written_as_it_came():
    assert '"n":1.50,"big":12345678901234567890' in output()
    assert json.loads(output())["time"] == "2027-01-15T08:00:00Z"
    assert output(Input='{"own": "text"}') == '{"own": "text"}'


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", render(EVENT)),
        ("$.detail.id", '"i-1"'),
        ("$.detail.n", "1.50"),
        ("$.detail.list[1].x", "2"),
        ("$.detail.list[*].x", "[1,2]"),
        ("$.detail.deep", '{"a":"b"}'),
        ("$.detail-type", '"t"'),
        ("$.detail.missing", "null"),
        ("$.detail.list[9]", "null"),
        ("$.detail['deep'].a", '"b"'),
    ],
)
def test_an_input_path_takes_a_part_of_the_event(path, expected):
    assert output(InputPath=path) == expected


@pytest.mark.parametrize("path", ["detail", "", "$..a", "$.", "$[x]", "$.a[", "$.a b", "$[?(1)]"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(InputError):
        parse_path(path)


def test_a_path_with_many_wildcards_finds_no_more_than_it_may():
    wide = read_document(json.dumps([[[1] * 30] * 30] * 30))
    assert len(value_at(wide, parse_path("$[*][*][*]"))) <= 10_000


@pytest.mark.parametrize(
    ("template", "paths", "expected"),
    [
        ('"the <id> is <n>"', {"id": "$.detail.id", "n": "$.detail.n"}, '"the i-1 is 1.50"'),
        ('{"a": <id>, "b": "<id>"}', {"id": "$.detail.id"}, '{"a": "i-1", "b": "i-1"}'),
        ('{"a": <n>, "b": <l>}', {"n": "$.detail.n", "l": "$.detail.list"},
         '{"a": 1.50, "b": [{"x":1},{"x":2}]}'),
        ('{"a": "<q>"}', {"q": "$.detail.quote"}, '{"a": "say \\"hi\\""}'),
        ('"x \\"<id>\\" y"', {"id": "$.detail.id"}, '"x \\"i-1\\" y"'),
        ('{"a": "<d>"}', {"d": "$.detail.deep"}, '{"a": "{\\"a\\":\\"b\\"}"}'),
        ('"info <x>"', {"x": "$.detail.missing"}, '"info "'),
        ('{"a": <x>}', {"x": "$.detail.missing"}, '{"a": ""}'),
        ('{"a": <x>, "b": <f>}', {"x": "$.detail.none", "f": "$.detail.flag"},
         '{"a": null, "b": true}'),
        ("<id>", {"id": "$.detail.id"}, '"i-1"'),
        ('"one <id>"\n"two"', {"id": "$.detail.id"}, '"one i-1"\n"two"'),
        ('{"r": "<aws.events.rule-name>", "t": "<aws.events.event.ingestion-time>"}', {},
         '{"r": "rule", "t": "2027-01-15T08:00:00Z"}'),
        ('{"r": <aws.events.rule-arn>}', {}, '{"r": "arn:rule"}'),
        ("<aws.events.event.json>", {}, render(EVENT)),
    ],
)  # fmt: skip
def test_a_template_gets_values_of_the_event(template, paths, expected):
    assert transformed(template, **paths) == expected


def test_the_reserved_event_has_no_detail():
    found = json.loads(transformed('{"e": <aws.events.event>}'))["e"]
    assert "detail" not in found
    assert found["source"] == "s"


@pytest.mark.parametrize(
    ("template", "paths"),
    [
        ("not json <a>", {"a": "$.source"}),
        ('{"a": <unknown>}', {}),
        ('{"a": <x>', {"x": "$.source"}),
        ('{"a": 1}', {"AWS.x": "$.source"}),
        ('{"a": 1}', {"x": "source"}),
    ],
)
def test_a_template_that_cannot_work_is_refused(template, paths):
    with pytest.raises(InputError):
        transformed(template, **paths)


def test_inputs_exclude_each_other_and_outputs_have_an_end():
    with pytest.raises(InputError, match="Only one of"):
        output(Input="{}", InputPath="$")
    with pytest.raises(InputError, match="Invalid JSON"):
        output(Input="{")
    big = {**EVENT, "detail": {"x": "y" * 100_000}}
    target = {"InputTransformer": {"InputTemplate": '"' + "<x>" * 20 + '"',
                                   "InputPathsMap": {"x": "$.detail.x"}}}  # fmt: skip
    with pytest.raises(OutputError):
        output_of({"Id": "1", **target}, big, "", OCCASION)


@pytest.mark.parametrize("at_s", [0, 1_800_000_000, -62_135_596_800, -1, 253_402_300_799])
def test_a_time_is_read_as_it_was_written(at_s):
    assert time_of(time_text(at_s + 0.25)) == at_s
    assert len(time_text(at_s)) == len("2027-01-15T08:00:00Z")


def test_a_document_that_is_too_deep_cannot_be_written():
    render(read_document("[" * DETAIL_DEPTH_MAX + "]" * DETAIL_DEPTH_MAX))
    with pytest.raises(ValueError, match="deeper"):
        render(read_document("[" * 300 + "]" * 300))


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "due", "now", "fires", "following"),
    [
        ("rate(5 minutes)", "12:05", "12:05", "12:05", "12:10"),
        ("rate(5 minutes)", "12:05", "12:05:59", "12:05", "12:10"),
        ("rate(5 minutes)", "12:05", "12:06:01", None, "12:10"),
        # After hours nothing of the past fires, but for what is due just now.
        ("rate(5 minutes)", "12:05", "15:31:30", None, "15:35"),
        ("rate(5 minutes)", "12:05", "15:30:30", "15:30", "15:35"),
        ("rate(1 minute)", "12:01", "12:01:59", "12:01", "12:02"),
        ("rate(1 minute)", "12:01", "12:05:20", "12:05", "12:06"),
        ("cron(0 13 * * ? *)", "13:00", "13:00:00", "13:00", None),
        ("cron(0 13 * * ? *)", "13:00", "14:00:00", None, None),
    ],
)
def test_a_tick_fires_on_time_or_a_little_late_or_never(schedule, due, now, fires, following):
    def on_day(text):
        return None if text is None else at(f"2026-11-21T{text}")

    tick = plan_tick(read_schedule(schedule), at("2026-11-21T12:00"), on_day(due), on_day(now))
    assert tick.fires_at_s == on_day(fires)
    expected = on_day(following) if following else at("2026-11-22T13:00")
    assert tick.next_at_s == expected


@pytest.mark.parametrize(
    "text", ["rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "cron(0 12 * * * *)",
             "at(2026-11-21T12:00:00)", "every minute", "", "cron(0 20 * * ?)"],
)  # fmt: skip
def test_what_is_no_schedule_of_rules_is_refused(text):
    with pytest.raises(AwsError, match=r"Parameter ScheduleExpression is not valid\."):
        read_schedule(text)


@pytest.mark.parametrize(
    "target",
    [
        {"Arn": QUEUE},
        {"Arn": QUEUE + ".fifo", "SqsParameters": {"MessageGroupId": "g"}},
        {"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f:prod"},
        {"Arn": "arn:aws:sns:us-east-1:000000000000:t"},
        {"Arn": "arn:aws:logs:us-east-1:000000000000:log-group:/aws/events/x:*"},
        {"Arn": "arn:aws:logs:us-east-1:000000000000:log-group:any"},
        {"Arn": BUS.replace("default", "other")},
        {"Arn": QUEUE, "DeadLetterConfig": {"Arn": QUEUE}},
    ],
)
def test_targets_that_run_here_are_taken(target):
    check_target({"Id": "1", **target}, BUS)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"Arn": "nothing"}, "Provided Arn is not in correct format"),
        ({"Arn": QUEUE + ".fifo"}, "SqsParameters must be specified for target: 1"),
        ({"Arn": "arn:aws:states:us-east-1:000000000000:stateMachine:x"}, "states is not"),
        ({"Arn": "arn:aws:lambda:us-east-1:000000000000:layer:x"}, "not in correct format"),
        ({"Arn": QUEUE, "EcsParameters": {"TaskDefinitionArn": "x"}}, "not supported"),
        ({"Arn": BUS}, "its own rules"),
        ({"Arn": BUS.replace("000000000000", "111111111111")}, "RoleArn is required"),
        ({"Arn": "arn:aws:logs:us-east-1:111111111111:log-group:g"}, "in the account of its rule"),
        ({"Arn": QUEUE, "DeadLetterConfig": {"Arn": QUEUE + ".fifo"}}, "FIFO"),
        ({"Arn": QUEUE, "DeadLetterConfig": {"Arn": "x"}}, "DeadLetterConfig"),
    ],
)
def test_other_targets_are_refused_with_a_reason(target, reason):
    with pytest.raises(AwsError, match=reason):
        check_target({"Id": "1", **target}, BUS)
