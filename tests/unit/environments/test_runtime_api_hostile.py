"""The Runtime API against a process that uses it in ways no runtime does, or few do."""

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from alonzo.environments.api_server import ApiServer, forget_waiting
from alonzo.environments.runtime_api import DATE, RuntimeApi
from alonzo.environments.values import Invocation, Reply
from alonzo.testing.allocations import allocated

LIMIT = 1 << 20
NEXT = b"/2018-06-01/runtime/invocation/next"
RESPONSE = b"/2018-06-01/runtime/invocation/r1/response"
INIT_ERROR = b"/2018-06-01/runtime/init/error"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


class Told:
    """What the API reported, in order."""

    def __init__(self):
        self.said = []
        self.called = asyncio.Event()

    def note(self, *what):
        self.said.append(what)
        self.called.set()

    def runtime_ready(self):
        self.note("ready")

    def runtime_answered(self, request_id, reply):
        self.note("answered", request_id, reply)

    def runtime_init_failed(self, reply):
        self.note("init failed", reply)

    async def until(self, *said):
        while self.said != list(said):
            self.called.clear()
            await self.called.wait()


class Peer:
    """A connection that sends what it likes."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def request(self, method, path, headers=b"", body=b""):
        await self.send(head(method, path, headers) + body)

    async def status(self):
        """The status of the next response, whose body is read too."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in lines[1:] if line)
        self.body = await self.reader.readexactly(int(fields[b"content-length"]))
        return int(lines[0].split()[1])

    async def ask(self, *request):
        await self.request(*request)
        return await self.status()

    async def is_cut_off(self):
        with suppress(ConnectionError):
            while await self.reader.read(1 << 16):
                pass
        return True

    async def close(self):
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


def head(method, path, headers=b""):
    return b"%b %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (method, path, headers)


def event(payload=b"{}"):
    return Invocation("r1", "attempt", "arn:f", payload, "Root=1-0;Sampled=0")


async def served(listening, told):
    """The API on a server of its own."""
    api = RuntimeApi(told, body_bytes_max=LIMIT)
    api.server = ApiServer()
    api.server.mount(DATE, api)
    await api.server.serve(listening)
    return api


def end(api):
    api.close()
    api.server.close()


@asynccontextmanager
async def serving():
    async with AsyncExitStack() as undo:
        listening = undo.enter_context(socket.create_server(("127.0.0.1", 0)))
        told = Told()

        async def connect():
            address = listening.getsockname()
            peer = Peer(*await asyncio.open_connection(*address, limit=1 << 16))
            undo.push_async_callback(peer.close)
            return peer

        api = await served(listening, told)
        undo.callback(end, api)
        yield api, told, connect
    await until(lambda: not api.server._connections)


async def until(condition):
    """Both ends live on this loop, so some turns of it are enough."""
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


def run(scenario):
    async def main():
        async with asyncio.timeout(20), serving() as parts:
            await scenario(*parts)

    asyncio.run(main())


async def take_event(api, told, peer, *before):
    await peer.request(b"GET", NEXT)
    await told.until(*before, ("ready",))
    api.send(event(), 1)
    assert await peer.status() == 200
    told.said.clear()


# What may be held


@pytest.mark.parametrize(
    ("path", "status"),
    [(b"/nowhere", 404), (RESPONSE, 400), (NEXT, 405)],
    ids=["unknown path", "unknown request", "wrong method"],
)
def test_a_body_that_nobody_can_use_is_not_held(path, status):
    async def scenario(api, told, connect):
        peer = await connect()
        pieces = b"2\r\nab\r\n" * 3000
        with allocated() as peak:
            await peer.request(b"POST", path, CHUNKED)
            for _ in range(10):
                await peer.send(pieces)
            await peer.send(b"0\r\n\r\n")
            assert await peer.status() == status
            assert peak() < 1 << 20

    run(scenario)


def test_a_result_in_tiny_pieces_costs_little_more_than_itself():
    async def scenario(api, told, connect):
        peer = await connect()
        await take_event(api, told, peer)
        pieces = b"2\r\nab\r\n" * 20_000
        with allocated() as peak:
            await peer.request(b"POST", RESPONSE, CHUNKED)
            await peer.send(pieces)
            await peer.send(b"0\r\n\r\n")
            assert await peer.status() == 202
            assert peak() < 800_000
        assert told.said == [("answered", "r1", Reply(b"ab" * 20_000))]

    run(scenario)


def test_a_length_of_more_digits_than_numbers_have_is_a_length():
    async def scenario(api, told, connect):
        peer = await connect()
        await take_event(api, told, peer)
        stated = b"Content-Length: " + b"0" * 5000 + b"2\r\n"
        assert await peer.ask(b"POST", RESPONSE, stated, b"{}") == 202

    run(scenario)


