"""Policies as whole documents: replaced, guarded, and refused unless they are policies."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from alonzo.control.policies.documents import POLICY_BYTES_MAX
from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, REGION, ControlRig, open_control

INVALID = "InvalidParameterValueException"
NOT_FOUND = "ResourceNotFoundException"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
NOT_THERE = (NOT_FOUND, "The resource you requested does not exist.")
STATEMENT = {
    "Sid": "one",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": ["lambda:InvokeFunction", "lambda:Get*"],
    "Resource": ARN,
    "Condition": {"StringEquals": {"aws:PrincipalTag/team": ["a", "b"]}, "Bool": {"x:y": True}},
}
DOCUMENT = {"Version": "2012-10-17", "Statement": [STATEMENT]}


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


async def put(rig: ControlRig, document: Any = DOCUMENT, arn: str = ARN, **more: Any) -> str:
    text = document if isinstance(document, str) else json.dumps(document)
    answer = await rig.call("PutResourcePolicy", ResourceArn=arn, Policy=text, **more)
    found = await rig.call("GetResourcePolicy", ResourceArn=arn)
    assert found == answer
    assert json.loads(found["Policy"]) == json.loads(text)
    return answer["RevisionId"]


def with_function(tmp_path: Path, work: Any) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            await rig.call("PublishVersion", FunctionName="f")
            await rig.call("CreateAlias", FunctionName="f", Name="prod", FunctionVersion="1")
            await work(rig)

    asyncio.run(main())


def test_a_document_replaces_what_was_added_and_can_be_added_to(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        params = {"FunctionName": "f", "Action": "lambda:InvokeFunction", "Principal": "*"}
        await rig.call("AddPermission", StatementId="old", **params)
        await put(rig)
        await rig.call("AddPermission", StatementId="new", **params)
        for operation, at in (
            ("GetPolicy", {"FunctionName": "f"}),
            ("GetResourcePolicy", {"ResourceArn": ARN}),
        ):
            found = json.loads((await rig.call(operation, **at))["Policy"])
            assert [each["Sid"] for each in found["Statement"]] == ["one", "new"]
        await rig.call("RemovePermission", FunctionName="f", StatementId="one")
        await put(rig, {**DOCUMENT, "Statement": STATEMENT})
        await rig.call("AddPermission", StatementId="new", **params)
        found = json.loads((await rig.call("GetPolicy", FunctionName="f"))["Policy"])
        assert [each["Sid"] for each in found["Statement"]] == ["one", "new"]

    with_function(tmp_path, work)


@pytest.mark.parametrize("suffix", ["", ":1", ":prod"])
def test_every_resource_has_its_document_and_its_revision_guards(
    tmp_path: Path, suffix: str
) -> None:
    wrong = (
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the "
        "GetResourcePolicy API to retrieve the latest Revision Id",
    )
    arn, other = f"{ARN}{suffix}", "00000000-0000-4000-8000-ffffffffffff"

    async def work(rig: ControlRig) -> None:
        first = await put(rig, arn=arn)
        assert await refused(put(rig, arn=arn, RevisionId=other)) == wrong
        second = await put(rig, arn=arn, RevisionId=first)
        assert second != first
        delete = {"ResourceArn": arn}
        call = rig.call("DeleteResourcePolicy", RevisionId=first, **delete)
        assert await refused(call) == wrong
        await rig.call("DeleteResourcePolicy", RevisionId=second, **delete)
        assert await refused(rig.call("GetResourcePolicy", ResourceArn=arn)) == NOT_THERE
        assert await refused(rig.call("DeleteResourcePolicy", **delete)) == (
            NOT_FOUND,
            "No policy is associated with the given resource.",
        )

    with_function(tmp_path, work)


def test_what_cannot_have_a_policy_is_named(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        assert await refused(put(rig, arn=f"{ARN}:$LATEST")) == (
            INVALID,
            "We currently do not support adding policies for $LATEST.",
        )
        assert await refused(put(rig, arn=f"{ARN}x")) == (
            NOT_FOUND,
            f"Function not found: {ARN}x",
        )
        assert await refused(put(rig, arn=f"{ARN}:nope")) == (
            NOT_FOUND,
            f"Cannot find alias arn: {ARN}:nope",
        )
        runtime = f"arn:aws:lambda:{REGION}:{ACCOUNT}:runtime/mine"
        assert await refused(put(rig, arn=runtime)) == NOT_THERE
        stranger = ARN.replace(ACCOUNT, "999999999999")
        assert (await refused(put(rig, arn=stranger)))[0] == "AccessDeniedException"
        elsewhere = ARN.replace(REGION, "us-east-2")
        assert (await refused(put(rig, arn=elsewhere)))[0] == NOT_FOUND

    with_function(tmp_path, work)


def changed(**members: Any) -> dict[str, Any]:
    statement = {k: v for k, v in (STATEMENT | members).items() if v is not None}
    return DOCUMENT | {"Statement": [statement]}


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ("nonsense", "it is not JSON"),
        ('{"Statement": NaN}', "it is not JSON"),
        ("[" * 5000 + "]" * 5000, "it is not JSON"),
        ('"text"', "it is not a JSON object"),
        (DOCUMENT | {"Extra": 1}, "Extra is no element of a policy"),
        (DOCUMENT | {"Version": "2020-01-01"}, "Version must be 2012-10-17 or 2008-10-17"),
        (DOCUMENT | {"Version": ["2012-10-17"]}, "Version must be 2012-10-17 or 2008-10-17"),
        (DOCUMENT | {"Id": 7}, "Id must be a string"),
        ({"Version": "2012-10-17"}, "Statement must hold JSON objects"),
        (DOCUMENT | {"Statement": []}, "Statement must hold a statement"),
        (DOCUMENT | {"Statement": ["x"]}, "Statement must hold JSON objects"),
        (DOCUMENT | {"Statement": [STATEMENT, STATEMENT]}, "the Sid one is there twice"),
        (changed(Other=1), "Other is no element of a statement"),
        (changed(Sid="a.b"), "Sid must be letters, digits, blanks, - and _"),
        (changed(Sid=1), "Sid must be letters, digits, blanks, - and _"),
        (changed(Effect="allow"), "Effect must be Allow or Deny"),
        (changed(Effect=["Allow"]), "Effect must be Allow or Deny"),
        (changed(Principal=None), "a statement has either Principal or NotPrincipal"),
        (changed(NotPrincipal="*"), "a statement has either Principal or NotPrincipal"),
        (changed(Principal="me"), "Principal must be * or a JSON object"),
        (changed(Principal={}), "Principal must be * or a JSON object"),
        (
            changed(Principal={"Me": "x"}),
            "Principal must name AWS, CanonicalUser, Federated, Service by strings",
        ),
        (
            changed(Principal={"AWS": [1]}),
            "Principal must name AWS, CanonicalUser, Federated, Service by strings",
        ),
        (changed(Action=None), "a statement has either Action or NotAction"),
        (changed(Action=[]), "Action must be a string or a list of strings"),
        (changed(Action=["lambda"]), "Action must name actions as service:action"),
        (changed(Resource={"a": 1}), "Resource must be a string or a list of strings"),
        (changed(Resource=[["deep"]]), "Resource must be a string or a list of strings"),
        (changed(Condition="x"), "Condition must map operators to keys, and keys to values"),
        (
            changed(Condition={"Bool": 1}),
            "Condition must map operators to keys, and keys to values",
        ),
        (
            changed(Condition={"Bool": {"x": {"y": 1}}}),
            "Condition must map operators to keys, and keys to values",
        ),
    ],
)
def test_what_is_no_policy_is_refused_with_the_reason(
    tmp_path: Path, document: Any, what: str
) -> None:
    async def work(rig: ControlRig) -> None:
        assert await refused(put(rig, document)) == (INVALID, f"The policy is not valid: {what}.")
        assert await refused(rig.call("GetResourcePolicy", ResourceArn=ARN)) == NOT_THERE

    with_function(tmp_path, work)


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Deny", "NotPrincipal": {"AWS": ["123456789012"]}, "NotAction": "lambda:*"},
        {"Effect": "Allow", "Principal": "*", "Action": "*", "NotResource": "*"},
        {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "lambda:*"},
        {"Sid": "", "Effect": "Allow", "Principal": "*", "Action": "*", "Condition": {}},
    ],
)
def test_every_form_of_a_statement_is_taken(tmp_path: Path, statement: dict[str, Any]) -> None:
    async def work(rig: ControlRig) -> None:
        await put(rig, {"Statement": [statement, statement | {"Sid": "x"}]})

    with_function(tmp_path, work)


def test_the_limit_counts_bytes_of_the_compact_document(tmp_path: Path) -> None:
    async def work(rig: ControlRig) -> None:
        frame = len(json.dumps(DOCUMENT | {"Id": ""}, separators=(",", ":")))
        room = POLICY_BYTES_MAX - frame
        await put(rig, DOCUMENT | {"Id": "x" * room})
        text = json.dumps(DOCUMENT | {"Id": "x" * (room - 1) + "ü"}, ensure_ascii=False)
        assert await refused(put(rig, text)) == (
            "PolicyLengthExceededException",
            f"The final policy size ({POLICY_BYTES_MAX + 1}) is bigger than the limit "
            f"({POLICY_BYTES_MAX}).",
        )

    with_function(tmp_path, work)
