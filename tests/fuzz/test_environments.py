"""What a hostile function may send to the daemon: on its link, to its APIs, through an overseer."""

import asyncio
import contextlib
import json
import socket
import struct

from alonzo.environments import runtime_api
from alonzo.environments.api_server import ApiServer
from alonzo.environments.extensions import api
from alonzo.environments.extensions.rules import Roster
from alonzo.environments.links import FramedLink
from alonzo.environments.runtime_connection import Connection
from alonzo.environments.telemetry.api import DATES, TelemetryApi
from alonzo.environments.telemetry.buffer import Budget
from alonzo.environments.telemetry.hub import Telemetry
from alonzo.environments.values import Invocation
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.runtimes.framing import Kind, encode
from alonzo.sandbox.overseer import frames
from alonzo.sandbox.overseer.client import Overseer
from alonzo.testing.fuzzing import mutated, mutated_tree, pieces

LIMIT = 100_000
ANSWERS = {b"100", b"200", b"202", b"400", b"403", b"404", b"405", b"413", b"500"}


class Told:
    """Whoever hears of the runtime; it must hear of one end at most."""

    def __init__(self):
        self.said = []

    def runtime_ready(self):
        self.said.append("ready")

    def runtime_answered(self, request_id, reply):
        assert request_id == "r1"
        assert len(reply.payload) <= LIMIT
        self.said.append("answered")

    def runtime_init_failed(self, reply):
        self.said.append("init failed")

    def runtime_broke_protocol(self, detail):
        assert "broke" not in self.said
        self.said.append("broke")


