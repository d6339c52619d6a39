"""The Node.js bootstrap on every Node.js of this host: documents compared whole.

Expectations: the developer guide's error texts and the observable behaviour of AWS's own clients;
from Node.js 24 on there is another one, without callbacks.
"""

import json
import re
import time
from pathlib import Path

import pytest

from alonzo.runtimes.framing import CHUNK_BYTES_MAX

FUNCTIONS = Path(__file__).parents[2] / "functions" / "nodejs"
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ"


def is_modern(nodejs):
    return int(nodejs[6:8]) >= 24


@pytest.fixture
def classic(nodejs):
    if is_modern(nodejs):
        pytest.skip("callbacks ended with nodejs22.x")
    return nodejs


def test_events_of_every_size_and_alphabet_come_back_unharmed(nodejs, start):
    process = start(nodejs, "echo.handler").ready()
    big = {"text": "x" * 6_000_000}
    for event in [{}, [], None, "", 0, 1.5, True, {"é": "☃😀\u2028", "deep": [[None]]}, big]:
        assert process.result(event) == event


def test_two_thousand_calls_are_quick(nodejs, start):
    process = start(nodejs, "echo.handler").ready()
    began = time.perf_counter()
    for number in range(2000):
        assert process.result(number) == number
    assert time.perf_counter() - began < 5


def test_an_event_cut_anywhere_arrives_whole(nodejs, start):
    process = start(nodejs, "echo.handler").ready()
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


def test_every_kind_of_module_loads(nodejs, start):
    assert start(nodejs, "echo_cjs.handler").ready().result(1) == 1
    assert start(nodejs, "echo_esm.handler").ready().result(1) == {"ready": True, "event": 1}
    assert start(nodejs, "esm/index.handler").ready().result() == {"file": "index.js"}
    assert start(nodejs, "named.nested.deep.handler").ready().result() == "deep"


def test_results_are_written_as_json_stringify_does(nodejs, start):
    process = start(nodejs, "results.handler").ready()
    bodies = {kind: process.call({"kind": kind}).body.decode() for kind in ("nothing", "function")}
    assert bodies == {"nothing": "null", "function": "null"}
    assert process.call({"kind": "unicode"}).body.decode() == '{"é":"☃😀\u2028"}'
    assert process.result({"kind": "date"}) == "1970-01-01T00:00:00.000Z"
    document = process.error({"kind": "loop"})
    assert document["errorType"] == ("Runtime.JSONStringifyError" if is_modern(nodejs) else "Error")
    assert document["errorMessage"] == "Unable to stringify response body"


def test_an_exception_comes_with_its_trace_and_is_logged(nodejs, start):
    process = start(nodejs, "error.handler").ready()
    document = process.error({"message": "ö no"})
    trace = document.pop("trace")
    assert document == {"errorType": "OutOfCheese", "errorMessage": "ö no"}
    assert trace[0] == "OutOfCheese: ö no" or trace[0] == "Error: ö no"
    assert trace[1].startswith("    at exports.handler (") or "handler" in trace[1]
    assert f"{FUNCTIONS}/error.js:9:9" in trace[1]
    (event,) = process.logs()
    assert event.kind == 0xA55A0017
    assert abs(event.time_us / 1e6 - time.time()) < 5
    stamp, request_id, level, title, report = event.text.rstrip("\n").split("\t")
    assert re.fullmatch(STAMP, stamp)
    assert (request_id, level, title) == (REQUEST_ID, "ERROR", "Invoke Error ")
    assert json.loads(report) == {**document, "name": "OutOfCheese", "stack": trace}


def test_thrown_values_that_are_no_errors_are_described(nodejs, start):
    process = start(nodejs, "error.handler").ready()
    assert process.error({"thrown": "text"}) == {
        "errorType": "string",
        "errorMessage": "text",
        "trace": [],
    }
    assert process.error({"thrown": {"a": 1}}) == {
        "errorType": "object",
        "errorMessage": "[object Object]",
        "trace": [],
    }


