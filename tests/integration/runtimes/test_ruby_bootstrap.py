"""The Ruby bootstrap on every Ruby of this host, whether AWS has that version or not.

Expectations: the developer guide's pages on Ruby and the observable behaviour of AWS's own client.
"""

import functools
import json
import os
import re
import time
from pathlib import Path

import pytest

from alonzo.runtimes.base import RuntimeUnavailableError
from alonzo.runtimes.framing import Kind
from alonzo.runtimes.interpreters import SearchPlaces
from alonzo.runtimes.rubies import Rubies
from alonzo.runtimes.ruby import RubyFamily, launch_of

FUNCTIONS = Path(__file__).parents[2] / "functions" / "ruby"
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}"


@functools.cache
def installed():
    places = SearchPlaces(path=tuple(map(Path, os.environ["PATH"].split(":"))), home=Path.home())
    return {ruby.version: ruby for ruby in Rubies(places).all()}


@pytest.fixture(params=installed() or ["none"])
def ruby(request):
    if request.param == "none":
        pytest.skip("no Ruby on this host: install one to run these tests")
    found = installed()[request.param]
    if tuple(map(int, found.version.split(".")[:2])) < (2, 7):
        pytest.skip(f"Ruby {found.version} is older than 2.7")
    return launch_of(found)


@pytest.fixture(params=["executed", "parked"])
def way(request):
    return request.param


def test_events_of_every_size_and_alphabet_come_back_unharmed(ruby, start):
    process = start(ruby, "echo.handler").ready()
    big = {"text": "x" * 6_000_000}
    for event in [{}, [], None, "", 0, 1.5, True, {"é": "☃😀\u2028", "deep": [[None]]}, big]:
        assert process.result(event) == event


def test_two_thousand_calls_leave_nothing_behind(ruby, start):
    process = start(ruby, "counter.handler").ready()
    for number in range(2000):
        assert process.result({}) == number + 1


def test_an_event_cut_anywhere_arrives_whole(ruby, start):
    process = start(ruby, "echo.handler").ready()
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


@pytest.mark.parametrize("framed", [True, False])
def test_json_logs_are_objects_of_loggers_alone(ruby, start, framed):
    settings = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    process = start(ruby, "records.handler", framed=framed, **settings).ready()
    process.result({})
    if framed:
        kinds = [event.kind for event in process.logs()]
        assert kinds == [0xA55A0002] * 3 + [0xA55A0003] + [0xA55A0002] * 2
        texts = [event.text for event in process.logs()]
    else:
        texts = process.output.read_text().splitlines()
    assert texts.pop(3) == "plain"
    records = [json.loads(text) for text in texts]
    for record in records:
        assert re.fullmatch(STAMP + "Z", record.pop("timestamp"))
        assert record.pop("requestId") == REQUEST_ID
    failed = records[3]
    assert failed.pop("stackTrace")[0].startswith(f"{FUNCTIONS}/records.rb:9:in ")
    assert re.fullmatch(rf"{FUNCTIONS}/records\.rb:(Object#)?fail_here:9", failed.pop("location"))
    assert records == [
        {"level": "INFO", "message": "two\nlines", "logger": "shop"},
        {"level": "WARN", "message": records[1]["message"]},
        {"level": "DEBUG", "message": "low\ufffd"},
        {
            "level": "ERROR",
            "message": "no cheese",
            "logger": "shop",
            "errorType": "OutOfCheese",
            "errorMessage": "no cheese",
        },
        {
            "level": "ERROR",
            "message": "never raised",
            "logger": "shop",
            "errorType": "OutOfCheese",
            "errorMessage": "never raised",
            "stackTrace": [],
        },
    ]
    # Ruby 3.4 shows objects in another way.
    assert re.fullmatch(r"\{(:cheese=>|cheese: )0\}", records[1]["message"])


def test_handlers_of_every_form_are_found(ruby, start):
    assert start(ruby, "classes.Shop.handler").ready().result(1) == ["module", 1]
    assert start(ruby, "classes.Shop::Till.ring").ready().result(2) == ["class", 2]
    assert start(ruby, "lib_folder/inside.handler").ready().result(3) == 3


def test_results_are_written_as_to_json_does(ruby, start):
    process = start(ruby, "results.handler").ready()
    bodies = {
        kind: process.call(kind).body.decode()
        for kind in ("nothing", "symbol", "stream", "unicode", "object")
    }
    assert bodies == {
        "nothing": "null",
        "symbol": '{"a":"b"}',
        "stream": "bytes as they are",
        "unicode": '{"é":"☃😀"}',
        "object": '"Object"',
    }
    assert process.error("nan")["errorType"] == "Function<JSON::GeneratorError>"
    assert process.result("nothing") is None


