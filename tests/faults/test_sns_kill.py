"""``kill -9`` around a delivery: what Publish answered reaches its queue after the next start."""

import json

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from alonzo.testing.callers import ACCOUNT, allow

#: Deaths at named points take some seconds each; `make test-all` runs them.
pytestmark = pytest.mark.nightly

QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"


def published(platform):
    """Publishes; answers what was acknowledged before the platform died."""
    sns, sqs = platform.client("sns"), platform.client("sqs")
    topic = sns.create_topic(Name="t")["TopicArn"]
    statement = allow("sqs:SendMessage", on=QUEUE, Principal={"Service": "sns.amazonaws.com"})
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    sqs.create_queue(QueueName="q", Attributes={"Policy": policy})
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE, Attributes=raw)
    acknowledged = set()
    try:
        for number in range(50):
            sns.publish(TopicArn=topic, Message=str(number))
            acknowledged.add(str(number))
    except (BotoCoreError, ClientError):
        pass
    return acknowledged


@pytest.mark.slow
@pytest.mark.parametrize("point", ["sns.before_deliver", "sns.after_deliver"])
def test_a_kill_loses_nothing_that_was_acknowledged(own_platform, point):
    platform = own_platform(ALONZO_FAULTS=point)
    acknowledged = published(platform)
    platform.wait_killed()
    assert len(acknowledged) < 50
    platform.arm("")
    platform.start()
    sqs = platform.client("sqs")
    url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
    got = set()
    for _ in range(30):
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
        for message in answer.get("Messages", []):
            got.add(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if acknowledged <= got:
            break
    assert acknowledged <= got
    assert got
