"""The .NET client on every .NET of this host, whether AWS has that version or not.

Expectations: the developer guide's pages on C#, and the sources of AWS's own client.
"""

import importlib.util
import json
import re
import sys
import time
from pathlib import Path

import pytest

from alonzo.runtimes.base import Link, RuntimeUnavailableError
from alonzo.runtimes.dotnet import DotnetFamily, launch_of
from alonzo.runtimes.dotnets import Dotnets
from alonzo.runtimes.framing import Kind
from alonzo.runtimes.interpreters import BOOTSTRAPS, SearchPlaces
from alonzo.testing.dotnet import installed, package_into

ROOT = Path(__file__).parents[3]
CLIENT = BOOTSTRAPS / "dotnet"
FUNCTIONS = ROOT / "tests/functions/dotnet"
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"


def test_the_client_and_the_functions_were_built_from_their_sources():
    spec = importlib.util.spec_from_file_location("build", ROOT / "tools/build_dotnet_client.py")
    build = importlib.util.module_from_spec(spec)
    sys.modules["build"] = build
    spec.loader.exec_module(build)
    for sources, built in ((CLIENT, CLIENT), (FUNCTIONS, FUNCTIONS / "built")):
        assert (built / build.DIGEST).read_text() == build.digest(sources), (
            "run python tools/build_dotnet_client.py"
        )
        for assembly in built.glob("*.dll"):
            # A later version may have it elsewhere.
            assert b"System.Private" not in assembly.read_bytes()


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """The functions, as they are published."""
    return package_into(tmp_path_factory.mktemp("dotnet"), FUNCTIONS / "built/Example.dll")


@pytest.fixture(params=installed() or ["none"])
def dotnet(request):
    if request.param == "none":
        pytest.skip("no .NET on this host: `alonzo runtime install dotnet8` gets one")
    return installed()[request.param]


@pytest.fixture
def run(dotnet, package, start):
    """Starts a handler of the compiled package, named by its type and method."""

    def run(handler, *, functions=package, **options):
        name = f"Example::Example.{handler}"
        return start(launch_of(dotnet), name, functions=functions, **options)

    return run


def test_events_of_every_size_and_alphabet_come_back_unharmed(run):
    process = run("Kinds::Echo").ready()
    big = {"text": "x" * 6_000_000}
    for event in ({}, [], None, "", 0, 1.5, True, {"é": "☃😀\u2028", "d": [[{}]]}, big):
        assert process.result(event) == event


def test_hundreds_of_calls_are_those_of_one_object(run):
    process = run("Kinds::Count").ready()
    assert [process.result() for _ in range(300)] == list(range(1, 301))


@pytest.mark.parametrize(
    ("handler", "event", "result"),
    [
        ("Kinds::Stream", {"a": [1]}, {"a": [1]}),
        ("Kinds::Written", {"a": [1]}, {"a": [1]}),
        ("Kinds::Upper", "grüße", "GRÜßE"),
        ("Kinds::Upper", None, None),
        ("Kinds::Static", None, "shop"),
        ("Kinds::Double", {"customer": "ö", "total": 1.25, "other": 1},
         {"Customer": "ö", "Total": 2.5}),
        ("Kinds::Later", "see you", "see you later"),
        ("Kinds::Loudly", {}, "loud!"),
        ("Kinds::Private", "x", "private x"),
        ("Derived::Upper", "x", "X"),
        ("Kinds::System.String Overloaded(Int32)", 5, "number"),
    ],
)  # fmt: skip
def test_methods_take_and_give_what_their_signatures_say(run, handler, event, result):
    assert run(handler).ready().result(event) == result


def test_what_gives_nothing_answers_nothing(run):
    for handler in ("Kinds::Nothing", "Kinds::Wait"):
        frame = run(handler).ready().call("x")
        assert (frame.kind, frame.body) == (Kind.RESPONSE, b"")


def test_an_exception_comes_with_its_trace_and_its_cause_and_is_logged(run):
    process = run("Fails::Run").ready()
    document = process.error({"how": "raise", "message": "ö no"})
    assert document["errorType"] == "OutOfCheese"
    assert document["errorMessage"] == "ö no"
    assert document["cause"]["errorType"] == "ArgumentException"
    assert document["cause"]["errorMessage"] == "the cause"
    frames = [re.match(r"at ([\w.]+)\(", line)[1] for line in document["stackTrace"]]
    assert frames == ["Example.Fails.Check", "Example.Fails.Run"]
    (event,) = process.logs()
    assert event.kind == 0xA55A0017
    assert abs(event.time_us / 1e6 - time.time()) < 5
    moment, request, level, text = event.text.split("\t", 3)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    assert (request, level) == (REQUEST_ID, "fail")
    assert text.startswith("Example.OutOfCheese: ö no\n ---> System.ArgumentException: the cause")
    assert "Alonzo" not in text
    # The process serves on.
    assert process.result({"how": "not at all"}) == "fine"


