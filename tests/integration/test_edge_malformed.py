"""Ten thousand odd requests against a real server: none may find a failure of ours.

Each is made from a seed, so a failure names the request that did it. No answer may be a 5xx, save
501 for what is not built; nothing may be logged as an error; memory must not grow; and the server
must answer a good request in the end.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import uvloop
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from alonzo.edge.app import EdgeApp, Route
from alonzo.edge.server import EdgeServer, ServerLimits
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.model.context import Principal, RequestContext
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.model.invocations import InvokeRequest, InvokeResult
from alonzo.model.ports.identity import AccessKey
from alonzo.model.ports.invoking import ResponseSink, StreamHead
from alonzo.model.ports.operations import Operation, Operations

# libuv keeps a pipe for signals from its first loop to the end of the process.
uvloop.new_event_loop().close()

ROOT = Principal("000000000000", "arn:aws:iam::000000000000:root", "000000000000", "AKID", True)
SERVICES = ("lambda", "logs", "sts", "cloudwatch", "sqs")
#: The server gives up on what never comes quickly; nobody waits longer than that.
LIMITS = ServerLimits(head_timeout_s=0.3, body_idle_s=0.3, body_timeout_s=0.6, keep_alive_s=1)
AT_ONCE = 48
STATUS = re.compile(rb"(?:\A|\r\n\r\n|[}>])HTTP/1\.1 (\d{3}) ")
GOOD = b"GET /_alonzo/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
MIB = 1 << 20


class Keys:
    def find(self, access_key_id: str, session_token: str | None) -> AccessKey | None:
        return AccessKey("AKID", "secret", ROOT) if access_key_id == "AKID" else None


class Echo:
    async def invoke(self, request: InvokeRequest) -> InvokeResult:
        return InvokeResult(200, request.payload, "$LATEST")

    async def stream(self, request: InvokeRequest, sink: ResponseSink) -> InvokeResult:
        sink.start(StreamHead("$LATEST", None, None))
        await sink.write(request.payload)
        return InvokeResult(200)


async def _nothing(context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
    return {}


class Everything(dict[str, Operation]):
    """Operations that all answer an empty document, but for one that is not built."""

    def get(self, key: str, default: Any = None) -> Any:
        return default if key == "GetAccountSettings" else _nothing


async def _health(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, {"content-type": "application/json"}, b"{}")


def app_with(auth: str) -> EdgeApp:
    operations: dict[str, Operations] = {name: Everything() for name in SERVICES}
    return EdgeApp(
        operations=operations,
        invoker=Echo(),
        keys=Keys(),
        clock=SystemClock(),
        ids=SystemIds(),
        account="000000000000",
        auth=auth,
        routes=[Route("GET", b"/_alonzo/health", _health)],
    )


# --- what is sent

PATHS = [
    b"/",
    b"/2015-03-31/functions",
    b"/2015-03-31/functions/f",
    b"/2015-03-31/functions/f/invocations",
    b"/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A000000000000%3Afunction%3Af/configuration",
    b"/2015-03-31/event-source-mappings/?MaxItems=1",
    b"/2021-11-15/functions/f/response-streaming-invocations",
    b"/2016-08-19/account-settings",
    b"/service/GraniteServiceVersion20100801/operation/PutMetricData",
    b"/?Action=GetCallerIdentity&Version=2011-06-15",
    b"/_alonzo/health",
]
ODD_PATHS = [
    b"",
    b"*",
    b"x",
    b"//",
    b"/%",
    b"/%zz",
    b"/%00",
    b"/\x00",
    b"/\xff\xfe",
    b"/a b",
    b"/../../etc/passwd",
    b"/2015-03-31/functions/%2e%2e/invocations",
    b"/2015-03-31/functions/%ff%fe/invocations",
    b"/2015-03-31/functions/%/invocations",
    b"/2015-03-31/functions/f/invocations?Qualifier=%ff&Qualifier",
    b"/2015-03-31/functions?MaxItems=x&Marker=%ff%00",
    b"/2015-03-31/functions?MaxItems=99999999999999999999999999",
    b"/2017-03-31/tags/%ff?tagKeys=%ff&tagKeys&=&&",
    b"http://example.com/2015-03-31/functions",
    b"http://",
    b"https://[::1/",
    b"/" + b"a/" * 2000,
    b"/?" + b"a&" * 3000,
    b"/?X-Amz-Algorithm=AWS4-HMAC-SHA256",
    b"/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%ff&X-Amz-Signature=%ff"
    b"&X-Amz-SignedHeaders=%ff&X-Amz-Date=%ff&X-Amz-Expires=1",
    "/٣".encode(),
]
METHODS = [b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH"]
ODD_METHODS = [b"", b"get", b"G\x00T", b"CONNECT", b"TRACE", b"PRI", b"BREW", b"GET GET", b"A" * 99]
TARGETS = [
    b"Logs_20140328.DescribeLogGroups",
    b"Logs_20140328.PutLogEvents",
    b"Logs_20140328.Nothing",
    b"AmazonSQS.SendMessage",
    b"Logs_20140328.",
    b".",
    b"\xff.\xff",
    b"x" * 3000,
]
ODD_HEADERS = [
    b"content-length: -1",
    b"content-length: +5",
    b"content-length: 0x10",
    b"content-length: 99999999999999999999999",
    b"content-length: 99999999999",
    b"content-length: 3\r\ncontent-length: 4",
    b"content-length: 3, 3",
    b"transfer-encoding: chunked\r\ncontent-length: 4",
    b"content-length: 4\r\ntransfer-encoding: chunked",
    b"transfer-encoding: xchunked",
    b"transfer-encoding: chunked, chunked",
    b"transfer-encoding: chunked, identity",
    b"transfer-encoding: gzip, chunked",
    b"transfer-encoding:\tchunked",
    b"transfer-encoding : chunked",
    b"host: other",
    b"no colon here",
    b": no name",
    b" folded: x",
    b"x-a: b\r\n folded",
    b"x-nul: a\x00b",
    b"x-cr: a\rb",
    b"x-high: \xff\xfe",
    b"x-(): y",
    b"x-big: " + b"y" * 66_000,
    b"x-many: y\r\n" * 500 + b"x-end: z",
    b"expect: 100-continue",
    b"expect: the unexpected",
    b"upgrade: websocket\r\nconnection: upgrade",
    b"upgrade: h2c\r\nconnection: upgrade, http2-settings",
    b"connection: close, keep-alive, \xff",
    b"content-type: application/x-amz-json-1.1",
    b"content-type: application/x-www-form-urlencoded; charset=\xff",
    b"content-type: \xff",
    b"content-encoding: gzip",
    b"smithy-protocol: rpc-v2-cbor",
    b"x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    b"x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n"
    b"x-amz-decoded-content-length: \xb2",
    b"x-amz-content-sha256: \xff",
    b"x-amz-date: \xff",
    b"date: Fri, 99 Foo 99999 99:99:99 XYZ",
    b"x-amz-invocation-type: \xff",
    b"x-amz-log-type: \xff",
    b"x-amz-client-context: \xff",
    b"x-amz-client-context: W1tbW1tbW1tb",
    b"x-amz-tenant-id: \xff",
    b"x-amz-security-token: \xff",
    b"authorization: \xff",
    b"authorization: Bearer x",
    b"authorization: AWS4-HMAC-SHA256",
    b"authorization: AWS4-HMAC-SHA256 Credential=\xff/2/3/4/5, SignedHeaders=;;, Signature=\xff",
    b"authorization: AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/lambda/aws4_request, "
    b"SignedHeaders=host;;missing, Signature=" + b"0" * 64,
    b"authorization: AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-1/nothing/aws4_request, "
    b"SignedHeaders=host, Signature=" + b"0" * 64,
    b"authorization: AWS4-ECDSA-P256-SHA256 Credential=a",
    b"authorization: a\r\nauthorization: b",
]
BODIES = [
    b"",
    b"{}",
    b"null",
    b"[]",
    b"{",
    b'{"a":',
    b"\xff\xfe",
    b"\x00",
    b'"\\ud800"',
    b'{"FunctionName": "\\ud800", "Code": {"ZipFile": "%"}, "Role": 1, "Timeout": "x"}',
    b'{"FunctionName": 1e999, "Timeout": 99999999999999999999, "Environment": []}',
    b'{"Layers": {"a": 1}, "Tags": [1], "Code": null, "Publish": "yes"}',
    b'{"logGroupName": 5, "logEvents": [{"timestamp": "x"}, 7, null]}',
    b'{"logGroupNamePrefix": "' + b"x" * 600 + b'", "limit": -5}',
    b"[" * 20_000,
    b'{"a":' * 5_000,
    b"Action=GetCallerIdentity&Version=2011-06-15",
    b"Action=AssumeRole&Version=2011-06-15&RoleArn=%ff&DurationSeconds=x&Tags.member.x.Key=1",
    b"Action=AssumeRole&Tags.member.99999999999.Key=1&Tags.member.-1.Key=2&Tags..=&.=",
    b"Action=" + b"&" * 3_000,
    b"\xbf\x61a\xff\xff",
    b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xa1\x61a" * 2_000,
    b"\xc1" * 3_000 + b"\x00",
    b"<a>",
    b"5\r\nhello\r\n0\r\n\r\n",
]
ODD_CHUNKS = [
    b"zz\r\nabc\r\n0\r\n\r\n",
    b"-3\r\nabc\r\n0\r\n\r\n",
    b"3\r\nabcd\r\n0\r\n\r\n",
    b"3 \r\nabc\r\n0\r\n\r\n",
    b"3\nabc\n0\n\n",
    b"ffffffffffffffffff\r\nabc",
    b"7fffffffffffffff\r\nabc",
    b"3;" + b"x" * 5_000 + b"\r\nabc\r\n0\r\n\r\n",
    b"3;a=\x00\r\nabc\r\n0\r\n\r\n",
    b"0\r\nx-trailer: 1\r\nhost: evil\r\ncontent-length: 5\r\n\r\n",
    b"0\r\nbad trailer\r\n\r\n",
    b"0\r\n" + b"t: y\r\n" * 3_000 + b"\r\n",
    b"3\r\nabc\r\n0\r\n\r\n",
]

Dice = random.Random


def _request(method: bytes, path: bytes, headers: list[bytes], body: bytes) -> bytes:
    head = b"\r\n".join([method + b" " + path + b" HTTP/1.1", *headers, b"", b""])
    return head + body


def odd_line(dice: Dice) -> bytes:
    """An odd method, path or version."""
    method = dice.choice(ODD_METHODS + METHODS)
    path = dice.choice(ODD_PATHS + PATHS)
    version = dice.choice(
        [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9", b"", b"\xff"]
    )
    return method + b" " + path + b" " + version + b"\r\nhost: localhost\r\n\r\n"


def odd_headers(dice: Dice) -> bytes:
    """Some odd headers on a call that is fine otherwise."""
    body = dice.choice(BODIES)
    headers = [b"host: localhost", *dice.sample(ODD_HEADERS, dice.randint(1, 3))]
    if dice.random() < 0.5:
        headers.append(b"content-length: %d" % len(body))
    dice.shuffle(headers)
    return _request(dice.choice(METHODS), dice.choice(PATHS), headers, body)


def odd_host(dice: Dice) -> bytes:
    """No host, two hosts, hosts that are none."""
    host = dice.choice(
        [b"", b"a b", b"\xff", b"a/b", b"[::1", b"x" * 300, b"s3.localhost:99999", b"."]
    )
    headers = dice.choice([[], [b"host: " + host], [b"host: a", b"host: " + host]])
    return _request(dice.choice(METHODS), dice.choice(PATHS), headers, b"")


def odd_chunks(dice: Dice) -> bytes:
    """A chunked body that is not quite one."""
    headers = [b"host: localhost", b"transfer-encoding: chunked"]
    return _request(b"POST", dice.choice(PATHS), headers, dice.choice(ODD_CHUNKS))


def odd_document(dice: Dice) -> bytes:
    """A whole request whose body is not what the operation wants."""
    body = dice.choice(BODIES)
    if dice.random() < 0.3:
        body = bytes(dice.choices(range(256), k=dice.randint(0, 60)))
    headers = [b"host: localhost", b"content-length: %d" % len(body)]
    path = dice.choice(PATHS)
    match dice.randint(0, 3):
        case 0:
            headers += [b"content-type: application/x-amz-json-1.1"]
            headers += [b"x-amz-target: " + dice.choice(TARGETS)]
            path = b"/"
        case 1:
            headers += [b"content-type: application/x-www-form-urlencoded"]
            path = b"/"
        case 2:
            headers += [b"smithy-protocol: rpc-v2-cbor", b"content-type: application/cbor"]
        case _:
            headers += [b"content-type: application/json"]
    return _request(dice.choice([b"POST", b"PUT"]), path, headers, body)


def noise(dice: Dice) -> bytes:
    """Bytes that were never meant to be HTTP, or a good request with some bytes changed."""
    if dice.random() < 0.3:
        return bytes(dice.choices(range(256), k=dice.randint(1, 300)))
    data = bytearray(odd_document(dice))
    for _ in range(dice.randint(1, 4)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    return bytes(data)


def cut(dice: Dice) -> bytes:
    """A request that ends somewhere."""
    data = dice.choice([odd_document, odd_headers, odd_chunks])(dice)
    return data[: dice.randrange(len(data))]


def signed(dice: Dice) -> bytes:
    """A request that is signed rightly, and carries something odd; or was changed afterwards."""
    path = dice.choice(PATHS).decode()
    body = dice.choice(BODIES)
    request = AWSRequest("POST", f"http://localhost{path}", data=body)
    service = dice.choice(["lambda", "logs", "sts", "monitoring", "sqs", "nothing"])
    SigV4Auth(Credentials("AKID", "secret"), service, "eu-west-1").add_auth(request)
    lines = [f"{name}: {value}".encode() for name, value in request.headers.items()]
    headers = [b"host: localhost", *lines, b"content-length: %d" % len(body)]
    data = _request(b"POST", path.encode(), headers, body)
    if dice.random() < 0.5:
        at = dice.randrange(len(data))
        data = data[:at] + bytes([dice.randrange(32, 127)]) + data[at + 1 :]
    return data


KINDS: list[tuple[Callable[[Dice], bytes], int]] = [
    (odd_line, 1500),
    (odd_headers, 2500),
    (odd_host, 500),
    (odd_chunks, 800),
    (odd_document, 2700),
    (noise, 1200),
    (cut, 400),
    (signed, 400),
]


# --- how it is sent


async def _answers(port: int, data: bytes) -> bytes:
    """Everything that the server says to the bytes and a good request behind them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        try:
            async with asyncio.timeout(5):
                writer.write(data + GOOD)
                return await reader.read()
        except TimeoutError:
            raise AssertionError(f"no end of the answer to {data[:500]!r}") from None
        except ConnectionError:
            # Refused in the middle: the rest of what we sent was thrown away.
            return b""


