"""Reservations, runtime updates and SnapStart: what is refused, and what is kept."""

from __future__ import annotations

from typing import Any

import pytest

from alonzo.control.concurrency import check_reservation
from alonzo.control.runtime_management import plan_runtime_management, shown
from alonzo.control.snap_start import check_snap_start
from alonzo.model.errors import AwsError

OWN = "arn:aws:lambda:eu-west-1::runtime:own"


def invalid(work: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(AwsError) as caught:
        work(*args, **kwargs)
    assert caught.value.code == "InvalidParameterValueException"
    return caught.value.message


def test_a_hundred_stay_unreserved() -> None:
    check_reservation(900, others=0, account=1000)
    check_reservation(0, others=900, account=1000)
    for wanted, others in ((901, 0), (1, 900)):
        assert invalid(check_reservation, wanted, others=others, account=1000) == (
            "Specified ReservedConcurrentExecutions for function decreases account's "
            "UnreservedConcurrentExecution below its minimum value of [100]."
        )


def test_an_account_with_less_keeps_all_of_it() -> None:
    check_reservation(0, others=0, account=10)
    assert invalid(check_reservation, 1, others=0, account=10).endswith("minimum value of [10].")


@pytest.mark.parametrize("mode", ["Auto", "FunctionUpdate"])
def test_the_other_modes_name_no_build(mode: str) -> None:
    assert plan_runtime_management({"UpdateRuntimeOn": mode}, OWN) == {"UpdateRuntimeOn": mode}
    assert shown({"UpdateRuntimeOn": mode}, OWN) == {"UpdateRuntimeOn": mode}
    params = {"UpdateRuntimeOn": mode, "RuntimeVersionArn": OWN}
    assert invalid(plan_runtime_management, params, OWN).startswith("RuntimeVersionArn: ")


def test_manual_names_the_build_that_there_is() -> None:
    params: dict[str, Any] = {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": OWN}
    assert shown(plan_runtime_management(params, OWN), OWN) == params
    for arn in (None, "", "arn:aws:lambda:eu-west-1::runtime:other"):
        params["RuntimeVersionArn"] = arn
        assert invalid(plan_runtime_management, params, OWN).startswith("RuntimeVersionArn: ")


def configuration(**members: Any) -> dict[str, Any]:
    return {
        "Runtime": "python3.12",
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"},
        **members,
    }


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (
            {"Runtime": "nodejs22.x"},
            "nodejs22.x is not supported for SnapStart enabled functions.",
        ),
        (
            {"Runtime": "python3.11"},
            "python3.11 is not supported for SnapStart enabled functions.",
        ),
        (
            {"EphemeralStorage": {"Size": 513}},
            "EphemeralStorage: SnapStart enabled functions have 512 MB at most.",
        ),
        (
            {"Runtime": "java8.al2"},
            "java8.al2 is not supported for SnapStart enabled functions.",
        ),
        (
            {"Runtime": "provided.al2023"},
            "provided.al2023 is not supported for SnapStart enabled functions.",
        ),
        (
            {"FileSystemConfigs": [{"Arn": "a", "LocalMountPath": "/mnt/x"}]},
            "FileSystemConfigs: file systems are not supported for SnapStart enabled functions.",
        ),
        (
            {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}},
            "TenancyConfig: tenant isolation is not supported for SnapStart enabled functions.",
        ),
    ],
)
def test_what_cannot_be_frozen_has_no_snapshots(members: dict[str, Any], text: str) -> None:
    assert invalid(check_snap_start, configuration(**members)) == text
    off = {"ApplyOn": "None", "OptimizationStatus": "Off"}
    check_snap_start(configuration(**members, SnapStart=off))


def test_what_can_be_frozen_may_have_snapshots() -> None:
    for runtime in ("python3.12", "python3.14", "java11", "java21", "java25", "dotnet8"):
        check_snap_start(configuration(Runtime=runtime))