def test_exceptions_of_tasks_are_their_own(run):
    document = run("Fails::Later").ready().error("too late")
    assert (document["errorType"], document["errorMessage"]) == (
        "InvalidOperationException",
        "too late",
    )
    document = run("Fails::Several").ready().error("x")
    assert [cause["errorMessage"] for cause in document["causes"]] == ["one", "two"]


def test_an_event_that_does_not_fit_fails_the_call_and_no_more(run):
    process = run("Kinds::Double").ready()
    assert process.error(b'{"total": "x"}')["errorType"] == "JsonException"
    assert process.error(b"{")["errorType"] == "JsonException"
    assert process.result({"total": 1}) == {"Customer": None, "Total": 2}


def test_a_document_that_is_too_large_says_only_that(run):
    frame = run("Fails::Run").ready().call({"how": "large"})
    assert json.loads(frame.body) == {
        "errorMessage": "Exception exceeded maximum payload size of 256KB."
    }


def test_a_process_that_ends_itself_answers_nothing(run):
    process = run("Fails::Run").ready()
    assert process.call({"how": "exit"}) is None
    assert process.wait() == 7


def test_threads_left_behind_do_not_keep_the_process(run):
    process = run("Fails::Run").ready()
    assert process.result({"how": "thread"}) == "left one"
    process.socket.close()
    assert process.wait() == 0


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ("Absent::X", "Unable to load type 'Example.Absent' from assembly 'Example'."),
        ("Kinds::Absent", "Unable to find method 'Absent' in type 'Example.Kinds' from assembly "
         "'Example': Found no methods matching method name 'Absent'."),
        ("Kinds::Overloaded", "appears to have a number of overloads"),
        ("Kinds", "Invalid lambda function handler: 'Example::Example.Kinds'. The valid format is "
         "'ASSEMBLY::TYPE::METHOD'."),
        ("Kinds::", "the method is missing"),
        ("Fails::AsyncVoid", "it is an 'async void' method"),
        ("Fails::Generic", "it is a generic method"),
        ("Fails::Params", "it is a 'params' method"),
        ("Fails::Three", "the method has more than 2 parameters"),
        ("Fails::TwoInputs", "the second parameter is not of type 'Amazon.Lambda.Core.ILambda"),
        ("Unfinished::Handler", "its type 'Example.Unfinished' is abstract"),
        ("Unfinished::Missing", "it is an abstract method"),
    ],
)  # fmt: skip
def test_a_handler_that_is_none_ends_the_init(run, handler, message):
    process = run(handler)
    document = process.failed_init()
    assert document["errorType"] == "LambdaValidationException"
    assert message in document["errorMessage"]
    assert process.wait() == 1


def test_a_class_that_breaks_ends_the_init(run):
    process = run("Broken::Handler")
    document = process.failed_init()
    assert document["errorType"] == "TargetInvocationException"
    assert document["cause"]["errorMessage"] == "no database"
    assert process.wait() == 1
    assert "no database" in process.logs()[0].text
    document = run("BrokenStatic::Handler").failed_init()
    assert document["errorType"] == "TypeInitializationException"
    assert document["cause"]["errorType"] == "FormatException"


def test_an_assembly_that_is_not_in_the_package_is_named(start, dotnet, package):
    process = start(launch_of(dotnet), "Elsewhere::A::B", functions=package)
    message = process.failed_init()["errorMessage"]
    assert message.startswith("Could not find the specified handler assembly with the file name")
    assert "'Elsewhere, Culture=neutral, PublicKeyToken=null'" in message


def test_the_context_holds_what_the_call_and_the_environment_say(run):
    process = run("Surroundings::Context").ready()
    found = process.result(
        None,
        trace="Root=1-2;Parent=3;Sampled=1",
        client_context='{"custom":{"a":"1"},"client":{"app_title":"shop app"}}',
        cognito='{"cognitoIdentityId":"who","cognitoIdentityPoolId":"pool"}',
        tenant="blue",
    )
    assert 0 < found.pop("remaining") <= 3000
    plain = {
        "id": REQUEST_ID,
        "name": "shop",
        "version": "$LATEST",
        "arn": "arn:aws:lambda:eu-west-1:000000000000:function:shop",
        "group": "/aws/lambda/shop",
        "stream": "2026/11/20/[$LATEST]0123",
        "memory": 128,
        "future": "default",
        "serializer": "Serializer",
    }
    assert found == {
        **plain,
        "trace": "Root=1-2;Parent=3;Sampled=1",
        "variable": "Root=1-2;Parent=3;Sampled=1",
        "tenant": "blue",
        "identity": "who",
        "title": "shop app",
        "custom": {"a": "1"},
    }
    bare = process.result()
    assert 0 < bare.pop("remaining") <= 3000
    assert {name: value for name, value in bare.items() if value is not None} == plain
    assert [event.text.split("\t")[1:] for event in process.logs()] == [
        [REQUEST_ID, "warn", "a warning"],
        [REQUEST_ID, "info", "a line"],
        [REQUEST_ID, "fail", "all failed\nSystem.Exception: why"],
        [],
    ] * 2
    assert process.logs()[3].text == "raw"


