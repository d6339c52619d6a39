"""SIGTERM while many clients are at it: nobody's request is cut, on the whole platform."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import deploy

CLIENTS = 48
BEFORE_SIGTERM = 600
ECHO = "def handler(event, context): return event"


@dataclass
class Tally:
    """What the clients saw."""

    answered: int = 0
    told_to_close: int = 0
    refused: int = 0
    broken: list[str] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self) -> None:
        self.answered += 1
        if self.answered == BEFORE_SIGTERM:
            self.enough.set()


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0])
    return head, await reader.readexactly(length)


async def client(number: int, port: int, function: str, tally: Tally) -> None:
    """Ask on one connection until told to close it, then on a new one, until refused."""
    dice = random.Random(number)
    sent = 0
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            tally.refused += 1
            return
        last = False
        while not last:
            sent += 1
            body = b'{"n": %d}' % (number * 1_000_000 + sent)
            path = f"/2015-03-31/functions/{function}/invocations".encode()
            writer.write(
                b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b"
                % (path, len(body), body)
            )
            try:
                head, answer = await read_answer(reader)
            except (OSError, asyncio.IncompleteReadError) as error:
                tally.broken.append(f"client {number}, request {sent}: {error!r}")
                writer.close()
                return
            if not head.startswith(b"http/1.1 200") or answer != body:
                tally.broken.append(f"client {number}: {head!r} {answer!r}")
            tally.count()
            last = b"connection: close" in head
            # Some are always busy, some mostly idle.
            await asyncio.sleep(dice.choice([0, 0, 0.01, 0.2]))
        tally.told_to_close += 1
        writer.close()


def test_clients_of_open_connections_see_no_cut_request(
    own_platform: Callable[..., DaemonProcess],
) -> None:
    daemon = own_platform("--auth", "off")
    deploy(daemon.client("lambda"), "echo", ECHO).invoke({})
    daemon.close_clients()
    port = int(daemon.endpoint.rpartition(":")[2])

    async def main() -> Tally:
        tally = Tally()
        clients = [
            asyncio.ensure_future(client(number, port, "echo", tally)) for number in range(CLIENTS)
        ]
        async with asyncio.timeout(30):
            await tally.enough.wait()
            os.kill(daemon.pid, signal.SIGTERM)
            await asyncio.gather(*clients)
        return tally

    tally = asyncio.run(main())
    assert not tally.broken
    assert tally.refused == CLIENTS
    assert tally.told_to_close >= CLIENTS
    daemon.stop()
