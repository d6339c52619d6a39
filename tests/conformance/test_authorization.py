"""Who may do what: users, roles and sessions against a running platform."""

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, deny, document, trust
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import PYTHON_RUNTIME, ROLE, DeployedFunction, deploy, package

LAMBDA = trust({"Service": "lambda.amazonaws.com"})
ECHO = "def handler(event, context): return event"
#: Does with boto3 what it is told, and answers the error if there is one.
DOES = """
import boto3
def handler(event, context):
    client = boto3.client(event["service"])
    try:
        getattr(client, event["operation"])(**event.get("parameters", {}))
    except Exception as error:
        return str(error)
"""


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response
    return (
        error["ResponseMetadata"]["HTTPStatusCode"],
        error["Error"]["Code"],
        error["Error"]["Message"],
    )


def denied(who, action, resource, why=None):
    why = why or f"because no identity-based policy allows the {action} action"
    on = f" on resource: {resource}" if resource else ""
    return f"User: {who} is not authorized to perform: {action}{on} {why}"


def user_arn(name):
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


#: service, operation, parameters, action, resource (with the name of the user as {user}).
READS = [
    ("lambda", "list_functions", {}, "lambda:ListFunctions", "*"),
    (
        "lambda",
        "get_function",
        {"FunctionName": "none"},
        "lambda:GetFunction",
        f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:none",
    ),
    (
        "lambda",
        "get_layer_version",
        {"LayerName": "l", "VersionNumber": 1},
        "lambda:GetLayerVersion",
        f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:l:1",
    ),
    (
        "lambda",
        "invoke",
        {"FunctionName": "none", "Qualifier": "live"},
        "lambda:InvokeFunction",
        f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:none:live",
    ),
    (
        "logs",
        "describe_log_streams",
        {"logGroupName": "none"},
        "logs:DescribeLogStreams",
        f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:none:log-stream:",
    ),
    ("cloudwatch", "list_metrics", {}, "cloudwatch:ListMetrics", "*"),
    ("iam", "list_users", {}, "iam:ListUsers", "*"),
    ("iam", "get_user", {}, "iam:GetUser", "arn:aws:iam::000000000000:user/{user}"),
    (
        "iam",
        "get_role",
        {"RoleName": "none"},
        "iam:GetRole",
        f"arn:aws:iam::{ACCOUNT}:role/none",
    ),
    (
        "sts",
        "get_access_key_info",
        {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"},
        "sts:GetAccessKeyInfo",
        "*",
    ),
    # In a refusal these two spell actions their own way, and this one names no resource.
    (
        "sqs",
        "create_queue",
        {"QueueName": "q.none"},
        "sqs:createqueue",
        f"arn:aws:sqs:us-east-1:{ACCOUNT}:q.none",
    ),
    (
        "sns",
        "get_topic_attributes",
        {"TopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:none"},
        "SNS:GetTopicAttributes",
        f"arn:aws:sns:us-east-1:{ACCOUNT}:none",
    ),
    ("secretsmanager", "list_secrets", {}, "secretsmanager:ListSecrets", ""),
]


@pytest.mark.parametrize(("service", "operation", "params", "action", "resource"), READS)
def test_nobody_passes_without_an_allow_nor_with_a_deny(
    household, function_name, service, operation, params, action, resource
):
    name = function_name[-40:]
    call = getattr(household.client(service, household.user(name)), operation)
    resource = resource.format(user=name)
    arn = user_arn(name)
    status = 400 if service in ("logs", "secretsmanager") else 403
    code = "AccessDeniedException" if status == 400 or service == "lambda" else "AccessDenied"
    code = "AuthorizationError" if service == "sns" else code
    assert refusal(call, **params) == (status, code, denied(arn, action, resource))
    household.let_user(name, allow(action, on=resource or "*"), deny(action, on=resource or "*"))
    why = "with an explicit deny in an identity-based policy"
    assert refusal(call, **params) == (status, code, denied(arn, action, resource, why))
    household.let_user(name, allow(action, on=resource or "*"))
    try:
        status = call(**params)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    # Allowed, and perhaps then not found.
    assert status in (200, 400, 404)


def test_get_caller_identity_needs_no_permission(household, function_name):
    name = function_name[-40:]
    sts = household.client("sts", household.user(name, deny("*")))
    assert sts.get_caller_identity()["Arn"] == user_arn(name)


def test_a_function_may_do_what_its_role_may(household, function, function_name):
    name = function_name[-40:]
    role = household.role(name, LAMBDA)
    deployed = function(DOES, Role=role, Timeout=20)
    listing = {"service": "lambda", "operation": "list_functions"}
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{deployed.name}"
    assert denied(session, "lambda:ListFunctions", "*") in deployed.invoke(listing).json
    household.let_role(name, allow("lambda:ListFunctions"))
    assert deployed.invoke(listing).json is None
    household.let_role(name, allow("lambda:GetFunction"))
    assert denied(session, "lambda:ListFunctions", "*") in deployed.invoke(listing).json
    household.iam.delete_role_policy(RoleName=name, PolicyName="own")
    household.iam.delete_role(RoleName=name)
    assert "security token included in the request is invalid" in deployed.invoke(listing).json
    # Nor does a role that never was take its place.
    household.role(name, LAMBDA)
    assert "security token included in the request is invalid" in deployed.invoke(listing).json


def test_a_function_gets_at_its_own_and_at_nothing_of_another(
    platform, household, function, function_name
):
    name = function_name[-30:]
    sqs, secrets = platform.client("sqs"), platform.client("secretsmanager")
    used, deployed, kept = {}, {}, []
    try:
        for who in ("a", "b"):
            queue = sqs.create_queue(QueueName=f"{name}-{who}")["QueueUrl"]
            kept.append((sqs.delete_queue, {"QueueUrl": queue}))
            secret = secrets.create_secret(Name=f"{name}-{who}", SecretString="s")["ARN"]
            forced = {"SecretId": secret, "ForceDeleteWithoutRecovery": True}
            kept.append((secrets.delete_secret, forced))
            role = household.role(f"{name}-{who}", LAMBDA)
            deployed[who] = function(DOES, Role=role, Timeout=20)
            household.let_role(
                f"{name}-{who}",
                allow("sqs:SendMessage", on=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}-{who}"),
                allow("secretsmanager:GetSecretValue", on=secret),
                allow("lambda:GetFunction", on=deployed[who].arn),
            )
            used[who] = [
                ("sqs", "send_message", {"QueueUrl": queue, "MessageBody": "m"}),
                ("secretsmanager", "get_secret_value", {"SecretId": secret}),
                ("lambda", "get_function", {"FunctionName": deployed[who].name}),
            ]
        for service, operation, parameters in [*used["a"], *used["b"]]:
            event = {"service": service, "operation": operation, "parameters": parameters}
            refused = deployed["a"].invoke(event).json
            if (service, operation, parameters) in used["a"]:
                assert refused is None
            else:
                assert "because no identity-based policy allows" in refused
    finally:
        for delete, params in kept:
            delete(**params)


def test_a_new_environment_of_a_deleted_role_may_nothing(
    household, function, lambda_client, function_name
):
    name = function_name[-40:]
    deployed = function(DOES, Role=household.role(name, LAMBDA), Timeout=20)
    household.iam.delete_role(RoleName=name)
    lambda_client.update_function_configuration(
        FunctionName=deployed.name, Environment={"Variables": {"NEW": "1"}}
    )
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName=deployed.name)
    listing = {"service": "lambda", "operation": "list_functions"}
    assert "security token included in the request is invalid" in deployed.invoke(listing).json
    # A role of that name is another one, whose credentials later environments get.
    household.role(name, LAMBDA, allow("lambda:ListFunctions"))
    lambda_client.update_function_configuration(
        FunctionName=deployed.name, Environment={"Variables": {"NEW": "2"}}
    )
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName=deployed.name)
    assert deployed.invoke(listing).json is None


