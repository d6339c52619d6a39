"""Logs that reach functions, metrics, queries and live tails, through the platform's own door."""

import base64
import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT
from alonzo.testing.clients import make_client
from alonzo.testing.daemon import REGION
from alonzo.testing.functions import ADMIN_ROLE
from alonzo.testing.topics import messages_of

#: Sends its event to a queue, so that a test can see it.
REPORTS = """
import json, os, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""
SPEAKS = """
def handler(event, context):
    print("ERROR of order", event["order"])
"""


@pytest.fixture
def queue(boto, function_name):
    sqs = boto("sqs")
    url = sqs.create_queue(QueueName=function_name[-40:].strip("-_"))["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def group(logs_client, function_name):
    logs_client.create_log_group(logGroupName=function_name)
    logs_client.create_log_stream(logGroupName=function_name, logStreamName="s")
    yield function_name
    logs_client.delete_log_group(logGroupName=function_name)


def now_ms():
    return int(time.time() * 1000)


def put(client, group, *messages):
    events = [{"timestamp": now_ms(), "message": message} for message in messages]
    client.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def test_what_a_function_logs_reaches_the_function_that_subscribed(
    boto, logs_client, function, queue
):
    speaker = function(SPEAKS)
    reader = boto("lambda")
    made = function(REPORTS, Role=ADMIN_ROLE, Environment={"Variables": {"QUEUE": queue}})
    group = f"/aws/lambda/{speaker.name}"
    speaker.invoke({"order": 0})
    wanted = {
        "logGroupName": group,
        "filterName": "errors",
        "filterPattern": "ERROR",
        "destinationArn": made.arn,
    }
    with pytest.raises(ClientError, match="Make sure you have given CloudWatch Logs permission"):
        logs_client.put_subscription_filter(**wanted)
    reader.add_permission(
        FunctionName=made.name,
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
        SourceArn=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*",
    )
    logs_client.put_subscription_filter(**wanted)
    speaker.invoke({"order": 7})
    (message,) = messages_of(boto("sqs"), queue, 1)
    data = json.loads(message["Body"])["awslogs"]["data"]
    pushed = json.loads(gzip.decompress(base64.b64decode(data)))
    (stored,) = logs_client.filter_log_events(logGroupName=group, filterPattern='"of order 7"')[
        "events"
    ]
    assert pushed == {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": group,
        "logStream": stored["logStreamName"],
        "subscriptionFilters": ["errors"],
        "logEvents": [
            {
                "id": stored["eventId"],
                "timestamp": stored["timestamp"],
                "message": "ERROR of order 7\n",
            }
        ],
    }
    logs_client.delete_subscription_filter(logGroupName=group, filterName="errors")


def test_a_metric_filter_makes_a_metric_of_log_events(boto, logs_client, group):
    into = {"metricName": group, "metricNamespace": "shop", "metricValue": "$.ms"}
    logs_client.put_metric_filter(
        logGroupName=group,
        filterName="slow",
        filterPattern="{ $.ms > 100 }",
        metricTransformations=[into],
    )
    put(logs_client, group, '{"ms": 50}', '{"ms": 150}', '{"ms": 250}')
    found = boto("cloudwatch").get_metric_statistics(
        Namespace="shop",
        MetricName=group,
        StartTime=time.time() - 600,
        EndTime=time.time() + 60,
        Period=3600,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    assert [(each["Sum"], each["SampleCount"]) for each in found] == [(400.0, 2.0)]


def test_a_query_is_answered_over_the_wire(logs_client, group, eventually):
    put(logs_client, group, *(f"user={at % 2} took {at}" for at in range(6)))
    query_id = logs_client.start_query(
        logGroupName=group,
        startTime=int(time.time()) - 600,
        endTime=int(time.time()) + 60,
        queryString=r"parse /user=(?<user>\d) took (?<took>\d+)/ "
        "| stats sum(took) by user | sort user",
    )["queryId"]

    def complete():
        found = logs_client.get_query_results(queryId=query_id)
        return found if found["status"] == "Complete" else None

    found = eventually(complete, within_s=20)
    assert [[cell["value"] for cell in row] for row in found["results"]] == [["0", "6"], ["1", "9"]]
    made = logs_client.put_query_definition(name=f"{group}/users", queryString="fields @message")
    listed = logs_client.describe_query_definitions(queryDefinitionNamePrefix=group)
    (kept,) = listed["queryDefinitions"]
    assert kept["queryDefinitionId"] == made["queryDefinitionId"]
    assert logs_client.delete_query_definition(queryDefinitionId=made["queryDefinitionId"])[
        "success"
    ]
    with pytest.raises(ClientError) as caught:
        logs_client.start_query(
            logGroupName=group, startTime=0, endTime=1, queryString="fields a | unnest b"
        )
    error = caught.value.response
    assert error["Error"]["Code"] == "MalformedQueryException"
    assert error["queryCompileError"]["location"]["startCharOffset"] == 11


def arn_of(group):
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"


def test_a_live_tail_streams_events_and_ends_with_its_client(platform, logs_client, group):
    key_id, secret = platform.root_key()
    client = make_client(
        "logs",
        REGION,
        endpoint_url=platform.endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        # The model puts "stream-" in front of the host, which no name of ours has.
        config=Config(inject_host_prefix=False),
    )
    answer = client.start_live_tail(
        logGroupIdentifiers=[arn_of(group)], logEventFilterPattern="ERROR"
    )
    stream = answer["responseStream"]
    events = iter(stream)
    start = next(events)["sessionStart"]
    assert start["logGroupIdentifiers"] == [arn_of(group)]
    put(logs_client, group, "ERROR now", "fine")
    update = next(events)["sessionUpdate"]
    assert [each["message"] for each in update["sessionResults"]] == ["ERROR now"]
    assert update["sessionMetadata"] == {"sampled": False}
    stream.close()
    client.close()


def test_the_aws_cli_tails_live(platform, logs_client, group, eventually):
    key_id, secret = platform.root_key()
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": platform.endpoint,
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "PYTHONUNBUFFERED": "1",
    }
    aws = str(Path(sys.executable).with_name("aws"))
    command = [aws, "logs", "start-live-tail", "--log-group-identifiers", arn_of(group)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    try:
        os.set_blocking(process.stdout.fileno(), False)

        def shown():
            # The session begins at some time after the command does.
            put(logs_client, group, "said live")
            return b"said live" in (process.stdout.read() or b"")

        eventually(shown, within_s=30)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_resource_policy_lets_rules_write_into_a_log_group(boto, logs_client, group, eventually):
    events = boto("events")
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
    rule = events.put_rule(Name=group, EventPattern=json.dumps({"source": [group]}))["RuleArn"]
    events.put_targets(Rule=group, Targets=[{"Id": "1", "Arn": arn}])
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"{arn}:*",
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    entry = {"Source": group, "DetailType": "d", "Detail": "{}"}
    logs_client.put_resource_policy(policyName=group, policyDocument=policy)

    def written():
        events.put_events(Entries=[entry])
        return logs_client.filter_log_events(logGroupName=group)["events"]

    found = eventually(written, within_s=20)
    assert {json.loads(each["message"])["detail-type"] for each in found} == {"d"}
    (listed,) = logs_client.describe_resource_policies()["resourcePolicies"]
    assert listed["policyDocument"] == policy
    logs_client.delete_resource_policy(policyName=group)
    events.remove_targets(Rule=group, Ids=["1"])
    events.delete_rule(Name=group)
