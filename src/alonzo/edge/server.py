"""The listener: uvicorn's HTTP/1.1 on httptools, run by us and hardened.

uvicorn's ``Server`` owns a process: signals, a tick every 100 ms, one set of sockets. We need its
protocol only, on any number of listening sockets, so ``EdgeServer`` starts and stops it itself.

Listeners are *outer* (``start``: the platform's address) or *inner* (``serve_socket``: the same API
inside one sandbox). A platform that drains takes nothing from outside any more, while the functions
that still run go on calling it from inside.

Beyond uvicorn, per connection:

* a request head has a size and a time limit; a body must keep moving and has a time limit too;
* trailer fields after a chunked body are dropped: uvicorn would append them to the headers;
* an offered ``Upgrade`` is ignored (RFC 9110, 7.8); httptools would lose the body with it;
* requests sent ahead of their predecessors' answers wait in a queue that has an end;
* a client that does not take its answer is cut off;
* bytes that are no HTTP get a 400, but never in place of an answer that is still to come.

A body that nobody read is taken off the wire and thrown away, so that the client sees the answer.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from alonzo.edge.listener import Listener
from alonzo.lib.tasks import TaskScope

if TYPE_CHECKING:
    from alonzo.edge.app import EdgeApp

log = logging.getLogger("alonzo.edge")


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one client may take. Times in seconds."""

    connections_max: int = 10_000
    #: Of one inner listener, so that one function cannot take them all.
    inner_connections_max: int = 128
    head_bytes_max: int = 64 * 1024
    head_timeout_s: float = 20.0
    #: A body, as long as it moves at all.
    body_timeout_s: float = 900.0
    #: A body that does not move.
    body_idle_s: float = 30.0
    #: An answer that does not move.
    write_idle_s: float = 30.0
    keep_alive_s: int = 75
    #: Bytes of a body that nobody wants, read so that its sender sees the answer.
    discard_bytes_max: int = 256 << 20
    #: Requests that wait for the answer to an earlier one of their connection.
    pipelined_max: int = 32
    #: How long the last bytes of answers may take after the grace of ``stop``.
    flush_s: float = 1.0


class EdgeServer:
    """Serves one ``EdgeApp``. Installs no signal handlers and starts no process."""

    def __init__(self, app: EdgeApp, *, limits: ServerLimits | None = None) -> None:
        self._limits = limits or ServerLimits()
        self._config = Config(
            cast(Any, app),
            http=EdgeProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            forwarded_allow_ips=[],
            server_header=False,
            date_header=False,
            workers=1,
            timeout_keep_alive=self._limits.keep_alive_s,
        )
        self._config.load()
        self._state = EdgeState(self._limits)
        self._outer: set[Listener] = set()
        self._inner: set[Listener] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen on an address; port 0 takes a free one. Returns the port.

        Raises:
            OSError: the address cannot be listened on.
        """
        listener = Listener(self._outer, self._state.outer_requests, self._limits.connections_max)
        protocol, loop = partial(self._protocol, listener), asyncio.get_running_loop()
        server = await loop.create_server(protocol, host, port, backlog=2048)
        listener.opened(server)
        return int(server.sockets[0].getsockname()[1])

    async def serve_socket(self, sock: socket.socket) -> Listener:
        """Serve a socket that listens already, of whatever network namespace.

        The socket is ours from now on, and closed with the listener or the server.
        """
        connections_max = self._limits.inner_connections_max
        listener = Listener(self._inner, self._state.inner_requests, connections_max)
        protocol, loop = partial(self._protocol, listener), asyncio.get_running_loop()
        listener.opened(await loop.create_server(protocol, sock=sock))
        return listener

    async def drain(self, grace_s: float) -> None:
        """Take no more from outside; return once no such request runs, or after ``grace_s``.

        Each outer connection closes after the answer it waits for. Sockets of ``serve_socket``,
        and what came by them, go on as before. Safe to call twice; ``stop`` does the rest.
        """
        for listener in list(self._outer):
            listener.drain()
        await _wait_idle(grace_s, self._state.outer_requests)

    async def stop(self, grace_s: float) -> None:
        """Stop accepting, let requests in flight end within ``grace_s``, close. Safe twice."""
        state = self._state
        for listener in [*self._outer, *self._inner]:
            listener.close()
        state.stopping = True
        for connection in list(state.connections):
            connection.shutdown()
        await _wait_idle(grace_s, state.outer_requests, state.inner_requests)
        if not await state.wait_empty(self._limits.flush_s):
            for connection in list(state.connections):
                cast(EdgeProtocol, connection).abort()
        await state.outer_requests.close()
        await state.inner_requests.close()
        await state.wait_empty(self._limits.flush_s)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._state.connections)

    def _protocol(self, listener: Listener) -> EdgeProtocol:
        return EdgeProtocol(self._config, self._state, listener)


async def _wait_idle(within_s: float, *scopes: TaskScope) -> None:
    """Wait until no request of ``scopes`` runs, or the time is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            for scope in scopes:
                await scope.drain()


