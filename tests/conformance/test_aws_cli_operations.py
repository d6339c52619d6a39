"""The AWS CLI on every operation of Lambda, SQS and SNS that there is, in a process of its own."""

import base64
import json
import re
import subprocess
import sys

import botocore.session
import pytest

from alonzo.control.functions import OPERATIONS
from alonzo.control.unsupported import INVOKE_OPERATIONS
from alonzo.services.events.unsupported import UNSUPPORTED as EVENTS_UNSUPPORTED
from alonzo.services.sns.unsupported import UNSUPPORTED as TOPICS_UNSUPPORTED
from alonzo.testing.callers import Household, trust
from alonzo.testing.functions import ADMIN_ROLE, PYTHON_RUNTIME, package

REGION = "ca-central-1"
ACCOUNT = "000000000000"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:cli"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
PROFILE = f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/p/0123456789"
#: The CLI knows these operations and has no commands for them.
WITHOUT_COMMAND = {
    "put-resource-policy",
    "get-resource-policy",
    "delete-resource-policy",
    "invoke-with-response-stream",
}

#: Runs commands line by line in one interpreter: starting it takes longer than they do.
RUNNER = """
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver
driver = create_clidriver()
for line in sys.stdin:
    out = io.StringIO()
    out.buffer = io.BytesIO()
    with contextlib.redirect_stdout(out):
        try:
            code = driver.main(json.loads(line))
        except SystemExit as end:  # It cannot make sense of the command.
            code = end.code
    print(json.dumps([code, out.getvalue()]), flush=True)
"""

#: Where a command takes what an earlier one answered.
_PLACE = re.compile(r"\{(\w+)\}")

F = ("--function-name", "cli")
LAYER = ("--layer-name", "cli")
LAYER_1 = (*LAYER, "--version-number", "1")
ALIAS = (*F, "--name", "prod")

