"""One HTTP/1.1 connection: one request is answered at a time, in order.

* A request head has a time limit; a body must keep moving and has a time limit too, or, if it is
  read piece by piece, a least speed.
* Requests sent ahead of their predecessors' answers wait in a queue that has an end.
* Bytes that are no HTTP get a 400, but never in place of an answer that is still to come.
* A connection closes when its last answer is out and the rest of that request is in: a reset for
  unread bytes could eat the answer.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from typing import cast

from alonzo.edge.http1.alarm import Alarm
from alonzo.edge.http1.connections import Hall
from alonzo.edge.http1.incoming import Incoming, Outlet
from alonzo.edge.http1.outlet import SentInPieces
from alonzo.edge.http1.receiver import Receiver, RefusedError
from alonzo.edge.http1.response import REFUSALS, Response
from alonzo.edge.http1.sender import Sender
from alonzo.edge.listener import Listener
from alonzo.lib.tasks import Turn

log = logging.getLogger("alonzo.edge")

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection, between its transport and the handler of requests."""

    def __init__(self, hall: Hall, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        self._hall = hall
        self._limits = hall.limits
        self._listener = listener
        self._loop = loop
        self._turn = Turn.of_loop()
        self._transport: asyncio.Transport
        self._sender: Sender
        self._receiver = Receiver(self, hall.limits)
        self._alarm = Alarm(loop, self._check_progress)
        # The request that is being received: when it began and last moved.
        self._began_at_s = 0.0
        self._moved_at_s = 0.0
        # Of a body that is read piece by piece: how much was here when its last while began.
        self._began_bytes = 0
        # The request that is being answered, and those behind it.
        self._answering: Incoming | None = None
        self._waiting: deque[Incoming] = deque()
        self._idle_until_s = 0.0
        self._reading = True
        self._held_at_s = 0.0
        # Set when the next answer is the last one.
        self._ending = False

    # --- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless the server or the listener is full or about to end."""
        hall, limits = self._hall, self._limits
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._sender = Sender(self._transport, self._loop, limits.write_idle_s)
        # A Unix socket's is a text, and empty.
        peer: tuple[str, int] | str | None = transport.get_extra_info("peername")
        self._receiver.source_ip = peer[0] if isinstance(peer, tuple) else ""
        self._receiver.place = self._listener.place
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._receiver.scheme = "https"
            cipher = tls.cipher()
            self._receiver.tls = (tls.version() or "", "" if cipher is None else cipher[0])
        full = len(hall.connections) >= limits.connections_max
        hall.connections.add(self)
        if hall.stopping or full or not self._listener.try_admit(self):
            self._refuse(503)
            return
        self._idle_until_s = self._loop.time() + limits.head_timeout_s
        self._alarm.by(self._idle_until_s)
        if self._listener.draining:
            self.drain()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever still answers that nobody listens."""
        self._alarm.cancel()
        self._sender.resume()
        self._waiting.clear()
        if self._answering is not None:
            self._answering.drop()
        self._receiver.close()
        self._listener.forget(self)
        self._hall.connections.discard(self)

    def pause_writing(self) -> None:
        """The client is slower than the answer."""
        self._sender.pause()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._sender.resume()

    def drain(self) -> None:
        """Close after the answer that is waited for; if there is none, linger a little.

        A client of an idle connection may be sending at this very moment, and would have to guess
        whether its request was served. So what still comes is answered, as the last one.
        """
        self._ending = True
        if self._answering is None:
            now_s = self._loop.time()
            self._idle_until_s = min(self._idle_until_s, now_s + self._limits.linger_s)
            self._alarm.by(self._idle_until_s)

    def shutdown(self) -> None:
        """Close, at once or after the answer that is waited for."""
        self._ending = True
        if self._answering is None:
            self._transport.close()

    def abort(self) -> None:
        """Close without waiting for what is still to be written."""
        self._transport.abort()

    # --- bytes in

    def data_received(self, data: bytes) -> None:
        """Feed the receiver, and keep the alarm set while a request is incomplete."""
        try:
            self._receiver.feed(data)
        except RefusedError as error:
            self._refuse(error.status)
            return
        if self._receiver.in_message:
            self._watch()

    def _watch(self) -> None:
        """Some of a request is here, and its rest must follow."""
        self._moved_at_s = self._loop.time()
        if self._receiver.is_new:
            self._began_at_s, self._began_bytes = self._moved_at_s, 0
        self._alarm.by(self._deadline_s())

    def begin(self, incoming: Incoming) -> bool:
        """The head of a request is here: start on it, or have it wait if there is room."""
        if self._answering is None:
            self._start(incoming)
            return True
        self.hold()
        self._waiting.append(incoming)
        return len(self._waiting) <= self._limits.pipelined_max

    def wants_body(self, incoming: Incoming) -> None:
        """Have the client go on with the body of the request that is being answered."""
        if incoming.expects_continue and not self._transport.is_closing():
            incoming.expects_continue = False
            self._transport.write(_CONTINUE)
        self._resume_reading()

    def begin_answer(self, incoming: Incoming, response: Response) -> Outlet:
        """Send the head of the answer to the request that is being answered."""
        closes = self._ending or response.closes or not incoming.keep_alive
        chunked = self._sender.begin(incoming, response, closes=closes)
        return SentInPieces(self._sender, self._transport, incoming, chunked=chunked, closes=closes)

    def hold(self) -> None:
        """Have the client wait."""
        if self._reading:
            self._reading = False
            self._held_at_s = self._loop.time()
            self._transport.pause_reading()

    def cut(self) -> None:
        """Close, once what was written is out."""
        self._transport.close()

    def _resume_reading(self) -> None:
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()
            # We were the ones who did not read.
            held_s = self._loop.time() - self._held_at_s
            self._began_at_s += held_s
            self._moved_at_s += held_s

    # --- answers

    def _start(self, incoming: Incoming) -> None:
        self._answering = incoming
        # Light: it begins once all that has come is read, which mostly is the whole request.
        self._listener.requests.run(self._answer(incoming), name="edge.request", turn=self._turn)

    async def _answer(self, incoming: Incoming) -> None:
        try:
            response = await self._hall.handler(incoming)
            outlet = incoming.outlet
            if outlet is not None:
                if outlet.ended:
                    self._answered(incoming, closes=outlet.closes)
                return
            if response is None:
                return
            closes = self._ending or response.closes or not incoming.keep_alive
            if self._sender.try_send(incoming, response, closes=closes) or await self._sender.send(
                incoming, response, closes=closes
            ):
                self._answered(incoming, closes=closes)
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        except Exception:
            log.exception("edge.answer_failed")
        finally:
            if incoming.streamed:
                incoming.let_go()
            if not incoming.answered:
                # Half an answer must not look like a whole one.
                self._transport.abort()

    def _answered(self, incoming: Incoming, *, closes: bool) -> None:
        incoming.answered = True
        self._answering = None
        if self._transport.is_closing():
            return
        # It may have become the last one while its answer was sent.
        if closes or not incoming.keep_alive or self._hall.stopping:
            self._waiting.clear()
            self._close_when_whole(incoming)
            return
        if not self._reading:
            self._resume_reading()
        if self._waiting:
            self._start(self._waiting.popleft())
            return
        wait_s = self._limits.linger_s if self._ending else self._limits.keep_alive_s
        self._idle_until_s = self._loop.time() + wait_s
        self._alarm.by(self._idle_until_s)

    def _close_when_whole(self, incoming: Incoming) -> None:
        """Close, but not before a body that is under way is here."""
        receiver = self._receiver
        is_over = incoming.whole or incoming.late or incoming.expects_continue
        if is_over or incoming is not receiver.incoming:
            self._transport.close()
            return
        receiver.ending = True
        self._resume_reading()
        self._watch()

    def _refuse(self, status: int) -> None:
        """Hear no more on this connection, and say why unless an answer is under way."""
        receiver, running = self._receiver, self._answering
        receiver.deaf = True
        self._alarm.cancel()
        if running is None:
            if not receiver.owes_rest:
                self._transport.write(REFUSALS[status])
        elif running is not receiver.incoming or running.whole:
            # That request was whole: it gets its answer, and then the connection closes.
            running.keep_alive = False
            self._waiting.clear()
            self.hold()
            return
        elif not running.started:
            self._transport.write(REFUSALS[status])
        self._transport.close()

    # --- deadlines

    def _deadline_s(self) -> float:
        """When the client must have moved on; infinity while it is for us to do so."""
        limits = self._limits
        if self._receiver.in_head:
            return self._began_at_s + limits.head_timeout_s
        if self._receiver.in_message:
            if self._upload() is not None:
                return min(
                    self._moved_at_s + limits.upload_idle_s,
                    self._began_at_s + limits.upload_while_s,
                )
            return min(
                self._moved_at_s + limits.body_idle_s, self._began_at_s + limits.body_timeout_s
            )
        return self._idle_until_s if self._answering is None else float("inf")

    def _upload(self) -> Incoming | None:
        """The request that comes in, if it is one whose body is read piece by piece."""
        incoming = self._receiver.incoming
        is_one = incoming is not None and incoming.streamed and not incoming.answered
        return incoming if is_one else None

    def _is_slow(self, upload: Incoming, now_s: float) -> bool:
        """Whether a body has missed its deadline; else it has only begun another while."""
        limits = self._limits
        if now_s >= self._moved_at_s + limits.upload_idle_s:
            return True
        if upload.n_bytes - self._began_bytes < limits.upload_while_bytes_min:
            return True
        self._began_at_s, self._began_bytes = now_s, upload.n_bytes
        self._alarm.by(self._deadline_s())
        return False

    def _check_progress(self) -> None:
        """Set the alarm for the next deadline, or end a request that missed one."""
        if self._transport.is_closing():
            return
        now_s = self._loop.time()
        if not self._reading:
            # We are the ones who do not read.
            self._began_at_s = self._moved_at_s = self._held_at_s = now_s
        deadline_s = self._deadline_s()
        if now_s < deadline_s:
            if deadline_s < float("inf"):
                self._alarm.by(deadline_s)
        elif self._receiver.in_message:
            upload = self._upload()
            if upload is None:
                self._refuse(408)
            elif self._is_slow(upload, now_s):
                upload.be_late()
        else:
            self._transport.close()
