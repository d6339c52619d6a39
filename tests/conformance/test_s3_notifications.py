"""What happens in a bucket reaches functions, queues and topics that let S3 in, and no others."""

import contextlib
import json
import urllib.request

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from alonzo.testing.callers import ACCOUNT, allow, document
from alonzo.testing.functions import ADMIN_ROLE
from alonzo.testing.topics import messages_of

REMEMBERS = """
import json, os
import boto3
def handler(event, context):
    (record,) = event["Records"]
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(record))
"""
#: Writes into the bucket that called it, and says so.
LOOPS = """
import os
import boto3
def handler(event, context):
    (record,) = event["Records"]
    key = record["s3"]["object"]["key"] + "x"
    boto3.client("s3").put_object(Bucket=record["s3"]["bucket"]["name"], Key=key)
"""
REGION = "us-east-1"


class World:
    """A bucket, a queue and a topic of the same name."""

    def __init__(self, boto, name):
        self.name = name
        self.s3, self.sqs, self.sns = boto("s3"), boto("sqs"), boto("sns")
        self.bucket_arn = f"arn:aws:s3:::{name}"
        self.s3.create_bucket(Bucket=name)
        self.queue_arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.topic_arn = self.sns.create_topic(Name=name)["TopicArn"]

    def open(self, *, source=None):
        """Have queue and topic let S3 in, on behalf of this bucket or another."""
        condition = {
            "ArnLike": {"aws:SourceArn": source or self.bucket_arn},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        }
        more = {"Principal": {"Service": "s3.amazonaws.com"}, "Condition": condition}
        send = document(
            allow("sqs:SendMessage", on=self.queue_arn, **more),
            # What topics send on.
            allow(
                "sqs:SendMessage",
                on=self.queue_arn,
                Principal={"Service": "sns.amazonaws.com"},
            ),
        )
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": send})
        publish = document(allow("sns:Publish", on=self.topic_arn, **more))
        self.sns.set_topic_attributes(
            TopicArn=self.topic_arn, AttributeName="Policy", AttributeValue=publish
        )

    def notify(self, **configuration):
        self.s3.put_bucket_notification_configuration(
            Bucket=self.name, NotificationConfiguration=configuration
        )

    def put(self, key, body=b"x"):
        self.s3.put_object(Bucket=self.name, Key=key, Body=body)

    def take(self, count=1):
        return [json.loads(each["Body"]) for each in messages_of(self.sqs, self.url, count)]

    def close(self):
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=self.name):
            for each in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                self.s3.delete_object(
                    Bucket=self.name, Key=each["Key"], VersionId=each["VersionId"]
                )
        self.s3.delete_bucket(Bucket=self.name)
        self.sqs.delete_queue(QueueUrl=self.url)
        self.sns.delete_topic(TopicArn=self.topic_arn)


@pytest.fixture
def world(boto, function_name):
    made = World(boto, function_name.lower()[-60:].strip("-"))
    yield made
    made.close()


def refusal(world, **configuration):
    with pytest.raises(ClientError) as caught:
        world.notify(**configuration)
    return caught.value.response["Error"]["Message"]


def of_function(function, *events, **filters):
    rules = [{"Name": name, "Value": value} for name, value in filters.items()]
    return {
        "LambdaFunctionArn": function.arn,
        "Events": list(events or ("s3:ObjectCreated:*",)),
        "Filter": {"Key": {"FilterRules": rules}},
    }


def test_an_upload_runs_the_function_that_let_the_bucket_in(world, function, lambda_client):
    world.open()
    made = function(
        REMEMBERS, Role=ADMIN_ROLE, Timeout=20, Environment={"Variables": {"QUEUE": world.url}}
    )
    configuration = {
        "LambdaFunctionConfigurations": [of_function(made, prefix="in/", suffix=".jpg")]
    }
    said = "Unable to validate the following destination configurations"
    assert refusal(world, **configuration) == said
    lambda_client.add_permission(
        FunctionName=made.name,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=world.bucket_arn,
        SourceAccount=ACCOUNT,
    )
    world.notify(**configuration)
    (kept,) = world.s3.get_bucket_notification_configuration(Bucket=world.name)[
        "LambdaFunctionConfigurations"
    ]
    world.put("out/a.jpg")
    world.put("in/a.png")
    world.put("in/my photo ü.jpg", b"four")
    (record,) = world.take()
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["awsRegion"] == REGION
    assert record["s3"]["configurationId"] == kept["Id"]
    assert record["s3"]["bucket"]["arn"] == world.bucket_arn
    about = record["s3"]["object"]
    assert (about["key"], about["size"]) == ("in/my+photo+%C3%BC.jpg", 4)
    assert set(record) == {
        "eventVersion",
        "eventSource",
        "awsRegion",
        "eventTime",
        "eventName",
        "userIdentity",
        "requestParameters",
        "responseElements",
        "s3",
    }


