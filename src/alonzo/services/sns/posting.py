"""Posts over HTTP: one request, one status, and nothing else of the answer.

* A host name is looked up once for each post, and the address that was judged is the one that is
  connected to: a name cannot change its mind in between.
* Redirects are not followed. The certificate of an https endpoint must be one that this host
  trusts, as it must be for AWS.
* A post takes ``HTTP_S_MAX`` at most, whatever the endpoint does.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from alonzo.services.sns.addresses import may_post_to
from alonzo.services.sns.limits import ENDPOINT_BYTES_MAX, HTTP_S_MAX

_PORTS = {"http": 80, "https": 443}
_PRINTABLE = re.compile(r"[!-~]+")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r?\n")
#: Of an answer's line; and lines of one.
_LINE_BYTES_MAX = 16 * 1024
_LINES_MAX = 200
#: Answers with a status of 1xx before the one that counts.
_INTERIM_MAX = 8
#: What is read of the rest of an answer, and for how long, before the connection is closed.
_REST_BYTES_MAX = 64 * 1024
_GOODBYE_S_MAX = 0.25


class PostError(Exception):
    """The message was not delivered. ``is_final``: another try can do no better."""

    def __init__(self, text: str, *, is_final: bool) -> None:
        super().__init__(text)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL taken apart. ``authorization`` is the value of the header, or None."""

    secure: bool
    host: str
    port: int
    target: str
    authorization: str | None

    @property
    def host_header(self) -> str:
        """The ``Host`` that the endpoint sees."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            host
            if self.port == _PORTS["https" if self.secure else "http"]
            else (f"{host}:{self.port}")
        )


def read_endpoint(url: str) -> Endpoint | None:
    """Take a URL apart; None: it is none that can be posted to."""
    if len(url) > ENDPOINT_BYTES_MAX or _PRINTABLE.fullmatch(url) is None:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna" if parts.hostname else "ascii").decode()
    except (ValueError, UnicodeError):
        return None
    if parts.scheme not in _PORTS or not host or port == 0:
        return None
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    secure = parts.scheme == "https"
    return Endpoint(secure, host, port or _PORTS[parts.scheme], target, authorization)


class Poster:
    """Posts, any number beside each other."""

    def __init__(self, timeout_s: float = HTTP_S_MAX, *, tls: ssl.SSLContext | None = None) -> None:
        """``tls`` None trusts whom this host trusts."""
        self._timeout_s = timeout_s
        self._tls = tls

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """Post once; the endpoint has it when this returns.

        Raises:
            PostError: it has not, or said that it does not want it.
        """
        endpoint = read_endpoint(url)
        if endpoint is None:
            raise PostError("this is no URL that can be posted to", is_final=True)
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await self._exchange(endpoint, headers, body)
        except TimeoutError as error:
            raise PostError("the endpoint did not answer in time", is_final=False) from error
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            kind = type(error).__name__
            raise PostError(f"the endpoint cannot be reached: {kind}", is_final=False) from error
        if not 200 <= status < 300:
            # Source: developer guide: client errors are not retried, but throttling is.
            is_final = 400 <= status < 500 and status != 429
            raise PostError(f"the endpoint answered {status}", is_final=is_final)

    async def _exchange(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> int:
        address = await _look_up(endpoint)
        tls = await self._context() if endpoint.secure else None
        reader, writer = await asyncio.open_connection(
            address,
            endpoint.port,
            ssl=tls,
            server_hostname=endpoint.host if tls is not None else None,
            limit=_LINE_BYTES_MAX,
        )
        try:
            writer.write(_head(endpoint, headers, len(body)) + body)
            await writer.drain()
            status = await _status_of(reader)
            # Hanging up on an answer looks like a failure to whoever writes it.
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(_GOODBYE_S_MAX):
                    await _read_on(reader)
            return status
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return self._tls


async def _look_up(endpoint: Endpoint) -> str:
    """The first address of the host, if all of them may be posted to."""
    found = await asyncio.get_running_loop().getaddrinfo(endpoint.host, endpoint.port, proto=6)
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses:
        raise PostError("the host has no address", is_final=False)
    if not all(map(may_post_to, addresses)):
        raise PostError("the host's address is not one that is posted to", is_final=True)
    return addresses[0]


def _head(endpoint: Endpoint, headers: Mapping[str, str], length: int) -> bytes:
    every = {
        **headers,
        "Host": endpoint.host_header,
        "Content-Length": str(length),
        "Connection": "close",
        "Accept-Encoding": "identity",
    }
    if endpoint.authorization is not None:
        every["Authorization"] = endpoint.authorization
    lines = [f"POST {endpoint.target} HTTP/1.1", *(f"{k}: {v}" for k, v in every.items())]
    if any(_PRINTABLE.fullmatch(line.replace(" ", "")) is None for line in lines):
        raise PostError("a header is not one that can be sent", is_final=True)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


async def _read_on(reader: asyncio.StreamReader) -> None:
    n_bytes = 0
    while n_bytes < _REST_BYTES_MAX and (piece := await reader.read(_LINE_BYTES_MAX)):
        n_bytes += len(piece)


async def _status_of(reader: asyncio.StreamReader) -> int:
    """The status that counts.

    Raises:
        ValueError: this is no HTTP.
        EOFError: the endpoint hung up.
    """
    for _ in range(_INTERIM_MAX):
        found = _STATUS.fullmatch(await reader.readuntil(b"\n"))
        if found is None:
            raise ValueError("no status line")
        status = int(found[1])
        if status >= 200:
            return status
        for _ in range(_LINES_MAX):
            if await reader.readuntil(b"\n") in (b"\r\n", b"\n"):
                break
    raise ValueError("no final status")
