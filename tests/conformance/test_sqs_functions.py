"""Queues and functions: URLs on both sides of the sandbox, destinations, dead letters, restarts."""

import json

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, trust
from alonzo.testing.functions import ADMIN_ROLE

ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}"
#: Makes a queue and sends to it and to the one that it is told.
TALKS = """
import boto3
def handler(event, context):
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=event["url"], MessageBody="to yours")
    made = sqs.create_queue(QueueName=event["name"])["QueueUrl"]
    sqs.send_message(QueueUrl=made, MessageBody="to mine")
    return {"made": made, "found": sqs.get_queue_url(QueueName=event["known"])["QueueUrl"]}
"""
WORK = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("as told")
    return {"done": event["n"]}
"""


@pytest.fixture
def sqs(boto):
    return boto("sqs")


@pytest.fixture
def name(function_name):
    return function_name[-40:].strip("-")


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


def take(sqs, url, wait_s=20):
    """One message; it is deleted."""
    found = sqs.receive_message(
        QueueUrl=url,
        WaitTimeSeconds=wait_s,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    )
    (message,) = found["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return message


def test_urls_work_inside_functions_and_outside(sqs, function, name):
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    talker = function(TALKS, Role=ADMIN_ROLE, Timeout=20, MemorySize=512)
    outcome = talker.invoke({"url": url, "name": f"{name}-in", "known": name})
    assert outcome.function_error is None, outcome.body
    assert take(sqs, url)["Body"] == "to yours"
    # Whatever address the function knows the platform by.
    assert take(sqs, outcome.json["made"])["Body"] == "to mine"
    sqs.send_message(QueueUrl=outcome.json["found"], MessageBody="back")
    assert take(sqs, url)["Body"] == "back"


def test_a_failed_event_ends_in_its_dead_letter_queue(sqs, lambda_client, function, name):
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    worker = function(WORK, Role=ADMIN_ROLE, DeadLetterConfig={"TargetArn": f"{ARN}:{name}"})
    lambda_client.put_function_event_invoke_config(FunctionName=worker.name, MaximumRetryAttempts=0)
    event = {"n": 1, "fail": True}
    accepted = worker.invoke(event, InvocationType="Event")
    letter = take(sqs, url)
    assert json.loads(letter["Body"]) == event
    assert letter["MessageAttributes"] == {
        "RequestID": {"DataType": "String", "StringValue": accepted.headers["x-amzn-requestid"]},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": "as told"},
    }
    assert letter["Attributes"]["AWSTraceHeader"].startswith("Root=1-")


def test_a_record_of_success_arrives_in_a_queue(sqs, lambda_client, function, name):
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    worker = function(WORK, Role=ADMIN_ROLE)
    lambda_client.put_function_event_invoke_config(
        FunctionName=worker.name,
        DestinationConfig={"OnSuccess": {"Destination": f"{ARN}:{name}"}},
    )
    worker.invoke({"n": 7}, InvocationType="Event")
    message = take(sqs, url)
    record = json.loads(message["Body"])
    assert (record["requestPayload"], record["responsePayload"]) == ({"n": 7}, {"done": 7})
    assert record["requestContext"]["condition"] == "Success"
    assert "MessageAttributes" not in message


def test_a_queue_that_is_not_there_or_not_open_is_refused(
    sqs, lambda_client, household, function, name
):
    weak = household.role(name[-30:], trust({"Service": "lambda.amazonaws.com"}), allow("logs:*"))
    worker = function(WORK, Role=weak)

    def refusal(queue):
        with pytest.raises(ClientError) as caught:
            lambda_client.put_function_event_invoke_config(
                FunctionName=worker.name,
                DestinationConfig={"OnFailure": {"Destination": f"{ARN}:{queue}"}},
            )
        return caught.value.response["Error"]["Message"]

    assert refusal("none") == f"The destination ARN {ARN}:none is invalid."
    sqs.create_queue(QueueName=name)
    assert "SendMessage" in refusal(name)


def test_queues_their_messages_and_tasks_survive_a_restart(own_platform, eventually):
    platform = own_platform()
    sqs = platform.client("sqs")
    dead = sqs.create_queue(QueueName="dead", tags={"a": "b"})["QueueUrl"]
    redrive = json.dumps({"deadLetterTargetArn": f"{ARN}:dead", "maxReceiveCount": 1})
    live = sqs.create_queue(
        QueueName="live", Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "0"}
    )["QueueUrl"]
    entries = [{"Id": str(each), "MessageBody": str(each)} for each in range(3)]
    sqs.send_message_batch(QueueUrl=live, Entries=entries)
    for _ in range(2):
        sqs.receive_message(QueueUrl=live, MaxNumberOfMessages=10)
    sqs.start_message_move_task(SourceArn=f"{ARN}:dead", MaxNumberOfMessagesPerSecond=2)
    policy = {"Statement": [{**allow("sqs:SendMessage"), "Principal": "*"}]}
    sqs.set_queue_attributes(QueueUrl=dead, Attributes={"Policy": json.dumps(policy)})
    platform.kill()

    platform.start()
    sqs = platform.client("sqs")
    # The URL of before is as good as the new one, which has another port.
    assert sqs.list_queue_tags(QueueUrl=dead)["Tags"] == {"a": "b"}
    shown = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["Policy"])["Attributes"]
    assert json.loads(shown["Policy"]) == policy

    def task():
        (found,) = sqs.list_message_move_tasks(SourceArn=f"{ARN}:dead")["Results"]
        return found if found["Status"] != "RUNNING" else None

    over = eventually(task, 20)
    assert (over["Status"], over["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 3)
    back = sqs.receive_message(QueueUrl=live, MaxNumberOfMessages=10)["Messages"]
    assert {message["Body"] for message in back} == {"0", "1", "2"}
