"""Batches on their way to subscribers, over real sockets."""

import asyncio
import json
import socket

from alonzo.environments.telemetry.buffer import Budget
from alonzo.environments.telemetry.hub import Telemetry
from alonzo.environments.telemetry.subscription import Kind, Subscription
from alonzo.lib.clock import SystemClock
from alonzo.lib.tasks import TaskScope

SOON_S = 0.0


class Listener:
    """What listens inside: answers each request as told, and keeps what came."""

    def __init__(self):
        self.statuses = []
        self.heads = []
        self.events = asyncio.Queue()
        self.arrived = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = json.loads(await reader.readexactly(length))
            self.heads.append(head)
            self.arrived.set()
            await self.open.wait()
            status = self.statuses.pop(0) if self.statuses else 200
            if status == 200:
                for event in body:
                    self.events.put_nowait(event["record"])
            writer.write(b"HTTP/1.1 %d x\r\nContent-Length: 2\r\n\r\nok" % status)
        except (ConnectionError, EOFError):
            pass
        finally:
            writer.close()


def subscription(types=("platform",), timeout_s=SOON_S, path="/in"):
    return Subscription(Kind.TELEMETRY, "2022-12-13", types, 8080, path, 1000, 262_144, timeout_s)


def run(scenario, **budget):
    async def main():
        listener, connections = Listener(), []
        server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()

        async def connect(port):
            connections.append(port)
            sock = socket.socket()
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, address)
            return sock

        async with asyncio.timeout(10), server, TaskScope() as scope:
            told = Budget(**budget)
            hub = Telemetry(connect, clock=SystemClock(), scope=scope, budget=told)
            try:
                await scenario(hub, listener, connections)
            finally:
                hub.close()
                hub.close()
        assert told.take(budget.get("bytes_max", 64 << 20)), "all of the budget is back"

    asyncio.run(main())


def test_who_subscribes_gets_what_was_before_too():
    async def scenario(hub, listener, connections):
        hub.publish(1.0, "platform.initStart", {"n": 1})
        hub.publish(1.0, "function", "not for everybody")
        hub.subscribe("e", subscription())
        hub.publish(1.0, "platform.start", {"n": 2})
        assert [await listener.events.get() for _ in range(2)] == [{"n": 1}, {"n": 2}]
        assert b"POST /in HTTP/1.1\r\nHost: sandbox.localdomain:8080\r\n" in listener.heads[0]
        assert set(connections) == {8080}

    run(scenario)


def test_once_init_is_over_nothing_is_kept_for_later():
    async def scenario(hub, listener, _):
        assert hub.is_wanted
        hub.publish(1.0, "platform.initStart", {"n": 1})
        hub.close_subscriptions()
        assert not hub.is_wanted
        assert not hub.is_open
        assert not hub._early

    run(scenario)


def test_what_is_kept_of_the_beginning_has_a_bound():
    async def scenario(hub, listener, _):
        for _ in range(5000):
            hub.publish(1.0, "function", "x" * 1000)
        assert len(hub._early) <= 262

    run(scenario)


def test_a_batch_is_tried_again_until_it_is_taken():
    async def scenario(hub, listener, connections):
        listener.statuses = [500, 404, 200]
        hub.subscribe("e", subscription())
        hub.publish(1.0, "platform.start", {"n": 1})
        assert await listener.events.get() == {"n": 1}
        assert len(connections) == 3
        assert listener.events.empty()

    run(scenario)


def test_nothing_is_sent_while_frozen_and_an_open_request_has_no_end():
    async def scenario(hub, listener, connections):
        listener.open.clear()
        hub.subscribe("e", subscription())
        hub.publish(1.0, "platform.start", {"n": 1})
        await listener.arrived.wait()
        hub.pause()
        ((subscriber, _),) = hub._subscribers.values()
        assert subscriber._limit.when() is None
        hub.publish(1.0, "platform.start", {"n": 2})
        hub.resume()
        assert subscriber._limit.when() is not None
        hub.pause()
        listener.open.set()
        assert await listener.events.get() == {"n": 1}
        assert len(connections) == 1
        hub.resume()
        assert await listener.events.get() == {"n": 2}

    run(scenario)


def test_a_second_subscription_takes_the_place_of_the_first():
    async def scenario(hub, listener, _):
        hub.subscribe("e", subscription(timeout_s=30))
        hub.publish(1.0, "platform.start", {"n": 1})
        hub.subscribe("e", subscription(path="/other"))
        assert await listener.events.get() == {"n": 1}
        assert [head.split()[1] for head in listener.heads] == [b"/other"]
        assert hub.subscription_of("e").path == "/other"

    run(scenario)


def test_at_the_end_everything_is_due():
    async def scenario(hub, listener, _):
        hub.subscribe("e", subscription(timeout_s=30))
        hub.publish(1.0, "platform.report", {"n": 1})
        hub.hurry()
        assert await listener.events.get() == {"n": 1}

    run(scenario)


def test_what_the_platform_has_no_room_for_is_told():
    async def scenario(hub, listener, _):
        hub.subscribe("e", subscription(types=("function",), timeout_s=30))
        for _ in range(10):
            hub.publish(1.0, "function", "x" * 100)
        hub.hurry()
        records = [await listener.events.get() for _ in range(3)]
        assert records[:2] == ["x" * 100] * 2
        assert records[2]["droppedRecords"] == 8

    run(scenario, bytes_max=400)
