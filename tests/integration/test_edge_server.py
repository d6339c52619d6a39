"""A real server on real sockets, with small operations behind it."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from typing import Any

import boto3
import pytest
import uvloop
from botocore.config import Config
from botocore.exceptions import ClientError

from alonzo.edge.app import EdgeApp, Route
from alonzo.edge.server import EdgeServer, ServerLimits
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.model.context import Principal, RequestContext
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.model.invocations import InvokeRequest, InvokeResult
from alonzo.model.ports.identity import AccessKey
from alonzo.testing.waiting import eventually

# libuv keeps a pipe for signals from its first loop to the end of the process.
uvloop.new_event_loop().close()

ROOT = Principal("000000000000", "arn:aws:iam::000000000000:root", "000000000000", "AKID", True)


class Keys:
    def find(self, access_key_id: str, session_token: str | None) -> AccessKey | None:
        known = access_key_id == "AKID" and session_token is None
        return AccessKey("AKID", "secret", ROOT) if known else None


class Invoker:
    """Echoes; a call of ``gate`` waits until the gate opens."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.finished: list[str] = []

    async def invoke(self, request: InvokeRequest) -> InvokeResult:
        if request.function_name == "gate":
            self.entered.set()
            await self.gate.wait()
        self.finished.append(request.function_name)
        return InvokeResult(200, request.payload, "$LATEST")


