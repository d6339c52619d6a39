"""Policies of functions, versions and aliases: rendering, guards, limits, and when they go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from alonzo.control.policies.documents import POLICY_BYTES_MAX
from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, REGION, ControlRig, open_control

INVALID = "InvalidParameterValueException"
NOT_FOUND = "ResourceNotFoundException"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
INVOKE = "lambda:InvokeFunction"
NOT_THERE = (NOT_FOUND, "The resource you requested does not exist.")
NO_POLICY = (NOT_FOUND, "No policy is associated with the given resource.")
BUCKET = "arn:aws:s3:::bucket"


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


async def add(rig: ControlRig, sid: str = "s1", name: str = "f", **params: Any) -> dict[str, Any]:
    defaults = {"Action": INVOKE, "Principal": "s3.amazonaws.com"}
    answer = await rig.call(
        "AddPermission", FunctionName=name, StatementId=sid, **(defaults | params)
    )
    return json.loads(answer["Statement"])


async def policy(rig: ControlRig, **params: Any) -> dict[str, Any]:
    answer = await rig.call("GetPolicy", FunctionName="f", **params)
    return json.loads(answer["Policy"])


async def sids(rig: ControlRig, **params: Any) -> list[str]:
    return [statement["Sid"] for statement in (await policy(rig, **params))["Statement"]]


async def revision(rig: ControlRig, **params: Any) -> str:
    return (await rig.configuration("f", **params))["RevisionId"]


@asynccontextmanager
async def function(folder: Path) -> AsyncGenerator[ControlRig]:
    """The function ``f`` with its version 1 and the alias ``prod``."""
    async with open_control(folder) as rig:
        await rig.create_active("f")
        await rig.call("PublishVersion", FunctionName="f")
        await rig.call("CreateAlias", FunctionName="f", Name="prod", FunctionVersion="1")
        yield rig


def run(main: Any) -> None:
    asyncio.run(main())


@pytest.mark.parametrize(
    ("principal", "rendered"),
    [
        ("*", "*"),
        ("s3.amazonaws.com", {"Service": "s3.amazonaws.com"}),
        ("logs.eu-west-1.amazonaws.com", {"Service": "logs.eu-west-1.amazonaws.com"}),
        ("alexa-appkit.amazon.com", {"Service": "alexa-appkit.amazon.com"}),
        ("123456789012", {"AWS": "arn:aws:iam::123456789012:root"}),
        ("arn:aws:iam::123456789012:root", {"AWS": "arn:aws:iam::123456789012:root"}),
        ("arn:aws:iam::123456789012:role/a/b", {"AWS": "arn:aws:iam::123456789012:role/a/b"}),
        ("arn:aws:iam::123456789012:user/u", {"AWS": "arn:aws:iam::123456789012:user/u"}),
        (
            "arn:aws:sts::123456789012:assumed-role/r/s",
            {"AWS": "arn:aws:sts::123456789012:assumed-role/r/s"},
        ),
    ],
)
def test_a_principal_is_rendered_by_its_kind(tmp_path: Path, principal: str, rendered: Any) -> None:
    async def main() -> None:
        async with function(tmp_path) as rig:
            assert await add(rig, Principal=principal) == {
                "Sid": "s1",
                "Effect": "Allow",
                "Principal": rendered,
                "Action": INVOKE,
                "Resource": ARN,
            }

    run(main)


@pytest.mark.parametrize(
    "principal",
    [
        "invalid.nonaws.com",
        "12345678901",
        "١٢٣٤٥٦٧٨٩٠١٢",
        "**",
        "amazonaws.com.evil.com",
        "arn:aws:iam::123456789012:group/g",
        "arn:aws:iam::12345678901:root",
        "arn:aws:s3:::bucket",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::١٢٣٤٥٦٧٨٩٠١٢:root",
    ],
)
def test_a_principal_of_no_kind_is_refused(tmp_path: Path, principal: str) -> None:
    async def main() -> None:
        async with function(tmp_path) as rig:
            assert await refused(add(rig, Principal=principal)) == (
                INVALID,
                "The provided principal was invalid. Please check the principal and try again.",
            )
            assert await refused(policy(rig)) == NOT_THERE

    run(main)


@pytest.mark.parametrize(
    ("params", "condition"),
    [
        ({"SourceArn": BUCKET}, {"ArnLike": {"AWS:SourceArn": BUCKET}}),
        (
            {"SourceAccount": "123456789012"},
            {"StringEquals": {"AWS:SourceAccount": "123456789012"}},
        ),
        ({"EventSourceToken": "t.o-k"}, {"StringEquals": {"lambda:EventSourceToken": "t.o-k"}}),
        (
            {"PrincipalOrgID": "o-1234567890", "Principal": "*"},
            {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}},
        ),
        (
            {"FunctionUrlAuthType": "NONE", "Action": "lambda:InvokeFunctionUrl"},
            {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
        ),
        ({"InvokedViaFunctionUrl": True}, {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}),
        ({"InvokedViaFunctionUrl": False}, None),
        (
            {"SourceArn": BUCKET, "SourceAccount": "123456789012", "EventSourceToken": "t"},
            {
                "StringEquals": {
                    "AWS:SourceAccount": "123456789012",
                    "lambda:EventSourceToken": "t",
                },
                "ArnLike": {"AWS:SourceArn": BUCKET},
            },
        ),
    ],
)
def test_every_parameter_becomes_its_condition(
    tmp_path: Path, params: dict[str, Any], condition: Any
) -> None:
    async def main() -> None:
        async with function(tmp_path) as rig:
            statement = await add(rig, **params)
            assert statement.get("Condition") == condition
            assert (await policy(rig))["Statement"] == [statement]

    run(main)


def test_the_statement_is_a_string_with_its_members_in_order(tmp_path: Path) -> None:
    async def main() -> None:
        async with function(tmp_path) as rig:
            answer = await rig.call(
                "AddPermission",
                FunctionName="f",
                StatementId="s3",
                Action=INVOKE,
                Principal="s3.amazonaws.com",
                SourceArn=BUCKET,
            )
            statement = (
                '{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},'
                f'"Action":"{INVOKE}","Resource":"{ARN}",'
                f'"Condition":{{"ArnLike":{{"AWS:SourceArn":"{BUCKET}"}}}}}}'
            )
            assert answer == {"Statement": statement}
            found = await rig.call("GetPolicy", FunctionName="f")
            assert found["Policy"] == (
                f'{{"Version":"2012-10-17","Id":"default","Statement":[{statement}]}}'
            )

    run(main)


def test_function_version_and_alias_have_a_policy_each(tmp_path: Path) -> None:
    async def main() -> None:
        async with function(tmp_path) as rig:
            assert (await add(rig))["Resource"] == ARN
            assert (await add(rig, Qualifier="1"))["Resource"] == f"{ARN}:1"
            assert (await add(rig, name="f:prod"))["Resource"] == f"{ARN}:prod"
            await add(rig, "s2", Qualifier="prod")
            assert await sids(rig) == ["s1"]
            assert await sids(rig, Qualifier="1") == ["s1"]
            assert await sids(rig, Qualifier="prod") == ["s1", "s2"]
            await rig.call("RemovePermission", FunctionName="f:prod", StatementId="s1")
            assert await sids(rig, Qualifier="prod") == ["s2"]
            assert await sids(rig) == ["s1"]
            await rig.call("RemovePermission", FunctionName="f", StatementId="s1")
            assert await refused(policy(rig)) == NOT_THERE

    run(main)


@pytest.mark.parametrize("qualifier", [None, "1", "prod"])
def test_a_policy_has_the_revision_of_what_it_belongs_to(
    tmp_path: Path, qualifier: str | None
) -> None:
    """Recorded from AWS: test_function_revisions_permissions."""
    at = {} if qualifier is None else {"Qualifier": qualifier}

    async def current(rig: ControlRig) -> str:
        if qualifier == "prod":
            return (await rig.call("GetAlias", FunctionName="f", Name="prod"))["RevisionId"]
        return await revision(rig, **at)

    async def main() -> None:
        wrong = (
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy "
            "API to retrieve the latest Revision Id",
        )
        async with function(tmp_path) as rig:
            before = await current(rig)
            assert await refused(add(rig, RevisionId="wrong", **at)) == wrong
            await add(rig, RevisionId=before, **at)
            added = await current(rig)
            assert added != before
            found = await rig.call("GetPolicy", FunctionName="f", **at)
            assert found["RevisionId"] == added
            assert await refused(add(rig, "s2", RevisionId=before, **at)) == wrong
            removal = {"FunctionName": "f", "StatementId": "s1", **at}
            assert (
                await refused(rig.call("RemovePermission", RevisionId=before, **removal)) == wrong
            )
            await rig.call("RemovePermission", RevisionId=added, **removal)
            assert await current(rig) not in (before, added)

    run(main)


def test_a_permission_added_during_a_deployment_does_not_lose_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            rig.code.gate.clear()
            await rig.create("f")
            await asyncio.wait_for(rig.code.begun.wait(), 10)
            await add(rig)
            rig.code.gate.set()
            await rig.wait("f", State="Active", LastUpdateStatus="Successful")
            assert await sids(rig) == ["s1"]

    run(main)


def test_a_statement_id_is_taken_once_per_policy(tmp_path: Path) -> None:
    async def main() -> None:
        async with function(tmp_path) as rig:
            await add(rig)
            assert await refused(add(rig, Principal="sns.amazonaws.com")) == (
                "ResourceConflictException",
                "The statement id (s1) provided already exists. Please provide a new statement "
                "id, or remove the existing statement.",
            )

    run(main)


def test_latest_has_no_policy_of_its_own(tmp_path: Path) -> None:
    async def main() -> None:
        text = (INVALID, "We currently do not support adding policies for $LATEST.")
        async with function(tmp_path) as rig:
            assert await refused(add(rig, Qualifier="$LATEST")) == text
            assert await refused(add(rig, name="f:$LATEST")) == text
            await add(rig)
            assert await refused(policy(rig, Qualifier="$LATEST")) == NOT_THERE
            removal = rig.call(
                "RemovePermission", FunctionName="f", StatementId="s1", Qualifier="$LATEST"
            )
            assert await refused(removal) == NO_POLICY

    run(main)


def test_what_is_not_there_is_answered_as_recorded(tmp_path: Path) -> None:
    missing = f"{ARN[:-1]}g"

    async def main() -> None:
        async with function(tmp_path) as rig:

            def remove(name: str, sid: str = "s1", **at: Any) -> Any:
                return rig.call("RemovePermission", FunctionName=name, StatementId=sid, **at)

            def get(name: str, **at: Any) -> Any:
                return rig.call("GetPolicy", FunctionName=name, **at)

            assert await refused(add(rig, name="g")) == (
                NOT_FOUND,
                f"Function not found: {missing}",
            )
            assert await refused(get("g")) == (NOT_FOUND, f"Function not found: {missing}")
            assert await refused(remove("g")) == (NOT_FOUND, f"No policy found for: {missing}")
            for at, text in (
                ({"Qualifier": "nope"}, f"Cannot find alias arn: {ARN}:nope"),
                ({"Qualifier": "42"}, f"Function not found: {ARN}:42"),
                ({"Qualifier": "with-$"}, f"Function not found: {ARN}:with-$"),
            ):
                assert await refused(add(rig, **at)) == (NOT_FOUND, text)
                assert await refused(remove("f", **at)) == (NOT_FOUND, text)
                assert await refused(get("f", **at)) == NOT_THERE
            assert await refused(remove("f")) == NO_POLICY
            await add(rig)
            assert await refused(remove("f", "s2")) == (
                NOT_FOUND,
                "Statement s2 is not found in resource policy.",
            )
            assert await refused(add(rig, name="f:prod", Qualifier="1")) == (
                INVALID,
                "The derived qualifier from the function name does not match the specified "
                "qualifier.",
            )

    run(main)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (
            {"FunctionUrlAuthType": "NONE"},
            "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
        ),
        (
            {"InvokedViaFunctionUrl": True, "Action": "lambda:InvokeFunctionUrl"},
            "InvokedViaFunctionUrl is only supported for lambda:InvokeFunction action",
        ),
    ],
)
def test_conditions_of_function_urls_go_with_their_action_only(
    tmp_path: Path, params: dict[str, Any], text: str
) -> None:
    async def main() -> None:
        async with function(tmp_path) as rig:
            assert await refused(add(rig, **params)) == (INVALID, text)

    run(main)


def test_a_policy_is_never_longer_than_twenty_kilobytes(tmp_path: Path) -> None:
    async def main() -> None:
        async with function(tmp_path) as rig:
            await add(rig)
            used = len(json.dumps(await policy(rig), separators=(",", ":")))
            one = len(json.dumps((await policy(rig))["Statement"][0], separators=(",", ":")))
            frame = one - len("s1") + len(',"Condition":{"ArnLike":{"AWS:SourceArn":""}}') + 1
            room = POLICY_BYTES_MAX - used - frame - len("s2")
            arn = f"arn:aws:s3:::{'x' * (9_000)}"
            await add(rig, "s2", SourceArn=arn)
            room -= len(arn) + frame + len("s3")
            last = f"arn:aws:s3:::{'x' * (room - 13)}"
            assert await refused(add(rig, "s3", SourceArn=f"{last}x")) == (
                "PolicyLengthExceededException",
                f"The final policy size ({POLICY_BYTES_MAX + 1}) is bigger than the limit "
                f"({POLICY_BYTES_MAX}).",
            )
            await add(rig, "s3", SourceArn=last)
            found = await rig.call("GetPolicy", FunctionName="f")
            assert len(found["Policy"]) == POLICY_BYTES_MAX

    run(main)


def test_fifty_permissions_at_once_are_all_kept(tmp_path: Path) -> None:
    async def main() -> None:
        async with function(tmp_path) as rig:
            await asyncio.gather(*(add(rig, f"s{number}") for number in range(50)))
            assert sorted(await sids(rig)) == sorted(f"s{number}" for number in range(50))
            same = await asyncio.gather(
                *(add(rig, "same", Qualifier="1") for _ in range(20)), return_exceptions=True
            )
            refusals = [each for each in same if isinstance(each, AwsError)]
            assert len(refusals) == 19
            assert {each.code for each in refusals} == {"ResourceConflictException"}

    run(main)


def test_policies_go_with_what_they_belong_to(tmp_path: Path) -> None:
    async def main() -> None:
        async with function(tmp_path) as rig:
            for at in ({}, {"Qualifier": "1"}, {"Qualifier": "prod"}):
                await add(rig, **at)
            await rig.call("DeleteAlias", FunctionName="f", Name="prod")
            await rig.call("CreateAlias", FunctionName="f", Name="prod", FunctionVersion="1")
            assert await refused(policy(rig, Qualifier="prod")) == NOT_THERE
            await rig.call("DeleteAlias", FunctionName="f", Name="prod")
            await rig.call("DeleteFunction", FunctionName="f", Qualifier="1")
            assert await refused(policy(rig, Qualifier="1")) == NOT_THERE
            assert await sids(rig) == ["s1"]
            await rig.call("DeleteFunction", FunctionName="f")
            await rig.create_active("f")
            assert await refused(policy(rig)) == NOT_THERE
            rows = await rig.store.read(lambda db: db.all("SELECT * FROM function_policy"))
            assert rows == []

    run(main)


def test_a_policy_stays_through_updates_and_is_not_published(tmp_path: Path) -> None:
    async def main() -> None:
        async with function(tmp_path) as rig:
            await add(rig)
            await rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
            await rig.settled("f")
            assert (await rig.call("PublishVersion", FunctionName="f"))["Version"] == "2"
            assert await sids(rig) == ["s1"]
            assert await refused(policy(rig, Qualifier="2")) == NOT_THERE

    run(main)


def test_a_permission_alone_makes_nothing_new_to_publish(tmp_path: Path) -> None:
    async def main() -> None:
        async with function(tmp_path) as rig:
            await add(rig)
            assert (await rig.call("PublishVersion", FunctionName="f"))["Version"] == "1"

    run(main)
