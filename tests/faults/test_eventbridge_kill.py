"""``kill -9`` around a delivery: what PutEvents answered reaches its target after a restart."""

import contextlib
import json
import sqlite3
import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from alonzo.testing.callers import ACCOUNT, allow, document

#: Deaths at named points take some seconds each; `make test-all` runs them.
pytestmark = pytest.mark.nightly

QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"


def put(platform):
    """Puts events; answers the ids of what was acknowledged before the platform died."""
    events, sqs = platform.client("events"), platform.client("sqs")
    statement = allow("sqs:SendMessage", on=QUEUE, Principal={"Service": "events.amazonaws.com"})
    sqs.create_queue(QueueName="q", Attributes={"Policy": document(statement)})
    events.put_rule(Name="r", EventPattern='{"source":["s"]}')
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": QUEUE}])
    acknowledged = set()
    entry = {"Source": "s", "DetailType": "t", "Detail": "{}"}
    try:
        for _ in range(50):
            answer = events.put_events(Entries=[entry, entry])
            acknowledged |= {each["EventId"] for each in answer["Entries"]}
    except (BotoCoreError, ClientError):
        pass
    return acknowledged


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_kill_loses_no_event_that_was_acknowledged(own_platform):
    platform = own_platform(ALONZO_FAULTS="events.after_carry")
    acknowledged = put(platform)
    platform.wait_killed()
    assert len(acknowledged) < 100
    platform.arm("")
    platform.start()
    sqs = platform.client("sqs")
    url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
    got = set()
    for _ in range(30):
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
        for message in answer.get("Messages", []):
            got.add(json.loads(message["Body"])["id"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if acknowledged <= got:
            break
    assert got
    assert acknowledged <= got


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_tick_that_a_kill_follows_fires_once(own_platform):
    platform = own_platform()
    events, sqs = platform.client("events"), platform.client("sqs")
    statement = allow("sqs:SendMessage", on=QUEUE, Principal={"Service": "events.amazonaws.com"})
    url = sqs.create_queue(QueueName="q", Attributes={"Policy": document(statement)})["QueueUrl"]
    events.put_rule(Name="r", ScheduleExpression="rate(1 day)")
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": QUEUE}])
    platform.stop()
    # As if a day had nearly gone: the tick comes in some seconds, or while the platform starts.
    due_at_s = float(int(time.time()) + 5)
    with contextlib.closing(sqlite3.connect(platform.data_dir / "alonzo.db")) as db:
        db.execute("UPDATE events_rule SET due_at_s = ?", (due_at_s,))
        db.commit()
    platform.arm("events.after_tick")
    with contextlib.suppress(AssertionError):  # It may die before it is seen to be ready.
        platform.start()
    platform.wait_killed()
    platform.arm("")
    platform.start()
    sqs = platform.client("sqs")
    answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, VisibilityTimeout=0)
    (message,) = answer["Messages"]
    event = json.loads(message["Body"])
    assert event["detail-type"] == "Scheduled Event"
    assert event["time"] == datetime.fromtimestamp(due_at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    count = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])[
        "Attributes"
    ]["ApproximateNumberOfMessages"]
    assert count == "1"
