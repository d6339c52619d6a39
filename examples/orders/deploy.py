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
NAME = f"{PREFIX}orders"
#: Short, so that you can watch it. AWS advises six times the function's timeout.
TIMEOUT_S, HIDDEN_S = 1, 2
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
LOGS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"

iam, functions, sqs = boto3.client("iam"), boto3.client("lambda"), boto3.client("sqs")


def package():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.write(Path(__file__).with_name("function.py"), "function.py")
    return buffer.getvalue()


def queue(name, **attributes):
    """A FIFO queue; its URL and its ARN."""
    attributes["FifoQueue"] = "true"
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, found["Attributes"]["QueueArn"]


def role(queue_arn):
    """May read this queue and write logs, and nothing else."""
    made = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.attach_role_policy(RoleName=NAME, PolicyArn=LOGS)
    read = {
        "Effect": "Allow",
        "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        "Resource": queue_arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": read})
    iam.put_role_policy(RoleName=NAME, PolicyName="read", PolicyDocument=policy)
    return made["Role"]["Arn"]


def deploy():
    _, dead = queue(f"{NAME}-dead.fifo")
    redrive = {"deadLetterTargetArn": dead, "maxReceiveCount": 2}
    url, arn = queue(
        f"{NAME}.fifo", VisibilityTimeout=str(HIDDEN_S), RedrivePolicy=json.dumps(redrive)
    )
    functions.create_function(
        FunctionName=NAME,
        Runtime=f"python3.{sys.version_info.minor}",
        Handler="function.handler",
        Role=role(arn),
        Code={"ZipFile": package()},
        Timeout=TIMEOUT_S,
        Environment={"Variables": {"PRICES": json.dumps({"cup": 7, "tea": 3})}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1})
    functions.create_event_source_mapping(
        FunctionName=NAME, EventSourceArn=arn, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    print(url)


def delete_queue(name):
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def drop(delete, **what):
    """Delete one thing; if it cannot be, say so, and go on with the rest."""
    try:
        delete(**what)
    except ClientError as error:
        print(error, file=sys.stderr)


def remove():
    mappings = functions.list_event_source_mappings(FunctionName=NAME)["EventSourceMappings"]
    for mapping in mappings:
        drop(functions.delete_event_source_mapping, UUID=mapping["UUID"])
    drop(functions.delete_function, FunctionName=NAME)
    drop(iam.delete_role_policy, RoleName=NAME, PolicyName="read")
    drop(iam.detach_role_policy, RoleName=NAME, PolicyArn=LOGS)
    drop(iam.delete_role, RoleName=NAME)
    for name in (f"{NAME}.fifo", f"{NAME}-dead.fifo"):
        drop(delete_queue, name=name)


if __name__ == "__main__":
    remove() if sys.argv[1:] == ["remove"] else deploy()
