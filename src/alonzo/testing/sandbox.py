"""A backend without isolation or processes, for tests of what stands on top of one.

A "process" is a coroutine that speaks the frames of our bootstraps over its end of the channel.
What it does with an event is the test's to say.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from alonzo.lib.tasks import TaskScope
from alonzo.runtimes.base import CHANNEL_FD
from alonzo.runtimes.framing import Decoder, Frame, Kind, encode
from alonzo.sandbox.base import (
    ExitStatus,
    Fitting,
    Layer,
    MemoryUse,
    ProcessSpec,
    SandboxError,
    SandboxSpec,
)

#: What a process does with its channel until it ends; answers its exit code.
Behaviour = Callable[["Channel"], Awaitable[int]]


class Channel:
    """The runtime's end of the framed link."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._decoder = Decoder()
        self._frames: list[Frame] = []

    async def send(self, kind: Kind, header: Mapping[str, Any], body: bytes = b"") -> None:
        """Send one frame."""
        await self.send_bytes(encode(kind, header, body))

    async def send_bytes(self, data: bytes) -> None:
        """Send whatever bytes."""
        await self._loop.sock_sendall(self._socket, data)

    async def receive(self) -> Frame | None:
        """The next frame, or None at the end."""
        while not self._frames:
            data = await self._loop.sock_recv(self._socket, 1 << 16)
            if not data:
                return None
            self._frames.extend(self._decoder.feed(data))
        return self._frames.pop(0)


async def echo(channel: Channel) -> int:
    """A runtime whose function answers with its event."""
    await channel.send(Kind.READY, {})
    while (frame := await channel.receive()) is not None:
        await channel.send(Kind.RESPONSE, {"id": frame.header["id"]}, frame.body)
    return 0


class FakeProcess:
    """See ``base.Process``."""

    def __init__(self, work: asyncio.Task[int]) -> None:
        self._work = work
        self._killed = False

    @property
    def exited(self) -> ExitStatus | None:
        """How it ended, or None while it runs."""
        if not self._work.done():
            return None
        if self._work.cancelled() or self._work.exception() is not None:
            return ExitStatus(signal=9)
        return ExitStatus(code=self._work.result())

    async def wait(self) -> ExitStatus:
        """Wait until it has ended."""
        await asyncio.wait({self._work})
        status = self.exited
        assert status is not None
        return status

    def signal(self, number: int) -> None:
        """Any signal ends it."""
        self._work.cancel()


class FakeSandbox:
    """See ``base.Sandbox``. What it was told is kept for a test to look at.

    ``inside`` says where what listens "inside" really does: address by port. ``number`` counts the
    backend's sandboxes.
    """

    def __init__(self, backend: FakeBackend, spec: SandboxSpec) -> None:
        self.id = spec.id
        self.spec = spec
        self.number = backend.created
        self.fitting: Fitting | None = None
        self.cpus: float | None = None
        self.frozen = False
        self.root = ""
        self.started: list[ProcessSpec] = []
        self.inside: dict[int, tuple[str, int]] = {}
        self.listeners = {
            port: socket.create_server(("127.0.0.1", 0)) for port in spec.listen_ports
        }
        self._backend = backend
        self._tasks = TaskScope()
        self._ended = asyncio.Event()

    async def fit(self, fitting: Fitting) -> None:
        """Note what it is fitted with."""
        self._refuse_if_ended()
        if self.fitting is not None:
            raise SandboxError(f"sandbox {self.id} has been fitted")
        if self._backend.fit_error is not None:
            raise self._backend.fit_error
        self.fitting = fitting

    async def connect(self, port: int) -> socket.socket:
        """Connect to what ``inside`` names."""
        self._refuse_if_ended()
        if port not in self.inside:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        peer = socket.socket()
        peer.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(peer, self.inside[port])
        except OSError:
            peer.close()
            raise
        return peer

    def limit_cpu_nowait(self, cpus: float | None) -> None:
        """Note it."""
        self.cpus = cpus

    def _refuse_if_ended(self) -> None:
        if self._ended.is_set():
            raise SandboxError("the sandbox has ended")

    async def start(self, spec: ProcessSpec) -> FakeProcess:
        """Start the backend's behaviour on the channel."""
        self._refuse_if_ended()
        if not spec.argv and self.spec.zygote is None:
            raise SandboxError(f"sandbox {self.id} has no zygote to fork")
        self.started.append(spec)
        sock = socket.socket(fileno=socket.dup(spec.fds[CHANNEL_FD]))
        sock.setblocking(False)
        work = self._tasks.spawn(self._run(sock), name="fake process")
        # It may be ended before it begins.
        work.add_done_callback(lambda _: sock.close())
        return FakeProcess(work)

    async def _run(self, sock: socket.socket) -> int:
        with sock:
            return await self._backend.behaviour(Channel(sock))

    async def freeze(self) -> None:
        """Note that it is frozen."""
        self.frozen = True

    def thaw_nowait(self) -> None:
        """Note that it is not."""
        self.frozen = False

    async def kill(self) -> None:
        """End the processes."""
        await self._tasks.close()

    async def wait_ended(self) -> None:
        """Wait for ``close()`` or ``die()``."""
        await self._ended.wait()

    async def die(self) -> None:
        """End by itself, as if the host had killed it."""
        self._ended.set()
        await self._tasks.close()

    def memory(self) -> MemoryUse:
        """Some figures."""
        return MemoryUse(1 << 20, 2 << 20)

    def peak_bytes(self) -> int:
        """The highest of them."""
        return self.memory().peak_bytes

    async def close(self) -> None:
        """End it."""
        await self.die()
        for listener in self.listeners.values():
            listener.close()
        self._backend.alive.discard(self)


@dataclass
class FakeBackend:
    """See ``base.Backend``. ``create_error`` and ``fit_error`` are raised by these, if set."""

    behaviour: Behaviour = echo
    create_error: Exception | None = None
    fit_error: Exception | None = None
    alive: set[FakeSandbox] = field(default_factory=set[FakeSandbox])
    created: int = 0
    name: str = "fake"
    isolated: bool = True
    leads: bool = True
    layers: tuple[Layer, ...] = ()

    async def open(self) -> None:
        """Nothing to probe."""

    async def create(self, spec: SandboxSpec) -> FakeSandbox:
        """Make a sandbox."""
        if self.create_error is not None:
            raise self.create_error
        sandbox = FakeSandbox(self, spec)
        self.alive.add(sandbox)
        self.created += 1
        return sandbox

    async def close(self) -> None:
        """Close what is alive."""
        for sandbox in list(self.alive):
            await sandbox.close()