async def list_functions(context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
    return {"Functions": [{"FunctionName": context.region}]}


async def identity(context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
    return {"Account": context.account, "Arn": context.principal.arn, "UserId": "u"}


async def health(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, {"content-type": "application/json"}, b"{}")


async def stream(request: HttpRequest) -> HttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        if request.query == b"fail":
            raise ValueError("half-way")
        yield b"two"

    return HttpResponse(200, {}, pieces())


async def echo(request: HttpRequest) -> HttpResponse:
    names = b",".join(name for name, _ in request.headers)
    return HttpResponse(200, {}, names + b"|" + request.body)


class World:
    """One server and what is behind it."""

    def __init__(self, auth: str, limits: ServerLimits) -> None:
        self.invoker = Invoker()
        self.app = EdgeApp(
            operations={
                "lambda": {"ListFunctions": list_functions},
                "sts": {"GetCallerIdentity": identity},
            },
            invoker=self.invoker,
            keys=Keys(),
            clock=SystemClock(),
            ids=SystemIds(),
            account="000000000000",
            auth=auth,
            routes=[
                Route("GET", b"/_alonzo/health", health),
                Route(None, b"/stream", stream),
                Route(None, b"/echo", echo),
            ],
        )
        self.server = EdgeServer(self.app, limits=limits)
        self.port = 0

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exchange(self, data: bytes) -> bytes:
        """Send bytes on a connection of their own, and read until the server closes it."""
        reader, writer = await self.connect()
        with closing(writer):
            writer.write(data)
            async with asyncio.timeout(5):
                return await reader.read()

    def client(self, service: str, **overrides: str) -> Any:
        options = {
            "endpoint_url": f"http://127.0.0.1:{self.port}",
            "region_name": "eu-west-1",
            "aws_access_key_id": "AKID",
            "aws_secret_access_key": "secret",
        } | overrides
        return boto3.client(service, config=Config(retries={"total_max_attempts": 1}), **options)


def serve(
    main: Callable[[World], Awaitable[None]],
    *,
    auth: str = "off",
    limits: ServerLimits | None = None,
) -> None:
    @asynccontextmanager
    async def world() -> AsyncIterator[World]:
        made = World(auth, limits or ServerLimits())
        made.port = await made.server.start("127.0.0.1", 0)
        try:
            yield made
        finally:
            made.invoker.gate.set()
            await made.server.stop(2)
            assert made.server.connections == 0

    async def run() -> None:
        async with world() as made:
            await main(made)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def call(path: bytes, *headers: bytes, method: bytes = b"GET", body: bytes = b"") -> bytes:
    lines = [method + b" " + path + b" HTTP/1.1", b"host: localhost", *headers]
    if body:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


CLOSE = b"connection: close"
INVOKE = b"/2015-03-31/functions/f/invocations"
GATE = b"/2015-03-31/functions/gate/invocations"


def test_boto3_calls_sign_and_work() -> None:
    async def main(world: World) -> None:
        def blocking() -> None:
            functions = world.client("lambda").list_functions()["Functions"]
            assert functions == [{"FunctionName": "eu-west-1"}]
            assert world.client("sts").get_caller_identity()["Arn"] == ROOT.arn
            answer = world.client("lambda").invoke(FunctionName="f", Payload=b"x" * 1_000_000)
            assert len(answer["Payload"].read()) == 1_000_000
            with pytest.raises(ClientError, match="InvalidSignatureException"):
                world.client("lambda", aws_secret_access_key="no").list_functions()
            with pytest.raises(ClientError, match="InvalidClientTokenId"):
                world.client("sts", aws_access_key_id="AKIDNO").get_caller_identity()

        await asyncio.to_thread(blocking)

    serve(main, auth="sigv4")


def test_client_sees_the_answer_to_a_body_that_is_too_large() -> None:
    async def main(world: World) -> None:
        def blocking() -> None:
            with pytest.raises(ClientError, match="smaller than 70167211 bytes for the CreateF"):
                world.client("lambda").create_function(
                    FunctionName="f",
                    Role="arn:aws:iam::000000000000:role/r",
                    Code={"ZipFile": b"x" * 54_000_000},
                )

        await asyncio.to_thread(blocking)

    serve(main, auth="sigv4")


def test_expect_100_continue_gets_it_before_the_body() -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        with closing(writer):
            head = [b"expect: 100-continue", b"content-length: 5", CLOSE]
            writer.write(call(b"/echo", *head, method=b"PUT"))
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"hello")
            assert (await reader.read()).endswith(b"|hello")

    serve(main)


def test_chunked_body_arrives_and_its_trailers_are_no_headers() -> None:
    async def main(world: World) -> None:
        body = b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nx-amz-evil: 1\r\nhost: evil\r\n\r\n"
        data = call(b"/echo", b"transfer-encoding: chunked", CLOSE, method=b"POST") + body
        answer = await world.exchange(data)
        assert answer.endswith(b"\r\n\r\nhost,transfer-encoding,connection|abcde")

    serve(main)


def test_head_has_headers_and_no_body() -> None:
    async def main(world: World) -> None:
        answer = await world.exchange(call(b"/_alonzo/health", CLOSE, method=b"HEAD"))
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"x-amzn-requestid: " in answer
        assert answer.endswith(b"\r\n\r\n")

    serve(main)


def test_pipelined_requests_are_answered_in_order() -> None:
    async def main(world: World) -> None:
        calls = [call(b"/echo", method=b"POST", body=b"%d" % number) for number in range(5)]
        answer = await world.exchange(b"".join(calls) + call(b"/_alonzo/health", CLOSE))
        places = [answer.index(b"|%d" % number) for number in range(5)]
        assert places == sorted(places)
        assert answer.count(b"HTTP/1.1 200 OK") == 6

    serve(main)


def test_garbage_behind_a_request_does_not_take_its_answer() -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        with closing(writer):
            writer.write(call(GATE, method=b"POST", body=b"1") + b"\x00garbage\r\n\r\n")
            await world.invoker.entered.wait()
            world.invoker.gate.set()
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert answer.count(b"HTTP/1.1") == 1

    serve(main)


def test_upgrade_is_ignored_and_the_request_answered() -> None:
    async def main(world: World) -> None:
        upgrade = (b"connection: upgrade, http2-settings", b"upgrade: h2c", b"http2-settings: AAM")
        answer = await world.exchange(
            call(b"/echo", *upgrade, method=b"POST", body=b"x")
            + call(b"/echo", *upgrade, CLOSE, method=b"POST", body=b"x")
        )
        assert answer.count(b"HTTP/1.1 200 OK") == 2
        assert answer.endswith(b"|x")
        assert b"upgrade" not in answer

    serve(main)


def test_client_that_hangs_up_disturbs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def main(world: World) -> None:
        _, writer = await world.connect()
        writer.write(call(GATE, method=b"POST", body=b"1"))
        await world.invoker.entered.wait()
        writer.transport.abort()
        _, half = await world.connect()
        half.write(call(INVOKE, b"content-length: 100", method=b"POST") + b"some")
        assert b"200 OK" in await world.exchange(call(b"/_alonzo/health", CLOSE))
        half.transport.abort()
        world.invoker.gate.set()
        assert b"200 OK" in await world.exchange(call(b"/_alonzo/health", CLOSE))
        assert world.invoker.finished == ["gate"]

    serve(main)
    assert not caplog.records


def test_answer_that_fails_half_way_is_cut_off() -> None:
    async def main(world: World) -> None:
        whole = await world.exchange(call(b"/stream", CLOSE))
        assert whole.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
        reader, writer = await world.connect()
        with closing(writer):
            writer.write(call(b"/stream?fail", CLOSE))
            try:
                cut = await reader.read()
            except ConnectionResetError:
                cut = b""
            assert not cut.endswith(b"0\r\n\r\n")

    logging.getLogger("alonzo.edge").disabled = True
    try:
        serve(main)
    finally:
        logging.getLogger("alonzo.edge").disabled = False


# --- limits

QUICK = ServerLimits(head_timeout_s=0.2, body_idle_s=0.2, body_timeout_s=0.4, keep_alive_s=1)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"GET / HT", b"HTTP/1.1 408 Request Timeout"),
        (call(b"/echo", b"content-length: 9", method=b"PUT") + b"abc", b"HTTP/1.1 408 "),
    ],
)
def test_request_that_does_not_come_is_ended(sent: bytes, answer: bytes) -> None:
    async def main(world: World) -> None:
        assert (await world.exchange(sent)).startswith(answer)

    serve(main, limits=QUICK)


