"""Ruby and Java functions on a whole platform, where the host has a version that AWS has too."""

import functools
import os
import subprocess
from pathlib import Path

import pytest

from alonzo.runtimes.identifiers import of_family
from alonzo.runtimes.interpreters import BOOTSTRAPS, SearchPlaces
from alonzo.runtimes.jvms import Jvms
from alonzo.runtimes.registry import Runtimes, families

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
    compilers = (jvm.interpreter.prefix / "bin/javac" for jvm in Jvms(places()).all())
    javac = next((each for each in compilers if each.exists()), None)
    if javac is None:
        pytest.skip("no Java compiler on this host")
    folder = tmp_path_factory.mktemp("java")
    sources = sorted((FUNCTIONS / "java").rglob("*.java"))
    options = ("-Xlint:-options", "--release", "8", "-cp", BOOTSTRAPS / "java/client.jar")
    subprocess.run((javac, *options, "-d", folder, *sources), check=True, timeout=50)
    return folder


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
    assert (machine["folder"], machine["resource"]) == ("/var/task", False)
    full = java("example.Fails").invoke({"how": "memory"})
    assert full.json["errorType"] == "java.lang.OutOfMemoryError"


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