def test_the_heap_is_sized_for_the_function(run, dotnet):
    if dotnet.major < 8:
        pytest.skip("a process can be told so from .NET 8 on")
    process = run("Surroundings::Heap", AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512").ready()
    assert process.result() == 512


@pytest.mark.parametrize(
    ("settings", "reads"),
    [
        ({}, 1),
        ({"AWS_LAMBDA_DOTNET_PREJIT": "Always"}, 2),
        ({"AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency"}, 2),
        ({"AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency",
          "AWS_LAMBDA_DOTNET_PREJIT": "Never"}, 1),
    ],
)  # fmt: skip
def test_code_and_serializer_are_tried_ahead_where_it_is_asked_for(run, settings, reads):
    process = run("Kinds::Counts", **settings).ready()
    assert process.result("x") == f"read {reads}"


def test_log_events_are_whole_and_printed_lines_have_their_level(run):
    process = run("Surroundings::Prints").ready()
    assert process.result("x") == "printed"
    events = [(event.kind, event.text.split("\t")[2:]) for event in process.logs()]
    assert events == [
        (0xA55A000F, ["info", "plain: ö"]),
        (0xA55A000F, ["info", "5"]),
        (0xA55A000F, ["info", "1 and 2"]),
        (0xA55A0017, ["fail", "to errors"]),
        (0xA55A0003, []),
        (0xA55A0003, ["two\nlines"]),
        (0xA55A0013, ["warn", "3 of cheese"]),
    ]
    assert process.logs()[4].text == "unfinished"


def test_json_logs_are_objects_filtered_by_level(run):
    settings = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "WARN"}
    process = run("Surroundings::Prints", **settings).ready()
    process.result("x", trace="Root=1")
    texts = [event.text for event in process.logs() if event.kind & 3 == 2]
    records = [json.loads(text) for text in texts]
    assert all(record.pop("timestamp") for record in records)
    common = {"requestId": REQUEST_ID, "traceId": "Root=1"}
    assert records == [
        {"level": "Error", **common, "message": "to errors"},
        {"level": "Information", **common, "message": "two\nlines"},
        {"level": "Warning", **common, "message": "3 of cheese", "count": 3, "kind": "cheese"},
    ]


def test_without_a_log_descriptor_events_go_to_the_output(run):
    process = run("Surroundings::Prints", framed=False).ready()
    process.result("x")
    lines = process.output.read_text().splitlines()
    assert lines[0].endswith("\tinfo\tplain: ö")
    assert lines[-1].endswith("\twarn\t3 of cheese")


@pytest.mark.parametrize(
    ("missing", "status"), [("Example.deps.json", 105), ("Example.runtimeconfig.json", 106)]
)
def test_a_package_without_its_settings_says_which(run, package, tmp_path, missing, status):
    for file in package.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / missing).unlink()
    process = run("Kinds::Echo", functions=tmp_path)
    assert process.wait() == status
    assert f"missing the required .{missing.partition('.')[2]} file" in process.errors.read_text()


def test_the_settings_may_have_another_name_than_the_assembly(run, package, tmp_path):
    for file in package.iterdir():
        name = file.name.replace("Example.", "Main.") if file.suffix == ".json" else file.name
        (tmp_path / name).write_bytes(file.read_bytes())
    assert run("Kinds::Echo", functions=tmp_path).ready().result(1) == 1


def test_a_program_that_is_not_there_is_named(start, dotnet, package):
    launch = launch_of(dotnet).for_handler("Absent")
    assert launch.link is Link.HTTP
    process = start(launch, "Absent", functions=package)
    assert process.wait() == 104
    assert "Absent.dll or binary" in process.errors.read_text()


def test_a_dotnet_that_is_missing_is_named(tmp_path):
    with pytest.raises(RuntimeUnavailableError) as caught:
        DotnetFamily(Dotnets(SearchPlaces(extra=(tmp_path,)))).launch("dotnet6", tmp_path)
    if 6 in installed():
        pytest.skip("this host has .NET 6")
    assert str(caught.value) == (
        "dotnet6 needs .NET 6, which this host does not have: install aspnetcore-runtime-6.0, so "
        "that `dotnet` is on PATH or DOTNET_ROOT names its folder."
    )