def test_an_exception_comes_with_its_trace_and_is_logged(ruby, start):
    process = start(ruby, "error.handler").ready()
    document = process.error({"message": "ö no"})
    trace = document.pop("stackTrace")
    assert document == {"errorMessage": "ö no", "errorType": "Function<OutOfCheese>"}
    assert [re.sub(r":in .*", "", line) for line in trace] == [
        f"{FUNCTIONS}/error.rb:9",
        f"{FUNCTIONS}/error.rb:5",
    ]
    (event,) = process.logs()
    assert abs(event.time_us / 1e6 - time.time()) < 5
    title, report = event.text.split("\n")
    assert title == "Error raised from handler method"
    assert json.loads(report) == {**document, "stackTrace": trace}
    assert process.error({})["errorMessage"] == "redo from start"


def test_an_error_whose_text_cannot_be_had_is_still_answered(ruby, start):
    process = start(ruby, "stubborn.handler").ready()
    assert process.error("message")["errorMessage"] == "Stubborn"
    assert process.error("binary")["errorMessage"] == "\ufffd\ufffd"
    assert process.error("deep")["errorType"] == "Function<JSON::NestingError>"


@pytest.mark.parametrize(
    ("event", "error_type"),
    [
        ("name", "NameError"),
        ("method", "NoMethodError"),
        ("exit", "SystemExit"),
        ("memory", "NoMemoryError"),
    ],
)
def test_after_a_critical_error_the_process_ends(ruby, start, event, error_type):
    process = start(ruby, "critical.handler").ready()
    frame = process.call(event)
    header = {"id": REQUEST_ID, "type": f"Function<{error_type}>", "last": True}
    assert (frame.kind, frame.header) == (Kind.ERROR, header)
    assert process.wait() == 255
    assert process.logs()[0].text.startswith("Critical exception from handler\n")


def test_a_process_that_ends_itself_answers_nothing(ruby, start):
    process = start(ruby, "critical.handler").ready()
    assert process.call("gone") is None
    assert process.wait() == 7


def test_a_handler_that_is_not_there_is_found_out_at_the_first_call(ruby, start):
    process = start(ruby, "echo.other").ready()
    document = json.loads(process.call().body)
    assert document["errorType"] == "Function<NoMethodError>"
    assert document["errorMessage"].startswith("undefined method ")


def test_what_keeps_a_handler_from_loading_has_a_name(ruby, start):
    def document(handler):
        process = start(ruby, handler)
        answer = process.failed_init()
        assert process.wait() == 1
        (event,) = process.logs()
        assert event.text.startswith(f"Init error when loading handler {handler}\n")
        return answer["errorType"], answer["errorMessage"]

    kind, message = document("echo")
    assert kind == "Init<ArgumentError>"
    assert message.startswith('Invalid handler ["echo"], must be of form FILENAME.METHOD or ')
    assert document("absent.handler") == ("Init<LoadError>", "cannot load such file -- absent")
    assert document("broken_import.handler") == (
        "Init<LoadError>",
        "cannot load such file -- not-installed-anywhere",
    )
    assert document("broken_syntax.handler")[0] == "Init<SyntaxError>"
    assert document("broken_init.handler") == ("Init<RuntimeError>", "no database")
    assert document("exits_at_init.handler") == ("Init<SystemExit>", "exit")


def test_an_event_that_is_no_json_fails_the_call(ruby, start):
    process = start(ruby, "echo.handler").ready()
    assert process.error(b"{")["errorType"] == "Runtime<JSON::ParserError>"
    assert process.result(1) == 1


def test_the_context_holds_what_the_call_and_the_environment_say(ruby, start):
    process = start(ruby, "context.handler").ready()
    found = process.result(
        None,
        trace="Root=1-2;Parent=3;Sampled=1",
        client_context='{"custom":{"a":1}}',
        cognito='{"cognitoIdentityId":"who","cognitoIdentityPoolId":"pool"}',
        tenant="blue",
    )
    assert 0 < found.pop("remaining_ms") <= 3000
    assert found.pop("deadline_ms") > time.time() * 1000
    plain = {
        "function_name": "shop",
        "function_version": "$LATEST",
        "invoked_function_arn": "arn:aws:lambda:eu-west-1:000000000000:function:shop",
        "memory_limit_in_mb": "128",
        "aws_request_id": REQUEST_ID,
        "log_group_name": "/aws/lambda/shop",
        "log_stream_name": "2026/11/20/[$LATEST]0123",
    }
    assert found == {
        **plain,
        "identity": {"cognitoIdentityId": "who", "cognitoIdentityPoolId": "pool"},
        "client_context": {"custom": {"a": 1}},
        "tenant_id": "blue",
        "trace": "Root=1-2;Parent=3;Sampled=1",
    }
    bare = process.result(deadline_ms=0)
    assert (bare["remaining_ms"], bare["trace"], bare["identity"]) == (0, None, None)