def test_body_that_trickles_is_ended() -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        with closing(writer):
            writer.write(call(b"/echo", b"content-length: 999", method=b"PUT"))
            answer = asyncio.ensure_future(reader.read())
            while not answer.done():
                writer.write(b"x")
                await asyncio.wait([answer], timeout=0.05)
            # A byte that meets the closed connection resets it, and may take the answer with it.
            if not isinstance(answer.exception(), ConnectionResetError):
                assert answer.result().startswith(b"HTTP/1.1 408 ")

    serve(main, limits=QUICK)


def test_client_that_does_not_take_its_answer_is_cut_off() -> None:
    async def main(world: World) -> None:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", world.port))
        with closing(raw):
            body = b"x" * 5_000_000
            await asyncio.to_thread(raw.sendall, call(INVOKE, method=b"POST", body=body))
            await asyncio.to_thread(eventually, lambda: world.server.connections == 0, 5)
        assert world.invoker.finished == ["f"]

    serve(main, limits=ServerLimits(write_idle_s=0.2))


def test_slow_function_is_not_a_slow_client() -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        with closing(writer):
            # A body above the high-water mark waits unread behind the slow call.
            writer.write(call(GATE, method=b"POST", body=b"1"))
            body = b"z" * 1_000_000
            writer.write(call(b"/echo", CLOSE, method=b"PUT", body=body))
            await world.invoker.entered.wait()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await reader.read(1)
            world.invoker.gate.set()
            assert (await reader.read()).endswith(b"|" + body)

    serve(main, limits=QUICK)


