"""Alarms as their users meet them: a canary that fails tells a topic and calls a function."""

import json
import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, allow
from alonzo.testing.daemon import REGION
from alonzo.testing.functions import ADMIN_ROLE
from alonzo.testing.topics import messages_of

#: Sends its event to a queue, so that a test can see it.
REPORTS = """
import json, os, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


@pytest.fixture
def queue(boto, function_name):
    sqs, name = boto("sqs"), function_name[-40:].strip("-_")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    statement = allow("sqs:SendMessage", on=arn, Principal={"Service": "sns.amazonaws.com"})
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    url = sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    yield url, arn
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def topic(boto, function_name):
    sns = boto("sns")
    arn = sns.create_topic(Name=function_name[-40:].strip("-_"))["TopicArn"]
    yield arn
    sns.delete_topic(TopicArn=arn)


def test_a_failing_canary_tells_a_topic_and_calls_a_function(
    boto, function, function_name, topic, queue
):
    cloudwatch, sqs, sns = boto("cloudwatch"), boto("sqs"), boto("sns")
    url, queue_arn = queue
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue_arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    called = function(REPORTS, Role=ADMIN_ROLE, Environment={"Variables": {"QUEUE": url}})
    arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{function_name}"
    called.client.add_permission(
        FunctionName=called.name,
        StatementId="alarm",
        Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com",
        SourceArn=arn,
    )
    # The minute before this one is over, so it is judged at once.
    at = datetime.fromtimestamp(time.time() - 60, UTC)
    datum = {"MetricName": function_name, "Value": 3, "Unit": "Count", "Timestamp": at}
    cloudwatch.put_metric_data(Namespace="canaries", MetricData=[datum])
    cloudwatch.put_metric_alarm(
        AlarmName=function_name,
        Namespace="canaries",
        MetricName=function_name,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=2,
        DatapointsToAlarm=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic, called.arn],
        Tags=[{"Key": "canary", "Value": "yes"}],
    )
    bodies = [json.loads(each["Body"]) for each in messages_of(sqs, url, 2)]
    event, message = sorted(bodies, key=lambda body: "AlarmName" in body)
    assert message["AlarmArn"] == event["alarmArn"] == arn
    assert (message["OldStateValue"], message["NewStateValue"]) == ("INSUFFICIENT_DATA", "ALARM")
    assert message["NewStateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints")
    assert event["alarmData"]["state"]["value"] == "ALARM"
    assert event["alarmData"]["state"]["reason"] == message["NewStateReason"]
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[function_name])["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM"
    assert alarm["StateReason"] == message["NewStateReason"]
    assert json.loads(alarm["StateReasonData"])["recentDatapoints"] == [3.0]
    tags = cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert tags == [{"Key": "canary", "Value": "yes"}]
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName=function_name, PaginationConfig={"PageSize": 1}
    )
    kinds = [each["HistoryItemType"] for page in pages for each in page["AlarmHistoryItems"]]
    assert kinds[-2:] == ["StateUpdate", "ConfigurationUpdate"]
    cloudwatch.delete_alarms(AlarmNames=[function_name])
    with pytest.raises(ClientError) as caught:
        cloudwatch.delete_alarms(AlarmNames=[function_name])
    assert caught.value.response["Error"]["Code"] == "ResourceNotFound"


def test_what_is_no_alarm_is_refused(boto):
    cloudwatch = boto("cloudwatch")
    facts = {"AlarmName": "a", "EvaluationPeriods": 1, "Threshold": 1, "Namespace": "n"}
    facts |= {"MetricName": "m", "Period": 60, "ComparisonOperator": "GreaterThanThreshold"}
    with pytest.raises(ClientError, match="Either Statistic or ExtendedStatistic"):
        cloudwatch.put_metric_alarm(**facts)
    with pytest.raises(ClientError, match="Invalid arn syntax"):
        cloudwatch.put_metric_alarm(**facts, Statistic="Sum", OKActions=["stop"])
    with pytest.raises(ClientError, match=r"ValidationError.*alarms \[nobody\] in the alarm rule"):
        cloudwatch.put_composite_alarm(AlarmName="c", AlarmRule="ALARM(nobody)")


def test_a_composite_alarm_follows_its_children_and_tells_topic_and_bus(
    boto, function_name, topic, queue
):
    cloudwatch, sqs, events = boto("cloudwatch"), boto("sqs"), boto("events")
    url, queue_arn = queue
    sns_subscription = {"Protocol": "sqs", "Attributes": {"RawMessageDelivery": "true"}}
    boto("sns").subscribe(TopicArn=topic, Endpoint=queue_arn, **sns_subscription)
    start = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:"
    child, both = f"{function_name}-child", f"{function_name}-both"
    pattern = {"source": ["aws.cloudwatch"], "resources": [f"{start}{both}"]}
    pattern["detail"] = {"state": {"value": ["ALARM"]}}
    events.put_rule(Name=function_name, EventPattern=json.dumps(pattern))
    policy = allow("sqs:SendMessage", on=queue_arn, Principal={"Service": "*"})
    policy["Principal"] = {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": policy})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    events.put_targets(Rule=function_name, Targets=[{"Id": "q", "Arn": queue_arn}])
    cloudwatch.put_metric_alarm(
        AlarmName=child,
        Namespace="canaries",
        MetricName=function_name,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    cloudwatch.put_composite_alarm(
        AlarmName=both, AlarmRule=f'ALARM("{child}") AND TRUE', AlarmActions=[topic]
    )
    cloudwatch.set_alarm_state(AlarmName=child, StateValue="ALARM", StateReason="drill")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[both], AlarmTypes=["CompositeAlarm"])[
        "CompositeAlarms"
    ]
    assert alarm["StateValue"] == "ALARM"
    bodies = [json.loads(each["Body"]) for each in messages_of(sqs, url, 2)]
    event, message = sorted(bodies, key=lambda body: "AlarmName" in body)
    assert message["AlarmRule"] == alarm["AlarmRule"]
    assert [each["Arn"] for each in message["TriggeringChildren"]] == [start + child]
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["detail"]["state"]["reason"] == message["NewStateReason"]
    with pytest.raises(ClientError, match=f"Cannot delete {child} as there are composite"):
        cloudwatch.delete_alarms(AlarmNames=[child])
    cloudwatch.delete_alarms(AlarmNames=[child, both])
    events.remove_targets(Rule=function_name, Ids=["q"])
    events.delete_rule(Name=function_name)
