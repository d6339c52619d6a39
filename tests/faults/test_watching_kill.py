"""``kill -9`` around a change of an alarm's state, and around what logs push to functions."""

import contextlib
import json
import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from alonzo.testing.callers import ACCOUNT, allow
from alonzo.testing.functions import ADMIN_ROLE, deploy

QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
REPORTS = """
import json, os, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


def make_queue(platform):
    statement = allow("sqs:SendMessage", on=QUEUE, Principal={"Service": "sns.amazonaws.com"})
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    sqs = platform.client("sqs")
    return sqs.create_queue(QueueName="q", Attributes={"Policy": policy})["QueueUrl"]


def told(platform, *, waits=8):
    """What has come into the queue, once something has and no more does."""
    sqs = platform.client("sqs")
    url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
    found = []
    for _ in range(waits):
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
        for message in answer.get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if found and not answer.get("Messages"):
            break
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "most"),
    # What was handed over but not settled is handed over again; so it is by the topic.
    [
        ("alarms.after_change", 1),
        pytest.param("cloudwatch.after_carry", 4, marks=pytest.mark.nightly),
    ],
)
def test_a_kill_neither_loses_an_action_nor_makes_a_second_change(own_platform, point, most):
    platform = own_platform(ALONZO_FAULTS=point)
    make_queue(platform)
    sns, cloudwatch = platform.client("sns"), platform.client("cloudwatch")
    topic = sns.create_topic(Name="t")["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE, Attributes=raw)
    at = datetime.fromtimestamp(time.time() - 60, UTC)
    datum = {"MetricName": "m", "Value": 3, "Timestamp": at}
    cloudwatch.put_metric_data(Namespace="n", MetricData=[datum])
    with contextlib.suppress(BotoCoreError, ClientError):
        cloudwatch.put_metric_alarm(
            AlarmName="a",
            Namespace="n",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=10,
            DatapointsToAlarm=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=[topic],
        )
    platform.wait_killed()
    platform.arm("")
    platform.start()
    messages = told(platform)
    assert 1 <= len(messages) <= most
    assert {each["NewStateValue"] for each in messages} == {"ALARM"}
    # One change, however often it was told.
    assert len({each["StateChangeTime"] for each in messages}) == 1


@pytest.mark.nightly
def test_a_kill_loses_no_event_that_a_subscription_wants(own_platform):
    platform = own_platform()
    url = make_queue(platform)
    variables = {"Variables": {"QUEUE": url}}
    reader = deploy(
        platform.client("lambda"), "reader", REPORTS, Role=ADMIN_ROLE, Environment=variables
    )
    speaker = deploy(platform.client("lambda"), "speaker", "def handler(e, c): print('said')")
    group = "/aws/lambda/speaker"
    platform.client("logs").create_log_group(logGroupName=group)
    reader.client.add_permission(
        FunctionName="reader",
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
    )
    platform.client("logs").put_subscription_filter(
        logGroupName=group, filterName="f", filterPattern="said", destinationArn=reader.arn
    )
    platform.stop()
    platform.arm("logs.after_flush")
    platform.start()
    with contextlib.suppress(BotoCoreError, ClientError):
        platform.client("lambda").invoke(FunctionName=speaker.name)
    platform.wait_killed()
    platform.arm("")
    platform.start()
    assert told(platform)


def composite_alarm(platform, topic):
    """An alarm that follows another, and tells a second after it changed."""
    cloudwatch = platform.client("cloudwatch")
    for name in ("child", "quiet"):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="n",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",
        )
    cloudwatch.put_composite_alarm(
        AlarmName="both",
        AlarmRule="ALARM(child)",
        AlarmActions=[topic],
        ActionsSuppressor="quiet",
        ActionsSuppressorWaitPeriod=1,
        ActionsSuppressorExtensionPeriod=1,
    )
    with contextlib.suppress(BotoCoreError, ClientError):
        cloudwatch.set_alarm_state(AlarmName="child", StateValue="ALARM", StateReason="drill")


def ask(platform):
    """Start a query, whatever becomes of the answer."""
    now_s = int(time.time())
    query = {"logGroupName": "g", "startTime": now_s - 600, "endTime": now_s + 60}
    with contextlib.suppress(BotoCoreError, ClientError):
        platform.client("logs").start_query(**query, queryString="fields @message")


@pytest.mark.slow
@pytest.mark.parametrize(
    "point",
    ["alarms.after_release", pytest.param("alarms.before_release", marks=pytest.mark.nightly)],
)
def test_a_kill_keeps_results_of_queries_and_tells_of_a_composite_alarm_once(
    own_platform, eventually, point
):
    platform = own_platform(ALONZO_FAULTS=point)
    make_queue(platform)
    logs, sns = platform.client("logs"), platform.client("sns")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    event = {"timestamp": int(time.time() * 1000), "message": "kept"}
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[event])
    ask(platform)
    (query,) = eventually(lambda: logs.describe_queries(status="Complete")["queries"], within_s=20)
    topic = sns.create_topic(Name="t")["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE, Attributes=raw)
    composite_alarm(platform, topic)
    platform.wait_killed()
    platform.arm("")
    platform.start()
    found = platform.client("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])
    assert [each["StateValue"] for each in found["CompositeAlarms"]] == ["ALARM"]
    (message,) = told(platform)
    assert (message["AlarmName"], message["OldStateValue"]) == ("both", "OK")
    results = platform.client("logs").get_query_results(queryId=query["queryId"])
    assert results["status"] == "Complete"
    assert results["results"][0][0] == {"field": "@message", "value": "kept"}


@pytest.mark.nightly
def test_a_query_that_a_kill_cut_has_failed(own_platform):
    platform = own_platform(ALONZO_FAULTS="logs.query_running")
    platform.client("logs").create_log_group(logGroupName="g")
    ask(platform)
    platform.wait_killed()
    platform.arm("")
    platform.start()
    (query,) = platform.client("logs").describe_queries()["queries"]
    assert query["status"] == "Failed"