def test_what_is_put_and_logged_becomes_events(ruby, start):
    process = start(ruby, "prints.handler").ready()
    process.result({})
    texts = [event.text for event in process.logs()]
    assert texts[:2] == ["hello\nworld\n1\n2", ""]
    head = rf"\[{STAMP} #\d+\] "
    assert re.fullmatch(rf"I, {head} INFO {REQUEST_ID} -- : told\n", texts[2])
    assert re.match(rf"E, {head}ERROR {REQUEST_ID} -- : shown \(RuntimeError\)\n", texts[3])
    assert texts[4:] == ["\ufffd"]
    assert process.output.read_text() == "plain out\nunfinished"
    assert process.errors.read_text() == "plain err\n"


def test_a_function_may_take_its_output_away(ruby, start):
    process = start(ruby, "silent.handler").ready()
    assert [process.result(how) for how in ("close", "replace", "replace")] == ["quiet"] * 3


def test_without_a_log_descriptor_events_are_lines_of_output(ruby, start):
    process = start(ruby, "prints.handler", framed=False).ready()
    process.result({})
    lines = process.output.read_bytes().split(b"\n")
    assert lines[:2] == [b"hello", b"world"]
    assert b"plain out" in lines


def test_the_function_finds_itself_in_aws_s_surroundings(ruby, start):
    found = start(ruby, "environment.handler", TZ="Asia/Tokyo").ready().result()
    assert not {"_LAMBDA_TELEMETRY_LOG_FD", "_ALONZO_PARK"} & set(found["variables"])
    assert found["path"][0] == str(FUNCTIONS)
    assert found["path"][-1] == "/opt/ruby/lib"
    abi = ".".join(found["version"].split(".")[:2]) + ".0"
    assert found["gems"][:2] == [
        f"/var/task/vendor/bundle/ruby/{abi}",
        f"/opt/ruby/gems/{abi}",
    ]
    assert (found["external"], found["zone"]) == ("UTF-8", "JST")


def test_a_parked_process_moves_to_its_function_s_folder(ruby, start):
    found = start(ruby, "environment.handler", way="parked").ready().result()
    assert found["folder"] == str(FUNCTIONS)


def test_gems_of_the_package_and_of_layers_are_found(ruby, start, tmp_path):
    for place in ("bundled", "layered"):
        gem = tmp_path / f"{place}/gems/{place}-1.0"
        (gem / "lib").mkdir(parents=True)
        (gem / f"lib/{place}.rb").write_text(f"def {place}; '{place}'; end\n")
        (tmp_path / f"{place}/specifications").mkdir()
        (tmp_path / f"{place}/specifications/{place}-1.0.gemspec").write_text(
            f"Gem::Specification.new {{ |s| s.name = '{place}'; s.version = '1.0'; "
            f"s.summary = s.author = 'x'; s.files = ['lib/{place}.rb'] }}\n"
        )
    (tmp_path / "uses.rb").write_text(
        "require 'bundled'\nrequire 'layered'\ndef handler(event:, context:) = [bundled, layered]\n"
    )
    process = start(
        ruby,
        "uses.handler",
        functions=tmp_path,
        GEM_PATH=f"{tmp_path}/bundled:{tmp_path}/layered",
    )
    assert process.ready().result() == ["bundled", "layered"]


def test_a_forked_child_cannot_answer_for_its_parent(ruby, start):
    process = start(ruby, "forks.handler").ready()
    assert [process.result() for _ in range(3)] == ["parent"] * 3


def test_the_process_ends_when_the_daemon_does(ruby, start):
    process = start(ruby, "echo.handler").ready()
    process.socket.close()
    assert process.wait() == 0


@pytest.mark.parametrize("version", ["2.5", "3.4", "4.0"])
def test_a_ruby_that_is_missing_or_too_old_is_named(version, tmp_path):
    family = RubyFamily(Rubies(SearchPlaces()))
    if any(known.startswith(f"{version}.") for known in installed()):
        pytest.skip(f"this host has Ruby {version}")
    with pytest.raises(RuntimeUnavailableError) as caught:
        family.launch(f"ruby{version}", tmp_path)
    expected = (
        "ruby2.5 is too old to run here: use ruby3.4."
        if version == "2.5"
        else f"ruby{version} needs Ruby {version}, which this host does not have: have that `ruby` "
        f"on PATH, or run `rbenv install {version}`."
    )
    assert str(caught.value) == expected