def test_one_connection_at_a_time_may_bring_a_body():
    async def scenario(api, told, connect):
        first, second = await connect(), await connect()
        await take_event(api, told, first)
        await first.request(b"POST", RESPONSE, b"Content-Length: 2\r\n", b"1")
        await until(lambda: api.server._claimed_by is not None)
        assert await second.ask(b"POST", RESPONSE, b"Content-Length: 1\r\n", b"2") == 400
        assert b"InvalidRequestID" in second.body
        await first.send(b"0")
        assert await first.status() == 202
        assert told.said == [("answered", "r1", Reply(b"10"))]

    run(scenario)


def test_a_connection_that_is_lost_leaves_its_place_to_the_next():
    async def scenario(api, told, connect):
        first, second = await connect(), await connect()
        await take_event(api, told, first)
        await first.request(b"POST", RESPONSE, b"Content-Length: 2\r\n", b"1")
        await first.close()
        await until(lambda: len(api.server._connections) == 1)
        assert await second.ask(b"POST", RESPONSE, b"Content-Length: 1\r\n", b"2") == 202

    run(scenario)


def test_a_body_past_the_limit_is_not_held_to_its_end():
    async def scenario(api, told, connect):
        peer = await connect()
        await take_event(api, told, peer)
        piece = bytes(1 << 16)
        with allocated() as peak:
            await peer.request(b"POST", RESPONSE, b"Content-Length: %d\r\n" % (128 << 16))
            for _ in range(128):
                await peer.send(piece)
            assert await peer.status() == 413
            assert peak() < 2 * LIMIT
        assert told.said == [("answered", "r1", Reply(b"", too_large=True))]

    run(scenario)


def test_a_header_without_an_end_is_cut_off():
    async def scenario(api, told, connect):
        peer = await connect()
        await peer.send(b"GET /ping HTTP/1.1\r\nX: ")
        with suppress(ConnectionError):
            for _ in range(100):
                await peer.send(b"x" * (1 << 16))
                await asyncio.sleep(0)
        assert await peer.is_cut_off()

    run(scenario)


def test_one_connection_at_a_time_may_send_a_long_header():
    async def scenario(api, told, connect):
        first, second = await connect(), await connect()
        cause = b"Lambda-Runtime-Function-XRay-Error-Cause: " + b"x" * (1 << 20)
        await first.send(b"POST %b HTTP/1.1\r\nContent-Length: 2\r\n" % INIT_ERROR + cause)
        await until(lambda: api.server._claimed_by is not None)
        await second.send(b"GET /ping HTTP/1.1\r\n" + cause)
        assert await second.is_cut_off()
        await first.send(b"\r\n\r\n{}")
        assert await first.status() == 202

    run(scenario)


def test_more_than_a_hundred_headers_are_cut_off():
    async def scenario(api, told, connect):
        peer = await connect()
        assert await peer.ask(b"GET", b"/ping", b"A: b\r\n" * 99) == 200
        await peer.request(b"GET", b"/ping", b"A: b\r\n" * 100)
        assert await peer.is_cut_off()

    run(scenario)


# Requests ahead of their answers


def test_who_does_not_take_answers_is_not_heard():
    async def main():
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as peer:
            # What the kernel holds is not what is measured here.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.setblocking(False)
            api = await served(listening, Told())
            await loop.sock_connect(peer, listening.getsockname())
            await until(lambda: api.server._connections)
            (transport,) = (connection._transport for connection in api.server._connections)
            n_sent = 0
            while transport.is_reading():
                n_sent += peer.send(head(b"GET", b"/")) > 0
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                assert n_sent < 5000
            assert not transport.is_closing()
            assert transport.get_write_buffer_size() < 80_000
            answers = b""
            while answers.count(b"404 page not found") < n_sent:
                data = await loop.sock_recv(peer, 1 << 16)
                assert data
                answers += data
            assert transport.is_reading()
            end(api)
            await until(lambda: not api.server._connections)

    asyncio.run(main())


def test_many_requests_at_once_are_cut_off():
    async def scenario(api, told, connect):
        peer = await connect()
        await peer.send(head(b"GET", b"/ping") * 1000)
        assert await peer.is_cut_off()

    run(scenario)


def test_a_request_behind_one_that_waits_is_cut_off():
    async def scenario(api, told, connect):
        peer = await connect()
        await peer.request(b"GET", NEXT)
        await peer.request(b"GET", NEXT)
        assert await peer.is_cut_off()
        assert not api._waiting

    run(scenario)


# Ways of clients


def test_close_is_heeded_when_the_answer_comes_late():
    async def scenario(api, told, connect):
        peer = await connect()
        await peer.request(b"GET", NEXT, b"Connection: close\r\n")
        await told.until(("ready",))
        api.send(event(), 1)
        assert await peer.status() == 200
        assert await peer.reader.read() == b""

    run(scenario)


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAE\r\n"


