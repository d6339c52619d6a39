"""Responses that leave the server piece by piece: slow clients, lost ones, and failures of ours."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from botocore.eventstream import EventStreamBuffer

from alonzo.edge.app import EdgeApp
from alonzo.edge.server import EdgeServer, ServerLimits
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvokeResult
from alonzo.model.ports.invoking import ClientGoneError, StreamHead

# The first loop of a process makes a pipe that libuv keeps for ever; no test is to blame for it.
uvloop.new_event_loop().close()

PIECE = 1 << 16
HEAD = StreamHead("7", "Root=1-0-0", None)


class Keys:
    def find(self, access_key_id, session_token):
        return None


class Streamer:
    """Streams what the function's name says."""

    def __init__(self):
        self.written = 0
        self.gone = asyncio.Event()
        self.full = asyncio.Event()

    async def stream(self, request, sink):
        return await getattr(self, request.function_name)(sink)

    async def endless(self, sink):
        sink.start(HEAD)
        try:
            while True:
                writing = asyncio.ensure_future(sink.write(bytes(PIECE)))
                done, _ = await asyncio.wait([writing], timeout=0.2)
                if not done:
                    self.full.set()
                await writing
                self.written += PIECE
        except ClientGoneError:
            self.gone.set()
        return InvokeResult(200)

    async def refused(self, sink):
        raise AwsError("TooManyRequestsException", "Rate Exceeded.")

    async def breaks(self, sink):
        sink.start(HEAD)
        await sink.write(b"half")
        raise ValueError("ours")

    async def whole(self, sink):
        sink.start(HEAD)
        await sink.write(b"a")
        await sink.write(bytes(300_000))
        return InvokeResult(200, log_tail=b"log")

    async def dry(self, sink):
        return InvokeResult(204)


class World:
    def __init__(self, limits):
        self.streamer = Streamer()
        app = EdgeApp(
            operations={"lambda": {}},
            invoker=self.streamer,
            keys=Keys(),
            clock=SystemClock(),
            ids=SystemIds(),
            account="000000000000",
            auth="off",
        )
        self.server = EdgeServer(app, limits=limits)

    async def connect(self, name, *headers, version="1.1", rcvbuf=None):
        sock = socket.socket()
        if rcvbuf is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        lines = [
            f"POST /2021-11-15/functions/{name}/response-streaming-invocations HTTP/{version}",
            "host: localhost", "content-length: 0", *headers, "", "",
        ]  # fmt: skip
        await asyncio.get_running_loop().sock_sendall(sock, "\r\n".join(lines).encode())
        return sock


def serve(main: Callable[[World], Awaitable[None]], **limits: float) -> None:
    async def run() -> None:
        world = World(ServerLimits(**limits))
        world.port = await world.server.start("127.0.0.1", 0)
        try:
            async with asyncio.timeout(20):
                await main(world)
        finally:
            await world.server.stop(2)
            assert world.server.connections == 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def read_all(sock):
    data = b""
    while piece := await asyncio.get_running_loop().sock_recv(sock, 1 << 16):
        data += piece
    return data


def events(body):
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    return list(buffer)


def unchunked(data):
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        n = int(size, 16)
        if n == 0:
            assert data == b"\r\n"
            return body
        body, data = body + data[:n], data[n + 2 :]
    raise AssertionError("no last chunk")


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_response_arrives_whole(version):
    async def main(world):
        with await world.connect("whole", "connection: close", version=version) as sock:
            head, _, body = (await read_all(sock)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert b"x-amz-executed-version: 7" in head
        assert (b"transfer-encoding: chunked" in head) == (version == "1.1")
        *chunks, last = events(unchunked(body) if version == "1.1" else body)
        assert b"".join(chunk.payload for chunk in chunks) == b"a" + bytes(300_000)
        assert last.payload == b'{"ErrorCode":null,"ErrorDetails":null,"LogResult":"bG9n"}'

    serve(main)


def test_a_refusal_and_a_dry_run_are_ordinary_answers():
    async def main(world):
        with await world.connect("refused", "connection: close") as sock:
            data = await read_all(sock)
        assert data.startswith(b"HTTP/1.1 429")
        assert b"Rate Exceeded." in data
        with await world.connect("dry", "connection: close") as sock:
            assert (await read_all(sock)).startswith(b"HTTP/1.1 204")

    serve(main)


def test_a_client_that_reads_nothing_is_waited_for_and_then_left():
    async def main(world):
        with await world.connect("endless", rcvbuf=4096):
            await world.streamer.full.wait()
            held = world.streamer.written
            # What the kernel takes, and little of ours.
            assert held < 64 << 20
            await world.streamer.gone.wait()
            assert world.streamer.written == held

    serve(main, write_idle_s=0.5)


def test_a_client_that_leaves_is_noticed():
    async def main(world):
        sock = await world.connect("endless")
        await asyncio.get_running_loop().sock_recv(sock, 10)
        sock.close()
        await world.streamer.gone.wait()

    serve(main)


def test_a_failure_of_ours_in_the_middle_cuts_the_connection(caplog):
    async def main(world):
        with await world.connect("breaks") as sock:
            data = b""
            with contextlib.suppress(ConnectionResetError):
                data = await read_all(sock)
        assert not data.endswith(b"0\r\n\r\n")
        assert data.count(b"HTTP/1.1") <= 1

    serve(main)
    assert "edge.failed" in caplog.text


def test_a_stop_in_the_middle_cuts_what_outlives_its_grace():
    async def main(world):
        with await world.connect("endless", rcvbuf=4096):
            await world.streamer.full.wait()
            await world.server.stop(0.1)

    serve(main)
