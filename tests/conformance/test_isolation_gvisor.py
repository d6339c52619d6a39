"""The platform over gVisor, where ``runsc`` is installed: functions run, each on its own kernel."""

import os
import shutil
from pathlib import Path

import pytest

from alonzo.testing.functions import deploy, package

FUNCTIONS = Path(__file__).parents[1] / "functions"

pytestmark = pytest.mark.skipif(
    shutil.which("runsc") is None or os.geteuid() != 0, reason="needs runsc on PATH, and root"
)

PYTHON = """
import os, platform, socket, boto3, in_layer
def handler(event, context):
    try:
        socket.create_connection(("127.0.0.1", event["port"]), 1).close()
        reached = True
    except OSError:
        reached = False
    return {
        "kernel": platform.release(),
        "user": os.getuid(),
        "here": os.getcwd(),
        "layer": in_layer.NAME,
        "account": boto3.client("sts").get_caller_identity()["Account"],
        "host": reached,
    }
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """One platform over gVisor for all tests here."""
    from alonzo.testing.daemon import DaemonProcess

    daemon = DaemonProcess(tmp_path_factory.mktemp("gvisor") / "data", "--isolation", "gvisor")
    daemon.start()
    yield daemon
    daemon.stop()
    assert "Traceback" not in daemon.log, daemon.log


def test_a_python_function_has_its_layers_the_sdk_the_platform_and_a_kernel(
    platform, function_name
):
    assert "isolation  gvisor: kernel" in platform.log
    client = platform.client("lambda")
    layer = client.publish_layer_version(
        LayerName=function_name,
        Content={"ZipFile": package({"python/in_layer.py": "NAME = 'layer'"})},
    )["LayerVersionArn"]
    made = deploy(client, function_name, PYTHON, Layers=[layer], Timeout=30, MemorySize=256)
    port = int(platform.endpoint.rpartition(":")[2])
    for _ in range(2):
        outcome = made.invoke({"port": port})
        assert outcome.function_error is None, outcome.body
        answer = outcome.json
        assert answer.pop("kernel") != os.uname().release
        assert answer == {
            "user": 993,
            "here": "/var/task",
            "layer": "layer",
            "account": "000000000000",
            "host": False,
        }


def test_a_runtime_of_its_own_is_served_over_http(platform, function_name):
    made = deploy(
        platform.client("lambda"),
        function_name,
        FUNCTIONS / "bash",
        Runtime="provided.al2023",
        Timeout=30,
    )
    for _ in range(2):
        assert made.invoke({"x": 1}).json == {"hello": {"x": 1}}


def test_a_function_that_never_ends_is_ended_and_the_next_call_served(platform, function_name):
    code = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return event\n"
    made = deploy(platform.client("lambda"), function_name, code, Timeout=3)
    assert "timed out" in made.invoke(60).json["errorMessage"]
    assert made.invoke(0).json == 0


@pytest.mark.nightly
def test_a_killed_daemon_leaves_no_process(own_platform, function_name):
    daemon = own_platform("--isolation", "gvisor")
    code = "def handler(event, context): return event\n"
    assert deploy(daemon.client("lambda"), function_name, code, Timeout=30).invoke(1).json == 1
    daemon.kill()
    daemon.start()  # which waits for, or ends, what was left
    assert daemon.client("lambda").invoke(FunctionName=function_name)["StatusCode"] == 200
