"""What all connections of a server share: who answers, their limits, and who they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from alonzo.edge.http1.incoming import Incoming
from alonzo.edge.http1.limits import ServerLimits
from alonzo.edge.http1.response import Response

#: Answers one request; None if its client is gone.
Handler = Callable[[Incoming], Awaitable[Response | None]]


class Open(Protocol):
    """What a server asks of an open connection."""

    def drain(self) -> None:
        """Close after the answer that is waited for; if there is none, linger a little."""
        ...

    def shutdown(self) -> None:
        """Close, at once or after the answer that is waited for."""
        ...

    def abort(self) -> None:
        """Close without waiting for what is still to be written."""
        ...


class Connections:
    """A set of open connections that can be waited for."""

    def __init__(self) -> None:
        self._open: set[Open] = set()
        self._empty = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def all(self) -> list[Open]:
        """All of them now."""
        return list(self._open)

    def add(self, connection: Open) -> None:
        """One more."""
        self._open.add(connection)

    def discard(self, connection: Open) -> None:
        """One less, if it was one."""
        self._open.discard(connection)
        if not self._open:
            self._empty.set()

    async def wait_empty(self) -> None:
        """Wait until none is left."""
        while self._open:
            self._empty.clear()
            await self._empty.wait()


class Hall:
    """Where the connections of one server meet."""

    def __init__(self, handler: Handler, limits: ServerLimits) -> None:
        self.handler = handler
        self.limits = limits
        self.connections = Connections()
        self.stopping = False
