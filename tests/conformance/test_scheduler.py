"""EventBridge Scheduler as its users meet it: schedules, groups, and what they call."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, trust
from alonzo.testing.topics import messages_of

ARN = f"arn:aws:scheduler:us-east-1:{ACCOUNT}"
SCHEDULER = {"Service": "scheduler.amazonaws.com"}
OFF = {"Mode": "OFF"}
#: Sends its event to a queue, so that a test can see it.
REPORTS = """
import json, os, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


@pytest.fixture(scope="module")
def scheduler(boto):
    client = boto("scheduler")
    yield client
    for each in client.list_schedules()["Schedules"]:
        client.delete_schedule(Name=each["Name"], GroupName=each["GroupName"])


@pytest.fixture(scope="module")
def sqs(boto):
    return boto("sqs")


@pytest.fixture(scope="module")
def household(platform):
    made = Household(platform)
    yield made
    made.close()


@pytest.fixture(scope="module")
def role(household):
    """A role for schedules that may call what tests make."""
    return household.role(
        "clockwork",
        trust(SCHEDULER, Condition={"ArnLike": {"aws:SourceArn": f"{ARN}:schedule-group/*"}}),
        allow("lambda:InvokeFunction", "sqs:SendMessage", "sns:Publish", "events:PutEvents"),
    )


@pytest.fixture
def name(function_name):
    return function_name[-40:].strip("-_")


@pytest.fixture
def queue(sqs, name):
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def arn_of(url):
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{url.rpartition('/')[2]}"


def soon(seconds=2):
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return f"at({at.strftime('%Y-%m-%dT%H:%M:%S')})"


def make(scheduler, name, target, expression="rate(1 hour)", window=OFF, **more):
    return scheduler.create_schedule(
        Name=name, ScheduleExpression=expression, FlexibleTimeWindow=window, Target=target, **more
    )["ScheduleArn"]


def refusal(call):
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_schedule_invokes_a_function_once_at_its_second(
    scheduler, sqs, function, queue, role, name, eventually
):
    reporter = function(
        REPORTS,
        Role="arn:aws:iam::000000000000:role/admin",
        Environment={"Variables": {"QUEUE": queue}},
    )
    given = {
        "arn": "<aws.scheduler.schedule-arn>",
        "time": "<aws.scheduler.scheduled-time>",
        "id": "<aws.scheduler.execution-id>",
        "try": "<aws.scheduler.attempt-number>",
    }
    expression = soon()
    target = {"Arn": reporter.arn, "RoleArn": role, "Input": json.dumps(given)}
    arn = make(scheduler, name, target, expression, ActionAfterCompletion="DELETE")
    (message,) = messages_of(sqs, queue, 1)
    found = json.loads(message["Body"])
    assert found.pop("id").isalnum()
    assert found == {"arn": arn, "time": f"{expression[3:-1]}Z", "try": "1"}

    def is_gone():
        return not scheduler.list_schedules(NamePrefix=name)["Schedules"]

    eventually(is_gone, within_s=20)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)


def test_queues_topics_and_any_operation_are_targets(scheduler, boto, sqs, queue, role, name):
    sns = boto("sns")
    topic = sns.create_topic(Name=name)["TopicArn"]
    policy = allow("sqs:SendMessage", on=arn_of(queue), Principal={"Service": "sns.amazonaws.com"})
    document = json.dumps({"Version": "2012-10-17", "Statement": policy})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document})
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn_of(queue),
        Attributes={"RawMessageDelivery": "true"},
    )
    now = soon(1)
    make(scheduler, f"{name}-q", {"Arn": arn_of(queue), "RoleArn": role, "Input": "plain"}, now)
    make(scheduler, f"{name}-t", {"Arn": topic, "RoleArn": role, "Input": "published"}, now)
    request = json.dumps({"QueueUrl": queue, "MessageBody": "<aws.scheduler.attempt-number>"})
    universal = "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"
    make(scheduler, f"{name}-u", {"Arn": universal, "RoleArn": role, "Input": request}, now)
    make(scheduler, f"{name}-d", {"Arn": arn_of(queue), "RoleArn": role}, now)
    bodies = [each["Body"] for each in messages_of(sqs, queue, 4)]
    plain = [body for body in bodies if not body.startswith("{")]
    (default,) = [json.loads(body) for body in bodies if body.startswith("{")]
    assert sorted(plain) == ["1", "plain", "published"]
    assert default["source"] == "aws.scheduler"
    assert default["resources"] == [f"{ARN}:schedule/default/{name}-d"]
    # A one-time schedule that nobody asked to delete stays, and never fires again.
    assert scheduler.get_schedule(Name=f"{name}-d")["State"] == "ENABLED"
    sns.delete_topic(TopicArn=topic)


