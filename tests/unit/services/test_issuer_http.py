"""What is fetched of identity providers, and what never is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from alonzo.services.iam.issuer_http import DOCUMENT_BYTES_MAX, FetchError, IssuerHttp

PUBLIC = "93.184.216.34"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


class Writer:
    """Takes what is sent."""

    def __init__(self) -> None:
        self.sent = b""
        self.transport = self
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.sent += data

    async def drain(self) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


class Network:
    """Names with their addresses, and one answer; notes who was called."""

    def __init__(self, answer: bytes = OK + b"{}", *addresses: str) -> None:
        self.answer, self.addresses = answer, addresses or (PUBLIC,)
        self.called: list[tuple[str, str]] = []
        self.writer = Writer()

    async def resolve(self, _: str) -> list[str]:
        return list(self.addresses)

    async def connect(self, address: str, host: str) -> Any:
        self.called.append((address, host))
        reader = asyncio.StreamReader()
        reader.feed_data(self.answer)
        reader.feed_eof()
        return reader, self.writer

    def fetch(self, url: str) -> Any:
        return asyncio.run(IssuerHttp(self.resolve, self.connect).fetch(url))


def test_the_address_that_was_checked_is_the_one_that_is_called() -> None:
    network = Network(OK + b'{"a": 1}')
    assert network.fetch("https://idp.example/x/y?z=1") == {"a": 1}
    assert network.called == [(PUBLIC, "idp.example")]
    assert network.writer.sent.startswith(b"GET /x/y?z=1 HTTP/1.0\r\nHost: idp.example\r\n")
    assert network.writer.aborted


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "2002:a9fe:a9fe::1",
        "64:ff9b::a9fe:a9fe",
    ],
)
def test_no_private_address_is_called_nor_one_beside_a_public(address: str) -> None:
    for addresses in ((address,), (PUBLIC, address)):
        network = Network(OK + b"{}", *addresses)
        with pytest.raises(FetchError):
            network.fetch("https://idp.example/")
        assert network.called == []


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/",
        "https://idp.example:8443/",
        "https://idp.example:x/",
        "https://user@idp.example/",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://localhost/",
        "https://idp.example/a b",
        "https://idp.example/\u00e4",
        "file:///etc/passwd",
        "None",
        "",
    ],
)
def test_other_urls_are_not_even_looked_up(url: str) -> None:
    network = Network()
    with pytest.raises(FetchError):
        network.fetch(url)
    assert network.called == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 302 Found\r\nLocation: https://idp.example/\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        OK + b"<html>",
        OK + b"[" * 100_000,
        OK + b" " * DOCUMENT_BYTES_MAX + b"{}",
    ],
)
def test_only_a_document_of_reasonable_size_is_taken(answer: bytes) -> None:
    with pytest.raises(FetchError):
        Network(answer).fetch("https://idp.example/")
