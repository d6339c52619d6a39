"""``InvokeWithResponseStream``: the response of a function as the events of an event stream.

    head --PayloadChunk--> … --PayloadChunk--> InvokeComplete

The head goes out with the first byte; what fails before that is an ordinary error. What fails later
is in the last event: its ``ErrorCode`` is what ``Invoke`` has as the function error, and its
``ErrorDetails`` the error document.

Source: Lambda API, ``InvokeWithResponseStream``; Smithy, event streams.
"""

from __future__ import annotations

import base64

import orjson

from alonzo.edge.http1.incoming import Incoming, Outlet
from alonzo.edge.http1.response import Response, header_value
from alonzo.edge.invoke_http import render_invoke
from alonzo.edge.protocols.event_stream import EventStreamWriter, encode_frame
from alonzo.model.invocations import InvokeRequest, InvokeResult
from alonzo.model.ports.invoking import ClientGoneError, Invoker, StreamHead

#: A longer piece is cut: clients hold a whole event before they show any of it.
CHUNK_BYTES_MAX = 128 << 10

_DRY_RUN = 204
_CHUNK_HEADERS = {
    ":message-type": "event",
    ":event-type": "PayloadChunk",
    ":content-type": "application/octet-stream",
}
_COMPLETE_HEADERS = {
    ":message-type": "event",
    ":event-type": "InvokeComplete",
    ":content-type": "application/json",
}


async def answer_stream(
    invoker: Invoker, request: InvokeRequest, incoming: Incoming
) -> Response | None:
    """Run the call and send its response on as it comes; None: it has been sent.

    Raises:
        AwsError: the call was refused.
    """
    sink = EventStreamSink(incoming, request.request_id)
    result = await invoker.stream(request, sink)
    if result.status == _DRY_RUN:
        return render_invoke(result, request.request_id)
    await sink.complete(result)
    return None


class EventStreamSink:
    """Implements ``ports.ResponseSink``: every piece is an event."""

    def __init__(self, incoming: Incoming, request_id: str) -> None:
        self._incoming = incoming
        self._request_id = request_id
        self._outlet: Outlet | None = None

    def start(self, head: StreamHead) -> None:
        """Send status and headers."""
        fields = [
            b"content-type: %b\r\n" % EventStreamWriter.content_type.encode(),
            b"x-amzn-requestid: %b\r\n" % self._request_id.encode(),
            b"x-amz-executed-version: %b\r\n" % header_value(head.executed_version),
        ]
        if head.trace_header is not None:
            fields.append(b"x-amzn-trace-id: %b\r\n" % header_value(head.trace_header))
        self._outlet = self._incoming.begin_answer(Response(200, b"".join(fields)))

    async def write(self, data: bytes) -> None:
        """Send a piece.

        Raises:
            ClientGoneError: nobody takes any more.
        """
        assert self._outlet is not None, "start comes first"
        for at in range(0, len(data), CHUNK_BYTES_MAX):
            await self._outlet.write(payload_chunk(data[at : at + CHUNK_BYTES_MAX]))

    async def complete(self, result: InvokeResult) -> None:
        """Send the last event, and end the response."""
        assert self._outlet is not None, "start comes first"
        try:
            await self._outlet.write(invoke_complete(result))
        except ClientGoneError:
            return
        self._outlet.end()


def payload_chunk(data: bytes) -> bytes:
    """The event that carries a piece of the response."""
    return encode_frame(_CHUNK_HEADERS, data)


def invoke_complete(result: InvokeResult) -> bytes:
    """The event that ends the response."""
    failed = result.function_error is not None
    log_tail = result.log_tail
    document = {
        "ErrorCode": result.function_error,
        "ErrorDetails": result.payload.decode("utf-8", "replace") if failed else None,
        "LogResult": None if log_tail is None else base64.b64encode(log_tail).decode(),
    }
    return encode_frame(_COMPLETE_HEADERS, orjson.dumps(document))
