"""VPC, file systems and packages in S3: kept as AWS keeps them, with states that are true."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, HELLO, OTHER, REGION, ROLE, open_control, zip_of

VPC = {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
SHOWN = {**VPC, "VpcId": "", "Ipv6AllowedForDualStack": False}
NO_VPC = {
    "SubnetIds": [],
    "SecurityGroupIds": [],
    "VpcId": "",
    "Ipv6AllowedForDualStack": False,
}
ACCESS_POINT = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-0123456789abcdef0"
FILES = [{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/files"}]
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
ATTACHED = {"VpcConfig": VPC, "FileSystemConfigs": FILES, "KMSKeyArn": KEY}
DETACHED = {
    "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
    "FileSystemConfigs": [],
    "KMSKeyArn": "",
}


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


def test_what_does_not_exist_here_fails_the_function_that_asks_for_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            for name, params, code, named in (
                ("v", {"VpcConfig": VPC}, "InvalidSubnet", "subnet-1"),
                ("all", ATTACHED, "InvalidSubnet", "subnet-1"),
            ):
                assert (await rig.create(name, **params))["State"] == "Pending"
                document = await rig.wait(name, State="Failed")
                assert document["StateReasonCode"] == code
                assert named in document["StateReason"]
            assert document["VpcConfig"] == SHOWN
            assert document["FileSystemConfigs"] == FILES
            assert document["KMSKeyArn"] == KEY
            assert (await refused(rig.call("PublishVersion", FunctionName="v"))) == (
                "ResourceConflictException",
                "The operation cannot be performed at this time. The function is currently in the "
                "following state: Failed",
            )
            assert rig.code.prepared == []

    asyncio.run(main())


def test_an_update_that_asks_for_it_leaves_serving_what_serves(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            before = await rig.create_active("f")
            assert "VpcConfig" not in before
            row = await rig.row("f")
            await rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9, **ATTACHED)
            after = await rig.settled("f")
            assert (after["State"], after["LastUpdateStatus"]) == ("Active", "Failed")
            assert after["LastUpdateStatusReasonCode"] == "InvalidSubnet"
            assert (after["VpcConfig"], after["FileSystemConfigs"]) == (SHOWN, FILES)
            failed = await rig.row("f")
            assert row is not None
            assert failed is not None
            assert failed["serving"] == row["serving"]
            # What an update leaves out stays, and so it goes on failing until it is taken away.
            await rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=10)
            assert (await rig.settled("f"))["LastUpdateStatus"] == "Failed"
            await rig.call("UpdateFunctionConfiguration", FunctionName="f", **DETACHED)
            after = await rig.settled("f")
            assert (after["LastUpdateStatus"], after["Timeout"]) == ("Successful", 10)
            # Recorded: a VPC that was taken away is shown empty, the rest is not.
            assert after["VpcConfig"] == NO_VPC
            assert not {"FileSystemConfigs", "KMSKeyArn"} & after.keys()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (
            {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []}},
            "SubnetIds and SecurityIds must coexist or be both empty list.",
        ),
        (
            {"VpcConfig": {"SecurityGroupIds": ["sg-1"]}},
            "SubnetIds and SecurityIds must coexist or be both empty list.",
        ),
        (
            {"FileSystemConfigs": FILES},
            "FileSystemConfigs: the function must be connected to a VPC.",
        ),
    ],
)
def test_attachments_that_contradict_themselves_are_refused(
    params: dict[str, Any], text: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            for call in (
                rig.create("g", **params),
                rig.call("UpdateFunctionConfiguration", FunctionName="f", **params),
            ):
                assert await refused(call) == ("InvalidParameterValueException", text)

    asyncio.run(main())


def digest(package: bytes) -> str:
    return base64.b64encode(hashlib.sha256(package).digest()).decode()


def test_code_is_read_from_a_bucket_as_it_is_from_a_request(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            rig.objects.objects = {
                ("bucket", "a.zip", None): HELLO,
                ("bucket", "a.zip", "v2"): OTHER,
                ("bucket", "bad.zip", None): b"no zip",
            }
            place = {"S3Bucket": "bucket", "S3Key": "a.zip"}
            params = {"Runtime": "python3.12", "Role": ROLE, "Handler": "app.handler"}
            created = await rig.call("CreateFunction", FunctionName="f", Code=place, **params)
            assert (created["CodeSha256"], created["CodeSize"]) == (digest(HELLO), len(HELLO))
            await rig.settled("f")
            update = {"FunctionName": "f", **place, "S3ObjectStorageMode": "COPY"}
            dry = await rig.call("UpdateFunctionCode", **update, S3ObjectVersion="v2", DryRun=True)
            assert dry["CodeSha256"] == digest(OTHER)
            assert (await rig.configuration("f"))["CodeSha256"] == digest(HELLO)
            changed = await rig.call("UpdateFunctionCode", **update, S3ObjectVersion="v2")
            assert changed["CodeSha256"] == digest(OTHER)
            await rig.settled("f")
            layer = await rig.call("PublishLayerVersion", LayerName="l", Content=place)
            assert layer["Content"]["CodeSha256"] == digest(HELLO)
            for where, text in (
                (
                    {"S3Bucket": "other", "S3Key": "a.zip"},
                    "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error "
                    "Message: The specified bucket does not exist",
                ),
                (
                    {"S3Bucket": "bucket", "S3Key": "b.zip"},
                    "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: "
                    "The specified key does not exist.",
                ),
                (
                    {"S3Bucket": "bucket", "S3Key": "bad.zip"},
                    "Could not unzip uploaded file. Please check your file, then try to upload "
                    "again.",
                ),
                ({**place, "S3ObjectStorageMode": "REFERENCE"}, None),
            ):
                for call in (
                    rig.call("CreateFunction", FunctionName="g", Code=where, **params),
                    rig.call("UpdateFunctionCode", FunctionName="f", **where),
                ):
                    code, message = await refused(call)
                    assert code == "InvalidParameterValueException"
                    assert message == text or text is None

    asyncio.run(main())


def test_a_package_in_a_bucket_has_the_limits_of_any_other(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path, zip_bytes_max=200) as rig:
            large = zip_of({"a": "x", "b" * 200: "y"})
            rig.objects.objects = {("bucket", "large.zip", None): large}
            place = {"S3Bucket": "bucket", "S3Key": "large.zip"}
            assert await refused(rig.create("f", Code=place)) == (
                "RequestEntityTooLargeException",
                "Zipped size must be smaller than 200 bytes",
            )

    asyncio.run(main())
