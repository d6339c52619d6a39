"""TLS on one connection: between the socket's transport and a ``Connection``, which sees neither.

* The handshake has a time limit, and counts as a connection from its first byte.
* Nothing is kept between the two but what OpenSSL holds: what is written goes to the socket's own
  buffer at once, so back-pressure is the socket's. Reading stops at both when the connection stops.
* ``close`` says goodbye to the peer and does not wait for its answer. An end without a goodbye
  ends the connection as well; HTTP itself says whether a message is whole.

asyncio's ``ssl=`` makes a connection known only after its handshake, and hides what it has not
sent yet. This does neither.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, cast

from alonzo.edge.http1.connections import Hall
from alonzo.edge.listener import Listener

#: What is encrypted and what is decrypted at a time.
_PIECE_BYTES = 256 * 1024

#: A handshake that is longer is none: certificates of clients are not asked for.
_HANDSHAKE_BYTES_MAX = 64 * 1024

_SPEAK_TLS = b"This port speaks TLS: use https.\n"
_PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%b" % (len(_SPEAK_TLS), _SPEAK_TLS)
)


class TlsConnection(asyncio.Protocol):
    """One connection before and under its ``Connection``."""

    def __init__(
        self,
        hall: Hall,
        listener: Listener,
        loop: asyncio.AbstractEventLoop,
        context: Callable[[], ssl.SSLContext],
        make: Callable[[], asyncio.Protocol],
    ) -> None:
        """``context`` is asked for each connection; ``make`` makes what runs on top."""
        self._hall = hall
        self._listener = listener
        self._loop = loop
        self._make = make
        self._raw: asyncio.Transport
        self._inward, self._outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context().wrap_bio(self._inward, self._outward, server_side=True)
        self._inner: asyncio.Protocol | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._handshake_bytes = 0
        self._reading = True
        self._delivering = False

    # --- the socket's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the client's hello, unless there is no room."""
        self._raw = cast("asyncio.Transport", transport)
        hall = self._hall
        full = len(hall.connections) >= hall.limits.connections_max
        hall.connections.add(self)
        if hall.stopping or full or not self._listener.try_admit(self):
            self._raw.abort()
            return
        self._deadline = self._loop.call_later(hall.limits.handshake_timeout_s, self._raw.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        self._leave_the_hall()
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes off the wire."""
        self._inward.write(data)
        if self._inner is None:
            self._handshake_bytes += len(data)
            self._shake_hands()
        if self._inner is not None:
            self._deliver()

    def pause_writing(self) -> None:
        """The client is slower than the answer."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._inner is not None:
            self._inner.resume_writing()

    # --- the handshake

    def drain(self) -> None:
        """Nothing: a handshake is short, and what comes out of it drains by itself."""

    def shutdown(self) -> None:
        """Close."""
        self._raw.abort()

    def abort(self) -> None:
        """Close."""
        self._raw.abort()

    def _leave_the_hall(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._listener.forget(self)
        self._hall.connections.discard(self)

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            if self._handshake_bytes > _HANDSHAKE_BYTES_MAX:
                self._raw.abort()
            return
        except ssl.SSLError as error:
            if error.reason == "HTTP_REQUEST":
                self._raw.write(_PLAIN_HTTP)
            else:
                self._flush()
            self._raw.close()
            return
        self._flush()
        self._leave_the_hall()
        inner = self._inner = self._make()
        inner.connection_made(TlsTransport(self, self._raw))

    # --- the inner connection's side

    @property
    def tls(self) -> ssl.SSLObject:
        """What the handshake agreed on."""
        return self._tls

    def write(self, data: bytes) -> None:
        """Encrypt and send."""
        if self._raw.is_closing():
            return
        view = memoryview(data)
        try:
            while view:
                view = view[self._tls.write(view[:_PIECE_BYTES]) :]
                self._flush()
        except ssl.SSLError:
            self._raw.abort()

    def set_reading(self, reading: bool) -> None:
        """Whether the inner connection takes more."""
        self._reading = reading
        if not reading:
            self._raw.pause_reading()
            return
        self._raw.resume_reading()
        # What was decrypted, or could be, waits for no further byte of the client.
        self._loop.call_soon(self._deliver)

    def close(self) -> None:
        """Say goodbye, and close once what was written is out."""
        if self._raw.is_closing():
            return
        # Nearly always an error: the peer has not said goodbye yet.
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        self._raw.close()

    def _deliver(self) -> None:
        inner = self._inner
        # What it does with a piece may have it read again.
        if inner is None or self._delivering:
            return
        self._delivering = True
        try:
            while self._reading and not self._raw.is_closing():
                piece = self._tls.read(_PIECE_BYTES)
                if not piece:
                    self.close()
                    return
                inner.data_received(piece)
        except ssl.SSLWantReadError:
            # An answer to a request for new keys.
            self._flush()
        except ssl.SSLZeroReturnError:
            self.close()
        except ssl.SSLError:
            self._flush()
            self._raw.close()
        finally:
            self._delivering = False

    def _flush(self) -> None:
        if self._outward.pending and not self._raw.is_closing():
            self._raw.write(self._outward.read())


class TlsTransport(asyncio.Transport):
    """What a ``Connection`` sees of the two."""

    def __init__(self, connection: TlsConnection, raw: asyncio.Transport) -> None:
        super().__init__()
        self._connection = connection
        self._raw = raw

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Of the socket; ``ssl_object`` is there too."""
        if name == "ssl_object":
            return self._connection.tls
        return self._raw.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        self._connection.write(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send all of them."""
        self._connection.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._raw.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Take no more."""
        self._connection.set_reading(False)

    def resume_reading(self) -> None:
        """Take more."""
        self._connection.set_reading(True)

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._raw.is_closing()

    def close(self) -> None:
        """Close once what was written is out."""
        self._connection.close()

    def abort(self) -> None:
        """Close at once."""
        self._raw.abort()
