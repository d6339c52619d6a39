"""Posts to real listeners that answer well, badly or not at all."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from alonzo.services.sns.posting import Poster, PostError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of ``localhost`` that nobody trusts, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + made.public_bytes(pem))
    return path


def posted(answer, *, tls=None, poster=None, target="http://localhost:{}/a?b"):
    """Post to a listener that answers so; what it got, or what went wrong."""

    async def work():
        got = []

        async def serve(reader, writer):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                got.append((head, await reader.readexactly(length)))
                writer.write(answer)
                await writer.drain()
                await reader.read()
            except (OSError, EOFError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "localhost", 0, ssl=tls)
        async with server:
            port = server.sockets[0].getsockname()[1]
            url = target.format(port)
            try:
                await (poster or Poster()).post(url, {"X-A": "b"}, b"body")
            except PostError as error:
                return got, error
        return got, None

    return asyncio.run(work())


def test_a_post_is_one_request_with_its_headers():
    ((head, body),), error = posted(OK)
    assert error is None
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /a?b HTTP/1.1"
    assert {"X-A: b", "Content-Length: 4", "Connection: close"} <= set(lines)
    assert body == b"body"


@pytest.mark.parametrize(
    ("answer", "said", "is_final"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://h/\r\n\r\n", "answered 302", False),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "answered 404", True),
        (b"HTTP/1.1 429 Slow down\r\n\r\n", "answered 429", False),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\n\r\n", "answered 500", False),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 10, "ValueError", False),
        (b"SSH-2.0\r\n", "ValueError", False),
        (b"HTTP/1.1 " + b"2" * 100_000, "LimitOverrunError", False),
    ],
)
def test_an_answer_that_is_none_fails_the_post(answer, said, is_final):
    (_,), error = posted(answer)
    assert said in str(error)
    assert error.is_final is is_final


def test_silence_ends_with_the_time_that_a_post_may_take():
    _, error = posted(b"", poster=Poster(0.2))
    assert "did not answer in time" in str(error)


def test_only_certificates_that_are_trusted_are_posted_to(certificate):
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    url = "https://localhost:{}/"
    got, error = posted(OK, tls=serving, target=url)
    assert (got, error.is_final) == ([], False)
    trusting = ssl.create_default_context(cafile=str(certificate))
    got, error = posted(OK, tls=serving, target=url, poster=Poster(tls=trusting))
    assert (len(got), error) == (1, None)


@pytest.mark.parametrize("host", ["169.254.169.254", "0xa9fea9fe", "[::ffff:a9fe:a9fe]", "0"])
def test_an_address_that_is_barred_is_not_connected_to(host):
    with pytest.raises(PostError, match="not one that is posted to") as caught:
        asyncio.run(Poster().post(f"http://{host}/latest", {}, b""))
    assert caught.value.is_final
