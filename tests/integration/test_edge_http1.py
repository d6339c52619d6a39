"""What HTTP/1.1 asks of a connection, over real sockets: framing, its ambiguities, streams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing

import pytest
import uvloop

from alonzo.edge.app import EdgeApp, Route
from alonzo.edge.server import EdgeServer, ServerLimits
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.model.invocations import InvokeRequest, InvokeResult
from alonzo.model.ports.identity import AccessKey

# libuv keeps a pipe for signals from its first loop to the end of the process.
uvloop.new_event_loop().close()

PIECE = b"p" * 65_536
PIECES = 400


class Keys:
    def find(self, access_key_id: str, session_token: str | None) -> AccessKey | None:
        return None


class Echo:
    async def invoke(self, request: InvokeRequest) -> InvokeResult:
        return InvokeResult(200, request.payload, "$LATEST")


class World:
    """A server whose routes show how requests arrive and how streams leave."""

    def __init__(self, limits: ServerLimits) -> None:
        self.made = 0
        self.closed = asyncio.Event()
        self.gate = asyncio.Event()
        routes = [
            Route(None, b"/echo", self._echo),
            Route("PUT", b"/put", self._echo),
            Route(None, b"/gated", self._gated),
            Route(None, b"/long", self._long),
            Route(None, b"/sized", self._sized),
        ]
        app = EdgeApp(
            operations={},
            invoker=Echo(),
            keys=Keys(),
            clock=SystemClock(),
            ids=SystemIds(),
            account="000000000000",
            auth="off",
            routes=routes,
        )
        self.server = EdgeServer(app, limits=limits)
        self.port = 0

    async def _echo(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, {}, request.method.encode() + b"|" + request.body)

    async def _gated(self, request: HttpRequest) -> HttpResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"first"
            await self.gate.wait()
            yield b""
            yield b"second"

        return HttpResponse(200, {}, pieces())

    async def _long(self, request: HttpRequest) -> HttpResponse:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                for _ in range(PIECES):
                    self.made += 1
                    yield PIECE
            finally:
                self.closed.set()

        return HttpResponse(200, {}, pieces())

    async def _sized(self, request: HttpRequest) -> HttpResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"four"

        return HttpResponse(200, {"content-length": request.query.decode()}, pieces())

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exchange(self, data: bytes) -> bytes:
        """Send bytes on a connection of their own, and read until the server closes it."""
        reader, writer = await self.connect()
        with closing(writer):
            writer.write(data)
            try:
                return await reader.read()
            except ConnectionResetError:
                return b"reset"


def serve(main: Callable[[World], Awaitable[None]], *, limits: ServerLimits | None = None) -> None:
    async def run() -> None:
        world = World(limits or ServerLimits())
        world.port = await world.server.start("127.0.0.1", 0)
        try:
            async with asyncio.timeout(10):
                await main(world)
        finally:
            world.gate.set()
            await world.server.stop(2)
            assert world.server.connections == 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def call(path: bytes, *headers: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    lines = [b"%b %b HTTP/%b" % (method, path, version), b"host: localhost", *headers, b"", b""]
    return b"\r\n".join(lines)


CLOSE = b"connection: close"
SMUGGLED = b"GET /echo HTTP/1.1\r\nhost: smuggled\r\n\r\n"


# --- what could be read in two ways is refused, and nothing behind it is heard


@pytest.mark.parametrize(
    "lines",
    [
        [b"content-length: 4", b"transfer-encoding: chunked"],
        [b"transfer-encoding: chunked", b"content-length: 4"],
        [b"content-length: 4", b"content-length: 5"],
        [b"content-length: 4", b"content-length: 4"],
        [b"content-length: 4, 4"],
        [b"content-length: +4"],
        [b"content-length: -4"],
        [b"content-length: 0x4"],
        [b"content-length: 4 4"],
        [b"content-length: 99999999999999999999999"],
        [b"content-length : 4"],
        [b"transfer-encoding: chunked, identity"],
        [b"transfer-encoding: xchunked"],
        [b"transfer-encoding : chunked"],
        [b" content-length: 4"],
        [b"x-folded: a", b" content-length: 4"],
        [b"x-nul: a\x00b"],
        [b"x-cr: a\rcontent-length: 4"],
        [b"no colon"],
        [b": no name"],
        [b"x bad: y"],
    ],
)
def test_ambiguous_head_is_refused_and_the_connection_closed(lines: list[bytes]) -> None:
    async def main(world: World) -> None:
        answer = await world.exchange(call(b"/echo", *lines, method=b"POST") + SMUGGLED * 2)
        assert answer.startswith(b"HTTP/1.1 400 ") or answer == b"reset"
        assert answer.count(b"HTTP/1.1") <= 1

    serve(main)


@pytest.mark.parametrize(
    "head",
    [
        b"POST /echo HTTP/1.1\nhost: a\ncontent-length: 4\n\n",
        b"POST /echo HTTP/1.1\r\nhost: a\ncontent-length: 4\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\n",
        b"POST /echo HTTP/0.9\r\nhost: a\r\n\r\n",
        b"POST /echo\r\nhost: a\r\n\r\n",
        b"POST /echo HTTP/2.0\r\nhost: a\r\n\r\n",
        b"POST /\xc3\xa9 HTTP/1.1\r\nhost: a\r\n\r\n",
        b"CONNECT localhost:1 HTTP/1.1\r\nhost: a\r\n\r\n",
    ],
)
def test_line_that_is_not_of_http_is_refused(head: bytes) -> None:
    async def main(world: World) -> None:
        answer = await world.exchange(head + b"abcd" + SMUGGLED)
        assert answer.startswith(b"HTTP/1.1 400 ") or answer == b"reset"
        assert answer.count(b"HTTP/1.1") <= 1

    serve(main)


def test_rest_of_an_answered_request_gets_no_second_answer() -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        with closing(writer):
            # Nobody reads the body of a method that is not served.
            writer.write(call(b"/put", b"transfer-encoding: chunked", method=b"POST"))
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 405 ")
            writer.write(b"this is no chunk\r\n")
            assert await reader.read() == b""

    serve(main)


def test_nothing_is_heard_behind_the_last_request() -> None:
    async def main(world: World) -> None:
        answer = await world.exchange(call(b"/echo", CLOSE) + SMUGGLED)
        assert answer.count(b"HTTP/1.1") == 1

    serve(main)


# --- versions and methods


@pytest.mark.parametrize("headers", [[], [b"connection: keep-alive"]])
def test_http_1_0_gets_one_answer(headers: list[bytes]) -> None:
    async def main(world: World) -> None:
        answer = await world.exchange(call(b"/echo", *headers, version=b"1.0") * 2)
        assert answer.count(b"HTTP/1.1 200 OK") == 1
        assert CLOSE in answer

    serve(main)


def test_stream_to_http_1_0_ends_with_the_connection() -> None:
    async def main(world: World) -> None:
        world.gate.set()
        answer = await world.exchange(call(b"/gated", version=b"1.0"))
        assert b"transfer-encoding" not in answer
        assert answer.endswith(b"\r\n\r\nfirstsecond")

    serve(main)


def test_head_of_a_stream_has_no_body() -> None:
    async def main(world: World) -> None:
        world.gate.set()
        head = call(b"/gated", method=b"HEAD")
        answer = await world.exchange(head + call(b"/sized?4", CLOSE, method=b"HEAD"))
        assert answer.count(b"HTTP/1.1 200 OK") == 2
        assert b"first" not in answer
        assert answer.endswith(b"content-length: 4\r\nconnection: close\r\n\r\n")

    serve(main)


@pytest.mark.parametrize("path", [b"*", b"http://example.com/echo", b"http://example.com"])
def test_targets_of_other_forms_have_a_path(path: bytes) -> None:
    async def main(world: World) -> None:
        answer = await world.exchange(call(path, CLOSE, method=b"OPTIONS"))
        status = b"200" if path.endswith(b"/echo") else b"40"
        assert answer.startswith(b"HTTP/1.1 " + status)

    serve(main)


# --- streams


def test_first_piece_of_a_stream_goes_out_before_the_second_is_made() -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        with closing(writer):
            writer.write(call(b"/gated"))
            await reader.readuntil(b"5\r\nfirst\r\n")
            world.gate.set()
            await reader.readuntil(b"6\r\nsecond\r\n0\r\n\r\n")
            writer.write(call(b"/echo", CLOSE))
            assert (await reader.read()).endswith(b"GET|")

    serve(main)


def test_stream_is_made_no_faster_than_its_client_takes_it() -> None:
    async def main(world: World) -> None:
        with closing(socket.socket()) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", world.port))
            slow.sendall(call(b"/long", CLOSE))
            seen = -1
            while seen != world.made:
                seen = world.made
                await asyncio.sleep(0.05)
            assert 0 < world.made < PIECES // 2
            answer = await asyncio.to_thread(_read_all, slow)
        assert world.made == PIECES
        assert answer.count(b"p") >= PIECES * len(PIECE)
        assert answer.endswith(b"\r\n0\r\n\r\n")

    serve(main)


def test_stream_whose_client_left_is_read_to_its_end() -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        writer.write(call(b"/long"))
        await reader.readexactly(1000)
        writer.transport.abort()
        await world.closed.wait()
        assert world.made == PIECES

    serve(main)


@pytest.mark.parametrize(("length", "whole"), [(b"4", True), (b"3", False), (b"5", False)])
def test_stream_of_another_length_than_announced_is_cut_off(length: bytes, whole: bool) -> None:
    async def main(world: World) -> None:
        reader, writer = await world.connect()
        with closing(writer):
            writer.write(call(b"/sized?" + length))
            if whole:
                await reader.readuntil(b"\r\n\r\nfour")
                return
            with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
                await reader.readuntil(b"\r\n\r\nfour ")

    serve(main)


def _read_all(sock: socket.socket) -> bytes:
    pieces = []
    while piece := sock.recv(1 << 20):
        pieces.append(piece)
    return b"".join(pieces)