def test_queues_and_topics_hear_of_it_once_they_let_the_bucket_in(world):
    to_queue = {"QueueArn": world.queue_arn, "Events": ["s3:ObjectCreated:*"], "Id": "q"}
    to_topic = {"TopicArn": world.topic_arn, "Events": ["s3:ObjectRemoved:*"], "Id": "t"}
    both = {"QueueConfigurations": [to_queue], "TopicConfigurations": [to_topic]}
    said = "Unable to validate the following destination configurations"
    assert refusal(world, **both) == said
    world.open(source="arn:aws:s3:::another-bucket")
    assert refusal(world, **both) == said
    world.open()
    world.sns.subscribe(TopicArn=world.topic_arn, Protocol="sqs", Endpoint=world.queue_arn)
    world.notify(**both)
    tests = world.take(2)
    assert {each.get("Event") or each["Subject"] for each in tests} == {
        "s3:TestEvent",
        "Amazon S3 Notification",
    }
    world.put("k")
    world.s3.delete_object(Bucket=world.name, Key="k")
    told = world.take(2)
    texts = [each if "Records" in each else json.loads(each["Message"]) for each in told]
    found = {text["Records"][0]["eventName"]: text["Records"][0] for text in texts}
    made, removed = found["ObjectCreated:Put"], found["ObjectRemoved:Delete"]
    assert made["s3"]["object"]["sequencer"] < removed["s3"]["object"]["sequencer"]
    # What is taken away is quiet.
    world.notify()
    answer = world.s3.get_bucket_notification_configuration(Bucket=world.name)
    assert not answer.keys() - {"ResponseMetadata"}


def test_eventbridge_hears_of_everything(world, boto):
    events = boto("events")
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [world.name]}}}
    rule = events.put_rule(Name=world.name, EventPattern=json.dumps(pattern))["RuleArn"]
    send = allow(
        "sqs:SendMessage",
        on=world.queue_arn,
        Principal={"Service": "events.amazonaws.com"},
        Condition={"ArnEquals": {"aws:SourceArn": rule}},
    )
    world.sqs.set_queue_attributes(QueueUrl=world.url, Attributes={"Policy": document(send)})
    events.put_targets(Rule=world.name, Targets=[{"Id": "q", "Arn": world.queue_arn}])
    try:
        world.notify(EventBridgeConfiguration={})
        world.put("in/my photo", b"four")
        (event,) = world.take()
    finally:
        events.remove_targets(Rule=world.name, Ids=["q"])
        events.delete_rule(Name=world.name)
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")
    assert event["resources"] == [world.bucket_arn]
    assert event["account"] == ACCOUNT
    detail = event["detail"]
    assert (detail["object"]["key"], detail["object"]["size"]) == ("in/my photo", 4)
    assert detail["reason"] == "PutObject"


@pytest.mark.nightly
def test_what_was_put_before_a_kill_is_told_after_it(own_platform):
    platform = own_platform()
    world = World(platform.client, "kept")
    world.open()
    world.notify(
        QueueConfigurations=[{"QueueArn": world.queue_arn, "Events": ["s3:ObjectCreated:*"]}]
    )
    world.take()
    platform.kill()
    platform.arm("s3.after_carry")
    platform.start()
    # The answer to the put may come before the platform dies.
    with contextlib.suppress(BotoCoreError):
        platform.client("s3").put_object(Bucket="kept", Key="k", Body=b"x")
    platform.wait_killed()
    platform.arm("")
    platform.start()
    world = SimpleWorld(platform.client)
    keys = {each["Records"][0]["s3"]["object"]["key"] for each in world.take()}
    assert keys == {"k"}


class SimpleWorld(World):
    """The world after the end of it."""

    def __init__(self, boto):
        self.sqs = boto("sqs")
        self.url = self.sqs.get_queue_url(QueueName="kept")["QueueUrl"]


def test_a_function_that_writes_into_its_own_bucket_is_stopped(world, function, lambda_client):
    world.open()
    made = function(LOOPS, Role=ADMIN_ROLE, Timeout=20)
    lambda_client.add_permission(
        FunctionName=made.name,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceAccount=ACCOUNT,
    )
    lambda_client.put_function_event_invoke_config(
        FunctionName=made.name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": world.queue_arn}},
    )
    world.notify(LambdaFunctionConfigurations=[of_function(made)])
    world.put("k")
    (record,) = world.take()
    assert record["requestContext"]["condition"] == "RecursiveInvocation"
    told = record["requestPayload"]["Records"][0]["s3"]["object"]["key"]
    listed = world.s3.list_objects_v2(Bucket=world.name)["Contents"]
    assert (told, len(listed)) == ("k" + 16 * "x", 17)


def test_an_upload_from_a_form_is_told_as_one(world):
    world.open()
    posted = {"QueueArn": world.queue_arn, "Events": ["s3:ObjectCreated:Post"]}
    world.notify(QueueConfigurations=[posted])
    (test_event,) = world.take()
    assert test_event["Event"] == "s3:TestEvent"
    world.put("no form")
    form = world.s3.generate_presigned_post(world.name, "k")
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in [*form["fields"].items(), ("file", "x")]
    ]
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    body = ("".join(parts) + "--b--").encode()
    with urllib.request.urlopen(urllib.request.Request(form["url"], body, kind)) as answer:
        assert answer.status == 204
    (told,) = world.take()
    (record,) = told["Records"]
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectCreated:Post", "k")
