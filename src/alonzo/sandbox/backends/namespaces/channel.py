"""The daemon's end of a helper's socket, on the event loop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from alonzo.sandbox.backends.namespaces.inside import wire
from alonzo.sandbox.base import SandboxError

#: Messages read at one wake-up before other work gets its turn.
_MESSAGES_AT_ONCE = 64


class EndedError(SandboxError):
    """The process that was to do it has ended, or ended while it did."""


class Channel:
    """Receives messages as they come; ``on_end`` is called once, when the peer is gone.

    A message's descriptors belong to the receiver.
    """

    def __init__(
        self,
        peer: socket.socket,
        on_message: Callable[[dict[str, Any], list[int]], None],
        on_end: Callable[[], None],
    ) -> None:
        peer.setblocking(False)
        self._peer = peer
        self._on_message = on_message
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._sending = asyncio.Lock()
        self._writable: asyncio.Future[None] | None = None
        self._loop.add_reader(peer.fileno(), self._receive)

    def fileno(self) -> int:
        """Our end, for another process to send on; -1 once closed."""
        return self._peer.fileno()

    @property
    def open(self) -> bool:
        """Whether the peer may still be there."""
        return self._peer.fileno() >= 0

    def _receive(self) -> None:
        for _ in range(_MESSAGES_AT_ONCE):
            if not self._receive_one():
                return

    def _receive_one(self) -> bool:
        """Whether there was one, and there may be more."""
        if not self.open:
            return False
        try:
            message = wire.receive(self._peer)
        except BlockingIOError:
            return False
        except (OSError, ValueError):  # it broke, or the peer is none of ours any more
            message = None
        if message is None:
            self._end()
            return False
        self._on_message(*message)
        return True

    def finish(self) -> None:
        """Take what a peer that is known to be gone has said, and end."""
        while self._receive_one():
            pass
        if self.open:
            self._end()

    def _end(self) -> None:
        self.close()
        self._on_end()

    def send_nowait(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> bool:
        """Send now; False if the peer is gone or its queue is full."""
        try:
            wire.send(self._peer, message, descriptors)
        except OSError:
            return False
        return True

    async def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send, waiting while the peer's queue is full.

        Raises:
            ConnectionError: the peer is gone, or ``close`` was called.
            OSError: the descriptors cannot be sent.
            MessageTooLongError: the message can never be sent.
        """
        async with self._sending:
            while True:
                if not self.open:
                    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
                try:
                    wire.send(self._peer, message, descriptors)
                except BlockingIOError:
                    await self._wait_writable()
                else:
                    return

    async def _wait_writable(self) -> None:
        writable = self._writable = self._loop.create_future()
        self._loop.add_writer(self._peer.fileno(), self._wake_sender)
        try:
            await writable
        finally:
            self._writable = None
            if self.open:
                self._loop.remove_writer(self._peer.fileno())

    def _wake_sender(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def close(self) -> None:
        """Let go of the peer. Safe to call twice."""
        if self.open:
            self._loop.remove_reader(self._peer.fileno())
            self._loop.remove_writer(self._peer.fileno())
            self._peer.close()
            self._wake_sender()
