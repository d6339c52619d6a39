"""The examples with buckets, schedules and alarms do what their READMEs say."""

import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
import time
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alonzo.testing.callers import ACCOUNT
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.topics import messages_of

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPT_S_MAX = 60
WITHIN_S = 40


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    daemon = DaemonProcess(tmp_path_factory.mktemp("examples") / "data")
    daemon.start()
    yield daemon
    daemon.stop()
    assert "Traceback" not in daemon.log, daemon.log


class Script:
    """Runs scripts of examples with the environment that ``alonzo env`` prints."""

    def __init__(self, daemon):
        key_id, secret = daemon.root_key()
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ALONZO_"))},
            # The home stays: it may say where pip finds packages.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ENDPOINT_URL": daemon.endpoint,
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "PIP_RETRIES": "0",
            "PIP_DEFAULT_TIMEOUT": "15",
        }

    def attempt(self, name, *arguments):
        """The process once it has ended, well or not."""
        command = [sys.executable, EXAMPLES / name / "deploy.py", *arguments]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=SCRIPT_S_MAX
        )

    def __call__(self, name, *arguments):
        done = self.attempt(name, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def script(daemon):
    yield Script(daemon)
    daemon.close_clients()


def nothing_is_left(daemon):
    lambdas, iam = daemon.client("lambda"), daemon.client("iam")
    assert lambdas.list_functions()["Functions"] == []
    assert lambdas.list_layers()["Layers"] == []
    assert {role["RoleName"] for role in iam.list_roles()["Roles"]} <= {"test", "admin"}
    assert daemon.client("s3").list_buckets()["Buckets"] == []
    assert daemon.client("scheduler").list_schedules()["Schedules"] == []
    assert daemon.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert daemon.client("sns").list_topics()["Topics"] == []
    assert "QueueUrls" not in daemon.client("sqs").list_queues()


def deploy_thumbnails(script, folder):
    """With the Pillow that pip finds, else with the one that the tests' interpreter has."""
    done = script.attempt("thumbnails")
    if done.returncode == 0:
        return done.stdout.split()
    assert "pip" in done.stderr, done.stderr
    found = importlib.util.find_spec("PIL")
    if found is None or found.origin is None:
        pytest.skip("pip cannot fetch Pillow, and it is not installed")
    installed = Path(found.origin).parent
    shutil.copytree(installed, folder / installed.name)
    libraries = installed.with_name("pillow.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return script("thumbnails", str(folder)).split()


def picture(width, height):
    """A grey PNG."""

    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * width for _ in range(height)))
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def size_of(png):
    assert png.startswith(b"\x89PNG")
    return struct.unpack(">II", png[16:24])


@pytest.mark.nightly
def test_a_photo_that_is_uploaded_gets_a_thumbnail(daemon, script, tmp_path, eventually):
    photos, thumbnails = deploy_thumbnails(script, tmp_path)
    s3 = daemon.client("s3")
    key = "holiday/sea & sky ü.png"
    s3.put_object(Bucket=photos, Key=key, Body=picture(640, 320), ContentType="image/png")

    def thumbnail():
        try:
            return s3.get_object(Bucket=thumbnails, Key=key)
        except s3.exceptions.NoSuchKey:
            return None

    made = eventually(thumbnail, WITHIN_S)
    assert made["ContentType"] == "image/png"
    assert size_of(made["Body"].read()) == (128, 64)
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=thumbnails)["Contents"]] == [key]
    script("thumbnails", "remove")
    nothing_is_left(daemon)


def test_a_function_runs_at_the_time_of_its_schedule(daemon, script, eventually):
    script("cron")
    scheduler, logs = daemon.client("scheduler"), daemon.client("logs")
    schedule = scheduler.get_schedule(Name="report")
    assert schedule["ScheduleExpression"] == "cron(0 8 ? * MON-FRI *)"
    at = datetime.now(UTC) + timedelta(seconds=2)
    # The same schedule, for once at a moment that comes soon.
    scheduler.update_schedule(
        Name="report",
        ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
        ScheduleExpressionTimezone="UTC",
        FlexibleTimeWindow=schedule["FlexibleTimeWindow"],
        Target=schedule["Target"],
    )

    def said():
        try:
            events = logs.filter_log_events(
                logGroupName="/aws/lambda/report", filterPattern='"report of"'
            )["events"]
        except logs.exceptions.ResourceNotFoundException:
            return None
        return [event["message"].strip() for event in events]

    assert eventually(said, WITHIN_S) == [f"report of {at:%A, %d %B %Y}, try 1"]
    script("cron", "remove")
    nothing_is_left(daemon)


@pytest.mark.nightly
def test_a_canary_raises_an_alarm_once_the_url_fails(daemon, script, eventually):
    alerts = script("canary")
    lambdas, cloudwatch = daemon.client("lambda"), daemon.client("cloudwatch")

    def datapoints():
        now = time.time()
        return cloudwatch.get_metric_statistics(
            Namespace="canary",
            MetricName="Failed",
            StartTime=now - 600,
            EndTime=now + 60,
            Period=60,
            Statistics=["Maximum", "SampleCount"],
        )["Datapoints"]

    # The schedule's first tick comes at once.
    (first,) = eventually(datapoints, WITHIN_S)
    assert (first["Maximum"], first["SampleCount"]) == (0, 1)

    lambdas.update_function_configuration(FunctionName="shop", Environment={"Variables": {}})
    lambdas.get_waiter("function_updated_v2").wait(
        FunctionName="shop", WaiterConfig={"Delay": 0.02, "MaxAttempts": 1000}
    )
    answer = lambdas.invoke(FunctionName="canary")
    assert "FunctionError" not in answer, answer["Payload"].read()

    bodies = []

    def is_alarmed():
        bodies.extend(
            json.loads(each["Body"]) for each in messages_of(daemon.client("sqs"), alerts, 1)
        )
        return any(body["NewStateValue"] == "ALARM" for body in bodies)

    # The visit before may have been seen by itself: then there was a message that all is well.
    eventually(is_alarmed, WITHIN_S)
    told = next(body for body in bodies if body["NewStateValue"] == "ALARM")
    assert told["AlarmName"] == "shop-is-down"
    assert told["AWSAccountId"] == ACCOUNT
    assert told["Trigger"]["MetricName"] == "Failed"
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["shop-is-down"])["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM"
    script("canary", "remove")
    nothing_is_left(daemon)
