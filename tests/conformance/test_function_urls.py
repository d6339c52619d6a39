"""Function URLs on a running platform: what arrives, and what comes back."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.function_urls import ECHO, Url, curl

#: Returns the JSON that the request's body says.
SAYS = "import json\ndef handler(event, context):\n    return json.loads(event['body'])\n"
ANSWER_BYTES_MAX = 6 * 1024 * 1024


@pytest.fixture
def url(platform: DaemonProcess, function: Any) -> Callable[..., Url]:
    """``url(source, **url_configuration)``: a public URL of a new function."""

    def make(source: Any = ECHO, **config: Any) -> Url:
        return Url(platform, function(source), **config).allow()

    return make


@contextmanager
def connected(platform: DaemonProcess) -> Iterator[socket.socket]:
    parts = urlsplit(platform.endpoint)
    assert parts.hostname is not None
    with closing(socket.create_connection((parts.hostname, parts.port or 80), 20)) as raw:
        yield raw


def exchange(platform: DaemonProcess, request: bytes) -> bytes:
    """Send a request as it is; the answer up to the end of the connection."""
    with connected(platform) as raw:
        raw.sendall(request)
        answer = b""
        while piece := raw.recv(65536):
            answer += piece
        return answer


# --- requests


def test_both_forms_of_the_url_reach_the_function(url: Any) -> None:
    made = url()
    by_path = curl(
        made.url + "a%2Fb//c?x=1&x=2&y=%20",
        *("-b", "a=1; b=2", "-H", "X-Many: 1", "-H", "X-Many: 2"),
        *("-X", "PUT", "-d", "{}", "-H", "content-type: text/json"),
    )
    assert by_path.status == 200
    event = by_path.json
    assert event["rawPath"] == "/a%2Fb//c"
    assert event["rawQueryString"] == "x=1&x=2&y=%20"
    assert event["queryStringParameters"] == {"x": "1,2", "y": " "}
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["headers"]["x-many"] == "1,2"
    assert (event["body"], event["isBase64Encoded"]) == ("{}", False)
    assert event["requestContext"]["http"]["method"] == "PUT"
    assert event["requestContext"]["requestId"] == by_path.headers["x-amzn-requestid"]
    assert event["headers"]["x-amzn-trace-id"] in by_path.headers["x-amzn-trace-id"]
    by_host = curl(f"http://{made.host}/a/../b").json
    assert by_host["rawPath"] == "/a/../b"
    assert by_host["requestContext"]["domainPrefix"] == made.id
    assert by_host["requestContext"]["domainName"] == made.host.partition(":")[0]


@pytest.mark.parametrize(
    ("trace", "is_kept"),
    [
        ("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", True),
        ("Self=1-a-b;Root=1-5759e988-bd862e3fe1be46a994272793", True),
        ("Parent=53995c3f42cd8ad8", False),
        ("Root=1-" + "a" * 600, False),
        ("Root=1-5759e988-bd862e3fe1be46a994272793é", False),
    ],
)
def test_a_trace_goes_on_from_the_client_through_the_function_and_back(
    url: Any, trace: str, is_kept: bool
) -> None:
    reply = curl(url().url, "-H", f"x-amzn-trace-id: {trace}")
    seen = reply.json["headers"]["x-amzn-trace-id"]
    assert (seen == trace) is is_kept
    root = re.search("Root=1-[0-9a-f]{8}-[0-9a-f]{24}", seen)
    assert root is not None
    assert reply.headers["x-amzn-trace-id"].startswith(root[0])


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_every_method_reaches_the_function(url: Any, method: str) -> None:
    assert curl(url().url, "-X", method).json["requestContext"]["http"]["method"] == method


def test_head_has_the_head_alone(url: Any) -> None:
    reply = curl(url("def handler(e, c):\n    return 'body'\n").url, "--head")
    assert (reply.status, reply.headers["content-length"], reply.body) == (200, "4", b"")


def test_binary_and_empty_bodies_arrive_as_they_were_sent(url: Any) -> None:
    made = url()
    event = curl(made.url, "--data-binary", "@-", stdin=b"\x00\xff").json
    assert (event["body"], event["isBase64Encoded"]) == ("AP8=", True)
    assert "body" not in curl(made.url, "-X", "POST").json


def test_a_path_to_the_platform_is_the_function_s_at_its_own_host(url: Any) -> None:
    made = url()
    for path in ("/_alonzo/health", "/2015-03-31/functions", f"/_alonzo/lambda-url/{made.id}/x"):
        assert curl(f"http://{made.host}{path}").json["rawPath"] == path


def test_two_hosts_are_refused(platform: Any, url: Any) -> None:
    own, other = url().host.encode(), b"127.0.0.1"
    for first, second in ((own, other), (other, own), (own, own)):
        head = b"GET / HTTP/1.1\r\nhost: %b\r\nhost: %b\r\n" % (first, second)
        answer = exchange(platform, head + b"connection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")


def test_the_host_of_a_whole_target_counts_and_not_the_header_s(platform: Any, url: Any) -> None:
    own, other = url().host.encode(), b"127.0.0.1"

    def call(target: bytes, host: bytes) -> bytes:
        head = b"GET http://%b/_alonzo/health HTTP/1.1\r\nHost: %b\r\n" % (target, host)
        return exchange(platform, head + b"connection: close\r\n\r\n")

    for host in (own, other):
        answer = call(own, host)
        assert b'"rawPath": "/_alonzo/health"' in answer
        assert b'"host": "%b"' % own in answer
    assert b'"status": "ok"' in call(other, own)
    assert call(b"a@" + own, own).startswith(b"HTTP/1.1 400 ")


def test_a_function_s_traffic_does_not_break_the_connection(platform: Any, url: Any) -> None:
    made = url(SAYS)
    hostile = {
        "statusCode": 200,
        "headers": {"Content-Length": "999", "Transfer-Encoding": "chunked", "Connection": "close"},
        "body": "ok",
    }
    body = json.dumps(hostile).encode()
    request = (
        b"POST / HTTP/1.1\r\nhost: %b\r\ncontent-type: text/json\r\ncontent-length: %d\r\n\r\n%b"
        % (made.host.encode(), len(body), body)
    )
    last = request.replace(b"content-type", b"connection: close\r\ncontent-type", 1)
    answer = exchange(platform, request + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.count(b"content-length: 2\r\n") == 2
    assert b"transfer-encoding" not in answer


# --- answers


@pytest.mark.parametrize(
    ("returned", "status", "content_type", "body"),
    [
        ('"hello"', 200, "application/json", b"hello"),
        ("3", 200, "application/json", b"3"),
        ("null", 200, "application/json", b"null"),
        ('{"a": [1, 2]}', 200, "application/json", b'{"a": [1, 2]}'),
        ('{"statusCode": 404}', 404, "application/json", b""),
        ('{"statusCode": 200, "body": "/wA=", "isBase64Encoded": true, '
         '"headers": {"Content-Type": "image/png"}}', 200, "image/png", b"\xff\x00"),
        ('{"statusCode": 204, "body": "x"}', 204, "application/json", b""),
        ('{"statusCode": "oops"}', 502, "application/json", b"Internal Server Error"),
        ('{"statusCode": 200, "headers": {"a": "b\\r\\nset-cookie: c=d"}}', 502,
         "application/json", b"Internal Server Error"),
    ],
)  # fmt: skip
def test_what_is_returned_is_what_the_client_gets(
    url: Any, returned: str, status: int, content_type: str, body: bytes
) -> None:
    reply = curl(url(SAYS).url, "-H", "content-type: text/json", "-d", returned)
    assert (reply.status, reply.headers["content-type"], reply.body) == (status, content_type, body)
    assert "set-cookie" not in reply.headers


def test_cookies_are_set_one_by_one(url: Any) -> None:
    answer = {"statusCode": 201, "cookies": ["a=1; HttpOnly", "b=2"], "body": "x"}
    reply = curl(url(SAYS).url, "-H", "content-type: text/json", "-d", json.dumps(answer))
    assert reply.all("set-cookie") == ["a=1; HttpOnly", "b=2"]


@pytest.mark.parametrize(
    ("source", "configuration"),
    [
        ("def handler(e, c):\n    raise ValueError('secret')\n", {}),
        ("import os\ndef handler(e, c):\n    os._exit(1)\n", {}),
        ("import time\ndef handler(e, c):\n    time.sleep(30)\n", {"Timeout": 1}),
        ("raise ValueError('secret')\n", {}),
        (f"def handler(e, c):\n    return 'x' * {ANSWER_BYTES_MAX + 200}\n", {}),
    ],
)
def test_a_function_that_fails_is_a_bad_gateway(
    platform: Any, function: Any, source: str, configuration: dict[str, Any]
) -> None:
    made = Url(platform, function(source, **configuration)).allow()
    reply = curl(made.url)
    assert (reply.status, reply.body) == (502, b"Internal Server Error")
    assert "secret" not in str(reply.fields)


def test_a_throttled_call_is_told_so(url: Any) -> None:
    made = url()
    made.client.put_function_concurrency(FunctionName=made.name, ReservedConcurrentExecutions=0)
    reply = curl(made.url)
    assert reply.status == 429
    assert reply.json["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    made.client.delete_function_concurrency(FunctionName=made.name)
    assert curl(made.url).status == 200


def test_a_request_over_six_megabytes_is_refused(url: Any) -> None:
    made = url("def handler(event, context):\n    return len(event['body'])\n")
    text = ("-H", "content-type: text/plain", "--data-binary", "@-")
    assert curl(made.url, *text, stdin=b"x" * 6_000_000).body == b"6000000"
    assert curl(made.url, *text, stdin=b"x" * (ANSWER_BYTES_MAX + 1)).status == 413
    # The event is what counts, and base64 makes it longer.
    assert curl(made.url, "--data-binary", "@-", stdin=b"x" * 5_000_000).status == 413


def test_requests_are_counted_by_their_status(
    boto: Any, url: Any, eventually: Callable[..., Any]
) -> None:
    made = url(SAYS)
    for status in (200, 404, 404, 500):
        body = json.dumps({"statusCode": status})
        assert curl(made.url, "-H", "content-type: text/json", "-d", body).status == status
    cloudwatch = boto("cloudwatch")

    def counted(name: str) -> float:
        now = datetime.now(UTC)
        found = cloudwatch.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=name,
            Dimensions=[{"Name": "FunctionName", "Value": made.name}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=5),
            Period=60,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in found["Datapoints"])

    assert eventually(lambda: counted("UrlRequestCount") == 4, within_s=10)
    assert (counted("Url4xxCount"), counted("Url5xxCount")) == (2, 1)
    assert counted("UrlRequestLatency") > 0
