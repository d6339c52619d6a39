"""AWS's SDKs inside: importable without being packaged, and no more than that."""

from pathlib import Path

import pytest

from alonzo.daemon import catalog
from alonzo.daemon.config import Config
from alonzo.runtimes import sdks
from alonzo.testing.functions import PYTHON_RUNTIME, deploy
from alonzo.testing.waiting import eventually

KNOWN = catalog.runtimes(Config(Path("/nonexistent")))
# What a platform with a tools folder of its own finds: nothing that was installed into the user's.
ON_PATH = catalog.runtimes(Config(Path("/nonexistent"), tools=Path("/nonexistent")))

BOTO3 = """
import importlib, os, subprocess, sys, uuid

def handler(event, context):
    import boto3
    missing = []
    for name in ("click", "orjson", "uvicorn", "alonzo", "pip", "cbor2"):
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    try:
        os.mkdir(os.path.dirname(boto3.__file__) + "/new")
    except OSError as error:
        refused = error.errno
    return {
        "account": boto3.client("sts").get_caller_identity()["Account"],
        "place": boto3.__file__,
        "refused": refused,
        "missing": missing,
    }
"""

COMPILED = """
import sys

compiled = []

def hook(event, args):
    if event == "compile" and str(args[1]).startswith("/var/"):
        compiled.append(args[1])

sys.addaudithook(hook)
import boto3, logging

def handler(event, context):
    return len(compiled)
"""

USES = {
    "cjs.js": "const sdk = require('@aws-sdk/client-shop');"
    "exports.handler = async () => [sdk.answer, require('@smithy/base').base];",
    "esm.mjs": "import { answer } from '@aws-sdk/client-shop'; import base from '@smithy/base';"
    "export const handler = async () => [answer, base.base];",
    "late.js": "exports.handler = async () => require('@aws-sdk/client-shop').answer;",
}
OWN = {"node_modules/@aws-sdk/client-shop/index.js": "exports.answer = 'own';"}


def runnable(family, runtimes=KNOWN):
    names = [name for name in runtimes.names if runtimes.identifier(name).family == family]
    return [name for name in names if runtimes.unavailable(name) is None]


def with_boto3():
    return [n for n in runnable("python") if sdks.python_sdk(n.removeprefix("python"), ())]


@pytest.mark.parametrize("python", with_boto3())
def test_boto3_is_there_and_nothing_else_of_the_daemon_s(function, python):
    outcome = function(BOTO3, Runtime=python, Timeout=20, MemorySize=512).invoke()
    assert outcome.function_error is None, outcome.body
    assert outcome.json == {
        "account": "000000000000",
        "place": "/var/sdk/boto3/__init__.py",
        "refused": 30,  # EROFS
        "missing": ["click", "orjson", "uvicorn", "alonzo", "pip", "cbor2"],
    }


def test_boto3_is_compiled_already_for_the_python_that_the_platform_runs_on(function):
    assert function(COMPILED, Timeout=20, MemorySize=512).invoke().json == 0


@pytest.mark.parametrize("python", [n for n in with_boto3() if n != PYTHON_RUNTIME][-1:])
def test_boto3_is_compiled_once_for_another_python_than_the_platform_s(
    tools_platform, function_name, python, request
):
    client = tools_platform.client("lambda")
    request.addfinalizer(client.close)
    function = deploy(client, function_name, COMPILED, Runtime=python, Timeout=20, MemorySize=512)
    assert function.invoke().json > 100

    def compiled_in_a_new_environment():
        client.update_function_configuration(FunctionName=function_name, Description=next(texts))
        client.get_waiter("function_updated_v2").wait(FunctionName=function_name)
        return function.invoke().json

    texts = map(str, range(1000))
    eventually(lambda: compiled_in_a_new_environment() == 0, within_s=40)


def test_a_function_s_own_copy_wins(function):
    files = {
        "boto3.py": "OWN = True",
        "handler.py": "import boto3, six\n"
        "def handler(event, context): return [boto3.OWN, six.__file__]",
    }
    assert function(files).invoke().json == [True, "/var/sdk/six.py"]


@pytest.fixture(scope="module")
def tools_platform(tmp_path_factory):
    """A platform whose tools folder is its own, and holds nothing but an SDK for JavaScript."""
    from alonzo.testing.daemon import DaemonProcess

    folder = tmp_path_factory.mktemp("own-tools")
    modules = folder / "tools/nodejs-sdk/node_modules"
    for name, text in {
        "@aws-sdk/client-shop": "exports.answer = require('@smithy/base').base + 1;",
        "@smithy/base": "exports.base = 41;",
    }.items():
        (modules / name).mkdir(parents=True)
        (modules / name / "index.js").write_text(text)
    daemon = DaemonProcess(folder / "data", environment={"ALONZO_TOOLS_DIR": str(folder / "tools")})
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.mark.parametrize("nodejs", runnable("nodejs", ON_PATH))
@pytest.mark.parametrize("module", ["cjs", "esm"])
def test_the_javascript_sdk_is_found_once_installed(
    tools_platform, function_name, nodejs, module, request
):
    client = tools_platform.client("lambda")
    request.addfinalizer(client.close)
    options = {"Runtime": nodejs, "Handler": f"{module}.handler", "Timeout": 10}
    assert deploy(client, function_name, USES, **options).invoke().json == [42, 41]
    own = deploy(client, f"{function_name}-own", {**USES, **OWN}, **options)
    assert own.invoke().json == ["own", 41]


def test_without_it_node_says_what_it_always_says(function):
    late = function(USES, Runtime=runnable("nodejs")[-1], Handler="late.handler", Timeout=10)
    outcome = late.invoke()
    assert outcome.json["errorMessage"].startswith("Cannot find module '@aws-sdk/client-shop'")
