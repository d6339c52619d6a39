"""``InvokeWithResponseStream`` by boto3: what arrives, when, and how it ends."""

import base64
import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.functions import ADMIN_ROLE

FUNCTIONS = Path(__file__).parents[1] / "functions"

#: Streams, and ends once there is a log group of the name that the event says.
GATED = """
import boto3, time

def handler(event, context):
    yield "first "
    logs = boto3.client("logs")
    while not logs.describe_log_groups(logGroupNamePrefix=event["gate"])["logGroups"]:
        time.sleep(0.02)
    yield "last"
"""

#: Streams so many kibibytes, and no more than a client that waits will take.
LONG = """
def handler(event, context):
    for _ in range(event["kib"]):
        yield bytes(1024)
"""


@pytest.fixture
def gate(logs_client, function_name):
    """Opens the gate of ``GATED``, whose name it is."""
    name = f"/gates/{function_name}"

    def open_gate():
        logs_client.create_log_group(logGroupName=name)

    open_gate.name = name
    yield open_gate
    with contextlib.suppress(ClientError):
        logs_client.delete_log_group(logGroupName=name)


def failed_with(complete):
    assert complete["ErrorCode"] == "Unhandled"
    return json.loads(complete["ErrorDetails"])


# What arrives


def test_the_first_byte_arrives_before_the_handler_ends(function, gate):
    gated = function(GATED, Timeout=30, MemorySize=512, Role=ADMIN_ROLE)
    answer = gated.client.invoke_with_response_stream(
        FunctionName=gated.name, Payload=json.dumps({"gate": gate.name})
    )
    events = iter(answer["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"first "}}
    gate()
    assert next(events) == {"PayloadChunk": {"Payload": b"last"}}
    assert list(events) == [{"InvokeComplete": {}}]


def test_the_head_says_who_served(function):
    hello = function("def handler(event, context): return event")
    hello.client.publish_version(FunctionName=hello.name)
    streamed = hello.stream({"a": 1}, Qualifier="1")
    assert streamed.version == "1"
    assert streamed.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert streamed.headers["transfer-encoding"] == "chunked"
    assert streamed.headers["x-amzn-trace-id"].startswith("Root=1-")
    assert streamed.headers["x-amzn-requestid"]


def test_a_function_that_does_not_stream_comes_in_chunks(function):
    long = function('def handler(event, context): return "x" * event["n"]')
    streamed = long.stream({"n": 3 << 20})
    assert streamed.body == b'"%b"' % (b"x" * (3 << 20))
    assert len(streamed.chunks) > 1
    assert long.stream({"n": 0}).chunks == [b'""']


def test_what_is_streamed_may_be_longer_than_what_is_whole(function):
    long = function(LONG, Timeout=20)
    assert len(long.stream({"kib": 7 << 10}).body) == 7 << 20
    whole = long.invoke({"kib": 7 << 10})
    assert whole.function_error == "Unhandled"
    assert whole.json == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
    }
    assert len(long.invoke({"kib": 5}).body) == 5 << 10


def test_every_form_of_pieces_is_streamed(function):
    forms = function("""
import asyncio, io

async def numbers():
    for number in range(3):
        await asyncio.sleep(0)
        yield str(number)

def head():
    yield {"statusCode": 418, "headers": {"x-kind": "tea"}}
    yield "short and stout"

FORMS = {
    "async": numbers, "map": lambda: map(str, range(3)), "iter": lambda: iter(["0", b"1", "2"]),
    "file": lambda: io.BytesIO(b"0\\n1\\n2\\n"), "none": lambda: iter(()), "head": head,
    "mixed": lambda: iter(["0", 1]),
}

def handler(event, context):
    return FORMS[event["form"]]()
""")
    for form, body in {"async": b"012", "map": b"012", "iter": b"012", "file": b"0\n1\n2\n",
                       "none": b""}.items():  # fmt: skip
        assert forms.stream({"form": form}).body == body, form
        assert forms.invoke({"form": form}).body == body, form
    head, _, rest = forms.stream({"form": "head"}).body.partition(bytes(8))
    assert json.loads(head) == {"statusCode": 418, "headers": {"x-kind": "tea"}}
    assert rest == b"short and stout"
    mixed = forms.stream({"form": "mixed"})
    assert mixed.body == b"0"
    assert failed_with(mixed.complete)["errorType"] == "Runtime.MarshalError"


def test_the_log_and_the_context_go_with_it(function):
    shows = function("""
def handler(event, context):
    print("in the log")
    yield context.client_context.custom["colour"]
""")
    context = base64.b64encode(b'{"custom": {"colour": "red"}}').decode()
    streamed = shows.stream(ClientContext=context, LogType="Tail")
    assert streamed.body == b"red"
    log = base64.b64decode(streamed.complete["LogResult"]).decode()
    assert "in the log" in log
    assert "REPORT RequestId" in log


# How it ends


def test_an_error_before_the_first_byte_is_in_the_last_event(function):
    broken = function("def handler(event, context): raise ValueError('no')")
    streamed = broken.stream()
    assert streamed.chunks == []
    assert failed_with(streamed.complete)["errorMessage"] == "no"


def test_a_timeout_in_the_middle(function):
    slow = function("""
import time

def handler(event, context):
    yield "before"
    time.sleep(event["s"])
""", Timeout=1)  # fmt: skip
    streamed = slow.stream({"s": 60})
    assert streamed.body == b"before"
    document = failed_with(streamed.complete)
    assert document["errorType"] == "Sandbox.Timedout"
    assert document["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert slow.stream({"s": 0}).body == b"before"


def test_the_death_of_the_runtime_in_the_middle(function):
    mortal = function("""
import os

def handler(event, context):
    yield "before"
    os._exit(3)
""")
    streamed = mortal.stream()
    assert streamed.body == b"before"
    assert failed_with(streamed.complete)["errorType"] == "Runtime.ExitError"
    assert mortal.stream().body == b"before"


@pytest.mark.parametrize(
    ("event", "error_type"),
    [({"exit": 3}, "Runtime.ExitError"), ({"hang_up": 1}, "Runtime.TruncatedResponse")],
)
def test_a_custom_runtime_breaks_off(function, event, error_type):
    custom = function(FUNCTIONS / "provided" / "streaming", Runtime="provided.al2023", Timeout=10)
    streamed = custom.stream({"name": "Ada", **event})
    assert streamed.body == b"Hello, Ada. "
    assert failed_with(streamed.complete)["errorType"] == error_type
    assert custom.stream({"name": "Ada", "megabytes": 4}).body.count(0) == 4 << 20


def test_a_call_that_is_refused_is_an_ordinary_error(function):
    hello = function("def handler(event, context): yield 'x'")
    for options, code, status in [
        ({"FunctionName": "nobody"}, "ResourceNotFoundException", 404),
        ({"FunctionName": hello.name, "Payload": b"{"}, "InvalidRequestContentException", 400),
        ({"FunctionName": hello.name, "TenantId": "t"}, "InvalidParameterValueException", 400),
        ({"FunctionName": hello.name, "Payload": bytes(7 << 20)},
         "RequestEntityTooLargeException", 413),
    ]:  # fmt: skip
        with pytest.raises(ClientError) as refused:
            hello.client.invoke_with_response_stream(**options)
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_dry_run_runs_nothing(function):
    hello = function("def handler(event, context): yield 'x'")
    answer = hello.client.invoke_with_response_stream(
        FunctionName=hello.name, InvocationType="DryRun"
    )
    assert answer["StatusCode"] == 204


def test_a_throttled_stream_is_refused(function):
    hello = function("def handler(event, context): yield 'x'")
    hello.client.put_function_concurrency(FunctionName=hello.name, ReservedConcurrentExecutions=0)
    with pytest.raises(hello.client.exceptions.TooManyRequestsException):
        hello.stream()


# Functions that mean harm

#: Floods its channel with pieces of one byte, as no bootstrap of ours would.
FLOOD = """
import json, os

def handler(event, context):
    head = json.dumps({"id": context.aws_request_id}).encode()
    frames = (3 + len(head)).to_bytes(4, "big") + bytes([20]) + len(head).to_bytes(2, "big") + head
    tiny = (4).to_bytes(4, "big") + bytes([20, 0, 0]) + b"x"
    os.write(3, frames)
    while True:
        os.write(3, tiny * 4096)
"""


def test_a_flood_of_tiny_pieces_harms_no_neighbour(function):
    flood = function(FLOOD, Timeout=3)
    echo = function("def handler(event, context): return event")
    assert echo.invoke(0).json == 0
    with ThreadPoolExecutor(2) as threads:
        floods = [threads.submit(flood.invoke), threads.submit(flood.stream)]
        for number in range(20):
            assert echo.invoke(number).json == number
        assert floods[0].result().json["errorType"] in (
            "Sandbox.Timedout", "Function.ResponseSizeTooLarge",
        )  # fmt: skip
        assert failed_with(floods[1].result().complete)["errorType"] == "Sandbox.Timedout"
