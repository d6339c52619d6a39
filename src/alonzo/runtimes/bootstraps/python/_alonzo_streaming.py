"""Responses that a handler makes piece by piece: generators and other iterators. Our extension.

AWS's own Python client has no such thing: there such a result is a ``Runtime.MarshalError``. Pieces
are ``str`` or bytes. A first piece that is a ``dict`` is the head of an HTTP response (statusCode,
headers, cookies), as ``awslambda.HttpResponseStream.from`` writes it in Node.js.
"""

import json
import os

from _alonzo_values import Fault

CHUNK = 20

#: The longest body of one frame.
PIECE_BYTES_MAX = 64 << 10

BYTES = "application/octet-stream"
HTTP = "application/vnd.awslambda.http-integration-response"


def is_stream(result):
    """Whether a handler's result is to be sent piece by piece."""
    kind = type(result)
    return hasattr(kind, "__next__") or hasattr(kind, "__anext__")


def send_pieces(pieces, request_id, send):
    """Take all pieces and send each as it comes; ``send`` waits while its reader is slower."""
    out = _Out(request_id, send)
    if hasattr(type(pieces), "__anext__"):
        import asyncio

        asyncio.run(_send_async(pieces, out))
    else:
        for piece in pieces:
            out.take(piece)
    out.write(b"", BYTES)


async def _send_async(pieces, out):
    async for piece in pieces:
        out.take(piece)


class _Out:
    """The way to the daemon. The first frame says what the response is."""

    def __init__(self, request_id, send):
        self.header = {"id": request_id}
        self.send = send
        self.process = os.getpid()

    def take(self, piece):
        """Send a piece; a child that the handler forked and let run on has nothing to send."""
        if os.getpid() != self.process:
            os._exit(0)
        if self.header is not None and isinstance(piece, dict):
            self.write(json.dumps(piece).encode() + bytes(8), HTTP)
        else:
            self.write(as_bytes(piece), BYTES)

    def write(self, data, kind):
        """Send bytes; the first time also if there are none."""
        at = 0
        while at < len(data) or self.header is not None:
            header, self.header = self.header, None
            if header is not None:
                header["type"] = kind
            self.send(CHUNK, header, data[at : at + PIECE_BYTES_MAX])
            at += PIECE_BYTES_MAX


def as_bytes(piece):
    """A piece as it is sent."""
    if isinstance(piece, str):
        return piece.encode("utf-8", "replace")
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return bytes(piece)
    raise Fault(
        "Runtime.MarshalError",
        "Unable to marshal response: a piece of a streamed response is str or bytes, not %s"
        % type(piece).__name__,
    )