def test_an_offered_upgrade_is_ignored():
    async def scenario(api, told, connect):
        peer = await connect()
        await peer.request(b"GET", NEXT, UPGRADE)
        await told.until(("ready",))
        api.send(event(), 1)
        assert await peer.status() == 200
        body = b"Content-Length: 2\r\n"
        assert await peer.ask(b"POST", RESPONSE, UPGRADE + body, b"42") == 202
        assert told.said[1:] == [("answered", "r1", Reply(b"42"))]
        assert await peer.ask(b"GET", b"/ping") == 200

    run(scenario)


def test_a_proxy_is_what_we_are_not():
    async def scenario(api, told, connect):
        peer = await connect()
        await peer.request(b"CONNECT", b"elsewhere:80")
        assert await peer.is_cut_off()

    run(scenario)


# Several connections wait


def test_events_go_to_those_who_wait_in_their_order():
    async def scenario(api, told, connect):
        first, second = await connect(), await connect()
        await first.request(b"GET", NEXT)
        await told.until(("ready",))
        await second.request(b"GET", NEXT)
        await told.until(("ready",), ("ready",))
        for peer, payload in ((first, b"1"), (second, b"2")):
            told.said.clear()
            api.send(event(payload), 1)
            assert await peer.status() == 200
            assert peer.body == payload
            assert await peer.ask(b"POST", RESPONSE, b"Content-Length: 1\r\n", b"0") == 202
            assert told.said[0] == ("answered", "r1", Reply(b"0"))
            # The second still waits when the first has answered.
            assert told.said[1:] == ([("ready",)] if peer is first else [])

    run(scenario)


def test_an_event_passes_by_a_connection_that_is_closing():
    async def scenario(api, told, connect):
        first, second = await connect(), await connect()
        await first.request(b"GET", NEXT)
        await told.until(("ready",))
        await second.request(b"GET", NEXT)
        await told.until(("ready",), ("ready",))
        api._waiting[0].abort()
        api.send(event(), 1)
        assert await second.status() == 200

    run(scenario)


def test_an_event_that_nobody_took_waits_for_the_next_who_asks():
    async def scenario(api, told, connect):
        first, second = await connect(), await connect()
        await first.request(b"GET", NEXT)
        await told.until(("ready",))
        api._waiting[0].abort()
        api.send(event(), 1)
        assert await second.ask(b"GET", NEXT) == 200
        assert told.said == [("ready",)]

    run(scenario)


def test_every_next_that_waits_is_reported():
    async def scenario(api, told, connect):
        peer = await connect()
        for _ in range(2):
            await take_event(api, told, peer)
            assert await peer.ask(b"POST", RESPONSE, b"Content-Length: 1\r\n", b"0") == 202
            told.said.clear()
        assert await peer.ask(b"POST", INIT_ERROR, b"Content-Length: 2\r\n", b"{}") == 403

    run(scenario)


# Beginning and end


def test_connections_of_the_process_before_are_closed():
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            old = socket.create_connection(listening.getsockname())
            old.sendall(head(b"GET", NEXT))
            listening.setblocking(False)
            forget_waiting(listening)
            api = await served(listening, Told())
            with old:
                old.settimeout(5)
                with pytest.raises(ConnectionResetError):
                    old.recv(1)
            await asyncio.sleep(0)
            assert not api.server._connections
            end(api)

    asyncio.run(main())


def test_nothing_is_reported_once_the_api_is_closed():
    async def scenario(api, told, connect):
        peer = await connect()
        assert await peer.ask(b"GET", b"/ping") == 200
        await peer.request(b"GET", NEXT)
        end(api)
        end(api)
        assert await peer.is_cut_off()
        assert told.said == []

    run(scenario)


def test_the_listening_socket_outlives_the_api():
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            for _ in range(2):
                api = await served(listening, Told())
                peer = Peer(*await asyncio.open_connection(*listening.getsockname()))
                assert await peer.ask(b"GET", b"/ping") == 200
                end(api)
                assert await peer.is_cut_off()
                await peer.close()

    asyncio.run(main())


@pytest.mark.parametrize("document", [b"=", "é".encode()], ids=["no base64", "no ASCII"])
def test_a_broken_document_in_a_trailer_is_an_empty_one(document):
    async def scenario(api, told, connect):
        peer = await connect()
        await take_event(api, told, peer)
        trailers = b"Lambda-Runtime-Function-Error-Type: T\r\n"
        trailers += b"Lambda-Runtime-Function-Error-Body: %b\r\n" % document
        body = b"0\r\n%b\r\n" % trailers
        assert await peer.ask(b"POST", RESPONSE, CHUNKED, body) == 202
        assert told.said == [("answered", "r1", Reply(b"{}", "T"))]

    run(scenario)
