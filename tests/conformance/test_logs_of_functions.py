"""A function's log, as the API of CloudWatch Logs shows it."""

import re
import time

import pytest

from alonzo.testing.callers import Household, allow, deny, trust
from alonzo.testing.roles import LAMBDA

TALK = "def handler(event, context):\n    print('one', event)\n    print('two')"


@pytest.fixture
def talker(function):
    return function(TALK)


def events(logs_client, group, **more):
    pages = logs_client.get_paginator("filter_log_events").paginate(logGroupName=group, **more)
    return [event["message"] for page in pages for event in page["events"]]


def test_everything_an_invocation_wrote_is_there_at_once_in_order(talker, logs_client):
    request_id = talker.invoke("x").headers["x-amzn-requestid"]
    messages = events(logs_client, f"/aws/lambda/{talker.name}")
    assert messages[0].startswith("INIT_START Runtime Version: python:3.")
    assert [m.split("\t")[0].rstrip("\n") for m in messages[1:]] == [
        f"START RequestId: {request_id} Version: $LATEST",
        "one x",
        "two",
        f"END RequestId: {request_id}",
        f"REPORT RequestId: {request_id}",
    ]


def test_the_stream_is_named_by_day_version_and_environment(talker, logs_client):
    talker.invoke()
    group = f"/aws/lambda/{talker.name}"
    (stream,) = logs_client.describe_log_streams(logGroupName=group)["logStreams"]
    day = time.strftime("%Y/%m/%d", time.gmtime())
    assert re.fullmatch(rf"{day}/\[\$LATEST\][0-9a-f]{{32}}", stream["logStreamName"])
    got = logs_client.get_log_events(
        logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
    )
    assert len(got["events"]) == 6


def test_a_filter_finds_its_lines(talker, logs_client):
    for n in range(3):
        talker.invoke(n)
    group = f"/aws/lambda/{talker.name}"
    assert [m.strip() for m in events(logs_client, group, filterPattern='"one 1"')] == ["one 1"]


def test_json_logs_carry_the_platforms_records(function, logs_client):
    import json

    talker = function(
        "import logging\ndef handler(event, context): logging.getLogger().info('said')",
        LoggingConfig={"LogFormat": "JSON"},
    )
    request_id = talker.invoke().headers["x-amzn-requestid"]
    records = [json.loads(m) for m in events(logs_client, f"/aws/lambda/{talker.name}")]
    assert [r.get("type", "function") for r in records] == [
        "platform.initStart", "platform.start", "function", "platform.report",
    ]  # fmt: skip
    said = records[2]
    assert (said["level"], said["message"], said["requestId"]) == ("INFO", "said", request_id)


def test_a_role_that_may_write_no_logs_writes_none(platform, function, logs_client, eventually):
    household = Household(platform)
    role = household.role("logs-nothing", trust(LAMBDA))
    silent = function(TALK, Role=role)
    group = f"/aws/lambda/{silent.name}"
    here = {"logGroupNamePrefix": group}
    try:
        assert "two" in silent.invoke("a", LogType="Tail").log
        eventually(lambda: f"iam.no_log role={role} group={group}" in platform.log, 10)
        assert not logs_client.describe_log_groups(**here)["logGroups"]
        household.let_role("logs-nothing", allow("logs:CreateLogStream", "logs:PutLogEvents"))
        silent.invoke("b")
        assert not logs_client.describe_log_groups(**here)["logGroups"]
        # It may not make the group, so it writes once there is one.
        logs_client.create_log_group(logGroupName=group)
        silent.invoke("c")
        assert "one c\n" in events(logs_client, group)
        household.let_role("logs-nothing", deny("logs:PutLogEvents"), allow("logs:*"))
        silent.invoke("d")
        assert [each[4] for each in events(logs_client, group) if each.startswith("one")] == ["c"]
    finally:
        household.close()
