"""Objects over a real listener and a real store: signatures, streams, versions, blobs that end."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import io
import os
import resource
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
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

MIB = 1024 * 1024


def client_of(rig: S3Rig, **config: Any) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{rig.port}",
        region_name="us-east-1",
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


def serve(folder: Path, *steps: Callable[[S3Rig], Awaitable[None]]) -> None:
    """Run each step on a platform of its own, all on one folder."""

    async def run() -> None:
        for index, step in enumerate(steps):
            async with open_s3(folder) as rig:
                if not index:
                    await rig.make_bucket("plain")
                    await rig.make_bucket("versioned", versioning="Enabled")
                await step(rig)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def blocking(work: Callable[[S3Rig, Any], None]) -> Callable[[S3Rig], Awaitable[None]]:
    return lambda rig: asyncio.to_thread(work, rig, client_of(rig))


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"]


def exchange(
    rig: S3Rig, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=30)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    connection.request(method, target, body, {"Host": parts.netloc, **(headers or {})})
    response = connection.getresponse()
    try:
        return response.status, response.read()
    finally:
        connection.close()


def test_what_is_put_is_what_every_way_of_reading_gives(tmp_path: Path) -> None:
    big = os.urandom(3 * MIB + 17)

    def put_and_read(rig: S3Rig, s3: Any) -> None:
        for key, body in (("empty", b""), ("small/ü +%", b"hello"), ("big", big)):
            put = s3.put_object(Bucket="plain", Key=key, Body=body, Metadata={"A": "b"})
            assert put["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        got = s3.get_object(Bucket="plain", Key="small/ü +%")
        assert (got["Body"].read(), got["Metadata"]) == (b"hello", {"a": "b"})
        assert s3.head_object(Bucket="plain", Key="empty")["ContentLength"] == 0
        part = s3.get_object(Bucket="plain", Key="big", Range="bytes=262140-1048600")
        assert part["Body"].read() == big[262140:1048601]
        assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert part["ContentRange"] == f"bytes 262140-1048600/{len(big)}"
        etag = s3.head_object(Bucket="plain", Key="big")["ETag"]
        assert code_of(lambda: s3.get_object(Bucket="plain", Key="big", IfNoneMatch=etag)) == "304"
        assert code_of(lambda: s3.get_object(Bucket="plain", Key="big", IfMatch="no")) == (
            "PreconditionFailed"
        )
        assert code_of(lambda: s3.get_object(Bucket="plain", Key="no")) == "NoSuchKey"
        assert code_of(lambda: s3.head_object(Bucket="plain", Key="no")) == "404"
        assert code_of(
            lambda: s3.get_object(Bucket="plain", Key="big", Range=f"bytes={len(big)}-")
        ) == ("InvalidRange")
        assert (
            code_of(lambda: s3.put_object(Bucket="plain", Key="big", Body=b"x", IfNoneMatch="*"))
            == "PreconditionFailed"
        )
        assert code_of(lambda: s3.put_object(Bucket="none", Key="k", Body=big)) == "NoSuchBucket"

    def read_again(rig: S3Rig, s3: Any) -> None:
        assert s3.get_object(Bucket="plain", Key="big")["Body"].read() == big
        assert s3.get_object(Bucket="plain", Key="small/ü +%")["Body"].read() == b"hello"

    serve(tmp_path, blocking(put_and_read), blocking(read_again))


def test_bytes_that_are_not_what_was_announced_leave_nothing_behind(tmp_path: Path) -> None:
    body = os.urandom(MIB)

    def send(rig: S3Rig, s3: Any) -> None:
        wrong = base64.b64encode(hashlib.md5(b"x", usedforsecurity=False).digest()).decode()
        put = partial(s3.put_object, Bucket="plain", Key="k", Body=body)
        assert code_of(lambda: put(ContentMD5=wrong)) == "BadDigest"
        assert code_of(lambda: put(ChecksumSHA256=base64.b64encode(bytes(32)).decode())) == (
            "BadDigest"
        )
        assert code_of(lambda: put(ChecksumCRC32="bm8=")) == "InvalidRequest"
        # The digest that is signed is not that of what follows.
        url = f"http://127.0.0.1:{rig.port}/plain/k"
        signed = AWSRequest("PUT", url, data=b"other", headers={})
        S3SigV4Auth(Credentials("AKID", "secret"), "s3", "us-east-1").add_auth(signed)
        status, text = exchange(rig, "PUT", url, b"bytes", dict(signed.headers.items()))
        assert (status, b"XAmzContentSHA256Mismatch" in text) == (400, True)
        assert code_of(lambda: s3.get_object(Bucket="plain", Key="k")) == "NoSuchKey"
        assert rig.blob_count() == 0

    async def cut(rig: S3Rig) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        url = f"http://127.0.0.1:{rig.port}/plain/k"
        signed = AWSRequest("PUT", url, data=b"", headers={"X-Amz-Content-SHA256": ""})
        auth = S3SigV4Auth(Credentials("AKID", "secret"), "s3", "us-east-1")
        signed.context["payload_signing_enabled"] = False
        auth.add_auth(signed)
        lines = [f"{name}: {value}" for name, value in signed.headers.items()]
        lines += [f"host: 127.0.0.1:{rig.port}", f"content-length: {4 * MIB}"]
        writer.write("\r\n".join(["PUT /plain/k HTTP/1.1", *lines, "", ""]).encode())
        writer.write(body * 2)
        await writer.drain()
        await asyncio.to_thread(eventually, lambda: rig.blob_count() == 1, 20)
        writer.close()
        await asyncio.to_thread(eventually, lambda: rig.blob_count() == 0, 20)

    serve(tmp_path, blocking(send), cut)


def test_blobs_live_exactly_as_long_as_something_is_made_of_them(tmp_path: Path) -> None:
    body = os.urandom(MIB)

    def share(rig: S3Rig, s3: Any) -> None:
        s3.put_object(Bucket="plain", Key="a", Body=body)
        s3.put_object(Bucket="plain", Key="b", Body=body)
        s3.copy_object(Bucket="versioned", Key="c", CopySource={"Bucket": "plain", "Key": "a"})
        assert rig.blob_count() == 1
        s3.put_object(Bucket="plain", Key="a", Body=b"small")
        s3.delete_object(Bucket="plain", Key="b")
        s3.delete_object(Bucket="versioned", Key="c")

    async def still_there(rig: S3Rig) -> None:
        # What a crash between a blob and its row leaves is gone with the next start.
        assert rig.blob_count() == 1
        await rig.objects.vault.blobs.put(b"nobody's")

    async def let_go(rig: S3Rig) -> None:
        assert rig.blob_count() == 1

        def delete() -> None:
            s3 = client_of(rig)
            versions = s3.get_object_attributes(
                Bucket="versioned", Key="c", ObjectAttributes=["ETag"], VersionId=marked
            )
            assert versions

        marked = await rig.store.read(
            lambda db: db.one(
                "SELECT version_id FROM s3_version WHERE object_key = 'c' AND is_delete_marker = 0"
            )["version_id"]
        )
        await asyncio.to_thread(delete)
        await asyncio.to_thread(
            lambda: client_of(rig).delete_object(Bucket="versioned", Key="c", VersionId=marked)
        )
        await asyncio.to_thread(eventually, lambda: rig.blob_count() == 0, 20)

    serve(tmp_path, blocking(share), still_there, let_go)


def test_an_upload_in_parts_is_one_object_and_an_aborted_one_is_nothing(tmp_path: Path) -> None:
    body = os.urandom(12 * MIB)

    def upload(rig: S3Rig, s3: Any) -> None:
        s3.upload_fileobj(io.BytesIO(body), "plain", "m")
        digests = [
            hashlib.md5(body[at : at + 8 * MIB], usedforsecurity=False).digest()
            for at in (0, 8 * MIB)
        ]
        etag = hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest() + "-2"
        head = s3.head_object(Bucket="plain", Key="m", PartNumber=2)
        assert (head["ETag"], head["PartsCount"]) == (f'"{etag}"', 2)
        assert head["ContentLength"] == 4 * MIB
        across = s3.get_object(Bucket="plain", Key="m", Range=f"bytes={8 * MIB - 3}-{8 * MIB + 3}")
        assert across["Body"].read() == body[8 * MIB - 3 : 8 * MIB + 4]
        parts = s3.get_object_attributes(
            Bucket="plain", Key="m", ObjectAttributes=["ObjectParts", "Checksum", "ObjectSize"]
        )
        assert parts["ObjectParts"]["TotalPartsCount"] == 2
        assert parts["ObjectSize"] == len(body)

        begun = s3.create_multipart_upload(
            Bucket="plain", Key="x", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
        )["UploadId"]
        of = {"Bucket": "plain", "Key": "x", "UploadId": begun}
        first = s3.upload_part(**of, PartNumber=1, Body=body[: 6 * MIB])
        s3.upload_part(**of, PartNumber=2, Body=b"replaced")
        second = s3.upload_part_copy(
            **of,
            PartNumber=2,
            CopySource={"Bucket": "plain", "Key": "m"},
            CopySourceRange=f"bytes={6 * MIB}-{len(body) - 1}",
        )["CopyPartResult"]
        assert [part["Size"] for part in s3.list_parts(**of)["Parts"]] == [6 * MIB, 6 * MIB]
        listed = s3.list_multipart_uploads(Bucket="plain", Prefix="x")["Uploads"]
        assert [each["UploadId"] for each in listed] == [begun]
        chosen = [{"PartNumber": 1, "ETag": first["ETag"]}, {"PartNumber": 2, "ETag": "no"}]
        complete = partial(s3.complete_multipart_upload, **of, MultipartUpload={"Parts": chosen})
        assert code_of(complete) == "InvalidPart"
        chosen.reverse()
        assert code_of(complete) == "InvalidPartOrder"
        chosen.reverse()
        chosen[1]["ETag"] = second["ETag"]
        done = complete()
        whole = s3.put_object(Bucket="plain", Key="y", Body=body, ChecksumAlgorithm="CRC32")
        assert done["ChecksumCRC32"] == whole["ChecksumCRC32"]
        assert s3.get_object(Bucket="plain", Key="x")["Body"].read() == body
        assert code_of(complete) == "NoSuchUpload"

        for key in ("m", "x", "y"):
            s3.delete_object(Bucket="plain", Key=key)
        left = s3.create_multipart_upload(Bucket="plain", Key="x")["UploadId"]
        of["UploadId"] = left
        s3.upload_part(**of, PartNumber=7, Body=b"small")
        s3.abort_multipart_upload(**of)
        assert code_of(lambda: s3.list_parts(**of)) == "NoSuchUpload"

    async def run(rig: S3Rig) -> None:
        await asyncio.to_thread(upload, rig, client_of(rig))
        await asyncio.to_thread(eventually, lambda: rig.blob_count() == 0, 20)

    serve(tmp_path, run)


def test_versions_markers_and_what_is_newest(tmp_path: Path) -> None:
    def change(rig: S3Rig, s3: Any) -> None:
        named = {"Bucket": "versioned", "Key": "k"}
        ids = [s3.put_object(**named, Body=b"%d" % n)["VersionId"] for n in range(3)]
        assert s3.get_object(**named)["Body"].read() == b"2"
        assert s3.get_object(**named, VersionId=ids[0])["Body"].read() == b"0"
        marker = s3.delete_object(**named)
        assert marker["DeleteMarker"]
        assert code_of(lambda: s3.get_object(**named)) == "NoSuchKey"
        assert code_of(lambda: s3.get_object(**named, VersionId=marker["VersionId"])) == (
            "MethodNotAllowed"
        )
        assert code_of(lambda: s3.get_object(**named, VersionId="none")) == "NoSuchVersion"
        s3.delete_object(**named, VersionId=marker["VersionId"])
        s3.delete_object(**named, VersionId=ids[2])
        assert s3.get_object(**named)["VersionId"] == ids[1]
        s3.put_object_tagging(**named, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
        assert s3.get_object_tagging(**named)["TagSet"] == [{"Key": "a", "Value": "b"}]
        assert s3.get_object_tagging(**named, VersionId=ids[0])["TagSet"] == []
        s3.delete_object_tagging(**named)
        assert s3.get_object_tagging(**named)["TagSet"] == []

    serve(tmp_path, blocking(change))


def test_a_copy_takes_over_or_replaces_what_is_said_of_the_source(tmp_path: Path) -> None:
    def copy(rig: S3Rig, s3: Any) -> None:
        source = {"Bucket": "plain", "Key": "s p+ü"}
        s3.put_object(**source, Body=b"x", Metadata={"a": "1"}, Tagging="t=1", ContentType="a/b")
        taken = {"Bucket": "plain", "Key": "t", "CopySource": source}
        s3.copy_object(**taken)
        head = s3.head_object(Bucket="plain", Key="t")
        assert (head["Metadata"], head["ContentType"]) == ({"a": "1"}, "a/b")
        assert s3.get_object_tagging(Bucket="plain", Key="t")["TagSet"][0]["Key"] == "t"
        s3.copy_object(
            **taken, MetadataDirective="REPLACE", Metadata={"b": "2"}, TaggingDirective="REPLACE"
        )
        head = s3.head_object(Bucket="plain", Key="t")
        assert (head["Metadata"], head["ContentType"]) == ({"b": "2"}, "binary/octet-stream")
        assert s3.get_object_tagging(Bucket="plain", Key="t")["TagSet"] == []
        assert code_of(lambda: s3.copy_object(**source, CopySource=source)) == "InvalidRequest"
        assert code_of(lambda: s3.copy_object(**taken, CopySourceIfMatch="no")) == (
            "PreconditionFailed"
        )
        deleted = s3.delete_objects(
            Bucket="plain", Delete={"Objects": [{"Key": "t"}, {"Key": "none"}]}
        )["Deleted"]
        assert [each["Key"] for each in deleted] == ["t", "none"]

    serve(tmp_path, blocking(copy))


@pytest.mark.parametrize("signature", ["s3", "s3v4"])
def test_a_presigned_url_lets_in_whoever_has_it_and_nobody_else(
    tmp_path: Path, signature: str
) -> None:
    def sign(rig: S3Rig, s3: Any) -> None:
        s3 = client_of(rig, signature_version=signature)
        named = {"Bucket": "plain", "Key": "a b/ü+"}
        put = s3.generate_presigned_url("put_object", Params=named)
        assert exchange(rig, "PUT", put, b"hello")[0] == 200
        get = s3.generate_presigned_url(
            "get_object", Params={**named, "ResponseContentType": "text/x"}, ExpiresIn=60
        )
        assert exchange(rig, "GET", get) == (200, b"hello")
        status, text = exchange(rig, "GET", get.replace("text", "tex"))
        assert (status, b"<Code>SignatureDoesNotMatch</Code>" in text) == (403, True)
        assert exchange(rig, "DELETE", get)[0] == 403
        over = client_of(rig, signature_version="s3").generate_presigned_url(
            "get_object", Params=named, ExpiresIn=-1
        )
        status, text = exchange(rig, "GET", over)
        assert (status, b"<Code>AccessDenied</Code>" in text) == (403, True)

    serve(tmp_path, blocking(sign))


@pytest.mark.parametrize(
    "host", ["plain.s3.localhost", "plain.localhost", "plain.s3.eu-west-1.amazonaws.com"]
)
def test_a_bucket_may_be_in_the_host(tmp_path: Path, host: str) -> None:
    def address(rig: S3Rig, s3: Any) -> None:
        url = f"http://{host}:{rig.port}/k/e y"
        for method, body in (("PUT", b"hello"), ("GET", b"")):
            request = AWSRequest(method, url.replace(" ", "%20"), data=body, headers={})
            S3SigV4Auth(Credentials("AKID", "secret"), "s3", "eu-west-1").add_auth(request)
            answer = exchange(rig, method, request.url, body, dict(request.headers.items()))
        assert answer == (200, b"hello")
        assert s3.get_object(Bucket="plain", Key="k/e y")["Body"].read() == b"hello"

    serve(tmp_path, blocking(address))


class _Zeros(io.RawIOBase):
    """Many bytes that need no memory."""

    def __init__(self, size: int) -> None:
        self._size, self._at = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._at
        size = left if size < 0 else min(size, left)
        self._at += size
        return bytes(size)


def _chunks(body: Any) -> Iterator[bytes]:
    return body.iter_chunks(MIB)


def test_a_long_object_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    size = 64 * MIB

    def stream(rig: S3Rig, s3: Any) -> None:
        s3.put_object(Bucket="plain", Key="short", Body=b"x")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        s3 = client_of(rig, s3={"payload_signing_enabled": False})
        s3.put_object(Bucket="plain", Key="long", Body=_Zeros(size))
        got = s3.get_object(Bucket="plain", Key="long")["Body"]
        assert sum(map(len, _chunks(got))) == size
        # Of this process, the client included; in KiB.
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 48 * 1024

    serve(tmp_path, blocking(stream))
