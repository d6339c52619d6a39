"""Create, update, delete: what the API shows at each step, and what invokes would run on."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from alonzo.control import deployer as deployer_module
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.errors import AwsError
from alonzo.model.functions import ServingVersion
from alonzo.model.ports.code import CodeError
from alonzo.testing.control import ACCOUNT, HELLO, OTHER, REGION, ROLE, open_control, zip_of

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"


async def refused(call: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value


def serving(row: Any) -> ServingVersion:
    return ServingVersion.from_json(row["serving"])


def test_a_minimal_function_is_answered_with_every_default(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            created = await rig.create("f")
            active = await rig.wait("f", State="Active")
        digest = base64.b64encode(hashlib.sha256(HELLO).digest()).decode()
        version_arn = created["RuntimeVersionConfig"]["RuntimeVersionArn"]
        assert re.fullmatch(rf"arn:aws:lambda:{REGION}::runtime:[0-9a-f]{{64}}", version_arn)
        common = {
            "FunctionName": "f",
            "FunctionArn": ARN,
            "Runtime": "python3.12",
            "Role": ROLE,
            "Handler": "app.handler",
            "CodeSize": len(HELLO),
            "CodeSha256": digest,
            "Description": "",
            "Timeout": 3,
            "MemorySize": 128,
            "LastModified": "2026-11-20T10:00:00.000+0000",
            "Version": "$LATEST",
            "TracingConfig": {"Mode": "PassThrough"},
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
            "RuntimeVersionConfig": {"RuntimeVersionArn": version_arn},
        }
        assert created == common | {
            "RevisionId": created["RevisionId"],
            "State": "Pending",
            "StateReasonCode": "Creating",
            "StateReason": "The function is being created.",
        }
        assert active == common | {
            "RevisionId": active["RevisionId"],
            "State": "Active",
            "LastUpdateStatus": "Successful",
        }
        assert created["RevisionId"] != active["RevisionId"]

    asyncio.run(main())


def test_an_update_changes_the_revision_twice_and_the_old_code_serves_meanwhile(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            active = await rig.create_active("f")
            before = serving(await rig.row("f"))
            rig.code.gate.clear()
            rig.clock.advance(1.5)
            accepted = await rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
            assert accepted["State"] == "Active"
            assert "StateReason" not in accepted
            assert accepted["LastUpdateStatus"] == "InProgress"
            assert accepted["LastUpdateStatusReasonCode"] == "Creating"
            assert accepted["LastUpdateStatusReason"] == "The function is being created."
            assert accepted["LastModified"] == "2026-11-20T10:00:01.500+0000"
            assert accepted["CodeSize"] == len(OTHER)
            meanwhile = await rig.row("f")
            assert meanwhile is not None
            assert serving(meanwhile) == before
            rig.code.gate.set()
            done = await rig.wait("f", LastUpdateStatus="Successful")
            after = serving(await rig.row("f"))
        revisions = {active["RevisionId"], accepted["RevisionId"], done["RevisionId"]}
        assert len(revisions) == 3
        assert after.code_sha256 == hashlib.sha256(OTHER).hexdigest()
        assert after.generation != before.generation
        assert "LastUpdateStatusReasonCode" not in done

    asyncio.run(main())


def test_what_serves_is_what_was_configured(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active(
                "f",
                Timeout=7,
                MemorySize=256,
                EphemeralStorage={"Size": 1024},
                Environment={"Variables": {"AB": "1"}},
                LoggingConfig={"LogFormat": "JSON", "LogGroup": "mine"},
            )
            record = serving(await rig.row("f"))
        assert record == ServingVersion(
            key=FunctionKey(ACCOUNT, REGION, "f"),
            version="$LATEST",
            generation=record.generation,
            runtime="python3.12",
            handler="app.handler",
            role=ROLE,
            code_sha256=hashlib.sha256(HELLO).hexdigest(),
            timeout_s=7,
            memory_mib=256,
            tmp_mib=1024,
            environment={"AB": "1"},
            log_group="mine",
            log_format="JSON",
            application_log_level="INFO",
            system_log_level="INFO",
        )

    asyncio.run(main())


def test_an_update_that_changes_nothing_is_an_update(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            active = await rig.create_active("f")
            accepted = await rig.call("UpdateFunctionConfiguration", FunctionName="f")
            done = await rig.wait("f", LastUpdateStatus="Successful")
        assert accepted["LastUpdateStatus"] == "InProgress"
        assert len({active["RevisionId"], accepted["RevisionId"], done["RevisionId"]}) == 3

    asyncio.run(main())


def test_the_environment_is_replaced_as_a_whole_and_otherwise_kept(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            created = await rig.create_active("f", Environment={"Variables": {"AA": "1"}})
            assert created["Environment"] == {"Variables": {"AA": "1"}}
            for change, expected in (
                ({"Timeout": 9}, {"AA": "1"}),
                ({"Environment": {"Variables": {"BB": "2"}}}, {"BB": "2"}),
                ({"Environment": {}}, {}),
            ):
                answer = await rig.call("UpdateFunctionConfiguration", FunctionName="f", **change)
                assert answer["Environment"] == {"Variables": expected}
                await rig.settled("f")

    asyncio.run(main())


def test_updates_are_refused_while_the_function_is_pending(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path, deploying=False) as rig:
            await rig.create("f")
            for call in (
                rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER),
                rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=4),
            ):
                error = await refused(call)
                assert (error.code, error.message) == (
                    "ResourceConflictException",
                    "The operation cannot be performed at this time. The function is currently in "
                    "the following state: Pending",
                )

    asyncio.run(main())


def test_updates_and_tags_are_refused_during_an_update(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            rig.code.gate.clear()
            await rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=4)
            for call in (
                rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER),
                rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=5),
                rig.call("TagResource", Resource=ARN, Tags={"a": "b"}),
            ):
                error = await refused(call)
                assert (error.code, error.message) == (
                    "ResourceConflictException",
                    "The operation cannot be performed at this time. An update is in progress for "
                    f"resource: {ARN}",
                )
            rig.code.gate.set()
            assert (await rig.settled("f"))["Timeout"] == 4

    asyncio.run(main())


def test_a_stale_revision_is_refused_and_the_current_one_is_taken(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            created = await rig.create("f")
            active = await rig.wait("f", State="Active")
            stale, current = created["RevisionId"], active["RevisionId"]
            for operation, change in (
                ("UpdateFunctionCode", {"ZipFile": OTHER}),
                ("UpdateFunctionConfiguration", {"Timeout": 4}),
            ):
                error = await refused(
                    rig.call(operation, FunctionName="f", RevisionId=stale, **change)
                )
                assert (error.code, error.message) == (
                    "PreconditionFailedException",
                    "The Revision Id provided does not match the latest Revision Id. Call the "
                    "GetFunction/GetAlias API to retrieve the latest Revision Id",
                )
            await rig.call(
                "UpdateFunctionConfiguration", FunctionName="f", RevisionId=current, Timeout=4
            )

    asyncio.run(main())


def test_a_dry_run_answers_what_would_be_and_keeps_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            active = await rig.create_active("f")
            digest = hashlib.sha256(OTHER).digest()
            answer = await rig.call(
                "UpdateFunctionCode", FunctionName="f", ZipFile=OTHER, DryRun=True
            )
            assert answer["CodeSha256"] == base64.b64encode(digest).decode()
            assert await rig.configuration("f") == active
            assert not await rig.blobs.exists(digest.hex())
            error = await refused(
                rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=b"no", DryRun=True)
            )
            assert error.code == "InvalidParameterValueException"

    asyncio.run(main())


def test_a_package_that_cannot_be_unpacked_fails_the_creation(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            rig.code.failure = CodeError("The package is damaged.")
            await rig.create("f")
            failed = await rig.wait("f", State="Failed")
            assert failed["StateReasonCode"] == "InvalidZipFileException"
            assert failed["StateReason"] == "The package is damaged."
            assert "LastUpdateStatus" not in failed
            row = await rig.row("f")
            assert row is not None
            assert row["serving"] is None
            error = await refused(rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER))
            assert error.message.endswith("following state: Failed")
            assert await rig.call("DeleteFunction", FunctionName="f") == {"StatusCode": 204}

    asyncio.run(main())


def test_a_failed_update_leaves_the_old_code_serving_and_takes_the_next_one(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            before = serving(await rig.row("f"))
            rig.code.failure = CodeError("The package is damaged.")
            await rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
            failed = await rig.wait("f", LastUpdateStatus="Failed")
            assert failed["State"] == "Active"
            assert failed["LastUpdateStatusReasonCode"] == "InvalidZipFileException"
            assert serving(await rig.row("f")) == before
            rig.code.failure = None
            await rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
            await rig.wait("f", LastUpdateStatus="Successful")
            assert serving(await rig.row("f")).code_sha256 == hashlib.sha256(OTHER).hexdigest()

    asyncio.run(main())


def test_a_fault_of_the_platform_is_tried_again_before_it_fails_the_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployer_module, "RETRY_DELAYS_S", (0.0, 0.0))

    async def main() -> None:
        async with open_control(tmp_path) as rig:
            rig.code.failure = OSError("no space left")
            await rig.create("f")
            failed = await rig.wait("f", State="Failed")
            assert failed["StateReasonCode"] == "InternalError"
            assert len(rig.code.prepared) == 3

    asyncio.run(main())


def test_a_restart_finishes_what_was_under_way(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path, deploying=False) as rig:
            await rig.create("pending")
            rig.code.gate.clear()
            async with TaskScope() as scope:  # The daemon that dies halfway.
                scope.spawn(rig.new_deployer().run(), name="deployer")
                await asyncio.wait_for(rig.code.begun.wait(), 5)
        async with open_control(tmp_path) as rig:
            await rig.wait("pending", State="Active", LastUpdateStatus="Successful")

    asyncio.run(main())


def test_a_function_made_anew_meanwhile_is_not_given_the_old_ones_outcome(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            rig.code.gate.clear()
            await rig.create("f")
            await asyncio.wait_for(rig.code.begun.wait(), 5)
            await rig.call("DeleteFunction", FunctionName="f")
            second = await rig.create("f", OTHER)
            rig.code.gate.set()
            await rig.wait("f", State="Active")
            assert serving(await rig.row("f")).code_sha256 == hashlib.sha256(OTHER).hexdigest()
            assert second["State"] == "Pending"

    asyncio.run(main())


def test_every_function_is_deployed_once_however_many_wait(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            names = [f"f{number}" for number in range(30)]
            await asyncio.gather(
                *(rig.create(name, zip_of({"app.py": f"# {name}"})) for name in names)
            )
            for name in names:
                await rig.wait(name, State="Active")
            assert len(rig.code.prepared) == len(set(rig.code.prepared)) == len(names)

    asyncio.run(main())


def test_each_change_is_published_to_the_data_plane(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            heard: list[str] = []
            rig.store.subscribe("function", heard.append)
            await rig.create_active("f")
            assert len(heard) >= 2
            count = len(heard)
            await rig.call("DeleteFunction", FunctionName="f")
            assert heard[count:] == [f"{ACCOUNT}/{REGION}/f"]

    asyncio.run(main())
