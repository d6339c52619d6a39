"""``kill -9`` in the middle of an update that publishes: both halves or none, and work goes on."""

import contextlib

import pytest
from botocore.exceptions import BotoCoreError

from alonzo.testing.functions import deploy, package

#: Deaths at named points take some seconds each; `make test-all` runs them.
pytestmark = pytest.mark.nightly

ANSWER = "def handler(event, context): return {answer!r}"
QUICK = {"Delay": 0.02, "MaxAttempts": 500}


@pytest.mark.parametrize(
    ("point", "stored"),
    [
        ("control.after_blob", False),
        ("control.after_prepare", True),
        ("control.after_deploy", True),
    ],
)
def test_a_version_that_was_being_published_is_whole_after_a_kill(own_platform, point, stored):
    daemon = own_platform()
    function = deploy(daemon.client("lambda"), "f", ANSWER.format(answer="old"))
    daemon.stop()
    daemon.arm(point)
    daemon.start()
    new = package(ANSWER.format(answer="new"))
    with contextlib.suppress(BotoCoreError):
        daemon.client("lambda").update_function_code(FunctionName="f", ZipFile=new, Publish=True)
    daemon.wait_killed()
    daemon.arm("")
    daemon.start()
    client = daemon.client("lambda")
    listed = client.list_versions_by_function(FunctionName="f")["Versions"]
    assert [each["Version"] for each in listed] == (["$LATEST", "1"] if stored else ["$LATEST"])
    client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig=QUICK)
    if not stored:
        client.update_function_code(FunctionName="f", ZipFile=new, Publish=True)
    client.get_waiter("published_version_active").wait(
        FunctionName="f", Qualifier="1", WaiterConfig=QUICK
    )
    client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig=QUICK)
    for qualifier in ("$LATEST", "1"):
        answer = client.invoke(FunctionName=function.name, Qualifier=qualifier)
        assert (answer["ExecutedVersion"], answer["Payload"].read()) == (qualifier, b'"new"')
