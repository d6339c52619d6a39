"""CloudWatch metrics through boto3, in each protocol, and through the AWS CLI."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.config
import botocore.exceptions
import botocore.loaders
import botocore.session
import pytest

from alonzo.testing.daemon import REGION

AWS = str(Path(sys.executable).with_name("aws"))
ALL = ["SampleCount", "Sum", "Minimum", "Maximum", "Average"]


@pytest.fixture
def cloudwatch(boto):
    return boto("cloudwatch")


def span(minutes=10):
    now = datetime.now(UTC)
    return {"StartTime": now - timedelta(minutes=minutes), "EndTime": now + timedelta(minutes=2)}


def pairs(**dimensions):
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]


def summed(client, name, namespace="AWS/Lambda", statistic="Sum", **dimensions):
    """A statistic over the last minutes, whichever of them the values fell in."""
    points = client.get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=pairs(**dimensions),
        Statistics=[statistic],
        Period=3600,
        **span(),
    )["Datapoints"]
    return sum(point[statistic] for point in points)


TYPES = {
    "smithy-rpc-v2-cbor": "application/cbor",
    "json": "application/x-amz-json-1.0",
    "query": "application/x-www-form-urlencoded",
}


class OneProtocol(botocore.loaders.Loader):
    """Loads a model as if the service spoke one protocol only."""

    def __init__(self, protocol):
        super().__init__()
        self._protocol = protocol

    def load_service_model(self, *arguments, **more):
        model = super().load_service_model(*arguments, **more)
        if "protocols" not in model.get("metadata", {}):
            return model
        assert self._protocol in model["metadata"]["protocols"]
        facts = {"protocol": self._protocol, "protocols": [self._protocol]}
        return {**model, "metadata": {**model["metadata"], **facts}}


def speaking(platform, protocol):
    """A client that speaks one protocol, and what checks in the end that it did."""
    key_id, secret = platform.root_key()
    session = botocore.session.Session()
    session.register_component("data_loader", OneProtocol(protocol))
    client = session.create_client(
        "cloudwatch",
        REGION,
        endpoint_url=platform.endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=botocore.config.Config(
            retries={"total_max_attempts": 1},
            # A body of this size is compressed.
            request_min_compression_size_bytes=128,
        ),
    )
    seen = []
    client.meta.events.register(
        "before-send.cloudwatch", lambda request, **_: seen.append(request.headers["Content-Type"])
    )

    def check():
        texts = [each.decode() if isinstance(each, bytes) else each for each in seen]
        assert {text.partition(";")[0] for text in texts} == {TYPES[protocol]}

    return client, check


@pytest.mark.parametrize("protocol", TYPES)
def test_values_go_in_and_come_out_in_every_protocol(platform, function_name, protocol):
    client, check = speaking(platform, protocol)
    client.put_metric_data(
        Namespace=function_name,
        MetricData=[
            {"MetricName": "m", "Value": 1.5, "Unit": "Seconds", "Dimensions": pairs(a="1")},
            {"MetricName": "m", "Values": [2.0, 3.0], "Counts": [2.0, 1.0], "Unit": "Seconds",
             "Dimensions": pairs(a="1"), "Timestamp": datetime.now(UTC)},
        ],
    )  # fmt: skip
    question = {"Namespace": function_name, "MetricName": "m", "Dimensions": pairs(a="1")}
    points = client.get_metric_statistics(**question, Period=3600, Statistics=ALL, **span())
    (point,) = points["Datapoints"]
    assert {name: point[name] for name in ALL} == {
        "SampleCount": 4, "Sum": 8.5, "Minimum": 1.5, "Maximum": 3, "Average": 2.125,
    }  # fmt: skip
    assert (points["Label"], point["Unit"]) == ("m", "Seconds")
    got = client.get_metric_data(
        MetricDataQueries=[
            {"Id": "m", "MetricStat": {"Metric": question, "Period": 3600, "Stat": "p50"}},
            {"Id": "e", "Expression": "m * 10"},
        ],
        **span(),
    )
    assert [(each["Id"], each["Values"]) for each in got["MetricDataResults"]] == [
        ("m", [2]), ("e", [20]),
    ]  # fmt: skip
    assert got["MetricDataResults"][0]["Timestamps"][0].tzinfo is not None
    (listed,) = client.list_metrics(Namespace=function_name)["Metrics"]
    assert listed == question
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client.get_metric_statistics(**question, Period=90, Statistics=ALL, **span())
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client.list_dashboards()
    assert "Dashboards and pictures" in caught.value.response["Error"]["Message"]
    alarm = {"AlarmName": function_name, "Threshold": 1.5, "EvaluationPeriods": 1, "Period": 60}
    alarm |= {"ComparisonOperator": "LessThanThreshold", "Statistic": "Sum", "Unit": "Count"}
    client.put_metric_alarm(**question, **alarm)
    (found,) = client.describe_alarms(AlarmNames=[function_name])["MetricAlarms"]
    assert {name: found[name] for name in (*question, *alarm)} == question | alarm
    assert found["AlarmConfigurationUpdatedTimestamp"].tzinfo is not None
    client.delete_alarms(AlarmNames=[function_name])
    check()
    client.close()


def test_the_aws_cli_puts_reads_and_lists(platform, tmp_path, function_name):
    key_id, secret = platform.root_key()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ALONZO_"))},
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": platform.endpoint,
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_PAGER": "",
    }

    def aws(*arguments):
        done = subprocess.run(
            [AWS, "cloudwatch", *arguments],
            env=environment, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    aws("put-metric-data", "--namespace", function_name, "--metric-name", "m", "--value", "7",
        "--unit", "Count", "--dimensions", "a=1,b=2")  # fmt: skip
    (metric,) = aws("list-metrics", "--namespace", function_name)["Metrics"]
    assert metric["Dimensions"] == pairs(a="1", b="2")
    times = [time.strftime("%FT%TZ", time.gmtime(time.time() + s)) for s in (-600, 120)]
    answer = aws(
        "get-metric-statistics", "--namespace", function_name, "--metric-name", "m",
        "--dimensions", "Name=a,Value=1", "Name=b,Value=2", "--statistics", "Sum", "--period",
        "3600", "--start-time", times[0], "--end-time", times[1],
    )  # fmt: skip
    assert [point["Sum"] for point in answer["Datapoints"]] == [7]


BUSY = """
import time
def handler(event, context):
    time.sleep(event.get("s", 0))
    if event.get("fail"):
        raise ValueError("told to")
