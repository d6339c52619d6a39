"""The Java client on every Java of this host, whether AWS has that version or not.

Expectations: the developer guide's pages on Java, and what AWS's own client and serializer were
seen to answer for the same classes and documents.
"""

import functools
import importlib.util
import json
import os
import re
import subprocess
import time
import zipfile
from pathlib import Path
from string import ascii_letters, digits

import pytest

from alonzo.runtimes.base import RuntimeUnavailableError
from alonzo.runtimes.framing import Kind
from alonzo.runtimes.interpreters import BOOTSTRAPS, SearchPlaces
from alonzo.runtimes.java import JavaFamily, launch_of
from alonzo.runtimes.jvms import Jvms

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "tests/functions/java"
CLIENT = BOOTSTRAPS / "java/client.jar"
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"


@functools.cache
def installed():
    places = SearchPlaces(path=tuple(map(Path, os.environ["PATH"].split(":"))), home=Path.home())
    found = {}
    for jvm in Jvms(places).all():
        found.setdefault(jvm.major, jvm)
    return found


def compiler(oldest=8):
    """The oldest ``javac`` of this host, whose classes every Java here can run."""
    for major, jvm in sorted(installed().items()):
        javac = jvm.interpreter.prefix / "bin/javac"
        if major >= oldest and javac.exists():
            return javac
    return pytest.skip("no Java compiler on this host: install a JDK to run these tests")


@pytest.fixture(scope="session")
def classes(tmp_path_factory):
    """The functions, compiled for Java 8."""
    folder = tmp_path_factory.mktemp("java")
    javac = compiler()
    compile_into(folder, javac, *sorted(SOURCES.rglob("*.java")))
    (folder / "settings.txt").write_text("here")
    return folder


def compile_into(folder, javac, *files, release="8"):
    options = ("-Xlint:-options", "--release", release, "-cp", CLIENT, "-d", folder)
    subprocess.run((javac, *options, *files), check=True, timeout=50)


def pytest_generate_tests(metafunc):
    """Java of every version, executed and parked; the older ones as the platform starts them."""
    if "jvm" in metafunc.fixturenames:
        given = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
        versions = sorted(installed(), reverse=True) or ["none"]
        if "way" in given:
            metafunc.parametrize("jvm", versions, indirect=True)
        else:
            newest, *older = versions
            ways = [(newest, "executed"), *((version, "parked") for version in versions)]
            ways += [pytest.param(old, "executed", marks=pytest.mark.nightly) for old in older]
            metafunc.parametrize(("jvm", "way"), ways, indirect=["jvm"])


@pytest.fixture
def jvm(request):
    if request.param == "none":
        pytest.skip("no Java on this host: install one to run these tests")
    return installed()[request.param]


@pytest.fixture
def run(jvm, classes, start):
    """Starts a handler of the compiled classes."""

    def run(handler, *, functions=classes, **options):
        return start(launch_of(jvm), handler, functions=functions, **options)

    return run


