"""The server under TLS: real handshakes on real sockets."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from alonzo.edge.app import EdgeApp
from alonzo.edge.certificate import CertificateError, CertificateFiles, announced_host
from alonzo.edge.http1.incoming import Incoming
from alonzo.edge.http1.response import Response
from alonzo.edge.server import EdgeServer, ServerLimits
from alonzo.lib.clock import SystemClock
from alonzo.testing.certificates import make_certificate
from alonzo.testing.waiting import eventually

# libuv keeps a pipe for signals from its first loop to the end of the process.
uvloop.new_event_loop().close()

MIB = 1 << 20


class Echo:
    """In place of the application: answers the scheme and the body; may be kept waiting."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()

    async def handle(self, incoming: Incoming) -> Response:
        await self.gate.wait()
        body = await incoming.read_body(64 * MIB)
        return Response(200, b"", incoming.scheme.encode() + b"|" + body)


class World:
    """One server with a certificate, and those who trust it."""

    def __init__(self, folder: Path, limits: ServerLimits) -> None:
        self.cert, self.key = make_certificate(folder)
        self.files = CertificateFiles(self.cert, self.key, SystemClock())
        self.echo = Echo()
        self.server = EdgeServer(cast("EdgeApp", self.echo), limits=limits)
        self.port = 0

    def trusting(self, **versions: Any) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.cert)
        for name, version in versions.items():
            setattr(context, name, version)
        return context

    async def connect(
        self, context: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        trusting = context or self.trusting()
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=trusting)


