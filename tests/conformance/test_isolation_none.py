"""The platform without isolation: only when asked for, always with a warning, and functions run."""

import json
import os
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alonzo.daemon import catalog
from alonzo.daemon.config import Config
from alonzo.testing.functions import PYTHON_RUNTIME, deploy, package
from alonzo.testing.waiting import eventually

FUNCTIONS = Path(__file__).parents[1] / "functions"

PYTHON = """
import os, sys, tempfile, boto3, in_layer
def handler(event, context):
    return {
        "task": os.environ["LAMBDA_TASK_ROOT"],
        "here": os.path.samefile(os.getcwd(), os.path.dirname(__file__)),
        "user": os.environ["USERS_OWN"],
        "tmp": tempfile.gettempdir(),
        "layer": in_layer.NAME,
        "account": boto3.client("sts").get_caller_identity()["Account"],
        "ours": [name for name in os.environ if name.startswith("_ALONZO")],
    }
"""

EXTENSION = """#!/bin/sh
headers=$(mktemp)
curl -sS -D "$headers" -o /dev/null -H 'Lambda-Extension-Name: watcher' \\
    -d '{"events":["INVOKE"]}' "http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension/register"
id=$(sed -n 's/^lambda-extension-identifier: *\\([^[:space:]]*\\).*/\\1/Ip' "$headers")
while curl -sS -o /dev/null -H "Lambda-Extension-Identifier: $id" \\
    "http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension/event/next"; do echo seen; done
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """One platform without isolation for all tests here."""
    from alonzo.testing.daemon import DaemonProcess

    daemon = DaemonProcess(
        tmp_path_factory.mktemp("none") / "data", "--isolation", "none", "--network", "host"
    )
    daemon.start()
    yield daemon
    daemon.stop()
    assert "Traceback" not in daemon.log, daemon.log


def newest_of_each_family():
    known = catalog.runtimes(Config(Path("/nonexistent")))
    today = datetime.now(UTC).date()
    newest = {}
    for name in known.names:
        identifier = known.identifier(name)
        current = identifier.create_until is None or identifier.create_until >= today
        if current and known.unavailable(name) is None:
            newest[identifier.family] = name
    return newest


def test_it_warns_at_the_start_and_in_the_health_answer(platform):
    assert "WARNING    --isolation none: functions are not isolated" in platform.log
    with urllib.request.urlopen(f"{platform.endpoint}/_alonzo/health") as answer:
        document = json.load(answer)
    assert document["isolation"] == "none"
    assert document["warning"].startswith("functions are not isolated")


def test_a_python_function_finds_its_code_layers_sdk_and_the_platform(platform, function_name):
    client = platform.client("lambda")
    layer = client.publish_layer_version(
        LayerName=function_name,
        Content={
            "ZipFile": package(
                {"python/in_layer.py": "NAME = 'layer'", "extensions/watcher": EXTENSION}
            )
        },
    )["LayerVersionArn"]
    hello = deploy(
        client,
        function_name,
        PYTHON,
        Layers=[layer],
        Environment={"Variables": {"USERS_OWN": "/var/task/is/mine"}},
        Timeout=20,
    )
    outcome = hello.invoke({}, LogType="Tail")
    assert outcome.function_error is None, outcome.body
    answer = outcome.json
    assert answer.pop("task").startswith(str(platform.data_dir))
    assert answer.pop("tmp").startswith(str(platform.data_dir))
    assert answer == {
        "here": True,
        "user": "/var/task/is/mine",
        "layer": "layer",
        "account": "000000000000",
        "ours": [],
    }
    assert hello.invoke({}).function_error is None
    assert "\nseen\n" in outcome.log


@pytest.mark.parametrize(
    ("family", "source", "handler", "event", "answer"),
    [
        ("nodejs", FUNCTIONS / "nodejs/hello", "handler.handler", {"name": "Ada"}, "Hello, Ada"),
        ("ruby", FUNCTIONS / "ruby", "echo.handler", {"x": 1}, '"x"'),
        ("provided", FUNCTIONS / "bash", "any", {"x": 1}, '{"hello":{"x": 1}}'),
    ],
)
def test_other_runtimes_run(platform, function_name, family, source, handler, event, answer):
    runtime = newest_of_each_family().get(family)
    if runtime is None:
        pytest.skip(f"this host has no {family}")
    made = deploy(
        platform.client("lambda"),
        function_name,
        source,
        Runtime=runtime,
        Handler=handler,
        Timeout=20,
    )
    for _ in range(2):
        outcome = made.invoke(event)
        assert outcome.function_error is None, outcome.body
        assert answer in outcome.body.decode()


def test_a_wrapper_script_is_found(platform, function_name):
    wrapper = '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'
    source = {
        "handler.py": "import os\ndef handler(event, context): return os.environ['WRAPPED']",
        "wrap": wrapper,
    }
    made = deploy(
        platform.client("lambda"),
        function_name,
        source,
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}},
        Timeout=20,
    )
    assert made.invoke({}).json == "yes"


def test_a_function_that_never_ends_is_ended_with_all_it_started(platform, function_name):
    code = (
        "import subprocess, time\n"
        "def handler(event, context):\n"
        "    subprocess.Popen(['setsid', 'sleep', event['mark']], start_new_session=True)\n"
        "    time.sleep(60)\n"
    )
    made = deploy(platform.client("lambda"), function_name, code, Timeout=1)
    mark = f"4242{os.getpid()}"
    assert "timed out" in made.invoke({"mark": mark}).json["errorMessage"]
    eventually(lambda: mark not in _command_lines(), 10)


def _command_lines():
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_text())
        except OSError:
            continue
    return "\n".join(lines)


def test_tenants_are_not_put_together(platform, function_name):
    made = deploy(
        platform.client("lambda"),
        function_name,
        PYTHON,
        Runtime=PYTHON_RUNTIME,
        TenancyConfig={"TenantIsolationMode": "PER_TENANT"},
    )
    with pytest.raises(made.client.exceptions.InvalidRuntimeException, match="keeps its tenants"):
        made.invoke({}, TenantId="one")


def test_a_killed_daemon_leaves_no_process(own_platform, function_name):
    daemon = own_platform("--isolation", "none", "--network", "host")
    mark = f"4343{os.getpid()}"
    code = (
        "import subprocess\n"
        f"subprocess.Popen(['sleep', '{mark}'], start_new_session=True)\n"
        "def handler(event, context): return event\n"
    )
    deploy(daemon.client("lambda"), function_name, code).invoke({})
    assert mark in _command_lines()
    daemon.kill()
    eventually(lambda: mark not in _command_lines(), 10)
    daemon.start()
    assert list((daemon.data_dir / "run" / "plain").iterdir()) == []
