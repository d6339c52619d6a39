"""Secrets Manager as its users meet it: values, stages, deletion, policies, rotation."""

import json
import string
import uuid

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, document, trust
from alonzo.testing.functions import PYTHON_RUNTIME, package

ARN = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:"
MARKED = (
    "InvalidRequestException",
    "You can't perform this operation on the secret because it was marked for deletion.",
)
NO_SECRET = ("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")

#: Rotates as AWS's own templates do.
ROTATES = """
import boto3
def handler(event, context):
    secrets = boto3.client("secretsmanager")
    arn, token = event["SecretId"], event["ClientRequestToken"]
    versions = secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
    assert "AWSPENDING" in versions[token], versions
    if event["Step"] == "createSecret":
        current = secrets.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")["SecretString"]
        secrets.put_secret_value(SecretId=arn, ClientRequestToken=token,
            SecretString=current + "+", VersionStages=["AWSPENDING"])
    if event["Step"] == "testSecret":
        secrets.get_secret_value(SecretId=arn, VersionId=token, VersionStage="AWSPENDING")
    if event["Step"] == "finishSecret":
        old = next(v for v, stages in versions.items() if "AWSCURRENT" in stages)
        secrets.update_secret_version_stage(SecretId=arn, VersionStage="AWSCURRENT",
            MoveToVersionId=token, RemoveFromVersionId=old)
"""
READS = """
import boto3
def handler(event, context):
    try:
        secret = boto3.client("secretsmanager").get_secret_value(SecretId=event["secret"])
        value = boto3.client("ssm").get_parameter(Name=event["parameter"], WithDecryption=True)
        kms = boto3.client("kms")
        key = kms.generate_data_key(KeyId=event["key"], KeySpec="AES_256")
        same = kms.decrypt(CiphertextBlob=key["CiphertextBlob"])["Plaintext"] == key["Plaintext"]
        return [secret["SecretString"], value["Parameter"]["Value"], same]
    except Exception as error:
        return str(error)
"""


@pytest.fixture
def secrets(boto):
    return boto("secretsmanager")


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


@pytest.fixture
def name(function_name):
    return function_name[-40:].strip("-")


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def text_of(secrets, secret, **more):
    return secrets.get_secret_value(SecretId=secret, **more)["SecretString"]


def test_a_secret_is_found_by_name_and_by_arn_whole_or_not(secrets, name, platform):
    value = "the value of " + name
    made = secrets.create_secret(
        Name=name, SecretString=value, Description="d", Tags=[{"Key": "team", "Value": "blue"}]
    )
    arn = made["ARN"]
    assert arn.startswith(f"{ARN}{name}-")
    assert len(arn) == len(f"{ARN}{name}-") + 6
    for secret_id in (name, arn, arn[:-7]):
        found = secrets.get_secret_value(SecretId=secret_id)
        assert found["SecretString"] == value
        assert found["VersionId"] == made["VersionId"]
        assert found["VersionStages"] == ["AWSCURRENT"]
    assert refusal(secrets.get_secret_value, SecretId=f"{arn[:-6]}000000") == NO_SECRET
    described = secrets.describe_secret(SecretId=name)
    assert described["Description"] == "d"
    assert described["Tags"] == [{"Key": "team", "Value": "blue"}]
    assert described["VersionIdsToStages"] == {made["VersionId"]: ["AWSCURRENT"]}
    assert described["LastAccessedDate"]
    for file in platform.data_dir.glob("alonzo.db*"):
        assert value.encode() not in file.read_bytes()
    assert value not in platform.log
    assert refusal(secrets.create_secret, Name=name, SecretString="other") == (
        "ResourceExistsException",
        f"The operation failed because the secret {name} already exists.",
    )


