"""What every runtime does, whatever its language and its link: answer, fail, be stopped, stream.

The functions are ``tests/functions/<family>/<what>/``; a family joins in with its folder ``hello``.
The link is our own channel, or one of AWS's own clients over the HTTP Runtime API.
"""

import functools
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alonzo.daemon import catalog
from alonzo.daemon.config import Config
from alonzo.testing.dotnet import package_into
from alonzo.testing.java import compile_into, oldest_compiler

FUNCTIONS = Path(__file__).parents[1] / "functions"
#: Where a family does not call every handler the same.
JAVA_HANDLERS = {
    "hello": "Hello",
    "error": "OutOfStock::handler",
    "timeout": "Timeout::handler",
}
HOST_PYTHON = "/usr/bin/python3"

#: AWS's Python client, as a package of an operating-system-only runtime.
CLIENT = "awslambdaric"
CLIENT_DISTRIBUTIONS = (CLIENT, "simplejson", "snapshot-restore-py")
CLIENT_BOOTSTRAP = f"""#!/bin/sh
cd "$LAMBDA_TASK_ROOT"
exec {HOST_PYTHON} -m {CLIENT} "$_HANDLER"
"""

#: AWS's client for Node.js, which has to be built: this takes minutes.
NODE_CLIENT = "aws-lambda-ric"
NODE_CLIENT_VERSION = "3.3.0"
NODE_CLIENT_BOOTSTRAP = """#!/bin/sh
exec {node} /var/task/client/bin/index.mjs "$_HANDLER"
"""
NODE_CLIENT_WANTED = (
    "AWS's client for Node.js takes minutes to build: set ALONZO_TEST_TOOLCHAINS=all to do that, "
    "or ALONZO_TEST_NODE_CLIENT to the folder of one that is built"
)
BUILD_S_MAX = 600

if os.environ.get("ALONZO_TEST_TOOLCHAINS") == "all":
    pytestmark = pytest.mark.timeout(BUILD_S_MAX)


def candidates(what="hello"):
    """Every runtime of this host that AWS creates functions for, and AWS's clients.

    Only those whose family has the function ``what``.
    """
    today = datetime.now(UTC).date()
    known = catalog.runtimes(Config(Path("/nonexistent")))
    names = []
    for name in known.names:
        identifier = known.identifier(name)
        current = identifier.create_until is None or identifier.create_until >= today
        joins = (FUNCTIONS / identifier.family / what).is_dir()
        if current and joins and known.unavailable(name) is None:
            names.append(name)
    return [*names, CLIENT, NODE_CLIENT]


@pytest.fixture(params=candidates())
def runtime(request):
    """An identifier, or one of AWS's clients."""
    if request.param == CLIENT:
        loaded = subprocess.run([HOST_PYTHON, "-c", "import sys; print(sys.version_info[:2])"],
                                capture_output=True, text=True)  # fmt: skip
        if loaded.stdout.strip() != str(sys.version_info[:2]):
            pytest.skip(f"the client is installed for another Python than {HOST_PYTHON}")
    return request.param


@pytest.fixture(scope="session")
def node_client(tmp_path_factory):
    """The files of AWS's client for Node.js, and of a program that starts it."""
    node = shutil.which("node")
    if node is None or not node.startswith("/usr/"):
        pytest.skip("there is no node below /usr, which sandboxes see")
    built = os.environ.get("ALONZO_TEST_NODE_CLIENT")
    if built is None and os.environ.get("ALONZO_TEST_TOOLCHAINS") != "all":
        pytest.skip(NODE_CLIENT_WANTED)
    folder = Path(built) if built else built_node_client(tmp_path_factory.mktemp("node-client"))
    files = {"bootstrap": NODE_CLIENT_BOOTSTRAP.format(node=node)}
    for path in (folder / "package.json", *folder.glob("bin/*"), *folder.glob("dist/*")):
        files[f"client/{path.relative_to(folder)}"] = path.read_bytes()
    return files


def built_node_client(place):
    """Install and build it with npm, a compiler, cmake and autotools; or skip."""
    folder = place / "node_modules" / NODE_CLIENT
    install = ("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts")
    for command, cwd in (
        ((*install, f"{NODE_CLIENT}@{NODE_CLIENT_VERSION}"), place),
        (("sh", "scripts/preinstall.sh"), folder),
        (("sh", "scripts/postinstall.sh"), folder),
    ):
        done = subprocess.run(
            command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, timeout=BUILD_S_MAX
        )
        if done.returncode != 0:
            pytest.skip(f"{command}: {done.stderr.decode().splitlines()[-1:]}")
    return folder


