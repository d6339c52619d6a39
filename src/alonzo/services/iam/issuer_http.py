"""Fetches the small documents that an identity provider publishes, and nothing else.

An administrator of an account names the provider, so the platform must not become a way into its
own network: only ``https`` on port 443, only addresses that are public, and the address that was
checked is the one that is called. No redirects, no proxies. A provider in a private network gives
its keys in a file (``issuer_keys.py``).
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

#: A document may take so long, and be so large.
FETCH_S_MAX = 5.0
DOCUMENT_BYTES_MAX = 256 * 1024

_PORT = 443
_STATUS = re.compile(rb"HTTP/1\.[01] 200[ \r]")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")

#: The addresses that a name stands for.
Resolve = Callable[[str], Awaitable[list[str]]]
#: Opens a connection to an address for the host of that name, encrypted.
Connect = Callable[[str, str], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class FetchError(Exception):
    """A document could not be had. The text says why, fit for a caller."""


class IssuerHttp:
    """Fetches. ``resolve`` and ``connect`` are the network."""

    def __init__(self, resolve: Resolve | None = None, connect: Connect | None = None) -> None:
        self._resolve = resolve or _resolved
        self._connect = connect or _connected

    async def fetch(self, url: str) -> Any:
        """The JSON document at the URL.

        Raises:
            FetchError: it could not be had.
        """
        host, path = _checked(url)
        try:
            async with asyncio.timeout(FETCH_S_MAX):
                address = _public(host, await self._resolve(host))
                raw = await self._get(address, host, path)
        except TimeoutError as error:
            raise FetchError(f"{host} did not answer in time") from error
        except (OSError, ssl.SSLError) as error:
            raise FetchError(f"{host} cannot be reached") from error
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise FetchError(f"what {host} answers is no JSON") from error

    async def _get(self, address: str, host: str, path: str) -> bytes:
        reader, writer = await self._connect(address, host)
        try:
            # In version 1.0 nothing comes in chunks, and the end of the body is that of the answer.
            head = f"GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\n\r\n"
            writer.write(head.encode())
            await writer.drain()
            answer = bytearray()
            while piece := await reader.read(64 * 1024):
                answer += piece
                if len(answer) > DOCUMENT_BYTES_MAX:
                    raise FetchError(f"what {host} answers is too large")
        finally:
            writer.transport.abort()
        first, found, body = bytes(answer).partition(b"\r\n\r\n")
        if not found or _STATUS.match(first) is None or b"\ntransfer-encoding:" in first.lower():
            raise FetchError(f"{host} does not answer with the document")
        return body


def _checked(url: str) -> tuple[str, str]:
    """Host and path of a URL that may be fetched."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise FetchError("the URL has no valid port") from error
    host = parts.hostname or ""
    if parts.scheme != "https" or port not in (None, _PORT) or parts.username is not None:
        raise FetchError("only https on its own port is fetched")
    if _HOST.fullmatch(host) is None or host.rpartition(".")[2].isdigit():
        raise FetchError("the URL names no public host")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or not path.isprintable() or " " in path:
        raise FetchError("the URL has no valid path")
    return host, path


def _public(host: str, addresses: list[str]) -> str:
    """The address to call: all that the name stands for must be public."""
    if not addresses or not all(_is_public(each) for each in addresses):
        raise FetchError(f"{host} has no public address, or others beside")
    return addresses[0]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        # What leads to an IPv4 address is as public as that.
        inside = address.ipv4_mapped or address.sixtofour
        if inside is not None:
            address = inside
        elif address in _NAT64:
            return False
    return address.is_global and not address.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


async def _resolved(host: str) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, _PORT, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


async def _connected(address: str, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(
        address, _PORT, ssl=ssl.create_default_context(), server_hostname=host
    )
