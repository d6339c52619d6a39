"""Layers that others may use: their policies, and what a function of another account gets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from alonzo.control.policies.documents import POLICY_BYTES_MAX
from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, HELLO, REGION, ControlRig, open_control, zip_of

STRANGER = "999999999999"
INVALID = "InvalidParameterValueException"
NOT_FOUND = "ResourceNotFoundException"
LAYER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:a"
ARN = f"{LAYER}:1"
GET = "lambda:GetLayerVersion"
AT = {"LayerName": "a", "VersionNumber": 1}
WRONG_REVISION = (
    "PreconditionFailedException",
    "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API "
    "to retrieve the latest Revision Id",
)


def denied(action: str = GET, arn: str = ARN) -> tuple[str, str]:
    return (
        "AccessDeniedException",
        f"User: arn:aws:iam::{STRANGER}:root is not authorized to perform: {action} on resource: "
        f"{arn} because no resource-based policy allows the {action} action",
    )


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


async def add(rig: ControlRig, sid: str = "s1", **params: Any) -> dict[str, Any]:
    defaults = AT | {"StatementId": sid, "Action": GET, "Principal": "*"}
    return await rig.call("AddLayerVersionPermission", **(defaults | params))


async def policy(rig: ControlRig) -> dict[str, Any]:
    answer = await rig.call("GetLayerVersionPolicy", **AT)
    return {**json.loads(answer["Policy"]), "RevisionId": answer["RevisionId"]}


def with_layer(tmp_path: Path, work: Any) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            content = {"ZipFile": zip_of({"python/a.py": "1"})}
            await rig.call("PublishLayerVersion", LayerName="a", Content=content)
            await work(rig)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("params", "principal", "condition"),
    [
        ({"Principal": "*"}, "*", None),
        ({"Principal": STRANGER}, {"AWS": f"arn:aws:iam::{STRANGER}:root"}, None),
        (
            {"Principal": f"arn:aws:iam::{STRANGER}:root"},
            {"AWS": f"arn:aws:iam::{STRANGER}:root"},
            None,
        ),
        (
            {"Principal": "*", "OrganizationId": "o-1234567890"},
            "*",
            {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}},
        ),
    ],
)
def test_a_statement_is_rendered_as_aws_does(
    tmp_path: Path, params: dict[str, Any], principal: Any, condition: Any
) -> None:
    async def work(rig: ControlRig) -> None:
        added = await add(rig, **params)
        statement = json.loads(added["Statement"])
        expected: dict[str, Any] = {
            "Sid": "s1",
            "Effect": "Allow",
            "Principal": principal,
            "Action": GET,
            "Resource": ARN,
        }
        if condition:
            expected["Condition"] = condition
        assert statement == expected
        assert list(statement) == list(expected)
        assert await policy(rig) == {
            "Version": "2012-10-17",
            "Id": "default",
            "Statement": [expected],
            "RevisionId": added["RevisionId"],
        }

    with_layer(tmp_path, work)


def test_statements_come_and_go_each_under_a_new_revision(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        assert await refused(policy(rig)) == (
            NOT_FOUND,
            "No policy is associated with the given resource.",
        )
        first = (await add(rig))["RevisionId"]
        assert await refused(add(rig, Principal=STRANGER)) == (
            "ResourceConflictException",
            "The statement id (s1) provided already exists. Please provide a new statement id, or "
            "remove the existing statement.",
        )
        assert await refused(add(rig, "s2", RevisionId="wrong")) == WRONG_REVISION
        second = (await add(rig, "s2", RevisionId=first))["RevisionId"]
        assert first != second

        def remove(sid: str, **guard: Any) -> Any:
            return rig.call("RemoveLayerVersionPermission", StatementId=sid, **AT, **guard)

        assert await refused(remove("s1", RevisionId=first)) == WRONG_REVISION
        assert await refused(remove("s3")) == (
            NOT_FOUND,
            "Statement s3 is not found in resource policy.",
        )
        await remove("s1", RevisionId=second)
        assert [each["Sid"] for each in (await policy(rig))["Statement"]] == ["s2"]
        assert (await policy(rig))["RevisionId"] not in (first, second)
        await remove("s2")
        assert await refused(policy(rig)) == (
            NOT_FOUND,
            "No policy is associated with the given resource.",
        )

    with_layer(tmp_path, work)


@pytest.mark.parametrize(
    "operation",
    ["AddLayerVersionPermission", "GetLayerVersionPolicy", "RemoveLayerVersionPermission"],
)
def test_a_version_that_is_not_there_is_named(tmp_path: Path, operation: str) -> None:
    async def work(rig: ControlRig) -> None:
        more = {"StatementId": "s1", "Action": GET, "Principal": "*"}
        for name, number in (("a", 2), ("b", 1)):
            at = {"LayerName": name, "VersionNumber": number}
            arn = f"{LAYER[:-1]}{name}:{number}"
            assert await refused(rig.call(operation, **at, **more)) == (
                NOT_FOUND,
                f"Layer version {arn} does not exist.",
            )
        zero = rig.call(operation, LayerName="a", VersionNumber=0, **more)
        assert await refused(zero) == (INVALID, "Layer Version Cannot be less than 1")
        theirs = rig.call(operation, account=STRANGER, LayerName=LAYER, VersionNumber=1, **more)
        assert await refused(theirs) == denied(f"lambda:{operation}", LAYER)

    with_layer(tmp_path, work)


def test_an_organization_needs_the_principal_of_all(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        call = add(rig, Principal=STRANGER, OrganizationId="o-1234567890")
        assert await refused(call) == (INVALID, "OrganizationId: the principal must be *.")

    with_layer(tmp_path, work)


def test_a_layers_policy_is_never_longer_than_twenty_kilobytes(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        await add(rig, "x" * 100)
        length = len((await rig.call("GetLayerVersionPolicy", **AT))["Policy"])
        one = len((await add(rig, "y" * 100))["Statement"]) + 1
        fit = (POLICY_BYTES_MAX - length) // one
        for number in range(fit - 1):
            await add(rig, f"{number:0100d}")
        assert await refused(add(rig, "z" * 100)) == (
            "PolicyLengthExceededException",
            f"The final policy size ({length + (fit + 1) * one}) is bigger than the limit "
            f"({POLICY_BYTES_MAX}).",
        )

    with_layer(tmp_path, work)


async def use(rig: ControlRig, arn: str = ARN, **params: Any) -> Any:
    return await rig.call(
        "CreateFunction",
        account=STRANGER,
        FunctionName="f",
        Runtime="python3.12",
        Role=f"arn:aws:iam::{STRANGER}:role/r",
        Handler="app.handler",
        Code={"ZipFile": HELLO},
        Layers=[arn],
        **params,
    )


@pytest.mark.parametrize(
    ("params", "lets_in"),
    [
        (None, False),
        ({"Principal": "*"}, True),
        ({"Principal": STRANGER}, True),
        ({"Principal": f"arn:aws:iam::{STRANGER}:root"}, True),
        ({"Principal": "111111111111"}, False),
        ({"Principal": "*", "OrganizationId": "o-1234567890"}, False),
    ],
)
def test_another_account_gets_what_the_policy_gives_it(
    tmp_path: Path, params: dict[str, Any] | None, lets_in: bool
) -> None:
    async def work(rig: ControlRig) -> None:
        if params is not None:
            await add(rig, **params)
        for operation, at in (
            ("GetLayerVersion", {"LayerName": LAYER, "VersionNumber": 1}),
            ("GetLayerVersionByArn", {"Arn": ARN}),
        ):
            call = rig.call(operation, account=STRANGER, **at)
            if lets_in:
                assert (await call)["LayerVersionArn"] == ARN
            else:
                assert await refused(call) == denied()
        if lets_in:
            assert (await use(rig))["Layers"][0]["Arn"] == ARN
        else:
            assert await refused(use(rig)) == denied()

    with_layer(tmp_path, work)


def test_a_stranger_cannot_tell_a_missing_layer_from_a_closed_one(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        for arn in (f"{LAYER}:2", f"{LAYER}x:1", ARN.replace(REGION, "us-east-2")):
            assert await refused(use(rig, arn)) == denied(arn=arn)
        missing = rig.call("GetLayerVersionByArn", account=STRANGER, Arn=f"{LAYER}:2")
        assert await refused(missing) == denied(arn=f"{LAYER}:2")

    with_layer(tmp_path, work)


def test_only_the_owner_lists_publishes_and_deletes(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        await add(rig)
        assert await rig.call("ListLayers", account=STRANGER) == {"Layers": []}
        for operation, more in (
            ("ListLayerVersions", {}),
            ("PublishLayerVersion", {"Content": {"ZipFile": HELLO}}),
            ("DeleteLayerVersion", {"VersionNumber": 1}),
        ):
            call = rig.call(operation, account=STRANGER, LayerName=LAYER, **more)
            assert await refused(call) == denied(f"lambda:{operation}", LAYER)

    with_layer(tmp_path, work)


def test_a_permission_taken_back_leaves_functions_their_layer(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        await add(rig)
        await use(rig)
        await rig.call("RemoveLayerVersionPermission", StatementId="s1", **AT)
        await rig.call("DeleteLayerVersion", **AT)
        found = await rig.call("GetFunction", account=STRANGER, FunctionName="f")
        assert found["Configuration"]["Layers"][0]["Arn"] == ARN

    with_layer(tmp_path, work)
