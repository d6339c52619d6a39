"""Sends the answer of a function that streams while the function still writes it.

Status and headers are the function's own, so they wait for its first bytes, or for all of its
prelude. Until then a failure is still an answer of its own; later it can only cut the body short.
"""

from __future__ import annotations

from collections.abc import Callable

from alonzo.edge.function_urls.prelude import PreludeReader, is_announced, plain_head
from alonzo.edge.function_urls.refusals import BAD_GATEWAY
from alonzo.edge.function_urls.result import Answer, MalformedResultError
from alonzo.edge.http1.incoming import Incoming, Outlet
from alonzo.edge.http1.response import BODILESS, Response
from alonzo.model.invocations import InvokeRequest
from alonzo.model.ports.invoking import ClientGoneError, Invoker, StreamHead

#: Makes the response of an answer, with the trace header of the invocation.
Render = Callable[[Answer, str | None], Response]


class StreamedAnswer:
    """Implements ``ports.ResponseSink`` for one request."""

    def __init__(self, incoming: Incoming, render: Render) -> None:
        self._incoming = incoming
        self._render = render
        self._prelude: PreludeReader | None = None
        self._content_type: str | None = None
        self._trace_header: str | None = None
        self._outlet: Outlet | None = None
        # In the place of an answer that is sent piece by piece.
        self._whole: Response | None = None
        self._n_bytes = 0

    async def run(self, invoker: Invoker, request: InvokeRequest) -> Response | None:
        """Run the call to its end. None: its answer has been sent.

        Raises:
            AwsError: the call was refused before any code ran.
        """
        result = await invoker.stream(request, self)
        failed = result.function_error is not None
        if self._outlet is not None:
            if not failed:
                self._outlet.end()
            return None
        if self._whole is not None:
            return self._whole
        if failed or (self._prelude is not None and self._prelude.begun):
            return self._render(BAD_GATEWAY, self._trace_header)
        content_type = self._content_type if self._prelude is None else None
        return self._render(plain_head(content_type), self._trace_header)

    # --- for the invoker

    def start(self, head: StreamHead) -> None:
        """What is known before the first byte, which may never come."""
        self._content_type = head.content_type
        self._trace_header = head.trace_header
        if is_announced(head.content_type):
            self._prelude = PreludeReader()

    async def write(self, data: bytes) -> None:
        """Send a piece on; wait while the client is slower.

        Raises:
            ClientGoneError: nobody takes any more.
        """
        if self._outlet is None and self._whole is None:
            data = self._begin(data)
        if self._outlet is not None and data:
            await self._outlet.write(data)
        elif self._whole is not None:
            self._count(data)

    # --- inside

    def _begin(self, data: bytes) -> bytes:
        """Find the head, and send it; what is left of the piece is body."""
        if self._prelude is None:
            self._open(plain_head(self._content_type))
            return data
        try:
            found = self._prelude.feed(data)
        except MalformedResultError as error:
            self._whole = self._render(BAD_GATEWAY, self._trace_header)
            raise ClientGoneError from error
        if found is None:
            return b""
        head, data = found
        self._open(head)
        return data

    def _open(self, head: Answer) -> None:
        response = self._render(head, self._trace_header)
        if self._incoming.head.method == "HEAD" or response.status in BODILESS:
            self._whole = response
        else:
            self._outlet = self._incoming.begin_answer(response)

    def _count(self, data: bytes) -> None:
        """Of an answer without its body, ``HEAD`` still says how long that is."""
        self._n_bytes += len(data)
        assert self._whole is not None
        self._whole.length = self._n_bytes
