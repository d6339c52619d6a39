"""A daemon that dies while it takes a layer in, or merges layers for a function."""

import contextlib

import botocore.exceptions
import pytest

from alonzo.testing.functions import PYTHON_RUNTIME, ROLE, package

#: Deaths at named points take some seconds each; `make test-all` runs them.
pytestmark = pytest.mark.nightly

ONE, TWO = (package({f"python/m{number}.py": str(number)}) for number in range(2))


def publish(client, name, content):
    return client.publish_layer_version(LayerName=name, Content={"ZipFile": content})


@pytest.mark.parametrize("point", ["control.before_blob", "control.after_blob"])
def test_a_publish_that_dies_takes_no_number(own_platform, point):
    platform = own_platform(ALONZO_FAULTS=point)
    with pytest.raises(botocore.exceptions.HTTPClientError):
        publish(platform.client("lambda"), "a", ONE)
    platform.wait_killed()
    platform.arm("")
    platform.start()
    client = platform.client("lambda")
    assert client.list_layer_versions(LayerName="a")["LayerVersions"] == []
    assert publish(client, "a", ONE)["Version"] == 1


@pytest.mark.parametrize("point", ["code.flushed", "control.after_prepare"])
def test_a_function_whose_layers_were_being_merged_becomes_active_later(own_platform, point):
    platform = own_platform(ALONZO_FAULTS=point)
    client = platform.client("lambda")
    arns = [
        publish(client, name, data)["LayerVersionArn"]
        for name, data in {"a": ONE, "b": TWO}.items()
    ]
    # The daemon may die between the commit and the answer.
    with contextlib.suppress(botocore.exceptions.HTTPClientError):
        client.create_function(
            FunctionName="f",
            Runtime=PYTHON_RUNTIME,
            Role=ROLE,
            Handler="handler.handler",
            Code={"ZipFile": package("def handler(event, context): return event")},
            Layers=arns,
        )
    platform.wait_killed()
    platform.arm("")
    platform.start()
    client = platform.client("lambda")
    client.get_waiter("function_active_v2").wait(
        FunctionName="f", WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
    )
    layers = client.get_function_configuration(FunctionName="f")["Layers"]
    assert [layer["Arn"] for layer in layers] == arns
