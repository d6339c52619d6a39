"""Policies and code signing over the API: stock botocore and the AWS CLI, a running platform."""

import json

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.functions import package

HANDLER = "def handler(event, context): return event"
COUNT = """
calls = 0
def handler(event, context):
    global calls
    calls += 1
    return calls
"""
INVOKE = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
PUBLISHERS = {
    "SigningProfileVersionArns": [
        "arn:aws:signer:us-east-1:000000000000:/signing-profiles/test/abcdefghij"
    ]
}


def error_of(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    response = caught.value.response
    return (
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"]["Code"],
        response["Error"]["Message"],
    )


@pytest.fixture
def deployed(function):
    return function(HANDLER)


@pytest.fixture
def at(deployed):
    return {"FunctionName": deployed.name}


def test_a_statement_is_added_read_guarded_and_removed(lambda_client, at):
    arn = lambda_client.get_function_configuration(**at)["FunctionArn"]
    added = lambda_client.add_permission(
        StatementId="s3", SourceArn="arn:aws:s3:::bucket", SourceAccount="123456789012",
        **at, **INVOKE,
    )  # fmt: skip
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert json.loads(added["Statement"]) == {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "123456789012"},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
        },
    }
    policy = lambda_client.get_policy(**at)
    configuration = lambda_client.get_function_configuration(**at)
    assert policy["RevisionId"] == configuration["RevisionId"]
    assert json.loads(policy["Policy"])["Statement"] == [json.loads(added["Statement"])]
    for call, more in (
        (lambda_client.add_permission, {"StatementId": "s4", **INVOKE}),
        (lambda_client.remove_permission, {"StatementId": "s3"}),
    ):
        assert error_of(call, RevisionId="wrong", **at, **more)[:2] == (
            412,
            "PreconditionFailedException",
        )
    assert error_of(lambda_client.add_permission, StatementId="s3", **at, **INVOKE)[:2] == (
        409,
        "ResourceConflictException",
    )
    removed = lambda_client.remove_permission(StatementId="s3", **at)
    assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert error_of(lambda_client.get_policy, **at) == (
        404,
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )


def test_a_change_of_the_policy_keeps_the_environments(function, lambda_client):
    deployed = function(COUNT)
    assert deployed.invoke().json == 1
    lambda_client.add_permission(FunctionName=deployed.name, StatementId="s", **INVOKE)
    assert deployed.invoke().json == 2


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"StatementId": "example.com"}, "statementId"),
        ({"StatementId": "x" * 101}, "statementId"),
        ({"Action": "s3:GetObject"}, "action"),
        ({"Principal": "two words"}, "principal"),
        ({"SourceArn": "nope"}, "sourceArn"),
        ({"SourceAccount": "12345"}, "sourceAccount"),
        ({"EventSourceToken": "to ken"}, "eventSourceToken"),
        ({"EventSourceToken": "x" * 257}, "eventSourceToken"),
        ({"PrincipalOrgID": "o-UPPER12345"}, "principalOrgID"),
        ({"FunctionUrlAuthType": "SOME"}, "functionUrlAuthType"),
        ({"Qualifier": "invalid-?-char"}, "qualifier"),
    ],
)
def test_the_framework_names_the_member_that_is_wrong(lambda_client, at, params, path):
    request = {"StatementId": "s", **INVOKE, **at, **params}
    status, code, message = error_of(lambda_client.add_permission, **request)
    assert (status, code) == (400, "ValidationException")
    assert f"at '{path}' failed to satisfy constraint: " in message


def test_boundary_values_are_taken(lambda_client, at):
    lambda_client.add_permission(
        StatementId="x" * 100, EventSourceToken="x" * 256, SourceAccount="1" * 12,
        PrincipalOrgID="o-" + "a" * 32, **at, **INVOKE,
    )  # fmt: skip


