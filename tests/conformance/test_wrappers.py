"""Wrapper scripts, and the levels of JSON logs."""

import json
import re
from pathlib import Path

import pytest

from alonzo.daemon import catalog
from alonzo.daemon.config import Config
from alonzo.testing.environments import run

HANDLER = "import os\ndef handler(e, c): return os.environ['ADDED']\n"
WRAPPER = """#!/bin/sh
echo "wrapped: $#"
export ADDED=1
exec "$@"
"""


def test_a_wrapper_script_starts_the_runtime(tmp_path):
    async def scenario(world):
        world.write("code/handler.py", HANDLER, 0o644)
        world.write("opt/wrap", WRAPPER)
        variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}
        assert (await world.invoke(environment=variables)).payload == b'"1"'
        assert any(line.startswith("wrapped: ") for line in world.lines)

    run(tmp_path, scenario)


@pytest.mark.parametrize(("mode", "status"), [(None, 127), (0o644, 126)])
def test_a_wrapper_script_that_cannot_run_is_an_exit_of_the_runtime(tmp_path, mode, status):
    async def scenario(world):
        world.write("code/handler.py", HANDLER, 0o644)
        if mode is not None:
            world.write("code/wrap", WRAPPER, mode)
        outcome = await world.invoke(environment={"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"})
        assert outcome.error_type == "Runtime.ExitError"
        assert json.loads(outcome.payload)["errorMessage"].endswith(
            f"Error: Runtime exited with error: exit status {status}"
        )

    run(tmp_path, scenario)


def test_a_deployed_function_may_bring_its_wrapper(function):
    wrapped = function(
        {
            "handler.py": HANDLER,
            "wrap": WRAPPER,
        },
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}},
    )
    assert wrapped.invoke({}).json == "1"


@pytest.mark.parametrize(
    ("family", "source", "option", "seen"),
    [
        ("nodejs", "exports.handler = async () => process.execArgv.at(-1);", "--trace-warnings",
         "--trace-warnings"),
        ("ruby", "def handler(event:, context:) = $VERBOSE", "-w", True),
        ("python", "import sys\ndef handler(e, c): return sys._xoptions", "-Xutf8", {"utf8": True}),
    ],
)  # fmt: skip
def test_a_wrapper_script_adds_options_in_front_of_the_last_argument(
    function, family, source, option, seen
):
    known = catalog.runtimes(Config(Path("/nonexistent")))
    runtimes = [name for name in known.names if re.match(rf"{family}\d", name)]
    runtime = next((name for name in reversed(runtimes) if known.unavailable(name) is None), None)
    if runtime is None:
        pytest.skip(f"no {family} on this host")
    ending = {"nodejs": "js", "ruby": "rb", "python": "py"}[family]
    wrapper = f'#!/bin/bash\nexec "${{@:1:$#-1}}" {option} "${{@: -1}}"\n'
    wrapped = function(
        {f"handler.{ending}": source, "wrap": wrapper},
        Runtime=runtime,
        Timeout=20,
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}},
    )
    assert wrapped.invoke({}).json == seen


def test_a_deployed_function_is_filtered_by_its_application_log_level(function):
    talker = function(
        "import json\ndef handler(event, context):\n"
        "    print('printed')\n"
        "    print(json.dumps({'level': 'ERROR', 'message': 'loud'}))\n",
        LoggingConfig={
            "LogFormat": "JSON",
            "ApplicationLogLevel": "WARN",
            "SystemLogLevel": "WARN",
        },
    )
    outcome = talker.invoke({}, LogType="Tail")
    assert [json.loads(line)["message"] for line in outcome.log.splitlines()] == ["loud"]
