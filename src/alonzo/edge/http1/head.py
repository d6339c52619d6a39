"""The head of one request, taken apart once for all who look at it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alonzo.model.http import HttpRequest


class Head:
    """The head of one request.

    ``raw_path`` is undecoded and without the query; ``query`` undecoded and without ``?``.
    ``headers`` are in order, names in lower case; ``fields`` are the same by name, as
    ``fold_headers`` folds them.
    """

    __slots__ = ("fields", "headers", "method", "query", "raw_path")

    def __init__(
        self,
        method: str,
        raw_path: bytes,
        query: bytes,
        headers: Sequence[tuple[bytes, bytes]],
    ) -> None:
        self.method = method
        self.raw_path = raw_path
        self.query = query
        self.headers = headers
        fields = dict(headers)
        self.fields = fields if len(fields) == len(headers) else fold_headers(headers)

    @classmethod
    def of(cls, request: HttpRequest) -> Head:
        """The head of a whole request."""
        return cls(request.method, request.raw_path, request.query, request.headers)

    def count(self, name: bytes) -> int:
        """How many headers have that name."""
        return sum(header == name for header, _ in self.headers)

    def request(self, body: bytes, source_ip: str) -> HttpRequest:
        """The whole request."""
        return HttpRequest(
            self.method, self.raw_path, self.query, tuple(self.headers), body, source_ip
        )


def fold_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name; the values of a repeated one are trimmed and joined by commas, in order."""
    folded: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in folded:
            folded[name] = trim(folded[name]) + b"," + trim(value)
        else:
            folded[name] = value
    return folded


def trim(value: bytes) -> bytes:
    """A header value without outer white space, and with one space for each run within."""
    return b" ".join(value.split())
