"""The Extensions and Telemetry APIs over real sockets, driven as extensions do, or worse."""

import asyncio
import json
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from alonzo.environments import runtime_api
from alonzo.environments.api_server import ApiServer
from alonzo.environments.extensions import api
from alonzo.environments.extensions.machine import State
from alonzo.environments.extensions.rules import INVOKE, Roster
from alonzo.environments.telemetry.api import DATES, TelemetryApi
from alonzo.environments.telemetry.buffer import Budget
from alonzo.environments.telemetry.hub import Telemetry
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SequentialIds
from alonzo.lib.tasks import TaskScope
from alonzo.testing.allocations import allocated

REGISTER = b"/2020-01-01/extension/register"
NEXT = b"/2020-01-01/extension/event/next"
TELEMETRY = b"/2022-07-01/telemetry"
FACTS = api.FunctionFacts("shop", "$LATEST", "m.h", "000000000000")


class World:
    """One environment's APIs, with an external extension named ``file``."""

    def __init__(self, scope, address):
        self.address = address
        self.changes = 0
        self.subscribed = []
        self.roster = Roster(["file"])
        self.api = api.ExtensionsApi(self.roster, FACTS, SequentialIds(), self.changed)
        self.telemetry = Telemetry(self.connect, clock=SystemClock(), scope=scope, budget=Budget())
        self.server = ApiServer()
        self.server.mount(runtime_api.DATE, runtime_api.NoRuntimeApi())
        self.server.mount(api.DATE, self.api)
        for kind, date in DATES.items():
            told = TelemetryApi(kind, self.roster, self.telemetry, self.on_subscribed)
            self.server.mount(date, told)

    def changed(self):
        self.changes += 1

    def on_subscribed(self, name, subscription, again):
        self.subscribed.append((name, subscription.types, again))

    async def connect(self, port):
        raise ConnectionRefusedError

    async def ask(self, method, path, headers=b"", body=b""):
        async with self.peer() as peer:
            return await peer.ask(method, path, headers, body)

    @asynccontextmanager
    async def peer(self):
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            yield Peer(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


class Peer:
    """One connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def ask(self, method, path, headers=b"", body=b""):
        length = b"Content-Length: %d\r\n" % len(body)
        head = b"%b %b HTTP/1.1\r\nHost: x\r\n%b%b\r\n" % (method, path, headers, length)
        await self.send(head + body)
        return await self.answer()

    async def answer(self):
        lines = (await self.reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in lines[1:] if line)
        body = await self.reader.readexactly(int(fields[b"content-length"]))
        return int(lines[0].split()[1]), fields, json.loads(body)


def run(scenario):
    async def main():
        async with asyncio.timeout(20), AsyncExitStack() as stack:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            scope = await stack.enter_async_context(TaskScope())
            world = World(scope, listening.getsockname())
            await world.server.serve(listening)
            stack.callback(world.telemetry.close)
            stack.callback(world.server.close)
            await scenario(world)
        while world.server._connections:  # noqa: ASYNC110 - both ends live on this loop
            await asyncio.sleep(0)

    asyncio.run(main())


def name(text):
    return b"Lambda-Extension-Name: %b\r\n" % text


def identity(fields):
    return b"Lambda-Extension-Identifier: %b\r\n" % fields[b"lambda-extension-identifier"]


async def registered(world, who=b"file", events=b'["INVOKE"]'):
    status, fields, _ = await world.ask(b"POST", REGISTER, name(who), b'{"events":%b}' % events)
    assert status == 200
    return identity(fields)


def test_who_registers_is_told_of_the_function():
    async def scenario(world):
        features = b"Lambda-Extension-Accept-Feature: x, accountId\r\n"
        status, fields, body = await world.ask(
            b"POST", REGISTER, name(b"file") + features, b'{"events":["INVOKE"]}'
        )
        assert status == 200
        assert fields[b"lambda-extension-identifier"] == b"00000000-0000-4000-8000-000000000001"
        assert body == {
            "functionName": "shop", "functionVersion": "$LATEST", "handler": "m.h",
            "accountId": "000000000000",
        }  # fmt: skip
        _, _, body = await world.ask(b"POST", REGISTER, name(b"inside"), b"{}")
        assert "accountId" not in body

    run(scenario)


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "error_type"),
    [
        (b"POST", REGISTER, b"", b"{}", 403, "Extension.InvalidExtensionName"),
        (b"POST", REGISTER, name(b"file"), b"", 403, "InvalidRequestFormat"),
        (b"POST", REGISTER, name(b"file"), bytes(70_000), 413, "RequestEntityTooLarge"),
        (b"GET", REGISTER, name(b"file"), b"", 405, "MethodNotAllowed"),
        (b"GET", NEXT, b"", b"", 403, "Extension.MissingExtensionIdentifier"),
        (b"GET", b"/2020-01-01/extension/event", b"", b"", 404, "NotFound"),
        (b"GET", b"/2020-01-01", b"", b"", 404, "NotFound"),
        (b"POST", b"/2020-01-01/extension/init/error", b"Lambda-Extension-Identifier: x\r\n", b"",
         403, "Extension.InvalidExtensionIdentifier"),
        (b"PUT", TELEMETRY, b"", b"{}", 403, "Extension.MissingExtensionIdentifier"),
        (b"POST", TELEMETRY, b"", b"{}", 405, "MethodNotAllowed"),
        (b"PUT", b"/2022-07-01/logs", b"", b"{}", 404, "NotFound"),
        (b"GET", b"/2018-06-01/runtime/invocation/next", b"", b"", 403, "InvalidStateTransition"),
        (b"POST", b"/2018-06-01/runtime/init/error", b"", b"{}", 403, "InvalidStateTransition"),
        (b"GET", b"/2018-06-01/", b"", b"", 404, "NotFound"),
    ],
)  # fmt: skip
def test_what_is_refused_says_why(method, path, headers, body, status, error_type):
    async def scenario(world):
        answered, _, document = await world.ask(method, path, headers, body)
        assert (answered, document["errorType"]) == (status, error_type)
        assert world.changes == 0

    run(scenario)


def test_an_event_goes_to_who_waits():
    async def scenario(world):
        identifier = await registered(world)
        extension = next(iter(world.roster))
        async with world.peer() as peer:
            waiting = asyncio.ensure_future(peer.ask(b"GET", NEXT, identifier))
            while not extension.waits:  # noqa: ASYNC110 - both ends live on this loop
                await asyncio.sleep(0)
            status, _, body = await world.ask(b"GET", NEXT, identifier)
            assert (status, body["errorType"]) == (403, "Extension.InvalidExtensionState")
            world.api.give(extension, {"eventType": INVOKE})
            status, fields, body = await waiting
            assert (status, body) == (200, {"eventType": "INVOKE"})
            assert fields[b"lambda-extension-event-identifier"].startswith(b"00000000-")
        assert extension.state is State.RUNNING

    run(scenario)


def test_an_event_waits_for_who_lost_its_connection():
    async def scenario(world):
        identifier = await registered(world)
        extension = next(iter(world.roster))
        async with world.peer() as peer:
            head = b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (NEXT, identifier)
            await peer.send(head)
            while not extension.waits:  # noqa: ASYNC110 - both ends live on this loop
                await asyncio.sleep(0)
        while extension.waits:  # noqa: ASYNC110 - both ends live on this loop
            await asyncio.sleep(0)
        assert extension.state is State.READY
        world.api.give(extension, {"eventType": INVOKE})
        assert (await world.ask(b"GET", NEXT, identifier))[2] == {"eventType": "INVOKE"}

    run(scenario)


def test_two_extensions_may_send_their_bodies_at_the_same_time():
    async def scenario(world):
        head = b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: 2\r\n\r\n"
        async with world.peer() as one, world.peer() as two:
            await one.send(head % (REGISTER, name(b"file")) + b"{")
            await two.send(head % (REGISTER, name(b"inside")) + b"{")
            await one.send(b"}")
            assert (await one.answer())[0] == 200
            await two.send(b"}")
            assert (await two.answer())[0] == 200

    run(scenario)


def test_a_thousand_registrations_are_ten_extensions():
    async def scenario(world):
        async with world.peer() as peer:
            answers = [
                await peer.ask(b"POST", REGISTER, name(b"e%d" % n), b"{}") for n in range(1000)
            ]
        statuses = [status for status, _, _ in answers]
        assert (statuses.count(200), statuses.count(403)) == (9, 991)
        assert len(world.roster) == 10

    run(scenario)


def test_slow_and_large_requests_are_bounded():
    async def scenario(world):
        head = b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: 100000000\r\n\r\n"
        async with AsyncExitStack() as stack:
            held_bytes = stack.enter_context(allocated())
            for _ in range(60):
                peer = await stack.enter_async_context(world.peer())
                await peer.send(head % (REGISTER, name(b"file")) + bytes(10_000))
            while len(world.server._connections) < 60:  # noqa: ASYNC110 - both ends live on this loop
                await asyncio.sleep(0)
            assert held_bytes() < 12 << 20
            # Others are served meanwhile.
            assert (await world.ask(b"GET", b"/2020-01-01/x"))[0] == 404

    run(scenario)


def test_a_subscription_is_taken_once_and_again():
    body = json.dumps(
        {"types": ["platform"], "destination": {"protocol": "TCP", "port": 8080}}
    ).encode()

    async def scenario(world):
        identifier = await registered(world)
        for again in (False, True):
            assert (await world.ask(b"PUT", TELEMETRY, identifier, body))[::2] == (200, "OK")
            assert world.subscribed[-1] == ("file", ("platform",), again)
        status, _, document = await world.ask(b"PUT", b"/2020-08-15/logs", identifier, body)
        assert (status, document["errorType"]) == (400, "ValidationError")
        status, _, document = await world.ask(b"PUT", TELEMETRY, identifier, b"{")
        assert (status, document["errorMessage"]) == (400, "the body is not JSON")
        world.telemetry.close_subscriptions()
        status, _, document = await world.ask(b"PUT", TELEMETRY, identifier, body)
        assert (status, document["errorType"]) == (403, "Telemetry.ServiceClosed")

    run(scenario)
