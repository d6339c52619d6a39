"""Environment variables are sealed with keys of KMS, by the rules of AWS, and nowhere in plain."""

import os

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, deny
from alonzo.testing.functions import deploy

SHOW = "import os\ndef handler(event, context):\n    return os.environ.get(event)\n"
CONTEXT = "aws:lambda:FunctionArn"


@pytest.fixture
def kms(boto):
    return boto("kms")


@pytest.fixture
def key(kms):
    made = kms.create_key()["KeyMetadata"]["Arn"]
    yield made
    if kms.describe_key(KeyId=made)["KeyMetadata"]["KeyState"] != "PendingDeletion":
        kms.schedule_key_deletion(KeyId=made, PendingWindowInDays=7)


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
    return error["Code"], error["Message"], caught.value.response["ResponseMetadata"]


def updated(client, name, **changes):
    client.update_function_configuration(FunctionName=name, **changes)
    client.get_waiter("function_updated_v2").wait(FunctionName=name)


def variables_of(client, name):
    return client.get_function_configuration(FunctionName=name).get("Environment")


def test_a_key_of_the_customer_opens_them_for_the_functions_role_alone(
    function, lambda_client, kms, key
):
    """The role itself may do nothing with keys: the grant of CreateFunction lets it."""
    made = function(SHOW, KMSKeyArn=key, Environment={"Variables": {"AB": "1"}})
    assert made.invoke("AB").json == "1"
    assert variables_of(lambda_client, made.name) == {"Variables": {"AB": "1"}}
    (grant,) = kms.list_grants(KeyId=key)["Grants"]
    assert grant["Operations"] == ["Decrypt"]
    assert grant["Constraints"] == {"EncryptionContextEquals": {CONTEXT: made.arn}}
    lambda_client.delete_function(FunctionName=made.name)
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_a_key_that_cannot_be_used_stops_the_next_environment_with_lambdas_error(
    function, lambda_client, kms, key
):
    made = function(SHOW, KMSKeyArn=key, Environment={"Variables": {"AB": "1"}})
    kms.disable_key(KeyId=key)
    code, message, meta = refusal(lambda_client.invoke, FunctionName=made.name, Payload=b'"AB"')
    assert (code, meta["HTTPStatusCode"]) == ("KMSDisabledException", 502)
    assert message.endswith(f"KMS Exception: DisabledExceptionKMS Message: {key} is disabled.")
    error = variables_of(lambda_client, made.name)["Error"]
    assert error["ErrorCode"] == "DisabledException"
    kms.enable_key(KeyId=key)
    assert made.invoke("AB").json == "1"
    kms.disable_key(KeyId=key)
    assert made.invoke("AB").json == "1", "what runs goes on"
    kms.enable_key(KeyId=key)
    updated(lambda_client, made.name, Timeout=4)
    (grant,) = kms.list_grants(KeyId=key)["Grants"]
    kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    code, *_ = refusal(lambda_client.invoke, FunctionName=made.name, Payload=b'"AB"')
    assert code == "KMSAccessDeniedException"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    code, _, meta = refusal(lambda_client.invoke, FunctionName=made.name, Payload=b'"AB"')
    assert (code, meta["HTTPStatusCode"]) == ("KMSAccessDeniedException", 502)


def test_a_key_that_is_gone_or_waits_for_that_is_told_apart(function, lambda_client, kms, key):
    made = function(SHOW, KMSKeyArn=key, Environment={"Variables": {"AB": "1"}})
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    code, _, meta = refusal(lambda_client.invoke, FunctionName=made.name, Payload=b'"AB"')
    assert (code, meta["HTTPStatusCode"]) == ("KMSInvalidStateException", 502)


def test_who_may_not_decrypt_sees_an_error_in_their_place(
    function, household, name, lambda_client, key
):
    made = function(SHOW, KMSKeyArn=key, Environment={"Variables": {"AB": "marker-1"}})
    blind = household.client("lambda", household.user(name, allow("lambda:*", "iam:PassRole")))
    shown = blind.get_function(FunctionName=made.name)["Configuration"]["Environment"]
    assert shown["Error"]["ErrorCode"] == "AccessDeniedException"
    assert "kms:Decrypt" in shown["Error"]["Message"]
    assert "Variables" not in shown
    listed = [
        each
        for page in blind.get_paginator("list_functions").paginate()
        for each in page["Functions"]
        if each["FunctionName"] == made.name
    ]
    assert listed[0]["Environment"]["Error"]["ErrorCode"] == "AccessDeniedException"
    # An update that leaves variables and key alone needs no key.
    updated(blind, made.name, Timeout=5)
    assert variables_of(lambda_client, made.name) == {"Variables": {"AB": "marker-1"}}
    code, message, _ = refusal(
        blind.update_function_configuration, FunctionName=made.name, KMSKeyArn=""
    )
    assert code == "InvalidParameterValueException"
    assert "KMS Exception: AccessDeniedException" in message