class EdgeState(ServerState):
    """What all connections share: uvicorn's part, our limits, and the running requests."""

    def __init__(self, limits: ServerLimits) -> None:
        super().__init__()
        self.limits = limits
        self.outer_requests = TaskScope()
        self.inner_requests = TaskScope()
        self.stopping = False
        self._empty = asyncio.Event()

    def connection_gone(self) -> None:
        """Take note that a connection was closed."""
        if not self.connections:
            self._empty.set()

    async def wait_empty(self, within_s: float) -> bool:
        """Wait until no connection is left. False if some still are."""
        if not self.connections:
            return True
        self._empty.clear()
        try:
            async with asyncio.timeout(within_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True


class _OverLimitError(Exception):
    """The head of a request is too large."""


class EdgeProtocol(HttpToolsProtocol):
    """One connection."""

    server_state: EdgeState
    url: bytes

    def __init__(
        self,
        config: Config,
        server_state: EdgeState,
        listener: Listener,
    ) -> None:
        super().__init__(config, server_state, {})
        self._limits = server_state.limits
        self._listener = listener
        # The request that is being received: when it began and last moved, the bytes of its
        # parsed head, and the bytes that came since the last that were body.
        self._in_message = False
        self._in_head = False
        self._began_at_s = 0.0
        self._moved_at_s = 0.0
        self._head_bytes = 0
        self._bodiless_bytes = 0
        self._discarded_bytes = 0
        self._upgrade_offered = False
        self._version = ""
        self._guard: asyncio.TimerHandle | None = None
        # What the client has not taken yet, while that is more than the transport likes to hold.
        self._unsent_bytes = 0
        self._write_guard: asyncio.TimerHandle | None = None
        # The request that is being answered; uvicorn's ``cycle`` is the one received last.
        self._running: RequestResponseCycle | None = None
        # Set when nothing more on this connection can be understood.
        self._deaf = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin, unless the server or the listener is full or about to end."""
        super().connection_made(transport)
        full = len(self.connections) > self._limits.connections_max
        if self.server_state.stopping or full or not self._listener.try_admit(self):
            self._refuse(503)
            return
        self._began_at_s = self._moved_at_s = self.loop.time()
        self._guard = self.loop.call_later(self._limits.head_timeout_s, self._check_progress)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever still answers that nobody listens."""
        self._cancel_guard()
        self._cancel_write_guard()
        self.pipeline.clear()
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)
        self._listener.forget(self)
        self.server_state.connection_gone()

    def pause_writing(self) -> None:
        """The client is slower than the answer: see that it takes some of it."""
        super().pause_writing()
        self._unsent_bytes = self.transport.get_write_buffer_size()
        self._write_guard = self.loop.call_later(self._limits.write_idle_s, self._check_writing)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._cancel_write_guard()
        super().resume_writing()

    @property
    def _parser(self) -> httptools.HttpRequestParser:
        parser = self.parser
        assert parser is not None, "the connection is lost"
        return parser

    def abort(self) -> None:
        """Close without waiting for what is still to be written."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and keep the guard armed while a request is incomplete."""
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        self._bodiless_bytes += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            self._refuse(431 if isinstance(error.__context__, _OverLimitError) else 400)
            return
        if not self._in_message:
            self._cancel_guard()
        elif self._bodiless_bytes > self._limits.head_bytes_max:
            # A field without an end, which the parser would gather for ever.
            self._refuse(431)
        else:
            self._moved_at_s = self.loop.time()
            if self._guard is None:
                self._check_progress()

    def _feed(self, data: bytes) -> None:
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                # The parser stops behind the head: it takes what follows for another protocol.
                data = self._head_without_upgrade() + data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        parser = self._parser
        lines = [b"%s %s HTTP/%s" % (parser.get_method(), self.url, self._version.encode())]
        for name, value in self.headers:
            if name == b"connection":
                tokens = [token.strip() for token in value.lower().split(b",")]
                value = b", ".join(token for token in tokens if token != b"upgrade")
            if name != b"upgrade":
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        """Parser callback."""
        super().on_message_begin()
        self._in_message = self._in_head = True
        self._head_bytes = self._bodiless_bytes = self._discarded_bytes = 0
        self._began_at_s = self.loop.time()

    def on_url(self, url: bytes) -> None:
        """Parser callback; a long target comes in pieces."""
        self._count_head(len(url))
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser callback, for header and for trailer fields."""
        if not self._in_head:
            return
        self._count_head(len(name) + len(value) + 4)
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Parser callback; starts the application, or queues the request."""
        parser = self._parser
        self._upgrade_offered = parser.should_upgrade()
        if self._upgrade_offered:
            if parser.get_method() == b"CONNECT":
                raise httptools.HttpParserInvalidMethodError("CONNECT")
            self._version = parser.get_http_version()
            return
        self._in_head = False
        super().on_headers_complete()
        if len(self.pipeline) > self._limits.pipelined_max:
            raise _OverLimitError

    def on_body(self, body: bytes) -> None:
        """Parser callback. What comes after the answer is thrown away, up to a limit."""
        self._bodiless_bytes = 0
        if self.cycle.response_complete:
            self._discarded_bytes += len(body)
            if self._discarded_bytes > self._limits.discard_bytes_max:
                self._deaf = True
                self.transport.close()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Parser callback."""
        if self._upgrade_offered:
            return
        self._in_message = False
        super().on_message_complete()

    def _count_head(self, n_bytes: int) -> None:
        self._head_bytes += n_bytes
        if self._head_bytes > self._limits.head_bytes_max:
            raise _OverLimitError

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        self._listener.requests.spawn(self._answer(cycle, app), name="edge.request")

    async def _answer(self, cycle: RequestResponseCycle, app: Any) -> None:
        try:
            await app(cycle.scope, cycle.receive, cycle.send)
        except asyncio.CancelledError:
            self.transport.abort()
            raise
        except Exception:
            log.exception("edge.answer_failed")
        finally:
            # uvicorn's way to break the circle of cycle, protocol and callback.
            cycle.on_response = _nothing
        if not cycle.response_complete and not cycle.disconnected:
            # Half an answer must not look like a whole one.
            self.transport.abort()

    def _refuse(self, status: int) -> None:
        """Hear no more on this connection, and say why unless an answer is under way."""
        self._deaf = True
        self._cancel_guard()
        running = self._running
        if running is None or running.response_complete:
            self.transport.write(_REFUSALS[status])
        elif not (running is self.cycle and running.more_body):
            # That request was whole: it gets its answer, and then the connection closes.
            running.keep_alive = False
            self.pipeline.clear()
            self.flow.pause_reading()
            return
        elif not running.response_started:
            self.transport.write(_REFUSALS[status])
        self.transport.close()

    def _check_progress(self) -> None:
        """Arm the guard for the next deadline, or end a request that missed one."""
        self._guard = None
        if self.transport.is_closing():
            return
        limits, now_s = self._limits, self.loop.time()
        if self.flow.read_paused:
            # We are the ones who do not read.
            self._began_at_s = self._moved_at_s = now_s
        if self._in_message and not self._in_head:
            deadline_s = min(
                self._moved_at_s + limits.body_idle_s, self._began_at_s + limits.body_timeout_s
            )
        else:
            deadline_s = self._began_at_s + limits.head_timeout_s
        if now_s < deadline_s:
            self._guard = self.loop.call_at(deadline_s, self._check_progress)
        elif self._in_message:
            self._refuse(408)
        else:
            self.transport.close()

    def _check_writing(self) -> None:
        # Nothing is added while writing is paused, so an equal size means that nothing was taken.
        unsent_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes >= self._unsent_bytes:
            self.transport.abort()
            return
        self._unsent_bytes = unsent_bytes
        self._write_guard = self.loop.call_later(self._limits.write_idle_s, self._check_writing)

    def _cancel_write_guard(self) -> None:
        if self._write_guard is not None:
            self._write_guard.cancel()
            self._write_guard = None

    def _cancel_guard(self) -> None:
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None


def _nothing() -> None:
    """Stands in for a callback that has had its time."""


def _refusal(status: int) -> bytes:
    phrase = HTTPStatus(status).phrase
    return (
        f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(phrase)}\r\nconnection: close\r\n\r\n{phrase}"
    ).encode()


#: Answers to what never became a request.
_REFUSALS = {status: _refusal(status) for status in (400, 408, 431, 503)}
