"""Every operation on a function takes every form of its name, and refuses each wrong one alike."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, OTHER, REGION, open_control

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
FORMS = ("f", "function:f", f"{ACCOUNT}:function:f", f"{REGION}:{ACCOUNT}:function:f", ARN)

#: Operations in an order in which each finds what it needs, with what is mandatory.
OPERATIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("GetFunction", {}),
    ("GetFunctionConfiguration", {}),
    ("PublishVersion", {}),
    ("ListVersionsByFunction", {}),
    ("CreateAlias", {"Name": "a", "FunctionVersion": "1"}),
    ("GetAlias", {"Name": "a"}),
    ("UpdateAlias", {"Name": "a"}),
    ("ListAliases", {}),
    ("DeleteAlias", {"Name": "a"}),
    ("PutFunctionConcurrency", {"ReservedConcurrentExecutions": 1}),
    ("GetFunctionConcurrency", {}),
    ("DeleteFunctionConcurrency", {}),
    ("PutFunctionRecursionConfig", {"RecursiveLoop": "Allow"}),
    ("GetFunctionRecursionConfig", {}),
    ("PutRuntimeManagementConfig", {"UpdateRuntimeOn": "Auto"}),
    ("GetRuntimeManagementConfig", {}),
    ("UpdateFunctionConfiguration", {}),
    ("UpdateFunctionCode", {"ZipFile": OTHER, "DryRun": True}),
    ("DeleteFunction", {}),
)


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


@pytest.mark.parametrize("form", FORMS)
def test_every_operation_takes_every_form(form: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create(form)
            await rig.settled("f")
            for operation, params in OPERATIONS:
                await rig.call(operation, FunctionName=form, **params)
                if operation.startswith("Update") and operation != "UpdateAlias":
                    await rig.settled("f")

    asyncio.run(main())


@pytest.mark.parametrize(("operation", "params"), OPERATIONS, ids=lambda value: str(value)[:30])
def test_every_operation_refuses_each_wrong_form_alike(
    operation: str, params: dict[str, Any], tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            elsewhere = ARN.replace(REGION, "us-west-2")
            for form, code, text in (
                (
                    elsewhere,
                    "ResourceNotFoundException",
                    f"Functions from 'us-west-2' are not reachable in this region ('{REGION}')",
                ),
                (ARN.replace(ACCOUNT, "9" * 12), "AccessDeniedException", ""),
                ("f g", "ValidationException", ""),
                (f"{ARN}:1:2", "ValidationException", ""),
                ("", "ValidationException", ""),
            ):
                error = await refused(rig.call(operation, FunctionName=form, **params))
                assert error[0] == code, form
                assert error[1] == text or not text
            for form in FORMS:
                error = await refused(rig.call(operation, FunctionName=form, **params))
                missing = f"Function not found: {ARN}"
                if operation == "GetAlias":
                    missing = f"Cannot find alias arn: {ARN}:a"
                assert error == ("ResourceNotFoundException", missing)

    asyncio.run(main())