def test_endless_pipeline_is_cut_and_the_first_answered() -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        with closing(writer):
            writer.write(call(GATE, method=b"POST", body=b"1"))
            await world.invoker.entered.wait()
            writer.write(call(b"/_alonzo/health") * 1000)
            await writer.drain()
            assert b"200 OK" in await world.exchange(call(b"/_alonzo/health", CLOSE))
            world.invoker.gate.set()
            answer = await reader.read()
            assert answer.count(b"HTTP/1.1 200 OK") == 1

    serve(main)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x-a: " + b"y" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx-a: " + b"y" * 900_000,
        b"PUT /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        + b"2\r\nab\r\n0\r\nx-a: "
        + b"y" * 900_000,
    ],
)
def test_head_over_the_limit_is_refused(data: bytes) -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        with closing(writer):
            writer.write(data)
            try:
                answer = await reader.read()
            except ConnectionResetError:
                answer = b"HTTP/1.1 431 "
            assert answer.startswith(b"HTTP/1.1 431 ")

    serve(main)


def test_head_below_the_limit_may_come_in_many_packets() -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        with closing(writer):
            writer.write(b"GET /_alonzo/health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n")
            for number in range(40):
                writer.write(b"x-%d: " % number + b"y" * 1000 + b"\r\n")
                await asyncio.sleep(0)
            writer.write(b"\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")

    serve(main)


def test_connection_over_the_cap_is_turned_away_and_others_live() -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        with closing(writer):
            writer.write(call(b"/_alonzo/health"))
            await reader.readuntil(b"{}")
            assert (await world.exchange(b"")).startswith(b"HTTP/1.1 503 ")
            writer.write(call(b"/_alonzo/health"))
            await reader.readuntil(b"{}")

    serve(main, limits=ServerLimits(connections_max=1))


# --- starting and stopping


def test_socket_made_elsewhere_is_served_by_the_same_application() -> None:
    async def main(world: World) -> None:
        sock = socket.create_server(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        listener = await world.server.serve_socket(sock)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            writer.write(call(b"/echo", method=b"POST", body=b"x"))
            assert (await reader.readuntil(b"|x")).startswith(b"HTTP/1.1 200 OK")
            listener.close()
            listener.close()
            writer.write(call(b"/_alonzo/health", CLOSE))
            assert b"200 OK" in await reader.read()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        assert b"200 OK" in await world.exchange(call(b"/_alonzo/health", CLOSE))

    serve(main)


def test_port_that_is_taken_is_an_error() -> None:
    async def main(world: World) -> None:
        with pytest.raises(OSError, match="in use"):
            await EdgeServer(world.app).start("127.0.0.1", world.port)

    serve(main)


def test_stop_lets_requests_in_flight_end() -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        idle_reader, idle_writer = await world.connect()
        with closing(writer), closing(idle_writer):
            idle_writer.write(call(b"/_alonzo/health"))
            await idle_reader.readuntil(b"{}")
            writer.write(call(GATE, method=b"POST", body=b"7"))
            await world.invoker.entered.wait()
            stopping = asyncio.ensure_future(world.server.stop(5))
            assert await idle_reader.read() == b""
            with pytest.raises(ConnectionRefusedError):
                await world.connect()
            assert not stopping.done()
            world.invoker.gate.set()
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert b"connection: close" in answer
            await stopping

    serve(main)


def test_stop_ends_what_outlives_the_grace(caplog: pytest.LogCaptureFixture) -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        with closing(writer):
            writer.write(call(GATE, method=b"POST", body=b"7"))
            await world.invoker.entered.wait()
            await world.server.stop(0)
            assert world.server.connections == 0
            with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
                await reader.readexactly(1)
        assert world.invoker.finished == []

    serve(main, limits=ServerLimits(flush_s=0.05))
    assert not caplog.records


def test_server_needs_no_main_thread() -> None:
    # It installs no signal handlers.
    failures: list[BaseException] = []

    async def main(world: World) -> None:
        assert b"200 OK" in await world.exchange(call(b"/_alonzo/health", CLOSE))

    def run() -> None:
        try:
            serve(main)
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert not failures
