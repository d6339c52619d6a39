"""One listening socket of the server: how much may come by it, and for how long."""

from __future__ import annotations

import asyncio
from typing import Protocol

from alonzo.lib.tasks import TaskScope


class Connection(Protocol):
    """What a listener asks of a connection."""

    def shutdown(self) -> None:
        """Close, at once or after the answer that is waited for."""
        ...


class Listener:
    """One listening socket of an ``EdgeServer``, and the connections that came by it."""

    def __init__(self, siblings: set[Listener], requests: TaskScope, connections_max: int) -> None:
        self._siblings = siblings
        self._connections_max = connections_max
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._draining = False
        self.requests = requests

    def opened(self, server: asyncio.Server) -> None:
        """Take note of what accepts for us. For the server alone."""
        self._server = server
        self._siblings.add(self)

    def try_admit(self, connection: Connection) -> bool:
        """Count a new connection in, if there is room for it."""
        if self._draining or len(self._connections) >= self._connections_max:
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        """Give back the room of a connection, if it had any."""
        self._connections.discard(connection)

    def drain(self) -> None:
        """Stop accepting; close each connection, at once or after the answer it waits for."""
        self.close()
        self._draining = True
        for connection in list(self._connections):
            connection.shutdown()

    def close(self) -> None:
        """Stop accepting; open connections go on. Safe to call twice."""
        self._siblings.discard(self)
        if self._server is not None:
            self._server.close()
