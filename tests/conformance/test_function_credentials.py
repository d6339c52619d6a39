"""The keys of a function: its role's, for one environment, for as long as both are there."""

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import Household, allow, client_of, trust
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import deploy
from alonzo.testing.roles import LAMBDA

#: Every second an environment is too old: what takes six hours is seen at once.
QUICK = ("--set", "environments.age_s_max=1")
KEY = """
import os

NAMES = {"AccessKeyId": "ACCESS_KEY_ID", "SecretAccessKey": "SECRET_ACCESS_KEY",
         "SessionToken": "SESSION_TOKEN"}

def handler(event, context):
    return {name: os.environ["AWS_" + variable] for name, variable in NAMES.items()}
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    daemon = DaemonProcess(tmp_path_factory.mktemp("quick") / "data", *QUICK)
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


def refused(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"]


def test_an_environment_is_replaced_before_its_keys_expire(platform, household, eventually):
    """Both kinds: one that starts when it is called, and one that is kept ready."""
    role = household.role("rotating", trust(LAMBDA), allow("lambda:ListFunctions"))
    client = platform.client("lambda")
    made = deploy(client, "rotating", KEY, Role=role, Publish=True)
    client.put_provisioned_concurrency_config(
        FunctionName="rotating", Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    for qualifier in ("$LATEST", "1"):
        first = made.invoke(Qualifier=qualifier).json
        assert first["AccessKeyId"].startswith("ASIA")

        def another(qualifier=qualifier, first=first):
            now = made.invoke(Qualifier=qualifier).json
            return now["AccessKeyId"] != first["AccessKeyId"] and now

        second = eventually(another, 30.0)
        # What the old ones still do ends when they expire, and nobody waits for that here.
        for key in (first, second):
            assert "Functions" in client_of(platform, "lambda", key).list_functions()
    client.delete_function(FunctionName="rotating")


def test_stolen_keys_do_what_the_role_may_now_and_nothing_once_it_is_gone(platform, household):
    iam = household.iam
    role = household.role("stolen", trust(LAMBDA), allow("lambda:ListFunctions"))
    made = deploy(platform.client("lambda"), "stolen", KEY, Role=role)
    key = made.invoke().json
    thief = client_of(platform, "lambda", key)
    assert "Functions" in thief.list_functions()
    household.let_role("stolen", allow("ssm:GetParameter"))
    assert refused(thief.list_functions) == "AccessDeniedException"
    household.let_role("stolen", allow("lambda:ListFunctions"))
    assert "Functions" in thief.list_functions()
    changed = {**key, "SessionToken": key["SessionToken"][:-8] + "AAAAAAAA"}
    assert refused(client_of(platform, "lambda", changed).list_functions) == (
        "UnrecognizedClientException"
    )
    iam.delete_role_policy(RoleName="stolen", PolicyName="own")
    iam.delete_role(RoleName="stolen")
    assert refused(thief.list_functions) == "UnrecognizedClientException"
    # One that is called the same is another role.
    household.role("stolen", trust(LAMBDA), allow("lambda:ListFunctions"))
    assert refused(thief.list_functions) == "UnrecognizedClientException"
    made.delete()


def test_a_function_with_one_role_has_nothing_of_anothers(platform, household):
    """Its secrets and parameters, its code, its key, its calls; and its own it has."""
    own = {
        name: [
            allow("secretsmanager:*", on=f"arn:aws:secretsmanager:*:*:secret:{name}/*"),
            allow("ssm:*", on=f"arn:aws:ssm:*:*:parameter/{name}/*"),
            allow("lambda:*", on=f"arn:aws:lambda:*:*:function:{name}-*"),
            allow("sqs:*", on=f"arn:aws:sqs:*:*:{name}-*"),
        ]
        for name in ("one", "two")
    }
    client, secrets, ssm = (platform.client(name) for name in ("lambda", "secretsmanager", "ssm"))
    sqs, kms = platform.client("sqs"), platform.client("kms")
    queues, keys = {}, {}
    for name, statements in own.items():
        role = household.role(name, trust(LAMBDA), *statements)
        made = deploy(client, f"{name}-function", KEY, Role=role)
        secrets.create_secret(Name=f"{name}/secret", SecretString=name)
        ssm.put_parameter(Name=f"/{name}/parameter", Value=name, Type="SecureString")
        queues[name] = sqs.create_queue(QueueName=f"{name}-queue")["QueueUrl"]
        keys[name] = made.invoke().json
    sealed = kms.encrypt(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], Plaintext=b"x")
    as_one = {name: client_of(platform, name, keys["one"]) for name in ("secretsmanager", "ssm")}
    code, queue = (
        client_of(platform, "lambda", keys["one"]),
        client_of(platform, "sqs", keys["one"]),
    )
    for whose, allowed in (("one", True), ("two", False)):
        calls = [
            (as_one["secretsmanager"].get_secret_value, {"SecretId": f"{whose}/secret"}),
            (as_one["ssm"].get_parameter, {"Name": f"/{whose}/parameter", "WithDecryption": True}),
            (code.get_function, {"FunctionName": f"{whose}-function"}),
            (code.invoke, {"FunctionName": f"{whose}-function"}),
            (queue.receive_message, {"QueueUrl": queues[whose]}),
            (queue.send_message, {"QueueUrl": queues[whose], "MessageBody": "m"}),
        ]
        for call, params in calls:
            if allowed:
                call(**params)
            else:
                assert refused(call, **params).startswith("AccessDenied"), call
    decrypt = client_of(platform, "kms", keys["one"]).decrypt
    assert refused(decrypt, CiphertextBlob=sealed["CiphertextBlob"]) == "AccessDeniedException"
    for name in own:
        client.delete_function(FunctionName=f"{name}-function")