#: Commands in their order. ``{name}`` is what an earlier command answered under that name.
COMMANDS = [
    ("create-function", *F, "--runtime", PYTHON_RUNTIME, "--role", ADMIN_ROLE, "--handler",
     "handler.handler", "--zip-file", "fileb://code.zip"),
    ("wait", "function-active-v2", *F),
    ("get-function", *F),
    ("get-function-configuration", *F),
    ("list-functions",),
    ("get-account-settings",),
    ("invoke", *F, "--payload", "{}", "answer.json"),
    ("invoke-async", *F, "--invoke-args", "event.json"),
    ("update-function-configuration", *F, "--timeout", "5"),
    ("wait", "function-updated-v2", *F),
    ("update-function-code", *F, "--zip-file", "fileb://code.zip"),
    ("wait", "function-updated-v2", *F),
    ("publish-version", *F),
    ("list-versions-by-function", *F),
    ("create-alias", *ALIAS, "--function-version", "1"),
    ("get-alias", *ALIAS),
    ("list-aliases", *F),
    ("update-alias", *ALIAS, "--description", "d"),
    ("put-provisioned-concurrency-config", *F, "--qualifier", "prod",
     "--provisioned-concurrent-executions", "1"),
    ("get-provisioned-concurrency-config", *F, "--qualifier", "prod"),
    ("list-provisioned-concurrency-configs", *F),
    ("delete-provisioned-concurrency-config", *F, "--qualifier", "prod"),
    ("create-function-url-config", *F, "--qualifier", "prod", "--auth-type", "NONE"),
    ("get-function-url-config", *F, "--qualifier", "prod"),
    ("update-function-url-config", *F, "--qualifier", "prod", "--auth-type", "AWS_IAM"),
    ("list-function-url-configs", *F),
    ("delete-function-url-config", *F, "--qualifier", "prod"),
    ("delete-alias", *ALIAS),
    ("put-function-concurrency", *F, "--reserved-concurrent-executions", "1"),
    ("get-function-concurrency", *F),
    ("delete-function-concurrency", *F),
    ("put-function-recursion-config", *F, "--recursive-loop", "Allow"),
    ("get-function-recursion-config", *F),
    ("put-runtime-management-config", *F, "--update-runtime-on", "Auto"),
    ("get-runtime-management-config", *F),
    ("tag-resource", "--resource", ARN, "--tags", "a=1"),
    ("list-tags", "--resource", ARN),
    ("untag-resource", "--resource", ARN, "--tag-keys", "a"),
    ("put-function-event-invoke-config", *F, "--maximum-retry-attempts", "0"),
    ("update-function-event-invoke-config", *F, "--maximum-event-age-in-seconds", "60"),
    ("get-function-event-invoke-config", *F),
    ("list-function-event-invoke-configs", *F),
    ("delete-function-event-invoke-config", *F),
    ("create-event-source-mapping", *F, "--event-source-arn", QUEUE, "--no-enabled"),
    ("get-event-source-mapping", "--uuid", "{UUID}"),
    ("list-event-source-mappings", *F),
    ("update-event-source-mapping", "--uuid", "{UUID}", "--batch-size", "1"),
    ("delete-event-source-mapping", "--uuid", "{UUID}"),
    ("publish-layer-version", *LAYER, "--zip-file", "fileb://code.zip"),
    ("get-layer-version", *LAYER_1),
    ("get-layer-version-by-arn", "--arn", "{LayerVersionArn}"),
    ("list-layers",),
    ("list-layer-versions", *LAYER),
    ("add-layer-version-permission", *LAYER_1, "--statement-id", "s", "--action",
     "lambda:GetLayerVersion", "--principal", "*"),
    ("get-layer-version-policy", *LAYER_1),
    ("remove-layer-version-permission", *LAYER_1, "--statement-id", "s"),
    ("delete-layer-version", *LAYER_1),
    ("add-permission", *F, "--statement-id", "s", "--action", "lambda:InvokeFunction",
     "--principal", "s3.amazonaws.com"),
    ("get-policy", *F),
    ("remove-permission", *F, "--statement-id", "s"),
    ("create-code-signing-config", "--allowed-publishers", f"SigningProfileVersionArns={PROFILE}"),
    ("get-code-signing-config", "--code-signing-config-arn", "{CodeSigningConfigArn}"),
    ("update-code-signing-config", "--code-signing-config-arn", "{CodeSigningConfigArn}",
     "--description", "d"),
    ("list-code-signing-configs",),
    ("put-function-code-signing-config", *F, "--code-signing-config-arn",
     "{CodeSigningConfigArn}"),
    ("get-function-code-signing-config", *F),
    ("list-functions-by-code-signing-config", "--code-signing-config-arn",
     "{CodeSigningConfigArn}"),
    ("delete-function-code-signing-config", *F),
    ("delete-code-signing-config", "--code-signing-config-arn", "{CodeSigningConfigArn}"),
    ("delete-function", *F),
]  # fmt: skip


URL = ("--queue-url", "{QueueUrl}")
HANDLE = ("--receipt-handle", "{ReceiptHandle}")
DEAD = f"arn:aws:sqs:{REGION}:{ACCOUNT}:cli-dead"
REDRIVE = json.dumps(
    {"RedrivePolicy": json.dumps({"deadLetterTargetArn": DEAD, "maxReceiveCount": 1})}
)

