"""Wrapper scripts, and the levels of JSON logs."""

import json

import pytest

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
