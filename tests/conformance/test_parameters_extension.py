"""The Parameters and Secrets extension, asked from within functions as AWS's guides have it."""

import json
import shutil

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import Household, allow, trust
from alonzo.testing.functions import deploy
from alonzo.testing.roles import LAMBDA

#: As a template from AWS names it: the account is the one that publishes it in that region.
LAYER = "arn:aws:lambda:us-east-1:177933569100:layer:AWS-Parameters-and-Secrets-Lambda-Extension:11"
SOURCE = """
import json, os, urllib.error, urllib.request

PORT = os.environ.get("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "2773")

def ask(path, headers=None):
    if headers is None:
        token = os.environ.get("AWS_SESSION_TOKEN")
        token = token or os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
        headers = {"X-Aws-Parameters-Secrets-Token": token}
    request = urllib.request.Request(f"http://localhost:{PORT}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return [answer.status, json.load(answer)]
    except urllib.error.HTTPError as error:
        return [error.code, json.load(error)]
    except OSError as error:
        return [0, str(error)]

AT_INIT = ask("/secretsmanager/get?secretId=AT_INIT") if os.environ.get("AT_INIT") else None

def handler(event, context):
    if event == "init":
        return AT_INIT
    return [ask(*each) for each in event]
"""


@pytest.fixture(scope="module")
def world(platform):
    """A role that may read what its account's team has, and one of each to read."""
    household = Household(platform)
    reads = ("secretsmanager:GetSecretValue", "ssm:GetParameter", "kms:Decrypt")
    role = household.role("extension-reader", trust(LAMBDA), allow(*reads))
    secrets, ssm = platform.client("secretsmanager"), platform.client("ssm")
    secret = secrets.create_secret(Name="extension/secret", SecretString="first")["ARN"]
    ssm.put_parameter(Name="/extension/plain", Value="one", Type="String")
    ssm.put_parameter(Name="/extension/sealed", Value="two", Type="SecureString")
    yield role, secret
    secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    ssm.delete_parameters(Names=["/extension/plain", "/extension/sealed"])
    household.close()


@pytest.fixture
def asking(function, world):
    def make(**variables):
        environment = {"Variables": variables}
        return function(SOURCE, Layers=[LAYER], Role=world[0], Environment=environment, Timeout=30)

    return make


SECRET = "/secretsmanager/get?secretId=extension%2Fsecret"
PLAIN = "/systemsmanager/parameters/get?name=%2Fextension%2Fplain"
SEALED = "/systemsmanager/parameters/get?name=%2Fextension%2Fsealed"


def test_parameters_and_secrets_are_had_as_the_guides_say(asking, world, lambda_client, boto):
    made = asking()
    configuration = lambda_client.get_function_configuration(FunctionName=made.name)
    assert [layer["Arn"] for layer in configuration["Layers"]] == [LAYER]
    (status, secret), (_, plain), (_, sealed), (_, opened) = made.invoke(
        [[SECRET], [PLAIN], [SEALED], [f"{SEALED}&withDecryption=true"]]
    ).json
    assert status == 200
    assert (secret["SecretString"], secret["ARN"]) == ("first", world[1])
    assert (secret["Name"], secret["VersionStages"]) == ("extension/secret", ["AWSCURRENT"])
    assert secret["CreatedDate"].endswith("Z")
    assert plain["Parameter"]["Value"] == "one"
    assert plain["Parameter"]["Type"] == "String"
    assert plain["Parameter"]["Version"] == 1
    assert opened["Parameter"]["Value"] == "two"
    assert sealed["Parameter"]["Value"] not in ("", "two")
    # Five minutes long the answer is the same, unless one asks for another or for it anew.
    secrets = boto("secretsmanager")
    version = secrets.put_secret_value(SecretId=world[1], SecretString="second")["VersionId"]
    again, other, fresh, kept = made.invoke(
        [
            [SECRET],
            [f"{SECRET}&versionStage=AWSPREVIOUS"],
            [f"{SECRET}&refreshNow=true"],
            [f"{SECRET}&versionId={version}"],
        ]
    ).json
    texts = [each[1]["SecretString"] for each in (again, other, fresh, kept)]
    assert texts == ["first", "first", "second", "second"]
    secrets.put_secret_value(SecretId=world[1], SecretString="first")