#: Commands of SQS. Those of messages take what the last receive answered.
QUEUE_COMMANDS = [
    ("create-queue", "--queue-name", "cli-dead"),
    ("create-queue", "--queue-name", "cli", "--attributes", "VisibilityTimeout=30", "--tags",
     "a=b"),
    ("get-queue-url", "--queue-name", "cli"),
    ("list-queues", "--queue-name-prefix", "cli"),
    ("set-queue-attributes", *URL, "--attributes", REDRIVE),
    ("get-queue-attributes", *URL, "--attribute-names", "All"),
    ("list-dead-letter-source-queues", "--queue-url", "cli-dead"),
    ("tag-queue", *URL, "--tags", "c=d"),
    ("list-queue-tags", *URL),
    ("untag-queue", *URL, "--tag-keys", "a"),
    ("add-permission", *URL, "--label", "L", "--aws-account-ids", ACCOUNT, "--actions",
     "SendMessage"),
    ("remove-permission", *URL, "--label", "L"),
    ("send-message", *URL, "--message-body", "one"),
    ("receive-message", *URL, "--wait-time-seconds", "1"),
    ("change-message-visibility", *URL, *HANDLE, "--visibility-timeout", "10"),
    ("delete-message", *URL, *HANDLE),
    ("send-message-batch", *URL, "--entries", "Id=a,MessageBody=two"),
    ("receive-message", *URL),
    ("change-message-visibility-batch", *URL, "--entries",
     "Id=a,ReceiptHandle={ReceiptHandle},VisibilityTimeout=10"),
    ("delete-message-batch", *URL, "--entries", "Id=a,ReceiptHandle={ReceiptHandle}"),
    # What is received a second time is dead; a task brings it back.
    ("send-message", *URL, "--message-body", "three"),
    ("receive-message", *URL, "--visibility-timeout", "0"),
    ("receive-message", *URL),
    ("start-message-move-task", "--source-arn", DEAD, "--max-number-of-messages-per-second", "1"),
    ("list-message-move-tasks", "--source-arn", DEAD),
    ("cancel-message-move-task", "--task-handle", "{TaskHandle}"),
    ("purge-queue", *URL),
    ("delete-queue", *URL),
    ("delete-queue", "--queue-url", "cli-dead"),
]  # fmt: skip


def command_of(operation):
    return botocore.xform_name(operation).replace("_", "-")


TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:cli"
ON_TOPIC = ("--topic-arn", TOPIC)
#: Commands of SNS, but for the one that needs what an endpoint was sent.
TOPIC_COMMANDS = [
    ("create-topic", "--name", "cli", "--attributes", "DisplayName=d", "--tags", "Key=a,Value=b"),
    ("list-topics",),
    ("get-topic-attributes", *ON_TOPIC),
    ("set-topic-attributes", *ON_TOPIC, "--attribute-name", "SignatureVersion",
     "--attribute-value", "2"),
    ("add-permission", *ON_TOPIC, "--label", "l", "--aws-account-id", ACCOUNT, "--action-name",
     "Publish"),
    ("remove-permission", *ON_TOPIC, "--label", "l"),
    ("subscribe", *ON_TOPIC, "--protocol", "sqs", "--notification-endpoint", QUEUE),
    ("list-subscriptions",),
    ("list-subscriptions-by-topic", *ON_TOPIC),
    ("set-subscription-attributes", "--subscription-arn", "{SubscriptionArn}", "--attribute-name",
     "FilterPolicy", "--attribute-value", '{"a": ["b"]}'),
    ("get-subscription-attributes", "--subscription-arn", "{SubscriptionArn}"),
    ("publish", *ON_TOPIC, "--message", "m", "--subject", "s", "--message-attributes",
     '{"a": {"DataType": "String", "StringValue": "b"}}'),
    ("publish-batch", *ON_TOPIC, "--publish-batch-request-entries", "Id=one,Message=m"),
    ("tag-resource", "--resource-arn", TOPIC, "--tags", "Key=c,Value=d"),
    ("list-tags-for-resource", "--resource-arn", TOPIC),
    ("untag-resource", "--resource-arn", TOPIC, "--tag-keys", "a", "c"),
    ("unsubscribe", "--subscription-arn", "{SubscriptionArn}"),
    ("delete-topic", *ON_TOPIC),
]  # fmt: skip

CLOCKWORK = f"arn:aws:iam::{ACCOUNT}:role/cli-clockwork"
OF_GROUP = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/cli"
SCHEDULE = ("--name", "cli", "--group-name", "cli", "--flexible-time-window", "Mode=OFF",
            "--target", f"Arn={QUEUE},RoleArn={CLOCKWORK}", "--state", "DISABLED")  # fmt: skip
