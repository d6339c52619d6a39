"""The server: one application on any number of listening sockets, and how it ends.

Listeners are *outer* (``start``: the platform's address) or *inner* (``serve_socket``: the same API
inside one sandbox). A platform that drains takes nothing from outside any more, while the functions
that still run go on calling it from inside.

What a single connection does and may do is in ``http1.connection``.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from alonzo.edge.http1.connection import Connection
from alonzo.edge.http1.connections import Hall
from alonzo.edge.http1.limits import ServerLimits
from alonzo.edge.http1.tls import TlsConnection
from alonzo.edge.listener import Listener
from alonzo.lib.tasks import TaskScope

if TYPE_CHECKING:
    from alonzo.edge.app import EdgeApp

__all__ = ["EdgeServer", "Listener", "ServerLimits"]


class EdgeServer:
    """Serves one ``EdgeApp``. Installs no signal handlers and starts no process."""

    def __init__(self, app: EdgeApp, *, limits: ServerLimits | None = None) -> None:
        self._limits = limits or ServerLimits()
        self._hall = Hall(app.handle, self._limits)
        self._outer_requests = TaskScope()
        self._inner_requests = TaskScope()
        self._outer: set[Listener] = set()
        self._inner: set[Listener] = set()
        # Outer listeners that accept no more, with connections that are still open.
        self._draining: set[Listener] = set()
        # Inner listeners so far, to tell sandboxes apart.
        self._places = 0

    async def start(
        self, host: str, port: int, *, tls: Callable[[], ssl.SSLContext] | None = None
    ) -> int:
        """Listen on an address; port 0 takes a free one. Returns the port.

        With ``tls``, which is asked at each connection, nothing but TLS is spoken there.

        Raises:
            OSError: the address cannot be listened on.
        """
        limits = self._limits
        listener = Listener(self._outer, self._outer_requests, limits.connections_max)
        make: Callable[[], asyncio.Protocol] = self._maker(listener)
        if tls is not None:
            loop = asyncio.get_running_loop()
            make = partial(TlsConnection, self._hall, listener, loop, tls, make)
        return await listener.open(make, (host, port))

    async def serve_socket(self, sock: socket.socket) -> Listener:
        """Serve a socket that listens already, of whatever network namespace.

        The socket is ours from now on, and closed with the listener or the server.
        """
        limits = self._limits
        self._places += 1
        listener = Listener(
            self._inner,
            self._inner_requests,
            limits.inner_connections_max,
            place=f"sandbox {self._places}",
        )
        await listener.open(self._maker(listener), sock)
        return listener

    async def drain(self, grace_s: float) -> None:
        """Take no more from outside; return once no such connection is left, or after ``grace_s``.

        Each outer connection closes after the answer it waits for; one that waits for none stays
        for ``linger_s`` and answers what still comes. Sockets of ``serve_socket``, and what came by
        them, go on as before. Safe to call twice; ``stop`` does the rest.
        """
        self._draining |= self._outer
        for listener in list(self._draining):
            listener.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._outer_requests.drain()
                for listener in list(self._draining):
                    await listener.wait_empty()

    async def stop(self, grace_s: float) -> None:
        """Stop accepting, let requests in flight end within ``grace_s``, close. Safe twice."""
        hall = self._hall
        for listener in [*self._outer, *self._inner]:
            listener.close()
        hall.stopping = True
        for connection in hall.connections.all():
            connection.shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._outer_requests.drain()
                await self._inner_requests.drain()
        if not await self._wait_empty():
            for connection in hall.connections.all():
                connection.abort()
        await self._outer_requests.close()
        await self._inner_requests.close()
        await self._wait_empty()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._hall.connections)

    async def _wait_empty(self) -> bool:
        """Wait until no connection is left. False if some still are."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.flush_s):
                await self._hall.connections.wait_empty()
        return not len(self._hall.connections)

    def _maker(self, listener: Listener) -> partial[Connection]:
        return partial(Connection, self._hall, listener, asyncio.get_running_loop())
