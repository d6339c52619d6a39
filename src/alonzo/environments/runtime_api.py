"""The HTTP Runtime API of one runtime process, for runtimes that are not our own.

Our own ``asyncio.Protocol`` on httptools: two of the three messages of every such invoke pass here,
and a web server for general use costs three times as much.

Source: Lambda developer guide, runtime API; error texts from the runtime interface emulator.
"""

from __future__ import annotations

import asyncio
import base64
import socket
from collections import deque
from contextlib import suppress
from functools import partial

from alonzo.environments.links import LinkListener, error_type_of
from alonzo.environments.runtime_connection import Connection, Route
from alonzo.environments.values import Invocation, Reply

_PREFIX = b"/2018-06-01/runtime/"

#: Connections of one environment at a time; a runtime uses one or two.
_CONNECTIONS_MAX = 64

#: More connections than this no socket keeps waiting to be accepted (net.core.somaxconn).
_BACKLOG_MAX = 4096

_ACCEPTED = b'{"status":"OK"}\n'


class RuntimeApi:
    """Serves one runtime process, from before it starts until after it has ended."""

    def __init__(self, listener: LinkListener, *, body_bytes_max: int) -> None:
        self._listener = listener
        self.body_bytes_max = body_bytes_max
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._waiting: deque[Connection] = deque()
        self._claimed_by: Connection | None = None
        self._event: tuple[Invocation, int] | None = None
        self._delivered = False
        self._ready = False
        self._closed = False

    async def serve(self, listening: socket.socket) -> None:
        """Accept connections on a socket that listens inside the sandbox, and stays the caller's.

        Those that wait there already are of a process that is gone, and are closed.
        """
        own = listening.dup()
        try:
            own.setblocking(False)
            _close_backlog(own)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: Connection(self), sock=own)
        except BaseException:
            own.close()
            raise

    def close(self) -> None:
        """Stop serving; nothing is reported any more. Safe to call twice."""
        self._closed = True
        self._waiting.clear()
        self._event = None
        for connection in list(self._connections):
            connection.abort()
        if self._server is not None:
            self._server.close()

    # Link

    def send(self, invocation: Invocation, deadline_ms: int) -> None:
        """Hand an event to the runtime, now or at its next ``next``."""
        self._event = (invocation, deadline_ms)
        self._delivered = False
        while self._waiting and not self._delivered:
            self._deliver(self._waiting.popleft())

    def _deliver(self, connection: Connection) -> None:
        assert self._event is not None
        payload, headers = self._event[0].payload, next_headers(*self._event)
        self._delivered = connection.answer(200, payload, headers)

    # Owner of connections

    def joined(self, connection: Connection) -> bool:
        """Count a new connection; False if there are too many."""
        self._connections.add(connection)
        return not self._closed and len(self._connections) <= _CONNECTIONS_MAX

    def left(self, connection: Connection) -> None:
        """A connection is gone; so is its wait for an event."""
        self._connections.discard(connection)
        self.release(connection)
        with suppress(ValueError):
            self._waiting.remove(connection)

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
        if not path.startswith(_PREFIX):
            return _PONG if path == b"/ping" else _NOT_FOUND
        match path[len(_PREFIX) :].decode("latin-1").split("/"):
            case ["invocation", "next"]:
                wanted, route = b"GET", Route(self._next)
            case ["invocation", request_id, ("response" | "error") as kind]:
                wanted = b"POST"
                run = partial(self._answer, request_id=request_id, kind=kind)
                route = Route(run, takes_body=self._awaits(request_id))
            case ["init", "error"]:
                wanted, route = b"POST", Route(self._init_error, takes_body=not self._ready)
            case _:
                return _NOT_FOUND
        if method == wanted:
            return route
        return _refusal(405, "MethodNotAllowed", f"the method is {wanted.decode()}")

    # The operations

    def _next(self, connection: Connection) -> None:
        """``GET invocation/next``: ends init, then waits for an event without a time limit."""
        if self._event is not None and self._delivered:
            connection.refuse(403, "InvalidStateTransition", (
                "State transition from RuntimeRunning to RuntimeReady failed for runtime. "
                "Error: the invocation has not been answered"
            ))  # fmt: skip
            return
        self._ready = True
        if self._event is not None:
            self._deliver(connection)
            return
        self._waiting.append(connection)
        self._listener.runtime_ready()

    def _awaits(self, request_id: str) -> bool:
        return (
            self._event is not None and self._delivered and self._event[0].request_id == request_id
        )

    def _answer(self, connection: Connection, request_id: str, kind: str) -> None:
        """``POST invocation/{id}/response`` or ``/error``."""
        body = connection.body()
        if self._event is None or not self._awaits(request_id) or body is None:
            connection.refuse(400, "InvalidRequestID", "Invalid request ID")
            return
        echoed = connection.header("lambda-runtime-invocation-id")
        if echoed is not None and echoed != self._event[0].attempt_id:
            connection.refuse(400, "InvalidInvocationId", "Invalid invocation ID")
            return
        mode = connection.header("lambda-runtime-function-response-mode")
        if mode is not None and mode.lower() not in ("streaming", "buffered"):
            message = "Invalid function response mode"
            connection.refuse(400, "InvalidFunctionResponseMode", message)
            return
        self._event = None
        self._accept(connection)
        self._listener.runtime_answered(request_id, _reply(connection, body, kind))
        if self._waiting:  # Another connection of it asked for the next event before.
            self._listener.runtime_ready()

    def _init_error(self, connection: Connection) -> None:
        """``POST init/error``: only before the first ``next``."""
        if self._ready:
            connection.refuse(403, "InvalidStateTransition", (
                "State transition from RuntimeReady to RuntimeInitError failed for runtime. "
                "Error: init is over"
            ))  # fmt: skip
            return
        body = connection.body()
        if body is None:
            connection.refuse(400, "InvalidRequestID", "Invalid request ID")
            return
        self._accept(connection)
        self._listener.runtime_init_failed(_reply(connection, body, "error"))

    def _accept(self, connection: Connection) -> None:
        """Confirm an answer. One that was too large is an answer all the same."""
        if connection.too_large:
            message = f"Exceeded maximum allowed payload size ({self.body_bytes_max} bytes)."
            connection.refuse(413, "RequestEntityTooLarge", message)
        else:
            connection.answer(202, _ACCEPTED)