def serve(
    folder: Path, main: Callable[[World], Awaitable[None]], limits: ServerLimits | None = None
) -> None:
    async def run() -> None:
        world = World(folder, limits or ServerLimits())
        world.port = await world.server.start("127.0.0.1", 0, tls=world.files.context)
        try:
            async with asyncio.timeout(30):
                await main(world)
        finally:
            world.echo.gate.set()
            await world.server.stop(2)
            assert world.server.connections == 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def put(body: bytes, *headers: bytes) -> bytes:
    lines = [b"PUT / HTTP/1.1", b"host: localhost", b"content-length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


async def answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    return await reader.readexactly(length)


CLOSE = b"connection: close"


def test_requests_of_any_size_follow_each_other_on_one_connection(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        for newest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            reader, writer = await world.connect(world.trusting(maximum_version=newest))
            with closing(writer):
                for n_bytes in (0, 7, 20_000, 5 * MIB):
                    body = os.urandom(n_bytes)
                    writer.write(put(body))
                    assert await answer(reader) == b"https|" + body
                writer.write(put(b"bye", CLOSE))
                assert (await reader.read()).endswith(b"https|bye")
                version = writer.get_extra_info("ssl_object").version()
                assert version == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[newest.name]

    serve(tmp_path, main)


def test_a_body_that_nobody_reads_yet_waits_and_is_whole_in_the_end(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        world.echo.gate.clear()
        reader, writer = await world.connect()
        with closing(writer):
            body = os.urandom(2 * MIB)
            writer.write(put(b"first") + put(body) + put(b"last"))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await reader.read(1)
            world.echo.gate.set()
            for expected in (b"first", body, b"last"):
                assert await answer(reader) == b"https|" + expected

    serve(tmp_path, main)


def test_a_client_that_does_not_take_its_answer_is_cut_off(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

        def ask() -> ssl.SSLSocket:
            raw.connect(("127.0.0.1", world.port))
            client = world.trusting().wrap_socket(raw, server_hostname="localhost")
            client.sendall(put(b"x" * 5_000_000))
            return client

        with closing(await asyncio.to_thread(ask)):
            await asyncio.to_thread(eventually, lambda: world.server.connections == 0, 5)

    serve(tmp_path, main, ServerLimits(write_idle_s=0.2))


def test_a_handshake_that_does_not_end_counts_and_is_ended(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        idle_reader, idle = await asyncio.open_connection("127.0.0.1", world.port)
        with closing(idle):
            # The first bytes of a hello that never comes.
            idle.write(b"\x16\x03\x01\x02\x00\x01")
            await asyncio.to_thread(eventually, lambda: world.server.connections == 1, 5)
            with pytest.raises((ConnectionError, ssl.SSLError)):
                await world.connect()
            assert await idle_reader.read() == b""
        await asyncio.to_thread(eventually, lambda: world.server.connections == 0, 5)
        reader, writer = await world.connect()
        with closing(writer):
            writer.write(put(b"now", CLOSE))
            assert (await reader.read()).endswith(b"https|now")

    serve(tmp_path, main, ServerLimits(connections_max=1, handshake_timeout_s=0.5))


def test_who_speaks_no_tls_or_an_old_one_is_told(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        with closing(writer):
            writer.write(put(b"plain"))
            said = await reader.read()
            assert said.startswith(b"HTTP/1.1 400 ")
            assert b"https" in said
        for garbage in (b"\x16\x03\x01" + b"\xff" * 3000, b"\x80\x2e\x01\x00\x02", b"\x00" * 64):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            with closing(writer):
                writer.write(garbage)
                assert b"HTTP" not in await reader.read()
        old = world.trusting()
        with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await world.connect(old)

    serve(tmp_path, main, ServerLimits(handshake_timeout_s=0.5))


def test_an_end_without_a_goodbye_ends_the_connection(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        raw = socket.socket()

        def hang_up() -> None:
            raw.connect(("127.0.0.1", world.port))
            client = world.trusting().wrap_socket(raw, server_hostname="localhost")
            client.sendall(put(b"x" * 9)[:-4])
            client.close()

        await asyncio.to_thread(hang_up)
        await asyncio.to_thread(eventually, lambda: world.server.connections == 0, 5)

    serve(tmp_path, main)


def test_a_stop_ends_handshakes_and_connections(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        idle_reader, idle = await asyncio.open_connection("127.0.0.1", world.port)
        reader, writer = await world.connect()
        with closing(idle), closing(writer):
            writer.write(put(b"one"))
            assert await answer(reader) == b"https|one"
            await asyncio.to_thread(eventually, lambda: world.server.connections == 2, 5)
            await world.server.stop(1)
            assert await reader.read() == b""
            assert await idle_reader.read() == b""

    serve(tmp_path, main)


def test_renewed_files_are_for_new_connections_and_bad_ones_for_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(world: World) -> None:
        async def shown() -> bytes | None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            _, writer = await world.connect(context)
            with closing(writer):
                return writer.get_extra_info("ssl_object").getpeercert(binary_form=True)

        reader, writer = await world.connect()
        with closing(writer):
            old = await shown()
            cert, key = make_certificate(tmp_path / "renewed")
            shutil.copy(cert, world.cert)
            # The half of a renewal: the old pair stays, and one line says why.
            assert [await shown(), await shown()] == [old, old]
            assert [each.message for each in caplog.records] == ["tls.not_reloaded"]
            shutil.copy(key, world.key)
            assert await shown() != old
            world.cert.unlink()
            assert await shown() not in (old, None)
            writer.write(put(b"still here", CLOSE))
            assert (await reader.read()).endswith(b"still here")

    with caplog.at_level(logging.WARNING, "alonzo.edge"):
        serve(tmp_path, main)


def test_files_that_are_no_pair_are_refused_in_plain_words(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path / "a")
    other_cert, _ = make_certificate(tmp_path / "b")
    _, sealed = make_certificate(tmp_path / "c", passphrase=b"secret")
    nothing = tmp_path / "none.pem"
    junk = tmp_path / "junk.pem"
    junk.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for cert_file, key_file, said in (
        (nothing, key, "none.pem: No such file"),
        (cert, nothing, "none.pem: No such file"),
        (tmp_path, key, "Is a directory"),
        (junk, key, "holds no certificate in PEM form"),
        (key, key, "holds no certificate in PEM form"),
        (cert, cert, "holds no private key in PEM form"),
        (cert, junk, "holds no private key in PEM form"),
        (other_cert, key, "does not belong to the certificate"),
        (cert, sealed, "is encrypted"),
    ):
        with pytest.raises(CertificateError, match=said):
            CertificateFiles(cert_file, key_file, SystemClock())


def test_a_certificate_that_is_over_is_used_and_said(tmp_path: Path) -> None:
    over = CertificateFiles(*make_certificate(tmp_path / "over", days=-1), SystemClock())
    assert str(over.warning()).startswith("the TLS certificate expired on 20")
    good = CertificateFiles(*make_certificate(tmp_path / "good"), SystemClock())
    assert good.warning() is None
    assert good.facts.self_signed
    assert good.facts.names == ("localhost", "127.0.0.1")


@pytest.mark.parametrize(
    ("host", "hostnames", "names", "told"),
    [
        ("127.0.0.1", (), (), "127.0.0.1"),
        ("127.0.0.1", (), ("localhost", "127.0.0.1"), "127.0.0.1"),
        ("127.0.0.1", (), ("localhost",), "localhost"),
        ("127.0.0.1", (), ("a.example",), "127.0.0.1"),
        ("0.0.0.0", (), ("*.a.example", "a.example"), "a.example"),
        ("0.0.0.0", (), ("a.example", "localhost"), "localhost"),
        ("::", (), ("*.a.example",), "::"),
        ("10.0.0.7", (), ("a.example",), "10.0.0.7"),
        ("10.0.0.7", ("b.example", "c.example"), ("a.example",), "b.example"),
    ],
)
def test_clients_are_told_a_name_that_the_certificate_is_good_for(
    host: str, hostnames: tuple[str, ...], names: tuple[str, ...], told: str
) -> None:
    assert announced_host(host, hostnames, names) == told
