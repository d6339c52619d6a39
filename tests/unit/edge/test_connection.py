"""A connection without a socket: the same bytes mean the same in whatever pieces they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from alonzo.edge.http1.connection import Connection
from alonzo.edge.http1.connections import Hall
from alonzo.edge.http1.incoming import Incoming
from alonzo.edge.http1.limits import ServerLimits
from alonzo.edge.http1.response import Response
from alonzo.edge.listener import Listener
from alonzo.lib.tasks import TaskScope


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.out = b""
        self.closing = False

    def write(self, data: bytes) -> None:
        self.out += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def describe(incoming: Incoming) -> Response:
    """Answers what it was asked."""
    head = incoming.head
    body = await incoming.read_body(1 << 20)
    fields = b";".join(name + b"=" + value for name, value in head.headers)
    text = b" ".join((head.method.encode(), head.raw_path, head.query, fields, body))
    return Response(200, b"x-request: 1\r\n", text)


async def talk(pieces: Sequence[bytes]) -> tuple[bytes, bool]:
    """What the connection writes, and whether it closes."""
    wire, scope = Wire(), TaskScope()
    hall = Hall(describe, ServerLimits())
    connection = Connection(hall, Listener(set(), scope, 10), asyncio.get_running_loop())
    connection.connection_made(wire)
    for piece in pieces:
        if wire.closing:
            break
        connection.data_received(piece)
        await scope_idle(scope)
    await scope_idle(scope)
    closing = wire.closing
    connection.connection_lost(None)
    await scope.drain()
    return wire.out, closing


async def scope_idle(scope: TaskScope) -> None:
    """Let handlers run until they are done or wait for more of a body."""
    for _ in range(4):
        await asyncio.sleep(0)


def length(body: bytes) -> bytes:
    return b"content-length: %d\r\n\r\n%b" % (len(body), body)


def chunked(body: bytes) -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (1, body[at : at + 1]) for at in range(len(body)))
    return b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\nx-trailer: 1\r\n\r\n"


REQUESTS = st.builds(
    lambda method, target, headers, frame, body: (
        b"%b %b HTTP/1.1\r\nHost: a\r\n" % (method, target) + headers + frame(body)
    ),
    st.sampled_from([b"POST", b"PUT", b"DELETE"]),
    st.sampled_from([b"/", b"/a/b?c=d", b"/%41?x", b"http://h/p?q"]),
    st.sampled_from(
        [
            b"",
            b"X-Some: thing\r\n",
            b"Upgrade: h2c\r\nConnection: upgrade\r\n",
            b"Expect: 100-continue\r\n",
        ]
    ),
    st.sampled_from([length, chunked]),
    st.binary(max_size=12),
)
ENDS = st.sampled_from([b"", b"\x00nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"])


@given(
    requests=st.lists(REQUESTS, min_size=1, max_size=4),
    end=ENDS,
    cuts=st.lists(st.integers(0, 2000), max_size=30),
)
def test_requests_mean_the_same_in_whatever_pieces_they_come(
    requests: list[bytes], end: bytes, cuts: list[int]
) -> None:
    data = b"".join(requests) + end
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    pieces = [data[a:b] for a, b in pairwise(places)]

    async def main() -> None:
        # Each request by itself first, so that none waits for another.
        whole, whole_closes = await talk([*requests, end] if end else requests)
        cut, cut_closes = await talk(pieces)
        answers = [text.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"") for text in (whole, cut)]
        assert answers[0].count(b"HTTP/1.1 200 OK\r\n") == len(requests)
        assert answers[1].startswith(answers[0][: answers[1].rfind(b"HTTP/1.1")])
        assert whole_closes == cut_closes == bool(end)
        if not end:
            assert answers[0] == answers[1]

    asyncio.run(main())