def test_the_archive_was_built_from_its_sources():
    spec = importlib.util.spec_from_file_location("build", ROOT / "tools/build_java_client.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    with zipfile.ZipFile(CLIENT) as archive:
        manifest = archive.read("META-INF/MANIFEST.MF").decode()
    assert f"Sources-SHA256: {build.digest(build.FOLDER / 'source')}" in manifest, (
        "run python tools/build_java_client.py"
    )


def test_events_of_every_size_and_alphabet_come_back_unharmed(run):
    process = run("example.Echo").ready()
    big = {"text": "x" * 6_000_000}
    for event in [
        {},
        [],
        None,
        "",
        0,
        1.5,
        True,
        12345678901,
        {"é": "☃😀\u2028", "d": [[{}]]},
        big,
    ]:
        assert process.result(event) == event
    escapes = b'"\\u00e9\\ud83d\\ude00\\n\\"\\\\\\/\\b"'
    assert process.result(escapes) == 'é😀\n"\\/\b'
    assert process.result(b" [ 1e3 , -0.5 , 123456789012345678901234567890 ] ") == [
        1000.0,
        -0.5,
        123456789012345678901234567890,
    ]


def test_thousands_of_calls_leave_nothing_behind(run):
    process = run("example.Methods::count").ready()
    for number in range(2000):
        assert process.result({}) == number + 1


def test_an_event_cut_anywhere_arrives_whole(run):
    process = run("example.Echo").ready()
    send = process.socket.sendall

    def in_pieces(data):
        for cut in (data[:1], data[1:3], data[3:6], data[6:40], data[40:]):
            send(cut)
            time.sleep(0.005)  # lets the other side read the piece by itself

    class Cutting:
        recv = process.socket.recv
        close = process.socket.close
        sendall = staticmethod(in_pieces)

    process.socket = Cutting()
    assert process.result({"a": [1, 2]}) == {"a": [1, 2]}


def test_streams_are_passed_as_they_are(run):
    assert run("example.Streams").ready().result({"a": [1]}) == {"a": [1]}
    assert run("example.Streams::plain").ready().result({"a": "b"}) == "{'a': 'b'}"


@pytest.mark.parametrize(
    ("method", "event", "result"),
    [
        ("upper", "text", "TEXT"),
        ("upper", 5, "5"),
        ("upper", None, None),
        ("sum", [1, 2, "3"], 6),
        ("sum", 4, 4),
        ("lengths", {"a": "xyz", "b": 12}, {"a": 3, "b": 2}),
        ("nothing", "x", None),
        ("who", "x", "shop"),
        ("half", "84", 42),
        ("half", None, 0),
        ("overloaded", "x", "text and context"),
    ],
)
def test_plain_methods_take_and_give_what_their_signatures_say(run, method, event, result):
    assert run(f"example.Methods::{method}").ready().result(event) == result


def test_objects_are_bound_by_their_properties(run):
    process = run("example.Methods::order").ready()
    order = {
        "customer": "ö",
        "total": "1.5",
        "colour": "GREEN",
        "seal": "AQID",
        "placed": "1970-01-01T00:00:01Z",
        "due": 1.25,
        "paid": 1,
        "secret": "told",
        "unknown": {"any": []},
        "lines": {"item": "one", "pieces": None},
    }
    body = process.call(order).body.decode()
    # Members in the order of the fields, without those that are null.
    assert body == (
        '{"customer":"ö","total":3.0,"colour":"GREEN","seal":"AQID","placed":1000,'
        '"due":1.250000000,"paid":true,"lines":[{"item":"one"},{"item":"extra","pieces":1}],'
        '"URL":"http://shop/ö"}'
    )
    assert process.result({"colour": "BLUE", "lines": []})["lines"] == [
        {"item": "extra", "pieces": 1}
    ]


def test_classes_of_the_events_library_are_met_half_way(run):
    handler = "com.amazonaws.services.lambda.runtime.events.ExampleEvent::handler"
    times = {"ApproximateTime": 1.5, "detail-type": "x", "NULL": True, "image": {"a": "AQI="}}
    event = {"Records": [{"eventSourceARN": "arn", "Size": 3, "times": times, "other": 1}]}
    assert run(handler).ready().result(event) == "arn 3 1500 x true 2"


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        (b'{"total": {}}', "Cannot make a double from an object"),
        (b'{"total": "x"}', "Cannot make a double from x"),
        (b'"text"', "Cannot make a example.Methods$Order from String"),
        (b"{", "Unexpected the end at offset 1: expected a name"),
        (b'{"a": 01}', "expected a value"),
        (b'{"a": 1,}', "expected a name"),
        (b"[" * 100_000, "Nested deeper than 1000 levels"),
        (b'{"placed": "whenever"}', "Cannot read the date 'whenever'"),
    ],
)
def test_an_event_that_does_not_fit_fails_the_call_and_no_more(run, event, cause):
    process = run("example.Methods::order").ready()
    document = process.error(event)
    assert document["errorType"] == "java.lang.RuntimeException"
    assert document["errorMessage"] == "An error occurred during JSON parsing"
    assert cause in process.logs()[0].text
    assert process.result({})["total"] == 0


def test_an_exception_comes_with_its_trace_and_is_logged(run):
    process = run("example.Fails").ready()
    document = process.error({"how": "raise", "message": "ö no"})
    trace = document.pop("stackTrace")
    assert document == {"errorMessage": "ö no", "errorType": "example.Fails$OutOfCheese"}
    assert [line.split("(")[0] for line in trace[:3]] == [
        "example.Fails.check",
        "example.Fails.handleRequest",
        "example.Fails.handleRequest",
    ]
    assert not any("alonzo" in line for line in trace)
    (event,) = process.logs()
    assert event.kind == 0xA55A0003
    assert abs(event.time_us / 1e6 - time.time()) < 5
    lines = event.text.split("\n")
    assert lines[0] == "ö no: example.Fails$OutOfCheese"
    assert lines[1] == "example.Fails$OutOfCheese: ö no"
    assert lines[2].startswith("\tat example.Fails.check(Fails.java:")
    assert "Caused by: java.lang.IllegalArgumentException: the cause" in event.text


def test_results_that_are_no_json_fail_the_call(run):
    process = run("example.Fails").ready()
    for how, cause in (("loop", "Nested deeper than 1000 levels"), ("getter", "not now")):
        document = process.error({"how": how})
        assert document["errorMessage"] == "An error occurred during JSON serialization of response"
        assert cause in process.logs()[-1].text
    assert process.error({"how": "stubborn"})["errorMessage"] == "example.Fails$Stubborn"
    assert process.result({"how": "interrupt"}) == "interrupted"
    assert process.result({"how": "1"}) == "awake"


