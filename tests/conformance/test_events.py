"""EventBridge as its users meet it: rules, patterns, targets of every kind, schedules, replays."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, document
from alonzo.testing.functions import ADMIN_ROLE
from alonzo.testing.topics import messages_of

ARN = f"arn:aws:events:us-east-1:{ACCOUNT}"
EVENTS = {"Service": "events.amazonaws.com"}
TRUST = {"Effect": "Allow", "Principal": EVENTS, "Action": "sts:AssumeRole"}
#: Sends its event to a queue, so that a test can see it.
REPORTS = """
import json, os, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""
FAILS = "def handler(event, context):\n    raise ValueError('no')\n"


@pytest.fixture(scope="module")
def events(boto):
    return boto("events")


@pytest.fixture(scope="module")
def sqs(boto):
    return boto("sqs")


@pytest.fixture
def name(function_name):
    return function_name[-40:].strip("-_")


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


@pytest.fixture
def bus(events, name):
    yield events.create_event_bus(Name=name)["EventBusArn"]
    clear(events, name)
    events.delete_event_bus(Name=name)


@pytest.fixture
def queue(sqs, name):
    """Makes queues that rules may send to: ``queue("a")`` answers URL and ARN."""
    made = []

    def make(suffix, *, closed=False, **attributes):
        full = f"{name}{suffix}"
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{full}"
        if not closed:
            statement = allow("sqs:SendMessage", on=arn, Principal=EVENTS)
            statement["Condition"] = {"ArnLike": {"aws:SourceArn": f"{ARN}:rule/{name}*"}}
            attributes["Policy"] = document(statement)
        made.append(sqs.create_queue(QueueName=full, Attributes=attributes)["QueueUrl"])
        return made[-1], arn

    yield make
    for url in made:
        sqs.delete_queue(QueueUrl=url)


def clear(events, bus_name, prefix=""):
    for rule in events.list_rules(EventBusName=bus_name, NamePrefix=prefix or bus_name[:1])[
        "Rules"
    ]:
        where = {"Rule": rule["Name"], "EventBusName": bus_name}
        ids = [target["Id"] for target in events.list_targets_by_rule(**where)["Targets"]]
        if ids:
            events.remove_targets(**where, Ids=ids)
        events.delete_rule(Name=rule["Name"], EventBusName=bus_name)


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def entry(bus_name, detail=None, **more):
    return {
        "EventBusName": bus_name,
        "Source": "shop",
        "DetailType": "order",
        "Detail": json.dumps({"n": 1} if detail is None else detail),
        **more,
    }


def put_rule(events, name, *targets, pattern=None, suffix="-r"):
    rule = {"Name": f"{name}{suffix}"[-64:], "EventBusName": name}
    pattern = pattern or {"source": ["shop"]}
    arn = events.put_rule(**rule, EventPattern=json.dumps(pattern))["RuleArn"]
    asked = {"Rule": rule["Name"], "EventBusName": name}
    if targets:
        answer = events.put_targets(**asked, Targets=list(targets))
        assert answer["FailedEntryCount"] == 0
    return arn