def test_what_keeps_a_handler_from_loading_has_a_name(nodejs, start):
    def document(handler):
        process = start(nodejs, handler)
        answer = process.failed_init()
        assert process.wait() == (1 if is_modern(nodejs) else 129)
        assert answer.pop("trace")
        (event,) = process.logs()
        title = "Init Error" if is_modern(nodejs) else "Uncaught Exception"
        assert re.match(rf"{STAMP}\tundefined\tERROR\t{title} \t{{", event.text)
        return answer

    runtime = "Runtime."
    assert document("echo") == {
        "errorType": runtime + "MalformedHandlerName",
        "errorMessage": "Bad handler",
    }
    assert document("../echo.handler") == {
        "errorType": runtime + "MalformedHandlerName",
        "errorMessage": "'../echo.handler' is not a valid handler name. Use absolute paths when "
        "specifying root directories in handler names.",
    }
    assert document("echo.other") == {
        "errorType": runtime + "HandlerNotFound",
        "errorMessage": "echo.other is undefined or not exported",
    }
    assert document("named.notFunction") == {
        "errorType": runtime + "HandlerNotFound",
        "errorMessage": "named.notFunction is not a function",
    }
    missing = document("absent.handler")
    assert missing["errorType"] == runtime + "ImportModuleError"
    assert missing["errorMessage"].startswith("Error: Cannot find module 'absent'\nRequire stack:")
    missing = document("broken_import.handler")
    assert missing["errorType"] == runtime + "ImportModuleError"
    assert missing["errorMessage"].startswith(
        "Error: Cannot find module 'not-installed-anywhere'\n"
        f"Require stack:\n- {FUNCTIONS}/broken_import.js\n- "
    )
    broken = document("broken_syntax.handler")
    assert broken == {
        "errorType": runtime + "UserCodeSyntaxError",
        "errorMessage": "SyntaxError: Unexpected end of input",
    }
    assert document("broken_init.handler") == {
        "errorType": "Error",
        "errorMessage": "no database",
    }


def test_a_callback_handler_is_refused_from_nodejs24_on(nodejs, start):
    if not is_modern(nodejs):
        assert start(nodejs, "callback.handler").ready().result({"mode": "done"}) == "done"
        return
    document = start(nodejs, "callback.handler").failed_init()
    assert document["errorType"] == "Runtime.CallbackHandlerDeprecated"
    assert document["errorMessage"].startswith(
        "ERROR: AWS Lambda has removed support for callback-based function handlers"
    )


def test_callbacks_and_the_context_functions_end_a_call(classic, start):
    process = start(classic, "callback.handler").ready()
    assert process.result({"mode": "waits"}) == {"mode": "waits", "late": True}
    assert process.result({"mode": "at once"}) == "answered"
    assert process.result({"mode": "succeed"}) == "succeeded"
    assert process.result({"mode": "done"}) == "done"
    assert process.result({"mode": "twice"}) == "first"
    assert process.result({"mode": "never"}) is None
    assert process.error({"mode": "fail"})["errorType"] == "TypeError"
    assert process.error({"mode": "throw"})["errorType"] == "RangeError"
    assert process.error({"mode": "string"}) == {
        "errorType": "string",
        "errorMessage": "just text",
        "trace": [],
    }
    assert process.result({"mode": "done"}) == "done"


def test_a_plain_return_value_counts_from_nodejs24_on(nodejs, start):
    process = start(nodejs, "sync.handler").ready()
    assert process.result(1) == ({"plain": 1} if is_modern(nodejs) else None)


def test_an_unhandled_rejection_fails_the_call_and_ends_the_process(nodejs, start):
    process = start(nodejs, "rejects.handler").ready()
    document = process.error({}, last=True)
    assert document["trace"][0] == "Runtime.UnhandledPromiseRejection: Error: nobody listens"
    assert document["errorType"] == "Runtime.UnhandledPromiseRejection"
    assert document["errorMessage"] == "Error: nobody listens"
    assert process.wait() == 128
    assert "\tERROR\tUnhandled Promise Rejection \t{" in process.logs()[0].text


def test_an_uncaught_exception_fails_the_call_and_ends_the_process(nodejs, start):
    process = start(nodejs, "uncaught.handler").ready()
    document = process.error({}, last=True)
    assert (document["errorType"], document["errorMessage"]) == ("Error", "out of the blue")
    assert process.wait() == 129
    assert "\tERROR\tUncaught Exception \t{" in process.logs()[0].text


def test_a_rejection_before_the_first_call_is_fatal(nodejs, start):
    process = start(nodejs, "broken_later.handler")
    document = process.failed_init()
    assert document["errorType"] == "Runtime.UnhandledPromiseRejection"
    assert document["errorMessage"] == "Error: nobody listens"
    assert process.wait() == 128