#: Commands of EventBridge Scheduler.
SCHEDULE_COMMANDS = [
    ("create-schedule-group", "--name", "cli", "--tags", "Key=a,Value=b"),
    ("get-schedule-group", "--name", "cli"),
    ("list-schedule-groups", "--name-prefix", "cli"),
    ("tag-resource", "--resource-arn", OF_GROUP, "--tags", "Key=c,Value=d"),
    ("list-tags-for-resource", "--resource-arn", OF_GROUP),
    ("untag-resource", "--resource-arn", OF_GROUP, "--tag-keys", "a", "c"),
    ("create-schedule", *SCHEDULE, "--schedule-expression", "rate(1 hour)"),
    ("update-schedule", *SCHEDULE, "--schedule-expression", "cron(0 8 ? * MON-FRI *)"),
    ("get-schedule", "--name", "cli", "--group-name", "cli"),
    ("list-schedules", "--group-name", "cli"),
    ("delete-schedule", "--name", "cli", "--group-name", "cli"),
    ("delete-schedule-group", "--name", "cli"),
]  # fmt: skip

BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/cli"
ON_BUS = ("--event-bus-name", "cli")
ON_RULE = ("--rule", "cli", *ON_BUS)
RULE = ("--name", "cli", *ON_BUS)
ARCHIVE = ("--archive-name", "cli")
REPLAY = ("--replay-name", "cli")
EVENT = {"id": "i", "account": "a", "source": "s", "time": "t", "region": "r", "resources": [],
         "detail-type": "d", "detail": {}}  # fmt: skip
#: Commands of EventBridge, but for the one that wants a replay under way: here they end at once.
EVENT_COMMANDS = [
    ("create-event-bus", "--name", "cli", "--description", "d", "--tags", "Key=a,Value=b"),
    ("update-event-bus", "--name", "cli", "--description", "e"),
    ("describe-event-bus", "--name", "cli"),
    ("list-event-buses", "--name-prefix", "cli"),
    ("put-permission", *ON_BUS, "--action", "events:PutEvents", "--principal", ACCOUNT,
     "--statement-id", "s"),
    ("remove-permission", *ON_BUS, "--statement-id", "s"),
    ("test-event-pattern", "--event-pattern", '{"source":["s"]}', "--event", json.dumps(EVENT)),
    ("put-rule", *RULE, "--event-pattern", '{"source":["s"]}'),
    ("put-rule", "--name", "cli-tick", "--schedule-expression", "rate(5 minutes)"),
    ("describe-rule", *RULE),
    ("list-rules", *ON_BUS),
    ("disable-rule", *RULE),
    ("enable-rule", *RULE),
    ("put-targets", *ON_RULE, "--targets", f"Id=t,Arn={QUEUE}"),
    ("list-targets-by-rule", *ON_RULE),
    ("list-rule-names-by-target", *ON_BUS, "--target-arn", QUEUE),
    ("create-archive", *ARCHIVE, "--event-source-arn", BUS, "--retention-days", "1"),
    ("update-archive", *ARCHIVE, "--description", "d"),
    ("list-archives",),
    ("put-events", "--entries",
     json.dumps([{"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": "cli"}])),
    ("describe-archive", *ARCHIVE),
    ("start-replay", *REPLAY, "--event-source-arn", "{ArchiveArn}", "--event-start-time", "1",
     "--event-end-time", "2", "--destination", f"Arn={BUS}"),
    ("describe-replay", *REPLAY),
    ("list-replays",),
    ("delete-archive", *ARCHIVE),
    ("tag-resource", "--resource-arn", BUS, "--tags", "Key=c,Value=d"),
    ("list-tags-for-resource", "--resource-arn", BUS),
    ("untag-resource", "--resource-arn", BUS, "--tag-keys", "a"),
    ("remove-targets", *ON_RULE, "--ids", "t"),
    ("delete-rule", *RULE),
    ("delete-rule", "--name", "cli-tick"),
    ("delete-event-bus", "--name", "cli"),
]  # fmt: skip


