"""Functions that read queues, on a running platform: from a message that is sent to its end."""

import json

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, trust
from alonzo.testing.functions import ADMIN_ROLE
from alonzo.testing.roles import LAMBDA

ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}"
WITHIN_S = 30
#: Sends what it was called with to the queue OUT, and fails where a body says so.
RELAY = """
import json, os, time
import boto3
sqs = boto3.client("sqs")

def handler(event, context):
    call = [time.monotonic_ns(), event["Records"]]
    bodies = [record["body"] for record in event["Records"]]
    sqs.send_message(QueueUrl=os.environ["OUT"], MessageBody=json.dumps(call))
    if any(body.startswith("poison") for body in bodies):
        raise ValueError("poison")
    failed = [r["messageId"] for r in event["Records"] if r["body"].startswith("partly")
              and r["attributes"]["ApproximateReceiveCount"] == "1"]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
"""
LOOPING = """
import os
import boto3
sqs = boto3.client("sqs")

def handler(event, context):
    for record in event["Records"]:
        sqs.send_message(QueueUrl=os.environ["OUT"], MessageBody="run")
        sqs.send_message(QueueUrl=os.environ["AGAIN"], MessageBody=record["body"])
"""


class Bench:
    """Queues and mappings of one test, and what the function was called with."""

    def __init__(self, boto, function, eventually, name):
        self.lambdas, self.sqs = boto("lambda"), boto("sqs")
        self.function, self.eventually = function, eventually
        self.name = name[-30:].strip("-_")
        self.out = self.queue("out")
        self.urls = [self.out]
        self.mappings = []
        self.calls = []

    def queue(self, label, **attributes):
        name = f"{self.name}-{label}"
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        if label != "out":
            self.urls.append(url)
        return url

    def arn(self, url):
        return f"{ARN}:{url.rsplit('/', 1)[1]}"

    def relay(self, source=RELAY, **more):
        variables = {"OUT": self.out, **more.pop("Variables", {})}
        more = {"Role": ADMIN_ROLE, "Timeout": 10, **more}
        return self.function(source, Environment={"Variables": variables}, **more)

    def map(self, worker, url, **members):
        made = self.lambdas.create_event_source_mapping(
            FunctionName=worker.name, EventSourceArn=self.arn(url), **members
        )
        self.mappings.append(made["UUID"])
        self.settled(made["UUID"])
        return made["UUID"]

    def settled(self, uuid):
        def look():
            state = self.lambdas.get_event_source_mapping(UUID=uuid)["State"]
            return state if state in ("Enabled", "Disabled") else None

        return self.eventually(look, WITHIN_S)

    def update(self, uuid, **members):
        self.lambdas.update_event_source_mapping(UUID=uuid, **members)
        return self.settled(uuid)

    def send(self, url, *bodies, **more):
        for body in bodies:
            self.sqs.send_message(QueueUrl=url, MessageBody=body, **more)

    def waiting(self, url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        shown = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return tuple(int(shown[each]) for each in names)

    def drained(self, url):
        self.eventually(lambda: self.waiting(url) == (0, 0), WITHIN_S)

    def called(self, count):
        """The records of so many calls, in the order of the calls."""

        def enough():
            found = self.sqs.receive_message(QueueUrl=self.out, MaxNumberOfMessages=10)
            self.calls += [json.loads(each["Body"]) for each in found.get("Messages", ())]
            return len(self.calls) >= count

        self.eventually(enough, WITHIN_S)
        return [records for _, records in sorted(self.calls, key=lambda call: call[0])]

    def close(self):
        for uuid in self.mappings:
            try:
                self.settled(uuid)
                self.lambdas.delete_event_source_mapping(UUID=uuid)
            except self.lambdas.exceptions.ResourceNotFoundException:
                continue
        for url in self.urls:
            self.sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def bench(boto, function, eventually, function_name):
    made = Bench(boto, function, eventually, function_name)
    yield made
    made.close()


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_messages_reach_the_function_and_are_gone_then(bench):
    worker, url = bench.relay(), bench.queue("in")
    uuid = bench.map(worker, url)
    binary = {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    text = {"DataType": "String", "StringValue": "v"}
    bench.send(url, "hello", MessageAttributes={"t": text, "b": binary})
    ((record,),) = bench.called(1)
    assert record.keys() == {
        "messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody",
        "md5OfMessageAttributes", "eventSource", "eventSourceARN", "awsRegion",
    }  # fmt: skip
    assert record["body"] == "hello"
    assert record["eventSourceARN"] == bench.arn(url)
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    lists = {"stringListValues": [], "binaryListValues": []}
    assert record["messageAttributes"] == {
        "t": {"stringValue": "v", **lists, "dataType": "String"},
        "b": {"binaryValue": "AP8=", **lists, "dataType": "Binary"},
    }
    bench.drained(url)
    shown = bench.lambdas.get_event_source_mapping(UUID=uuid)
    assert "LastProcessingResult" not in shown

    # Disabled it reads nothing, enabled it goes on; a change counts at once.
    assert bench.update(uuid, Enabled=False) == "Disabled"
    bench.send(url, "one", "two", "three")
    assert bench.waiting(url) == (3, 0)
    assert bench.update(uuid, BatchSize=2) == "Disabled"
    assert bench.update(uuid, Enabled=True) == "Enabled"
    bench.drained(url)
    calls = [[each["body"] for each in call] for call in bench.called(3)[1:]]
    assert sorted(body for call in calls for body in call) == ["one", "three", "two"]
    assert max(map(len, calls)) <= 2


def test_what_failed_comes_back_alone_and_what_does_not_match_never(bench):
    worker, url = bench.relay(Timeout=1), bench.queue("in", VisibilityTimeout="1")
    pattern = '{"body": [{"anything-but": "ignored"}]}'
    bench.send(url, "fine", "partly", "ignored")
    bench.map(
        worker,
        url,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": pattern}]},
    )
    bench.drained(url)
    seen = [
        (each["body"], each["attributes"]["ApproximateReceiveCount"])
        for call in bench.called(2)
        for each in call
    ]
    assert sorted(seen) == [("fine", "1"), ("partly", "1"), ("partly", "2")]


def test_poison_goes_to_the_dead_letter_queue_of_the_queue(bench):
    dead = bench.queue("dead")
    policy = json.dumps({"deadLetterTargetArn": bench.arn(dead), "maxReceiveCount": 2})
    url = bench.queue("in", VisibilityTimeout="1", RedrivePolicy=policy)
    bench.map(bench.relay(Timeout=1), url, BatchSize=1)
    bench.send(url, "poison", "fine")
    bench.eventually(lambda: bench.waiting(dead) == (1, 0), WITHIN_S)
    bench.drained(url)
    bodies = [call[0]["body"] for call in bench.called(3)]
    assert sorted(bodies) == ["fine", "poison", "poison"]


def test_groups_of_a_fifo_queue_keep_their_order(bench):
    url = bench.queue("in.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    sent = [f"{group}/{number}" for number in range(5) for group in "abcdef"]
    for body in sent:
        bench.send(url, body, MessageGroupId=body[0])
    bench.map(bench.relay(), url, BatchSize=3)
    bench.drained(url)
    records = [each for call in bench.called(1) for each in call]
    while len(records) < len(sent):
        records = [each for call in bench.called(len(bench.calls) + 1) for each in call]
    bodies = [each["body"] for each in records]
    for group in "abcdef":
        of_group = [body for body in bodies if body[0] == group]
        assert of_group == [body for body in sent if body[0] == group]
    assert {each["attributes"]["MessageGroupId"] for each in records} == set("abcdef")


def test_a_function_that_is_throttled_gets_its_messages_once_it_is_not(bench):
    worker, url = bench.relay(), bench.queue("in", VisibilityTimeout="30")
    bench.lambdas.put_function_concurrency(FunctionName=worker.name, ReservedConcurrentExecutions=0)
    bench.map(worker, url)
    bench.send(url, "late")
    bench.eventually(lambda: bench.waiting(url) == (0, 1), WITHIN_S)
    bench.lambdas.delete_function_concurrency(FunctionName=worker.name)
    ((record,),) = bench.called(1)
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    bench.drained(url)


def test_a_mapping_outlives_its_function(bench):
    worker, url = bench.relay(), bench.queue("in")
    uuid = bench.map(worker, url)
    worker.delete()
    bench.send(url, "kept")
    assert bench.settled(uuid) == "Enabled"
    assert bench.update(uuid, Enabled=False) == "Disabled"
    assert sum(bench.waiting(url)) == 1
    bench.lambdas.delete_event_source_mapping(UUID=uuid)


def test_the_role_must_be_allowed_to_read_at_first_and_ever_after(bench, household, platform):
    role = household.role(f"reader-{bench.name[-20:]}", trust(LAMBDA))
    worker = bench.function("def handler(event, context): pass", Role=role)
    url = bench.queue("in")
    create = bench.lambdas.create_event_source_mapping
    given = {"FunctionName": worker.name, "EventSourceArn": bench.arn(url)}
    assert refusal(create, **given) == (
        "InvalidParameterValueException",
        "The function execution role does not have permissions to call ReceiveMessage on SQS",
    )
    actions = allow("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    household.let_role(role.rsplit("/", 1)[1], actions)
    uuid = bench.map(worker, url)
    bench.send(url, "one")
    bench.drained(url)
    bench.update(uuid, Enabled=False)
    household.let_role(role.rsplit("/", 1)[1], allow("s3:GetObject"))
    assert refusal(bench.lambdas.update_event_source_mapping, UUID=uuid, Enabled=True)[1] == (
        "The function execution role does not have permissions to call ReceiveMessage on SQS"
    )


def test_a_queue_must_exist_and_hide_messages_long_enough(bench):
    worker = bench.relay(Timeout=31)
    create = bench.lambdas.create_event_source_mapping
    assert refusal(create, FunctionName=worker.name, EventSourceArn=f"{ARN}:there-is-none") == (
        "InvalidParameterValueException",
        "Error occurred while ReceiveMessage. SQS Error Code: "
        "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not "
        "exist for this wsdl version.",
    )
    url = bench.queue("in")
    given = {"FunctionName": worker.name, "EventSourceArn": bench.arn(url)}
    assert refusal(create, **given) == (
        "InvalidParameterValueException",
        "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds",
    )


def test_a_loop_through_a_queue_is_stopped(bench):
    url = bench.queue("in", VisibilityTimeout="60")
    worker = bench.relay(LOOPING, Variables={"AGAIN": url})
    bench.map(worker, url)
    bench.send(url, "round and round")

    def stopped():
        return bench.waiting(url) == (0, 1) and bench.waiting(bench.out)[0] >= 16

    bench.eventually(stopped, WITHIN_S)
    # The message that would have gone on stays in the queue, which counts its receives.
    assert bench.waiting(bench.out) == (16, 0)


def test_a_batch_waits_for_its_window(bench):
    url = bench.queue("in")
    bench.send(url, *(str(number) for number in range(12)))
    bench.map(bench.relay(), url, BatchSize=50, MaximumBatchingWindowInSeconds=1)
    assert sorted(map(len, bench.called(1))) == [12]