def test_a_module_that_waits_for_ever_ends_as_node_ends_it(nodejs, start):
    process = start(nodejs, "broken_await.handler")
    assert process.frame() is None
    assert process.wait() == 13


def test_a_promise_that_never_settles_is_an_error_not_a_hang(nodejs, start):
    process = start(nodejs, "never.handler").ready()
    assert process.error({})["errorType"] == "Runtime.NodeJsExit"
    assert process.error({})["errorType"] == "Runtime.NodeJsExit"


def test_a_process_that_ends_itself_loses_no_line(nodejs, start):
    process = start(nodejs, "exit.handler").ready()
    assert process.call({"code": 7}) is None
    assert process.wait() == 7
    assert process.logs()[0].text.endswith("\tINFO\ton my way out\n")
    process = start(nodejs, "exits_at_init.handler")
    assert process.frame() is None
    assert process.wait() == 3


def test_the_context_holds_what_the_call_and_the_environment_say(nodejs, start):
    process = start(nodejs, "context.handler").ready()
    found = process.result(
        None,
        trace="Root=1-2;Parent=3;Sampled=1",
        client_context='{"custom":{"a":1},"client":{"app_title":"shop app"}}',
        cognito='{"cognitoIdentityId":"who","cognitoIdentityPoolId":"pool"}',
        tenant="blue",
    )
    assert 0 < found.pop("remaining_ms") <= 3000
    plain = {
        "functionName": "shop",
        "functionVersion": "$LATEST",
        "invokedFunctionArn": "arn:aws:lambda:eu-west-1:000000000000:function:shop",
        "memoryLimitInMB": "128",
        "awsRequestId": REQUEST_ID,
        "logGroupName": "/aws/lambda/shop",
        "logStreamName": "2026/11/20/[$LATEST]0123",
    }
    if is_modern(nodejs):
        plain["has_done"] = "undefined"
        assert found.pop("xRayTraceId") == "Root=1-2;Parent=3;Sampled=1"
    else:
        plain |= {"has_done": "function", "callbackWaitsForEmptyEventLoop": True}
    assert found == {
        **plain,
        "tenantId": "blue",
        "identity": {"cognitoIdentityId": "who", "cognitoIdentityPoolId": "pool"},
        "clientContext": {"custom": {"a": 1}, "client": {"app_title": "shop app"}},
        "trace": "Root=1-2;Parent=3;Sampled=1",
    }
    bare = process.result()
    assert 0 < bare.pop("remaining_ms") <= 3000
    assert bare == {**plain, "trace": None}


def test_console_lines_are_events_with_level_time_and_request(nodejs, start):
    process = start(nodejs, "prints.handler").ready()
    process.result({})
    events = process.logs()
    head = rf"{STAMP}\t{REQUEST_ID}\t"
    expected = [
        (0xA55A000F, head + r"INFO\thello world \{ a: 1 \}\n"),
        (0xA55A000B, head + r"DEBUG\tdebug\n"),
        (0xA55A0013, head + r"WARN\ttwo\nlines\n"),
        (0xA55A0017, head + r"ERROR\tError: shown\n(    at .*\n)+"),
    ]
    assert len(events) == len(expected)
    for event, (kind, pattern) in zip(events, expected, strict=True):
        assert event.kind == kind
        assert re.fullmatch(pattern, event.text), event
    assert process.output.read_text() == "plain out\n"
    assert process.errors.read_text() == "plain err\n"


def test_without_a_log_descriptor_events_are_lines_of_output(nodejs, start):
    process = start(nodejs, "prints.handler", framed=False).ready()
    process.result({})
    lines = process.output.read_bytes().decode().split("\n")
    assert lines[2].endswith("\tWARN\ttwo\rlines")
    assert lines[4] == "plain out"


def test_json_logs_are_objects_filtered_by_level(nodejs, start):
    settings = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    process = start(nodejs, "prints.handler", **settings).ready()
    process.result({"lone": {"order": 7}})
    events = process.logs()
    assert [event.kind & 0xFF for event in events] == [0x0E, 0x12, 0x16, 0x0E]
    records = [json.loads(event.text) for event in events]
    for record in records:
        assert re.fullmatch(STAMP, record.pop("timestamp"))
        assert record.pop("requestId") == REQUEST_ID
    assert records[0] == {"level": "INFO", "message": "hello world { a: 1 }"}
    assert records[1] == {"level": "WARN", "message": "two\nlines"}
    error = records[2]["message"]
    assert (error["errorType"], error["errorMessage"]) == ("Error", "shown")
    assert error["stackTrace"][0] == "Error: shown"
    assert records[3] == {"level": "INFO", "message": {"order": 7}}