def test_a_new_value_moves_the_stages(secrets, name):
    first = secrets.create_secret(Name=name, SecretString="1")["VersionId"]
    second = secrets.put_secret_value(SecretId=name, SecretString="2")
    assert second["VersionStages"] == ["AWSCURRENT"]
    third = secrets.update_secret(SecretId=name, SecretBinary=b"\x00\xff")["VersionId"]
    stages = secrets.describe_secret(SecretId=name)["VersionIdsToStages"]
    assert stages == {second["VersionId"]: ["AWSPREVIOUS"], third: ["AWSCURRENT"]}
    assert secrets.get_secret_value(SecretId=name)["SecretBinary"] == b"\x00\xff"
    assert text_of(secrets, name, VersionStage="AWSPREVIOUS") == "2"
    assert text_of(secrets, name, VersionId=first) == "1"
    listed = secrets.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]
    assert {each["VersionId"] for each in listed} == {first, second["VersionId"], third}
    assert len(secrets.list_secret_version_ids(SecretId=name)["Versions"]) == 2
    secrets.update_secret_version_stage(
        SecretId=name,
        VersionStage="AWSCURRENT",
        MoveToVersionId=first,
        RemoveFromVersionId=third,
    )
    stages = secrets.describe_secret(SecretId=name)["VersionIdsToStages"]
    assert stages == {first: ["AWSCURRENT"], third: ["AWSPREVIOUS"]}
    code, message = refusal(
        secrets.update_secret_version_stage,
        SecretId=name,
        VersionStage="AWSCURRENT",
        MoveToVersionId=third,
    )
    assert code == "InvalidParameterException"
    assert f"currently attached to version {first}" in message
    code, message = refusal(
        secrets.update_secret_version_stage,
        SecretId=name,
        VersionStage="AWSCURRENT",
        RemoveFromVersionId=first,
    )
    assert "can't be completely removed" in message
    assert refusal(secrets.get_secret_value, SecretId=name, VersionStage="none") == (
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for staging label: none",
    )
    assert refusal(
        secrets.get_secret_value, SecretId=name, VersionId=first, VersionStage="AWSPREVIOUS"
    )[0] == ("InvalidRequestException")


def test_the_same_token_stands_for_the_same_value(secrets, name):
    token = str(uuid.uuid4())
    made = secrets.create_secret(Name=name, SecretString="1", ClientRequestToken=token)
    again = secrets.create_secret(Name=name, SecretString="1", ClientRequestToken=token)
    assert (again["ARN"], again["VersionId"]) == (made["ARN"], token)
    secrets.put_secret_value(SecretId=name, SecretString="1", ClientRequestToken=token)
    code, message = refusal(
        secrets.put_secret_value, SecretId=name, SecretString="2", ClientRequestToken=token
    )
    assert code == "ResourceExistsException"
    assert token in message
    assert "2" not in message.replace(token, "").replace(made["ARN"], "")


def test_a_deleted_secret_can_be_restored_until_it_is_gone(secrets, name):
    secrets.create_secret(Name=name, SecretString="1")
    gone = secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    assert gone["DeletionDate"]
    assert refusal(secrets.get_secret_value, SecretId=name) == MARKED
    assert refusal(secrets.put_secret_value, SecretId=name, SecretString="2") == MARKED
    assert refusal(secrets.create_secret, Name=name)[0] == "InvalidRequestException"
    assert secrets.describe_secret(SecretId=name)["DeletedDate"]
    assert name not in [each["Name"] for each in secrets.list_secrets()["SecretList"]]
    planned = secrets.list_secrets(
        IncludePlannedDeletion=True, Filters=[{"Key": "name", "Values": [name]}]
    )
    assert [each["Name"] for each in planned["SecretList"]] == [name]
    secrets.restore_secret(SecretId=name)
    assert text_of(secrets, name) == "1"
    arn = secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)["ARN"]
    assert refusal(secrets.describe_secret, SecretId=name) == NO_SECRET
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert secrets.create_secret(Name=name)["ARN"] != arn
    assert refusal(
        secrets.delete_secret,
        SecretId=name,
        RecoveryWindowInDays=7,
        ForceDeleteWithoutRecovery=True,
    )[0] == ("InvalidParameterException")
    assert refusal(secrets.delete_secret, SecretId=name, RecoveryWindowInDays=6) == (
        "InvalidParameterException",
        "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
    )


