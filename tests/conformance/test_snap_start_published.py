"""SnapStart as a user meets it: publishing waits for the snapshot, calls restore it."""

import base64
import os
import re
import shutil

import botocore.exceptions
import pytest

from alonzo.testing.functions import deploy

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a snapshot needs a user id for each sandbox"),
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


def test_the_first_call_of_a_version_restores_what_publishing_initialised(function):
    client, name = function(CODE)
    version = client.publish_version(FunctionName=name)
    assert version["State"] == "Pending"
    client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier="1", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
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
