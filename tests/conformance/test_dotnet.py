""".NET functions on a whole platform: class libraries, and programs that bring their own client."""

from pathlib import Path

import pytest

from alonzo.runtimes.identifiers import of_family
from alonzo.testing.dotnet import installed, package_into

FUNCTIONS = Path(__file__).parents[1] / "functions/dotnet"


@pytest.fixture(scope="session")
def identifier():
    """The newest of AWS's versions that this host has."""
    names = [f"dotnet{major}" for major in sorted(installed(), reverse=True)]
    known = {each.name for each in of_family("dotnet")}
    found = [name for name in names if name in known]
    if not found:
        pytest.skip("no .NET of AWS's versions here: `alonzo runtime install dotnet8` gets one")
    return found[0]


@pytest.fixture
def deploy(function, identifier, tmp_path):
    def deploy(handler, assembly="Example", **settings):
        return function(
            package_into(tmp_path, FUNCTIONS / f"built/{assembly}.dll"),
            Runtime=identifier,
            Handler=handler,
            **{"Timeout": 10, "MemorySize": 256, **settings},
        )

    return deploy


def test_a_class_library_answers_and_logs_with_its_request(deploy):
    prints = deploy("Example::Example.Surroundings::Prints")
    for _ in range(2):
        outcome = prints.invoke("x", LogType="Tail")
        assert (outcome.status, outcome.json, outcome.function_error) == (200, "printed", None)
        assert f"\t{outcome.headers['x-amzn-requestid']}\tinfo\tplain: ö\n" in outcome.log


def test_errors_have_their_cause_and_are_logged(deploy):
    fails = deploy("Example::Example.Fails::Run")
    outcome = fails.invoke({"how": "raise", "message": "no"}, LogType="Tail")
    assert (outcome.status, outcome.function_error) == (200, "Unhandled")
    assert outcome.json["errorType"] == "OutOfCheese"
    assert outcome.json["cause"]["errorMessage"] == "the cause"
    assert "\tfail\tExample.OutOfCheese: no\n" in outcome.log
    exits = fails.invoke({"how": "exit"})
    assert exits.json["errorType"] == "Runtime.ExitError"
    assert fails.invoke({"how": "again"}).json == "fine"


def test_an_init_that_fails_is_the_answer(deploy):
    broken = deploy("Example::Example.Broken::Handler").invoke()
    assert broken.json["errorType"] == "TargetInvocationException"
    assert broken.json["cause"]["errorMessage"] == "no database"
    absent = deploy("Example::Example.Absent::Handler").invoke()
    assert absent.json["errorMessage"] == (
        "Unable to load type 'Example.Absent' from assembly 'Example'."
    )


def test_a_program_brings_its_own_client(deploy):
    program = deploy("Program", "Program")
    for event in ({"a": 1}, "two"):
        outcome = program.invoke(event, LogType="Tail")
        assert (outcome.status, outcome.function_error) == (200, None), outcome.body
        request = outcome.headers["x-amzn-requestid"]
        assert outcome.json == {"input": event, "request": request}
        assert "called\n" in outcome.log


def test_a_program_that_is_not_there_ends_the_init(deploy):
    outcome = deploy("Absent").invoke(LogType="Tail")
    assert outcome.json["errorType"] == "Runtime.ExitError"
    assert "Absent.dll or binary" in outcome.log
