"""A program that takes orders on a channel: what the spawner and the makers have in common."""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from alonzo.sandbox.backends.namespaces.channel import Channel, EndedError
from alonzo.sandbox.backends.namespaces.inside import wire
from alonzo.sandbox.base import SandboxError


class Servant(ABC):
    """It says once that it is ready, and ends once. ``called`` is for the texts of errors."""

    def __init__(self, ours: socket.socket, called: str, *, start_s_max: float) -> None:
        self._called = called
        self._start_s_max = start_s_max
        self._ending = asyncio.Event()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._channel = Channel(ours, self._message, self._died)

    @property
    def alive(self) -> bool:
        """Whether orders can still be given."""
        return self._channel.open

    async def wait_ready(self) -> None:
        """Wait until it takes orders.

        Raises:
            SandboxError: it cannot; the text says which step failed.
        """
        try:
            async with asyncio.timeout(self._start_s_max):
                await self._ready
        except TimeoutError as err:
            raise SandboxError(f"{self._called} did not start in time") from err

    async def wait_end(self, within_s: float) -> bool:
        """Wait until orders can no longer be given. False if they still can."""
        try:
            async with asyncio.timeout(within_s):
                await self._ending.wait()
        except TimeoutError:
            return False
        return True

    async def send(self, order: dict[str, Any], descriptors: Sequence[int]) -> None:
        """Give an order; the socket that goes along, the first descriptor, brings the answer.

        Raises:
            EndedError: it is gone.
            SandboxError: the order is too long, or cannot be sent for another reason.
        """
        try:
            await self._channel.send(order, descriptors)
        except ConnectionError as err:
            raise EndedError(f"{self._called} has ended: {err}") from err
        except (OSError, wire.MessageTooLongError) as err:
            raise SandboxError(f"{self._called} took no order: {err}") from err

    def _message(self, message: dict[str, Any], descriptors: list[int]) -> None:
        wire.close_all(descriptors)
        if "error" in message:
            self._fail(message["error"])
        elif not self._ready.done():
            self._ready.set_result(None)

    def _died(self) -> None:
        """Its end of the channel is closed."""
        self._ended("it ended before it was ready")

    def _ended(self, why: str) -> None:
        self._fail(why)
        if not self._ending.is_set():
            self._ending.set()
            self._tell_end()

    @abstractmethod
    def _tell_end(self) -> None:
        """Called once, when it has ended or is about to."""

    def _fail(self, why: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(SandboxError(f"{self._called} did not start: {why}"))
            self._ready.exception()  # whether or not anybody waits
