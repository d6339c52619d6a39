"""One request as it comes off the wire: its head, and its body as far as it is here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from alonzo.edge.http1.head import Head
from alonzo.model.ports.invoking import ClientGoneError

if TYPE_CHECKING:
    from alonzo.edge.http1.response import Response
    from alonzo.edge.http1.room import Room

#: A body that is read piece by piece: how much is handed out together, and how much waits at most
#: before its client has to.
_PIECE_BYTES = 256 * 1024
_WAITING_BYTES_MAX = 1024 * 1024

#: Pieces of a body that are shorter are gathered.
_SMALL_BYTES = 4096


class BodyTooLargeError(Exception):
    """The body is over the limit. ``n_bytes`` is its announced length, or what came so far."""

    def __init__(self, n_bytes: int, bytes_max: int) -> None:
        super().__init__(n_bytes)
        self.n_bytes = n_bytes
        self.bytes_max = bytes_max


class ClientTooSlowError(Exception):
    """A body that is read piece by piece does not come fast enough."""


class Outlet(Protocol):
    """The way out for the body of one response. Its head is on its way already.

    ``ended``: all of it is. ``closes``: its end is that of the connection.
    """

    ended: bool
    closes: bool

    async def write(self, data: bytes) -> None:
        """Send a piece, which is not empty; wait while the client has not taken what came before.

        Raises:
            ClientGoneError: there is nobody to send to.
        """
        ...

    def end(self) -> None:
        """That was all. To be called once; a response that is not ended is seen to be cut."""
        ...


class Source(Protocol):
    """Where the rest of a body comes from, and the answer goes."""

    def wants_body(self, incoming: Incoming) -> None:
        """Have the client go on with the body."""
        ...

    def hold(self) -> None:
        """Have the client wait."""
        ...

    def begin_answer(self, incoming: Incoming, response: Response) -> Outlet:
        """Send the head of an answer whose body is to follow."""
        ...


class Incoming:
    """One request. Its connection feeds it, one handler reads it, and both end it once.

    ``keep_alive`` is whether the connection may serve another request after this one.
    """

    __slots__ = (
        "_asked_bytes_max",
        "_handed_bytes",
        "_look",
        "_n_bytes",
        "_pieces",
        "_room",
        "_source",
        "_waiting_bytes",
        "_wake",
        "answered",
        "expects_continue",
        "gone",
        "head",
        "http_1_0",
        "keep_alive",
        "late",
        "outlet",
        "place",
        "scheme",
        "source_ip",
        "started",
        "streamed",
        "tls",
        "whole",
    )

    def __init__(
        self,
        source: Source,
        head: Head,
        source_ip: str,
        http_1_0: bool,
        keep_alive: bool,
        expects_continue: bool,
        scheme: str = "http",
        place: str = "",
        tls: tuple[str, str] | None = None,
    ) -> None:
        self.head = head
        self.source_ip = source_ip
        #: ``https`` under TLS.
        self.scheme = scheme
        #: The sandbox that it comes from; empty: it comes from outside.
        self.place = place
        #: Version and cipher suite under TLS.
        self.tls = tls
        self.http_1_0 = http_1_0
        self.keep_alive = keep_alive
        #: The client waits for ``100 Continue`` before it sends the body.
        self.expects_continue = expects_continue
        #: All of the body is here.
        self.whole = False
        #: The client is not there any more.
        self.gone = False
        #: Bytes of the answer are on their way; all of them.
        self.started = self.answered = False
        #: The body of an answer that follows its head piece by piece.
        self.outlet: Outlet | None = None
        self._source = source
        # The first one is never a bytearray.
        self._pieces: list[bytes | bytearray] = []
        self._n_bytes = 0
        self._asked_bytes_max: int | None = None
        self._look: Callable[[bytes], None] | None = None
        self._wake: asyncio.Future[None] | None = None
        #: The body is read piece by piece; so much of it waits, and so much is being worked on.
        self.streamed = False
        self._waiting_bytes = self._handed_bytes = 0
        self._room: Room | None = None
        #: It comes too slowly, and nobody waits for it any longer.
        self.late = False

    # --- for the handler

    def try_body(self, bytes_max: int) -> bytes | None:
        """All of the body, if it is here; else ``read_body`` may follow.

        Raises:
            BodyTooLargeError: it is longer than that; what is left of it will be thrown away.
        """
        if self.whole and self._n_bytes <= bytes_max:
            self._asked_bytes_max = bytes_max
            pieces, self._pieces = self._pieces, []
            return bytes(pieces[0]) if len(pieces) == 1 else b"".join(pieces)
        self._ask(bytes_max)
        return None

    async def read_body(self, bytes_max: int, look: Callable[[bytes], None] | None = None) -> bytes:
        """All of the body. To be called once. ``look`` is shown each piece as soon as it is here.

        Raises:
            BodyTooLargeError: it is longer than that; what is left of it will be thrown away.
            ClientGoneError: it will never be whole.
        """
        self._ask(bytes_max)
        if look is not None:
            self._look = look
            for piece in self._pieces:
                look(bytes(piece))
        if not self.whole:
            self._source.wants_body(self)
            await self._wait_whole(bytes_max)
        if self._n_bytes > bytes_max:
            raise BodyTooLargeError(self._n_bytes, bytes_max)
        pieces, self._pieces = self._pieces, []
        return bytes(pieces[0]) if len(pieces) == 1 else b"".join(pieces)

    async def next_piece(self, bytes_max: int, room: Room) -> bytes:
        """What came of the body since the last call; empty once it is over. Instead of the others.

        The client is kept waiting while nobody calls, and while ``room`` is full.

        Raises:
            BodyTooLargeError: it is longer than that; what is left of it will be thrown away.
            ClientGoneError: it will never be whole.
            ClientTooSlowError: likewise.
        """
        if not self.asked:
            self._ask(bytes_max)
            self.streamed, self._room = True, room
            self._waiting_bytes = self._n_bytes
            room.enter(self)
            room.add(self._n_bytes)
        room.give_back(self._handed_bytes)
        self._handed_bytes = 0
        if not room.is_full:
            self._source.wants_body(self)
        while not self.whole and self._waiting_bytes < _PIECE_BYTES:
            if self.gone:
                raise ClientGoneError
            if self.late:
                raise ClientTooSlowError
            if room.is_full and self._waiting_bytes:
                break
            await self._wait()
        if self._n_bytes > bytes_max:
            raise BodyTooLargeError(self._n_bytes, bytes_max)
        pieces, self._pieces = self._pieces, []
        self._handed_bytes, self._waiting_bytes = self._waiting_bytes, 0
        return b"".join(pieces)

    def let_go(self) -> None:
        """Nobody wants the body any more: forget what is here of it. Safe to call twice."""
        room, self._room = self._room, None
        if room is None:
            return
        self._pieces.clear()
        self._asked_bytes_max = 0
        room.leave(self)
        room.give_back(self._waiting_bytes + self._handed_bytes)
        self._waiting_bytes = self._handed_bytes = 0
        if not (self.whole or self.answered):
            self._source.hold()

    def _ask(self, bytes_max: int) -> None:
        announced = self.head.fields.get(b"content-length")
        if announced is not None and (length := int(announced)) > bytes_max:
            raise BodyTooLargeError(length, bytes_max)
        self._asked_bytes_max = bytes_max

    def begin_answer(self, response: Response) -> Outlet:
        """Answer with the head of ``response``, and with a body that follows piece by piece.

        To be called once, by a handler that then returns None.
        """
        self.outlet = self._source.begin_answer(self, response)
        return self.outlet

    async def _wait_whole(self, bytes_max: int) -> None:
        while not self.whole and self._n_bytes <= bytes_max:
            if self.gone:
                raise ClientGoneError
            await self._wait()

    async def _wait(self) -> None:
        self._wake = asyncio.get_running_loop().create_future()
        try:
            await self._wake
        finally:
            self._wake = None

    # --- for the connection

    @property
    def asked(self) -> bool:
        """Whether the handler wants the body."""
        return self._asked_bytes_max is not None

    def is_enough(self, unasked_bytes_max: int) -> bool:
        """Whether more of the body is here than is good.

        It waits to be read piece by piece, or is longer than that and nobody has asked for it.
        """
        if self._asked_bytes_max is None:
            return self._n_bytes > unasked_bytes_max
        return self._waiting_bytes >= _WAITING_BYTES_MAX

    @property
    def n_bytes(self) -> int:
        """How much of the body came."""
        return self._n_bytes

    def feed(self, piece: bytes) -> None:
        """Take some of the body; what is over the asked limit is only counted."""
        self._n_bytes += len(piece)
        asked_bytes_max = self._asked_bytes_max
        if asked_bytes_max is None or self._n_bytes <= asked_bytes_max:
            if self._pieces:
                self._keep(piece)
            else:
                self._pieces.append(piece)
            if self._look is not None:
                self._look(piece)
            if self._room is not None:
                self._waiting_bytes += len(piece)
                self._room.add(len(piece))
                if self._room.is_full or self._waiting_bytes >= _PIECE_BYTES:
                    self.wake()
        else:
            self._pieces.clear()
            self.wake()

    def _keep(self, piece: bytes) -> None:
        pieces = self._pieces
        if len(piece) >= _SMALL_BYTES:
            pieces.append(piece)
        elif isinstance(tail := pieces[-1], bytearray):
            # An object for each of millions of tiny chunks would be many times the body.
            tail += piece
        else:
            pieces.append(bytearray(piece))

    def finish(self) -> None:
        """The body is whole."""
        self.whole = True
        if self._wake is not None:
            self.wake()

    def drop(self) -> None:
        """The client is gone, or wants no more."""
        self.gone = True
        self.wake()

    def be_late(self) -> None:
        """The client is too slow: whoever waits for the body hears of it."""
        self.late, self.keep_alive = True, False
        self.wake()

    def press(self) -> None:
        """See ``Guest``."""
        if not self.whole:
            self._source.hold()
            self.wake()

    def relieve(self) -> None:
        """See ``Guest``."""
        if self._wake is not None:
            self._source.wants_body(self)

    def wake(self) -> None:
        """Have the handler look again."""
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
