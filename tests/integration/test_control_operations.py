"""The operations on functions over a real store: addressing, lists, tags, packages, downloads."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from alonzo.control.links import LINK_S
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.testing.control import ACCOUNT, ENDPOINT, HELLO, OTHER, REGION, open_control, zip_of

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
NOT_FOUND = "ResourceNotFoundException"
INVALID = "InvalidParameterValueException"


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


def in_every_form(name: str) -> list[str]:
    return [
        name,
        f"function:{name}",
        f"{ACCOUNT}:function:{name}",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
    ]


def test_a_function_is_found_by_every_form_of_its_name(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            for form in in_every_form("f"):
                assert (await rig.configuration(form))["FunctionArn"] == ARN
                for qualified in (
                    {"FunctionName": f"{form}:$LATEST"},
                    {"FunctionName": form, "Qualifier": "$LATEST"},
                    {"FunctionName": f"{form}:$LATEST", "Qualifier": "$LATEST"},
                ):
                    found = await rig.call("GetFunction", **qualified)
                    assert found["Configuration"]["FunctionArn"] == f"{ARN}:$LATEST"
                    assert found["Configuration"]["Version"] == "$LATEST"

    asyncio.run(main())


def test_what_is_not_there_is_named_as_it_was_addressed(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            missing = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:g"
            for operation, params in (
                ("GetFunction", {}),
                ("GetFunctionConfiguration", {}),
                ("UpdateFunctionCode", {"ZipFile": OTHER}),
                ("UpdateFunctionConfiguration", {}),
                ("DeleteFunction", {}),
                ("ListVersionsByFunction", {}),
            ):
                error = await refused(rig.call(operation, FunctionName="g", **params))
                assert error == (NOT_FOUND, f"Function not found: {missing}"), operation
            for qualifier in ("1", "prod", "$latest", "$LATEST.PUBLISHED"):
                for operation in ("GetFunction", "GetFunctionConfiguration"):
                    error = await refused(
                        rig.call(operation, FunctionName="f", Qualifier=qualifier)
                    )
                    assert error == (NOT_FOUND, f"Function not found: {ARN}:{qualifier}")
            assert (await rig.configuration("f"))["State"] == "Active"

    asyncio.run(main())


def test_names_that_contradict_themselves_or_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            assert await refused(
                rig.call("GetFunction", FunctionName="f:$LATEST", Qualifier="1")
            ) == (
                INVALID,
                "The derived qualifier from the function name does not match the specified "
                "qualifier.",
            )
            elsewhere = ARN.replace(REGION, "us-east-2")
            assert await refused(rig.call("GetFunction", FunctionName=elsewhere)) == (
                NOT_FOUND,
                f"Functions from 'us-east-2' are not reachable in this region ('{REGION}')",
            )
            stranger = ARN.replace(ACCOUNT, "999999999999")
            code, _ = await refused(rig.call("GetFunction", FunctionName=stranger))
            assert code == "AccessDeniedException"
            long = "x" * 65
            assert (await refused(rig.create(long)))[0] == INVALID
            assert (await refused(rig.configuration(long)))[0] == NOT_FOUND
            assert (await refused(rig.create("f:1")))[0] == INVALID

    asyncio.run(main())


def test_the_same_name_is_free_in_other_accounts_and_regions(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            assert await refused(rig.create("f")) == (
                "ResourceConflictException",
                "Function already exist: f",
            )
            await rig.create("f", region="us-east-1")
            theirs = "arn:aws:iam::999999999999:role/r"
            await rig.create("f", account="999999999999", Role=theirs)
            for where in ({"region": "us-east-1"}, {"account": "999999999999"}, {}):
                listed = await rig.call("ListFunctions", **where)
                assert len(listed["Functions"]) == 1
            await rig.call("DeleteFunction", FunctionName="f", region="us-east-1")
            assert (await rig.configuration("f"))["State"] == "Active"

    asyncio.run(main())


def test_deleting_latest_alone_is_refused_and_deleting_the_function_is_not(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            for params in (
                {"FunctionName": "f", "Qualifier": "$LATEST"},
                {"FunctionName": "f:$LATEST"},
            ):
                assert await refused(rig.call("DeleteFunction", **params)) == (
                    INVALID,
                    "$LATEST version cannot be deleted without deleting the function.",
                )
            assert await rig.call("DeleteFunction", FunctionName="f") == {"StatusCode": 204}
            assert (await refused(rig.configuration("f")))[0] == NOT_FOUND
            await rig.create_active("f", OTHER)

    asyncio.run(main())


def test_lists_leave_out_states_and_come_in_pages(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            names = sorted(f"f{number}" for number in range(53))
            for name in names:
                await rig.create(name)
            first = await rig.call("ListFunctions", MaxItems=10_000)
            assert [entry["FunctionName"] for entry in first["Functions"]] == names[:50]
            second = await rig.call("ListFunctions", Marker=first["NextMarker"])
            assert [entry["FunctionName"] for entry in second["Functions"]] == names[50:]
            assert "NextMarker" not in second
            hidden = {"State", "StateReason", "StateReasonCode", "LastUpdateStatus"}
            entry = first["Functions"][0]
            assert not (hidden | {"RuntimeVersionConfig"}) & set(entry)
            assert entry["FunctionArn"] == f"{ARN}0"
            # A function that goes between two pages neither hides nor repeats another.
            page = await rig.call("ListFunctions", MaxItems=2)
            await rig.call("DeleteFunction", FunctionName=names[1])
            rest = await rig.call("ListFunctions", MaxItems=2, Marker=page["NextMarker"])
            assert [entry["FunctionName"] for entry in rest["Functions"]] == names[2:4]

    asyncio.run(main())


def test_all_versions_are_listed_with_qualified_arns(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            for name in ("f", "g", "h"):
                await rig.create_active(name)
            page = await rig.call("ListFunctions", FunctionVersion="ALL", MaxItems=2)
            rest = await rig.call(
                "ListFunctions", FunctionVersion="ALL", MaxItems=2, Marker=page["NextMarker"]
            )
            arns = [entry["FunctionArn"] for entry in page["Functions"] + rest["Functions"]]
            assert arns == [f"{ARN[:-1]}{name}:$LATEST" for name in "fgh"]
            versions = await rig.call("ListVersionsByFunction", FunctionName="f")
            assert versions == {"Versions": [page["Functions"][0]]}
            assert "State" not in versions["Versions"][0]
            every = {"FunctionVersion": "ALL"}
            edge = await rig.call("ListFunctions", MasterRegion="us-east-1", **every)
            assert edge == {"Functions": []}
            alike = await rig.call("ListFunctions", MasterRegion="ALL", **every)
            assert len(alike["Functions"]) == 3
            assert (await refused(rig.call("ListFunctions", MasterRegion="ALL")))[0] == INVALID
            assert (await refused(rig.call("ListFunctions", Marker="x")))[0] == INVALID

    asyncio.run(main())


def test_tags_are_added_changed_removed_and_shown_on_the_function_only(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f", Tags={"a": "1"})
            assert await rig.call("TagResource", Resource=ARN, Tags={"a": "2", "b": "3"}) == {}
            await rig.call("UntagResource", Resource=ARN, TagKeys=["a", "unknown"])
            assert await rig.call("ListTags", Resource=ARN) == {"Tags": {"b": "3"}}
            assert (await rig.call("GetFunction", FunctionName="f"))["Tags"] == {"b": "3"}
            qualified = await rig.call("GetFunction", FunctionName="f", Qualifier="$LATEST")
            assert "Tags" not in qualified
            await rig.call("UntagResource", Resource=ARN, TagKeys=["b"])
            assert await rig.call("ListTags", Resource=ARN) == {"Tags": {}}
            assert "Tags" not in await rig.call("GetFunction", FunctionName="f")

    asyncio.run(main())


def test_tagging_is_refused_where_aws_refuses_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            too_many = {str(number): "" for number in range(51)}
            unqualified = (
                "Tags on function aliases and versions are not supported. Please specify a "
                "function ARN."
            )
            mapping = ARN.replace("function:f", f"event-source-mapping:{'0' * 8}")
            signing = ARN.replace("function:f", "code-signing-config:csc-x")
            one = {"a": ""}
            for resource, tags, code, text in (
                (ARN, {}, INVALID, "An error occurred and the request cannot be processed."),
                (ARN, too_many, INVALID, "Number of tags exceeds resource tag limit."),
                (f"{ARN}:$LATEST", one, INVALID, unqualified),
                (f"{ARN}:1", one, INVALID, unqualified),
                (f"{ARN}g", one, NOT_FOUND, f"Function not found: {ARN}g"),
                (mapping, one, NOT_FOUND, f"Event source mapping not found: {mapping}"),
                (
                    signing,
                    one,
                    NOT_FOUND,
                    f"The Lambda code signing configuration {signing} can not be found.",
                ),
            ):
                call = rig.call("TagResource", Resource=resource, Tags=tags)
                assert await refused(call) == (code, text)
            assert (await refused(rig.create("g", Tags=too_many)))[0] == INVALID
            assert (await refused(rig.configuration("g")))[0] == NOT_FOUND
            nonsense = rig.call("ListTags", Resource="[" * 3000)
            assert (await refused(nonsense))[0] == "ValidationException"
            missing = {"Resource": f"{ARN}g"}
            assert (await refused(rig.call("ListTags", **missing)))[0] == NOT_FOUND
            assert (await refused(rig.call("UntagResource", TagKeys=["a"], **missing)))[0] == (
                NOT_FOUND
            )

    asyncio.run(main())


def test_account_settings_count_what_is_there(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            limit = {
                "TotalCodeSize": 300 << 30,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": 1000,
                "UnreservedConcurrentExecutions": 1000,
            }
            assert await rig.call("GetAccountSettings") == {
                "AccountLimit": limit,
                "AccountUsage": {"TotalCodeSize": 0, "FunctionCount": 0},
            }
            await rig.create("f", zip_of({"a": "x" * 1000}))
            await rig.create("g", zip_of({"a": "x" * 1000}))
            await rig.create("h", region="us-east-1")
            usage = (await rig.call("GetAccountSettings"))["AccountUsage"]
            assert usage == {"TotalCodeSize": 2000, "FunctionCount": 2}

    asyncio.run(main())


def test_code_past_the_accounts_storage_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path, code_storage_bytes_max=1000) as rig:
            await rig.create_active("f", zip_of({"a": "x" * 600}))
            code, _ = await refused(rig.create("g", zip_of({"a": "x" * 401})))
            assert code == "CodeStorageExceededException"
            await rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=zip_of({"a": "y" * 999}))
            await rig.settled("f")
            larger = zip_of({"a": "y" * 1001})
            for dry in (True, False):
                code, _ = await refused(
                    rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=larger, DryRun=dry)
                )
                assert code == "CodeStorageExceededException"

    asyncio.run(main())


COULD_NOT = "Could not unzip uploaded file"
PACKAGES: dict[str, tuple[bytes, str, str]] = {
    "no zip": (
        b"hello",
        INVALID,
        f"{COULD_NOT}. Please check your file, then try to upload again.",
    ),
    "empty": (zip_of({}), INVALID, "Uploaded file must be a non-empty zip"),
    "zip slip": (
        zip_of({"../x": "1"}),
        INVALID,
        f"{COULD_NOT}: the path '../x' leaves the package.",
    ),
    "too large unpacked": (
        zip_of({"x": "1" * 5001}),
        INVALID,
        "Unzipped size must be smaller than 5000 bytes",
    ),
    "too large": (
        b"x" * 1001,
        "RequestEntityTooLargeException",
        "Zipped size must be smaller than 1000 bytes",
    ),
}


@pytest.mark.parametrize(("data", "code", "text"), PACKAGES.values(), ids=PACKAGES.keys())
def test_a_bad_package_is_refused_and_leaves_nothing(
    data: bytes, code: str, text: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_control(tmp_path, zip_bytes_max=1000, unzipped_bytes_max=5000) as rig:
            assert await refused(rig.create("f", data)) == (code, text)
            assert (await refused(rig.configuration("f")))[0] == NOT_FOUND
            assert await rig.blobs.list_digests() == []
            before = await rig.create_active("g")
            update = rig.call("UpdateFunctionCode", FunctionName="g", ZipFile=data)
            assert await refused(update) == (code, text)
            assert await rig.configuration("g") == before
            assert len(await rig.blobs.list_digests()) == 1

    asyncio.run(main())


def test_a_runtime_that_the_host_lacks_is_refused_on_create_and_update(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            text = (
                "The runtime java21 is not available on this host. Java functions do not run here "
                "yet."
            )
            assert await refused(rig.create("f", Runtime="java21")) == (INVALID, text)
            await rig.create_active("f")
            update = rig.call("UpdateFunctionConfiguration", FunctionName="f", Runtime="java21")
            assert await refused(update) == (INVALID, text)
            # What runs already may be updated in other respects, though its runtime has gone.
            rig.runtimes.missing["python3.12"] = "Install Python 3.12."
            await rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=5)

    asyncio.run(main())


def request(url: str) -> HttpRequest:
    found = urlsplit(url)
    return HttpRequest("GET", found.path.encode(), found.query.encode(), (), b"", "127.0.0.1")


def test_the_code_can_be_downloaded_for_ten_minutes(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            code = (await rig.call("GetFunction", FunctionName="f"))["Code"]
            assert code["RepositoryType"] == "S3"
            url = code["Location"]
            assert url.startswith(f"{ENDPOINT}/_alonzo/code/")

            async def fetch() -> HttpResponse:
                return await rig.plane.download(request(url))

            found = await fetch()
            assert (found.status, found.body) == (200, HELLO)
            assert found.headers["content-length"] == str(len(HELLO))
            bent = await rig.plane.download(request(url[:-1] + "x"))
            assert bent.status == 403
            assert b"<Code>SignatureDoesNotMatch</Code>" in bytes(bent.body)
            rig.clock.advance(LINK_S)
            late = await fetch()
            assert late.status == 403
            assert b"<Message>Request has expired</Message>" in bytes(late.body)
            url = (await rig.call("GetFunction", FunctionName="f"))["Code"]["Location"]
            for digest in await rig.blobs.list_digests():
                await rig.blobs.delete(digest)
            assert (await fetch()).status == 404

    asyncio.run(main())


def test_a_role_of_another_account_cannot_be_passed(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            theirs = "arn:aws:iam::999999999999:role/r"
            refusal = ("AccessDeniedException", "Cross-account pass role is not allowed.")
            assert await refused(rig.create("f", Role=theirs)) == refusal
            await rig.create_active("f")
            update = rig.call("UpdateFunctionConfiguration", FunctionName="f", Role=theirs)
            assert await refused(update) == refusal

    asyncio.run(main())
