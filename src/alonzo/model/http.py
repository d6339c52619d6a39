"""One HTTP exchange as plain values, for the few routes that are no AWS operation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it came off the wire.

    ``raw_path`` is undecoded and without the query; ``query`` undecoded and without ``?``.
    ``headers`` are in order, names in lower case; ``body`` is whole.
    """

    method: str
    raw_path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    source_ip: str

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, by its lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response; ``body`` is whole, or a stream of pieces that are sent as they come.

    A stream is read to its end even when its client leaves, unless it ``ends_with_client``.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | AsyncIterator[bytes] = b""
    ends_with_client: bool = False


RouteHandler = Callable[[HttpRequest], Awaitable[HttpResponse]]
