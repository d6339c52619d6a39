"""What the audit log is told of a connection's encryption."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import cast

import uvloop

from alonzo.edge.app import EdgeApp
from alonzo.edge.certificate import CertificateFiles
from alonzo.edge.http1.incoming import Incoming
from alonzo.edge.http1.response import Response
from alonzo.edge.server import EdgeServer
from alonzo.lib.clock import SystemClock
from alonzo.testing.certificates import make_certificate

# libuv keeps a pipe for signals from its first loop to the end of the process.
uvloop.new_event_loop().close()


class Told:
    async def handle(self, incoming: Incoming) -> Response:
        return Response(200, b"", repr(incoming.tls).encode())


async def asked(port: int, context: ssl.SSLContext | None) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    text = await reader.read()
    writer.close()
    return text.rpartition(b"\r\n")[2]


def test_version_and_cipher_are_those_of_the_connection(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    files = CertificateFiles(cert, key, SystemClock())

    async def main() -> None:
        server = EdgeServer(cast("EdgeApp", Told()))
        port = await server.start("127.0.0.1", 0, tls=files.context)
        try:
            for newest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = ssl.create_default_context(cafile=cert)
                context.maximum_version = newest
                version = newest.name.replace("_", ".").encode()
                text = await asked(port, context)
                assert text.startswith(b"('" + version + b"', '")
                assert b"AES" in text or b"CHACHA" in text
        finally:
            await server.stop(2)
        plain = EdgeServer(cast("EdgeApp", Told()))
        port = await plain.start("127.0.0.1", 0)
        try:
            assert await asked(port, None) == b"None"
        finally:
            await plain.stop(2)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