def test_secrets_are_listed_in_pages_by_filters(secrets, name):
    for number in range(5):
        secrets.create_secret(
            Name=f"{name}/{number}",
            Description=f"number {number}",
            Tags=[{"Key": "even", "Value": str(number % 2 == 0)}],
        )

    def listed(**more):
        filters = [{"Key": "name", "Values": [name]}, *more.pop("Filters", [])]
        pages = secrets.get_paginator("list_secrets").paginate(
            Filters=filters, PaginationConfig={"PageSize": 2}, **more
        )
        return [each["Name"][-1] for page in pages for each in page["SecretList"]]

    assert listed(SortBy="name", SortOrder="asc") == list("01234")
    assert listed(SortBy="name") == list("43210")
    assert listed(SortOrder="asc") == list("01234")
    even = [{"Key": "tag-value", "Values": ["True"]}]
    assert listed(Filters=even, SortOrder="asc") == list("024")
    assert listed(Filters=[{"Key": "description", "Values": ["3"]}]) == ["3"]
    assert listed(Filters=[{"Key": "name", "Values": [f"!{name}/1"]}], SortOrder="asc") == list(
        "0234"
    )


def test_a_batch_says_what_it_could_not_read(secrets, name, household):
    secrets.create_secret(Name=f"{name}/a", SecretString="a")
    secrets.create_secret(Name=f"{name}/b", SecretString="b")
    member = household.client(
        "secretsmanager",
        household.user(
            name,
            allow("secretsmanager:BatchGetSecretValue", "secretsmanager:ListSecrets"),
            allow("secretsmanager:GetSecretValue", on=f"{ARN}{name}/a-??????"),
        ),
    )
    found = member.batch_get_secret_value(SecretIdList=[f"{name}/a", f"{name}/b", "none"])
    assert [each["SecretString"] for each in found["SecretValues"]] == ["a"]
    assert [each["SecretId"] for each in found["Errors"]] == [f"{name}/b", "none"]
    assert {each["ErrorCode"] for each in found["Errors"]} == {"AccessDeniedException"}
    by_name = secrets.batch_get_secret_value(Filters=[{"Key": "name", "Values": [name]}])
    assert sorted(each["SecretString"] for each in by_name["SecretValues"]) == ["a", "b"]
    assert refusal(member.get_secret_value, SecretId=f"{name}/b")[0] == "AccessDeniedException"


def test_a_resource_policy_lets_in_and_shuts_out(secrets, name, household):
    arn = secrets.create_secret(Name=name, SecretString="x")["ARN"]
    member = household.client("secretsmanager", household.user(name))
    assert refusal(member.get_secret_value, SecretId=name)[0] == "AccessDeniedException"
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}
    let_in = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
    }
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=document(let_in))
    assert text_of(member, arn) == "x"
    found = json.loads(secrets.get_resource_policy(SecretId=name)["ResourcePolicy"])
    assert found["Statement"] == [let_in]
    household.let_user(name, allow("secretsmanager:*"))
    secrets.put_resource_policy(
        SecretId=name, ResourcePolicy=document({**let_in, "Effect": "Deny"})
    )
    assert (
        "explicit deny in a resource-based policy"
        in refusal(member.get_secret_value, SecretId=name)[1]
    )
    secrets.delete_resource_policy(SecretId=name)
    assert text_of(member, name) == "x"
    everybody = document({**let_in, "Principal": "*"})
    assert refusal(
        secrets.put_resource_policy,
        SecretId=name,
        ResourcePolicy=everybody,
        BlockPublicPolicy=True,
    )[0] == ("PublicPolicyException")
    checked = secrets.validate_resource_policy(ResourcePolicy=everybody)
    assert checked["PolicyValidationPassed"] is False
    assert refusal(secrets.put_resource_policy, SecretId=name, ResourcePolicy="{}")[0] == (
        "MalformedPolicyDocumentException"
    )


def test_a_key_of_one_s_own_decides_who_reads(secrets, boto, name, household):
    kms = boto("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    secrets.create_secret(Name=name, SecretString="x")
    member = household.client("secretsmanager", household.user(name, allow("secretsmanager:*")))
    assert text_of(member, name) == "x"
    secrets.update_secret(SecretId=name, KmsKeyId=key)
    assert text_of(secrets, name) == "x"
    assert refusal(member.get_secret_value, SecretId=name)[0] == "AccessDeniedException"
    kms.disable_key(KeyId=key)
    assert refusal(secrets.get_secret_value, SecretId=name)[0] == "DecryptionFailure"
    assert refusal(secrets.put_secret_value, SecretId=name, SecretString="y")[0] == (
        "EncryptionFailure"
    )
    kms.enable_key(KeyId=key)
    assert text_of(secrets, name) == "x"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


def test_random_passwords_are_as_asked_for(secrets):
    made = [secrets.get_random_password()["RandomPassword"] for _ in range(20)]
    assert len(set(made)) == 20
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation)
    for each in made:
        assert len(each) == 32
        assert all(set(each) & set(kind) for kind in kinds)
    only = secrets.get_random_password(
        PasswordLength=100,
        ExcludePunctuation=True,
        ExcludeUppercase=True,
        ExcludeLowercase=True,
        ExcludeCharacters="01234567",
    )["RandomPassword"]
    assert set(only) == {"8", "9"}
    assert refusal(secrets.get_random_password, PasswordLength=3)[0] == (
        "InvalidParameterException"
    )


