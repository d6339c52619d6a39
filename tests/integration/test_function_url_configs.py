"""Function URLs as data: what may be set, what is read back, and what they go away with."""

import asyncio
import re

import pytest

from alonzo.model.errors import AwsError
from alonzo.model.function_urls import URL_ID, url_of
from alonzo.testing.control import ACCOUNT, ENDPOINT, REGION, open_control

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
NOT_FOUND = "ResourceNotFoundException"
MISSING = (NOT_FOUND, "The resource you requested does not exist.")
NO_FUNCTION = (NOT_FOUND, "Function does not exist")
CORS = {
    "AllowCredentials": True,
    "AllowHeaders": ["x-one", "x-two"],
    "AllowMethods": ["GET", "*"],
    "AllowOrigins": ["https://example.com"],
    "ExposeHeaders": [],
    "MaxAge": 0,
}


async def refused(call):
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


async def function_with_alias(rig, *aliases):
    await rig.create_active("f")
    await rig.call("PublishVersion", FunctionName="f")
    for alias in aliases:
        await rig.call("CreateAlias", FunctionName="f", Name=alias, FunctionVersion="1")


def url_id(document):
    found = re.search(r"[a-z0-9]{32}", document["FunctionUrl"])
    assert found is not None
    return found[0]


def test_a_url_reads_back_as_it_was_set_and_keeps_its_id(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            made = await rig.call("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")
            assert made == {
                "FunctionUrl": f"{ENDPOINT}/_alonzo/lambda-url/{url_id(made)}/",
                "FunctionArn": ARN,
                "AuthType": "NONE",
                "CreationTime": "2026-11-20T10:00:00.000000Z",
                "InvokeMode": "BUFFERED",
            }
            shown = {**made, "LastModifiedTime": made["CreationTime"]}
            assert await rig.call("GetFunctionUrlConfig", FunctionName="f") == shown
            rig.clock.advance(2.5)
            changes = {"AuthType": "AWS_IAM", "Cors": CORS, "InvokeMode": "RESPONSE_STREAM"}
            updated = await rig.call("UpdateFunctionUrlConfig", FunctionName="f", **changes)
            assert updated == {
                **shown,
                **changes,
                "LastModifiedTime": "2026-11-20T10:00:02.500000Z",
            }
            assert await rig.call("GetFunctionUrlConfig", FunctionName="f") == updated

    asyncio.run(main())


def test_an_update_changes_what_it_names_and_an_empty_one_nothing(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            made = await rig.call(
                "CreateFunctionUrlConfig", FunctionName="f", AuthType="AWS_IAM", Cors=CORS
            )
            shown = await rig.call("GetFunctionUrlConfig", FunctionName="f")
            rig.clock.advance(1)
            assert await rig.call("UpdateFunctionUrlConfig", FunctionName="f") == shown
            other = {"AllowOrigins": ["*"]}
            replaced = await rig.call("UpdateFunctionUrlConfig", FunctionName="f", Cors=other)
            assert replaced["Cors"] == other
            assert replaced["AuthType"] == "AWS_IAM"
            cleared = await rig.call("UpdateFunctionUrlConfig", FunctionName="f", Cors={})
            assert "Cors" not in cleared
            assert cleared["FunctionUrl"] == made["FunctionUrl"]

    asyncio.run(main())


def test_a_function_and_each_alias_have_one_of_their_own(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await function_with_alias(rig, "blue", "green")
            ids = set()
            for params in (
                {"FunctionName": "f"},
                {"FunctionName": "f", "Qualifier": "blue"},
                {"FunctionName": f"{ARN}:green"},
            ):
                made = await rig.call("CreateFunctionUrlConfig", **params, AuthType="NONE")
                assert URL_ID.fullmatch(url_id(made))
                ids.add(url_id(made))
                error = await refused(
                    rig.call("CreateFunctionUrlConfig", **params, AuthType="NONE")
                )
                assert error == (
                    "ResourceConflictException",
                    f"Failed to create function url config for [functionArn = {made['FunctionArn']}"
                    "]. Error message:  FunctionUrlConfig exists for this Lambda function",
                )
            assert len(ids) == 3
            listed, marker = [], None
            while True:
                more = {"Marker": marker} if marker else {}
                page = await rig.call(
                    "ListFunctionUrlConfigs", FunctionName="f", MaxItems=1, **more
                )
                listed += page["FunctionUrlConfigs"]
                marker = page.get("NextMarker")
                if marker is None:
                    break
            assert [entry["FunctionArn"] for entry in listed] == [
                ARN,
                f"{ARN}:blue",
                f"{ARN}:green",
            ]
            assert {url_id(entry) for entry in listed} == ids
            whole = await rig.call("ListFunctionUrlConfigs", FunctionName="f")
            assert whole == {"FunctionUrlConfigs": listed}

    asyncio.run(main())


def test_a_url_goes_with_its_alias_and_with_its_function(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await function_with_alias(rig, "blue")
            await rig.call("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")
            first = await rig.call(
                "CreateFunctionUrlConfig", FunctionName="f:blue", AuthType="NONE"
            )
            await rig.call("DeleteAlias", FunctionName="f", Name="blue")
            assert await refused(rig.call("GetFunctionUrlConfig", FunctionName="f:blue")) == MISSING
            await rig.call("CreateAlias", FunctionName="f", Name="blue", FunctionVersion="1")
            assert await refused(rig.call("GetFunctionUrlConfig", FunctionName="f:blue")) == MISSING
            again = await rig.call(
                "CreateFunctionUrlConfig", FunctionName="f:blue", AuthType="NONE"
            )
            assert url_id(again) != url_id(first)
            await rig.call("DeleteFunction", FunctionName="f")
            rows = await rig.store.read(lambda db: db.all("SELECT * FROM function_url"))
            assert rows == []

    asyncio.run(main())


def test_what_is_missing_is_named_as_aws_names_it(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            for name in ("none", "f:blue", "f:1"):
                for operation in ("Get", "Update", "Delete"):
                    call = rig.call(f"{operation}FunctionUrlConfig", FunctionName=name)
                    assert await refused(call) == MISSING
                call = rig.call("CreateFunctionUrlConfig", FunctionName=name, AuthType="NONE")
                assert await refused(call) == NO_FUNCTION
            assert await refused(rig.call("ListFunctionUrlConfigs", FunctionName="none")) == (
                NO_FUNCTION
            )
            listed = await rig.call("ListFunctionUrlConfigs", FunctionName="f")
            assert listed == {"FunctionUrlConfigs": []}
            await rig.call("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")
            assert await rig.call("DeleteFunctionUrlConfig", FunctionName="f") == {}
            assert await refused(rig.call("DeleteFunctionUrlConfig", FunctionName="f")) == MISSING

    asyncio.run(main())


def test_a_function_with_tenants_has_no_url(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await rig.create_active("f", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
            code, _ = await refused(
                rig.call("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")
            )
            assert code == "InvalidParameterValueException"

    asyncio.run(main())


def test_of_many_that_create_it_at_once_one_does(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            outcomes = await asyncio.gather(
                *(
                    rig.call("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")
                    for _ in range(20)
                ),
                return_exceptions=True,
            )
            made = [outcome for outcome in outcomes if isinstance(outcome, dict)]
            assert len(made) == 1
            assert all(
                isinstance(outcome, dict) or outcome.code == "ResourceConflictException"
                for outcome in outcomes
            )
            shown = await rig.call("GetFunctionUrlConfig", FunctionName="f")
            assert shown["FunctionUrl"] == made[0]["FunctionUrl"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://localhost:4566", "http://ID.lambda-url.eu-west-1.localhost:4566/"),
        ("http://alonzo.example.com", "http://ID.lambda-url.eu-west-1.alonzo.example.com/"),
        ("http://LAMBDA.Example.com.:80", "http://ID.lambda-url.eu-west-1.lambda.example.com:80/"),
        ("http://127.0.0.1:4566", "http://127.0.0.1:4566/_alonzo/lambda-url/ID/"),
        ("http://[::1]:4566", "http://[::1]:4566/_alonzo/lambda-url/ID/"),
        ("http://alonzo:4566", "http://alonzo:4566/_alonzo/lambda-url/ID/"),
    ],
)
def test_a_url_is_shown_as_its_caller_can_reach_it(endpoint, url):
    assert url_of(endpoint, "eu-west-1", "ID") == url
