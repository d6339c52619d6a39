"""Code signing configurations: kept, tagged, attached, and in the way of unsigned code."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, HELLO, OTHER, REGION, ControlRig, open_control, zip_of

PUBLISHERS = {
    "SigningProfileVersionArns": [
        f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/test/abcdefghij"
    ]
}
ENFORCE = {"UntrustedArtifactOnDeployment": "Enforce"}
WARN = {"UntrustedArtifactOnDeployment": "Warn"}
NOWHERE = f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-{'0' * 17}"
MISSING = (
    "ResourceNotFoundException",
    f"The Lambda code signing configuration {NOWHERE} can not be found.",
)


def unsigned(name: str = "f") -> tuple[str, str]:
    return (
        "CodeVerificationFailedException",
        "Lambda cannot deploy the function. The function or layer might be signed using a "
        "signature that the client is not configured to accept. Check the provided signature for "
        f"{name}.",
    )


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


async def make(rig: ControlRig, **params: Any) -> dict[str, Any]:
    answer = await rig.call("CreateCodeSigningConfig", AllowedPublishers=PUBLISHERS, **params)
    return answer["CodeSigningConfig"]


async def make_arn(rig: ControlRig, policies: dict[str, str]) -> str:
    return (await make(rig, CodeSigningPolicies=policies))["CodeSigningConfigArn"]


def run(tmp_path: Path, work: Any) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await work(rig)

    asyncio.run(main())


def test_a_configuration_reads_back_and_changes_member_by_member(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        made = await make(rig, Description="first")
        arn = made["CodeSigningConfigArn"]
        assert re.fullmatch(r"csc-[a-z0-9]{17}", made["CodeSigningConfigId"])
        assert arn == NOWHERE.rpartition(":")[0] + ":" + made["CodeSigningConfigId"]
        assert made == {
            "CodeSigningConfigId": made["CodeSigningConfigId"],
            "CodeSigningConfigArn": arn,
            "Description": "first",
            "AllowedPublishers": PUBLISHERS,
            "CodeSigningPolicies": WARN,
            "LastModified": "2026-11-20T10:00:00.000+0000",
        }
        at = {"CodeSigningConfigArn": arn}
        assert await rig.call("GetCodeSigningConfig", **at) == {"CodeSigningConfig": made}
        rig.clock.advance(1)
        await rig.call("UpdateCodeSigningConfig", CodeSigningPolicies=ENFORCE, **at)
        await rig.call("UpdateCodeSigningConfig", Description="", **at)
        changed = (await rig.call("GetCodeSigningConfig", **at))["CodeSigningConfig"]
        assert changed == made | {
            "Description": "",
            "CodeSigningPolicies": ENFORCE,
            "LastModified": "2026-11-20T10:00:01.000+0000",
        }
        assert "Description" not in await make(rig)

    run(tmp_path, work)


@pytest.mark.parametrize(
    "operation",
    [
        "GetCodeSigningConfig",
        "UpdateCodeSigningConfig",
        "DeleteCodeSigningConfig",
        "ListFunctionsByCodeSigningConfig",
    ],
)
def test_one_that_is_not_there_is_named(tmp_path: Path, operation: str) -> None:
    async def work(rig: ControlRig) -> None:
        assert await refused(rig.call(operation, CodeSigningConfigArn=NOWHERE)) == MISSING
        stranger = NOWHERE.replace(ACCOUNT, "999999999999")
        call = rig.call(operation, CodeSigningConfigArn=stranger)
        assert (await refused(call))[0] == "AccessDeniedException"
        arn = await make_arn(rig, WARN)
        call = rig.call(operation, region="us-east-2", CodeSigningConfigArn=arn)
        assert (await refused(call))[0] == "ResourceNotFoundException"

    run(tmp_path, work)


def test_lists_go_on_page_by_page(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        arns = [await make_arn(rig, WARN) for _ in range(5)]
        for name in ("b", "a", "c"):
            await rig.create_active(name, CodeSigningConfigArn=arns[0])

        async def pages(operation: str, key: str, **params: Any) -> list[Any]:
            found: list[Any] = []
            while True:
                page = await rig.call(operation, MaxItems=2, **params)
                found += page[key]
                if "NextMarker" not in page:
                    return found
                params["Marker"] = page["NextMarker"]

        configs = await pages("ListCodeSigningConfigs", "CodeSigningConfigs")
        assert [each["CodeSigningConfigArn"] for each in configs] == sorted(arns)
        functions = await pages(
            "ListFunctionsByCodeSigningConfig", "FunctionArns", CodeSigningConfigArn=arns[0]
        )
        assert [arn.rpartition(":")[2] for arn in functions] == ["a", "b", "c"]
        assert await rig.call("ListFunctionsByCodeSigningConfig", CodeSigningConfigArn=arns[1]) == {
            "FunctionArns": []
        }

    run(tmp_path, work)


def test_a_function_gets_has_and_loses_one(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        arn, other = await make_arn(rig, WARN), await make_arn(rig, ENFORCE)
        await rig.create_active("f")
        at = {"FunctionName": "f"}
        shown = {"CodeSigningConfigArn": arn, "FunctionName": "f"}
        assert await rig.call("GetFunctionCodeSigningConfig", **at) == {}
        put = "PutFunctionCodeSigningConfig"
        assert await rig.call(put, CodeSigningConfigArn=arn, **at) == shown
        assert await rig.call("GetFunctionCodeSigningConfig", **at) == shown
        assert (await refused(rig.call("DeleteCodeSigningConfig", CodeSigningConfigArn=arn))) == (
            "ResourceConflictException",
            f"The code signing configuration is in use by a function: {arn}.",
        )
        await rig.call(put, CodeSigningConfigArn=other, **at)
        await rig.call("DeleteCodeSigningConfig", CodeSigningConfigArn=arn)
        for _ in range(2):
            await rig.call("DeleteFunctionCodeSigningConfig", **at)
        assert await rig.call("GetFunctionCodeSigningConfig", **at) == {}
        await rig.call(put, CodeSigningConfigArn=other, **at)
        await rig.call("DeleteFunction", **at)
        await rig.call("DeleteCodeSigningConfig", CodeSigningConfigArn=other)

    run(tmp_path, work)


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        arn = await make_arn(rig, WARN)
        nobody = f"Function not found: arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
        for operation in (
            "PutFunctionCodeSigningConfig",
            "GetFunctionCodeSigningConfig",
            "DeleteFunctionCodeSigningConfig",
        ):
            call = rig.call(operation, FunctionName="f", CodeSigningConfigArn=arn)
            assert await refused(call) == ("ResourceNotFoundException", nobody)
        gone = (
            "CodeSigningConfigNotFoundException",
            "The code signing configuration cannot be found. Check that the provided configuration "
            f"is not deleted: {NOWHERE}.",
        )
        await rig.create_active("f")
        call = rig.call(
            "PutFunctionCodeSigningConfig", FunctionName="f", CodeSigningConfigArn=NOWHERE
        )
        assert await refused(call) == gone
        assert await refused(rig.create("g", CodeSigningConfigArn=NOWHERE)) == gone

    run(tmp_path, work)


def test_one_that_enforces_lets_no_unsigned_code_and_no_layer_through(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        arn = await make_arn(rig, ENFORCE)
        assert await refused(rig.create("f", CodeSigningConfigArn=arn)) == unsigned()
        before = await rig.create_active("f")
        await rig.call("PutFunctionCodeSigningConfig", FunctionName="f", CodeSigningConfigArn=arn)
        layer = await rig.call(
            "PublishLayerVersion", LayerName="l", Content={"ZipFile": zip_of({"a": "1"})}
        )
        for dry_run in (True, False):
            call = rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER, DryRun=dry_run)
            assert await refused(call) == unsigned()
        full = before["FunctionArn"]
        change = {"FunctionName": full, "Layers": [layer["LayerVersionArn"]]}
        call = rig.call("UpdateFunctionConfiguration", **change)
        assert await refused(call) == unsigned(full)
        assert await rig.configuration("f") == before
        await rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9, Layers=[])
        await rig.settled("f")
        assert (await rig.call("PublishVersion", FunctionName="f"))["Version"] == "1"
        await rig.call(
            "UpdateCodeSigningConfig", CodeSigningConfigArn=arn, CodeSigningPolicies=WARN
        )
        await rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)

    run(tmp_path, work)


def test_one_that_warns_lets_all_code_through(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        arn = await make_arn(rig, WARN)
        await rig.create_active("f", HELLO, CodeSigningConfigArn=arn)
        found = await rig.call("GetFunctionCodeSigningConfig", FunctionName="f")
        assert found["CodeSigningConfigArn"] == arn
        await rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)

    run(tmp_path, work)


def test_it_has_tags_as_functions_have(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        made = await make(rig, Tags={"a": "1"})
        arn = made["CodeSigningConfigArn"]
        assert await rig.call("ListTags", Resource=arn) == {"Tags": {"a": "1"}}
        await rig.call("TagResource", Resource=arn, Tags={"a": "2", "b": "3"})
        await rig.call("UntagResource", Resource=arn, TagKeys=["b", "c"])
        assert await rig.call("ListTags", Resource=arn) == {"Tags": {"a": "2"}}
        await rig.call("UpdateCodeSigningConfig", CodeSigningConfigArn=arn, Description="x")
        assert await rig.call("ListTags", Resource=arn) == {"Tags": {"a": "2"}}
        many = {f"k{number}": "" for number in range(50)}
        text = ("InvalidParameterValueException", "Number of tags exceeds resource tag limit.")
        assert await refused(rig.call("TagResource", Resource=arn, Tags=many)) == text
        assert await refused(make(rig, Tags=many | {"more": ""})) == text
        for operation, more in (
            ("ListTags", {}),
            ("TagResource", {"Tags": {"a": "1"}}),
            ("UntagResource", {"TagKeys": ["a"]}),
        ):
            assert await refused(rig.call(operation, Resource=NOWHERE, **more)) == MISSING
            odd = f"{NOWHERE}:more"
            assert (await refused(rig.call(operation, Resource=odd, **more)))[0] == MISSING[0]

    run(tmp_path, work)


def test_functions_made_while_it_is_deleted_never_have_a_deleted_one(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        arn = await make_arn(rig, WARN)
        calls = [rig.create(f"f{number}", CodeSigningConfigArn=arn) for number in range(10)]
        calls.insert(5, rig.call("DeleteCodeSigningConfig", CodeSigningConfigArn=arn))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        codes = {each.code for each in outcomes if isinstance(each, AwsError)}
        assert codes <= {"CodeSigningConfigNotFoundException", "ResourceConflictException"}
        left = await rig.store.read(lambda db: db.all("SELECT * FROM function_code_signing"))
        configs = await rig.store.read(lambda db: db.all("SELECT * FROM code_signing_config"))
        assert (len(left) == 10) if configs else not left
        assert len(left) + len([each for each in outcomes if isinstance(each, AwsError)]) >= 10

    run(tmp_path, work)
