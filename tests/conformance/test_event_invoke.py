"""Retries and destinations of events, as boto3 configures and functions see them."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import Household, allow, trust
from alonzo.testing.functions import ADMIN_ROLE

SINK = "def handler(event, context):\n    print('record', __import__('json').dumps(event))\n"
WORK = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("as told")
    return {"done": event["n"]}
"""


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


@pytest.fixture
def records(logs_client, eventually):
    """What a sink has printed, once there are so many records."""

    def read(sink, count):
        def lines():
            found = logs_client.filter_log_events(
                logGroupName=f"/aws/lambda/{sink.name}", filterPattern="record"
            )["events"]
            texts = [event["message"].split("record ", 1)[1] for event in found]
            return texts if len(texts) >= count else None

        sink.invoke({"warm": True})
        return [json.loads(text) for text in eventually(lines, 20)]

    return read


def configure(client, function, **config):
    client.put_function_event_invoke_config(FunctionName=function.name, **config)


def test_success_and_failure_reach_functions_with_the_whole_story(lambda_client, function, records):
    worker, sink = function(WORK, Role=ADMIN_ROLE), function(SINK)
    sink.invoke({"first": True})
    target = {"Destination": sink.arn}
    configure(
        lambda_client,
        worker,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnSuccess": target, "OnFailure": target},
    )
    for event in ({"n": 1}, {"n": 2, "fail": True}):
        assert worker.invoke(event, InvocationType="Event").status == 202
    told = [each for each in records(sink, 4) if "requestContext" in each]
    good, bad = sorted(told, key=lambda each: each["requestPayload"]["n"])
    context = good["requestContext"]
    assert context["condition"] == "Success"
    assert context["functionArn"] == f"{worker.arn}:$LATEST"
    assert good["responsePayload"] == {"done": 1}
    assert good["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert bad["requestContext"]["condition"] == "RetriesExhausted"
    assert bad["requestContext"]["approximateInvokeCount"] == 1
    assert bad["responseContext"]["functionError"] == "Unhandled"
    assert bad["responsePayload"]["errorType"] == "ValueError"


def test_a_reservation_of_zero_sends_events_away_at_once(lambda_client, function, records):
    worker, sink = function(WORK, Role=ADMIN_ROLE), function(SINK)
    sink.invoke({"first": True})
    configure(lambda_client, worker, DestinationConfig={"OnFailure": {"Destination": sink.arn}})
    lambda_client.put_function_concurrency(FunctionName=worker.name, ReservedConcurrentExecutions=0)
    assert worker.invoke({"n": 1}, InvocationType="Event").status == 202
    (record,) = [each for each in records(sink, 3) if "requestContext" in each]
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in record


def test_a_loop_of_destinations_ends_by_itself(lambda_client, function, logs_client, eventually):
    """Two functions that are each other's destination: the lineage in the trace stops them."""
    one, two = function(SINK, Role=ADMIN_ROLE), function(SINK, Role=ADMIN_ROLE)
    for sender, target in ((one, two), (two, one)):
        configure(
            lambda_client, sender, DestinationConfig={"OnSuccess": {"Destination": target.arn}}
        )

    def runs(sink):
        return logs_client.filter_log_events(
            logGroupName=f"/aws/lambda/{sink.name}", filterPattern="record"
        )["events"]

    one.invoke({"n": 1}, InvocationType="Event")
    eventually(lambda: _counted(runs, two) >= 16, 30)
    assert _counted(runs, one) <= 17


def summed(platform, metric, name):
    """What CloudWatch has of a function's metric over the last hours, and the next."""
    now = datetime.now(UTC)
    points = platform.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda", MetricName=metric, Period=3600, Statistics=["Sum"],
        Dimensions=[{"Name": "FunctionName", "Value": name}],
        StartTime=now - timedelta(hours=2), EndTime=now + timedelta(hours=1),
    )["Datapoints"]  # fmt: skip
    return sum(point["Sum"] for point in points)


def test_an_event_that_would_go_on_with_a_loop_is_told_of_and_counted(
    platform, lambda_client, function, records, eventually
):
    looping, sink = function(WORK, Role=ADMIN_ROLE), function(SINK)
    configure(lambda_client, looping, DestinationConfig={"OnFailure": {"Destination": sink.arn}})
    own = sha256(looping.arn.encode()).hexdigest()[:8]
    root = "Root=1-5759e988-bd862e3fe1be46a994272793"
    with_trace(lambda_client, f"{root};Lineage=1:{own}:14", looping, {"n": 1})
    with pytest.raises(lambda_client.exceptions.RecursiveInvocationException) as caught:
        with_trace(lambda_client, f"{root};Lineage=1:{own}:15", looping, {"n": 2})
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    (record,) = [each for each in records(sink, 2) if "requestContext" in each]
    assert record["requestContext"]["condition"] == "RecursiveInvocation"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["requestPayload"] == {"n": 2}
    eventually(lambda: summed(platform, "RecursiveInvocationsDropped", looping.name) == 1, 10)
    assert summed(platform, "AsyncEventsReceived", looping.name) == 1


def with_trace(client, header, function, event):
    def add(request, **_):
        request.headers["X-Amzn-Trace-Id"] = header

    client.meta.events.register("before-sign.lambda.Invoke", add)
    try:
        client.invoke(FunctionName=function.name, InvocationType="Event", Payload=json.dumps(event))
    finally:
        client.meta.events.unregister("before-sign.lambda.Invoke", add)


def test_a_role_must_be_allowed_to_reach_its_destination(
    platform, lambda_client, function, household, function_name, eventually
):
    role = household.role(function_name, trust({"Service": "lambda.amazonaws.com"}))
    sink = function(SINK)
    worker = function(WORK, Role=role)
    target = {"OnFailure": {"Destination": sink.arn}}
    with pytest.raises(lambda_client.exceptions.InvalidParameterValueException) as caught:
        configure(lambda_client, worker, DestinationConfig=target)
    assert caught.value.response["Error"]["Message"] == (
        "The function's execution role does not have permissions to call InvokeFunction on "
        f"{sink.arn}"
    )
    household.let_role(function_name, allow("lambda:InvokeFunction", on=sink.arn))
    configure(lambda_client, worker, DestinationConfig=target, MaximumRetryAttempts=0)
    household.let_role(function_name, allow("lambda:GetFunction"))
    worker.invoke({"n": 1, "fail": True}, InvocationType="Event")
    eventually(lambda: summed(platform, "DestinationDeliveryFailures", worker.name) == 1, 10)
    assert summed(platform, "AsyncEventsDropped", worker.name) == 1


def _counted(runs, sink):
    try:
        return len(runs(sink))
    except ClientError:
        return 0


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"MaximumRetryAttempts": 3}, "maximumRetryAttempts"),
        ({"MaximumRetryAttempts": -1}, "maximumRetryAttempts"),
        ({"MaximumEventAgeInSeconds": 59}, "maximumEventAgeInSeconds"),
        ({"MaximumEventAgeInSeconds": 21601}, "maximumEventAgeInSeconds"),
    ],
)
def test_values_out_of_bounds_are_refused(platform, function, config, text):
    import botocore.config
    import botocore.session

    worker = function(WORK, Role=ADMIN_ROLE)
    key_id, secret = platform.root_key()
    client = botocore.session.Session().create_client(
        "lambda",
        "us-east-1",
        endpoint_url=platform.endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=botocore.config.Config(parameter_validation=False, proxies={}),
    )
    with pytest.raises(ClientError) as caught:
        client.put_function_event_invoke_config(FunctionName=worker.name, **config)
    client.close()
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert text in caught.value.response["Error"]["Message"]
