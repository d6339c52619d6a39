"""One listening socket of the server: how much may come by it, and for how long."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import closing

from alonzo.edge.http1.connections import Connections, Open
from alonzo.lib.tasks import TaskScope


class Listener:
    """One listening socket of an ``EdgeServer``, and the connections that came by it."""

    def __init__(
        self,
        siblings: set[Listener],
        requests: TaskScope,
        connections_max: int,
        *,
        place: str = "",
    ) -> None:
        """``place`` names the sandbox that an inner listener is in; outside there is none."""
        self.place = place
        self._siblings = siblings
        self._connections_max = connections_max
        self._server: asyncio.Server | None = None
        self._make: Callable[[], asyncio.Protocol] | None = None
        self._connections = Connections()
        self.requests = requests
        self.draining = False

    async def open(
        self, make: Callable[[], asyncio.Protocol], where: tuple[str, int] | socket.socket
    ) -> int:
        """Listen on an address, or on a socket that listens already. For the server alone.

        Returns:
            The port, 0 if there is none.

        Raises:
            OSError: the address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        if isinstance(where, socket.socket):
            server = await loop.create_server(make, sock=where)
        else:
            server = await loop.create_server(make, *where, backlog=2048)
        self._make, self._server = make, server
        self._siblings.add(self)
        name: tuple[str, int] | str = server.sockets[0].getsockname()
        return name[1] if isinstance(name, tuple) else 0

    def try_admit(self, connection: Open) -> bool:
        """Count a new connection in, if there is room for it."""
        if len(self._connections) >= self._connections_max:
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: Open) -> None:
        """Give back the room of a connection, if it had any."""
        self._connections.discard(connection)

    def drain(self) -> None:
        """Stop accepting; have each connection close after its answer, or after a linger.

        Clients whose connection the kernel has accepted for us may have sent a request already:
        they are taken over first.
        """
        if self.draining:
            return
        self.draining = True
        if self._server is not None and self._server.is_serving():
            for listening in self._server.sockets:
                self._take_backlog(listening.fileno())
        self.close()
        for connection in self._connections.all():
            connection.drain()

    def _take_backlog(self, fd: int) -> None:
        loop, make = asyncio.get_running_loop(), self._make
        assert make is not None, "a listener that was never opened"
        with closing(socket.socket(fileno=os.dup(fd))) as listening:
            listening.setblocking(False)
            while True:
                try:
                    accepted, _ = listening.accept()
                except OSError:
                    return
                accepted.setblocking(False)
                self.requests.spawn(loop.connect_accepted_socket(make, accepted), name="edge.late")

    async def wait_empty(self) -> None:
        """Wait until none of its connections and requests is left."""
        await self._connections.wait_empty()

    def close(self) -> None:
        """Stop accepting; open connections go on. Safe to call twice."""
        self._siblings.discard(self)
        if self._server is not None:
            self._server.close()
