"""Makes the example: ``python deploy.py``. Takes it down again: ``python deploy.py remove``."""

import io
import json
import sys
import zipfile
from pathlib import Path

import boto3

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


def reader(name, queue):
    """A function with a role of its own that reads a queue."""
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    iam.attach_role_policy(RoleName=name, PolicyArn=READER)
    functions.create_function(
        FunctionName=name,
        Runtime=f"python3.{sys.version_info.minor}",
        Handler=f"functions.{name}",
        Role=role["Arn"],
        Code={"ZipFile": package()},
        Timeout=10,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    functions.create_event_source_mapping(FunctionName=name, EventSourceArn=queue)


def deploy():
    topic = sns.create_topic(Name="orders")["TopicArn"]
    for name, wanted in WANTED.items():
        reader(name, subscribed_queue(name, topic, wanted))
    print(topic)


def remove():
    for name in WANTED:
        mappings = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        for mapping in mappings:
            functions.delete_event_source_mapping(UUID=mapping["UUID"])
        functions.delete_function(FunctionName=name)
        iam.detach_role_policy(RoleName=name, PolicyArn=READER)
        iam.delete_role(RoleName=name)
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])
    # Its subscriptions go with it. CreateTopic answers the topic that there is.
    sns.delete_topic(TopicArn=sns.create_topic(Name="orders")["TopicArn"])


if __name__ == "__main__":
    remove() if sys.argv[1:] == ["remove"] else deploy()
