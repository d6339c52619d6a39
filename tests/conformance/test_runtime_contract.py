"""What every runtime does, whatever its language and its link: answer, fail, be stopped, stream.

The functions are ``tests/functions/<family>/<what>/``; a family joins in with its folder ``hello``.
The link is our own channel, or AWS's own client over the HTTP Runtime API.
"""

import importlib.metadata
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alonzo.daemon import catalog
from alonzo.daemon.config import Config

FUNCTIONS = Path(__file__).parents[1] / "functions"
HOST_PYTHON = "/usr/bin/python3"

#: AWS's Python client, as a package of an operating-system-only runtime.
CLIENT = "awslambdaric"
CLIENT_DISTRIBUTIONS = (CLIENT, "simplejson", "snapshot-restore-py")
CLIENT_BOOTSTRAP = f"""#!/bin/sh
cd "$LAMBDA_TASK_ROOT"
exec {HOST_PYTHON} -m {CLIENT} "$_HANDLER"
"""


def candidates(what="hello"):
    """Every runtime of this host that AWS creates functions for, and AWS's client.

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
    return [*names, CLIENT] if (FUNCTIONS / "python" / what).is_dir() else names


@pytest.fixture(params=candidates())
def runtime(request):
    """An identifier, or AWS's client."""
    if request.param == CLIENT:
        loaded = subprocess.run([HOST_PYTHON, "-c", "import sys; print(sys.version_info[:2])"],
                                capture_output=True, text=True)  # fmt: skip
        if loaded.stdout.strip() != str(sys.version_info[:2]):
            pytest.skip(f"the client is installed for another Python than {HOST_PYTHON}")
    return request.param


@pytest.fixture
def deploy(function, runtime):
    """Deploys ``tests/functions/<family>/<what>`` on the runtime."""

    def deploy(what, **configuration):
        family = "python" if runtime == CLIENT else re.match("[a-z]+", runtime)[0]
        folder = FUNCTIONS / family / what
        files = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
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


def test_an_error_has_its_type_and_its_message(deploy):
    outcome = deploy("error", Timeout=10).invoke({"message": "no cheese"})
    assert (outcome.status, outcome.function_error) == (200, "Unhandled")
    assert outcome.json["errorType"] == "OutOfStock"
    assert outcome.json["errorMessage"] == "no cheese"


def test_it_is_stopped_at_its_timeout(deploy):
    outcome = deploy("timeout", Timeout=1).invoke()
    assert (outcome.status, outcome.function_error) == (200, "Unhandled")
    assert outcome.json["errorMessage"].endswith("Task timed out after 1.00 seconds")


@pytest.mark.parametrize("runtime", candidates("streaming"), indirect=True)
def test_what_it_streams_is_its_answer(deploy):
    outcome = deploy("streaming", Timeout=10).invoke({"name": "Ada"})
    assert (outcome.status, outcome.function_error) == (200, None), outcome.body
    assert outcome.body.decode() == f"Hello, Ada. {outcome.headers['x-amzn-requestid']}"