"""


def test_calls_of_a_function_are_counted_with_their_alias_and_version(
    function, lambda_client, cloudwatch
):
    busy = function(BUSY)
    version = lambda_client.publish_version(FunctionName=busy.name)["Version"]
    lambda_client.get_waiter("published_version_active").wait(
        FunctionName=busy.name, Qualifier=version
    )
    lambda_client.create_alias(FunctionName=busy.name, Name="live", FunctionVersion=version)
    busy.invoke({})
    busy.invoke({"fail": True})
    busy.invoke({"fail": True}, Qualifier="live")
    busy.invoke({}, Qualifier=version)
    alias = f"{busy.name}:live"
    for dimensions, invocations, errors in (
        ({"FunctionName": busy.name}, 4, 2),
        ({"FunctionName": busy.name, "Resource": busy.name}, 2, 1),
        ({"FunctionName": busy.name, "Resource": f"{busy.name}:{version}"}, 1, 0),
        ({"FunctionName": busy.name, "Resource": alias}, 1, 1),
        ({"FunctionName": busy.name, "Resource": alias, "ExecutedVersion": version}, 1, 1),
    ):
        assert summed(cloudwatch, "Invocations", **dimensions) == invocations, dimensions
        assert summed(cloudwatch, "Errors", **dimensions) == errors, dimensions
        assert summed(cloudwatch, "Duration", statistic="SampleCount", **dimensions) == invocations
    assert summed(cloudwatch, "Invocations") >= 4


def test_throttles_count_and_are_no_invocations(function, lambda_client, cloudwatch):
    busy = function(BUSY)
    lambda_client.put_function_concurrency(FunctionName=busy.name, ReservedConcurrentExecutions=0)
    for _ in range(3):
        with pytest.raises(lambda_client.exceptions.TooManyRequestsException):
            busy.invoke({})
    assert summed(cloudwatch, "Throttles", FunctionName=busy.name) == 3
    assert summed(cloudwatch, "Invocations", FunctionName=busy.name) == 0


def test_concurrency_is_the_peak(function, cloudwatch, eventually):
    busy = function(BUSY)
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(lambda _: busy.invoke({"s": 0.4}), range(5)))

    def peak():
        return summed(
            cloudwatch, "ConcurrentExecutions", statistic="Maximum", FunctionName=busy.name
        )

    eventually(lambda: peak() == 5, within_s=5)
    unreserved = summed(cloudwatch, "UnreservedConcurrentExecutions", statistic="Maximum")
    assert unreserved >= 5


def test_events_count_when_received_and_when_dropped(
    function, lambda_client, cloudwatch, eventually
):
    failing = function("def handler(event, context):\n    raise ValueError('no')")
    lambda_client.put_function_event_invoke_config(
        FunctionName=failing.name, MaximumRetryAttempts=0
    )
    for _ in range(2):
        failing.invoke({}, InvocationType="Event")
    name = {"FunctionName": failing.name}
    eventually(lambda: summed(cloudwatch, "AsyncEventsDropped", **name) == 2, within_s=10)
    assert summed(cloudwatch, "AsyncEventsReceived", **name) == 2
    assert summed(cloudwatch, "AsyncEventAge", statistic="SampleCount", **name) == 2
    assert summed(cloudwatch, "Invocations", **name) == summed(cloudwatch, "Errors", **name) == 2


EMBED = """
import json, time
def handler(event, context):
    directive = {"Namespace": event["namespace"], "Dimensions": [["Service"]],
                 "Metrics": [{"Name": "Orders", "Unit": "Count"}]}
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    for number in range(event["lines"]):
        pad = "x" * event.get("pad", 0)
        print(json.dumps({"_aws": about, "Service": "checkout", "Orders": number, "pad": pad}))
    print('{"_aws": {"CloudWatchMetrics": [')