def test_a_schedule_puts_events_on_a_bus(scheduler, boto, sqs, queue, role, name):
    events = boto("events")
    bus = events.create_event_bus(Name=name)["EventBusArn"]
    on = {"EventBusName": name}
    pattern = json.dumps({"source": ["clock"], "detail": {"n": [1]}})
    events.put_rule(Name=name, EventPattern=pattern, **on)
    policy = allow(
        "sqs:SendMessage", on=arn_of(queue), Principal={"Service": "events.amazonaws.com"}
    )
    document = json.dumps({"Version": "2012-10-17", "Statement": policy})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document})
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": arn_of(queue)}], **on)
    target = {"Arn": bus, "RoleArn": role, "Input": '{"n": 1}'}
    parameters = {"Source": "clock", "DetailType": "tick"}
    make(scheduler, name, {**target, "EventBridgeParameters": parameters}, soon(1))
    (message,) = messages_of(sqs, queue, 1)
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"], event["detail"]) == ("clock", "tick", {"n": 1})
    events.remove_targets(Rule=name, Ids=["q"], **on)
    events.delete_rule(Name=name, **on)
    events.delete_event_bus(Name=name)


def test_what_the_role_may_not_do_goes_to_the_dead_letter_queue(
    scheduler, household, sqs, queue, name
):
    poor = household.role(f"{name}-poor", trust(SCHEDULER), allow("sqs:SendMessage"))
    target = {
        "Arn": f"arn:aws:sns:us-east-1:{ACCOUNT}:nobody",
        "RoleArn": poor,
        "Input": "hello",
        "DeadLetterConfig": {"Arn": arn_of(queue)},
    }
    arn = make(scheduler, name, target, soon(1))
    (message,) = messages_of(sqs, queue, 1)
    told = {key: each["StringValue"] for key, each in message["MessageAttributes"].items()}
    assert message["Body"] == "hello"
    assert told["ERROR_CODE"] == "AuthorizationError"
    assert (told["SCHEDULE_ARN"], told["TARGET_ARN"]) == (arn, target["Arn"])
    assert told["RETRY_ATTEMPTS"] == "0"


def test_a_role_must_let_the_scheduler_in(scheduler, household, queue, name):
    closed = household.role(f"{name}-closed", trust({"Service": "lambda.amazonaws.com"}))
    nobody = f"arn:aws:iam::{ACCOUNT}:role/{name}-nobody"
    only_other = household.role(
        f"{name}-other",
        trust(SCHEDULER, Condition={"StringEquals": {"aws:SourceAccount": "111122223333"}}),
    )
    for each in (closed, nobody, only_other):
        code, text = refusal(
            lambda each=each: make(scheduler, name, {"Arn": arn_of(queue), "RoleArn": each})
        )
        assert code == "ValidationException"
        assert text == (
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the "
            "role."
        )
    foreign = {"Arn": arn_of(queue), "RoleArn": "arn:aws:iam::111122223333:role/r"}
    assert refusal(lambda: make(scheduler, name, foreign))[0] == "AccessDeniedException"


def test_who_makes_a_schedule_must_be_allowed_to_pass_its_role(household, queue, role, name):
    key = household.user(f"{name}-user", allow("scheduler:*"))
    user = household.client("scheduler", key)
    target = {"Arn": arn_of(queue), "RoleArn": role}
    code, text = refusal(lambda: make(user, name, target))
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {role}" in text
    passing = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    household.let_user(
        f"{name}-user", allow("scheduler:*"), allow("iam:PassRole", on=role, Condition=passing)
    )
    assert make(user, name, target) == f"{ARN}:schedule/default/{name}"
    user.delete_schedule(Name=name)