@pytest.mark.parametrize(
    ("how", "kind"), [("deep", "StackOverflowError"), ("memory", "OutOfMemoryError")]
)
def test_after_an_error_of_the_machine_the_process_ends(run, how, kind):
    process = run("example.Fails").ready()
    frame = process.call({"how": how})
    header = {"id": REQUEST_ID, "type": f"java.lang.{kind}", "last": True}
    assert (frame.kind, frame.header) == (Kind.ERROR, header)
    assert process.frame() is None
    process.wait()


def test_a_process_that_ends_itself_answers_nothing(run):
    process = run("example.Fails").ready()
    assert process.call({"how": "exit"}) is None
    assert process.wait() == 7


def test_threads_left_behind_do_not_keep_the_process(run):
    process = run("example.Fails").ready()
    assert process.result({"how": "threads"}) == "left one"
    process.socket.close()
    assert process.wait() == 0


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        ("example.Absent", "java.lang.ClassNotFoundException", "Class not found: example.Absent"),
        ("example.Echo::absent", None, "No public method named absent with appropriate method "
         "signature found on class example.Echo"),
        ("example.Methods::unfit", None, "No public method named unfit with appropriate method "
         "signature found on class example.Methods"),
        ("example.Methods", None,
         "Class does not implement an appropriate handler interface: example.Methods"),
        ("::x", None, "Invalid handler: `::x'"),
    ],
)  # fmt: skip
def test_a_handler_that_is_not_there_is_the_answer_to_every_call(run, handler, error_type, message):
    process = run(handler).ready()
    for _ in range(2):
        frame = process.call({})
        expected = {"errorMessage": message}
        if error_type is not None:
            expected["errorType"] = error_type
        assert json.loads(frame.body) == expected
        assert frame.header == {"id": REQUEST_ID, "type": error_type or "Runtime.BadFunctionCode"}


def test_a_class_that_breaks_ends_the_init(run):
    process = run("example.BrokenConstructor")
    assert process.failed_init() == {
        "errorMessage": "no database",
        "errorType": "java.lang.IllegalStateException",
    }
    assert process.wait() == 1
    process = run("example.BrokenClass::handler")
    assert process.failed_init() == {
        "errorMessage": "Error loading class example.BrokenClass",
        "errorType": "java.lang.ExceptionInInitializerError",
    }
    assert 'For input string: "none"' in process.logs()[0].text


def test_the_context_holds_what_the_call_and_the_environment_say(run):
    process = run("example.Surroundings::context").ready()
    found = process.result(
        None,
        trace="Root=1-2;Parent=3;Sampled=1",
        client_context='{"custom":{"a":"1"},"client":{"app_title":"shop app"}}',
        cognito='{"cognitoIdentityId":"who","cognitoIdentityPoolId":"pool"}',
        tenant="blue",
    )
    assert 0 < found.pop("remaining_ms") <= 3000
    plain = {
        "functionName": "shop",
        "functionVersion": "$LATEST",
        "invokedFunctionArn": "arn:aws:lambda:eu-west-1:000000000000:function:shop",
        "memoryLimitInMB": 128,
        "awsRequestId": REQUEST_ID,
        "logGroupName": "/aws/lambda/shop",
        "logStreamName": "2026/11/20/[$LATEST]0123",
    }
    assert found == {
        **plain,
        "traceId": "Root=1-2;Parent=3;Sampled=1",
        "trace": "Root=1-2;Parent=3;Sampled=1",
        "identity": "who",
        "custom": {"a": "1"},
        "title": "shop app",
        "tenantId": "blue",
    }
    bare = process.result()
    assert 0 < bare.pop("remaining_ms") <= 3000
    assert bare == plain


