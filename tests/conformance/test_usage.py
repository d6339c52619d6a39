"""``alonzo usage`` agrees with the REPORT lines of the log, and CloudWatch with both."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from alonzo.testing.accounts import Accounts
from alonzo.testing.functions import deploy

WORK = """
import os, time
def handler(event, context):
    time.sleep(event.get("s", 0))
    if event.get("fail"):
        raise ValueError("told to")
    if event.get("exit"):
        os._exit(1)
"""


def alonzo_usage(platform, *arguments, **environment):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ALONZO_"))}
    done = subprocess.run(
        [sys.executable, "-m", "alonzo", "usage", *arguments],
        env={**kept, "ALONZO_DATA_DIR": str(platform.data_dir), **environment},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def document(platform, *arguments):
    return json.loads(alonzo_usage(platform, "--json", *arguments))


@pytest.fixture
def accounts(platform):
    return Accounts(platform)


@pytest.fixture
def busy(function):
    """A function that has been called in every way that has an end of its own."""
    busy = function(WORK, Timeout=1, MemorySize=256)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: busy.invoke({"s": 0.02}), range(8)))
    busy.invoke({"fail": True})
    busy.invoke({"exit": True})
    busy.invoke({})
    return busy


def test_usage_report_lines_and_metrics_agree(busy, accounts):
    busy.invoke({"s": 3})  # It is cut after its second.
    reported, used, measured = (
        accounts.reported(busy.name), accounts.used(busy.name), accounts.measured(busy.name),
    )  # fmt: skip
    assert reported.attempts == used.attempts == measured.attempts == 12
    assert used.errors == measured.errors == 3
    assert used.billed_ms == reported.billed_ms
    assert measured.duration_ms == pytest.approx(reported.duration_ms, abs=0.001)


def test_init_is_billed_and_shown_by_version(function, lambda_client, platform, accounts):
    slow = function("import time\ntime.sleep(0.2)\ndef handler(event, context): pass")
    slow.invoke()
    version = lambda_client.publish_version(FunctionName=slow.name)["Version"]
    lambda_client.get_waiter("published_version_active").wait(
        FunctionName=slow.name, Qualifier=version
    )
    slow.invoke(Qualifier=version)
    slow.invoke(Qualifier=version)
    lines = document(platform, "--function", slow.name, "--group-by", "version")["groups"]
    assert [(line["version"], line["requests"]) for line in lines] == [("$LATEST", 1), (version, 2)]
    assert all(line["billed_ms"] >= 200 for line in lines)
    assert sum(line["billed_ms"] for line in lines) == accounts.reported(slow.name).billed_ms


def test_extensions_and_json_logs_count_as_well(function, accounts):
    source = {
        "handler.py": "def handler(event, context): return 1",
    }
    quiet = function(source, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "WARN"})
    quiet.invoke()
    used = accounts.used(quiet.name)
    assert used.attempts == 1
    assert used.billed_ms >= 1


def test_the_table_names_functions_sums_and_the_price_list(busy, platform):
    text = alonzo_usage(platform, "--function", busy.name, "--from", "1h")
    head, line, total, empty, foot = text.splitlines()
    assert head.split()[:3] == ["Function", "Requests", "Errors"]
    assert line.split()[:3] == [busy.name, "11", "2"]
    assert total.split()[:3] == ["Total", "11", "2"]
    assert empty == ""
    assert re.search(r"AWS's list prices of \d{4}-\d\d-\d\d for us-east-1", foot)


def test_csv_has_exact_figures(busy, platform, accounts):
    text = alonzo_usage(
        platform, "--function", busy.name, "--group-by", "region,function,memory,hour", "--csv"
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    reported = accounts.reported(busy.name)
    assert sum(int(row["billed_ms"]) for row in rows) == reported.billed_ms
    assert sum(Decimal(row["gb_seconds"]) for row in rows) == Decimal(reported.billed_ms) / 4000
    assert {(row["region"], row["memory"]) for row in rows} == {("us-east-1", "256")}


def test_json_names_the_source_of_the_prices(busy, platform):
    answer = document(platform, "--function", busy.name)
    assert answer["prices"]["source"].startswith("AWS Lambda pricing")
    seconds = answer["total"]["billed_ms"] / 1000
    cost = 11 * 0.2e-6 + seconds / 4 * 0.0000166667
    assert float(answer["total"]["cost_usd"]) == pytest.approx(cost, abs=1e-9)


def test_aws_s_variables_point_it_at_a_platform_too(busy, platform, tmp_path):
    key_id, secret = platform.root_key()
    text = alonzo_usage(
        platform, "--function", busy.name, "--csv",
        ALONZO_DATA_DIR=str(tmp_path), AWS_ENDPOINT_URL=platform.endpoint,
        AWS_ACCESS_KEY_ID=key_id, AWS_SECRET_ACCESS_KEY=secret,
    )  # fmt: skip
    assert busy.name in text


@pytest.mark.parametrize(
    ("arguments", "environment", "text"),
    [
        (("--group-by", "nonsense"), {}, "group_by takes region, function"),
        (("--group-by", "day,hour"), {}, "at most one of the last three"),
        (("--from", "whenever"), {}, "neither an age"),
        ((), {"ALONZO_DATA_DIR": "/nowhere"}, "no platform is running"),
        ((), {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "x",
              "AWS_SECRET_ACCESS_KEY": "y"}, "does not answer as a platform"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_says_why(platform, arguments, environment, text):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ALONZO_"))}
    done = subprocess.run(
        [sys.executable, "-m", "alonzo", "usage", *arguments],
        env={**kept, "ALONZO_DATA_DIR": str(platform.data_dir), **environment},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_key_is_refused(platform):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ALONZO_"))}
    key_id, _ = platform.root_key()
    done = subprocess.run(
        [sys.executable, "-m", "alonzo", "usage"],
        env={**kept, "AWS_ENDPOINT_URL": platform.endpoint, "AWS_ACCESS_KEY_ID": key_id,
             "AWS_SECRET_ACCESS_KEY": "wrong"},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "signature" in done.stderr


def test_a_streamed_response_counts_its_bytes_above_six_megabytes(own_platform):
    platform = own_platform()
    streamer = deploy(
        platform.client("lambda"),
        "streamer",
        {
            "index.mjs": "export const handler = awslambda.streamifyResponse("
            "async (event, out) => { for (let n = 0; n < 8; n++) out.write('x'.repeat(1 << 20));"
            " out.end(); });"
        },
        Runtime="nodejs20.x",
        Handler="index.handler",
        Timeout=30,
    )
    assert len(streamer.stream({}).body) == 8 << 20
    (line,) = document(platform, "--function", "streamer")["groups"]
    assert line["streamed_bytes"] == 2 << 20


def test_provisioned_concurrency_is_reserved_used_and_measured(own_platform, eventually):
    platform = own_platform()
    client, cloudwatch = platform.client("lambda"), platform.client("cloudwatch")
    kept = deploy(client, "kept", WORK)
    version = client.publish_version(FunctionName="kept")["Version"]
    client.get_waiter("published_version_active").wait(FunctionName="kept", Qualifier=version)
    client.put_provisioned_concurrency_config(
        FunctionName="kept", Qualifier=version, ProvisionedConcurrentExecutions=2
    )
    eventually(
        lambda: (
            client.get_provisioned_concurrency_config(FunctionName="kept", Qualifier=version)[
                "Status"
            ]
            == "READY"
        ),
        within_s=20,
    )
    for _ in range(3):
        kept.invoke({}, Qualifier=version)

    def lines():
        return {
            line["provisioned"]: line
            for line in document(platform, "--function", "kept", "--group-by", "provisioned")[
                "groups"
            ]
        }

    eventually(lambda: float(lines()[True]["provisioned_gb_seconds"]) > 0.1, within_s=10)
    assert lines()[True]["requests"] == 3
    now = datetime.now(UTC)
    (point,) = cloudwatch.get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="ProvisionedConcurrencyInvocations",
        Dimensions=[
            {"Name": "FunctionName", "Value": "kept"},
            {"Name": "Resource", "Value": f"kept:{version}"},
        ],
        Statistics=["Sum"],
        Period=3600,
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
    )["Datapoints"]
    assert point["Sum"] == 3
