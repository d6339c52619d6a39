"""Functions of one account, invoked from another."""

import json

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import allow, client_of, document, root_of
from alonzo.testing.functions import ADMIN_ROLE, PYTHON_RUNTIME, package
from alonzo.testing.roles import TRUST

THEIRS = "987654321098"
ECHO = "def handler(event, context): return event"


@pytest.fixture
def theirs(platform):
    """Makes clients with keys of another account; its root user's, or those of a user."""
    root = root_of(platform, THEIRS)
    clients = []

    def client(service, key=root):
        clients.append(client_of(platform, service, key))
        return clients[-1]

    yield client
    for each in clients:
        each.close()


def why_not(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    return caught.value.response["Error"]["Message"]


def test_a_function_is_invoked_from_another_account_if_both_allow_it(
    theirs, function, lambda_client
):
    ours = function(ECHO, Role=ADMIN_ROLE)
    call = {"FunctionName": ours.arn, "Payload": b"1"}
    root = theirs("lambda")
    assert "because no resource-based policy allows" in why_not(root.invoke, **call)
    iam = theirs("iam")
    iam.create_user(UserName="u")
    user = theirs("lambda", iam.create_access_key(UserName="u")["AccessKey"])
    iam.put_user_policy(
        UserName="u", PolicyName="p", PolicyDocument=document(allow("lambda:InvokeFunction"))
    )
    assert "because no resource-based policy allows" in why_not(user.invoke, **call)
    lambda_client.add_permission(
        FunctionName=ours.name, StatementId="in", Action="lambda:InvokeFunction", Principal=THEIRS
    )
    assert root.invoke(**call)["Payload"].read() == b"1"
    assert user.invoke(**call)["Payload"].read() == b"1"
    assert user.invoke(**call, InvocationType="Event")["StatusCode"] == 202
    partial = f"{ours.arn.split(':')[4]}:function:{ours.name}"
    assert user.invoke(FunctionName=partial, Payload=b"2")["Payload"].read() == b"2"
    events = user.invoke_with_response_stream(FunctionName=ours.arn, Payload=b"3")["EventStream"]
    pieces = [each["PayloadChunk"]["Payload"] for each in events if "PayloadChunk" in each]
    assert json.loads(b"".join(pieces)) == 3
    # The policy lets nobody do anything else, and another function of ours not at all.
    why_not(user.get_function, FunctionName=ours.arn)
    why_not(root.invoke, FunctionName=f"{ours.arn}-2", Payload=b"1")
    iam.delete_user_policy(UserName="u", PolicyName="p")
    assert "because no identity-based policy allows" in why_not(user.invoke, **call)


def test_a_layer_is_used_from_another_account_if_its_policy_allows_it(
    theirs, lambda_client, function_name
):
    name = function_name[-40:]
    content = {"ZipFile": package({"python/a.py": "1"})}
    layer = lambda_client.publish_layer_version(LayerName=name, Content=content)
    version = {"LayerName": name, "VersionNumber": layer["Version"]}
    role = theirs("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    client = theirs("lambda")
    given = {
        "FunctionName": name,
        "Runtime": PYTHON_RUNTIME,
        "Role": role,
        "Handler": "handler.handler",
        "Code": {"ZipFile": package(ECHO)},
        "Layers": [layer["LayerVersionArn"]],
    }
    try:
        why_not(client.get_layer_version_by_arn, Arn=layer["LayerVersionArn"])
        assert "lambda:GetLayerVersion" in why_not(client.create_function, **given)
        lambda_client.add_layer_version_permission(
            **version, StatementId="in", Action="lambda:GetLayerVersion", Principal=THEIRS
        )
        client.get_layer_version_by_arn(Arn=layer["LayerVersionArn"])
        made = client.create_function(**given)
        assert [each["Arn"] for each in made["Layers"]] == given["Layers"]
        client.delete_function(FunctionName=name)
        # They may use it and not change it.
        why_not(client.delete_layer_version, LayerName=layer["LayerArn"], VersionNumber=1)
    finally:
        lambda_client.delete_layer_version(**version)
