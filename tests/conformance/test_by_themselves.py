"""What services do by themselves goes on after a restart, without one request to any of them."""

import contextlib
import json
import sqlite3
import time
from datetime import UTC, datetime

import pytest

from alonzo.daemon.services import GROUPS
from alonzo.testing.callers import ACCOUNT
from alonzo.testing.functions import ADMIN_ROLE, deploy
from alonzo.testing.roles import ADMIN
from alonzo.testing.waiting import eventually

#: Until all is due; the ticks of rules and schedules are then some seconds old.
AHEAD_S = 48 * 3600
#: Functions by the group that has them called.
CALLED_BY = {
    "events": "ruled",
    "messaging": "queued",
    "scheduling": "scheduled",
    "secrets": "rotated",
    "storage": "expired",
    "watching": "filtered",
}
NOTHING = "def handler(event, context):\n    return None\n"


def called(platform):
    """The functions that have written a log."""
    path = platform.data_dir / "alonzo.db"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT g.name FROM log_group g JOIN log_stream s ON s.group_id = g.id")
        return {name.rpartition("/")[2] for (name,) in rows}


def let_in(lambda_, function, service):
    lambda_.add_permission(
        FunctionName=function,
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal=service,
    )


def schedule(platform, arn):
    trust = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}}
    statement = trust | {"Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam = platform.client("iam")
    role = iam.create_role(RoleName="scheduler", AssumeRolePolicyDocument=document)["Role"]
    policy = f"arn:aws:iam::aws:policy/{ADMIN}"
    iam.attach_role_policy(RoleName="scheduler", PolicyArn=policy)
    later = datetime.fromtimestamp(time.time() + AHEAD_S, UTC)
    platform.client("scheduler").create_schedule(
        Name="s",
        ScheduleExpression=f"at({later:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": role["Arn"]},
    )


def rule(platform, arn):
    events = platform.client("events")
    events.put_rule(Name="r", ScheduleExpression="rate(2 days)")
    events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": arn}])


def queue(platform, arn):
    sqs = platform.client("sqs")
    attributes = {"MessageRetentionPeriod": "1209600", "DelaySeconds": "900"}
    url = sqs.create_queue(QueueName="q", Attributes=attributes)["QueueUrl"]
    queue_arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    platform.client("lambda").create_event_source_mapping(
        FunctionName=arn, EventSourceArn=queue_arn
    )
    sqs.send_message(QueueUrl=url, MessageBody="hello")


def secret(platform, arn):
    secrets = platform.client("secretsmanager")
    secrets.create_secret(Name="s", SecretString="x")
    secrets.rotate_secret(
        SecretId="s",
        RotationLambdaARN=arn,
        RotationRules={"ScheduleExpression": "rate(4 hours)"},
        RotateImmediately=False,
    )


def bucket(platform, arn):
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_bucket_notification_configuration(
        Bucket="bucket",
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": arn, "Events": ["s3:LifecycleExpiration:*"]}
            ]
        },
    )
    one_day = {"ID": "r", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(
        Bucket="bucket", LifecycleConfiguration={"Rules": [one_day]}
    )
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")


def log_filter(platform, arn):
    logs, group = platform.client("logs"), "/aws/lambda/scheduled"
    logs.create_log_group(logGroupName=group)
    logs.put_subscription_filter(
        logGroupName=group, filterName="f", filterPattern="", destinationArn=arn
    )


@pytest.mark.slow
def test_every_group_with_something_stored_goes_on_after_a_restart(own_platform):
    assert set(CALLED_BY) == set(GROUPS.values())
    platform = own_platform()
    lambda_ = platform.client("lambda")
    arns = {each: deploy(lambda_, each, NOTHING).arn for each in CALLED_BY.values()}
    for function, service in {
        "ruled": "events.amazonaws.com",
        "rotated": "secretsmanager.amazonaws.com",
        "expired": "s3.amazonaws.com",
        "filtered": "logs.amazonaws.com",
    }.items():
        let_in(lambda_, function, service)
    lambda_.update_function_configuration(FunctionName="queued", Role=ADMIN_ROLE)
    schedule(platform, arns["scheduled"])
    rule(platform, arns["ruled"])
    queue(platform, arns["queued"])
    secret(platform, arns["rotated"])
    bucket(platform, arns["expired"])
    log_filter(platform, arns["filtered"])
    before = called(platform)
    platform.stop()

    assert not before
    # It refuses every signature from then on.
    platform.go_ahead(AHEAD_S)
    platform.start()
    expected = set(CALLED_BY.values())
    with contextlib.suppress(AssertionError):
        eventually(lambda: called(platform) == expected, 25)
    assert called(platform) == expected