async def _hang_up(port: int, data: bytes) -> bytes:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.transport.abort()
    return b""


def _resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def _send_all(
    port: int, kind: Callable[[Dice], bytes], count: int, seed: str
) -> dict[int, int]:
    seen: dict[int, int] = {}
    numbers = iter(range(count))

    async def sender() -> None:
        for number in numbers:
            dice = Dice(f"{seed}/{kind.__name__}/{number}")
            data = kind(dice)
            send = _hang_up if kind is cut and dice.random() < 0.8 else _answers
            for status in map(int, STATUS.findall(await send(port, data))):
                seen[status] = seen.get(status, 0) + 1
                assert status < 500 or status == 501, (status, number, data[:500])

    async with asyncio.TaskGroup() as senders:
        for _ in range(AT_ONCE):
            senders.create_task(sender())
    return seen


@pytest.mark.parametrize("auth", ["off", "sigv4"])
def test_odd_requests_find_no_failure(auth: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        server = EdgeServer(app_with(auth), limits=LIMITS)
        port = await server.start("127.0.0.1", 0)
        try:
            seen: dict[int, int] = {}
            for kind, _ in KINDS:  # Load what loads lazily.
                await _send_all(port, kind, 60, f"{auth}/warm")
            before = _resident_bytes()
            for kind, count in KINDS:
                for status, times in (await _send_all(port, kind, count // 2, auth)).items():
                    seen[status] = seen.get(status, 0) + times
            assert _resident_bytes() - before < 24 * MIB
            assert (await _answers(port, b"")).endswith(b"\r\n\r\n{}")
            # The requests were odd in many ways, not all in one.
            assert {200, 400, 403 if auth == "sigv4" else 404} <= seen.keys()
        finally:
            await server.stop(1)
        assert server.connections == 0

    caplog.set_level(logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    assert [record.getMessage() for record in caplog.records] == []