@pytest.fixture(scope="session")
def java_classes(tmp_path_factory):
    """Answers the classes of ``tests/functions/java/<what>``, which are compiled once for all."""

    @functools.cache
    def classes(what):
        place = compile_into(
            tmp_path_factory.mktemp(what), (FUNCTIONS / "java" / what).glob("*.java")
        )
        return {path.name: path.read_bytes() for path in place.glob("*.class")}

    return classes


@pytest.fixture
def deploy(function, runtime, java_classes, tmp_path, request):
    """Deploys ``tests/functions/<family>/<what>`` on the runtime."""

    def deploy(what, **configuration):
        family = {CLIENT: "python", NODE_CLIENT: "nodejs"}.get(runtime)
        family = family or re.match("[a-z]+", runtime)[0]
        folder = FUNCTIONS / family / what
        files = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
        if family == "java":
            if oldest_compiler() is None:
                pytest.skip("no Java compiler on this host")
            files = java_classes(what)
            configuration = {"Handler": JAVA_HANDLERS[what], "MemorySize": 256, **configuration}
        if family == "dotnet":
            assembly = what.capitalize()
            package = package_into(tmp_path, FUNCTIONS / f"dotnet/built/{assembly}.dll")
            files = {path.name: path.read_bytes() for path in package.iterdir()}
            handler = f"{assembly}::Function::Handler"
            configuration = {"Handler": handler, "MemorySize": 256, **configuration}
        if runtime == NODE_CLIENT:
            files |= request.getfixturevalue("node_client")
            return function(files, Runtime="provided.al2023", **configuration)
        if runtime != CLIENT:
            return function(files, Runtime=runtime, **configuration)
        files["bootstrap"] = CLIENT_BOOTSTRAP
        for name in CLIENT_DISTRIBUTIONS:
            for path in importlib.metadata.files(name) or ():
                if ".." not in path.parts and path.suffix != ".pyc":
                    files[str(path)] = path.read_binary()
        return function(files, Runtime="provided.al2023", **configuration)

    return deploy


def test_it_answers_cold_and_warm(deploy):
    hello = deploy("hello", Timeout=10)
    for name in ("Ada", "Grüße, 世界"):
        outcome = hello.invoke({"name": name})
        assert (outcome.status, outcome.function_error) == (200, None), outcome.body
        assert outcome.json == {
            "message": f"Hello, {name}",
            "request": outcome.headers["x-amzn-requestid"],
        }
    # A handler that does not stream answers those who ask for a stream as well.
    streamed = hello.stream({"name": "Ada"})
    assert json.loads(streamed.body)["message"] == "Hello, Ada"
    assert not streamed.complete.get("ErrorCode")


def test_an_error_has_its_type_and_its_message(deploy, runtime):
    outcome = deploy("error", Timeout=10).invoke({"message": "no cheese"})
    assert (outcome.status, outcome.function_error) == (200, "Unhandled")
    by_ruby = runtime.startswith("ruby")
    assert outcome.json["errorType"] == ("Function<OutOfStock>" if by_ruby else "OutOfStock")
    assert outcome.json["errorMessage"] == "no cheese"


def test_it_is_stopped_at_its_timeout(deploy):
    outcome = deploy("timeout", Timeout=1).invoke()
    assert (outcome.status, outcome.function_error) == (200, "Unhandled")
    assert outcome.json["errorMessage"].endswith("Task timed out after 1.00 seconds")


#: AWS's Python client knows no streams: those of Python are an extension of ours.
streaming = pytest.mark.parametrize(
    "runtime", [name for name in candidates("streaming") if name != CLIENT], indirect=True
)


@streaming
def test_what_it_streams_is_its_answer(deploy):
    outcome = deploy("streaming", Timeout=10).invoke({"name": "Ada"})
    assert (outcome.status, outcome.function_error) == (200, None), outcome.body
    assert outcome.body.decode() == f"Hello, Ada. {outcome.headers['x-amzn-requestid']}"


@streaming
def test_what_it_streams_comes_in_pieces_and_has_an_end(deploy):
    function = deploy("streaming", Timeout=10)
    streamed = function.stream({"name": "Ada"}, LogType="Tail")
    assert streamed.body.decode() == f"Hello, Ada. {streamed.headers['x-amzn-requestid']}"
    assert streamed.complete["LogResult"]
    assert "ErrorCode" not in streamed.complete
    assert streamed.version == "$LATEST"


@streaming
def test_an_error_in_the_middle_of_a_stream_is_at_its_end(deploy):
    function = deploy("streaming", Timeout=10)
    streamed = function.stream({"name": "Ada", "fail": "no cheese"})
    assert streamed.body == b"Hello, Ada. "
    assert streamed.complete["ErrorCode"] == "Unhandled"
    document = json.loads(streamed.complete["ErrorDetails"])
    assert document["errorMessage"] == "no cheese"
    # The environment serves on.
    assert function.stream({"name": "Ada"}).body.startswith(b"Hello, Ada. ")
