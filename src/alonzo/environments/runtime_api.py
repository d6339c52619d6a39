"""The HTTP Runtime API of one runtime process, for runtimes that are not our own.

Source: Lambda developer guide, runtime API; error texts from the runtime interface emulator.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from alonzo.environments.api_server import NOT_FOUND, refusal, wrong_method
from alonzo.environments.errors import error_document, without_cause
from alonzo.environments.intake import Gathered, Intake
from alonzo.environments.links import LinkListener, error_type_of
from alonzo.environments.runtime_connection import Connection, Pourer, Route
from alonzo.environments.values import Invocation, Reply

#: The date of this API.
DATE = "2018-06-01"

_ACCEPTED = b'{"status":"OK"}\n'

#: An error whose document also has the cause that is shown in a trace.
_WITH_CAUSE = "application/vnd.aws.lambda.error.cause+json"

#: A response whose connection closed before its end.
_TRUNCATED = "Runtime.TruncatedResponse"

#: A process that exits closes its connections, too; how it ended is then the better news.
_EXIT_GRACE_S = 0.1


class RuntimeApi:
    """Serves one runtime process, from before it starts until after it has ended."""

    def __init__(
        self, listener: LinkListener, *, body_bytes_max: int, restores: bool = False
    ) -> None:
        """``restores``: it is initialised to be restored later, and may wait for that."""
        self._listener = listener
        self._body_bytes_max = body_bytes_max
        self._restores = restores
        self._to_restore: Connection | None = None
        self._restoring = False
        self._waiting: deque[Connection] = deque()
        self._event: tuple[Invocation, int] | None = None
        self._delivered = False
        self._ready = False
        self._closed = False
        self._stream: _Stream | None = None

    def close(self) -> None:
        """Hand out no more events, and report nothing any more. Safe to call twice."""
        self._closed = True
        self._waiting.clear()
        self._event = self._stream = self._to_restore = None

    # Link

    def configure(self, variables: Mapping[str, str]) -> None:
        """Restore a runtime that waits for it. Its variables are those that it was started with."""
        connection, self._to_restore = self._to_restore, None
        if connection is not None:
            self._ready, self._restoring = False, True
            connection.answer(200, b"")
        elif self._waiting:  # It knows nothing of that, and waits for an event.
            self._listener.runtime_ready()

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
        """A connection is gone, and does not wait any more, nor send."""
        with suppress(ValueError):
            self._waiting.remove(connection)
        if self._to_restore is connection:
            self._to_restore = None
        stream = self._stream
        if stream is not None and stream.connection is connection:
            stream.cut = True
            asyncio.get_running_loop().call_later(_EXIT_GRACE_S, self._truncated, stream)

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
                if self._awaits(request_id):
                    pour = self._pour if kind == "response" else None
                    route = Route(run, self._body_bytes_max, pour)
                else:
                    route = Route(run)
            case ["runtime", ("init" | "restore") as phase, "error"]:
                wanted, run = b"POST", partial(self._init_error, phase=phase)
                route = Route(run, 0 if self._ready else self._body_bytes_max)
            case ["runtime", "restore", "next"] if self._restores:
                wanted, route = b"GET", Route(self._restore_next)
            case _:
                return NOT_FOUND
        return route if method == wanted else wrong_method(wanted.decode())

    # The operations

    def _next(self, connection: Connection) -> None:
        """``GET invocation/next``: ends init, then waits for an event without a time limit."""
        stream = self._stream
        if stream is not None and stream.connection is not connection and not stream.cut:
            # That it has hung up there may be heard after what it says here.
            asyncio.get_running_loop().call_later(_EXIT_GRACE_S, self._next_at_last, connection)
            return
        self._next_at_last(connection)

    def _next_at_last(self, connection: Connection) -> None:
        if self._closed:
            return
        if self._stream is not None and self._stream.cut:
            self._truncated(self._stream)
        if self._event is not None and self._delivered:
            connection.refuse(403, "InvalidStateTransition", (
                "State transition from RuntimeRunning to RuntimeReady failed for runtime. "
                "Error: the invocation has not been answered"
            ))  # fmt: skip
            return
        if self._to_restore is not None:
            self._refuse_to_be(connection, "RuntimeReady")
            return
        self._ready, self._restoring = True, False
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
        stream = self._stream
        if stream is not None and stream.connection is connection:
            self._finish_stream(stream)
            return
        body = connection.body()
        awaited = stream is None and self._awaits(request_id)
        if self._event is None or not awaited or body is None:
            connection.refuse(400, "InvalidRequestID", "Invalid request ID")
            return
        echoed = connection.header("lambda-runtime-invocation-id")
        if echoed is not None and echoed != self._event[0].attempt_id:
            connection.refuse(400, "InvalidInvocationId", "Invalid invocation ID")
            return
        mode = _mode_of(connection)
        if mode not in (None, "streaming", "buffered"):
            message = "Invalid function response mode"
            connection.refuse(400, "InvalidFunctionResponseMode", message)
            return
        self._event = None
        self._accept(connection)
        self._listener.runtime_answered(request_id, _reply(connection, body, kind))
        self._ask_for_more()

    def _ask_for_more(self) -> None:
        if self._waiting:  # Another connection of it asked for the next event before.
            self._listener.runtime_ready()

    # A response that comes in pieces

    def _pour(self, connection: Connection) -> Pourer | None:
        """Take the response that is about to come on, if it is one that is streamed."""
        if self._event is None or self._stream is not None:
            return None
        invocation = self._event[0]
        mode = _mode_of(connection)
        if mode is None and invocation.intake is not None and _is_chunked(connection):
            # AWS's client for Go says no more than this of a response that it streams.
            mode = "streaming"
        if mode != "streaming":
            return None
        echoed = connection.header("lambda-runtime-invocation-id")
        if echoed not in (None, invocation.attempt_id):
            return None
        intake = invocation.intake or Gathered(self._body_bytes_max)
        self._stream = stream = _Stream(invocation.request_id, connection, intake)
        intake.begin(connection.header("content-type"), connection)
        return partial(self._take_piece, stream)

    def _take_piece(self, stream: _Stream, data: bytes) -> None:
        if not stream.too_large and stream is self._stream and not stream.intake.take(data):
            # Its caller hears of it now; the runtime, when it has sent what it wants to.
            stream.too_large = True
            self._listener.runtime_answered(stream.request_id, Reply(b"", too_large=True))

    def _finish_stream(self, stream: _Stream) -> None:
        connection = stream.connection
        if stream.too_large:
            message = f"Exceeded maximum allowed payload size ({stream.intake.bytes_max} bytes)."
            connection.refuse(413, "RequestEntityTooLarge", message)
        else:
            connection.answer(202, _ACCEPTED)
        self._end_stream(stream, _trailers_reply(connection))

    def _truncated(self, stream: _Stream) -> None:
        if stream is self._stream:
            message = "The runtime closed its connection before the end of the response"
            document = error_document(_TRUNCATED, message, stream.request_id)
            self._end_stream(stream, Reply(document, _TRUNCATED))

    def _end_stream(self, stream: _Stream, failed: Reply | None) -> None:
        """The rest of a response has come, or never will. ``failed``: it is none, but an error."""
        self._event = self._stream = None
        whole = stream.intake.release()
        if not stream.too_large:
            self._listener.runtime_answered(stream.request_id, failed or Reply(whole))
        self._ask_for_more()

    def _restore_next(self, connection: Connection) -> None:
        """``GET restore/next``: ends init, once, then waits until it is restored."""
        if self._state != "RuntimeStarted":
            self._refuse_to_be(connection, "RuntimeRestoreReady")
            return
        self._ready = True
        self._to_restore = connection
        self._listener.runtime_ready()

    def _init_error(self, connection: Connection, phase: str) -> None:
        """``POST init/error`` or ``restore/error``: in that phase only, before its ``next``."""
        if self._state != ("RuntimeRestoring" if phase == "restore" else "RuntimeStarted"):
            self._refuse_to_be(connection, f"Runtime{phase.title()}Error")
            return
        body = connection.body()
        if body is None:
            connection.refuse(400, "InvalidRequestID", "Invalid request ID")
            return
        self._accept(connection)
        self._listener.runtime_init_failed(_reply(connection, body, "error"))

    @property
    def _state(self) -> str:
        """Where a runtime is that has no event, in the emulator's words."""
        if self._to_restore is not None:
            return "RuntimeRestoreReady"
        if self._restoring:
            return "RuntimeRestoring"
        return "RuntimeReady" if self._ready else "RuntimeStarted"

    def _refuse_to_be(self, connection: Connection, wanted: str) -> None:
        connection.refuse(403, "InvalidStateTransition", (
            f"State transition from {self._state} to {wanted} failed for runtime. "
            "Error: State transition is not allowed"
        ))  # fmt: skip

    def _accept(self, connection: Connection) -> None:
        """Confirm an answer. One that was too large is an answer all the same."""
        if connection.too_large:
            message = f"Exceeded maximum allowed payload size ({self._body_bytes_max} bytes)."
            connection.refuse(413, "RequestEntityTooLarge", message)
        else:
            connection.answer(202, _ACCEPTED)


