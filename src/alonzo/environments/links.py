"""How the daemon talks to a runtime process, whichever way the process talks back.

A link reports three things to its listener: the runtime waits for an event, it has answered, or its
init has failed. An answer over the limit is reported as such and never held. Everything else (time
limits, exits, answers to other requests) is the listener's to judge.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

import orjson

from alonzo.environments.intake import Gathered, Intake
from alonzo.environments.values import Invocation, Reply
from alonzo.runtimes.framing import Decoder, Frame, FrameError, Kind, encode, encode_head

#: A longer body is written apart from its header: the copy would cost more than the call.
_JOIN_BYTES_MAX = 1 << 16

#: Pieces of a response taken in one turn of the loop: they may be as small as the runtime likes.
_CHUNKS_PER_TURN = 64

#: Longer error documents are not searched for their type.
_ERROR_DOCUMENT_BYTES_MAX = 1 << 18


class LinkListener(Protocol):
    """What a link reports, on the event loop."""

    def runtime_ready(self) -> None:
        """The runtime waits for an event. The first time, that ends init."""
        ...

    def runtime_answered(self, request_id: str, reply: Reply) -> None:
        """The runtime answered that request."""
        ...

    def runtime_init_failed(self, reply: Reply) -> None:
        """The runtime could not initialise the function; it is about to exit."""
        ...

    def runtime_broke_protocol(self, detail: str) -> None:
        """The runtime said what no runtime may say."""
        ...


class Link(Protocol):
    """One way of talking to a runtime process."""

    def configure(self, variables: Mapping[str, str]) -> None:
        """Tell a runtime that waits, parked or to be restored, these variables."""
        ...

    def send(self, invocation: Invocation, deadline_ms: int) -> None:
        """Hand an event to a runtime that is ready."""
        ...

    def close(self) -> None:
        """Stop listening. Safe to call twice."""
        ...


#: What a runtime may send: while it is parked, at first, while it waits for an event, and while it
#: has one. It may fail between its init and its first event: then, too, it says INIT_ERROR, its
#: last word.
_PARKED = frozenset[Kind]()
_STARTING = frozenset({Kind.READY, Kind.INIT_ERROR})
_WAITING = frozenset({Kind.INIT_ERROR})
_RUNNING = frozenset({Kind.RESPONSE, Kind.ERROR, Kind.INIT_ERROR, Kind.CHUNK})
#: It has begun to stream its answer.
_STREAMING = frozenset({Kind.CHUNK, Kind.RESPONSE, Kind.ERROR})
_ENDING = frozenset[Kind]()


class FramedLink(asyncio.Protocol):
    """Frames over one end of a socket pair; the other end is the runtime's descriptor 3.

    A frame out of turn breaks the protocol: a flood of them must not keep the loop busy.
    """

    def __init__(self, listener: LinkListener, *, body_bytes_max: int, parked: bool) -> None:
        self._listener = listener
        self._decoder = Decoder(body_bytes_max=body_bytes_max)
        self._transport: asyncio.Transport | None = None
        self._allowed = _PARKED if parked else _STARTING
        self._request_id = ""
        self._closed = False
        # What takes an answer that comes in pieces; whether it is over its limit.
        self._intake: Intake | None = None
        self._too_large = False
        # Frames that wait for a later turn, or until the intake has room.
        self._later: Iterator[Frame] | None = None
        self._held = False
        self._chunks_in_turn = 0
        self._stops = False
        #: The answer to the event that was sent last is here, and was one frame, read alone: the
        #: loop looked no earlier than it was begun.
        self.came_at_once = False

    @classmethod
    async def open(
        cls, listener: LinkListener, *, body_bytes_max: int, parked: bool = False
    ) -> tuple[FramedLink, socket.socket]:
        """A link, and the runtime's end of it, which the caller closes once it is passed on.

        ``body_bytes_max``: the longest result or error document that is still taken.
        ``parked``: nothing may come before ``configure()``.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        loop = asyncio.get_running_loop()

        def link() -> FramedLink:
            return cls(listener, body_bytes_max=body_bytes_max, parked=parked)

        try:
            _, protocol = await loop.create_unix_connection(link, sock=ours)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        return protocol, theirs

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is up."""
        self._transport = cast("asyncio.Transport", transport)

    def configure(self, variables: Mapping[str, str]) -> None:
        """Tell a runtime that waits, parked or to be restored, these variables."""
        self._allowed = _STARTING
        if (transport := self._open_transport()) is not None:
            transport.write(encode(Kind.CONFIG, {}, orjson.dumps(variables)))

    def _open_transport(self) -> asyncio.Transport | None:
        """None: that the channel is closed has been reported, or is about to be."""
        transport = self._transport
        return None if transport is None or transport.is_closing() else transport

    def send(self, invocation: Invocation, deadline_ms: int) -> None:
        """Hand an event to a runtime that is ready."""
        header: dict[str, str | int] = {
            "id": invocation.request_id,
            "deadline_ms": deadline_ms,
            "arn": invocation.invoked_arn,
            "trace": invocation.trace_header,
        }
        if invocation.client_context is not None:
            header["client_context"] = invocation.client_context
        if invocation.tenant_id is not None:
            header["tenant"] = invocation.tenant_id
        self._request_id = invocation.request_id
        self._intake = invocation.intake
        self._allowed = _RUNNING
        self.came_at_once = False
        payload = invocation.payload
        head = encode_head(Kind.INVOKE, header, len(payload))
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if len(payload) > _JOIN_BYTES_MAX:
            transport.writelines((head, payload))
        else:
            transport.write(head + payload)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come."""
        try:
            # Mostly it is one small frame, whole and alone.
            frame = self._decoder.try_whole(data)
            self.came_at_once = frame is not None
            if frame is not None and not self._closed:
                self._take(frame)
        except FrameError as err:
            self._break(str(err))
        else:
            if frame is None:
                self._take_all(self._decoder.feed(data))

    def _take_all(self, frames: Iterator[Frame]) -> None:
        try:
            for frame in frames:
                if self._closed:
                    return
                self._take(frame)
                if self._stops:
                    self._put_off(frames)
                    return
        except FrameError as err:
            self._break(str(err))

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the runtime has closed its end, or we have closed ours."""
        self._break("the runtime closed its channel")

    def _break(self, detail: str) -> None:
        if not self._closed:
            self.close()
            self._listener.runtime_broke_protocol(detail)

    def _take(self, frame: Frame) -> None:
        kind = frame.kind
        if kind not in self._allowed:
            raise FrameError(f"a frame {kind.name} out of turn")
        if kind is Kind.RESPONSE or kind is Kind.ERROR:
            self._take_answer(frame)
        elif kind is Kind.CHUNK:
            self._take_chunk(frame)
        elif kind is Kind.READY:
            self._allowed = _WAITING
            self._listener.runtime_ready()
        else:
            self._allowed = _ENDING
            self._listener.runtime_init_failed(_reply(frame, _text(frame, "type")))

    def _take_answer(self, frame: Frame) -> None:
        request_id = self._request_id
        if frame.header.get("id") != request_id:
            _text(frame, "id")
            raise FrameError("an answer to another request")
        error_type = _text(frame, "type") if frame.kind is Kind.ERROR else None
        streamed = self._allowed is _STREAMING
        self._allowed = _WAITING
        if streamed:
            self._end_stream(frame, error_type)
        else:
            self._listener.runtime_answered(
                request_id, Reply(frame.body, error_type, frame.too_large)
            )
        # A framed runtime that has answered waits for the next event without saying so, unless it
        # says that it ends.
        if not self._closed and frame.header.get("last") is not True:
            self._listener.runtime_ready()

    # An answer that comes in pieces

    def _take_chunk(self, frame: Frame) -> None:
        if self._allowed is not _STREAMING:
            if _text(frame, "id") != self._request_id:
                raise FrameError("an answer to another request")
            self._allowed = _STREAMING
            self._too_large = False
            self._intake = self._intake or Gathered(self._decoder.body_bytes_max)
            content_type = frame.header.get("type")
            self._intake.begin(content_type if isinstance(content_type, str) else None, self)
        self._take_piece(frame.body)
        self._chunks_in_turn += 1
        self._stops = self._held or self._chunks_in_turn >= _CHUNKS_PER_TURN

    def _take_piece(self, data: bytes) -> None:
        assert self._intake is not None, "nothing has begun"
        if not self._too_large and not self._intake.take(data):
            # Its caller hears of it now; the runtime may say what it likes until it is done.
            self._too_large = True
            self._listener.runtime_answered(self._request_id, Reply(b"", too_large=True))

    def _end_stream(self, frame: Frame, error_type: str | None) -> None:
        assert self._intake is not None, "nothing has begun"
        if error_type is None:
            self._take_piece(frame.body)
        whole = self._intake.release()
        self._intake = None
        if not self._too_large:
            reply = Reply(whole) if error_type is None else _reply(frame, error_type)
            self._listener.runtime_answered(self._request_id, reply)

    def hold(self) -> None:
        """Intake: it has no room."""
        self._held = True

    def resume(self) -> None:
        """Intake: it has room again."""
        self._held = False
        if self._later is not None:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _put_off(self, frames: Iterator[Frame]) -> None:
        self._later = frames
        transport = self._open_transport()
        if transport is not None:
            transport.pause_reading()
        if not self._held:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        frames = self._later
        if frames is None or self._held:
            return
        self._later = None
        self._chunks_in_turn = 0
        self._stops = False
        self._take_all(frames)
        if self._later is None and (transport := self._open_transport()) is not None:
            transport.resume_reading()

    def close(self) -> None:
        """Stop listening; nothing is reported any more. Safe to call twice."""
        self._closed = True
        self._later = self._intake = None
        if self._transport is not None:
            self._transport.abort()


def _reply(frame: Frame, error_type: str | None) -> Reply:
    return Reply(frame.body, error_type, frame.too_large)


def _text(frame: Frame, name: str) -> str:
    value = frame.header.get(name)
    if not isinstance(value, str):
        raise FrameError(f"a {frame.kind.name} frame without {name}")
    return value


def error_type_of(document: bytes) -> str | None:
    """The ``errorType`` of an error document, if it is one and of reasonable size."""
    if len(document) > _ERROR_DOCUMENT_BYTES_MAX:
        return None
    try:
        value: Any = orjson.loads(document)
        kind: Any = value["errorType"]
    except (ValueError, TypeError, KeyError):
        return None
    return kind if isinstance(kind, str) else None