def test_a_streaming_handler_answers_with_all_it_wrote(nodejs, start):
    process = start(nodejs, "stream.handler").ready()
    text = "text/plain"
    assert process.streamed({"chunks": ["a", "ö", {"b": 1}]}) == (text, 'aö{"b":1}.'.encode())
    metadata = {"statusCode": 201}
    assert process.streamed({"chunks": ["body"], "metadata": metadata}) == (
        "application/vnd.awslambda.http-integration-response",
        b'{"statusCode":201}' + bytes(8) + b"body.",
    )
    assert process.error({"chunks": ["a"], "fail": "half way"})["errorMessage"] == "half way"
    assert [chunk.body for chunk in process.chunks] == [b"a"]
    unfinished = process.error({"chunks": ["a"], "open": True})
    assert unfinished["errorMessage"] == "Response stream is not finished."
    assert process.streamed({"chunks": []}) == (text, b".")
    long = "x" * (1 << 20)
    assert process.streamed({"chunks": [long, long]}) == (text, f"{long}{long}.".encode())
    assert max(len(chunk.body) for chunk in process.chunks) == CHUNK_BYTES_MAX


def test_a_pipeline_goes_out_whole_or_fails_in_the_middle(nodejs, start):
    process = start(nodejs, "pipeline.handler").ready()
    kind, body = process.streamed({"n": 50})
    assert kind == "application/vnd.awslambda.http-integration-response"
    head, _, rest = body.partition(bytes(8))
    assert json.loads(head) == {"statusCode": 200, "cookies": ["a=1"]}
    assert rest == b"x" * 5_000_000
    assert process.error({"n": 2, "fail": "half way"})["errorMessage"] == "half way"
    assert process.streamed({"n": 1})[1].endswith(b"x" * 100_000)


def test_the_function_sees_neither_the_channel_nor_the_log_variable(nodejs, start):
    found = start(nodejs, "environment.handler").ready().result()
    assert "_LAMBDA_TELEMETRY_LOG_FD" not in found["variables"]
    major = nodejs.removeprefix("nodejs").removesuffix(".x")
    assert found["version"].startswith(major + ".")
    assert found["variables"]["NODE_PATH"].startswith(f"/opt/nodejs/node{major}/node_modules:")


def test_a_function_cannot_tell_how_it_was_started(nodejs, way, start, tmp_path):
    variables = {"TZ": "Asia/Kolkata", "PRICE": "ö €", "NODE_PATH": str(tmp_path)}
    executed, found = (
        start(nodejs, "environment.handler", way=each, **variables).ready().result()
        for each in ("executed", way)
    )
    # A sandbox starts every process in the function's folder; here only a parked one goes there.
    assert found.pop("cwd") == str(FUNCTIONS) or way == "executed"
    for each in (executed, found):
        each.pop("cwd", None)
        each.pop("descriptors")  # Node.js opens some for itself, when it first needs them
    assert found == executed
    assert found["timeZone"] == [5, "Asia/Calcutta"]
    assert found["variables"]["PRICE"] == "ö €"
    assert found["paths"][0] == str(tmp_path)
    assert not [line for line in found["inherited"] if "_ALONZO" in line]


@pytest.mark.parametrize("mib", [128, 512])
def test_the_heap_is_sized_for_the_function(nodejs, start, mib):
    size = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(mib)}
    own = {"all": "mine", "new": "mine, too"}
    found = start(nodejs, "heap.handler", **size, **own).ready().result()
    assert found["own"] == [*own.values()]
    # Node.js adds what it keeps of new values three times over.
    assert 0.9 * mib <= found["heap_mib"] <= 1.25 * mib
    assert found["gc"] == "function"
    assert found["header_bytes"] == 81920
    assert found["n_options"] == 4  # which its child processes inherit, as on AWS


def test_module_state_lives_from_call_to_call(nodejs, start):
    process = start(nodejs, "counter.handler").ready()
    assert [process.result({})["count"] for _ in range(3)] == [1, 2, 3]


def test_the_process_ends_when_the_daemon_does(nodejs, start):
    process = start(nodejs, "echo.handler").ready()
    process.socket.close()
    assert process.wait() == 0
