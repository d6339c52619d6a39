"""The two servers that Alonzo is measured beside. ``python -m alonzo.cli.bench.baselines KIND``.

* ``echo``: uvloop, the request's body goes straight back. The least that any server could do.
* ``worker``: the body goes over a Unix socket to a forked process that reads the JSON and writes
  it again. The least that a server can do that runs code in another process.

Neither checks a signature, a permission or a limit, isolates anything, or writes a log.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
import sys
from collections import deque

import uvloop

from alonzo.cli.bench.http import Connection, MessageReader

LENGTH = struct.Struct(">I")
WORKERS = 64


def response(body: bytes) -> bytes:
    """A whole answer on the wire."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Echo(Connection):
    """Sends each body back."""

    def __init__(self) -> None:
        self.reader = MessageReader()

    def data_received(self, data: bytes) -> None:
        """Answer once the request is whole."""
        message = self.reader.feed(data)
        if message is not None:
            self.handle(message[1])

    def handle(self, body: bytes) -> None:
        """What to do with one request's body."""
        self.transport.write(response(body))


class Worker(Connection):
    """The daemon's end of one forked process: one event at a time."""

    def __init__(self, idle: deque[Worker], waiting: deque[tuple[bytes, Relay]]) -> None:
        self.idle = idle
        self.waiting = waiting
        self.buffer = bytearray()
        self.caller: Relay | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From now on it can take an event."""
        super().connection_made(transport)
        self.idle.append(self)

    def start(self, body: bytes, caller: Relay) -> None:
        """Hand it an event."""
        self.caller = caller
        self.transport.write(LENGTH.pack(len(body)) + body)

    def data_received(self, data: bytes) -> None:
        """Give a whole answer to the caller, and take the next event."""
        self.buffer += data
        if len(self.buffer) < LENGTH.size:
            return
        (length,) = LENGTH.unpack_from(self.buffer)
        if len(self.buffer) < LENGTH.size + length:
            return
        body = bytes(self.buffer[LENGTH.size :])
        self.buffer.clear()
        assert self.caller is not None
        caller, self.caller = self.caller, None
        if self.waiting:
            self.start(*self.waiting.popleft())
        else:
            self.idle.append(self)
        caller.transport.write(response(body))


class Relay(Echo):
    """Sends each body through a worker."""

    def __init__(self, idle: deque[Worker], waiting: deque[tuple[bytes, Relay]]) -> None:
        super().__init__()
        self.idle = idle
        self.waiting = waiting

    def handle(self, body: bytes) -> None:
        """Give it to an idle worker, or queue it; there are at most as many as connections."""
        if self.idle:
            self.idle.pop().start(body, self)
        else:
            self.waiting.append((body, self))


def work(channel: socket.socket) -> None:
    """A forked process's life: read an event, parse it, answer it, until the daemon is gone."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    stream = channel.makefile("rwb")
    while header := stream.read(LENGTH.size):
        event = json.loads(stream.read(LENGTH.unpack(header)[0]))
        answer = json.dumps(event).encode()
        stream.write(LENGTH.pack(len(answer)) + answer)
        stream.flush()


def fork_workers(count: int) -> list[socket.socket]:
    """Start the processes; answers our ends of their sockets."""
    channels: list[socket.socket] = []
    for _ in range(count):
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            for channel in (ours, *channels):
                channel.close()
            work(theirs)
            os._exit(0)
        theirs.close()
        channels.append(ours)
    return channels


async def serve(kind: str, channels: list[socket.socket]) -> None:
    """Listen on a free port, say which, and serve until ended."""
    loop = asyncio.get_running_loop()
    idle: deque[Worker] = deque()
    waiting: deque[tuple[bytes, Relay]] = deque()
    for channel in channels:
        await loop.create_connection(lambda: Worker(idle, waiting), sock=channel)
    factory = Echo if kind == "echo" else lambda: Relay(idle, waiting)
    server = await loop.create_server(factory, "127.0.0.1", 0)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Run the server that the argument names."""
    kind = sys.argv[1]
    channels = fork_workers(WORKERS) if kind == "worker" else []
    uvloop.run(serve(kind, channels))


if __name__ == "__main__":
    main()
