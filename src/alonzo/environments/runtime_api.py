"""The HTTP Runtime API of one runtime process, for runtimes that are not our own.

Source: Lambda developer guide, runtime API; error texts from the runtime interface emulator.
"""

from __future__ import annotations

import base64
from collections import deque
from contextlib import suppress
from functools import partial

from alonzo.environments.api_server import NOT_FOUND, refusal, wrong_method
from alonzo.environments.links import LinkListener, error_type_of
from alonzo.environments.runtime_connection import Connection, Route
from alonzo.environments.values import Invocation, Reply

#: The date of this API.
DATE = "2018-06-01"

_ACCEPTED = b'{"status":"OK"}\n'


class RuntimeApi:
    """Serves one runtime process, from before it starts until after it has ended."""

    def __init__(self, listener: LinkListener, *, body_bytes_max: int) -> None:
        self._listener = listener
        self._body_bytes_max = body_bytes_max
        self._waiting: deque[Connection] = deque()
        self._event: tuple[Invocation, int] | None = None
        self._delivered = False
        self._ready = False
        self._closed = False

    def close(self) -> None:
        """Hand out no more events, and report nothing any more. Safe to call twice."""
        self._closed = True
        self._waiting.clear()
        self._event = None

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

    # Api

    def left(self, connection: Connection) -> None:
        """A connection is gone, and does not wait any more."""
        with suppress(ValueError):
            self._waiting.remove(connection)

    def route(self, method: bytes, path: str) -> Route:
        """Decide from its first line what a request may do."""
        if self._closed:
            return NOT_FOUND
        match path.split("/"):
            case ["runtime", "invocation", "next"]:
                wanted, route = b"GET", Route(self._next)
            case ["runtime", "invocation", request_id, ("response" | "error") as kind]:
                wanted = b"POST"
                run = partial(self._answer, request_id=request_id, kind=kind)
                route = Route(run, self._body_bytes_max if self._awaits(request_id) else 0)
            case ["runtime", "init", "error"]:
                wanted = b"POST"
                route = Route(self._init_error, 0 if self._ready else self._body_bytes_max)
            case _:
                return NOT_FOUND
        return route if method == wanted else wrong_method(wanted.decode())

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
            message = f"Exceeded maximum allowed payload size ({self._body_bytes_max} bytes)."
            connection.refuse(413, "RequestEntityTooLarge", message)
        else:
            connection.answer(202, _ACCEPTED)


class NoRuntimeApi:
    """The same paths where the runtime is one of ours, which has a channel of its own.

    A process that asks here for an event gets an answer that says so, and no event.
    """

    def route(self, method: bytes, path: str) -> Route:
        """Decide from its first line what a request may do."""
        return _NOT_OF_THIS_RUNTIME if path.startswith("runtime/") else NOT_FOUND

    def left(self, connection: Connection) -> None:
        """A connection is gone; none ever waits here."""


_NOT_OF_THIS_RUNTIME = refusal(
    403,
    "InvalidStateTransition",
    "The managed runtime of this environment takes its events itself; "
    "a runtime of your own needs provided.al2023",
)


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