def test_lambda_takes_no_role_that_does_not_let_it_in(household, lambda_client, function_name):
    name = function_name[-40:]
    role = household.role(name, trust({"Service": "ec2.amazonaws.com"}))
    given = {
        "FunctionName": name,
        "Runtime": PYTHON_RUNTIME,
        "Role": role,
        "Handler": "index.handler",
        "Code": {"ZipFile": package(ECHO)},
    }
    text = "The role defined for the function cannot be assumed by Lambda."
    assert refusal(lambda_client.create_function, **given) == (
        400,
        "InvalidParameterValueException",
        text,
    )


def test_lambda_takes_no_role_of_another_account(lambda_client, function_name):
    given = {
        "FunctionName": function_name,
        "Runtime": PYTHON_RUNTIME,
        "Role": "arn:aws:iam::999999999999:role/theirs",
        "Handler": "index.handler",
        "Code": {"ZipFile": package(ECHO)},
    }
    assert refusal(lambda_client.create_function, **given) == (
        403,
        "AccessDeniedException",
        "Cross-account pass role is not allowed.",
    )


def test_a_role_is_passed_by_whom_may_pass_it(household, function_name):
    name = function_name[-40:]
    role = household.role(f"{name}-r", LAMBDA)
    function_arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    create = allow("lambda:CreateFunction", on=function_arn)
    client = household.client("lambda", household.user(name, create))
    given = {
        "FunctionName": name,
        "Runtime": PYTHON_RUNTIME,
        "Role": role,
        "Handler": "index.handler",
        "Code": {"ZipFile": package(ECHO)},
    }
    text = denied(user_arn(name), "iam:PassRole", role)
    assert refusal(client.create_function, **given)[2] == text
    to_others = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    household.let_user(name, create, allow("iam:PassRole", on=role, Condition=to_others))
    assert refusal(client.create_function, **given)[2] == text
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    household.let_user(
        name,
        create,
        allow("lambda:DeleteFunction", on=function_arn),
        allow("iam:PassRole", on="*", Condition=to_lambda),
    )
    unknown = {**given, "Role": f"arn:aws:iam::{ACCOUNT}:role/never-made"}
    assert refusal(client.create_function, **unknown)[1] == "InvalidParameterValueException"
    layered = {**given, "Layers": [f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:l:1"]}
    assert "lambda:GetLayerVersion" in refusal(client.create_function, **layered)[2]
    tagged = {**given, "Tags": {"a": "b"}}
    assert "lambda:TagResource" in refusal(client.create_function, **tagged)[2]
    assert client.create_function(**given)["Role"] == role
    client.delete_function(FunctionName=name)


def test_the_policy_of_a_function_lets_a_user_in(household, function, lambda_client, function_name):
    name = function_name[-40:]
    deployed = function(ECHO)
    client = household.client("lambda", household.user(name))
    call = {"FunctionName": deployed.name, "Payload": b"1"}
    assert refusal(client.invoke, **call)[1] == "AccessDeniedException"
    lambda_client.add_permission(
        FunctionName=deployed.name,
        StatementId="in",
        Action="lambda:InvokeFunction",
        Principal=user_arn(name),
    )
    assert client.invoke(**call)["Payload"].read() == b"1"
    household.let_user(name, deny("lambda:InvokeFunction"))
    assert "explicit deny in an identity-based policy" in refusal(client.invoke, **call)[2]
    household.iam.delete_user_policy(UserName=name, PolicyName="own")
    assert client.invoke(**call)["Payload"].read() == b"1"
    lambda_client.remove_permission(FunctionName=deployed.name, StatementId="in")
    assert refusal(client.invoke, **call)[1] == "AccessDeniedException"


def test_a_permissions_boundary_takes_away(household, function_name):
    name = function_name[-40:]
    client = household.client("lambda", household.user(name, allow("lambda:*")))
    client.list_functions()
    limit = household.iam.create_policy(
        PolicyName=name, PolicyDocument=document(allow("lambda:GetFunction"))
    )["Policy"]["Arn"]
    household.iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=limit)
    why = "because no permissions boundary allows the lambda:ListFunctions action"
    assert refusal(client.list_functions)[2].endswith(why)
    version = household.iam.create_policy_version(
        PolicyArn=limit, PolicyDocument=document(allow("lambda:List*")), SetAsDefault=True
    )
    client.list_functions()
    household.iam.set_default_policy_version(PolicyArn=limit, VersionId="v1")
    assert refusal(client.list_functions)[2].endswith(why)
    household.iam.delete_user_permissions_boundary(UserName=name)
    client.list_functions()
    household.iam.delete_policy_version(
        PolicyArn=limit, VersionId=version["PolicyVersion"]["VersionId"]
    )
    household.iam.delete_policy(PolicyArn=limit)


def test_a_group_gives_to_its_members(household, function_name):
    name = function_name[-40:]
    client = household.client("iam", household.user(name))
    household.iam.create_group(GroupName=name)
    household.iam.put_group_policy(
        GroupName=name, PolicyName="p", PolicyDocument=document(allow("iam:ListUsers"))
    )
    assert refusal(client.list_users)[1] == "AccessDenied"
    household.iam.add_user_to_group(GroupName=name, UserName=name)
    client.list_users()
    household.iam.delete_group_policy(GroupName=name, PolicyName="p")
    assert refusal(client.list_users)[1] == "AccessDenied"
    household.iam.remove_user_from_group(GroupName=name, UserName=name)
    household.iam.delete_group(GroupName=name)


def test_conditions_see_the_request(household, function_name):
    name = function_name[-40:]
    client = household.client("iam", household.user(name))
    own = "arn:aws:iam::*:user/${aws:username}"
    here = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    elsewhere = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
    household.let_user(name, allow("iam:GetUser", on=own, Condition=elsewhere))
    assert refusal(client.get_user)[1] == "AccessDenied"
    household.let_user(name, allow("iam:GetUser", on=own, Condition=here))
    assert client.get_user()["User"]["UserName"] == name
    tagged = {"StringEquals": {"aws:PrincipalTag/team": "blue"}}
    household.let_user(name, allow("iam:GetUser", on=own, Condition=tagged))
    assert refusal(client.get_user)[1] == "AccessDenied"
    household.iam.tag_user(UserName=name, Tags=[{"Key": "Team", "Value": "blue"}])
    assert client.get_user()["User"]["UserName"] == name


def test_soft_mode_refuses_nobody_and_says_what_it_would(own_platform, eventually):
    platform = own_platform("--iam", "soft")
    household = Household(platform)
    household.client("lambda", household.user("u")).list_functions()
    eventually(lambda: "iam.would_refuse" in platform.log, 5)
    assert "lambda:ListFunctions" in platform.log
    role = household.role("r", trust({"Service": "lambda.amazonaws.com"}))
    sts = household.client("sts", household.user("v"))
    sts.assume_role(RoleArn=role, RoleSessionName="session")
    with pytest.raises(ClientError, match="AccessDenied"):
        sts.assume_role(RoleArn=f"{role}-never-made", RoleSessionName="session")
    eventually(lambda: "sts:AssumeRole" in platform.log, 5)


def test_a_function_of_older_days_keeps_its_role_and_may_nothing_until_it_is_made(own_platform):
    soft = own_platform("--iam", "soft")
    never_made = f"arn:aws:iam::{ACCOUNT}:role/never-made"
    listing = {"service": "lambda", "operation": "list_functions"}
    deployed = deploy(soft.client("lambda"), "f", DOES, Role=never_made, Timeout=20)
    assert deployed.invoke(listing).json is None
    soft.stop()
    strict = DaemonProcess(soft.data_dir)
    strict.start()
    try:
        deployed = DeployedFunction(strict.client("lambda"), deployed.name, deployed.arn)
        assert "no identity-based policy allows" in deployed.invoke(listing).json
        Household(strict).role("never-made", LAMBDA, allow("lambda:ListFunctions"))
        assert deployed.invoke(listing).json is None
    finally:
        strict.stop()


def test_not_even_the_root_user_may_give_a_function_a_role_that_is_none(function, lambda_client):
    given = {
        "Runtime": PYTHON_RUNTIME,
        "Role": f"arn:aws:iam::{ACCOUNT}:role/never-made",
        "Handler": "index.handler",
        "Code": {"ZipFile": package(ECHO)},
    }
    expected = (
        400,
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    )
    assert refusal(lambda_client.create_function, FunctionName="f", **given) == expected
    name = function(ECHO).name
    update = {"FunctionName": name, "Role": given["Role"]}
    assert refusal(lambda_client.update_function_configuration, **update) == expected
    assert lambda_client.get_function(FunctionName=name)["Configuration"]["Role"] == ROLE


def test_keys_and_roles_show_when_they_were_last_used(own_platform):
    platform = own_platform()
    household = Household(platform)
    key = household.user("u", allow("lambda:ListFunctions"))
    role = household.role("r", trust({"AWS": user_arn("u")}), allow("logs:*"))
    household.client("lambda", key, "eu-west-1").list_functions()
    session = household.client("sts", key).assume_role(RoleArn=role, RoleSessionName="session")
    household.client("logs", session["Credentials"]).describe_log_groups()
    household.client("lambda", key, "eu-west-1").list_functions()
    # A platform that ends in peace writes down what it noted.
    platform.stop()
    platform.start()
    iam = platform.client("iam")
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
    assert (used["ServiceName"], used["Region"]) == ("lambda", "eu-west-1")
    assert iam.get_role(RoleName="r")["Role"]["RoleLastUsed"]["Region"] == "us-east-1"


@pytest.mark.nightly
def test_identities_survive_a_kill(own_platform):
    platform = own_platform()
    household = Household(platform)
    key = household.user("u", allow("lambda:ListFunctions"))
    role = household.role("r", trust({"AWS": user_arn("u")}), allow("lambda:*"))
    session = household.client("sts", key).assume_role(RoleArn=role, RoleSessionName="session")
    platform.kill()
    platform.start()
    again = Household(platform)
    again.client("lambda", key).list_functions()
    again.client("lambda", session["Credentials"]).list_functions()
    assert refusal(again.client("iam", key).list_users)[1] == "AccessDenied"
    again.iam.delete_role_policy(RoleName="r", PolicyName="own")
    again.iam.delete_role(RoleName="r")
    platform.kill()
    platform.start()
    stolen = Household(platform).client("lambda", session["Credentials"])
    assert refusal(stolen.list_functions)[1] == "UnrecognizedClientException"