def _close_backlog(listening: socket.socket) -> None:
    for _ in range(_BACKLOG_MAX):
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return
        except ConnectionError:
            continue


def _refusal(status: int, error_type: str, message: str) -> Route:
    def refuse(connection: Connection) -> None:
        connection.refuse(status, error_type, message)

    return Route(refuse)


def _pong(connection: Connection) -> None:
    connection.answer(200, b"pong", (("Content-Type", "text/plain"),))


_PONG = Route(_pong)
_NOT_FOUND = _refusal(404, "NotFound", "404 page not found")


def next_headers(invocation: Invocation, deadline_ms: int) -> tuple[tuple[str, str], ...]:
    """The headers of an event. Empty ones are left out, not sent empty."""
    headers = (
        ("Content-Type", "application/json"),
        ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
        ("Lambda-Runtime-Invocation-Id", invocation.attempt_id),
        ("Lambda-Runtime-Deadline-Ms", str(deadline_ms)),
        ("Lambda-Runtime-Invoked-Function-Arn", invocation.invoked_arn),
        ("Lambda-Runtime-Trace-Id", invocation.trace_header),
        ("Lambda-Runtime-Client-Context", invocation.client_context or ""),
        ("Lambda-Runtime-Aws-Tenant-Id", invocation.tenant_id or ""),
    )
    return tuple((name, value) for name, value in headers if value)


def _reply(connection: Connection, body: bytes, kind: str) -> Reply:
    """The answer that a request carries. A stream may turn into an error in its trailers."""
    stated = connection.header("lambda-runtime-function-error-type")
    if kind == "error":
        error_type = stated or error_type_of(body) or "Runtime.Unknown"
        return Reply(body, error_type, connection.too_large)
    if stated is None:
        return Reply(body, too_large=connection.too_large)
    document = connection.header("lambda-runtime-function-error-body") or ""
    try:
        return Reply(base64.b64decode(document, validate=True), stated)
    except ValueError:  # No base64, or no ASCII.
        return Reply(b"{}", stated)
