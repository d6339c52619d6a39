"""Ruby and Java functions on a whole platform, where the host has a version that AWS has too."""

import functools
import os
from pathlib import Path

import pytest

from alonzo.runtimes.identifiers import of_family
from alonzo.runtimes.interpreters import SearchPlaces
from alonzo.runtimes.registry import Runtimes, families
from alonzo.testing.java import compile_into, oldest_compiler

FUNCTIONS = Path(__file__).parents[1] / "functions"


def places():
    path = tuple(map(Path, os.environ["PATH"].split(":")))
    return SearchPlaces(path=path, home=Path.home())


@functools.cache
def newest(family):
    """The newest identifier of a family that this host can run."""
    runtimes = Runtimes(families(places()))
    names = [each.name for each in of_family(family)]
    found = [name for name in names if runtimes.unavailable(name) is None]
    return found[-1] if found else pytest.skip(f"no {family} of AWS's versions on this host")


@pytest.fixture
def ruby(function):
    identifier = newest("ruby")
    return lambda handler, **more: function(
        FUNCTIONS / "ruby", Runtime=identifier, Handler=handler, **{"Timeout": 10, **more}
    )


@pytest.fixture(scope="session")
def classes(tmp_path_factory):
    newest("java")
    if oldest_compiler() is None:
        pytest.skip("no Java compiler on this host")
    folder = tmp_path_factory.mktemp("java")
    return compile_into(folder, sorted((FUNCTIONS / "java").rglob("*.java")))


@pytest.fixture
def java(function, classes):
    identifier = newest("java")
    settings = {"Timeout": 10, "MemorySize": 256}
    return lambda handler, **more: function(
        classes, Runtime=identifier, Handler=handler, **{**settings, **more}
    )


def test_java_echoes_cold_and_warm(java):
    echo = java("example.Echo")
    for event in ({"text": "Grüße, 世界"}, [1, 2.5, None], "x", None, {"big": "x" * 1_000_000}):
        outcome = echo.invoke(event)
        assert (outcome.status, outcome.json, outcome.function_error) == (200, event, None)


def test_java_errors_are_answered_and_logged(java):
    outcome = java("example.Fails").invoke({"how": "raise", "message": "no"}, LogType="Tail")
    assert outcome.function_error == "Unhandled"
    assert outcome.json["errorType"] == "example.Fails$OutOfCheese"
    assert outcome.json["stackTrace"][0].startswith("example.Fails.check(Fails.java:")
    assert "no: example.Fails$OutOfCheese\n" in outcome.log


def test_java_that_takes_too_long_or_breaks_is_ended(java):
    sleeper = java("example.Fails", Timeout=1)
    assert sleeper.invoke({"how": "60000"}).json["errorType"] == "Sandbox.Timedout"
    broken = java("example.BrokenConstructor").invoke({})
    assert broken.json == {
        "errorMessage": "no database",
        "errorType": "java.lang.IllegalStateException",
    }
    exits = java("example.Fails").invoke({"how": "exit"})
    assert exits.json["errorType"] == "Runtime.ExitError"
    assert exits.json["errorMessage"].endswith("Runtime exited with error: exit status 7")


def test_java_has_its_heap_from_the_function_s_memory(java):
    machine = java("example.Surroundings::machine", MemorySize=512).invoke().json
    assert 380 <= machine["heap_mib"] <= 435
    assert machine["folder"] == "/var/task"
    smaller = java("example.Surroundings::machine", MemorySize=128).invoke().json
    assert 95 <= smaller["heap_mib"] <= 109
    full = java("example.Fails").invoke({"how": "memory"})
    assert full.json["errorType"] == "java.lang.OutOfMemoryError"


@pytest.mark.parametrize("variables", [{}, {"TZ": "Europe/Vienna"}], ids=["parked", "executed"])
def test_java_is_in_its_folder_however_it_was_started(java, classes, variables):
    (classes / "settings.txt").write_text("here")
    found = java("example.Places::folders", Environment={"Variables": variables}).invoke().json
    assert found == {
        "io": "here",
        "nio": "here",
        "exists": True,
        "absolute": "/var/task/settings.txt",
        "canonical": "/var/task/settings.txt",
        "nio_absolute": "/var/task/settings.txt",
        "property": "/var/task",
        "kernel": "/var/task",
        "child": "/var/task\n0022\n",
        "parked": not variables,
    }


def test_java_s_variables_are_those_of_the_function_alone(java):
    variables = {"Variables": {"MINE": "1"}}
    found = java("example.Places::variables", Environment=variables).invoke().json
    kernel = dict(text.split("=", 1) for text in found["kernel"].strip("\0").split("\0"))
    assert found["map"] == kernel
    assert (kernel["MINE"], kernel["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) == ("1", "256")
    assert kernel["AWS_SESSION_TOKEN"] in found["of_child"]
    assert not [name for name in kernel if name.startswith("_ALONZO")]


def test_ruby_echoes_cold_and_warm(ruby):
    echo = ruby("echo.handler")
    for event in ({"text": "Grüße, 世界"}, [1, 2.5, None], "x", None, {"big": "x" * 1_000_000}):
        outcome = echo.invoke(event)
        assert (outcome.status, outcome.json, outcome.function_error) == (200, event, None)


def test_ruby_errors_are_answered_and_logged(ruby):
    outcome = ruby("error.handler").invoke({"message": "no"}, LogType="Tail")
    assert outcome.function_error == "Unhandled"
    assert outcome.json["errorType"] == "Function<OutOfCheese>"
    assert outcome.json["stackTrace"][0].startswith("/var/task/error.rb:9:in ")
    assert "Error raised from handler method" in outcome.log


def test_ruby_that_takes_too_long_or_breaks_is_ended(ruby):
    assert ruby("sleep.handler", Timeout=1).invoke(60).json["errorType"] == "Sandbox.Timedout"
    assert ruby("broken_init.handler").invoke().json["errorType"] == "Init<RuntimeError>"
    critical = ruby("critical.handler")
    assert critical.invoke("name").json["errorType"] == "Function<NameError>"
    assert critical.invoke("on").json == "on"


def test_ruby_finds_itself_in_aws_s_surroundings(ruby):
    found = ruby("environment.handler").invoke().json
    assert (found["folder"], found["external"]) == ("/var/task", "UTF-8")
    assert found["path"][0] == "/var/task"
