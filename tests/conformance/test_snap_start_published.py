"""SnapStart as a user meets it: publishing waits for the snapshot, calls restore it."""

import base64
import re
import shutil
from pathlib import Path

import botocore.exceptions
import pytest

from alonzo.daemon import catalog
from alonzo.daemon.config import Config
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import ROLE, deploy, package
from alonzo.testing.java import compile_into, oldest_compiler

JAVA = Path(__file__).parents[1] / "functions/java/example/Restored.java"

pytestmark = [
    pytest.mark.skipif(shutil.which("python3.12") is None, reason="SnapStart begins with 3.12"),
]

CODE = """
import time, uuid
time.sleep(0.3)
INITIALISED = uuid.uuid4().hex
def handler(event, context):
    return INITIALISED
"""


@pytest.fixture
def function(platform, function_name):
    made = []

    def create(source):
        client = platform.client("lambda")
        made.append(
            deploy(
                client, function_name, source, Runtime="python3.12", MemorySize=512,
                SnapStart={"ApplyOn": "PublishedVersions"},
            )
        )  # fmt: skip
        return client, function_name

    yield create
    for each in made:
        each.delete()


def published(client, name, version="1"):
    """Wait until the version may serve."""
    client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier=version, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )


def called(client, name, version="1"):
    """The first word of the lines of a call's log, and its answer."""
    answer = client.invoke(FunctionName=name, Qualifier=version, LogType="Tail")
    assert "FunctionError" not in answer, answer["Payload"].read()
    return base64.b64decode(answer["LogResult"]).decode(), answer["Payload"].read()


def test_the_first_call_of_a_version_restores_what_publishing_initialised(function):
    client, name = function(CODE)
    version = client.publish_version(FunctionName=name)
    assert version["State"] == "Pending"
    published(client, name)
    answers = [client.invoke(FunctionName=name, Qualifier="1", LogType="Tail") for _ in range(2)]
    assert len({each["Payload"].read() for each in answers}) == 1
    first, second = (base64.b64decode(each["LogResult"]).decode() for each in answers)
    assert re.search(r"\tRestore Duration: [\d.]+ ms", first), first
    assert "Init Duration" not in first
    assert "Restore Duration" not in second


def test_a_version_whose_init_fails_is_never_active(function):
    client, name = function("raise ValueError('told to fail')")
    client.publish_version(FunctionName=name)
    with pytest.raises(botocore.exceptions.WaiterError):
        client.get_waiter("published_version_active").wait(
            FunctionName=name, Qualifier="1", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
        )
    failed = client.get_function_configuration(FunctionName=name, Qualifier="1")
    assert failed["State"] == "Failed"
    assert failed["StateReasonCode"].startswith("FunctionError")


@pytest.fixture(scope="module")
def runtimes():
    """The Javas of this host that AWS has SnapStart for."""
    known = catalog.runtimes(Config(Path("/nonexistent")))
    names = ("java21", "java25", "java17", "java11")
    found = [name for name in names if known.unavailable(name) is None]
    if not found or oldest_compiler() is None:
        pytest.skip("no Java of AWS's versions, or no compiler, on this host")
    return found


def logged(client, name):
    """The first words of the platform's lines in a function's log, by stream."""
    group = f"/aws/lambda/{name}"
    lines = {}
    for event in client.filter_log_events(logGroupName=group)["events"]:
        lines.setdefault(event["logStreamName"], []).append(event["message"].split()[0])
    return list(lines.values())


def test_a_template_with_a_java_function_deploys_serves_and_survives_a_restart(tmp_path, runtimes):
    folder = tmp_path / "classes"
    folder.mkdir()
    code = package(compile_into(folder, [JAVA]))
    # Nothing waits for functions that nobody calls here.
    daemon = DaemonProcess(tmp_path / "data", "--set", "environments.parked_floor=0")
    daemon.start()
    try:
        client = daemon.client("lambda")
        for runtime in runtimes[:2]:
            made = client.create_function(
                FunctionName=runtime, Runtime=runtime, Handler="example.Restored", Role=ROLE,
                Code={"ZipFile": code}, MemorySize=512, Timeout=20, Architectures=["x86_64"],
                SnapStart={"ApplyOn": "PublishedVersions"},
            )  # fmt: skip
            assert made["SnapStart"]["OptimizationStatus"] == "Off"
        name = runtimes[0]
        client.get_waiter("function_active_v2").wait(FunctionName=name)
        version = client.publish_version(FunctionName=name)
        assert version["SnapStart"] == {
            "ApplyOn": "PublishedVersions", "OptimizationStatus": "On",
        }  # fmt: skip
        assert version["State"] == "Pending"
        published(client, name)
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        tail, answer = called(client, name, "live")
        assert "\tRestore Duration: " in tail
        assert b"afterRestore 2" in answer
        # Another one is being prepared meanwhile, which may have got anywhere.
        streams = logged(daemon.client("logs"), name)
        assert ["INIT_START", "initialised", "INIT_REPORT"] in streams
        assert ["RESTORE_START", "RESTORE_REPORT", "START", "END", "REPORT"] in streams
        daemon.stop()
        daemon.start()
        client = daemon.client("lambda")
        tail, again = called(client, name, "live")
        assert "\tRestore Duration: " in tail
        assert b"afterRestore 2" in again
        assert again != answer
        client.delete_function(FunctionName=name)
    finally:
        daemon.stop()
    assert "Traceback" not in daemon.log, daemon.log
