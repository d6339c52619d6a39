"""What strangers and holders of links try on S3: more than was signed, and uploads cut short."""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import uvloop
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from alonzo.testing.s3 import S3Rig, open_s3
from alonzo.testing.waiting import eventually

# libuv keeps a pipe for signals from its first loop to the end of the process.
uvloop.new_event_loop().close()


def on_rig(folder: Path, work: Callable[[S3Rig], None]) -> None:
    """Do something to a platform with a bucket that keeps versions."""

    async def run() -> None:
        async with open_s3(folder) as rig:
            await rig.make_bucket("bucket", versioning="Enabled")
            await asyncio.to_thread(work, rig)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def client_of(rig: S3Rig, signature: str | None = None) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{rig.port}",
        region_name="us-east-1",
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}, signature_version=signature),
    )


def ask(
    rig: S3Rig, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection("127.0.0.1", rig.port, timeout=30)) as connection:
        connection.request(method, f"{parts.path}?{parts.query}", body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()


def signed(
    rig: S3Rig, key: str, body: bytes, digest: str, *, secret: str = "secret"
) -> dict[str, str]:
    """The headers of a PutObject that claims a digest."""
    url = f"http://127.0.0.1:{rig.port}/bucket/{key}"
    request = AWSRequest("PUT", url, data=body, headers={})
    signer = S3SigV4Auth(Credentials("AKID", secret), "s3", "us-east-1")
    signer.payload = lambda _: digest  # pyright: ignore[reportAttributeAccessIssue]  botocore has no other way
    signer.add_auth(request)
    return dict(request.headers.items())


def test_a_link_of_the_old_kind_gives_no_more_than_was_signed(tmp_path: Path) -> None:
    def try_links(rig: S3Rig) -> None:
        s3, old = client_of(rig), client_of(rig, "s3")
        first = s3.put_object(Bucket="bucket", Key="k", Body=b"first")["VersionId"]
        s3.put_object(Bucket="bucket", Key="k", Body=b"second", Tagging="a=b")
        named = {"Bucket": "bucket", "Key": "k"}
        get = old.generate_presigned_url("get_object", Params=named)
        put = old.generate_presigned_url("put_object", Params=named)
        assert ask(rig, "GET", get) == (200, b"second")
        for more in (
            f"versionId={first}",
            f"%76ersionId={first}",
            "%72esponse-content-type=text/html",
            "%74agging",
            "attributes",
        ):
            assert ask(rig, "GET", f"{get}&{more}")[0] == 403, more
        assert ask(rig, "PUT", f"{put}&%74agging", b"<Tagging><TagSet/></Tagging>")[0] == 403
        assert s3.get_object_tagging(**named)["TagSet"] == [{"Key": "a", "Value": "b"}]

    on_rig(tmp_path, try_links)


def test_a_query_that_only_looks_like_a_signature_is_none(tmp_path: Path) -> None:
    def try_query(rig: S3Rig) -> None:
        query = "xAWSAccessKeyId=AKID&xSignature=x&Expires=1"
        assert ask(rig, "GET", f"/bucket/k?{query}")[0] == 404

    on_rig(tmp_path, try_query)


def test_a_stranger_gets_the_headers_that_were_stored(tmp_path: Path) -> None:
    def try_override(rig: S3Rig) -> None:
        client_of(rig).put_object(Bucket="bucket", Key="k", Body=b"<script>")
        assert ask(rig, "GET", "/bucket/k") == (200, b"<script>")
        status, text = ask(rig, "GET", "/bucket/k?response-content-type=text/html")
        assert (status, b"<Code>InvalidRequest</Code>" in text) == (400, True)

    on_rig(tmp_path, try_override)


@pytest.mark.parametrize("digest", ["anything", "E3" * 32])
def test_a_signed_digest_that_is_none_agrees_with_no_body(tmp_path: Path, digest: str) -> None:
    def put(rig: S3Rig) -> None:
        status, text = ask(rig, "PUT", "/bucket/k", b"body", signed(rig, "k", b"body", digest))
        assert (status, b"<Code>XAmzContentSHA256Mismatch</Code>" in text) == (400, True)
        assert ask(rig, "GET", "/bucket/k")[0] == 404

    on_rig(tmp_path, put)


def test_a_negative_number_of_parts_is_refused(tmp_path: Path) -> None:
    def ask_for(rig: S3Rig) -> None:
        s3 = client_of(rig)
        named = {"Bucket": "bucket", "Key": "k"}
        upload = {**named, "UploadId": s3.create_multipart_upload(**named)["UploadId"]}
        part = {"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]}
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
        with pytest.raises(ClientError, match="InvalidArgument"):
            s3.get_object_attributes(**named, ObjectAttributes=["ObjectParts"], MaxParts=-1)

    on_rig(tmp_path, ask_for)


def head_of(rig: S3Rig, length: int, *more: str, secret: str = "secret") -> bytes:
    fields = signed(rig, "k", b"", "UNSIGNED-PAYLOAD", secret=secret)
    fields |= {"Host": f"127.0.0.1:{rig.port}", "Content-Length": str(length)}
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(["PUT /bucket/k? HTTP/1.1", *lines, *more, "", ""]).encode()


def test_after_a_refused_upload_its_body_is_no_request(tmp_path: Path) -> None:
    smuggled = b"GET /bucket/secret HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * 2000
    after = b"GET /bucket/none HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"

    def refuse(rig: S3Rig) -> None:
        client_of(rig).put_object(Bucket="bucket", Key="secret", Body=b"TOP SECRET")
        for more in ((), ("Expect: 100-continue",)):
            with closing(socket.create_connection(("127.0.0.1", rig.port), 30)) as wire:
                wire.sendall(head_of(rig, len(smuggled), *more, secret="wrong"))
                answer = wire.recv(65536)
                assert answer.startswith(b"HTTP/1.1 403 "), answer
                try:
                    wire.sendall(smuggled + after)
                    while piece := wire.recv(65536):
                        answer += piece
                except ConnectionError:
                    pass
                assert b"TOP SECRET" not in answer
                assert answer.count(b"HTTP/1.1 404 ") == (not more)

    on_rig(tmp_path, refuse)


def test_uploads_that_break_off_leave_nothing(tmp_path: Path) -> None:
    def break_off(rig: S3Rig) -> None:
        for sent in (0, 100, 20_000, 600_000, 1_999_999):
            with closing(socket.create_connection(("127.0.0.1", rig.port), 30)) as wire:
                wire.sendall(head_of(rig, 2_000_000) + b"x" * sent)
                if sent > 300_000:
                    eventually(lambda: rig.blob_count() > 0, 20)
            eventually(lambda: rig.blob_count() == 0, 20)
        assert ask(rig, "GET", "/bucket/k")[0] == 404

    on_rig(tmp_path, break_off)
