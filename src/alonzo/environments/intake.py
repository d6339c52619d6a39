"""Where a response goes that a runtime sends piece by piece, while it comes.

    runtime --> link --take()--> Relay --next()--> the client, perhaps slower
                     '-take()--> Gathered, whole at the end

* A link says ``begin`` before the first piece and ``release`` after the last one, whatever comes of
  the rest of it.
* A relay that has ``FULL_BYTES`` holds its link back until its reader has taken them: the runtime's
  socket fills, and the function waits.
* A relay whose reader has gone throws away what comes: the function runs on as on AWS, and nobody
  who is not there holds it back.

No I/O but the futures of the loop. Source: Lambda developer guide, response streaming.
"""

from __future__ import annotations

import asyncio
import io
from typing import Protocol

from alonzo.lib.clock import Clock

#: With so much a relay holds its link back. What the link has read already comes on top.
FULL_BYTES = 128 << 10


class Valve(Protocol):
    """What a response comes through."""

    def hold(self) -> None:
        """Let nothing more through for now."""
        ...

    def resume(self) -> None:
        """Let it flow again."""
        ...


class Intake(Protocol):
    """Takes a response. ``bytes_max`` is its limit, ``n_bytes`` how much has come.

    ``began_at_s``: when it began, by the monotonic clock; None: it has not, or nobody asks.
    """

    bytes_max: int
    n_bytes: int
    began_at_s: float | None

    def begin(self, content_type: str | None, valve: Valve) -> None:
        """The runtime has begun to send. ``content_type``: what it says that it is."""
        ...

    def take(self, data: bytes) -> bool:
        """Take a piece; False if that is more than the limit. Then the rest is of no use."""
        ...

    def release(self) -> bytes:
        """Nothing more comes through that valve. What the reply has to carry still."""
        ...


class Gathered:
    """Gathers a response for a caller who wants it whole."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.n_bytes = 0
        self.began_at_s: float | None = None
        self._body = io.BytesIO()

    def begin(self, content_type: str | None, valve: Valve) -> None:
        """See ``Intake``."""

    def take(self, data: bytes) -> bool:
        """See ``Intake``."""
        self.n_bytes += len(data)
        if self.n_bytes > self.bytes_max:
            self._body = io.BytesIO()
            return False
        self._body.write(data)
        return True

    def release(self) -> bytes:
        """See ``Intake``: all of it."""
        return self._body.getvalue()


class Relay:
    """Hands a response on to one reader, who calls ``next``, ``discard`` and ``close``."""

    def __init__(self, bytes_max: int, clock: Clock) -> None:
        self.bytes_max = bytes_max
        self.n_bytes = 0
        self.content_type: str | None = None
        self.began_at_s: float | None = None
        self._clock = clock
        self._buffer = bytearray()
        self._valve: Valve | None = None
        self._holds = False
        self._discards = False
        self._closed = False
        self._wake: asyncio.Future[None] | None = None

    # For the link

    def begin(self, content_type: str | None, valve: Valve) -> None:
        """See ``Intake``."""
        self.content_type = content_type
        self._valve = valve
        self.began_at_s = self._clock.monotonic_s()

    def take(self, data: bytes) -> bool:
        """See ``Intake``."""
        self.n_bytes += len(data)
        if self.n_bytes > self.bytes_max:
            return False
        if self._discards or self._closed:
            return True
        self._buffer += data
        if len(self._buffer) >= FULL_BYTES and not self._holds and self._valve is not None:
            self._holds = True
            self._valve.hold()
        self._awake()
        return True

    def release(self) -> bytes:
        """See ``Intake``: nothing, the reader has it or will have it."""
        self._let_go()
        self._valve = None
        return b""

    # For the reader

    async def next(self) -> bytes | None:
        """All that is here, once there is anything; None at the end."""
        while not self._buffer:
            if self._closed or self._discards:
                return None
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        data = bytes(self._buffer)
        self._buffer.clear()
        self._let_go()
        return data

    def discard(self) -> None:
        """The reader has gone. Safe to call twice."""
        self._discards = True
        self._buffer.clear()
        self._let_go()
        self._awake()

    def close(self) -> None:
        """The invocation is over: what is here is all. Safe to call twice."""
        self._closed = True
        self._awake()

    def _let_go(self) -> None:
        if self._holds:
            self._holds = False
            if self._valve is not None:
                self._valve.resume()

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
