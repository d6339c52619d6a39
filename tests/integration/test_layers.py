"""Layers on a real store: numbers, lists, permissions, and what keeps functions served."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from alonzo.control.layers.names import NUMBER_MAX
from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, REGION, ControlRig, open_control, zip_of

STRANGER = "999999999999"
INVALID = "InvalidParameterValueException"
NOT_FOUND = "ResourceNotFoundException"
PREFIX = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:"
ONE, TWO = zip_of({"python/one.py": "1"}), zip_of({"python/two.py": "2"})


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


async def publish(rig: ControlRig, name: str, data: bytes = ONE, **params: Any) -> dict[str, Any]:
    return await rig.call(
        "PublishLayerVersion", LayerName=name, Content={"ZipFile": data}, **params
    )


def run(main: Any) -> None:
    asyncio.run(main())


def test_a_version_shows_what_was_given_and_reads_back_equal(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            made = await publish(
                rig,
                "tools",
                Description="what for",
                LicenseInfo="MIT",
                CompatibleRuntimes=["python3.12", "nodejs22.x"],
                CompatibleArchitectures=["x86_64", "arm64"],
            )
            content = made["Content"]
            assert made == {
                "LayerArn": f"{PREFIX}tools",
                "LayerVersionArn": f"{PREFIX}tools:1",
                "Version": 1,
                "Description": "what for",
                "LicenseInfo": "MIT",
                "CompatibleRuntimes": ["python3.12", "nodejs22.x"],
                "CompatibleArchitectures": ["x86_64", "arm64"],
                "CreatedDate": "2026-11-20T10:00:00.000+0000",
                "Content": {
                    "CodeSha256": base64.b64encode(bytes.fromhex(sha(ONE))).decode(),
                    "CodeSize": len(ONE),
                    "Location": content["Location"],
                },
            }
            assert sha(ONE) in content["Location"]
            for form in ("tools", f"{PREFIX}tools"):
                assert made == await rig.call("GetLayerVersion", LayerName=form, VersionNumber=1)
            assert made == await rig.call("GetLayerVersionByArn", Arn=f"{PREFIX}tools:1")

    run(main)


def test_what_was_not_given_is_not_shown_but_the_description_is(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            made = await publish(rig, "tools")
            assert made["Description"] == ""
            hidden = {"LicenseInfo", "CompatibleRuntimes", "CompatibleArchitectures"}
            assert not hidden & made.keys()
            empty = await publish(rig, "tools", CompatibleRuntimes=[], CompatibleArchitectures=[])
            assert (empty["CompatibleRuntimes"], empty["CompatibleArchitectures"]) == ([], [])

    run(main)


def test_numbers_count_up_per_name_and_are_never_given_twice(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            for number in (1, 2):
                assert (await publish(rig, "a"))["Version"] == number
            assert (await publish(rig, "b"))["Version"] == 1
            for number in (1, 2):
                await rig.call("DeleteLayerVersion", LayerName="a", VersionNumber=number)
            assert (await publish(rig, "a"))["Version"] == 3
            theirs = await rig.call(
                "PublishLayerVersion", account=STRANGER, LayerName="a", Content={"ZipFile": ONE}
            )
            assert theirs["Version"] == 1
            elsewhere = await rig.call(
                "PublishLayerVersion", region="us-east-1", LayerName="a", Content={"ZipFile": ONE}
            )
            assert elsewhere["Version"] == 1

    run(main)


def test_fifty_publishes_at_once_give_fifty_numbers(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            data = [ONE if number % 2 else TWO for number in range(50)]
            made = await asyncio.gather(*(publish(rig, "a", each) for each in data))
            assert sorted(version["Version"] for version in made) == list(range(1, 51))
            usage = await rig.call("GetAccountSettings")
            assert usage["AccountUsage"]["TotalCodeSize"] == 50

    run(main)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({}, "Please provide a source for layer content."),
        ({"S3Bucket": "bucket"}, "Please provide a source for layer content."),
        (
            {"ZipFile": ONE, "S3Bucket": "bucket", "S3Key": "key"},
            "Please do not provide other Content parameters when providing a ZipFile.",
        ),
        (
            {"S3Bucket": "bucket", "S3Key": "key"},
            "Error occurred while GetObject. S3 Error Code: NoSuchBucket. "
            "S3 Error Message: The specified bucket does not exist",
        ),
        (
            {"S3Bucket": "bucket", "S3Key": "key", "S3ObjectStorageMode": "REFERENCE"},
            "S3ObjectStorageMode: Packages are always copied. Use the mode COPY.",
        ),
        (
            {"ZipFile": b"no zip"},
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        ({"ZipFile": b""}, "Uploaded file must be a non-empty zip"),
        (
            {"ZipFile": zip_of({"big": b"x" * 1001})},
            "Unzipped size must be smaller than 1000 bytes",
        ),
    ],
)
def test_bad_content_is_refused_and_takes_no_number(
    tmp_path: Path, content: dict[str, Any], text: str
) -> None:
    async def main() -> None:
        async with open_control(tmp_path, unzipped_bytes_max=1000) as rig:
            call = rig.call("PublishLayerVersion", LayerName="a", Content=content)
            assert await refused(call) == (INVALID, text)
            assert (await publish(rig, "a"))["Version"] == 1

    run(main)


def test_limits_are_refused_just_past_them(tmp_path: Path) -> None:
    async def main() -> None:
        limits = {"zip_bytes_max": len(ONE), "unzipped_bytes_max": 10, "code_storage_bytes_max": 2}
        async with open_control(tmp_path, **limits) as rig:
            await publish(rig, "a")
            await publish(rig, "a", TWO)
            assert await refused(publish(rig, "a")) == (
                "CodeStorageExceededException",
                "Code storage limit exceeded.",
            )
            assert await refused(publish(rig, "a", zip_of({"python/one.pyc": "1"}))) == (
                "RequestEntityTooLargeException",
                f"Zipped size must be smaller than {len(ONE)} bytes",
            )
            await rig.call("DeleteLayerVersion", LayerName="a", VersionNumber=1)
            assert (await publish(rig, "a"))["Version"] == 3

    run(main)


@pytest.mark.parametrize("operation", ["GetLayerVersion", "DeleteLayerVersion"])
@pytest.mark.parametrize("number", [0, -1])
def test_a_number_below_one_is_refused(tmp_path: Path, operation: str, number: int) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await publish(rig, "a")
            call = rig.call(operation, LayerName="a", VersionNumber=number)
            assert await refused(call) == (INVALID, "Layer Version Cannot be less than 1")

    run(main)


def test_what_is_not_there_is_not_found_and_deleting_it_is_no_error(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await publish(rig, "a")
            text = (NOT_FOUND, "The resource you requested does not exist.")
            for name, number in (("a", 2), ("b", 1), ("a", NUMBER_MAX), ("a", 1 << 70)):
                at = {"LayerName": name, "VersionNumber": number}
                assert await refused(rig.call("GetLayerVersion", **at)) == text
                arn = f"{PREFIX}{name}:{number}"
                assert await refused(rig.call("GetLayerVersionByArn", Arn=arn)) == text
                await rig.call("DeleteLayerVersion", **at)
            for arn in (
                f"{PREFIX.replace(REGION, 'us-east-2')}a:1",
                "arn:aws:lambda:::awslayer:AmazonLinux1703",
                f"{PREFIX}a:0",
            ):
                assert await refused(rig.call("GetLayerVersionByArn", Arn=arn)) == text
            for _ in range(2):
                await rig.call("DeleteLayerVersion", LayerName="a", VersionNumber=1)
            call = rig.call("GetLayerVersion", LayerName="a", VersionNumber=1)
            assert await refused(call) == text
            assert await rig.call("ListLayerVersions", LayerName="a") == {"LayerVersions": []}
            assert await rig.call("ListLayers") == {"Layers": []}

    run(main)


def test_an_arn_of_another_region_is_refused_by_name(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            name = f"{PREFIX.replace(REGION, 'us-east-2')}a"
            assert await refused(publish(rig, name)) == (
                NOT_FOUND,
                f"Layers from 'us-east-2' are not reachable in this region ('{REGION}')",
            )

    run(main)


@pytest.mark.parametrize(
    "name", ["a:1", "x" * 141, f"{PREFIX}a:1", f"{PREFIX}{'x' * 141}", "", "arn::x", "ä"]
)
def test_what_is_no_name_is_refused_however_it_came_past_the_edge(
    tmp_path: Path, name: str
) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            code, message = await refused(publish(rig, name))
            assert code == "ValidationException"
            assert message.startswith(f"1 validation error detected: Value '{name}' at 'layerName'")

    run(main)


@pytest.mark.parametrize("runtimes", [["nope"], ["nodejs12.x", "python3.12"], ["PYTHON3.12"]])
def test_a_layer_is_for_runtimes_that_new_functions_can_have(
    tmp_path: Path, runtimes: list[str]
) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            code, message = await refused(publish(rig, "a", CompatibleRuntimes=runtimes))
            assert code == "ValidationException"
            names = message.removesuffix("]").rpartition("[")[2].split(", ")
            assert message.startswith(
                f"1 validation error detected: Value '[{', '.join(runtimes)}]' at "
                "'compatibleRuntimes' failed to satisfy constraint: Member must satisfy enum value "
                "set: ["
            )
            assert {"python3.12", "nodejs22.x"} < set(names)
            assert "nodejs12.x" not in names
            await rig.call("ListLayers", CompatibleRuntime="nodejs12.x")
            for operation in ("ListLayers", "ListLayerVersions"):
                call = rig.call(operation, LayerName="a", CompatibleRuntime=runtimes[0] + "x")
                assert (await refused(call))[0] == "ValidationException"

    run(main)


async def all_pages(rig: ControlRig, operation: str, key: str, **params: Any) -> list[Any]:
    found: list[Any] = []
    while True:
        page = await rig.call(operation, **params)
        assert len(page[key]) <= params.get("MaxItems", 50)
        found += page[key]
        if "NextMarker" not in page:
            return found
        params["Marker"] = page["NextMarker"]


def test_lists_show_the_newest_and_go_on_page_by_page(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            for name in ("a", "b", "c"):
                for _ in range(4):
                    await publish(rig, name, Description=name)
            listed = await all_pages(
                rig, "ListLayerVersions", "LayerVersions", LayerName="b", MaxItems=3
            )
            assert [entry["Version"] for entry in listed] == [4, 3, 2, 1]
            assert listed[0] == {
                "LayerVersionArn": f"{PREFIX}b:4",
                "Version": 4,
                "Description": "b",
                "CreatedDate": "2026-11-20T10:00:00.000+0000",
            }
            for size in (1, 2, 3, 50):
                layers = await all_pages(rig, "ListLayers", "Layers", MaxItems=size)
                assert [layer["LayerName"] for layer in layers] == ["a", "b", "c"]
            assert layers[1] == {
                "LayerName": "b",
                "LayerArn": f"{PREFIX}b",
                "LatestMatchingVersion": listed[0],
            }
            await rig.call("DeleteLayerVersion", LayerName="b", VersionNumber=4)
            layers = await all_pages(rig, "ListLayers", "Layers")
            assert layers[1]["LatestMatchingVersion"]["Version"] == 3

    run(main)


def test_more_than_one_page_holds_is_shown_in_pages_of_fifty(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await asyncio.gather(*(publish(rig, "a") for _ in range(51)))
            page = await rig.call("ListLayerVersions", LayerName="a")
            assert [entry["Version"] for entry in page["LayerVersions"]] == list(range(51, 1, -1))
            rest = await rig.call("ListLayerVersions", LayerName="a", Marker=page["NextMarker"])
            assert [entry["Version"] for entry in rest["LayerVersions"]] == [1]

    run(main)


@pytest.mark.parametrize("marker", ["%%%", "bm90IGpzb24=", base64.b64encode(b'["a","x"]').decode()])
def test_a_made_up_marker_is_refused(tmp_path: Path, marker: str) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            call = rig.call("ListLayerVersions", LayerName="a", Marker=marker)
            assert await refused(call) == (
                INVALID,
                "Marker: this is not a marker that a previous page returned.",
            )

    run(main)


def test_filters_choose_the_latest_version_that_passes_both(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await publish(rig, "a", CompatibleRuntimes=["python3.12"])
            await publish(rig, "a", CompatibleRuntimes=["nodejs22.x", "python3.13"])
            await publish(rig, "a", CompatibleArchitectures=["arm64"])
            await publish(
                rig, "b", CompatibleRuntimes=["python3.12"], CompatibleArchitectures=["x86_64"]
            )
            await publish(rig, "c")

            async def latest(**params: Any) -> list[tuple[str, int]]:
                layers = await all_pages(rig, "ListLayers", "Layers", **params)
                return [
                    (layer["LayerName"], layer["LatestMatchingVersion"]["Version"])
                    for layer in layers
                ]

            async def versions(**params: Any) -> list[int]:
                found = await all_pages(
                    rig, "ListLayerVersions", "LayerVersions", LayerName="a", **params
                )
                return [version["Version"] for version in found]

            assert await latest() == [("a", 3), ("b", 1), ("c", 1)]
            assert await latest(CompatibleRuntime="python3.12") == [("a", 1), ("b", 1)]
            assert await latest(CompatibleRuntime="python3.11") == []
            assert await latest(CompatibleArchitecture="arm64") == [("a", 3)]
            assert await latest(
                CompatibleRuntime="python3.12", CompatibleArchitecture="x86_64"
            ) == [("b", 1)]
            assert await versions(CompatibleRuntime="python3.13") == [2]
            assert await versions(CompatibleArchitecture="x86_64") == []

    run(main)
