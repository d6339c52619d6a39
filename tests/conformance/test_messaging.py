"""Queues, topics and functions together: whom they let in, and texts that are hard to carry."""

import concurrent.futures
import json
import os
import signal
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, client_of, document, root_of, trust
from alonzo.testing.functions import ADMIN_ROLE
from alonzo.testing.roles import LAMBDA
from alonzo.testing.topics import messages_of

THEIRS = "876543210987"
SQS, SNS = (f"arn:aws:{service}:us-east-1:{ACCOUNT}" for service in ("sqs", "sns"))
WITHIN_S = 30
FAILS = """
def handler(event, context):
    raise ValueError(event["text"].encode().decode("unicode_escape"))
"""
READS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@pytest.fixture
def name(function_name):
    return function_name[-30:].strip("-")


@pytest.fixture
def sqs(boto):
    return boto("sqs")


@pytest.fixture
def sns(boto):
    return boto("sns")


@pytest.fixture
def queue(sqs, name):
    """Makes queues: ``queue("a", policy statement)`` answers URL and ARN."""
    made = []

    def make(label, *statements, **attributes):
        full = f"{name}-{label}"
        if statements:
            attributes["Policy"] = document(*statements)
        made.append(sqs.create_queue(QueueName=full, Attributes=attributes)["QueueUrl"])
        return made[-1], f"{SQS}:{full}"

    yield make
    for url in made:
        sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def topic(sns, name):
    arn = sns.create_topic(Name=name)["TopicArn"]
    yield arn
    sns.delete_topic(TopicArn=arn)


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


@pytest.fixture
def theirs(platform):
    """Makes clients of another account's root user."""
    key = root_of(platform, THEIRS)
    clients = [client_of(platform, service, key) for service in ("sqs", "sns")]
    yield clients
    for each in clients:
        each.close()


def code_of(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"]


def waiting(sqs, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, shown.values()))


def test_another_account_sends_and_publishes_where_policies_let_it(
    sqs, sns, queue, topic, theirs, name
):
    their_sqs, their_sns = theirs
    url, arn = queue("in")
    send = {"QueueUrl": url, "MessageBody": "m"}
    assert code_of(their_sqs.send_message, **send) == "AccessDenied"
    assert code_of(their_sns.publish, TopicArn=topic, Message="m") == "AuthorizationError"
    them = {"AWS": THEIRS}
    allowed = document(allow("sqs:SendMessage", on=arn, Principal=them))
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": allowed})
    their_sqs.send_message(**send)
    assert code_of(their_sqs.receive_message, QueueUrl=url) == "AccessDenied"
    sns.set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=document(allow("SNS:Publish", on=topic, Principal=them)),
    )
    their_sns.publish(TopicArn=topic, Message="m")
    assert code_of(their_sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=arn)


def test_a_queue_lets_in_the_one_topic_that_its_policy_names(sqs, sns, queue, topic, name):
    other = sns.create_topic(Name=f"{name}-other")["TopicArn"]
    of_sns = {"Service": "sns.amazonaws.com"}
    only = {"ArnEquals": {"aws:SourceArn": topic}}
    arn = f"{SQS}:{name}-in"
    url, _ = queue("in", allow("sqs:SendMessage", on=arn, Principal=of_sns, Condition=only))
    for each in (topic, other):
        raw = {"RawMessageDelivery": "true"}
        sns.subscribe(TopicArn=each, Protocol="sqs", Endpoint=arn, Attributes=raw)
    sns.publish(TopicArn=other, Message="from elsewhere")
    sns.publish(TopicArn=topic, Message="wanted")
    assert [message["Body"] for message in messages_of(sqs, url, 1)] == ["wanted"]
    sns.delete_topic(TopicArn=other)
    assert waiting(sqs, url) == 0


def test_a_failed_event_reaches_a_topic_with_what_is_said_of_it(
    sqs, sns, queue, topic, function, name
):
    arn = f"{SQS}:{name}-in"
    url, _ = queue(
        "in", allow("sqs:SendMessage", on=arn, Principal={"Service": "sns.amazonaws.com"})
    )
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    fails = function(FAILS, Role=ADMIN_ROLE, DeadLetterConfig={"TargetArn": topic})
    on_failure = {"OnFailure": {"Destination": topic}}
    fails.client.put_function_event_invoke_config(
        FunctionName=fails.name, MaximumRetryAttempts=0, DestinationConfig=on_failure
    )
    event = {"text": "as told"}
    accepted = fails.invoke(event, InvocationType="Event")
    request_id = accepted.headers["x-amzn-requestid"]
    envelopes = [json.loads(message["Body"]) for message in messages_of(sqs, url, 2)]
    (letter,) = (each for each in envelopes if "MessageAttributes" in each)
    (record,) = (each for each in envelopes if "MessageAttributes" not in each)
    assert json.loads(letter["Message"]) == event
    assert letter["MessageAttributes"] == {
        "RequestID": {"Type": "String", "Value": request_id},
        "ErrorCode": {"Type": "Number", "Value": "200"},
        "ErrorMessage": {"Type": "String", "Value": "as told"},
    }
    told = json.loads(record["Message"])
    assert told["requestContext"]["requestId"] == request_id
    assert told["requestContext"]["condition"] == "RetriesExhausted"
    assert told["requestPayload"] == event


