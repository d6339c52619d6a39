"""The verifier against signatures that AWS documents: the SigV4 test suite, IAM and S3 guides."""

from __future__ import annotations

from datetime import datetime

import pytest

from alonzo.edge.http1.head import Head
from alonzo.edge.sigv4.chunked import ChunkDecoder, decode_body
from alonzo.edge.sigv4.claim import read_claim
from alonzo.edge.sigv4.refusals import AuthFailure, Refusal
from alonzo.edge.sigv4.verify import ChunkSeal, Verifier
from alonzo.lib.clock import ManualClock
from alonzo.model.context import Principal
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest
from alonzo.model.ports.identity import AccessKey

SUITE_KEY = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
S3_KEY = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
EMPTY = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class OneKey:
    """A key ring of one."""

    def __init__(self, key_id: str, secret: str) -> None:
        principal = Principal("123456789012", "arn:aws:iam::123456789012:user/u", "AIDA", key_id)
        self._key = AccessKey(key_id, secret, principal)

    def find(self, access_key_id: str, session_token: str | None) -> AccessKey | None:
        assert session_token is None
        return self._key if access_key_id == self._key.access_key_id else None


def verify(key: tuple[str, str], at: str, request: HttpRequest) -> ChunkSeal | None:
    clock = ManualClock(datetime.fromisoformat(at).timestamp())
    head = Head.of(request)
    claim = read_claim(head)
    assert claim is not None
    verifier = Verifier(OneKey(*key), clock)
    return verifier.verify(head, request.body, claim, verifier.find_key(claim))


def suite_request(
    method: str,
    target: bytes,
    signed: str,
    signature: str,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    body: bytes = b"",
) -> HttpRequest:
    path, _, query = target.partition(b"?")
    authorization = (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={signed}, Signature={signature}"
    )
    return HttpRequest(
        method,
        path,
        query,
        (
            (b"host", b"example.amazonaws.com"),
            *headers,
            (b"x-amz-date", b"20150830T123600Z"),
            (b"authorization", authorization.encode()),
        ),
        body,
        "127.0.0.1",
    )


VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
SUITE = {
    "get-vanilla": suite_request("GET", b"/", "host;x-amz-date", VANILLA),
    "get-relative": suite_request("GET", b"/example/..", "host;x-amz-date", VANILLA),
    "get-relative-relative": suite_request(
        "GET", b"/example1/example2/../..", "host;x-amz-date", VANILLA
    ),
    "get-slash": suite_request("GET", b"//", "host;x-amz-date", VANILLA),
    "get-slash-dot-slash": suite_request("GET", b"/./", "host;x-amz-date", VANILLA),
    "get-vanilla-query-order-key-case": suite_request(
        "GET",
        b"/?Param2=value2&Param1=value1",
        "host;x-amz-date",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-utf8": suite_request(
        "GET",
        "/ሴ".encode(),
        "host;x-amz-date",
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    "get-header-value-trim": suite_request(
        "GET",
        b"/",
        "host;my-header1;my-header2;x-amz-date",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ((b"my-header1", b" value1"), (b"my-header2", b' "a   b   c"')),
    ),
    "post-vanilla": suite_request(
        "POST",
        b"/",
        "host;x-amz-date",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "post-x-www-form-urlencoded": suite_request(
        "POST",
        b"/",
        "content-type;host;x-amz-date",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ((b"content-type", b"application/x-www-form-urlencoded"),),
        b"Param1=value1",
    ),
}


@pytest.mark.parametrize("name", SUITE)
def test_request_of_the_sigv4_test_suite_verifies(name: str) -> None:
    assert verify(SUITE_KEY, "2015-08-30T12:36:00Z", SUITE[name]) is None


def test_list_users_example_of_the_iam_guide_verifies() -> None:
    authorization = (
        b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        b"SignedHeaders=content-type;host;x-amz-date, "
        b"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )
    request = HttpRequest(
        "GET",
        b"/",
        b"Action=ListUsers&Version=2010-05-08",
        (
            (b"content-type", b"application/x-www-form-urlencoded; charset=utf-8"),
            (b"host", b"iam.amazonaws.com"),
            (b"x-amz-date", b"20150830T123600Z"),
            (b"authorization", authorization),
        ),
        b"",
        "127.0.0.1",
    )
    verify(SUITE_KEY, "2015-08-30T12:40:00Z", request)


def s3_request(
    method: str,
    path: bytes,
    signature: str,
    headers: dict[str, str],
    body: bytes = b"",
    host: str = "examplebucket.s3.amazonaws.com",
) -> HttpRequest:
    headers = {"host": host, "x-amz-date": "20130524T000000Z"} | headers
    signed = ";".join(sorted(headers))
    # Without blanks after the commas, as the S3 guide writes it.
    authorization = (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={signed},Signature={signature}"
    )
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    pairs.append((b"authorization", authorization.encode()))
    return HttpRequest(method, path, b"", tuple(pairs), body, "127.0.0.1")


def test_get_object_example_of_the_s3_guide_verifies() -> None:
    request = s3_request(
        "GET",
        b"/test.txt",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        {"range": "bytes=0-9", "x-amz-content-sha256": EMPTY.decode()},
    )
    verify(S3_KEY, "2013-05-24T00:00:00Z", request)


def test_put_object_example_of_the_s3_guide_verifies() -> None:
    request = s3_request(
        "PUT",
        b"/test$file.text",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        {
            "date": "Fri, 24 May 2013 00:00:00 GMT",
            "x-amz-content-sha256": (
                "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
            ),
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
        },
        b"Welcome to Amazon S3.",
    )
    verify(S3_KEY, "2013-05-24T00:10:00Z", request)


PRESIGNED_QUERY = (
    b"X-Amz-Algorithm=AWS4-HMAC-SHA256"
    b"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
    b"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    b"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)
PRESIGNED = HttpRequest(
    "GET",
    b"/test.txt",
    PRESIGNED_QUERY,
    ((b"host", b"examplebucket.s3.amazonaws.com"),),
    b"",
    "127.0.0.1",
)


def test_presigned_example_of_the_s3_guide_verifies_until_it_expires() -> None:
    verify(S3_KEY, "2013-05-24T23:59:59Z", PRESIGNED)
    with pytest.raises(AuthFailure) as caught:
        verify(S3_KEY, "2013-05-25T00:00:01Z", PRESIGNED)
    assert caught.value.refusal is Refusal.EXPIRED_REQUEST


def chunk(data: bytes, signature: str) -> bytes:
    return b"%x;chunk-signature=%s\r\n%s\r\n" % (len(data), signature.encode(), data)


CHUNKS = (
    chunk(b"a" * 65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648")
    + chunk(b"a" * 1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497")
    + chunk(b"", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9")
)
CHUNKED_REQUEST = s3_request(
    "PUT",
    b"/examplebucket/chunkObject.txt",
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    {
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "content-length": "66824",
    },
    CHUNKS,
    host="s3.amazonaws.com",
)

TRAILER_CHUNKS = (
    chunk(b"a" * 65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2")
    + chunk(b"a" * 1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7")
    + b"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
    + b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    + b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
    + b"\r\n\r\n"
)
TRAILER_REQUEST = s3_request(
    "PUT",
    b"/examplebucket/chunkObject.txt",
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    {
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "x-amz-trailer": "x-amz-checksum-crc32c",
    },
    TRAILER_CHUNKS,
    host="s3.amazonaws.com",
)


def decoder_for(request: HttpRequest) -> ChunkDecoder:
    seal = verify(S3_KEY, "2013-05-24T00:00:00Z", request)
    assert seal is not None
    return ChunkDecoder(seal, decoded_bytes=66560)


@pytest.mark.parametrize("piece_bytes", [1000, 66824])
def test_chunked_upload_example_of_the_s3_guide_decodes(piece_bytes: int) -> None:
    decoder = decoder_for(CHUNKED_REQUEST)
    body = CHUNKED_REQUEST.body
    out = [decoder.feed(body[at : at + piece_bytes]) for at in range(0, len(body), piece_bytes)]
    decoder.finish()
    assert b"".join(out) == b"a" * 66560


def test_trailer_example_of_the_s3_guide_decodes() -> None:
    decoder = decoder_for(TRAILER_REQUEST)
    assert decoder.feed(TRAILER_CHUNKS) == b"a" * 66560
    decoder.finish()
    assert decoder.trailers[b"x-amz-checksum-crc32c"] == b"sOO8/Q=="


@pytest.mark.parametrize("at", [70, 100, 65536, 65700, 66700, 66800])
def test_changed_byte_of_a_chunk_is_refused(at: int) -> None:
    body = bytearray(CHUNKS)
    body[at] ^= 1
    with pytest.raises((AuthFailure, AwsError)):
        decoder_for(CHUNKED_REQUEST).feed(bytes(body))


def test_changed_trailer_is_refused() -> None:
    with pytest.raises(AuthFailure):
        decoder_for(TRAILER_REQUEST).feed(TRAILER_CHUNKS.replace(b"sOO8", b"sOO9"))


def test_unsigned_trailer_of_a_signed_upload_is_refused() -> None:
    cut = TRAILER_CHUNKS[: TRAILER_CHUNKS.index(b"x-amz-trailer-signature")] + b"\r\n"
    with pytest.raises(AuthFailure):
        decoder_for(TRAILER_REQUEST).feed(cut)


def test_chunks_in_another_order_are_refused() -> None:
    first = CHUNKS[: len(CHUNKS) // 2]
    with pytest.raises((AuthFailure, AwsError)):
        decoder_for(CHUNKED_REQUEST).feed(CHUNKS[65536 + 87 :] + first)


@pytest.mark.parametrize("n_bytes", [0, 10, 90, 66000, 66809])
def test_truncated_upload_is_incomplete(n_bytes: int) -> None:
    decoder = decoder_for(CHUNKED_REQUEST)
    decoder.feed(CHUNKS[:n_bytes])
    with pytest.raises(AwsError, match="IncompleteBody"):
        decoder.finish()


def test_upload_shorter_than_announced_is_incomplete() -> None:
    seal = verify(S3_KEY, "2013-05-24T00:00:00Z", CHUNKED_REQUEST)
    assert seal is not None
    with pytest.raises(AwsError, match="IncompleteBody"):
        decode_body(seal, CHUNKS, decoded_bytes=66561)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"zz\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"-5;chunk-signature=" + b"0" * 64 + b"\r\n",
        b"ffffffffff;chunk-signature=" + b"0" * 64 + b"\r\n",
        b"a" * 5000,
    ],
)
def test_malformed_chunks_are_an_error_of_the_client(body: bytes) -> None:
    seal = verify(S3_KEY, "2013-05-24T00:00:00Z", CHUNKED_REQUEST)
    assert seal is not None
    with pytest.raises((AwsError, AuthFailure)):
        decode_body(seal, body, decoded_bytes=66560)