def test_settings_are_the_layers_own_variables(asking, boto):
    made = asking(
        PARAMETERS_SECRETS_EXTENSION_HTTP_PORT="3456", SSM_PARAMETER_STORE_TTL="0", AT_INIT="1"
    )
    ssm = boto("ssm")
    assert made.invoke([[PLAIN]]).json[0][1]["Parameter"]["Value"] == "one"
    ssm.put_parameter(Name="/extension/plain", Value="newer", Type="String", Overwrite=True)
    newer, older = made.invoke([[PLAIN], [f"{PLAIN}&version=1"]]).json
    assert newer[1]["Parameter"]["Value"] == "newer"
    assert older[1]["Parameter"]["Value"] == "one"
    status, error = made.invoke("init").json
    assert (status, error["errorType"]) == (400, "ResourceNotFoundException"), "init may ask, too"
    ssm.put_parameter(Name="/extension/plain", Value="one", Type="String", Overwrite=True)


def test_who_asks_must_show_the_environments_token(asking):
    answers = (
        asking()
        .invoke(
            [
                [SECRET, {}],
                [SECRET, {"X-Aws-Parameters-Secrets-Token": "guessed"}],
                [SECRET, {"X-Aws-Parameters-Secrets-Token": "gu\u00e9ssed"}],
                ["/secretsmanager/get"],
                ["/systemsmanager/parameters/get?name=a&version=1&label=b"],
                ["/other"],
            ]
        )
        .json
    )
    assert [status for status, _ in answers] == [401, 401, 401, 400, 400, 404]


def test_the_role_alone_says_what_can_be_had(asking, world, platform, function, lambda_client):
    made = asking(SECRETS_MANAGER_TTL="0")
    assert made.invoke([[SECRET]]).json[0][0] == 200
    iam = platform.client("iam")
    policy = iam.get_role_policy(RoleName="extension-reader", PolicyName="own")["PolicyDocument"]
    iam.delete_role_policy(RoleName="extension-reader", PolicyName="own")
    try:
        status, error = made.invoke([[SECRET]]).json[0]
    finally:
        iam.put_role_policy(
            RoleName="extension-reader", PolicyName="own", PolicyDocument=json.dumps(policy)
        )
    assert (status, error["errorType"]) == (400, "AccessDeniedException")
    assert made.invoke([[SECRET]]).json[0][0] == 200
    # Without the layer nobody listens.
    assert function(SOURCE).invoke([[SECRET]]).json[0][0] == 0


@pytest.mark.skipif(shutil.which("python3.12") is None, reason="SnapStart begins with 3.12")
def test_a_function_with_snap_start_shows_its_other_token(asking, lambda_client):
    """It has no session token: its keys come over HTTP."""
    made = asking()
    lambda_client.update_function_configuration(
        FunctionName=made.name, Runtime="python3.12", SnapStart={"ApplyOn": "PublishedVersions"}
    )
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName=made.name)
    version = lambda_client.publish_version(FunctionName=made.name)["Version"]
    lambda_client.get_waiter("function_active_v2").wait(FunctionName=made.name, Qualifier=version)
    assert made.invoke([[SECRET]], Qualifier=version).json[0][0] == 200


def test_no_other_foreign_layer_is_provided(lambda_client, function_name):
    for arn in (
        LAYER.replace("Extension:", "Extensions:"),
        LAYER.replace("us-east-1", "eu-west-1"),
        LAYER.replace("177933569100", "000000000000"),
    ):
        with pytest.raises(ClientError):
            deploy(lambda_client, function_name, SOURCE, Layers=[arn])
