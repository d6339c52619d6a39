"""Answers questions for names inside sandboxes, by asking the servers that the host asks.

Needed where a sandbox cannot ask them itself, as on a host whose server listens on its loopback.
A question is passed on and its answer back, both unread but for their first two bytes. How many
are on their way at a time is limited for each sandbox and in all; what is beyond goes unanswered,
as a question may at any time, and is asked again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence

from alonzo.lib.tasks import TaskScope

_PORT = 53

#: Questions on their way at a time: of one sandbox, and of all.
_FLIGHTS_MAX = 64
_ALL_FLIGHTS_MAX = 1024

#: Longest wait for an answer. A resolver asks again after five seconds by itself.
_DATAGRAM_S_MAX = 5.0
_STREAM_S_MAX = 10.0

#: No question is longer: a name of 255 bytes and options. Answers may fill a message.
_QUESTION_BYTES_MAX = 4096
_MESSAGE_BYTES_MAX = 65535
_HEADER_BYTES = 12

#: Datagrams read at one wake-up before other work gets its turn.
_AT_ONCE = 16


class Relay:
    """The relay of all sandboxes. ``servers`` says whom to ask, best first, at every question."""

    def __init__(self, servers: Callable[[], Sequence[str]]) -> None:
        self.servers = servers
        self.tasks = TaskScope()

    def serve(self, datagrams: socket.socket, listener: socket.socket) -> Served:
        """Answer what comes to these sockets, which are ours from now on, until it is closed."""
        return Served(self, datagrams, listener)

    @property
    def busy(self) -> bool:
        """Whether no more questions are passed on for now."""
        return len(self.tasks) >= _ALL_FLIGHTS_MAX

    async def close(self) -> None:
        """Give up what is on its way. Safe to call twice."""
        await self.tasks.close()


class Served:
    """The relay of one sandbox."""

    def __init__(self, relay: Relay, datagrams: socket.socket, listener: socket.socket) -> None:
        self._relay = relay
        self._datagrams = datagrams
        self._listener = listener
        self._flights: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        for each in (datagrams, listener):
            each.setblocking(False)
        self._loop.add_reader(datagrams.fileno(), self._questions)
        self._loop.add_reader(listener.fileno(), self._connections)

    def close(self) -> None:
        """Answer no more. Safe to call twice."""
        for each in (self._datagrams, self._listener):
            if each.fileno() >= 0:
                self._loop.remove_reader(each.fileno())
                each.close()
        for flight in list(self._flights):
            flight.cancel()

    def _full(self) -> bool:
        return len(self._flights) >= _FLIGHTS_MAX or self._relay.busy

    def _questions(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                question, sender = self._datagrams.recvfrom(_QUESTION_BYTES_MAX)
            except OSError:
                return
            if len(question) >= _HEADER_BYTES and not self._full():
                self._fly(self._answer_datagram(question, sender))

    def _connections(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            peer.setblocking(False)
            if self._full():
                peer.close()
            else:
                self._fly(self._answer_stream(peer))

    def _fly(self, work: object) -> None:
        assert asyncio.iscoroutine(work)
        flight = self._relay.tasks.spawn(work, name="network.name")
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)

    async def _answer_datagram(self, question: bytes, sender: object) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_DATAGRAM_S_MAX):
                answer = await self._ask(question)
            if self._datagrams.fileno() >= 0:
                self._datagrams.sendto(answer, sender)  # pyright: ignore[reportArgumentType] - as recvfrom gave it

    async def _ask(self, question: bytes) -> bytes:
        """Ask each server in turn; the next when one says at once that it does not listen."""
        refused: OSError = OSError("no server")
        for server in self._relay.servers():
            try:
                with _socket_to(server, socket.SOCK_DGRAM) as asked:
                    await self._loop.sock_sendall(asked, question)
                    while True:
                        answer = await self._loop.sock_recv(asked, _MESSAGE_BYTES_MAX)
                        if answer[:2] == question[:2]:
                            return answer
            except OSError as err:
                refused = err
        raise refused

    async def _answer_stream(self, peer: socket.socket) -> None:
        """One question and its answer on a connection."""
        with peer, contextlib.suppress(OSError, TimeoutError, EOFError):
            async with asyncio.timeout(_STREAM_S_MAX):
                question = await self._read_message(peer, _QUESTION_BYTES_MAX)
                for server in self._relay.servers():
                    with (
                        contextlib.suppress(OSError),
                        _socket_to(server, socket.SOCK_STREAM) as asked,
                    ):
                        await self._loop.sock_connect(asked, (server, _PORT))
                        await self._loop.sock_sendall(asked, question)
                        answer = await self._read_message(asked, _MESSAGE_BYTES_MAX)
                        await self._loop.sock_sendall(peer, answer)
                        return

    async def _read_message(self, peer: socket.socket, bytes_max: int) -> bytes:
        """A message with the two bytes of its length before it."""
        head = await self._read(peer, 2)
        length = int.from_bytes(head)
        if not _HEADER_BYTES <= length <= bytes_max:
            raise EOFError
        return head + await self._read(peer, length)

    async def _read(self, peer: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = await self._loop.sock_recv(peer, size - len(data))
            if not more:
                raise EOFError
            data += more
        return data


def _socket_to(server: str, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    asked = socket.socket(family, kind)
    asked.setblocking(False)
    if kind is socket.SOCK_DGRAM:
        try:
            asked.connect((server, _PORT))
        except OSError:
            asked.close()
            raise
    return asked
