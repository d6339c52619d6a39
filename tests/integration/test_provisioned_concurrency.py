"""Provisioned concurrency as data: how much may be asked for, of what, what others lose by it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from alonzo.model.errors import AwsError
from alonzo.model.provisioned import Allocation, AllocationStatus
from alonzo.testing.control import ACCOUNT, OTHER, REGION, ControlRig, open_control

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
INVALID = "InvalidParameterValueException"
CONFLICT = "ResourceConflictException"


async def put(rig: ControlRig, qualifier: str, number: int, name: str = "f") -> dict[str, Any]:
    return await rig.call(
        "PutProvisionedConcurrencyConfig",
        FunctionName=name,
        Qualifier=qualifier,
        ProvisionedConcurrentExecutions=number,
    )


async def get(rig: ControlRig, qualifier: str, name: str = "f") -> dict[str, Any]:
    return await rig.call("GetProvisionedConcurrencyConfig", FunctionName=name, Qualifier=qualifier)


async def reserve(rig: ControlRig, number: int, name: str = "f") -> dict[str, Any]:
    return await rig.call(
        "PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=number
    )


async def unreserved(rig: ControlRig) -> int:
    limits = (await rig.call("GetAccountSettings"))["AccountLimit"]
    return int(limits["UnreservedConcurrentExecutions"])


async def refused(call: Awaitable[Any]) -> tuple[str, str, Any]:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message, caught.value.members.get("Type")


def run(tmp_path: Path, scenario: Callable[[ControlRig], Awaitable[None]], **limits: Any) -> None:
    """Run a scenario on a function with the versions 1 and 2."""

    async def main() -> None:
        async with open_control(tmp_path, **limits) as rig:
            await rig.create_active("f")
            await rig.call("PublishVersion", FunctionName="f")
            await rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
            await rig.wait("f", LastUpdateStatus="Successful")
            await rig.call("PublishVersion", FunctionName="f")
            await scenario(rig)

    asyncio.run(main())


def test_what_is_asked_for_reads_back_with_what_has_become_of_it(tmp_path: Path) -> None:
    async def scenario(rig: ControlRig) -> None:
        asked = {
            "RequestedProvisionedConcurrentExecutions": 5,
            "AllocatedProvisionedConcurrentExecutions": 0,
            "AvailableProvisionedConcurrentExecutions": 0,
            "Status": "IN_PROGRESS",
            "LastModified": "2026-11-20T10:00:00.000+0000",
        }
        assert await put(rig, "1", 5) == asked
        assert await get(rig, "1") == asked
        rig.provisioned.allocations["1"] = Allocation(5, 4, AllocationStatus.READY)
        ready = {
            **asked,
            "AllocatedProvisionedConcurrentExecutions": 5,
            "AvailableProvisionedConcurrentExecutions": 4,
            "Status": "READY",
        }
        assert await get(rig, "1") == ready
        rig.provisioned.allocations["1"] = Allocation(0, 0, AllocationStatus.FAILED, "Why.")
        assert await get(rig, "1") == {**asked, "Status": "FAILED", "StatusReason": "Why."}
        # Whatever was before, a request begins something.
        again = await put(rig, "1", 5)
        assert (again["Status"], again.get("StatusReason")) == ("IN_PROGRESS", None)
        listed = await rig.call("ListProvisionedConcurrencyConfigs", FunctionName="f")
        (only,) = listed["ProvisionedConcurrencyConfigs"]
        assert only == {**await get(rig, "1"), "FunctionArn": f"{ARN}:1"}

    run(tmp_path, scenario)


def test_the_qualifier_may_stand_in_the_name(tmp_path: Path) -> None:
    async def scenario(rig: ControlRig) -> None:
        await put(rig, "1", 5, name=f"{ARN}:1")
        assert (await get(rig, "1"))["RequestedProvisionedConcurrentExecutions"] == 5
        assert (await refused(put(rig, "1", 5, name=f"{ARN}:2")))[0] == INVALID

    run(tmp_path, scenario)


def test_the_account_keeps_its_minimum_for_functions_without_any(tmp_path: Path) -> None:
    async def scenario(rig: ControlRig) -> None:
        too_much = (
            INVALID,
            "Specified ConcurrentExecutions for function is greater than account's unreserved "
            "concurrency [1000].",
            None,
        )
        too_little_left = (
            INVALID,
            "Specified ConcurrentExecutions for function decreases account's "
            "UnreservedConcurrentExecution below its minimum value of [100].",
            None,
        )
        assert await refused(put(rig, "1", 1001)) == too_much
        assert await refused(put(rig, "1", 901)) == too_little_left
        assert await refused(put(rig, "1", 1000)) == too_little_left
        await put(rig, "1", 900)
        assert await unreserved(rig) == 100
        assert (await refused(put(rig, "2", 1)))[1] == too_little_left[1]
        # The same again takes nothing more, and less gives back.
        await put(rig, "1", 900)
        await put(rig, "1", 400)
        assert await unreserved(rig) == 600
        await rig.create_active("g")
        assert (await refused(reserve(rig, 501, "g")))[0] == INVALID
        await reserve(rig, 500, "g")
        assert await unreserved(rig) == 100
        await rig.call("DeleteProvisionedConcurrencyConfig", FunctionName="f", Qualifier="1")
        assert await unreserved(rig) == 500

    run(tmp_path, scenario)


def test_a_reservation_is_the_bound_of_its_function(tmp_path: Path) -> None:
    async def scenario(rig: ControlRig) -> None:
        await reserve(rig, 10)
        await put(rig, "1", 6)
        assert await unreserved(rig) == 990, "part of the reservation"
        assert await refused(put(rig, "2", 5)) == (
            INVALID,
            "Requested Provisioned Concurrency should not be greater than the "
            "reservedConcurrentExecution for function",
            "User",
        )
        await put(rig, "2", 4)
        assert await refused(reserve(rig, 9)) == (
            INVALID,
            " ReservedConcurrentExecutions  9 should not be lower than function's total "
            "provisioned concurrency [10].",
            None,
        )
        await rig.call("DeleteFunctionConcurrency", FunctionName="f")
        assert await unreserved(rig) == 990, "provisioned, and not reserved any more"
        await reserve(rig, 900)
        assert await unreserved(rig) == 100

    run(tmp_path, scenario)


def test_an_account_of_less_than_the_minimum_has_nothing_to_provision(tmp_path: Path) -> None:
    async def scenario(rig: ControlRig) -> None:
        assert "minimum value of [50]" in (await refused(put(rig, "1", 1)))[1]

    run(tmp_path, scenario, concurrency=50)


def test_a_version_is_provisioned_once(tmp_path: Path) -> None:
    async def scenario(rig: ControlRig) -> None:
        for alias in ("a", "b"):
            await rig.call("CreateAlias", FunctionName="f", Name=alias, FunctionVersion="1")
        await put(rig, "1", 1)
        taken = (
            CONFLICT,
            "Alias can't be used for Provisioned Concurrency configuration on an already "
            "Provisioned version",
            "User",
        )
        assert await refused(put(rig, "a", 1)) == taken
        await rig.call("DeleteProvisionedConcurrencyConfig", FunctionName="f", Qualifier="1")
        await put(rig, "a", 1)
        assert await refused(put(rig, "b", 1)) == taken
        assert await refused(put(rig, "1", 1)) == (
            CONFLICT,
            "Version is pointed by a Provisioned Concurrency alias",
            "User",
        )
        await put(rig, "a", 2)
        await put(rig, "2", 2)

    run(tmp_path, scenario)


def test_an_alias_moves_only_where_its_environments_can_go(tmp_path: Path) -> None:
    async def scenario(rig: ControlRig) -> None:
        alias = {"FunctionName": "f", "Name": "a"}
        await rig.call("CreateAlias", **alias, FunctionVersion="1")
        await put(rig, "a", 3)
        await put(rig, "2", 3)
        invalid = (INVALID, "Invalid alias configuration for Provisioned Concurrency", "User")
        weights = {"AdditionalVersionWeights": {"2": 0.5}}
        for changes in (
            {"FunctionVersion": "2"},
            {"FunctionVersion": "$LATEST"},
            {"RoutingConfig": weights},
        ):
            assert await refused(rig.call("UpdateAlias", **alias, **changes)) == invalid
        await rig.call("UpdateAlias", **alias, Description="others change")
        await rig.call("DeleteProvisionedConcurrencyConfig", FunctionName="f", Qualifier="2")
        await rig.call("UpdateAlias", **alias, RoutingConfig=weights)
        assert await refused(put(rig, "a", 4)) == (
            INVALID,
            "Alias with weights can not be used with Provisioned Concurrency",
            "User",
        )
        assert (await refused(put(rig, "2", 1)))[0] == CONFLICT, "an alias shares calls with it"
        await rig.call("UpdateAlias", **alias, FunctionVersion="2", RoutingConfig={})
        assert (await get(rig, "a"))["RequestedProvisionedConcurrentExecutions"] == 3
        await put(rig, "1", 1)

    run(tmp_path, scenario)


def test_it_goes_with_what_it_is_for(tmp_path: Path) -> None:
    async def scenario(rig: ControlRig) -> None:
        await rig.call("CreateAlias", FunctionName="f", Name="a", FunctionVersion="2")
        await put(rig, "a", 10)
        await put(rig, "1", 20)
        assert await unreserved(rig) == 970
        await rig.call("DeleteAlias", FunctionName="f", Name="a")
        await rig.call("DeleteFunction", FunctionName="f", Qualifier="1")
        assert await unreserved(rig) == 1000
        await put(rig, "2", 10)
        await rig.call("DeleteFunction", FunctionName="f")
        assert await unreserved(rig) == 1000
        assert (await refused(get(rig, "2")))[1] == f"Function not found: {ARN}:2"

    run(tmp_path, scenario)


def test_what_starts_by_other_means_cannot_be_kept_ready(tmp_path: Path) -> None:
    async def scenario(rig: ControlRig) -> None:
        await rig.create_active(
            "s", Runtime="python3.13", SnapStart={"ApplyOn": "PublishedVersions"}
        )
        await rig.create_active("t", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
        for name, what in (("s", "SnapStart"), ("t", "tenant isolation")):
            await rig.call("PublishVersion", FunctionName=name)
            code, message, _ = await refused(put(rig, "1", 1, name))
            assert (code, message) == (
                INVALID,
                f"Provisioned concurrency cannot be used with {what}.",
            )

    run(tmp_path, scenario)


def test_requests_beside_each_other_never_take_more_than_there_is(tmp_path: Path) -> None:
    async def scenario(rig: ControlRig) -> None:
        await rig.create_active("g")
        await rig.call("PublishVersion", FunctionName="g")
        calls: list[Awaitable[Any]] = []
        for number in range(60, 100, 4):
            calls += [put(rig, "1", 5 * number), put(rig, "2", 4 * number)]
            calls += [put(rig, "1", 3 * number, "g"), reserve(rig, 2 * number, "g")]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                assert isinstance(answer, AwsError), answer
                assert answer.code == INVALID
        assert await unreserved(rig) >= 100

    run(tmp_path, scenario)
