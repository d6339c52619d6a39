"""What a function has beside code: reservations, loops, runtime updates, tenants; and read-back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from alonzo.model.errors import AwsError
from alonzo.model.functions import ServingVersion
from alonzo.testing.control import ACCOUNT, REGION, ROLE, open_control

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
NOT_FOUND = "ResourceNotFoundException"
INVALID = "InvalidParameterValueException"
UNQUALIFIED = (
    "This operation is permitted on Lambda functions only. Aliases and versions do not support "
    "this operation. Please specify either a function name or an unqualified function ARN."
)


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


def test_reserved_concurrency_comes_shows_and_goes(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            before = await rig.create_active("f")
            await rig.create_active("g")
            name = {"FunctionName": "f"}

            async def unreserved() -> int:
                limits = (await rig.call("GetAccountSettings"))["AccountLimit"]
                return int(limits["UnreservedConcurrentExecutions"])

            assert await rig.call("GetFunctionConcurrency", **name) == {}
            for reserved in (0, 900, 5):
                wanted = {"ReservedConcurrentExecutions": reserved}
                assert await rig.call("PutFunctionConcurrency", **name, **wanted) == wanted
                assert await rig.call("GetFunctionConcurrency", **name) == wanted
                assert (await rig.call("GetFunction", **name))["Concurrency"] == wanted
                assert await unreserved() == 1000 - reserved
            other = {"FunctionName": "g", "ReservedConcurrentExecutions": 896}
            assert await refused(rig.call("PutFunctionConcurrency", **other)) == (
                INVALID,
                "Specified ReservedConcurrentExecutions for function decreases account's "
                "UnreservedConcurrentExecution below its minimum value of [100].",
            )
            await rig.call("PutFunctionConcurrency", **other | {"ReservedConcurrentExecutions": 9})
            assert await unreserved() == 986
            await rig.call("DeleteFunction", FunctionName="g")
            for _ in range(2):
                assert await rig.call("DeleteFunctionConcurrency", **name) == {}
            assert await rig.call("GetFunctionConcurrency", **name) == {}
            assert "Concurrency" not in await rig.call("GetFunction", **name)
            assert await unreserved() == 1000
            assert await rig.configuration("f") == before, "the revision too"

    asyncio.run(main())


def test_what_is_for_functions_as_a_whole_takes_no_qualifier(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            for operation, params in (
                ("PutFunctionConcurrency", {"ReservedConcurrentExecutions": 1}),
                ("GetFunctionConcurrency", {}),
                ("DeleteFunctionConcurrency", {}),
                ("PutFunctionRecursionConfig", {"RecursiveLoop": "Allow"}),
                ("GetFunctionRecursionConfig", {}),
            ):
                for name in ("f:1", "f:$LATEST", f"{ARN}:prod"):
                    error = await refused(rig.call(operation, FunctionName=name, **params))
                    assert error == (INVALID, UNQUALIFIED), operation
                error = await refused(rig.call(operation, FunctionName="g", **params))
                assert error == (NOT_FOUND, f"Function not found: {ARN[:-1]}g"), operation

    asyncio.run(main())


def test_loops_end_unless_they_are_allowed(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            name = {"FunctionName": "f"}
            assert await rig.call("GetFunctionRecursionConfig", **name) == {
                "RecursiveLoop": "Terminate"
            }
            for wanted in ("Allow", "Terminate"):
                answer = {"RecursiveLoop": wanted}
                assert await rig.call("PutFunctionRecursionConfig", **name, **answer) == answer
                assert await rig.call("GetFunctionRecursionConfig", **name) == answer

    asyncio.run(main())


def test_runtime_updates_are_set_for_each_version(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            latest = await rig.create_active("f")
            own = latest["RuntimeVersionConfig"]["RuntimeVersionArn"]
            name = {"FunctionName": "f"}
            auto = {"FunctionArn": ARN, "UpdateRuntimeOn": "Auto"}
            assert await rig.call("GetRuntimeManagementConfig", **name) == auto
            manual = {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": own}
            put = await rig.call("PutRuntimeManagementConfig", **name, **manual)
            assert put == {"FunctionArn": ARN, **manual}
            assert await rig.call("GetRuntimeManagementConfig", **name) == put
            await rig.call("PublishVersion", **name)
            await rig.call("PutRuntimeManagementConfig", **name, UpdateRuntimeOn="FunctionUpdate")
            of_one = await rig.call("GetRuntimeManagementConfig", **name, Qualifier="1")
            assert of_one == {"FunctionArn": f"{ARN}:1", **manual}, "inherited, and then its own"
            await rig.call("CreateAlias", **name, Name="prod", FunctionVersion="1")
            for qualifier in ("2", "prod"):
                error = await refused(
                    rig.call("GetRuntimeManagementConfig", **name, Qualifier=qualifier)
                )
                assert error == (NOT_FOUND, f"Function not found: {ARN}:{qualifier}")
            # Another runtime is another build, and what is shown stays true.
            await rig.call("PutRuntimeManagementConfig", **name, **manual)
            await rig.call("UpdateFunctionConfiguration", **name, Runtime="python3.13")
            updated = await rig.settled("f")
            shown = await rig.call("GetRuntimeManagementConfig", **name)
            assert (
                shown["RuntimeVersionArn"] == (updated["RuntimeVersionConfig"]["RuntimeVersionArn"])
            )
            assert shown["RuntimeVersionArn"] != own

    asyncio.run(main())


def test_tenants_are_kept_apart_from_the_beginning_or_never(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            apart = {"TenantIsolationMode": "PER_TENANT"}
            document = await rig.create_active("f", TenancyConfig=apart)
            assert document["TenancyConfig"] == apart
            await rig.call("PublishVersion", FunctionName="f")
            for version in ("$LATEST", "1"):
                row = await rig.row("f", version)
                assert row is not None
                assert ServingVersion.from_json(row["serving"]).tenant_isolation
            assert "TenancyConfig" not in await rig.create_active("g")

    asyncio.run(main())


EVERYTHING: dict[str, Any] = {
    "Description": "all of it",
    "Timeout": 17,
    "MemorySize": 512,
    "Environment": {"Variables": {"A": "1", "B": ""}},
    "EphemeralStorage": {"Size": 512},
    "LoggingConfig": {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "WARN",
        "SystemLogLevel": "DEBUG",
        "LogGroup": "/mine/f",
    },
    "TracingConfig": {"Mode": "PassThrough"},
    "SnapStart": {"ApplyOn": "PublishedVersions"},
    "Runtime": "python3.13",
    "Handler": "other.handler",
    "Role": f"{ROLE}2",
}


def test_whatever_is_set_reads_back_and_an_empty_update_changes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            created = await rig.create_active("f", **EVERYTHING)
            await rig.create_active("g")
            await rig.call("UpdateFunctionConfiguration", FunctionName="g", **EVERYTHING)
            updated = await rig.settled("g")
            for document in (created, updated):
                shown = {member: document[member] for member in EVERYTHING}
                shown["SnapStart"].pop("OptimizationStatus")
                assert shown == EVERYTHING
            for empty in ({}, EVERYTHING):
                before = await rig.configuration("f")
                await rig.call("UpdateFunctionConfiguration", FunctionName="f", **empty)
                after = await rig.settled("f")
                changing = ("RevisionId", "LastModified")
                assert {**after, **dict.fromkeys(changing)} == {**before, **dict.fromkeys(changing)}

    asyncio.run(main())
