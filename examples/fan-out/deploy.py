"""Makes the example: ``python deploy.py``. Takes it down again: ``python deploy.py remove``."""

import io
import json
import os
import sys
import zipfile
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

#: Goes before every name, so that the example is in the way of nothing that you have.
PREFIX = os.environ.get("EXAMPLE_PREFIX", "")
# One line of what is wrong, in place of a stack trace.
sys.excepthook = lambda kind, error, _: print(f"{kind.__name__}: {error}", file=sys.stderr)
TOPIC = f"{PREFIX}orders"
#: What each queue gets of the topic, by an attribute of the message.
WANTED = {"bill": {"kind": ["paid"]}, "ship": {"kind": ["paid", "gift"]}}
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
#: Receive, delete and look at messages; write logs.
READER = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"

iam, functions = boto3.client("iam"), boto3.client("lambda")
sns, sqs = boto3.client("sns"), boto3.client("sqs")


def package():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.write(Path(__file__).with_name("functions.py"), "functions.py")
    return buffer.getvalue()


def queue_arn(url):
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return found["Attributes"]["QueueArn"]


def subscribed_queue(name, topic, wanted):
    """A queue that takes what the topic sends, and nothing from anybody else's topic."""
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    arn = queue_arn(url)
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        },
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"FilterPolicy": json.dumps(wanted), "RawMessageDelivery": "true"},
    )
    return arn


def reader(name, handler, queue):
    """A function with a role of its own that reads a queue."""
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    iam.attach_role_policy(RoleName=name, PolicyArn=READER)
    functions.create_function(
        FunctionName=name,
        Runtime=f"python3.{sys.version_info.minor}",
        Handler=f"functions.{handler}",
        Role=role["Arn"],
        Code={"ZipFile": package()},
        Timeout=10,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    functions.create_event_source_mapping(FunctionName=name, EventSourceArn=queue)


def deploy():
    topic = sns.create_topic(Name=TOPIC)["TopicArn"]
    for handler, wanted in WANTED.items():
        name = f"{PREFIX}{handler}"
        reader(name, handler, subscribed_queue(name, topic, wanted))
    print(topic)


def delete_queue(name):
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def drop(delete, **what):
    """Delete one thing; if it cannot be, say so, and go on with the rest."""
    try:
        delete(**what)
    except ClientError as error:
        print(error, file=sys.stderr)


def remove():
    for handler in WANTED:
        name = f"{PREFIX}{handler}"
        mappings = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        for mapping in mappings:
            drop(functions.delete_event_source_mapping, UUID=mapping["UUID"])
        drop(functions.delete_function, FunctionName=name)
        drop(iam.detach_role_policy, RoleName=name, PolicyArn=READER)
        drop(iam.delete_role, RoleName=name)
        drop(delete_queue, name=name)
    # Its subscriptions go with it. CreateTopic answers the topic that there is.
    sns.delete_topic(TopicArn=sns.create_topic(Name=TOPIC)["TopicArn"])


if __name__ == "__main__":
    remove() if sys.argv[1:] == ["remove"] else deploy()
