"""Objects under keys of KMS over a real store: what lies on the disk, restarts, keys that end."""

import asyncio
import json
import os
from contextlib import asynccontextmanager

import pytest

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.kms import api as kms_api
from alonzo.services.kms.encryption import Encryption
from alonzo.services.kms.keeper import Keeper
from alonzo.services.kms.use import KeyUse
from alonzo.services.kms.vault import Vault
from alonzo.services.s3.api import Buckets, operations
from alonzo.services.s3.objects.keys import BUCKET_KEY_AGE_S_MAX
from alonzo.store.blobs import BlobStore
from alonzo.store.sqlite import SqliteStore
from alonzo.testing.waiting import eventually

ACCOUNT = "123456789012"
DAY = 86_400.0
KMS = {"ServerSideEncryption": "aws:kms"}
MARKER = os.urandom(16).hex().encode()
SMALL, LONG = MARKER * 2, os.urandom(40_000) + MARKER + os.urandom(600_000)


class Rig:
    """S3 and KMS on one folder; notes what is asked, and lets everybody in until told otherwise."""

    def __init__(self, folder, store, clock):
        self.folder, self.clock, self.asked, self.lets_in = folder, clock, [], True
        self.vault = Vault(store, b"m" * 32, clock=clock, ids=SystemIds())
        use = KeyUse(self.vault)
        blobs = BlobStore(folder / "objects", b"b" * 32)
        self.blobs = blobs
        self.buckets = Buckets(
            store,
            blobs,
            None,
            encryption=Encryption(use, self._authorize),
            key=b"k" * 32,
            clock=clock,
            ids=SystemIds(),
        )
        self._operations = {**kms_api.operations(use), **operations(self.buckets)}

    async def _authorize(self, context, service, action, params):
        self.asked.append((action, params["EncryptionContext"], params["kms:ViaService"]))
        if not self.lets_in:
            raise AwsError("AccessDeniedException", "no", status=403)

    async def __call__(self, operation, **params):
        root = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIA", is_root=True)
        context = RequestContext("R", ACCOUNT, "us-east-1", root, "http://localhost", "1.2.3.4")
        return await self._operations[operation](context, params)

    async def put(self, key, body, **params):
        return await self("PutObject", Bucket="bucket", Key=key, Body=body, **params)

    async def get(self, key, **params):
        body = (await self("GetObject", Bucket="bucket", Key=key, **params))["Body"]
        return body if isinstance(body, bytes) else b"".join([part async for part in body])

    async def refusal(self, key):
        with pytest.raises(AwsError) as caught:
            await self.get(key)
        return caught.value.code

    async def key(self):
        return (await self("CreateKey"))["KeyMetadata"]["Arn"]

    def files(self):
        return {path.name for path in (self.folder / "objects").iterdir()} - {"key-check"}


@asynccontextmanager
async def opened(folder, at_s=20_000 * DAY):
    clock = ManualClock(at_s)
    store = await SqliteStore.open(folder / "a.db", clock=clock)
    rig = Rig(folder, store, clock)
    await rig.vault.open()
    await rig.buckets.open()
    try:
        yield rig
    finally:
        rig.blobs.close()
        await store.close()