def test_a_document_is_put_read_and_deleted(lambda_client, at):
    arn = lambda_client.get_function_configuration(**at)["FunctionArn"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "lambda:*", "Resource": arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    put = lambda_client.put_resource_policy(ResourceArn=arn, Policy=document)
    got = lambda_client.get_resource_policy(ResourceArn=arn)
    assert json.loads(got["Policy"]) == json.loads(document)
    assert got["RevisionId"] == put["RevisionId"]
    assert error_of(
        lambda_client.put_resource_policy,
        ResourceArn=arn,
        Policy=document,
        RevisionId="00000000-0000-4000-8000-000000000000",
    )[:2] == (412, "PreconditionFailedException")
    assert error_of(lambda_client.put_resource_policy, ResourceArn=arn, Policy="no JSON") == (
        400,
        "InvalidParameterValueException",
        "The policy is not valid: it is not JSON.",
    )
    deleted = lambda_client.delete_resource_policy(ResourceArn=arn, RevisionId=put["RevisionId"])
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert error_of(lambda_client.get_resource_policy, ResourceArn=arn)[0] == 404
    for wrong in (
        {"ResourceArn": "f", "Policy": "{}"},
        {"ResourceArn": arn, "Policy": "x" * 20_481},
        {"ResourceArn": arn, "Policy": "{}", "RevisionId": "x" * 36},
    ):
        status, code, _ = error_of(lambda_client.put_resource_policy, **wrong)
        assert (status, code) == (400, "ValidationException")


def test_code_signing_keeps_unsigned_code_away(lambda_client, deployed, at):
    made = lambda_client.create_code_signing_config(
        AllowedPublishers=PUBLISHERS,
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
        Tags={"a": "1"},
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    arn = made["CodeSigningConfig"]["CodeSigningConfigArn"]
    assert lambda_client.list_tags(Resource=arn)["Tags"] == {"a": "1"}
    assert lambda_client.get_function_code_signing_config(**at).get("CodeSigningConfigArn") is None
    lambda_client.put_function_code_signing_config(CodeSigningConfigArn=arn, **at)
    status, code, message = error_of(
        lambda_client.update_function_code, ZipFile=package(HANDLER), **at
    )
    assert (status, code) == (400, "CodeVerificationFailedException")
    assert message.endswith(f"Check the provided signature for {deployed.name}.")
    assert error_of(lambda_client.delete_code_signing_config, CodeSigningConfigArn=arn)[:2] == (
        409,
        "ResourceConflictException",
    )
    pages = lambda_client.get_paginator("list_functions_by_code_signing_config").paginate(
        CodeSigningConfigArn=arn
    )
    assert [each.rpartition(":")[2] for page in pages for each in page["FunctionArns"]] == [
        deployed.name
    ]
    lambda_client.delete_function_code_signing_config(**at)
    lambda_client.update_function_code(ZipFile=package(HANDLER), **at)
    lambda_client.get_waiter("function_updated_v2").wait(**at)
    pages = lambda_client.get_paginator("list_code_signing_configs").paginate()
    listed = [c["CodeSigningConfigArn"] for page in pages for c in page["CodeSigningConfigs"]]
    assert arn in listed
    gone = lambda_client.delete_code_signing_config(CodeSigningConfigArn=arn)
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert error_of(lambda_client.get_code_signing_config, CodeSigningConfigArn=arn) == (
        404,
        "ResourceNotFoundException",
        f"The Lambda code signing configuration {arn} can not be found.",
    )


@pytest.mark.parametrize(
    "publishers",
    [
        {"SigningProfileVersionArns": ["nope"]},
        {"SigningProfileVersionArns": PUBLISHERS["SigningProfileVersionArns"] * 21},
    ],
)
def test_publishers_are_checked_by_the_framework(lambda_client, publishers):
    status, code, message = error_of(
        lambda_client.create_code_signing_config, AllowedPublishers=publishers
    )
    assert (status, code) == (400, "ValidationException")
    assert "at 'allowedPublishers.signingProfileVersionArns' failed" in message