def make_function(platform, role, name, source):
    client = platform.client("lambda")
    client.create_function(
        FunctionName=name,
        Runtime=PYTHON_RUNTIME,
        Role=role,
        Handler="handler.handler",
        Code={"ZipFile": package(source)},
        Timeout=30,
        MemorySize=256,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    return client


def test_a_function_rotates_a_secret_in_four_steps(secrets, platform, household, name, eventually):
    arn = secrets.create_secret(Name=name, SecretString="s")["ARN"]
    role = household.role(
        name, trust({"Service": "lambda.amazonaws.com"}), allow("secretsmanager:*", on=arn)
    )
    client = make_function(platform, role, name, ROTATES)
    function = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    assert refusal(secrets.rotate_secret, SecretId=name)[0] == "InvalidRequestException"
    code, message = refusal(secrets.rotate_secret, SecretId=name, RotationLambdaARN=function)
    assert code == "AccessDeniedException"
    assert message.startswith("Secrets Manager cannot invoke the specified Lambda function.")
    client.add_permission(
        FunctionName=name,
        StatementId="rotation",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
        SourceArn=arn,
    )
    started = secrets.rotate_secret(
        SecretId=name, RotationLambdaARN=function, RotationRules={"AutomaticallyAfterDays": 30}
    )
    eventually(lambda: "LastRotatedDate" in secrets.describe_secret(SecretId=name), within_s=40)
    current = secrets.get_secret_value(SecretId=name)
    assert (current["SecretString"], current["VersionId"]) == ("s+", started["VersionId"])
    assert text_of(secrets, name, VersionStage="AWSPREVIOUS") == "s"
    described = secrets.describe_secret(SecretId=name)
    assert described["RotationEnabled"] is True
    assert described["RotationRules"] == {"AutomaticallyAfterDays": 30}
    assert described["NextRotationDate"] > described["LastRotatedDate"]
    secrets.cancel_rotate_secret(SecretId=name)
    described = secrets.describe_secret(SecretId=name)
    assert described["RotationEnabled"] is False
    assert "NextRotationDate" not in described
    assert refusal(
        secrets.rotate_secret,
        SecretId=name,
        RotationRules={"ScheduleExpression": "cron(0 0 1 * ? *)"},
    )[0] == ("InvalidParameterException")
    client.delete_function(FunctionName=name)


def test_a_function_reads_with_its_role_what_the_role_may(secrets, boto, platform, household, name):
    arn = secrets.create_secret(Name=name, SecretString="from a secret")["ARN"]
    boto("ssm").put_parameter(Name=f"/{name}/p", Value="from a parameter", Type="SecureString")
    key = boto("kms").create_key()["KeyMetadata"]["Arn"]
    role = household.role(
        name,
        trust({"Service": "lambda.amazonaws.com"}),
        allow("secretsmanager:GetSecretValue", on=arn),
        allow("ssm:GetParameter", on=f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/{name}/*"),
        allow("kms:GenerateDataKey", "kms:Decrypt", on=key),
    )
    client = make_function(platform, role, name, READS)

    def invoke(**event):
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    mine = {"secret": name, "parameter": f"/{name}/p", "key": key}
    assert invoke(**mine) == ["from a secret", "from a parameter", True]
    secrets.create_secret(Name=f"{name}-other", SecretString="not for it")
    other = boto("kms").create_key()["KeyMetadata"]["Arn"]
    boto("ssm").put_parameter(Name=f"/{name}-other", Value="not for it", Type="SecureString")
    for changed in (
        {"secret": f"{name}-other"},
        {"parameter": f"/{name}-other"},
        {"key": other},
    ):
        assert "AccessDeniedException" in invoke(**{**mine, **changed})
    client.delete_function(FunctionName=name)