def test_buses_and_rules_are_kept_and_shown_as_on_aws(events, bus, name):
    default = events.describe_event_bus()
    assert (default["Name"], default["Arn"]) == ("default", f"{ARN}:event-bus/default")
    assert refusal(events.create_event_bus, Name=name) == (
        "ResourceAlreadyExistsException",
        f"Event bus {name} already exists.",
    )
    assert refusal(events.delete_event_bus, Name="default") == (
        "ValidationException",
        "Cannot delete event bus default.",
    )
    events.update_event_bus(Name=name, Description="d")
    assert events.describe_event_bus(Name=bus)["Description"] == "d"
    assert name in [each["Name"] for each in events.list_event_buses(NamePrefix=name)["EventBuses"]]
    permission = {"EventBusName": name, "Action": "events:PutEvents", "StatementId": "s"}
    events.put_permission(**permission, Principal="111122223333")
    policy = json.loads(events.describe_event_bus(Name=name)["Policy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    events.remove_permission(EventBusName=name, StatementId="s")
    assert "Policy" not in events.describe_event_bus(Name=name)
    arn = put_rule(events, name)
    assert arn == f"{ARN}:rule/{name}/{name}-r"
    rule = {"Name": f"{name}-r", "EventBusName": name}
    found = events.describe_rule(**rule)
    assert (found["State"], found["CreatedBy"]) == ("ENABLED", ACCOUNT)
    assert json.loads(found["EventPattern"]) == {"source": ["shop"]}
    events.disable_rule(**rule)
    assert events.describe_rule(**rule)["State"] == "DISABLED"
    events.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    events.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == []
    target = {"Id": "t", "Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"}
    asked = {"Rule": rule["Name"], "EventBusName": name}
    events.put_targets(**asked, Targets=[target])
    assert events.list_targets_by_rule(**asked)["Targets"] == [target]
    by_target = {"TargetArn": target["Arn"], "EventBusName": name}
    assert events.list_rule_names_by_target(**by_target)["RuleNames"] == [rule["Name"]]
    assert refusal(events.delete_rule, **rule)[1] == "Rule can't be deleted since it has targets."
    failed = events.remove_targets(**asked, Ids=["t", "none"])["FailedEntries"]
    assert [each["TargetId"] for each in failed] == ["none"]
    assert refusal(events.describe_rule, Name="none")[1] == (
        "Rule none does not exist on EventBus default."
    )
    assert refusal(events.put_rule, Name="x", EventPattern='{"a":1}') == (
        "InvalidEventPatternException",
        'Event pattern is not valid. Reason: "a" must be an object or an array',
    )
    assert (
        "only on the default"
        in refusal(events.put_rule, **rule, ScheduleExpression="rate(5 minutes)")[1]
    )
    assert refusal(events.put_rule, Name="x", ScheduleExpression="rate(1 minutes)") == (
        "ValidationException",
        "Parameter ScheduleExpression is not valid.",
    )


def test_put_events_fails_entry_by_entry(events, name):
    answer = events.put_events(
        Entries=[
            {},
            {"Source": "s"},
            {"Source": "s", "DetailType": "t"},
            {"Source": "s", "DetailType": "t", "Detail": "[1]"},
            {"Source": "s", "DetailType": "t", "Detail": '{"a":'},
            {"Source": "aws.ec2", "DetailType": "t", "Detail": "{}"},
            {"Source": "s", "DetailType": "t", "Detail": "{}"},
            entry(f"{name}-none"),
        ]
    )
    assert answer["FailedEntryCount"] == 6
    codes = [each.get("ErrorCode") for each in answer["Entries"]]
    assert codes == [
        *["InvalidArgument"] * 3, *["MalformedDetail"] * 2, "NotAuthorizedForSourceException",
        None, None,
    ]  # fmt: skip
    assert answer["Entries"][0]["ErrorMessage"] == (
        "Parameter Source is not valid. Reason: Source is a required argument."
    )
    assert len(answer["Entries"][6]["EventId"]) == 36
    assert refusal(events.put_events, Entries=[{}] * 11)[0] == "ValidationException"
    big = entry("default", {"x": "y" * 600_000})
    assert events.put_events(Entries=[big])["FailedEntryCount"] == 0
    assert refusal(events.put_events, Entries=[big, big])[1] == (
        "Total size of the entries in the request is over the limit."
    )
    event = {"id": "i", "account": "a", "source": "s", "time": "t", "region": "r",
             "resources": [], "detail-type": "d", "detail": {"n": 300}}  # fmt: skip
    asked = {"Event": json.dumps(event), "EventPattern": '{"detail":{"n":[300.0]}}'}
    assert events.test_event_pattern(**asked)["Result"] is True
    other = asked | {"EventPattern": '{"source":["x"]}'}
    assert events.test_event_pattern(**other)["Result"] is False


def test_an_event_reaches_every_kind_of_target(
    boto, events, sqs, bus, name, queue, function, eventually, logs_client
):
    url, arn = queue("q")
    seen_url, _ = queue("seen", closed=True)
    other_url, other_arn = queue("other")
    called = function(REPORTS, Role=ADMIN_ROLE, Environment={"Variables": {"QUEUE": seen_url}})
    rule = f"{ARN}:rule/{name}/{name}-r"
    called.client.add_permission(
        FunctionName=called.name, StatementId="s", Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com", SourceArn=rule,
    )  # fmt: skip
    group = f"/aws/events/{name}"
    logs_client.create_log_group(logGroupName=group)
    topic = boto("sns").create_topic(Name=name)["TopicArn"]
    boto("sns").set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=document(allow("sns:Publish", on=topic, Principal=EVENTS)),
    )
    topic_url, topic_arn = queue(
        "topic", closed=True,
        Policy=document(allow("sqs:SendMessage", Principal={"Service": "sns.amazonaws.com"})),
    )  # fmt: skip
    raw = {"RawMessageDelivery": "true"}
    boto("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=topic_arn,
        Attributes=raw,
        ReturnSubscriptionArn=True,
    )
    second = events.create_event_bus(Name=f"{name}2")["EventBusArn"]
    transformer = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"number": <n>}'}
    put_rule(
        events, name,
        {"Id": "1", "Arn": arn},
        {"Id": "2", "Arn": called.arn},
        {"Id": "3", "Arn": topic, "InputTransformer": transformer},
        {"Id": "4", "Arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}", "Input": '"hi"'},
        {"Id": "5", "Arn": second},
        pattern={"source": [{"prefix": "sh"}], "detail": {"n": [{"numeric": [">", 0]}]}},
    )  # fmt: skip
    put_rule(events, f"{name}2", {"Id": "1", "Arn": other_arn, "InputPath": "$.detail"})
    when = datetime(2026, 11, 20, 10, 0, 0, 500_000, tzinfo=UTC)
    taken = events.put_events(
        Entries=[
            entry(name, {"n": 0}),
            entry(bus, {"n": 1.5, "t": "é"}, Time=when, Resources=["r"]),
        ]
    )
    expected = {
        "version": "0",
        "id": taken["Entries"][1]["EventId"],
        "detail-type": "order",
        "source": "shop",
        "account": ACCOUNT,
        "time": "2026-11-20T10:00:00Z",
        "region": "us-east-1",
        "resources": ["r"],
        "detail": {"n": 1.5, "t": "é"},
    }
    (message,) = messages_of(sqs, url, 1)
    assert json.loads(message["Body"]) == expected
    (message,) = messages_of(sqs, seen_url, 1)
    assert json.loads(message["Body"]) == expected
    (message,) = messages_of(sqs, topic_url, 1)
    assert message["Body"] == '{"number": 1.5}'
    (message,) = messages_of(sqs, other_url, 1)
    assert json.loads(message["Body"]) == expected["detail"]

    def logged():
        return logs_client.filter_log_events(logGroupName=group)["events"]

    assert [each["message"] for each in eventually(logged, within_s=30)] == ['"hi"']
    clear(events, f"{name}2")
    events.delete_event_bus(Name=f"{name}2")
    boto("sns").delete_topic(TopicArn=topic)
    logs_client.delete_log_group(logGroupName=group)