"""


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_metrics_embedded_in_log_lines(function, cloudwatch, function_name, log_format):
    talker = function(EMBED, LoggingConfig={"LogFormat": log_format})
    talker.invoke({"namespace": function_name, "lines": 10})
    assert summed(cloudwatch, "Orders", function_name, Service="checkout") == 45
    group = f"/aws/lambda/{talker.name}"
    assert summed(cloudwatch, "EMFParsingErrors", "AWS/Logs", LogGroupName=group) == 1


@pytest.mark.slow
def test_a_flood_of_embedded_metrics_harms_nobody(function, cloudwatch, function_name):
    flood, calm = function(EMBED, Timeout=30), function("def handler(event, context): return 1")
    calm.invoke()
    done = threading.Event()
    took = []

    def ask():
        while not done.is_set():
            began = time.monotonic()
            calm.invoke()
            took.append(time.monotonic() - began)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        flood.invoke({"namespace": function_name, "lines": 20_000, "pad": 200})
    finally:
        done.set()
        asking.join()
    group = f"/aws/lambda/{flood.name}"
    counted = summed(
        cloudwatch, "Orders", function_name, statistic="SampleCount", Service="checkout"
    )
    refused = summed(cloudwatch, "EMFValidationErrors", "AWS/Logs", LogGroupName=group)
    # The line at the end that is no JSON is not parsed any more if it comes beyond the bound.
    unread = summed(cloudwatch, "EMFParsingErrors", "AWS/Logs", LogGroupName=group)
    assert counted + refused + unread == 20_001
    assert counted >= 1000
    assert len(took) > 3


def test_a_function_puts_metrics_of_its_own(function, cloudwatch, function_name):
    putter = function(
        "import boto3\n"
        "def handler(event, context):\n"
        "    boto3.client('cloudwatch').put_metric_data(Namespace=event,\n"
        "        MetricData=[{'MetricName': 'm', 'Value': 4.0}])\n",
        Timeout=30,
    )
    outcome = putter.invoke(function_name)
    if outcome.function_error:  # Its role has no policy that lets it: refused as on AWS.
        assert "AccessDenied" in outcome.body.decode()
    else:
        assert summed(cloudwatch, "m", function_name) == 4


def read(platform, path, **headers):
    request = urllib.request.Request(platform.endpoint + path, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers, answer.read().decode()


def sample(text, name, function_name):
    lines = [line for line in text.splitlines() if line.startswith(name)]
    return [float(line.split()[-1]) for line in lines if f'function="{function_name}"' in line]


def test_prometheus_reads_counters_with_the_token(platform, function, cloudwatch):
    busy = function(BUSY)
    busy.invoke({})
    busy.invoke({"fail": True})
    summed(cloudwatch, "Invocations", FunctionName=busy.name)  # It flushes what was counted.
    token = (platform.data_dir / "keys" / "metrics.token").read_text()
    headers, text = read(platform, "/_alonzo/metrics", Authorization=f"Bearer {token}")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert sample(text, "alonzo_lambda_invocations_total", busy.name) == [2]
    assert sample(text, "alonzo_lambda_errors_total", busy.name) == [1]
    buckets = sample(text, "alonzo_lambda_duration_seconds_bucket", busy.name)
    assert buckets == sorted(buckets)
    assert buckets[-1] == 2
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        (line,) = [each for each in text.splitlines() if each.startswith(f"{name} ")]
        assert float(line.split()[1]) > 0


@pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}])
def test_nobody_else_reads_them(platform, given):
    with pytest.raises(urllib.error.HTTPError) as caught:
        read(platform, "/_alonzo/metrics", **given)
    assert caught.value.code == 401
    caught.value.close()


def test_a_function_cannot_read_what_others_do(function):
    asks = function(
        "import os, urllib.error, urllib.request\n"
        "def handler(path, context):\n"
        "    try:\n"
        "        urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL'] + path)\n"
        "    except urllib.error.HTTPError as error:\n"
        "        return error.code\n"
    )
    assert asks.invoke("/_alonzo/metrics").json == 401
    assert asks.invoke("/_alonzo/usage").json == 403


def test_without_authentication_everybody_reads_them(own_platform):
    platform = own_platform("--auth", "off")
    assert "process_open_fds" in read(platform, "/_alonzo/metrics")[1]
    assert json.loads(read(platform, "/_alonzo/usage")[1])["groups"] == []