@dataclass(slots=True, eq=False)
class _Stream:
    """A response that is under way.

    ``too_large``: its caller has heard so already. ``cut``: its connection has closed.
    """

    request_id: str
    connection: Connection
    intake: Intake
    too_large: bool = False
    cut: bool = False


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


def _mode_of(connection: Connection) -> str | None:
    """How the runtime says that it sends its response."""
    mode = connection.header("lambda-runtime-function-response-mode")
    return None if mode is None else mode.lower()


def _is_chunked(connection: Connection) -> bool:
    """Whether the length of the body is not known yet."""
    return (connection.header("transfer-encoding") or "").lower() == "chunked"


def _reply(connection: Connection, body: bytes, kind: str) -> Reply:
    """The answer that a request carries."""
    if kind == "error":
        stated = connection.header("lambda-runtime-function-error-type")
        if connection.header("content-type") == _WITH_CAUSE:
            body = without_cause(body)
        error_type = stated or error_type_of(body) or "Runtime.Unknown"
        return Reply(body, error_type, connection.too_large)
    return _trailers_reply(connection) or Reply(body, too_large=connection.too_large)


def _trailers_reply(connection: Connection) -> Reply | None:
    """The error that a response turned into, by what stands behind it; None: it did not."""
    stated = connection.header("lambda-runtime-function-error-type")
    if stated is None:
        return None
    document = connection.header("lambda-runtime-function-error-body") or ""
    try:
        return Reply(base64.b64decode(document, validate=True), stated)
    except ValueError:  # No base64, or no ASCII.
        return Reply(b"{}", stated)