def test_a_target_that_does_not_let_the_rule_in_gets_nothing_and_the_dead_letters_say_why(
    events, sqs, bus, name, queue, function, household
):
    dead_url, dead_arn = queue("dead")
    _, closed_arn = queue("closed", closed=True)
    lambda_arn = function(FAILS).arn
    dead = {"DeadLetterConfig": {"Arn": dead_arn}}
    open_url, open_arn = queue("role", closed=True)
    role = household.role(
        f"{name}-role", document(TRUST), allow("sqs:SendMessage", on=open_arn)
    )  # fmt: skip
    rule = put_rule(
        events, name,
        {"Id": "1", "Arn": closed_arn, **dead},
        {"Id": "2", "Arn": lambda_arn, **dead},
        {"Id": "3", "Arn": open_arn, "RoleArn": role},
    )  # fmt: skip
    events.put_events(Entries=[entry(name)])
    letters = messages_of(sqs, dead_url, 2)
    by_target = {
        each["MessageAttributes"]["TARGET_ARN"]["StringValue"]: each["MessageAttributes"]
        for each in letters
    }
    assert set(by_target) == {closed_arn, lambda_arn}
    for attributes in by_target.values():
        assert attributes["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
        assert attributes["RULE_ARN"]["StringValue"] == rule
        assert attributes["RETRY_ATTEMPTS"]["StringValue"] == "0"
    assert json.loads(letters[0]["Body"])["source"] == "shop"
    (message,) = messages_of(sqs, open_url, 1)
    assert json.loads(message["Body"])["detail"] == {"n": 1}
    lambda_role = {"Id": "4", "Arn": open_arn, "RoleArn": ADMIN_ROLE}
    asked = {"Rule": f"{name}-r", "EventBusName": name}
    assert refusal(events.put_targets, **asked, Targets=[lambda_role]) == (
        "ValidationException",
        f"Provided role '{ADMIN_ROLE}' cannot be assumed by principal 'events.amazonaws.com'.",
    )


def test_a_target_with_a_role_needs_no_policy(
    events, sqs, boto, bus, name, queue, function, household, eventually
):
    seen_url, _ = queue("seen", closed=True)
    url, arn = queue("q")
    called = function(REPORTS, Role=ADMIN_ROLE, Environment={"Variables": {"QUEUE": seen_url}})
    elsewhere = boto("events", "eu-west-1")
    far = elsewhere.create_event_bus(Name=name)["EventBusArn"]
    back = household.role(f"{name}-back", document(TRUST), allow("events:PutEvents", on=far))
    role = household.role(
        f"{name}-r", document(TRUST), allow("lambda:InvokeFunction", on=called.arn)
    )
    put_rule(
        events,
        name,
        {"Id": "1", "Arn": called.arn, "RoleArn": role, "Input": '{"by": "role"}'},
        {"Id": "2", "Arn": far, "RoleArn": back},
        # This role may do something else.
        {"Id": "3", "Arn": far, "RoleArn": role, "DeadLetterConfig": {"Arn": arn}},
    )
    asked = {"Rule": f"{name}-r", "EventBusName": name}
    without = {"Id": "4", "Arn": far}
    assert "RoleArn is required" in refusal(events.put_targets, **asked, Targets=[without])[1]
    made = {"ArchiveName": name, "EventSourceArn": far}
    elsewhere.create_archive(**made)
    taken = events.put_events(Entries=[entry(name)])["Entries"][0]["EventId"]
    (message,) = messages_of(sqs, seen_url, 1)
    assert json.loads(message["Body"]) == {"by": "role"}
    (letter,) = messages_of(sqs, url, 1)
    assert json.loads(letter["Body"])["id"] == taken
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"

    def kept():
        return elsewhere.describe_archive(ArchiveName=name)["EventCount"] == 1

    eventually(kept, within_s=30)
    elsewhere.delete_archive(ArchiveName=name)
    elsewhere.delete_event_bus(Name=name)


def test_a_bus_takes_events_of_whom_it_lets_in(events, bus, name, household):
    key = household.user(name, allow("events:PutEvents", on=bus))
    client = household.client("events", key)
    assert client.put_events(Entries=[entry(bus)])["FailedEntryCount"] == 0
    assert refusal(client.put_events, Entries=[entry("default")])[0] == "AccessDeniedException"
    only = {"StringEquals": {"events:source": "other"}}
    household.let_user(name, allow("events:PutEvents", on=bus, Condition=only))
    assert refusal(client.put_events, Entries=[entry(bus)])[0] == "AccessDeniedException"
    assert client.put_events(Entries=[entry(bus, Source="other")])["FailedEntryCount"] == 0


def test_a_loop_of_buses_ends(events, sqs, bus, name, queue):
    url, arn = queue("q")
    second = events.create_event_bus(Name=f"{name}2")["EventBusArn"]
    put_rule(events, name, {"Id": "1", "Arn": second}, {"Id": "2", "Arn": arn})
    put_rule(events, f"{name}2", {"Id": "1", "Arn": bus})
    events.put_events(Entries=[entry(name)])
    # There and back twice, and there once more.
    assert len(messages_of(sqs, url, 3)) == 3
    left = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert "Messages" not in left
    clear(events, f"{name}2")
    events.delete_event_bus(Name=f"{name}2")


def test_an_archive_plays_its_events_again(events, sqs, bus, name, queue, eventually):
    url, arn = queue("q")
    put_rule(events, name, {"Id": "1", "Arn": arn})
    made = events.create_archive(
        ArchiveName=name, EventSourceArn=bus, RetentionDays=1,
        EventPattern=json.dumps({"detail": {"n": [{"anything-but": 2}]}}),
    )  # fmt: skip
    assert made["State"] == "ENABLED"
    now = datetime.now(tz=UTC)
    events.put_events(Entries=[entry(name, {"n": n}, Time=now) for n in (1, 2, 3)])
    assert len(messages_of(sqs, url, 3)) == 3
    archive = events.describe_archive(ArchiveName=name)
    assert archive["EventCount"] == 2
    assert archive["SizeBytes"] > 100
    span = {"EventStartTime": now - timedelta(hours=1), "EventEndTime": now + timedelta(hours=1)}
    asked = {"ReplayName": name, "EventSourceArn": archive["ArchiveArn"], **span}
    assert (
        "Cross event bus"
        in refusal(events.start_replay, **asked, Destination={"Arn": f"{ARN}:event-bus/default"})[1]
    )
    assert events.start_replay(**asked, Destination={"Arn": bus})["State"] == "STARTING"
    again = [json.loads(each["Body"]) for each in messages_of(sqs, url, 2)]
    assert sorted(each["detail"]["n"] for each in again) == [1, 3]
    assert {each["replay-name"] for each in again} == {name}

    def ended():
        found = events.describe_replay(ReplayName=name)
        return found if found["State"] == "COMPLETED" else None

    assert eventually(ended, within_s=30)["EventLastReplayedTime"]
    # What was replayed is not archived once more.
    assert events.describe_archive(ArchiveName=name)["EventCount"] == 2
    assert refusal(events.cancel_replay, ReplayName=name)[0] == "IllegalStatusException"
    events.delete_archive(ArchiveName=name)
    assert refusal(events.describe_archive, ArchiveName=name)[1] == (
        f"Archive {name} does not exist."
    )


def test_the_record_of_an_event_goes_to_a_bus_as_its_destination(
    events, sqs, bus, name, queue, function
):
    url, arn = queue("q")
    put_rule(events, name, {"Id": "1", "Arn": arn}, pattern={"source": ["lambda"]})
    failing = function(FAILS, Role=ADMIN_ROLE)
    failing.client.put_function_event_invoke_config(
        FunctionName=failing.name, MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": bus}},
    )  # fmt: skip
    failing.client.invoke(FunctionName=failing.name, InvocationType="Event", Payload=b'{"a":1}')
    (message,) = messages_of(sqs, url, 1)
    event = json.loads(message["Body"])
    assert event["detail-type"] == "Lambda Function Invocation Result - Failure"
    assert event["resources"][0] == bus
    assert event["detail"]["requestPayload"] == {"a": 1}
