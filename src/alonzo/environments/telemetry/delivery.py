"""Brings one subscriber's batches into the sandbox, while its processes run.

* HTTP: each batch is one ``POST`` of a JSON array on a connection of its own. TCP: events are lines
  on one connection.
* A batch that nobody takes is tried again, ever more slowly, until the subscriber is gone; what
  comes meanwhile waits in the buffer, which is bounded.
* A frozen environment takes nothing: no time limit runs and nothing is sent until it is thawed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

from alonzo.environments.telemetry.buffer import Budget, Buffer, Dropped
from alonzo.environments.telemetry.schema import TelemetryEvent, dialect_of, dropped_event
from alonzo.environments.telemetry.subscription import Subscription
from alonzo.lib.clock import Clock
from alonzo.sandbox.base import SandboxError

#: Connects to a port inside; see ``Sandbox.connect``.
Connect = Callable[[int], Awaitable[socket.socket]]

#: How long a subscriber may take for a batch, in seconds it is not frozen.
_ATTEMPT_S = 5.0

#: Waits before the attempts after the first, in seconds; the last one for ever after.
_RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

#: What is read of an answer.
_ANSWER_BYTES_MAX = 64 << 10

#: What a connection may fail with. uvloop raises RuntimeError for one that has been closed.
_FAILURES = (
    OSError,
    EOFError,
    SandboxError,
    asyncio.LimitOverrunError,
    ValueError,
    RuntimeError,
)


class _RefusedError(ValueError):
    """The subscriber answered with an error."""


class Subscriber:
    """One subscription at work. ``run()`` is its task."""

    def __init__(
        self, subscription: Subscription, connect: Connect, clock: Clock, budget: Budget
    ) -> None:
        self.subscription = subscription
        self._dialect = dialect_of(subscription)
        self._connect = connect
        self._clock = clock
        self._buffer = Buffer(
            items_max=subscription.items_max,
            bytes_max=subscription.bytes_max,
            timeout_s=subscription.timeout_s,
            budget=budget,
        )
        self._changed = asyncio.Event()
        self._awake = asyncio.Event()
        self._awake.set()
        self._hurry = False
        self._limit: asyncio.Timeout | None = None
        self._line: asyncio.StreamWriter | None = None

    def add(self, event: TelemetryEvent) -> None:
        """Queue an event, if the subscription is for such."""
        if event.type not in self.subscription.types:
            return
        document = event.encoded(self._dialect)
        if document is not None:
            self._buffer.add(document, self._clock.monotonic_s())
            self._changed.set()

    def pause(self) -> None:
        """The environment is about to be frozen."""
        self._awake.clear()
        if self._limit is not None:
            self._limit.reschedule(None)

    def resume(self) -> None:
        """The environment runs again."""
        self._awake.set()
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + _ATTEMPT_S)

    def hurry(self) -> None:
        """The environment is about to end: whatever waits is due."""
        self._hurry = True
        self._changed.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                await self._wait_due()
                batch, dropped = self._buffer.take()
                if dropped is not None:
                    self._tell_dropped(dropped)
                await self._deliver(batch)
                self._buffer.sent()
        finally:
            self.close()

    def close(self) -> None:
        """Let go of everything, also if ``run()`` has never begun. Safe to call twice."""
        self._buffer.clear()
        self._hang_up()

    def _tell_dropped(self, dropped: Dropped) -> None:
        """Queue the word of what was lost, whatever the subscription is for."""
        event = dropped_event(self._clock.now_s(), dropped.records, dropped.n_bytes)
        document = event.encoded(self._dialect)
        if document is not None:
            self._buffer.add_notice(document, self._clock.monotonic_s())

    async def _wait_due(self) -> None:
        while True:
            await self._awake.wait()
            now_s = self._clock.monotonic_s()
            due_at_s = self._buffer.due_at_s(now_s)
            if due_at_s is not None and (self._hurry or due_at_s <= now_s):
                return
            self._changed.clear()
            wait_s = None if due_at_s is None else due_at_s - now_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()

    async def _deliver(self, batch: list[bytes]) -> None:
        attempt = 0
        while True:
            await self._awake.wait()
            try:
                async with asyncio.timeout(_ATTEMPT_S) as self._limit:
                    await self._send(batch)
            except _FAILURES:
                self._hang_up()
            else:
                return
            finally:
                self._limit = None
            await asyncio.sleep(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
            attempt += 1

    async def _send(self, batch: list[bytes]) -> None:
        if self.subscription.path is None:
            await self._send_lines(batch)
        else:
            await self._post(batch, self.subscription.path)

    async def _send_lines(self, batch: list[bytes]) -> None:
        if self._line is not None and self._line.is_closing():
            self._hang_up()
        if self._line is None:
            _, self._line = await self._open()
        self._line.write(b"\n".join(batch) + b"\n")
        await self._line.drain()

    async def _post(self, batch: list[bytes], path: str) -> None:
        body = b"[" + b",".join(batch) + b"]"
        head = (
            f"POST {path} HTTP/1.1\r\nHost: sandbox.localdomain:{self.subscription.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        reader, writer = await self._open()
        try:
            writer.write(head.encode())
            writer.write(body)
            await writer.drain()
            await _read_answer(reader)
        finally:
            writer.transport.abort()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = await self._connect(self.subscription.port)
        try:
            return await asyncio.open_connection(sock=sock, limit=_ANSWER_BYTES_MAX)
        except BaseException:
            sock.close()
            raise

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.transport.abort()


async def _read_answer(reader: asyncio.StreamReader) -> None:
    """Read an answer to its end, so that the server can finish it.

    Raises:
        ValueError: it is no 2xx, or no answer.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status, *lines = head.split("\r\n")
    for line in lines:
        name, _, value = line.partition(":")
        if name == "content-length" and value.strip().isdecimal():
            await reader.readexactly(min(int(value), _ANSWER_BYTES_MAX))
    if not status.partition(" ")[2].startswith("2"):
        raise _RefusedError(status)
