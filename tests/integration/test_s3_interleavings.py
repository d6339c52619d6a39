"""What happens to objects between two steps of somebody else; how few steps a start takes."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
import uvloop
from botocore.config import Config
from botocore.exceptions import ClientError

from alonzo.services.s3.objects import multipart
from alonzo.store.base import Connection
from alonzo.store.sqlite import SqliteStore
from alonzo.testing.s3 import S3Rig, open_s3

# libuv keeps a pipe for signals from its first loop to the end of the process.
uvloop.new_event_loop().close()

T = TypeVar("T")
FIRST, SECOND = os.urandom(5 * 1024**2), os.urandom(100_000)


def serve(folder: Path, work: Callable[[S3Rig, Any], Awaitable[None]]) -> None:
    """Do something to a platform with a bucket, and with a client of it."""

    async def run() -> None:
        async with open_s3(folder, working=False) as rig:
            await rig.make_bucket("bucket")
            s3 = boto3.client(
                "s3",
                endpoint_url=f"http://127.0.0.1:{rig.port}",
                region_name="us-east-1",
                aws_access_key_id="AKID",
                aws_secret_access_key="secret",
                config=Config(retries={"total_max_attempts": 1}),
            )
            try:
                await work(rig, s3)
            finally:
                s3.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def put_in_parts(s3: Any, key: str, *parts: bytes) -> None:
    upload = {"Bucket": "bucket", "Key": key}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    listed = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(**upload, PartNumber=number, Body=part)["ETag"],
        }
        for number, part in enumerate(parts, 1)
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})


def before_the_hold(rig: S3Rig, change: Callable[[], Awaitable[None]]) -> None:
    """Have something happen once, between finding a version and holding its blobs."""
    vault = rig.objects.vault
    reading, left = vault.reading, [change]

    @asynccontextmanager
    async def late(*digests: str) -> AsyncGenerator[None]:
        if left:
            await left.pop()()
        async with reading(*digests):
            yield

    vault.reading = late


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_what_goes_between_finding_and_holding_it_is_never_half_an_answer(
    tmp_path: Path, replaced: bool
) -> None:
    async def read(rig: S3Rig, s3: Any) -> None:
        await asyncio.to_thread(put_in_parts, s3, "k", FIRST, SECOND)
        # The first blob stays: it is the second that is missing.
        await asyncio.to_thread(s3.put_object, Bucket="bucket", Key="other", Body=FIRST)

        async def change() -> None:
            if replaced:
                await asyncio.to_thread(s3.put_object, Bucket="bucket", Key="k", Body=FIRST)
            else:
                await asyncio.to_thread(s3.delete_object, Bucket="bucket", Key="k")
            await rig.objects.vault.sweep()

        before_the_hold(rig, change)
        named = {"Bucket": "bucket", "Key": "k"}
        if replaced:
            body = await asyncio.to_thread(lambda: s3.get_object(**named)["Body"].read())
            assert body == FIRST
        else:
            with pytest.raises(ClientError, match="NoSuchKey"):
                await asyncio.to_thread(s3.get_object, **named)

    serve(tmp_path, read)


def test_a_source_that_goes_while_it_is_copied_is_an_error_of_the_request(tmp_path: Path) -> None:
    async def copy(rig: S3Rig, s3: Any) -> None:
        await asyncio.to_thread(put_in_parts, s3, "k", FIRST, SECOND)
        upload = {"Bucket": "bucket", "Key": "copy"}
        made = await asyncio.to_thread(s3.create_multipart_upload, **upload)

        async def change() -> None:
            await asyncio.to_thread(s3.delete_object, Bucket="bucket", Key="k")
            await rig.objects.vault.sweep()

        before_the_hold(rig, change)
        with pytest.raises(ClientError, match="InvalidRequest"):
            await asyncio.to_thread(
                s3.upload_part_copy,
                **upload,
                UploadId=made["UploadId"],
                PartNumber=1,
                CopySource="bucket/k",
            )

    serve(tmp_path, copy)


def test_a_deletion_under_way_does_not_cut_a_read(tmp_path: Path) -> None:
    async def read(rig: S3Rig, s3: Any) -> None:
        await asyncio.to_thread(put_in_parts, s3, "k", FIRST, SECOND)
        body = (await asyncio.to_thread(s3.get_object, Bucket="bucket", Key="k"))["Body"]
        begun = await asyncio.to_thread(body.read, 1000)
        await asyncio.to_thread(s3.delete_object, Bucket="bucket", Key="k")
        await rig.objects.vault.sweep()
        assert begun + await asyncio.to_thread(body.read) == FIRST + SECOND
        async with asyncio.timeout(20):
            # The client has the last byte before the platform lets go of the blobs.
            while rig.blob_count():
                await asyncio.sleep(0.01)
                await rig.objects.vault.sweep()

    serve(tmp_path, read)


@pytest.mark.parametrize(("times", "code"), [(1, ""), (9, "OperationAborted")])
def test_a_part_that_is_replaced_while_its_upload_is_completed_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, code: str
) -> None:
    whole, left = multipart._whole, list(range(times))

    async def complete(rig: S3Rig, s3: Any) -> None:
        upload = {"Bucket": "bucket", "Key": "k"}
        made = await asyncio.to_thread(s3.create_multipart_upload, **upload)
        upload["UploadId"] = made["UploadId"]

        def put() -> str:
            return s3.upload_part(**upload, PartNumber=1, Body=SECOND)["ETag"]

        def replaced(*arguments: Any) -> Any:
            if left:
                left.pop()
                put()
            return whole(*arguments)

        monkeypatch.setattr(multipart, "_whole", replaced)
        parts = {"Parts": [{"PartNumber": 1, "ETag": await asyncio.to_thread(put)}]}
        ends = partial(s3.complete_multipart_upload, **upload, MultipartUpload=parts)
        if code:
            with pytest.raises(ClientError, match=code):
                await asyncio.to_thread(ends)
            return
        await asyncio.to_thread(ends)
        got = await asyncio.to_thread(s3.get_object, Bucket="bucket", Key="k")
        assert await asyncio.to_thread(got["Body"].read) == SECOND

    serve(tmp_path, complete)


def test_a_start_asks_the_store_about_many_blobs_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "objects"
    folder.mkdir()
    for number in range(1500):
        (folder / hashlib.sha256(str(number).encode()).hexdigest()).touch()
    calls: list[str] = []
    for name in ("read", "tx"):
        count(monkeypatch, name, calls)

    async def look(rig: S3Rig, _: Any) -> None:
        assert rig.blob_count() == 0
        assert len(calls) < 40

    serve(tmp_path, look)


def count(monkeypatch: pytest.MonkeyPatch, name: str, calls: list[str]) -> None:
    call = getattr(SqliteStore, name)

    async def counted(store: SqliteStore, work: Callable[[Connection], T]) -> T:
        calls.append(name)
        return await call(store, work)

    monkeypatch.setattr(SqliteStore, name, counted)
