"""Aliases over a real store: where they may point, how they change, and what they hold in place."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, REGION, ROLE, ControlRig, open_control

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
NOT_FOUND = "ResourceNotFoundException"
INVALID = "InvalidParameterValueException"
CONFLICT = "ResourceConflictException"


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


async def published(rig: ControlRig, count: int = 2) -> None:
    """A function ``f`` with as many versions."""
    await rig.create_active("f")
    for number in range(count):
        await rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=number + 10)
        await rig.settled("f")
        await rig.call("PublishVersion", FunctionName="f")


async def alias(rig: ControlRig, verb: str, name: str = "prod", **params: Any) -> dict[str, Any]:
    return await rig.call(f"{verb}Alias", FunctionName="f", Name=name, **params)


def weights(**shares: float) -> dict[str, Any]:
    named = {name.removeprefix("v"): share for name, share in shares.items()}
    return {"AdditionalVersionWeights": named}


def test_an_alias_reads_back_as_it_was_set(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await published(rig)
            created = await alias(
                rig, "Create", FunctionVersion="1", Description="d", RoutingConfig=weights(v2=0.25)
            )
            assert created == {
                "AliasArn": f"{ARN}:prod",
                "Name": "prod",
                "FunctionVersion": "1",
                "Description": "d",
                "RevisionId": created["RevisionId"],
                "RoutingConfig": weights(v2=0.25),
            }
            assert await alias(rig, "Get") == created
            plain = await alias(rig, "Create", "plain", FunctionVersion="$LATEST")
            assert plain["Description"] == ""
            assert "RoutingConfig" not in plain
            listed = await rig.call("ListAliases", FunctionName="f")
            assert listed == {"Aliases": [plain, created]}

    asyncio.run(main())


def test_an_update_changes_what_it_names_and_the_revision(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await published(rig)
            state = await alias(rig, "Create", FunctionVersion="1", Description="d")
            changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
                ({}, {}),
                ({"Description": ""}, {"Description": ""}),
                ({"FunctionVersion": "2"}, {"FunctionVersion": "2"}),
                ({"RoutingConfig": weights(v1=0.5)}, {"RoutingConfig": weights(v1=0.5)}),
                ({"Description": "e"}, {"Description": "e"}),
            ]
            for params, difference in changes:
                updated = await alias(rig, "Update", RevisionId=state["RevisionId"], **params)
                assert updated["RevisionId"] != state["RevisionId"]
                state |= difference | {"RevisionId": updated["RevisionId"]}
                assert updated == state == await alias(rig, "Get")
            for nothing in ({}, {"AdditionalVersionWeights": {}}):
                await alias(rig, "Update", RoutingConfig=weights(v1=0.5))
                ended = await alias(rig, "Update", RoutingConfig=nothing)
                assert "RoutingConfig" not in ended
            assert (await refused(alias(rig, "Update", RevisionId=state["RevisionId"])))[0] == (
                "PreconditionFailedException"
            )
            latest = await rig.configuration("f")
            await alias(rig, "Update", FunctionVersion="1")
            assert await rig.configuration("f") == latest, "the function's revision is its own"

    asyncio.run(main())


def test_what_does_not_exist_has_aws_texts(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await published(rig, 1)
            await alias(rig, "Create", FunctionVersion="1")
            no_version = (NOT_FOUND, f"Function not found: {ARN}:7")
            for params in (
                {"FunctionVersion": "7"},
                {"FunctionVersion": "1", "RoutingConfig": weights(v7=0.1)},
            ):
                assert await refused(alias(rig, "Create", "new", **params)) == no_version
                assert await refused(alias(rig, "Update", **params)) == no_version
            assert await refused(alias(rig, "Get", "x")) == (
                NOT_FOUND,
                f"Cannot find alias arn: {ARN}:x",
            )
            assert await refused(alias(rig, "Update", "x")) == (
                NOT_FOUND,
                f"Alias not found: {ARN}:x",
            )
            assert await refused(alias(rig, "Create", FunctionVersion="1")) == (
                CONFLICT,
                f"Alias already exists: {ARN}:prod",
            )
            assert await alias(rig, "Delete", "x") == {}, "recorded: no error"
            missing = (NOT_FOUND, f"Function not found: {ARN[:-1]}g")
            for operation, params in (
                ("CreateAlias", {"Name": "a", "FunctionVersion": "1"}),
                # What is missing comes before what is wrong.
                (
                    "CreateAlias",
                    {"Name": "a", "FunctionVersion": "1", "RoutingConfig": weights(v1=0.1)},
                ),
                ("UpdateAlias", {"Name": "a"}),
                ("DeleteAlias", {"Name": "a"}),
                ("ListAliases", {}),
            ):
                assert await refused(rig.call(operation, FunctionName="g", **params)) == missing

    asyncio.run(main())


def test_weights_are_checked_against_what_results(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await published(rig, 3)
            await alias(rig, "Create", FunctionVersion="1", RoutingConfig=weights(v2=0.5))
            latest = "$LATEST is not supported for an alias pointing to more than 1 version"
            included = (
                "Invalid function version 2. Function version 2 is already included in routing "
                "configuration."
            )
            before = await alias(rig, "Get")
            for params, text in (
                ({"FunctionVersion": "2"}, included),
                ({"FunctionVersion": "$LATEST"}, latest),
                ({"FunctionVersion": "2", "RoutingConfig": weights(v2=0.1)}, included),
                (
                    {"RoutingConfig": weights(v2=0.1, v3=0.1)},
                    "Number of items in AdditionalVersionWeights cannot be greater than 1",
                ),
            ):
                assert await refused(alias(rig, "Update", **params)) == (INVALID, text)
            assert await alias(rig, "Get") == before
            await rig.call("UpdateFunctionConfiguration", FunctionName="f", Role=f"{ROLE}2")
            await rig.settled("f")
            await rig.call("PublishVersion", FunctionName="f")
            code, text = await refused(alias(rig, "Update", RoutingConfig=weights(v4=0.5)))
            assert (code, text.partition(":")[0]) == (INVALID, "RoutingConfig")

    asyncio.run(main())


def test_an_alias_stands_for_its_version_wherever_a_qualifier_goes(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await published(rig)
            await alias(rig, "Create", FunctionVersion="1", RoutingConfig=weights(v2=0.9))
            for address in (
                {"FunctionName": "f:prod"},
                {"FunctionName": "f", "Qualifier": "prod"},
                {"FunctionName": f"{ARN}:prod"},
                {"FunctionName": f"{ACCOUNT}:function:f:prod", "Qualifier": "prod"},
            ):
                document = await rig.call("GetFunctionConfiguration", **address)
                assert (document["Version"], document["FunctionArn"]) == ("1", f"{ARN}:prod")
                found = await rig.call("GetFunction", **address)
                assert found["Configuration"] == document
            mismatch = rig.call("GetFunction", FunctionName="f:prod", Qualifier="1")
            assert (await refused(mismatch))[0] == INVALID
            unqualified = (
                "This operation is permitted on Lambda functions only. Aliases and versions do "
                "not support this operation. Please specify either a function name or an "
                "unqualified function ARN."
            )
            for operation, params in (
                ("CreateAlias", {"Name": "a", "FunctionVersion": "1"}),
                ("GetAlias", {"Name": "prod"}),
                ("UpdateAlias", {"Name": "prod"}),
                ("DeleteAlias", {"Name": "prod"}),
                ("ListAliases", {}),
            ):
                error = await refused(rig.call(operation, FunctionName="f:prod", **params))
                assert error == (INVALID, unqualified)

    asyncio.run(main())


def test_a_version_that_an_alias_needs_cannot_be_deleted(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await published(rig)
            await alias(rig, "Create", "a", FunctionVersion="1", RoutingConfig=weights(v2=0.5))
            await alias(rig, "Create", "b", FunctionVersion="2")
            for version, names in (("1", "a"), ("2", "a, b")):
                assert await refused(rig.call("DeleteFunction", FunctionName=f"f:{version}")) == (
                    CONFLICT,
                    "Unable to delete version because the following aliases reference it: "
                    f"[{names}]",
                )
            await alias(rig, "Delete", "a")
            await rig.call("DeleteFunction", FunctionName="f:1")
            await rig.call("DeleteFunction", FunctionName="f")
            await published(rig)
            assert await rig.call("ListAliases", FunctionName="f") == {"Aliases": []}

    asyncio.run(main())


def test_aliases_are_listed_by_name_in_pages_and_by_version(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await published(rig)
            names = [f"a{number:02}" for number in range(53)]
            for name in names:
                shares = weights(v2=0.5) if name == "a07" else None
                await alias(rig, "Create", name, FunctionVersion="1", RoutingConfig=shares)
            first = await rig.call("ListAliases", FunctionName="f", MaxItems=10_000)
            rest = await rig.call("ListAliases", FunctionName="f", Marker=first["NextMarker"])
            shown = [each["Name"] for each in first["Aliases"] + rest["Aliases"]]
            assert (shown, len(first["Aliases"]), "NextMarker" in rest) == (names, 50, False)
            of_two = await rig.call("ListAliases", FunctionName="f", FunctionVersion="2")
            assert [each["Name"] for each in of_two["Aliases"]] == ["a07"]
            of_none = await rig.call("ListAliases", FunctionName="f", FunctionVersion="9")
            assert of_none == {"Aliases": []}

    asyncio.run(main())