def test_the_machine_is_sized_and_placed_for_the_function(run, jvm, classes):
    process = run("example.Surroundings::machine", AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512")
    found = process.ready().result()
    assert re.match(rf"(1\.)?{jvm.major}[.\b]", found["version"])
    # The collector keeps one of its spaces for itself.
    assert 380 <= found["heap_mib"] <= 435
    assert found["resource"] is True
    assert found["loader"] == "java.net.URLClassLoader"


def test_variables_are_the_same_for_every_who_asks(run):
    users = {"GREETING": "Grüße 世界", "EMPTY": "", "EQUALS": "a=b=c", "LONG": "x" * 3000}
    asked = run("example.Places::variables", **users).ready().result()
    kernel = dict(text.split("=", 1) for text in asked["kernel"].strip("\0").split("\0"))
    assert users.items() <= kernel.items()
    assert not [name for name in kernel if name.startswith("_ALONZO")]
    assert (asked["one"], asked.get("absent")) == ("example.Places::variables", None)
    assert asked["map"].keys() == kernel.keys()
    # Java reads text as its locale says, which this host may not have.
    assert {name: text for name, text in asked["map"].items() if name != "GREETING"} == {
        name: text for name, text in kernel.items() if name != "GREETING"
    }
    for child, added in (("of_child", {}), ("of_changed_child", {"ADDED": "1"})):
        lines = [line.split("=", 1) for line in asked[child].splitlines()]
        assert dict(lines) == {**kernel, **added}


@pytest.mark.parametrize("way", ["parked"])
def test_a_parked_process_has_what_an_executed_one_has(run):
    found = [
        run("example.Places::variables", way=way, GREETING="Grüße").ready().result()["map"]
        for way in ("executed", "parked")
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("way", ["parked"])
def test_as_many_variables_as_a_function_may_have_find_room(run):
    # The shortest names and values of which the most go into 4 KB of JSON.
    many = {f"{a}{b}": "" for a in ascii_letters for b in digits}
    longest = {"X" * 100: "y" * 3900}
    for users in (many, longest):
        found = run("example.Places::variables", way="parked", **users).ready().result()["map"]
        assert users.items() <= found.items()


@pytest.mark.parametrize("way", ["parked"])
def test_a_process_that_is_parked_ends_with_the_daemon(run, jvm, start, classes):
    process = start(launch_of(jvm), "example.Echo", functions=classes, way="parked", told=False)
    process.socket.close()
    assert process.wait() == 0


def test_log_events_are_whole_and_printed_lines_are_lines(run):
    process = run("example.Surroundings::prints").ready()
    process.result({})
    events = [(event.kind, event.text) for event in process.logs()]
    assert events == [
        (0xA55A0003, "two\nlines"),
        (0xA55A0013, "[WARN] a warning"),
        (0xA55A0003, "bytes"),
    ]
    assert process.output.read_text() == "plain out: ö\nunfinished"
    assert process.errors.read_text() == "plain err\n"


def test_json_logs_are_objects_filtered_by_level(run):
    settings = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "ERROR"}
    process = run("example.Surroundings::prints", **settings).ready()
    process.result({})
    events = process.logs()
    assert [event.kind for event in events] == [0xA55A0002, 0xA55A0002]
    record = json.loads(events[0].text)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("timestamp"))
    assert record == {"level": "UNDEFINED", "message": "two\nlines", "AWSRequestId": REQUEST_ID}


def test_without_a_log_descriptor_events_go_to_the_output(run):
    process = run("example.Surroundings::prints", framed=False).ready()
    process.result({})
    assert process.output.read_text().startswith("plain out: ö\ntwo\nlines[WARN] a warning")


def test_libraries_of_the_package_are_found(run, classes, tmp_path):
    (tmp_path / "lib").mkdir()
    with zipfile.ZipFile(tmp_path / "lib/functions.jar", "w") as archive:
        for file in classes.rglob("*.class"):
            archive.write(file, file.relative_to(classes))
    assert run("example.Echo", functions=tmp_path).ready().result(1) == 1


def test_a_package_may_bring_a_serializer(run, classes, tmp_path):
    (tmp_path / "lib").mkdir()
    with zipfile.ZipFile(tmp_path / "lib/functions.jar", "w") as archive:
        for file in classes.rglob("*.class"):
            archive.write(file, file.relative_to(classes))
    services = tmp_path / "META-INF/services"
    services.mkdir(parents=True)
    name = "com.amazonaws.services.lambda.runtime.CustomPojoSerializer"
    (services / name).write_text("example.Custom\n")
    process = run("example.Methods::upper", functions=tmp_path).ready()
    assert process.result(1) == "custom CUSTOM INPUT"


def test_records_are_read_and_written(run, jvm, tmp_path):
    if jvm.major < 16:
        pytest.skip("records came with Java 16")
    source = tmp_path / "Records.java"
    source.write_text(
        "public class Records { public record Point(int x, String name) {}\n"
        "  public static Point move(Point p) { return new Point(p.x() + 1, p.name()); } }\n"
    )
    compile_into(tmp_path, compiler(17), source, release="17")
    process = run("Records::move", functions=tmp_path).ready()
    assert process.result({"x": 1, "name": "a"}) == {"x": 2, "name": "a"}
    assert process.result({}) == {"x": 1}


def test_a_java_that_is_missing_is_named(tmp_path):
    missing = next(major for major in (8, 11, 21, 25) if major not in installed())
    with pytest.raises(RuntimeUnavailableError) as caught:
        JavaFamily(Jvms(SearchPlaces())).launch(f"java{missing}", tmp_path)
    command = "" if missing == 8 else f"run `alonzo runtime install java{missing}`, or "
    assert str(caught.value) == (
        f"java{missing} needs Java {missing}, which this host does not have: {command}have that "
        "`java` on PATH or below /usr/lib/jvm."
    )