def test_whoever_sets_a_key_must_be_allowed_to_hand_it_on(household, name, key, kms):
    """kms:CreateGrant and kms:Encrypt, as the guide has it; the service's own key asks nobody."""
    rights = [allow("lambda:*", "iam:PassRole")]
    user = household.client("lambda", household.user(name, *rights))
    asked = {"Runtime": "python3.11", "Handler": "handler.handler"}
    for more, missing in (([], "CreateGrant"), ([allow("kms:CreateGrant", on=key)], "Encrypt")):
        household.let_user(name, *rights, *more)
        with pytest.raises(ClientError) as caught:
            deploy(user, name, SHOW, **asked, KMSKeyArn=key, Environment={"Variables": {"AB": "1"}})
        assert f"invalid for {missing}" in caught.value.response["Error"]["Message"]
    resource = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    household.let_user(
        name,
        *rights,
        allow("kms:CreateGrant", on=key, Condition=resource),
        allow("kms:Encrypt", on=key),
    )
    made = deploy(user, name, SHOW, **asked, KMSKeyArn=key, Environment={"Variables": {"AB": "1"}})
    assert made.invoke("AB").json == "1"
    made.delete()
    household.let_user(name, *rights)
    made = deploy(user, name, SHOW, **asked, Environment={"Variables": {"AB": "2"}})
    assert made.invoke("AB").json == "2"
    assert variables_of(user, name) == {"Variables": {"AB": "2"}}
    # "To prevent a user from viewing environment variables": the guide's own advice.
    household.let_user(name, *rights, deny("kms:Decrypt"))
    assert variables_of(user, name)["Error"]["ErrorCode"] == "AccessDeniedException"
    made.delete()


@pytest.mark.parametrize(
    ("arn", "error"),
    [
        ("key/00000000-0000-0000-0000-000000000000", "NotFoundException"),
        ("alias/aws/lambda", "InvalidArnException"),
    ],
)
def test_a_key_that_is_none_is_refused_at_once(function_name, lambda_client, arn, error):
    with pytest.raises(ClientError) as caught:
        deploy(
            lambda_client, function_name, SHOW, KMSKeyArn=f"arn:aws:kms:us-east-1:{ACCOUNT}:{arn}"
        )
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert f"KMS Exception: {error} " in caught.value.response["Error"]["Message"]


def test_another_key_seals_anew_and_versions_keep_theirs(function, lambda_client, kms, key):
    made = function(SHOW, Environment={"Variables": {"AB": "1"}})
    first = lambda_client.publish_version(FunctionName=made.name)["Version"]
    assert lambda_client.publish_version(FunctionName=made.name)["Version"] == first
    updated(lambda_client, made.name, Environment={"Variables": {"AB": "1"}})
    assert lambda_client.publish_version(FunctionName=made.name)["Version"] == first, "the same"
    updated(lambda_client, made.name, KMSKeyArn=key)
    kms.disable_key(KeyId=key)
    assert refusal(lambda_client.invoke, FunctionName=made.name)[0] == "KMSDisabledException"
    assert made.invoke("AB", Qualifier=first).json == "1"
    kms.enable_key(KeyId=key)
    updated(lambda_client, made.name, KMSKeyArn="")
    kms.disable_key(KeyId=key)
    assert made.invoke("AB").json == "1"
    updated(lambda_client, made.name, Environment={"Variables": {}})
    assert variables_of(lambda_client, made.name) in (None, {"Variables": {}})


def files_with(folder, marker):
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and marker in path.read_bytes()
    ]


def test_no_value_is_in_plain_anywhere_even_after_a_kill(own_platform):
    """In no table, write-ahead log, journal or line of the daemon's log; versions included."""
    platform = own_platform()
    client, marker = platform.client("lambda"), f"plain-{os.urandom(8).hex()}"
    environment = {"Variables": {"SECRET_NAME": marker}}
    made = deploy(client, "f", SHOW, Environment=environment)
    assert made.invoke("SECRET_NAME").json == marker
    version = client.publish_version(FunctionName="f")["Version"]
    updated(client, "f", Environment={"Variables": {"SECRET_NAME": marker + "-2"}})
    assert made.invoke("SECRET_NAME").json == marker + "-2"
    assert files_with(platform.data_dir, marker.encode()) == []
    platform.kill()
    assert files_with(platform.data_dir, marker.encode()) == []
    assert files_with(platform.data_dir, b"SECRET_NAME") == []
    assert marker not in platform.log
    platform.start()
    client = platform.client("lambda")
    assert variables_of(client, f"f:{version}") == environment
    assert deploy_again(client).invoke("SECRET_NAME").json == marker + "-2"


def deploy_again(client):
    from alonzo.testing.functions import DeployedFunction

    return DeployedFunction(client, "f", client.get_function(FunctionName="f")["Configuration"])