class Wire(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.out = bytearray()
        self.closing = False

    def write(self, data):
        self.out += data

    def writelines(self, pieces):
        self.out += b"".join(pieces)

    def is_closing(self):
        return self.closing

    def abort(self):
        self.closing = True

    close = abort

    def pause_reading(self):
        pass

    resume_reading = pause_reading


def event():
    return Invocation("r1", "attempt", "arn:f", b"{}", "Root=1-0;Sampled=0")


GOOD_FRAMES = [
    encode(Kind.READY, {}),
    encode(Kind.RESPONSE, {"id": "r1"}, b'{"ok":true}'),
    encode(Kind.ERROR, {"id": "r1", "type": "Unhandled"}, b'{"errorType":"x"}'),
    encode(Kind.CHUNK, {"id": "r1", "type": "text/plain"}, b"piece"),
    encode(Kind.INIT_ERROR, {"type": "x"}, b"{}"),
    encode(Kind.RESPONSE, {"id": "other"}, b"x" * 3000),
]
FRAME_TOKENS = (
    b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x03", b"\x10", b"\x11", b"\x14", b"\xff\xff",
    b'{"id":', b'{"id":"r1"}', b'{"id":1}', b"[]", b"null", b"[" * 500, b'{"a":' * 500,
)  # fmt: skip


def test_a_framed_link_takes_frames_or_is_broken_once(fuzz):
    async def talk(pick, data):
        told = Told()
        link = FramedLink(told, body_bytes_max=LIMIT, parked=pick.random() < 0.1)
        wire = Wire()
        link.connection_made(wire)
        sent = False
        for piece in data:
            if wire.closing:
                break
            link.data_received(piece)
            if "ready" in told.said and not sent and not wire.closing:
                sent = True
                link.send(event(), 0)
            for _ in range(3):
                await asyncio.sleep(0)
        link.connection_lost(None)
        assert wire.closing

    with asyncio.Runner() as runner:

        def step(pick):
            data = GOOD_FRAMES[0] if pick.random() < 0.8 else b""
            data += b"".join(pick.choice(GOOD_FRAMES) for _ in range(pick.choice((1, 2, 5))))
            cut = pieces(pick, mutated(pick, data, FRAME_TOKENS))
            if pick.random() < 0.5:
                cut = [GOOD_FRAMES[0], *pieces(pick, mutated(pick, data[8:], FRAME_TOKENS))]
            runner.run(talk(pick, cut))

        fuzz(step)


DATE = b"/2018-06-01/runtime"
REQUESTS = [
    (b"GET", DATE + b"/invocation/next", b"", b""),
    (b"POST", DATE + b"/invocation/r1/response", b"", b'{"ok": 1}'),
    (b"POST", DATE + b"/invocation/r1/error", b"Lambda-Runtime-Function-Error-Type: x\r\n", b"{}"),
    (b"POST", DATE + b"/init/error", b"", b'{"errorType": "x"}'),
    (b"POST", DATE + b"/invocation/r1/response",
     b"Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
     b"Trailer: Lambda-Runtime-Function-Error-Type\r\n",
     b"5\r\nhello\r\n0\r\nLambda-Runtime-Function-Error-Type: x\r\n\r\n"),
    (b"POST", b"/2020-01-01/extension/register", b"Lambda-Extension-Name: file\r\n",
     b'{"events": ["INVOKE", "SHUTDOWN"]}'),
    (b"GET", b"/2020-01-01/extension/event/next", b"Lambda-Extension-Identifier: ID\r\n", b""),
    (b"POST", b"/2020-01-01/extension/init/error",
     b"Lambda-Extension-Identifier: ID\r\nLambda-Extension-Function-Error-Type: x\r\n", b"{}"),
    (b"PUT", b"/2022-07-01/telemetry", b"Lambda-Extension-Identifier: ID\r\n",
     b'{"schemaVersion": "2022-12-13", "types": ["platform", "function"], "buffering":'
     b'{"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 100},'
     b'"destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/x"}}'),
    (b"PUT", b"/2020-08-15/logs", b"Lambda-Extension-Identifier: ID\r\n",
     b'{"types": ["platform"], "destination": {"protocol": "TCP", "port": 8080}}'),
    (b"GET", b"/ping", b"", b""),
]  # fmt: skip


def on_the_wire(method, path, headers, body):
    length = b"" if b"chunked" in headers else b"Content-Length: %d\r\n" % len(body)
    return b"%b %b HTTP/1.1\r\nHost: x\r\n%b%b\r\n%b" % (method, path, headers, length, body)


async def refused(port):
    raise ConnectionRefusedError


async def served(pick, data):
    """One environment's APIs, and two connections that bring bytes by turns."""
    async with TaskScope() as scope:
        roster = Roster(["file"])
        told = Told()
        runtime = runtime_api.RuntimeApi(told, body_bytes_max=LIMIT)
        telemetry = Telemetry(refused, clock=SystemClock(), scope=scope, budget=Budget())
        facts = api.FunctionFacts("shop", "$LATEST", "m.h", "000000000000")
        server = ApiServer()
        server.mount(runtime_api.DATE, runtime)
        server.mount(api.DATE, api.ExtensionsApi(roster, facts, SystemIds(), lambda: None))
        for kind, date in DATES.items():
            server.mount(date, TelemetryApi(kind, roster, telemetry, lambda *_: None))
        wires = [Wire(), Wire()]
        connections = [Connection(server) for _ in wires]
        for connection, wire in zip(connections, wires, strict=True):
            connection.connection_made(wire)
        sent = False
        known = b""
        for piece in data:
            at = pick.randrange(2)
            if not wires[at].closing:
                connections[at].data_received(piece.replace(b"ID", known or b"ID"))
            if "ready" in told.said and not sent:
                sent = True
                runtime.send(event(), 0)
            for _ in range(2):
                await asyncio.sleep(0)
            _, found, rest = bytes(wires[at].out).partition(b"Lambda-Extension-Identifier: ")
            known = rest[:36] if found else known
        for connection, wire in zip(connections, wires, strict=True):
            for line in bytes(wire.out).split(b"HTTP/1.1 ")[1:]:
                assert line[:3] in ANSWERS, line[:100]
            connection.connection_lost(None)
        runtime.close()
        server.close()


def test_the_apis_of_an_environment_answer_or_hang_up(fuzz):
    with asyncio.Runner() as runner:

        def step(pick):
            data = []
            for _ in range(pick.choice((1, 2, 3, 5))):
                method, path, headers, body = pick.choice(REQUESTS)
                if body[:1] == b"{" and pick.random() < 0.4:
                    body = json.dumps(mutated_tree(pick, json.loads(body))).encode()
                whole = on_the_wire(method, path, headers, body)
                data += pieces(pick, mutated(pick, whole) if pick.random() < 0.6 else whole)
            runner.run(served(pick, data))

        fuzz(step)


NOTICES = [
    {"ready": 7},
    {"done": 1},
    {"exited": 1, "status": 0, "peak": 5},
    {"failed": 2, "error": "no", "unexecutable": True},
]


def test_an_overseer_that_went_over_to_the_function_is_let_go_of(fuzz):
    async def talk(data, descriptors):
        problems = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: problems.append(context)
        )
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        client = Overseer("s", ours)
        try:
            with contextlib.suppress(OSError):
                if descriptors:
                    frames.send_first(theirs, data[:1], [theirs.fileno()] * descriptors)
                    data = data[1:]
                theirs.sendall(data)
            for _ in range(4):
                await asyncio.sleep(0)
        finally:
            theirs.close()
            client.close()
        assert not problems, problems

    with asyncio.Runner() as runner:

        def step(pick):
            data = b""
            for _ in range(pick.choice((1, 2, 4))):
                notice = pick.choice(NOTICES)
                if pick.random() < 0.7:
                    notice = mutated_tree(pick, notice)
                body = json.dumps(notice).encode()
                data += struct.pack("!IH", len(body), 0) + body
            if pick.random() < 0.4:
                data = mutated(pick, data, FRAME_TOKENS)
            runner.run(talk(data[:100_000], pick.choice((0, 0, 0, 1, 250))))

        fuzz(step)
