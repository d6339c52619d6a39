"""How a server ends in two steps, and what one inner listener may take; over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing

import pytest
import uvloop

from alonzo.edge.app import EdgeApp, Route
from alonzo.edge.server import EdgeServer, Listener, ServerLimits
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.model.invocations import InvokeRequest, InvokeResult
from alonzo.model.ports.identity import AccessKey

# libuv keeps a pipe for signals from its first loop to the end of the process.
uvloop.new_event_loop().close()

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Keys:
    def find(self, access_key_id: str, session_token: str | None) -> AccessKey | None:
        return None


class NoFunctions:
    async def invoke(self, request: InvokeRequest) -> InvokeResult:
        raise AssertionError("nobody invokes here")


class World:
    """A server with an outer and inner listeners; ``/slow`` waits until ``gate`` opens."""

    def __init__(self, limits: ServerLimits) -> None:
        self.entered = asyncio.Semaphore(0)
        self.gate = asyncio.Event()
        self.server = EdgeServer(
            EdgeApp(
                operations={},
                invoker=NoFunctions(),
                keys=Keys(),
                clock=SystemClock(),
                ids=SystemIds(),
                account="000000000000",
                auth="off",
                routes=[Route("GET", b"/fast", self._fast), Route("GET", b"/slow", self._slow)],
            ),
            limits=limits,
        )
        self.outer = 0

    async def _fast(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, {}, b"fast")

    async def _slow(self, request: HttpRequest) -> HttpResponse:
        self.entered.release()
        await self.gate.wait()
        return HttpResponse(200, {}, b"slow")

    async def inner(self) -> tuple[Listener, int]:
        sock = socket.create_server(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        return await self.server.serve_socket(sock), port


def serve(main: Callable[[World], Awaitable[None]], *, limits: ServerLimits | None = None) -> None:
    @asynccontextmanager
    async def world() -> AsyncIterator[World]:
        made = World(limits or ServerLimits())
        made.outer = await made.server.start("127.0.0.1", 0)
        try:
            yield made
        finally:
            made.gate.set()
            await made.server.stop(2)
            assert made.server.connections == 0

    async def run() -> None:
        async with world() as made, asyncio.timeout(10):
            await main(made)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def call(path: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nhost: localhost\r\n\r\n"


async def connect(port: int) -> Streams:
    return await asyncio.open_connection("127.0.0.1", port)


async def ask(streams: Streams, path: bytes = b"/fast") -> bytes:
    """One request on a connection that stays open; its answer."""
    reader, writer = streams
    writer.write(call(path))
    return await reader.readuntil(path[1:])


async def is_served(port: int) -> bool:
    streams = await connect(port)
    with closing(streams[1]):
        return (await ask(streams)).startswith(b"HTTP/1.1 200 OK")


# --- draining


def test_drain_refuses_from_outside_and_serves_from_inside() -> None:
    async def main(world: World) -> None:
        _, port = await world.inner()
        kept, idle = await connect(port), await connect(world.outer)
        with closing(kept[1]), closing(idle[1]):
            await ask(kept)
            await ask(idle)
            await world.server.drain(5)
            assert await idle[0].read() == b""
            with pytest.raises(ConnectionRefusedError):
                await connect(world.outer)
            assert b"200 OK" in await ask(kept)
            assert await is_served(port)
            # An environment that starts while we drain is served too.
            _, later = await world.inner()
            assert await is_served(later)

    serve(main)


def test_drain_waits_for_requests_from_outside_and_closes_their_connections() -> None:
    async def main(world: World) -> None:
        _, port = await world.inner()
        reader, writer = await connect(world.outer)
        with closing(writer):
            writer.write(call(b"/slow"))
            await world.entered.acquire()
            draining = asyncio.ensure_future(world.server.drain(5))
            assert await is_served(port)
            writer.write(call(b"/fast"))
            assert await is_served(port)
            assert not draining.done()
            world.gate.set()
            answer = await reader.read()
            await draining
            assert answer.count(b"HTTP/1.1 200 OK") == 1
            assert b"connection: close" in answer
            assert answer.endswith(b"slow")

    serve(main)


def test_drain_does_not_wait_for_requests_from_inside() -> None:
    async def main(world: World) -> None:
        _, port = await world.inner()
        reader, writer = await connect(port)
        with closing(writer):
            writer.write(call(b"/slow"))
            await world.entered.acquire()
            await world.server.drain(5)
            world.gate.set()
            assert (await reader.readuntil(b"slow")).startswith(b"HTTP/1.1 200 OK")
            # It came from inside, so its connection stays.
            assert b"200 OK" in await ask((reader, writer))

    serve(main)


def test_drain_gives_up_after_the_grace_and_stop_ends_the_rest() -> None:
    async def main(world: World) -> None:
        _, port = await world.inner()
        outside, inside = await connect(world.outer), await connect(port)
        with closing(outside[1]), closing(inside[1]):
            for streams in (outside, inside):
                streams[1].write(call(b"/slow"))
                await world.entered.acquire()
            await world.server.drain(0.02)
            await world.server.drain(0)
            assert world.server.connections == 2
            await world.server.stop(0)
            assert world.server.connections == 0
            for reader, _ in (outside, inside):
                with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
                    await reader.readexactly(1)
            with pytest.raises(ConnectionRefusedError):
                await connect(port)
            await world.server.drain(1)

    serve(main, limits=ServerLimits(flush_s=0.05))


def test_stop_after_drain_lets_requests_from_inside_end() -> None:
    async def main(world: World) -> None:
        _, port = await world.inner()
        reader, writer = await connect(port)
        with closing(writer):
            writer.write(call(b"/slow"))
            await world.entered.acquire()
            await world.server.drain(1)
            stopping = asyncio.ensure_future(world.server.stop(5))
            await asyncio.sleep(0)
            world.gate.set()
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert b"connection: close" in answer
            await stopping

    serve(main)


def test_idle_connection_lingers_and_what_it_still_asks_is_its_last() -> None:
    async def main(world: World) -> None:
        idle, half = await connect(world.outer), await connect(world.outer)
        with closing(idle[1]), closing(half[1]):
            await ask(idle)
            half[1].write(call(b"/fast")[:-4])
            await ask(idle)
            draining = asyncio.ensure_future(world.server.drain(5))
            await asyncio.sleep(0)
            idle[1].write(call(b"/fast") + call(b"/fast"))
            half[1].write(b"\r\n\r\n")
            for reader, _ in (idle, half):
                answer = await reader.read()
                assert answer.count(b"HTTP/1.1 200 OK") == 1
                assert b"connection: close" in answer
            await draining

    serve(main, limits=ServerLimits(linger_s=5))


def test_linger_ends_and_with_it_the_drain() -> None:
    async def main(world: World) -> None:
        idle, never = await connect(world.outer), await connect(world.outer)
        with closing(idle[1]), closing(never[1]):
            await ask(idle)
            await world.server.drain(5)
            assert world.server.connections == 0
            assert await idle[0].read() == await never[0].read() == b""

    serve(main, limits=ServerLimits(linger_s=0.05))


def test_linger_is_part_of_the_grace() -> None:
    async def main(world: World) -> None:
        streams = await connect(world.outer)
        with closing(streams[1]):
            await ask(streams)
            await world.server.drain(0.02)
            assert world.server.connections == 1

    serve(main, limits=ServerLimits(linger_s=60))


def test_drain_serves_those_whom_the_kernel_has_let_in_already() -> None:
    async def main(world: World) -> None:
        # Nothing here gives the loop a chance to accept them.
        waiting = [socket.create_connection(("127.0.0.1", world.outer)) for _ in range(5)]
        for sock in waiting:
            sock.sendall(call(b"/fast"))
        await world.server.drain(5)
        for sock in waiting:
            with closing(sock):
                answer = await asyncio.to_thread(sock.recv, 1000)
                assert answer.startswith(b"HTTP/1.1 200 OK")
                assert b"connection: close" in answer

    serve(main)


def test_last_answer_is_not_lost_to_a_body_that_is_still_under_way() -> None:
    async def main(world: World) -> None:
        reader, writer = await connect(world.outer)
        with closing(writer):
            await ask((reader, writer))
            draining = asyncio.ensure_future(world.server.drain(5))
            await asyncio.sleep(0)
            n_bytes = 8_000_000
            writer.write(b"PUT /fast HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % n_bytes)
            for _ in range(8):
                writer.write(bytes(n_bytes // 8))
                await writer.drain()
            answer = await reader.read()
            # Only GET is served: nobody reads that body.
            assert answer.startswith(b"HTTP/1.1 405 ")
            assert answer.count(b"HTTP/1.1") == 1
            await draining

    serve(main)


# --- the share of one inner listener


def test_inner_listener_has_room_for_so_many_and_others_are_untouched() -> None:
    async def main(world: World) -> None:
        (_, greedy), (_, modest) = await world.inner(), await world.inner()
        held = [await connect(greedy) for _ in range(3)]
        beside = await connect(modest)
        try:
            for streams in (*held, beside):
                assert b"200 OK" in await ask(streams)
            for _ in range(5):
                reader, writer = await connect(greedy)
                with closing(writer):
                    assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
            assert world.server.connections == 4
            for streams in (*held, beside):
                assert b"200 OK" in await ask(streams)
            assert await is_served(modest)
            assert await is_served(world.outer)
        finally:
            for _, writer in (*held, beside):
                writer.close()

    serve(main, limits=ServerLimits(inner_connections_max=3))


def test_room_in_an_inner_listener_is_given_back() -> None:
    async def main(world: World) -> None:
        _, port = await world.inner()
        for _ in range(4):
            reader, writer = await connect(port)
            writer.write(b"GET /fast HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
            writer.close()

    serve(main, limits=ServerLimits(inner_connections_max=1))


def test_outer_connections_are_not_counted_as_inner_ones() -> None:
    async def main(world: World) -> None:
        held = [await connect(world.outer) for _ in range(3)]
        for streams in held:
            assert b"200 OK" in await ask(streams)
            streams[1].close()

    serve(main, limits=ServerLimits(inner_connections_max=1))