class Runner:
    """The CLI in a process, one command after another."""

    def __init__(self, process, errors):
        self._process = process
        self._errors = errors

    def run_all(self, service, commands):
        """Run commands, all of which must succeed; answers what they answered, by name."""
        answers = {}
        for name, *arguments in commands:
            filled = [_PLACE.sub(lambda at: answers.get(at[1], at[0]), word) for word in arguments]
            code, printed = self.run(service, name, *filled)
            assert code == 0, (name, filled, printed, self._errors.read_text())
            if printed.strip():
                found_in(json.loads(printed), answers)
        return answers

    def run(self, *arguments):
        """The exit code, and what was printed."""
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@pytest.fixture(scope="module")
def runner(platform, tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("cli")
    platform.client("sqs", REGION).create_queue(QueueName="q")
    key_id, secret = platform.root_key()
    (tmp_path / "code.zip").write_bytes(package("def handler(event, context): return event"))
    (tmp_path / "event.json").write_text("{}")
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": platform.endpoint,
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_PAGER": "",
    }
    with (
        (tmp_path / "errors").open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", RUNNER],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        ) as process,
    ):
        yield Runner(process, tmp_path / "errors")
        process.stdin.close()


def found_in(document, answers):
    """Keep what later commands name."""
    if isinstance(document, list):
        for value in document:
            found_in(value, answers)
    if isinstance(document, dict):
        for name, value in document.items():
            if isinstance(value, str):
                answers[name] = value
            found_in(value, answers)


def test_every_operation_has_a_command():
    offered = {command_of(name) for name in (*OPERATIONS, *INVOKE_OPERATIONS)}
    assert {command[0] for command in COMMANDS} - {"wait"} == offered - WITHOUT_COMMAND
    of_queues = botocore.session.Session().get_service_model("sqs").operation_names
    assert {command[0] for command in QUEUE_COMMANDS} == set(map(command_of, of_queues))
    of_topics = botocore.session.Session().get_service_model("sns").operation_names
    offered = {command_of(name) for name in set(of_topics) - TOPICS_UNSUPPORTED.keys()}
    assert {command[0] for command in TOPIC_COMMANDS} == offered - {"confirm-subscription"}
    of_schedules = botocore.session.Session().get_service_model("scheduler").operation_names
    assert {command[0] for command in SCHEDULE_COMMANDS} == set(map(command_of, of_schedules))
    of_events = botocore.session.Session().get_service_model("events").operation_names
    offered = {command_of(name) for name in set(of_events) - EVENTS_UNSUPPORTED.keys()}
    assert {command[0] for command in EVENT_COMMANDS} == offered - {"cancel-replay"}


def test_every_command_succeeds(runner):
    answers = runner.run_all("lambda", COMMANDS)
    assert base64.b64decode(answers["CodeSha256"])
    for name in WITHOUT_COMMAND:
        assert runner.run("lambda", name, "help")[0] == 2


def test_every_command_of_queues_succeeds(runner, platform):
    # Version 1 of the CLI knows SQS by older host names, and for them AWS_ENDPOINT_URL is nothing.
    at = ("--endpoint-url", platform.endpoint)
    answers = runner.run_all("sqs", [(*command, *at) for command in QUEUE_COMMANDS])
    assert answers["QueueArn"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:cli"
    assert answers["Body"] == "three"


def test_every_command_of_topics_succeeds(runner):
    answers = runner.run_all("sns", TOPIC_COMMANDS)
    assert answers["TopicArn"] == TOPIC


def test_every_command_of_schedules_succeeds(runner, platform):
    household = Household(platform)
    assert household.role("cli-clockwork", trust({"Service": "scheduler.amazonaws.com"}))
    answers = runner.run_all("scheduler", SCHEDULE_COMMANDS)
    assert answers["ScheduleGroupArn"] == OF_GROUP
    assert answers["ScheduleExpression"] == "cron(0 8 ? * MON-FRI *)"
    household.close()


def test_every_command_of_events_succeeds(runner):
    answers = runner.run_all("events", EVENT_COMMANDS)
    assert answers["EventBusArn"] == BUS