def test_a_schedule_is_shown_and_changed_as_a_whole(scheduler, queue, role, name):
    target = {"Arn": arn_of(queue), "RoleArn": role, "Input": "x"}
    start = datetime(2030, 1, 1, tzinfo=UTC)
    arn = make(
        scheduler,
        name,
        target,
        "cron(0 9 ? * MON-FRI *)",
        {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        Description="weekdays",
        ScheduleExpressionTimezone="Europe/Berlin",
        StartDate=start,
        State="DISABLED",
    )
    shown = scheduler.get_schedule(Name=name)
    kept = {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
    assert shown["Arn"] == arn
    assert shown["Target"] == {**target, "RetryPolicy": kept}
    assert (shown["StartDate"], shown["Description"]) == (start, "weekdays")
    assert shown["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert (shown["State"], shown["ActionAfterCompletion"]) == ("DISABLED", "NONE")
    scheduler.update_schedule(
        Name=name, ScheduleExpression="rate(2 minute)", FlexibleTimeWindow=OFF, Target=target
    )
    changed = scheduler.get_schedule(Name=name)
    assert not {"StartDate", "EndDate", "Description"} & set(changed)
    assert changed["ScheduleExpression"] == "rate(2 minute)"
    assert (changed["State"], changed["ScheduleExpressionTimezone"]) == ("ENABLED", "UTC")
    assert changed["CreationDate"] == shown["CreationDate"] < changed["LastModificationDate"]
    scheduler.delete_schedule(Name=name)
    assert refusal(lambda: scheduler.get_schedule(Name=name)) == (
        "ResourceNotFoundException",
        f"Schedule {name} does not exist.",
    )


def test_groups_hold_schedules_and_take_them_along(scheduler, queue, role, name):
    tags = [{"Key": "team", "Value": "a"}]
    group = scheduler.create_schedule_group(Name=name, Tags=tags)["ScheduleGroupArn"]
    assert group == f"{ARN}:schedule-group/{name}"
    target = {"Arn": arn_of(queue), "RoleArn": role}
    names = [f"{name[:30]}-{n}" for n in range(5)]
    for each in names:
        make(scheduler, each, target, GroupName=name, State="DISABLED")
    pages = scheduler.get_paginator("list_schedules").paginate(
        GroupName=name, State="DISABLED", PaginationConfig={"PageSize": 2}
    )
    assert [each["Name"] for page in pages for each in page["Schedules"]] == names
    scheduler.tag_resource(ResourceArn=group, Tags=[{"Key": "cost", "Value": "b"}])
    scheduler.untag_resource(ResourceArn=group, TagKeys=["team"])
    assert scheduler.list_tags_for_resource(ResourceArn=group)["Tags"] == [
        {"Key": "cost", "Value": "b"}
    ]
    assert scheduler.get_schedule_group(Name=name)["State"] == "ACTIVE"
    pages = scheduler.get_paginator("list_schedule_groups").paginate(
        PaginationConfig={"PageSize": 1}
    )
    assert {"default", name} <= {g["Name"] for page in pages for g in page["ScheduleGroups"]}
    scheduler.delete_schedule_group(Name=name)
    gone = ("ResourceNotFoundException", f"Schedule group {name} does not exist.")
    assert refusal(lambda: scheduler.list_schedules(GroupName=name)) == gone
    assert refusal(lambda: scheduler.get_schedule(Name=names[0], GroupName=name)) == gone
    assert refusal(lambda: scheduler.delete_schedule_group(Name="default")) == (
        "ValidationException",
        "This operation cannot be performed on schedule group default.",
    )


def test_the_same_request_again_finds_what_it_has_made(scheduler, queue, role, name):
    target = {"Arn": arn_of(queue), "RoleArn": role}
    made = make(scheduler, name, target, ClientToken="t", State="DISABLED")
    assert make(scheduler, name, target, ClientToken="t", State="DISABLED") == made
    taken = ("ConflictException", f"Schedule {name} already exists.")
    assert refusal(lambda: make(scheduler, name, target, ClientToken="t")) == taken
    assert refusal(lambda: make(scheduler, name, target, State="DISABLED")) == taken
    scheduler.delete_schedule(Name=name)
    group = scheduler.create_schedule_group(Name=name, ClientToken="t")
    again = scheduler.create_schedule_group(Name=name, ClientToken="t")
    assert again["ScheduleGroupArn"] == group["ScheduleGroupArn"]
    assert refusal(lambda: scheduler.create_schedule_group(Name=name)) == (
        "ConflictException",
        f"Schedule group {name} already exists.",
    )
    scheduler.delete_schedule_group(Name=name)
