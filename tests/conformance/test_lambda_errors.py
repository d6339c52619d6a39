"""Every error that an operation of Lambda's documents: had from a platform, or accounted for.

The rows are in ``alonzo.testing.lambda_errors``; ``docs/lambda-errors.md`` shows them.
"""

import json

import botocore.config
import pytest
from botocore.exceptions import ClientError

from alonzo.control.functions import OPERATIONS
from alonzo.control.unsupported import INVOKE_OPERATIONS
from alonzo.testing.clients import botocore_session, make_client
from alonzo.testing.functions import ADMIN_ROLE, PYTHON_RUNTIME, deploy, package
from alonzo.testing.lambda_errors import ERRORS
from alonzo.testing.lambda_errors.apart import accounted
from alonzo.testing.lambda_errors.rows import QUEUE, REGION, ROLE, ZIP

IMPLEMENTED = {*OPERATIONS, *INVOKE_OPERATIONS}
MODEL = botocore_session().get_service_model("lambda")
QUICK = {"Delay": 0.02, "MaxAttempts": 500}
PROFILE = f"arn:aws:signer:{REGION}:000000000000:/signing-profiles/p/0123456789"


def settled(client, name):
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=QUICK)


@pytest.fixture(scope="module")
def client(platform):
    """It sends what it is given, and keeps the body of the last answer."""
    key_id, secret = platform.root_key()
    made = make_client(
        "lambda",
        REGION,
        endpoint_url=platform.endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=botocore.config.Config(
            parameter_validation=False, proxies={}, retries={"total_max_attempts": 1}
        ),
    )
    made.bodies = []
    made.meta.events.register(
        "response-received.lambda",
        lambda response_dict, **_: made.bodies.append(response_dict),
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(client, platform):
    """What ``alonzo.testing.lambda_errors`` says there is; answers what the placeholders mean."""
    platform.client("sqs", REGION).create_queue(QueueName="q")
    for name in ("errors", "other", "strict", "idle"):
        # The role may read the queue of a mapping.
        deploy(client, name, "def handler(event, context): return event", Role=ADMIN_ROLE)
    client.create_function(
        FunctionName="broken",
        Runtime=PYTHON_RUNTIME,
        Role=ROLE,
        Handler="handler.handler",
        Code={"ZipFile": ZIP},
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    )
    client.publish_version(FunctionName="errors")
    client.update_function_configuration(FunctionName="errors", Description="second")
    settled(client, "errors")
    client.publish_version(FunctionName="errors")
    client.create_alias(FunctionName="errors", Name="prod", FunctionVersion="1")
    client.put_function_concurrency(FunctionName="idle", ReservedConcurrentExecutions=0)
    client.add_permission(
        FunctionName="errors",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    for layer in ("errors", "bare"):
        client.publish_layer_version(LayerName=layer, Content={"ZipFile": package("x = 1")})
    client.add_layer_version_permission(
        LayerName="errors",
        VersionNumber=1,
        StatementId="s",
        Action="lambda:GetLayerVersion",
        Principal="*",
    )
    client.create_function_url_config(FunctionName="errors", AuthType="NONE")
    client.put_provisioned_concurrency_config(
        FunctionName="errors", Qualifier="prod", ProvisionedConcurrentExecutions=1
    )
    enforce = client.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": [PROFILE]},
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
    )["CodeSigningConfig"]["CodeSigningConfigArn"]
    client.put_function_code_signing_config(FunctionName="strict", CodeSigningConfigArn=enforce)
    mapping = client.create_event_source_mapping(
        FunctionName="errors", EventSourceArn=QUEUE, Enabled=False
    )["UUID"]
    yield {"@enforce@": enforce, "@uuid@": mapping}
    client.delete_event_source_mapping(UUID=mapping)
    for name in ("errors", "other", "strict", "idle", "broken"):
        client.delete_function(FunctionName=name)
    client.delete_code_signing_config(CodeSigningConfigArn=enforce)


def filled(value, world):
    """``value`` with the placeholders replaced."""
    if isinstance(value, str):
        for name, meant in world.items():
            value = value.replace(name, meant)
        return value
    if isinstance(value, dict):
        return {name: filled(each, world) for name, each in value.items()}
    return value


@pytest.mark.parametrize(
    ("operation", "row"),
    [
        pytest.param(operation, row, id=f"{operation}-{row.error}-{number}")
        for operation, rows in sorted(ERRORS.items())
        if operation in IMPLEMENTED
        for number, row in enumerate(rows)
    ],
)
def test_a_documented_error_has_the_status_the_key_and_the_text(client, world, operation, row):
    with pytest.raises(ClientError) as caught:
        client._make_api_call(operation, filled(dict(row.params), world))
    response = client.bodies[-1]
    client.bodies.clear()
    (shape,) = (
        each
        for each in MODEL.operation_model(operation).error_shapes
        if each.name == f"{row.error}Exception"
    )
    assert caught.value.response["Error"]["Code"] == shape.name, caught.value
    assert response["status_code"] == shape.metadata["error"]["httpStatusCode"]
    assert response["headers"]["x-amzn-errortype"] == shape.name
    body = json.loads(response["body"])
    (key,) = {"message", "Message"} & shape.members.keys()
    expected = filled(row.text, world)
    if expected.endswith("…"):
        assert body[key].startswith(expected[:-1])
    else:
        assert body[key] == expected
    assert body.get("Type") == "User"
    # Clients that are not made from the model look for the small one.
    assert body["message"] == body[key]


def test_every_error_of_every_operation_is_shown_or_accounted_for():
    modelled = {
        (operation, shape.name.removesuffix("Exception"))
        for operation in IMPLEMENTED
        for shape in MODEL.operation_model(operation).error_shapes
    }
    shown = {
        (operation, row.error)
        for operation, rows in ERRORS.items()
        if operation in IMPLEMENTED
        for row in rows
    }
    apart = {pair for pair in modelled if accounted(*pair) is not None}
    assert modelled - shown - apart == set()
    assert shown - modelled == set()
    assert shown & apart == set()