def test_what_a_key_sealed_is_nowhere_in_plain_and_goes_with_the_key(tmp_path):
    async def write():
        async with opened(tmp_path) as s3:
            await s3("CreateBucket", Bucket="bucket")
            key, other = await s3.key(), await s3.key()
            for name, body in (("small", SMALL), ("long", LONG), ("empty", b"")):
                await s3.put(name, body, SSEKMSKeyId=key, **KMS)
                await s3.put(f"other-{name}", body, SSEKMSKeyId=other, **KMS)
                await s3.put(f"plain-{name}", body)
            assert s3.asked[0] == (
                "GenerateDataKey",
                {"aws:s3:arn": "arn:aws:s3:::bucket/small"},
                "s3.us-east-1.amazonaws.com",
            )
            # The same content under three keys is three blobs, and none goes with another.
            assert len(s3.files()) == 3
            return key

    async def read_and_end(key):
        async with opened(tmp_path) as s3:
            for name, body in (("small", SMALL), ("long", LONG), ("empty", b"")):
                assert await s3.get(name) == body
            assert await s3.get("long", Range="bytes=262143-524300") == LONG[262143:524301]
            await s3("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
            assert await s3.refusal("small") == "KMS.KMSInvalidStateException"

    async def read_after(key):
        async with opened(tmp_path, 20_008 * DAY) as s3:
            kept = {"key_id": key.rpartition("/")[2]}
            sealed = "SELECT sealed FROM kms_material WHERE key_id = :key_id"
            row = await s3.buckets.store.read(lambda db: db.one(sealed, kept))
            assert not await Keeper(s3.vault).tidy()
            files = list(tmp_path.glob("a.db*"))
            await asyncio.to_thread(
                eventually, lambda: not any(row["sealed"] in f.read_bytes() for f in files), 40
            )
            for name in ("small", "long", "empty"):
                assert await s3.refusal(name) == "KMS.NotFoundException"
            assert await s3.get("other-long") == await s3.get("plain-long") == LONG
            await s3("DeleteObject", Bucket="bucket", Key="plain-long")
            await s3.buckets.objects.vault.sweep()
            assert await s3.get("other-long") == LONG

    with asyncio.Runner() as runner:
        key = runner.run(write())
        for path in tmp_path.rglob("*"):
            assert path.is_dir() or MARKER not in path.read_bytes(), path
        runner.run(read_and_end(key))
        runner.run(read_after(key))


def test_a_bucket_key_serves_one_caller_for_a_while_and_ends_with_any_change_of_keys(tmp_path):
    async def sealed_keys(s3):
        rows = await s3.buckets.store.read(lambda db: db.all("SELECT document FROM s3_version", {}))
        return {json.loads(row["document"])["at_rest"]["data_key"] for row in rows}

    async def run():
        async with opened(tmp_path) as s3:
            await s3("CreateBucket", Bucket="bucket")
            key = await s3.key()
            for name in ("a", "b", "c"):
                await s3.put(name, SMALL, SSEKMSKeyId=key, BucketKeyEnabled=True, **KMS)
            bucket = {"aws:s3:arn": "arn:aws:s3:::bucket"}
            # One key, and yet each time it is asked whether the caller may have it.
            assert [context for _, context, _ in s3.asked] == [bucket] * 3
            assert len(await sealed_keys(s3)) == 1
            s3.lets_in = False
            with pytest.raises(AwsError) as caught:
                await s3.put("d", SMALL, SSEKMSKeyId=key, BucketKeyEnabled=True, **KMS)
            assert caught.value.code == "AccessDenied"
            s3.lets_in = True
            s3.clock.advance(BUCKET_KEY_AGE_S_MAX)
            await s3.put("d", SMALL, SSEKMSKeyId=key, BucketKeyEnabled=True, **KMS)
            assert len(await sealed_keys(s3)) == 2
            await s3("DisableKey", KeyId=key)
            with pytest.raises(AwsError, match="is disabled"):
                await s3.put("e", SMALL, SSEKMSKeyId=key, BucketKeyEnabled=True, **KMS)
            await s3("EnableKey", KeyId=key)
            assert [await s3.get(name) for name in "abcd"] == [SMALL] * 4

    asyncio.run(run())


def test_bytes_of_one_object_do_not_open_as_anothers(tmp_path):
    """Whoever can write to the disk cannot have an object answer with what another holds."""

    async def run():
        async with opened(tmp_path) as s3:
            await s3("CreateBucket", Bucket="bucket")
            key = await s3.key()
            for name, body in (("a", SMALL), ("b", b"B" * len(SMALL))):
                await s3.put(name, body, SSEKMSKeyId=key, BucketKeyEnabled=True, **KMS)
            await s3.buckets.store.tx(
                lambda db: db.execute(
                    "UPDATE s3_version SET content = (SELECT content FROM s3_version "
                    "WHERE object_key = 'b') WHERE object_key = 'a'",
                    {},
                )
            )
            with pytest.raises(Exception, match="damaged"):
                await s3.get("a")
            assert await s3.get("b") == b"B" * len(SMALL)

    asyncio.run(run())


def test_parts_of_an_object_do_not_change_places(tmp_path):
    async def run():
        async with opened(tmp_path) as s3:
            await s3("CreateBucket", Bucket="bucket")
            place = {"Bucket": "bucket", "Key": "k"}
            begun = await s3("CreateMultipartUpload", **place, **KMS)
            of = place | {"UploadId": begun["UploadId"]}
            bodies = [os.urandom(5 * 1024**2), os.urandom(5 * 1024**2)]
            parts = [
                {
                    "PartNumber": n,
                    "ETag": (await s3("UploadPart", PartNumber=n, Body=b, **of))["ETag"],
                }
                for n, b in enumerate(bodies, 1)
            ]
            await s3("CompleteMultipartUpload", MultipartUpload={"Parts": parts}, **of)
            assert await s3.get("k") == b"".join(bodies)
            for number in ("number + 10", "13 - number"):
                change = f"UPDATE s3_piece SET number = {number}"
                await s3.buckets.store.tx(lambda db, change=change: db.execute(change, {}))
            with pytest.raises(Exception, match="damaged"):
                await s3.get("k")

    asyncio.run(run())


def test_an_object_that_is_there_gets_another_key_and_keeps_all_else(tmp_path):
    async def run():
        async with opened(tmp_path) as s3:
            await s3("CreateBucket", Bucket="bucket")
            first, second = await s3.key(), await s3.key()
            await s3.put("small", SMALL, Metadata={"a": "b"})
            await s3.put("long", LONG, SSEKMSKeyId=first, **KMS)
            await s3.put("twice", SMALL, SSEKMSKeyId=first, ServerSideEncryption="aws:kms:dsse")
            begun = await s3("CreateMultipartUpload", Bucket="bucket", Key="parts")
            of = {"Bucket": "bucket", "Key": "parts", "UploadId": begun["UploadId"]}
            big = LONG * 9
            listed = [
                {
                    "PartNumber": n,
                    "ETag": (await s3("UploadPart", PartNumber=n, Body=b, **of))["ETag"],
                }
                for n, b in ((1, big), (2, SMALL))
            ]
            await s3("CompleteMultipartUpload", MultipartUpload={"Parts": listed}, **of)
            wanted = {"SSEKMS": {"KMSKeyArn": second, "BucketKeyEnabled": True}}
            for name, body in (("small", SMALL), ("long", LONG), ("parts", big + SMALL)):
                place = {"Bucket": "bucket", "Key": name}
                before = await s3("HeadObject", **place)
                await s3("UpdateObjectEncryption", ObjectEncryption=wanted, **place)
                after = await s3("HeadObject", **place)
                told = {
                    "ServerSideEncryption": "aws:kms",
                    "SSEKMSKeyId": second,
                    "BucketKeyEnabled": True,
                }
                assert after == before | told
                assert await s3.get(name) == body
            assert await s3.get("parts", PartNumber=2) == SMALL
            await s3.buckets.objects.vault.sweep()
            assert len(s3.files()) == 3
            await s3("DisableKey", KeyId=second)
            assert await s3.refusal("long") == "KMS.DisabledException"
            for name, document, code in (
                ("twice", wanted, "InvalidRequest"),
                ("long", {"SSEKMS": {"KMSKeyArn": "alias/a"}}, "InvalidRequest"),
                ("long", {}, "InvalidRequest"),
                (
                    "long",
                    {"SSEKMS": {"KMSKeyArn": first.replace(ACCOUNT, "0" * 12)}},
                    "AccessDenied",
                ),
                ("none", wanted, "NoSuchKey"),
            ):
                place = {"Bucket": "bucket", "Key": name}
                with pytest.raises(AwsError) as caught:
                    await s3("UpdateObjectEncryption", ObjectEncryption=document, **place)
                assert caught.value.code == code

    asyncio.run(run())


def test_who_may_not_open_an_object_sees_no_checksum_of_it_or_of_its_parts(tmp_path):
    async def run():
        async with opened(tmp_path) as s3:
            await s3("CreateBucket", Bucket="bucket")
            place = {"Bucket": "bucket", "Key": "k"}
            begun = await s3("CreateMultipartUpload", **place, **KMS)
            of = place | {"UploadId": begun["UploadId"]}
            # Of the whole there is none then.
            part = await s3("UploadPart", PartNumber=1, Body=SMALL, ChecksumAlgorithm="CRC32", **of)
            parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
            await s3("CompleteMultipartUpload", MultipartUpload={"Parts": parts}, **of)
            s3.lets_in = False
            await s3("HeadObject", ChecksumMode="ENABLED", **place)
            await s3("GetObjectAttributes", ObjectAttributes=["ETag", "ObjectSize"], **place)
            for operation, asked in (
                ("HeadObject", {"ChecksumMode": "ENABLED", "PartNumber": 1}),
                ("GetObjectAttributes", {"ObjectAttributes": ["ObjectParts"]}),
            ):
                with pytest.raises(AwsError) as caught:
                    await s3(operation, **place, **asked)
                assert caught.value.code == "AccessDenied"
            s3.lets_in = True
            shown = await s3("GetObjectAttributes", ObjectAttributes=["ObjectParts"], **place)
            assert shown["ObjectParts"]["Parts"][0]["ChecksumCRC32"] == part["ChecksumCRC32"]

    asyncio.run(run())
