"""Every operation on a function takes every form of its name, and refuses each wrong one alike."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from alonzo.control.functions import OPERATIONS as ALL_OPERATIONS
from alonzo.model.errors import AwsError
from alonzo.testing.clients import botocore_session
from alonzo.testing.control import ACCOUNT, OTHER, REGION, ControlRig, open_control

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
FORMS = ("f", "function:f", f"{ACCOUNT}:function:f", f"{REGION}:{ACCOUNT}:function:f", ARN)

NOT_FOUND = "ResourceNotFoundException"
DENIED = "AccessDeniedException"
STATEMENT = (
    '{"Statement":{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction",'
    f'"Resource":"{ARN}"}}}}'
)
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
CONFIG = "the configuration"
PERMISSION = {
    "StatementId": "s",
    "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com",
}

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
    ("AddPermission", PERMISSION),
    ("GetPolicy", {}),
    ("RemovePermission", {"StatementId": "s"}),
    ("PutFunctionEventInvokeConfig", {"MaximumRetryAttempts": 1}),
    ("UpdateFunctionEventInvokeConfig", {"MaximumRetryAttempts": 0}),
    ("GetFunctionEventInvokeConfig", {}),
    ("ListFunctionEventInvokeConfigs", {}),
    ("DeleteFunctionEventInvokeConfig", {}),
    ("PutFunctionCodeSigningConfig", {"CodeSigningConfigArn": CONFIG}),
    ("GetFunctionCodeSigningConfig", {}),
    ("DeleteFunctionCodeSigningConfig", {}),
    ("CreateFunctionUrlConfig", {"AuthType": "NONE"}),
    ("GetFunctionUrlConfig", {}),
    ("UpdateFunctionUrlConfig", {"AuthType": "AWS_IAM"}),
    ("ListFunctionUrlConfigs", {}),
    ("DeleteFunctionUrlConfig", {}),
    ("PutProvisionedConcurrencyConfig", {"Qualifier": "1", "ProvisionedConcurrentExecutions": 1}),
    ("GetProvisionedConcurrencyConfig", {"Qualifier": "1"}),
    ("ListProvisionedConcurrencyConfigs", {}),
    ("DeleteProvisionedConcurrencyConfig", {"Qualifier": "1"}),
    ("CreateEventSourceMapping", {"EventSourceArn": QUEUE}),
    ("ListEventSourceMappings", {}),
    ("UpdateFunctionConfiguration", {}),
    ("UpdateFunctionCode", {"ZipFile": OTHER, "DryRun": True}),
    ("DeleteFunction", {}),
)


_NOT_THERE = "The resource you requested does not exist."
_NO_EVENTS = f"The function {ARN}:$LATEST doesn't have an EventInvokeConfig"
#: What is said of a function that is not there, where it is not the usual.
MISSING = {
    "GetAlias": f"Cannot find alias arn: {ARN}:a",
    "RemovePermission": f"No policy found for: {ARN}",
    "PutFunctionEventInvokeConfig": "The function doesn't exist.",
    "ListFunctionEventInvokeConfigs": "The function doesn't exist.",
    "UpdateFunctionEventInvokeConfig": _NO_EVENTS,
    "GetFunctionEventInvokeConfig": _NO_EVENTS,
    "DeleteFunctionEventInvokeConfig": _NO_EVENTS,
    "CreateFunctionUrlConfig": "Function does not exist",
    "ListFunctionUrlConfigs": "Function does not exist",
    "GetFunctionUrlConfig": _NOT_THERE,
    "UpdateFunctionUrlConfig": _NOT_THERE,
    "DeleteFunctionUrlConfig": _NOT_THERE,
    "PutProvisionedConcurrencyConfig": f"Function not found: {ARN}:1",
    "GetProvisionedConcurrencyConfig": f"Function not found: {ARN}:1",
    "DeleteProvisionedConcurrencyConfig": f"Function not found: {ARN}:1",
}
#: These say it with another code, or show what is there: nothing.
_OTHERWISE = {"CreateEventSourceMapping", "ListEventSourceMappings"}

#: Which qualifiers a name may carry, by operation: any, ``$LATEST`` alone, or none at all.
WHOLE = (
    "This operation is permitted on Lambda functions only. Aliases and versions do not support "
    "this operation. Please specify either a function name or an unqualified function ARN."
)
LATEST_ONLY = "Current operation does not support versions other than $LATEST"
REFUSE_VERSIONS = {
    **dict.fromkeys(
        (
            "UpdateFunctionCode",
            "UpdateFunctionConfiguration",
            "PublishVersion",
            "ListVersionsByFunction",
        ),
        LATEST_ONLY,
    ),
    **dict.fromkeys(
        (
            "CreateAlias",
            "GetAlias",
            "UpdateAlias",
            "ListAliases",
            "DeleteAlias",
            "PutFunctionConcurrency",
            "GetFunctionConcurrency",
            "DeleteFunctionConcurrency",
            "PutFunctionRecursionConfig",
            "GetFunctionRecursionConfig",
            "ListFunctionEventInvokeConfigs",
            "PutFunctionCodeSigningConfig",
            "GetFunctionCodeSigningConfig",
            "DeleteFunctionCodeSigningConfig",
            "ListFunctionUrlConfigs",
            "ListProvisionedConcurrencyConfigs",
        ),
        WHOLE,
    ),
}


def test_the_table_has_every_operation_that_takes_the_name_of_a_function() -> None:
    service = botocore_session().get_service_model("lambda")
    taking = {
        name
        for name in ALL_OPERATIONS
        if "FunctionName" in getattr(service.operation_model(name).input_shape, "members", {})
    }
    assert taking - {"CreateFunction", "UpdateEventSourceMapping"} == {
        name for name, _ in OPERATIONS
    }


async def configured(rig: ControlRig, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters, with a code signing configuration that is there."""
    if params.get("CodeSigningConfigArn") != CONFIG:
        return params
    profiles = [f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/p/0123456789"]
    made = await rig.call(
        "CreateCodeSigningConfig", AllowedPublishers={"SigningProfileVersionArns": profiles}
    )
    return {"CodeSigningConfigArn": made["CodeSigningConfig"]["CodeSigningConfigArn"]}


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
                given = await configured(rig, params)
                await rig.call(operation, FunctionName=form, **given)
                if operation.startswith("Update") and operation != "UpdateAlias":
                    await rig.settled("f")

    asyncio.run(main())


@pytest.mark.parametrize(("operation", "params"), OPERATIONS, ids=lambda value: str(value)[:30])
def test_every_operation_refuses_each_wrong_form_alike(
    operation: str, params: dict[str, Any], tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            given = await configured(rig, params)
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
                (f"{ARN}:", "ValidationException", ""),
                (ARN.replace(":lambda:", ":sqs:"), "ValidationException", ""),
                (ARN.replace(ACCOUNT, "12"), "ValidationException", ""),
                (":f", "ValidationException", ""),
                ("f\n", "ValidationException", ""),
                ("\u0192", "ValidationException", ""),
                ("", "ValidationException", ""),
            ):
                if form == "" and operation == "ListEventSourceMappings":
                    continue
                error = await refused(rig.call(operation, FunctionName=form, **given))
                assert error[0] == code, form
                assert error[1] == text or not text
            for form in FORMS:
                if operation in _OTHERWISE:
                    continue
                call = rig.call(operation, FunctionName=form, **given)
                missing = MISSING.get(operation, f"Function not found: {ARN}")
                assert await refused(call) == ("ResourceNotFoundException", missing)

    asyncio.run(main())


@pytest.mark.parametrize(("operation", "params"), OPERATIONS, ids=lambda value: str(value)[:30])
def test_a_qualifier_in_the_name_is_for_operations_on_versions(
    operation: str, params: dict[str, Any], tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            given = await configured(rig, params)
            forms = [f"{form}:7" for form in FORMS]
            if (text := REFUSE_VERSIONS.get(operation)) is not None:
                for form in forms:
                    error = await refused(rig.call(operation, FunctionName=form, **given))
                    assert error == ("InvalidParameterValueException", text)
                return
            # It stands for a qualifier of its own, and must not contradict one.
            rest = {name: value for name, value in given.items() if name != "Qualifier"}
            for form in forms:
                error = await refused(rig.call(operation, FunctionName=form, Qualifier="8", **rest))
                assert error == (
                    "InvalidParameterValueException",
                    "The derived qualifier from the function name does not match the specified "
                    "qualifier.",
                )

    asyncio.run(main())


UUID = "00000000-0000-4000-8000-000000000000"
CSC = f"code-signing-config:csc-{'0' * 17}"
_UNREACHABLE = "'us-west-2' are not reachable in this region ('eu-west-1')"
#: Operations that take other ARNs: the ARN, what is said in another region, and in another account.
OTHER_ARNS: tuple[tuple[str, str, dict[str, Any], str, str, str, str], ...] = (
    *(
        (operation, "Resource", params, resource, code, text, denied)
        for operation, params in (
            ("ListTags", {}),
            ("TagResource", {"Tags": {"a": "b"}}),
            ("UntagResource", {"TagKeys": ["a"]}),
        )
        for resource, code, text, denied in (
            ("function:f", NOT_FOUND, f"Functions from {_UNREACHABLE}", DENIED),
            (CSC, NOT_FOUND, "The Lambda code signing configuration @ can not be found.", DENIED),
            (
                f"event-source-mapping:{UUID}",
                NOT_FOUND,
                "Event source mapping not found: @",
                NOT_FOUND,
            ),
            ("capacity-provider:c", NOT_FOUND, "Capacity provider not found: @", NOT_FOUND),
        )
    ),
    *(
        (
            operation,
            "ResourceArn",
            params,
            "function:f",
            NOT_FOUND,
            f"Functions from {_UNREACHABLE}",
            DENIED,
        )
        for operation, params in (
            ("GetResourcePolicy", {}),
            ("PutResourcePolicy", {"Policy": STATEMENT}),
            ("DeleteResourcePolicy", {}),
        )
    ),
    *(
        (
            operation,
            "CodeSigningConfigArn",
            {},
            CSC,
            NOT_FOUND,
            "The Lambda code signing configuration @ can not be found.",
            DENIED,
        )
        for operation in (
            "GetCodeSigningConfig",
            "UpdateCodeSigningConfig",
            "DeleteCodeSigningConfig",
            "ListFunctionsByCodeSigningConfig",
        )
    ),
    *(
        (
            operation,
            "LayerName",
            params,
            "layer:l",
            NOT_FOUND,
            f"Layers from {_UNREACHABLE}",
            DENIED,
        )
        for operation, params in (
            ("PublishLayerVersion", {"Content": {"ZipFile": OTHER}}),
            ("ListLayerVersions", {}),
            ("GetLayerVersion", {"VersionNumber": 1}),
            ("DeleteLayerVersion", {"VersionNumber": 1}),
            ("GetLayerVersionPolicy", {"VersionNumber": 1}),
        )
    ),
    (
        "GetLayerVersionByArn",
        "Arn",
        {},
        "layer:l:1",
        NOT_FOUND,
        "The resource you requested does not exist.",
        DENIED,
    ),
)


@pytest.mark.parametrize(
    ("operation", "member", "params", "resource", "code", "text", "denied"),
    OTHER_ARNS,
    ids=lambda value: str(value)[:30],
)
def test_an_arn_of_another_region_or_account_leads_nowhere(
    operation: str,
    member: str,
    params: dict[str, Any],
    resource: str,
    code: str,
    text: str,
    denied: str,
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            arn = f"arn:aws:lambda:us-west-2:{ACCOUNT}:{resource}"
            error = await refused(rig.call(operation, **{member: arn}, **params))
            assert error == (code, text.replace("@", arn))
            arn = f"arn:aws:lambda:{REGION}:999999999999:{resource}"
            error = await refused(rig.call(operation, **{member: arn}, **params))
            assert error[0] == denied

    asyncio.run(main())
