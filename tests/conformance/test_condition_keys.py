"""What conditions of policies can ask of a request, its caller and its resource."""

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, deny, trust
from alonzo.testing.functions import deploy, package
from alonzo.testing.roles import LAMBDA

DOES = """
import boto3
def handler(event, context):
    try:
        boto3.client("lambda").get_account_settings()
    except Exception as error:
        return str(error)
"""
ECHO = "def handler(event, context): return event"
BLUE = {"StringEquals": {"aws:ResourceTag/Team": "blue"}}


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


@pytest.fixture
def name(function_name):
    return function_name[-40:]


def may(call, **params):
    """Whether policies let a call pass, which then succeeds."""
    try:
        call(**params)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException"):
            raise
        return False
    return True


def a_function(platform, household, name):
    deployed = deploy(platform.client("lambda"), name, ECHO)
    return (
        "get_function",
        {"FunctionName": name},
        lambda: deployed.client.tag_resource(Resource=deployed.arn, Tags={"team": "blue"}),
        deployed.delete,
    )


def a_code_signing_config(platform, household, name):
    client = platform.client("lambda")
    made = client.create_code_signing_config(
        AllowedPublishers={
            "SigningProfileVersionArns": [
                f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/p/1234567890"
            ]
        }
    )["CodeSigningConfig"]["CodeSigningConfigArn"]
    return (
        "get_code_signing_config",
        {"CodeSigningConfigArn": made},
        lambda: client.tag_resource(Resource=made, Tags={"team": "blue"}),
        lambda: client.delete_code_signing_config(CodeSigningConfigArn=made),
    )


def a_log_group(platform, household, name):
    client = platform.client("logs")
    client.create_log_group(logGroupName=name)
    arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}"
    return (
        "describe_log_streams",
        {"logGroupName": name},
        lambda: client.tag_resource(resourceArn=arn, tags={"team": "blue"}),
        lambda: client.delete_log_group(logGroupName=name),
    )


def a_parameter(platform, household, name):
    client = platform.client("ssm")
    name = f"/{name}/deep"
    client.put_parameter(Name=name, Value="v", Type="String")
    tags = [{"Key": "team", "Value": "blue"}]
    return (
        "get_parameter",
        {"Name": name},
        lambda: client.add_tags_to_resource(ResourceType="Parameter", ResourceId=name, Tags=tags),
        lambda: client.delete_parameter(Name=name),
    )


def a_role(platform, household, name):
    household.role(f"{name}-r", trust(LAMBDA))
    at = {"RoleName": f"{name}-r"}
    tags = [{"Key": "team", "Value": "blue"}]
    return "get_role", at, lambda: household.iam.tag_role(**at, Tags=tags), lambda: None


def a_secret(platform, household, name):
    client = platform.client("secretsmanager")
    client.create_secret(Name=name, SecretString="s")
    at = {"SecretId": name}
    return (
        "describe_secret",
        at,
        lambda: client.tag_resource(**at, Tags=[{"Key": "team", "Value": "blue"}]),
        lambda: client.delete_secret(**at, ForceDeleteWithoutRecovery=True),
    )


@pytest.mark.parametrize(
    ("service", "make"),
    [
        ("lambda", a_function),
        ("lambda", a_code_signing_config),
        ("logs", a_log_group),
        ("ssm", a_parameter),
        ("iam", a_role),
        ("secretsmanager", a_secret),
    ],
)
def test_tags_of_a_resource(platform, household, name, service, make):
    operation, params, tag, delete = make(platform, household, name)
    try:
        user = household.client(service, household.user(name, allow("*", Condition=BLUE)))
        call = getattr(user, operation)
        assert not may(call, **params)
        tag()
        assert may(call, **params)
        household.let_user(name, allow("*"), deny("*", Condition=BLUE))
        assert not may(call, **params)
    finally:
        delete()


def test_a_function_is_invoked_by_whom_its_tags_let_in(
    household, platform, function, lambda_client, name
):
    deployed = function(ECHO, Tags={"team": "blue"})
    client = household.client("lambda", household.user(name, allow("lambda:*", Condition=BLUE)))
    call = {"FunctionName": deployed.name, "Payload": b"1"}
    assert may(client.invoke, **call)
    assert may(client.invoke, **call)
    lambda_client.tag_resource(Resource=deployed.arn, Tags={"team": "red"})
    assert not may(client.invoke, **call)


def test_calls_of_a_functions_code_say_whose_they_are(household, function, name):
    role = household.role(name, trust(LAMBDA))
    first, second = function(DOES, Role=role, Timeout=20), function(DOES, Role=role, Timeout=20)
    ours = {"ArnEquals": {"lambda:SourceFunctionArn": first.arn}}
    household.let_role(name, allow("lambda:GetAccountSettings", Condition=ours))
    assert first.invoke().json is None
    assert "no identity-based policy allows" in second.invoke().json
    # Who takes the role by other ways comes from no function.
    household.iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust({"AWS": ACCOUNT}))
    user = household.client("sts", household.user(name, allow("sts:*")))
    key = user.assume_role(RoleArn=role, RoleSessionName=first.name)["Credentials"]
    assert not may(household.client("lambda", key).get_account_settings)