def test_no_error_text_keeps_a_dead_letter_from_its_queue(sqs, queue, function):
    url, arn = queue("dead")
    fails = function(FAILS, Role=ADMIN_ROLE, DeadLetterConfig={"TargetArn": arn})
    fails.client.put_function_event_invoke_config(FunctionName=fails.name, MaximumRetryAttempts=0)
    texts = ["nul \\0", "half \\ud800", "none \\uffff", "none \uffff"]
    for text in texts:
        payload = json.dumps({"text": text}, ensure_ascii=False).encode()
        fails.invoke(payload=payload, InvocationType="Event")
    letters = {
        json.loads(letter["Body"])["text"]: letter["MessageAttributes"]["ErrorMessage"]
        for letter in messages_of(sqs, url, len(texts))
    }
    assert letters.keys() == set(texts)
    assert letters["nul \\0"]["StringValue"] == "nul \ufffd"
    assert letters["none \\uffff"]["StringValue"] == "none \ufffd"


@pytest.mark.parametrize(
    "text", ['"}, {"', "line\nbreak \\u0041 \\", "\u2028 \x7f \x85", "tab\tbell\x07", "none \uffff"]
)
def test_every_text_arrives_in_its_envelope_as_it_was_published(sqs, sns, queue, topic, name, text):
    arn = f"{SQS}:{name}-in"
    url, _ = queue(
        "in", allow("sqs:SendMessage", on=arn, Principal={"Service": "sns.amazonaws.com"})
    )
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message=json.dumps({"default": text}), MessageStructure="json")
    (message,) = messages_of(sqs, url, 1)
    envelope = json.loads(message["Body"])
    assert envelope["Message"] == text
    assert envelope["TopicArn"] == topic


def test_a_mapping_stops_where_its_role_may_no_more_and_goes_on_when_it_may(
    platform, sqs, queue, household, function, name, eventually
):
    role_name = f"reads-{name[-20:]}"
    role = household.role(role_name, trust(LAMBDA), allow(*READS))
    reader = function("def handler(event, context): pass", Role=role)
    url, arn = queue("in", VisibilityTimeout="5")
    uuid = reader.client.create_event_source_mapping(FunctionName=reader.name, EventSourceArn=arn)[
        "UUID"
    ]

    def state():
        return reader.client.get_event_source_mapping(UUID=uuid)["State"]

    sqs.send_message(QueueUrl=url, MessageBody="read")
    eventually(lambda: state() == "Enabled" and not waiting(sqs, url), WITHIN_S)
    household.let_role(role_name, allow("logs:*"))
    # The receive that waits was allowed when it began. What it gets cannot be deleted, and the next
    # one is refused.
    sqs.send_message(QueueUrl=url, MessageBody="one")

    def said(what):
        return any(what in line and uuid in line for line in platform.log.splitlines())

    eventually(lambda: said("event_source.not_read"), WITHIN_S)
    sqs.send_message(QueueUrl=url, MessageBody="two")
    assert (state(), waiting(sqs, url)) == ("Enabled", 2)
    household.let_role(role_name, allow(*READS))
    eventually(lambda: not waiting(sqs, url), WITHIN_S)
    assert said("event_source.read_again")
    reader.client.delete_event_source_mapping(UUID=uuid)


def test_a_hundred_idle_long_polls_end_with_sigterm_at_once(own_platform, eventually):
    platform = own_platform()
    clients = [platform.client("sqs", region) for region in ("us-east-1", "eu-west-1")]
    polls = [
        (client, {"QueueUrl": client.create_queue(QueueName="q")["QueueUrl"]})
        for client in clients * 50
    ]
    descriptors = Path("/proc", str(platform.pid), "fd")
    before = len(os.listdir(descriptors))
    with concurrent.futures.ThreadPoolExecutor(len(polls)) as pool:
        waiting = [
            pool.submit(client.receive_message, WaitTimeSeconds=20, **queue)
            for client, queue in polls
        ]
        eventually(lambda: len(os.listdir(descriptors)) >= before + len(polls) - 2, WITHIN_S)
        assert not any(each.done() for each in waiting)
        began_s = time.monotonic()
        os.kill(platform.pid, signal.SIGTERM)
        answers = [each.result() for each in waiting]
        took_s = time.monotonic() - began_s
    assert not any("Messages" in answer for answer in answers)
    # Of the 20 s that they would have waited.
    assert took_s < 10
