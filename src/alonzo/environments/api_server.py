"""The server behind ``AWS_LAMBDA_RUNTIME_API``: one listening socket inside one environment.

Whoever connects to it is a process of that environment; nothing in a request says whose it is. The
first segment of a path, a date, names an API; each API has its own table of routes. One server
lives as long as one generation of processes: what they leave in the socket is not the next ones'
(``forget_waiting``).

Our own ``asyncio.Protocol`` on httptools: two of the three messages of an invoke of a custom
runtime pass here, and a web server for general use costs three times as much.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

from alonzo.environments.runtime_connection import Connection, Route

#: Connections of one environment at a time; a runtime or an extension uses one or two.
_CONNECTIONS_MAX = 64

#: More connections than this no socket keeps waiting to be accepted (net.core.somaxconn).
_BACKLOG_MAX = 4096


class Api(Protocol):
    """The routes below one date."""

    def route(self, method: bytes, path: str) -> Route:
        """Decide from its first line what a request may do. ``path`` is what follows the date."""
        ...

    def left(self, connection: Connection) -> None:
        """A connection is gone, with whatever it waited for."""
        ...


class ApiServer:
    """Serves the processes of one generation, from before they start until after they ended."""

    def __init__(self) -> None:
        self._apis: dict[bytes, Api] = {}
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._claimed_by: Connection | None = None
        self._closed = False

    def mount(self, date: str, api: Api) -> None:
        """From now on requests below ``/date/`` are for that API."""
        self._apis[date.encode()] = api

    async def serve(self, listening: socket.socket) -> None:
        """Accept connections on a socket that listens inside; it stays the caller's."""
        own = listening.dup()
        try:
            own.setblocking(False)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: Connection(self), sock=own)
        except BaseException:
            own.close()
            raise

    def close(self) -> None:
        """Stop serving. Safe to call twice."""
        self._closed = True
        for connection in list(self._connections):
            connection.abort()
        if self._server is not None:
            self._server.close()

    # Owner of connections

    def joined(self, connection: Connection) -> bool:
        """Count a new connection; False if there are too many."""
        self._connections.add(connection)
        return not self._closed and len(self._connections) <= _CONNECTIONS_MAX

    def left(self, connection: Connection) -> None:
        """A connection is gone; so is its wait for an event."""
        self._connections.discard(connection)
        self.release(connection)
        for api in self._apis.values():
            api.left(connection)

    def claim(self, connection: Connection) -> bool:
        """Whether this connection may hold a body or a long head; one at a time may."""
        if self._claimed_by is None:
            self._claimed_by = connection
        return self._claimed_by is connection

    def release(self, connection: Connection) -> None:
        """This connection holds much no longer, if it did."""
        if self._claimed_by is connection:
            self._claimed_by = None

    def route(self, method: bytes, target: bytes) -> Route:
        """Decide from its first line what a request may do."""
        path = target.partition(b"?")[0]
        _, _, dated = path.partition(b"/")
        date, _, rest = dated.partition(b"/")
        api = self._apis.get(date)
        if api is not None:
            return api.route(method, rest.decode("latin-1"))
        return _PONG if path == b"/ping" else NOT_FOUND


def forget_waiting(listening: socket.socket) -> None:
    """Close the connections that wait to be accepted: the processes that made them are gone.

    So may be the socket.
    """
    if listening.fileno() < 0:
        return
    for _ in range(_BACKLOG_MAX):
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return
        except ConnectionError:
            continue


def refusal(status: int, error_type: str, message: str) -> Route:
    """A route that only says no."""

    def refuse(connection: Connection) -> None:
        connection.refuse(status, error_type, message)

    return Route(refuse)


def wrong_method(wanted: str) -> Route:
    """The route of a path that is asked with another method."""
    return refusal(405, "MethodNotAllowed", f"the method is {wanted}")


def _pong(connection: Connection) -> None:
    connection.answer(200, b"pong", (("Content-Type", "text/plain"),))


_PONG = Route(_pong)
NOT_FOUND = refusal(404, "NotFound", "404 page not found")