def test_headers_of_the_request(household, name):
    client = household.client("iam", household.user(name))
    for key in ("aws:UserAgent", "aws:Referer"):
        like = {"StringLike": {key: "Alonzo-Tests *"}}
        household.let_user(name, allow("iam:GetUser", Condition=like))
        assert not may(client.get_user)
        header = {"aws:UserAgent": "User-Agent", "aws:Referer": "Referer"}[key]

        def send(request, header=header, **_):
            request.headers[header] = "Alonzo-Tests 1.0"

        client.meta.events.register("before-sign.iam.GetUser", send)
        assert may(client.get_user)
        client.meta.events.unregister("before-sign.iam.GetUser", send)


def test_a_mapping_is_for_whom_its_function_lets(
    household, function, lambda_client, name, eventually
):
    """The ARN of the mapping says nothing of the function."""
    deployed = function(ECHO, Role=f"arn:aws:iam::{ACCOUNT}:role/admin")
    mapping = lambda_client.create_event_source_mapping(
        FunctionName=deployed.name,
        Enabled=False,
        SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka:9092"]}},
        SourceAccessConfigurations=[
            {
                "Type": "SASL_SCRAM_512_AUTH",
                "URI": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:s-abcdef",
            }
        ],
        Topics=["topic"],
        StartingPosition="LATEST",
    )
    try:
        client = household.client("lambda", household.user(name))
        for arn, fits in ((deployed.arn, True), (f"{deployed.arn}2", False)):
            of_function = {"ArnEquals": {"lambda:FunctionArn": arn}}
            household.let_user(name, allow("lambda:*", Condition=of_function))
            assert may(client.get_event_source_mapping, UUID=mapping["UUID"]) is fits
        # Who may change the mappings of one function takes none from another, nor gives it one.
        other = function(ECHO, Role=f"arn:aws:iam::{ACCOUNT}:role/admin")
        asked = {"UUID": mapping["UUID"], "FunctionName": other.name}
        for arns in ([other.arn], [deployed.arn], [deployed.arn, other.arn]):
            of_functions = {"ArnEquals": {"lambda:FunctionArn": arns}}
            household.let_user(name, allow("lambda:*", Condition=of_functions))
            fits = len(arns) > 1
            assert may(client.update_event_source_mapping, **asked) is fits
    finally:
        eventually(
            lambda: (
                lambda_client.get_event_source_mapping(UUID=mapping["UUID"])["State"] == "Disabled"
            ),
            10,
        )
        lambda_client.delete_event_source_mapping(UUID=mapping["UUID"])


def test_who_gives_permissions_within_a_boundary_gives_them_to_nobody_without_it(household, name):
    """The pattern of the IAM user guide, permissions boundaries, delegating responsibility."""
    boundary = "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess"
    within = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    key = household.user(name, allow("iam:AttachRolePolicy", Condition=within))
    service = trust({"Service": "lambda.amazonaws.com"})
    household.role(f"{name}-in", service, PermissionsBoundary=boundary)
    household.role(f"{name}-out", service)
    iam = household.client("iam", key)
    for role, fits in ((f"{name}-in", True), (f"{name}-out", False)):
        policy = "arn:aws:iam::aws:policy/AdministratorAccess"
        assert may(iam.attach_role_policy, RoleName=role, PolicyArn=policy) is fits


def test_a_layer_is_used_by_whom_its_policy_lets_in(household, lambda_client, name):
    layer = lambda_client.publish_layer_version(
        LayerName=name, Content={"ZipFile": package({"python/a.py": "1"})}
    )
    version = {"LayerName": name, "VersionNumber": layer["Version"]}
    try:
        client = household.client("lambda", household.user(name))
        assert not may(client.get_layer_version, **version)
        lambda_client.add_layer_version_permission(
            **version, StatementId="all", Action="lambda:GetLayerVersion", Principal="*"
        )
        assert may(client.get_layer_version, **version)
        assert may(client.get_layer_version_by_arn, Arn=layer["LayerVersionArn"])
        household.let_user(name, deny("lambda:GetLayerVersion"))
        assert not may(client.get_layer_version, **version)
    finally:
        lambda_client.delete_layer_version(**version)


def test_a_key_is_used_by_way_of_a_service_only(household, platform, name):
    key = platform.client("kms").create_key()["KeyMetadata"]["KeyId"]
    parameter = {"Name": name, "WithDecryption": True}
    platform.client("ssm").put_parameter(
        Name=name, Value="v", Type="SecureString", KeyId=key, Overwrite=False
    )
    try:
        user = household.user(
            name,
            allow("ssm:GetParameter"),
            allow("kms:*", Condition={"StringEquals": {"aws:CalledViaFirst": "ssm.amazonaws.com"}}),
            deny("kms:*", Condition={"Bool": {"aws:ViaAWSService": "false"}}),
        )
        found = household.client("ssm", user).get_parameter(**parameter)
        assert found["Parameter"]["Value"] == "v"
        assert not may(household.client("kms", user).encrypt, KeyId=key, Plaintext=b"v")
    finally:
        platform.client("ssm").delete_parameter(Name=name)
