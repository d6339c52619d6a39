"""Versions over a real store: published once, never changed, deployed, listed, deleted."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from alonzo.model.errors import AwsError
from alonzo.model.functions import ServingVersion
from alonzo.model.ports.code import CodeError
from alonzo.testing.control import ACCOUNT, HELLO, OTHER, REGION, ControlRig, open_control

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
NOT_FOUND = "ResourceNotFoundException"
INVALID = "InvalidParameterValueException"
CONFLICT = "ResourceConflictException"
SNAPSHOTS = {"ApplyOn": "PublishedVersions"}
READY = ("Active", "Successful")
NEW = ("Pending", None)


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


def code_sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def status(document: dict[str, Any]) -> tuple[str, str | None]:
    return document["State"], document.get("LastUpdateStatus")


async def publish(rig: ControlRig, **params: Any) -> dict[str, Any]:
    return await rig.call("PublishVersion", FunctionName="f", **params)


async def update(rig: ControlRig, **params: Any) -> None:
    """An update of code or configuration, waited for."""
    code = "ZipFile" in params
    operation = "UpdateFunctionCode" if code else "UpdateFunctionConfiguration"
    await rig.call(operation, FunctionName="f", **params)
    await rig.settled("f")


async def versions(rig: ControlRig) -> list[str]:
    listed = await rig.call("ListVersionsByFunction", FunctionName="f")
    return [each["Version"] for each in listed["Versions"]]


async def active(rig: ControlRig, qualifier: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            document = await rig.configuration("f", Qualifier=qualifier)
            if document["State"] != "Pending":
                return document
            await asyncio.sleep(0.002)


def test_a_version_is_a_copy_that_serves_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            latest = await rig.create_active("f", Timeout=7)
            version = await publish(rig, Description="first")
            assert status(version) == READY
            assert (version["Version"], version["FunctionArn"]) == ("1", f"{ARN}:1")
            differing = ("Version", "FunctionArn", "RevisionId", "Description", "LastModified")
            rest = {key: value for key, value in latest.items() if key not in differing}
            assert {key: value for key, value in version.items() if key not in differing} == rest
            row = await rig.row("f", "1")
            assert row is not None
            serving = ServingVersion.from_json(row["serving"])
            assert (serving.version, serving.timeout_s) == ("1", 7)
            latest_row = await rig.row("f")
            assert latest_row is not None
            assert serving.generation != ServingVersion.from_json(latest_row["serving"]).generation
            found = await rig.call("GetFunction", FunctionName="f", Qualifier="1")
            assert found["Configuration"] == version
            assert "Tags" not in found

    asyncio.run(main())


def test_the_same_content_gives_the_same_version_until_something_changes(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            first = await publish(rig, Description="first")
            assert await publish(rig, Description="ignored") == first
            # A change there and back is no change.
            await update(rig, Timeout=9)
            await update(rig, Timeout=3)
            assert await publish(rig) == first
            await update(rig, ZipFile=OTHER)
            second = await publish(rig)
            assert (second["Version"], second["CodeSha256"]) == ("2", code_sha256(OTHER))
            # What was published last counts, not what was ever published.
            await update(rig, ZipFile=HELLO)
            assert (await publish(rig))["Version"] == "3"
            await update(rig, Description="new")
            assert (await publish(rig))["Version"] == "4"

    asyncio.run(main())


def test_nothing_that_becomes_of_latest_changes_a_version(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f", Environment={"Variables": {"A": "1"}})
            version = await publish(rig)
            row = await rig.row("f", "1")
            await update(rig, ZipFile=OTHER)
            await update(rig, Timeout=100, Environment={"Variables": {}})
            await publish(rig)
            assert await rig.configuration("f:1") == version
            assert await rig.row("f", "1") == row
            versions_only = "Current operation does not support versions other than $LATEST"
            for operation, params in (
                ("UpdateFunctionCode", {"ZipFile": OTHER}),
                ("UpdateFunctionConfiguration", {"Timeout": 5}),
                ("PublishVersion", {}),
            ):
                for name in ("f:1", f"{ARN}:1", "f:77", "f:prod"):
                    error = await refused(rig.call(operation, FunctionName=name, **params))
                    assert error == (INVALID, versions_only), operation

    asyncio.run(main())


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            await publish(rig)
            await rig.call("DeleteFunction", FunctionName="f", Qualifier="1")
            assert await versions(rig) == ["$LATEST"]
            assert (await refused(rig.configuration("f:1"))) == (
                NOT_FOUND,
                f"Function not found: {ARN}:1",
            )
            assert (await publish(rig))["Version"] == "2", "the same content, for its version went"
            assert await versions(rig) == ["$LATEST", "2"]

    asyncio.run(main())


def test_guards_of_publishing_are_checked(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            latest = await rig.create_active("f")
            assert (await refused(publish(rig, CodeSha256="x")))[0] == INVALID
            assert (await refused(publish(rig, RevisionId="x")))[0] == "PreconditionFailedException"
            assert (await refused(publish(rig, PublishTo="LATEST_PUBLISHED")))[0] == INVALID
            assert await versions(rig) == ["$LATEST"]
            guards = {"CodeSha256": latest["CodeSha256"], "RevisionId": latest["RevisionId"]}
            assert (await publish(rig, **guards))["Version"] == "1"
            # A version was published, so the revision is another now.
            assert (await refused(publish(rig, **guards)))[0] == "PreconditionFailedException"
            assert await refused(rig.call("PublishVersion", FunctionName="g")) == (
                NOT_FOUND,
                f"Function not found: {ARN[:-1]}g",
            )

    asyncio.run(main())


def test_revisions_change_exactly_when_something_is_published(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            before = await rig.create_active("f")
            version = await publish(rig)
            after = await rig.configuration("f")
            assert after == before | {"RevisionId": after["RevisionId"]}
            assert len({document["RevisionId"] for document in (before, version, after)}) == 3
            assert await publish(rig) == version
            assert await rig.configuration("f") == after

    asyncio.run(main())


def test_nothing_is_published_while_latest_is_in_the_making(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            rig.code.gate.clear()
            await rig.create("f")
            pending = (
                "The operation cannot be performed at this time. The function is currently in the "
                "following state: Pending"
            )
            assert await refused(publish(rig)) == (CONFLICT, pending)
            rig.code.gate.set()
            await rig.settled("f")
            rig.code.gate.clear()
            await rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
            busy = (
                "The operation cannot be performed at this time. An update is in progress for "
                f"resource: {ARN}"
            )
            assert await refused(publish(rig)) == (CONFLICT, busy)
            rig.code.gate.set()

    asyncio.run(main())


def test_publish_on_creation_and_on_update_answers_the_version(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            created = await rig.create("f", Publish=True)
            # Recorded: an unqualified ARN here, and a qualified one below.
            assert (created["Version"], created["FunctionArn"]) == ("1", ARN)
            assert status(created) == NEW
            assert status(await active(rig, "1")) == READY
            await rig.settled("f")
            assert (await publish(rig))["Version"] == "1", "published already"
            rig.code.gate.clear()
            updated = await rig.call(
                "UpdateFunctionCode", FunctionName="f", ZipFile=OTHER, Publish=True
            )
            assert (updated["Version"], updated["FunctionArn"]) == ("2", f"{ARN}:2")
            assert (status(updated), updated["StateReasonCode"]) == (NEW, "Creating")
            assert status(await rig.configuration("f")) == ("Active", "InProgress")
            rig.code.gate.set()
            assert (await active(rig, "2"))["CodeSha256"] == code_sha256(OTHER)
            await rig.settled("f")
            same = await rig.call(
                "UpdateFunctionCode", FunctionName="f", ZipFile=OTHER, Publish=True
            )
            assert same["Version"] == "2", "nothing new to publish"
            await rig.settled("f")
            dry = await rig.call(
                "UpdateFunctionCode", FunctionName="f", ZipFile=HELLO, Publish=True, DryRun=True
            )
            assert (dry["Version"], dry["CodeSha256"]) == ("$LATEST", code_sha256(HELLO))
            assert await versions(rig) == ["$LATEST", "1", "2"]

    asyncio.run(main())


def test_code_that_cannot_be_unpacked_fails_the_version_with_latest(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            rig.code.failure = CodeError("broken")
            await rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER, Publish=True)
            failed = await active(rig, "1")
            assert (failed["State"], failed["StateReason"]) == ("Failed", "broken")
            assert status(await rig.settled("f")) == ("Active", "Failed")
            rig.code.failure = None
            # What failed is not handed out again, but tried as another version.
            assert status(await publish(rig)) == NEW
            assert status(await active(rig, "2")) == READY

    asyncio.run(main())


def test_a_snapshot_makes_a_version_wait_and_shows_on_it_only(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            latest = await rig.create_active("f", SnapStart=SNAPSHOTS)
            off = SNAPSHOTS | {"OptimizationStatus": "Off"}
            assert latest["SnapStart"] == off
            version = await publish(rig)
            assert status(version) == NEW
            version = await active(rig, "1")
            assert status(version) == READY
            assert version["SnapStart"] == SNAPSHOTS | {"OptimizationStatus": "On"}
            row, latest_row = await rig.row("f", "1"), await rig.row("f")
            assert row is not None
            assert latest_row is not None
            assert ServingVersion.from_json(row["serving"]).snap_start
            assert not ServingVersion.from_json(latest_row["serving"]).snap_start
            await update(rig, SnapStart={"ApplyOn": "None"})
            assert (await publish(rig))["SnapStart"]["OptimizationStatus"] == "Off"

    asyncio.run(main())


def test_versions_are_listed_by_number_in_pages(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            for number in range(12):
                await update(rig, Timeout=number + 10)
                await publish(rig)
            expected = ["$LATEST", *(str(number) for number in range(1, 13))]
            assert await versions(rig) == expected
            for every in ({}, {"FunctionVersion": "ALL"}):
                operation, name = "ListFunctions", {}
                if not every:
                    operation, name = "ListVersionsByFunction", {"FunctionName": "f"}
                seen: list[str] = []
                marker: dict[str, str] = {}
                while True:
                    page = await rig.call(operation, MaxItems=5, **every, **name, **marker)
                    entries = page.get("Versions") or page["Functions"]
                    seen += [each["Version"] for each in entries]
                    assert all("State" not in each for each in entries)
                    if "NextMarker" not in page:
                        break
                    marker = {"Marker": page["NextMarker"]}
                assert seen == expected
            functions = await rig.call("ListFunctions")
            assert [each["Version"] for each in functions["Functions"]] == ["$LATEST"]
            of_functions = await rig.call("ListFunctions", MaxItems=1, FunctionVersion="ALL")
            assert of_functions["NextMarker"]
            for marker_text in ("WyJmIiwieCJd", "WyJmIiwiOTk5OTk5OTk5OTk5OTk5OTk5OTkiXQ=="):
                error = await refused(
                    rig.call("ListVersionsByFunction", FunctionName="f", Marker=marker_text)
                )
                assert error[0] == INVALID

    asyncio.run(main())


def test_deleting_a_version_leaves_the_rest_and_its_code_is_collected(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            await publish(rig)
            await update(rig, ZipFile=OTHER)
            for _ in range(2):
                deleted = await rig.call("DeleteFunction", FunctionName="f:1")
                assert deleted == {"StatusCode": 204}, "also when it has gone"
            assert await versions(rig) == ["$LATEST"]
            assert await refused(rig.call("DeleteFunction", FunctionName="f", Qualifier="p")) == (
                INVALID,
                "Deletion of aliases is not currently supported.",
            )
            for qualifier in ("$latest", "$LATEST.PUBLISHED"):
                error = await refused(
                    rig.call("DeleteFunction", FunctionName="f", Qualifier=qualifier)
                )
                assert error == (NOT_FOUND, f"Function not found: {ARN}:{qualifier}")
            assert await refused(rig.call("DeleteFunction", FunctionName="g:1")) == (
                NOT_FOUND,
                f"Function not found: {ARN[:-1]}g",
            )
            await publish(rig)
            await rig.call("DeleteFunction", FunctionName="f")
            listed = await rig.call("ListFunctions", FunctionVersion="ALL")
            assert listed == {"Functions": []}
            await rig.create_active("f")
            assert (await publish(rig))["Version"] == "1", "another function, with its own numbers"

    asyncio.run(main())


def test_versions_count_for_the_accounts_storage(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path, code_storage_bytes_max=200) as rig:
            await rig.create_active("f")
            await publish(rig)
            size = len("def handler(event, context):\n    return event\n")
            usage = (await rig.call("GetAccountSettings"))["AccountUsage"]
            assert usage == {"TotalCodeSize": 2 * size, "FunctionCount": 1}
            for number in range(2):
                await update(rig, Timeout=100 + number)
                await publish(rig)
            await update(rig, Timeout=99)
            code, _ = await refused(publish(rig))
            assert code == "CodeStorageExceededException"
            assert (await rig.configuration("f"))["LastUpdateStatus"] == "Successful"

    asyncio.run(main())
