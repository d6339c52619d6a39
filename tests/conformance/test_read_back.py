"""What is set reads back equal, and an empty update changes nothing: what Terraform relies on.

Each step sets every member of an operation that there is something to choose for, to a value that
is not its default; a test compares the steps with the service model, so none can be forgotten.
"""

import pytest

from alonzo.control.functions import OPERATIONS
from alonzo.testing.clients import botocore_session
from alonzo.testing.functions import ADMIN_ROLE, PYTHON_RUNTIME, deploy, package

REGION = "ap-south-2"
ACCOUNT = "000000000000"
MODEL = botocore_session().get_service_model("lambda")
QUICK = {"Delay": 0.02, "MaxAttempts": 500}
PREFIX = f"arn:aws:lambda:{REGION}:{ACCOUNT}:"
ARN = f"{PREFIX}function:set"
ECHO = "def handler(event, context): return event"
NAME = {"FunctionName": "set"}
PROFILE = f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/p/0123456789"
VPC = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "Ipv6AllowedForDualStack": True}
FILES = [
    {
        "Arn": f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-{'0' * 17}",
        "LocalMountPath": "/mnt/f",
    }
]
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"
FILTERS = {"Filters": [{"Pattern": '{"a":[1]}'}]}

#: What says which resource is meant, which revision, or in what way; nothing of it reads back.
WAYS = {
    "FunctionName", "Name", "UUID", "LayerName", "CodeSigningConfigArn", "Resource", "ResourceArn",
    "Qualifier", "RevisionId", "Publish", "DryRun", "Content", "Code", "ZipFile", "S3Bucket",
    "S3Key", "S3ObjectVersion", "S3ObjectStorageMode", "CodeSha256", "EventSourceArn",
}  # fmt: skip
#: Refused by name where something is asked for; ``test_rules.py`` has each.
DECLINED = {
    "PublishTo", "PackageType", "DeadLetterConfig", "ImageConfig", "CapacityProviderConfig",
    "DurableConfig", "RuntimeConfig", "AcceleratorConfig", "ImageUri",
}  # fmt: skip

FUNCTION = {
    "Runtime": PYTHON_RUNTIME,
    "Role": ADMIN_ROLE,
    "Handler": "handler.other",
    "Description": "all of it",
    "Timeout": 17,
    "MemorySize": 512,
    "Environment": {"Variables": {"AA": "1", "BB": ""}},
    "EphemeralStorage": {"Size": 1024},
    "LoggingConfig": {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "WARN",
        "SystemLogLevel": "DEBUG",
        "LogGroup": "/mine/set",
    },
    "TracingConfig": {"Mode": "Active"},
    "SnapStart": {"ApplyOn": "None"},
    "VpcConfig": VPC,
    "FileSystemConfigs": FILES,
    "KMSKeyArn": "the fixture makes one",
    "Layers": [f"{PREFIX}layer:set:1"],
}
QUEUE_MAPPING = {
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 7,
    "FilterCriteria": FILTERS,
    "ScalingConfig": {"MaximumConcurrency": 5},
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "MetricsConfig": {"Metrics": ["EventCount"]},
}
STREAM_MAPPING = {
    "BatchSize": 50,
    "MaximumBatchingWindowInSeconds": 3,
    "FilterCriteria": FILTERS,
    "ParallelizationFactor": 2,
    "DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:f"}},
    "MaximumRecordAgeInSeconds": 3600,
    "BisectBatchOnFunctionError": True,
    "MaximumRetryAttempts": 4,
    "TumblingWindowInSeconds": 30,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
}
EVENTS = {
    "MaximumRetryAttempts": 1,
    "MaximumEventAgeInSeconds": 120,
    "DestinationConfig": {
        "OnSuccess": {"Destination": f"{PREFIX}function:target"},
        "OnFailure": {"Destination": f"{PREFIX}function:target:$LATEST"},
    },
}
SIGNING = {
    "Description": "signed",
    "AllowedPublishers": {"SigningProfileVersionArns": [PROFILE]},
    "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Enforce"},
}
CORS = {
    "AllowCredentials": True,
    "AllowHeaders": ["x-a"],
    "AllowMethods": ["GET", "PUT"],
    "AllowOrigins": ["https://a.example"],
    "ExposeHeaders": ["x-b"],
    "MaxAge": 60,
}
URL = {"AuthType": "AWS_IAM", "Cors": CORS, "InvokeMode": "RESPONSE_STREAM"}
ALIAS = {
    "FunctionVersion": "2",
    "Description": "both",
    "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.25}},
}
LAYER = {
    "Description": "things",
    "CompatibleArchitectures": ["arm64", "x86_64"],
    "CompatibleRuntimes": [PYTHON_RUNTIME, "nodejs22.x"],
    "LicenseInfo": "MIT",
}
TAGS = {"a": "1", "b": ""}

#: The members that each operation's step sets, or why there is nothing to set.
SET = {
    "CreateFunction": {*FUNCTION, "Tags", "Architectures", "TenancyConfig"},
    "UpdateFunctionConfiguration": set(FUNCTION),
    # ``test_code_at_rest.py`` reads back the second.
    "UpdateFunctionCode": {"Architectures", "SourceKMSKeyArn"},
    "PublishVersion": {"Description"},
    "CreateAlias": set(ALIAS),
    "UpdateAlias": set(ALIAS),
    "PublishLayerVersion": set(LAYER),
    "CreateEventSourceMapping": {
        *QUEUE_MAPPING, *STREAM_MAPPING, "Enabled", "Tags", "StartingPosition",
        "StartingPositionTimestamp",
    },
    "UpdateEventSourceMapping": {*QUEUE_MAPPING, *STREAM_MAPPING, "Enabled"},
    "PutFunctionEventInvokeConfig": set(EVENTS),
    "UpdateFunctionEventInvokeConfig": set(EVENTS),
    "CreateCodeSigningConfig": {*SIGNING, "Tags"},
    "UpdateCodeSigningConfig": set(SIGNING),
    "PutFunctionCodeSigningConfig": set(),
    "PutFunctionConcurrency": {"ReservedConcurrentExecutions"},
    "PutFunctionRecursionConfig": {"RecursiveLoop"},
    "PutRuntimeManagementConfig": {"UpdateRuntimeOn", "RuntimeVersionArn"},
    "PutResourcePolicy": {"Policy"},
    "CreateFunctionUrlConfig": set(URL),
    "UpdateFunctionUrlConfig": set(URL),
    "PutProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions"},
}  # fmt: skip
#: Sources of these kinds have steps of their own: ``test_every_member_of_every_kind_reads_back``.
OTHER_KINDS = {
    "KMSKeyArn", "LoggingConfig", "Topics", "Queues", "SourceAccessConfigurations",
    "SelfManagedEventSource", "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig", "DocumentDBEventSourceConfig", "ProvisionedPollerConfig",
}  # fmt: skip


def test_no_member_is_forgotten():
    writing = ("Create", "Put", "Publish", "Update")
    for operation in OPERATIONS:
        if operation.startswith(writing):
            left = MODEL.operation_model(operation).input_shape.members.keys()
            left = left - SET[operation] - WAYS - DECLINED
            if "EventSourceMapping" in operation:
                left -= OTHER_KINDS
            assert not left, (operation, left)


#: What AWS was recorded to answer where the model says something else.
ODD_STATUSES = {"DeleteFunction": 204}


def check_status(http_response, model, **_):
    """Every answer of this module has its operation's status."""
    if http_response.status_code < 400:
        expected = ODD_STATUSES.get(model.name, model.http.get("responseCode", 200))
        assert http_response.status_code == expected, model.name


@pytest.fixture(scope="module")
def client(platform):
    made = platform.client("lambda", REGION)
    platform.client("sqs", REGION).create_queue(QueueName="q")
    FUNCTION["KMSKeyArn"] = platform.client("kms", REGION).create_key()["KeyMetadata"]["Arn"]
    made.meta.events.register("after-call.lambda", check_status)
    made.publish_layer_version(LayerName="set", Content={"ZipFile": package("x = 1")})
    for name in ("target", "plain"):
        deploy(made, name, ECHO, Role=ADMIN_ROLE)
    for _ in range(2):
        made.publish_version(FunctionName="plain")
        made.update_function_configuration(FunctionName="plain", Description="second")
        settled(made, "plain")
    yield made
    for name in ("target", "plain"):
        made.delete_function(FunctionName=name)


def settled(client, name):
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=QUICK)


def asked(document, wanted):
    """Of what is shown, the members that were asked for; layers as they are asked for."""
    found = {member: document.get(member) for member in wanted}
    if "Layers" in found:
        found["Layers"] = [layer["Arn"] for layer in found["Layers"] or ()]
    for member, extra in (("VpcConfig", "VpcId"), ("SnapStart", "OptimizationStatus")):
        if member in found:
            found[member] = {k: v for k, v in found[member].items() if k != extra}
    return found


CHANGES = {"RevisionId", "LastModified", "LastModifiedTime", "ResponseMetadata"}


def lasting(document):
    """What an empty update may not change."""
    return {name: value for name, value in document.items() if name not in CHANGES}


def test_a_function(client):
    created = client.create_function(
        **NAME, Code={"ZipFile": package(ECHO)}, **FUNCTION, Tags=TAGS, Publish=False
    )
    assert asked(created, FUNCTION) == FUNCTION
    shown = client.get_function(**NAME)
    assert asked(shown["Configuration"], FUNCTION) == FUNCTION
    assert shown["Tags"] == TAGS
    client.delete_function(**NAME)


def test_a_function_that_keeps_tenants_apart(client):
    host = client.get_function_configuration(FunctionName="plain")["Architectures"]
    tenancy = {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}, "Architectures": host}
    deploy(client, "set", ECHO, **tenancy)
    assert asked(client.get_function_configuration(**NAME), tenancy) == tenancy
    client.update_function_code(**NAME, ZipFile=package("x = 1"), Architectures=host)
    settled(client, "set")
    client.update_function_configuration(**NAME)
    settled(client, "set")
    assert asked(client.get_function_configuration(**NAME), tenancy) == tenancy
    client.delete_function(**NAME)


def test_an_update_of_a_function(client):
    deploy(client, "set", ECHO)
    # What cannot be had here would fail the update, and is shown all the same: the test above.
    here = {
        member: value
        for member, value in FUNCTION.items()
        if member not in ("VpcConfig", "FileSystemConfigs")
    }
    client.update_function_configuration(**NAME, **here)
    settled(client, "set")
    before = client.get_function_configuration(**NAME)
    assert asked(before, here) == here
    for empty in ({}, here):
        accepted = client.update_function_configuration(**NAME, **empty)
        settled(client, "set")
        after = client.get_function_configuration(**NAME)
        assert lasting(after) == lasting(before)
        # Recorded: once when it is accepted, and again when it is done.
        assert len({each["RevisionId"] for each in (before, accepted, after)}) == 3
    version = client.publish_version(**NAME, Description="of the version")
    assert version["Description"] == "of the version"
    shown = client.get_function_configuration(**NAME, Qualifier="1")
    assert asked(shown, here) == {**here, "Description": "of the version"}
    client.delete_function(**NAME)


def test_an_alias(client):
    name = {"FunctionName": "plain", "Name": "a"}
    client.create_alias(**name, **ALIAS)
    before = client.get_alias(**name)
    assert asked(before, ALIAS) == ALIAS
    client.update_alias(**name)
    assert lasting(client.get_alias(**name)) == lasting(before)
    other = {"FunctionVersion": "1", "Description": "one", "RoutingConfig": {
        "AdditionalVersionWeights": {"2": 1.0}}}  # fmt: skip
    client.update_alias(**name, **other)
    assert asked(client.get_alias(**name), other) == other
    client.delete_alias(**name)


def test_a_layer(client):
    client.publish_layer_version(LayerName="all", Content={"ZipFile": package("y = 1")}, **LAYER)
    shown = client.get_layer_version(LayerName="all", VersionNumber=1)
    assert asked(shown, LAYER) == LAYER
    listed = client.list_layer_versions(LayerName="all")["LayerVersions"][0]
    assert asked(listed, LAYER) == LAYER


@pytest.mark.parametrize(
    ("source", "settings", "first"),
    [
        (f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", QUEUE_MAPPING, {}),
        (STREAM, STREAM_MAPPING, {"StartingPosition": "TRIM_HORIZON"}),
        (
            f"{STREAM}2",
            STREAM_MAPPING,
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1_700_000_000},
        ),
    ],
)
def test_an_event_source_mapping(client, eventually, source, settings, first):
    def state(wanted):
        shown = client.get_event_source_mapping(**mapping)
        return shown if shown["State"] == wanted else None

    made = client.create_event_source_mapping(
        FunctionName="plain", EventSourceArn=source, Enabled=False, Tags=TAGS, **settings, **first
    )
    mapping = {"UUID": made["UUID"]}
    before = eventually(lambda: state("Disabled"), 10)
    if "StartingPositionTimestamp" in first:
        assert before["StartingPositionTimestamp"].timestamp() == 1_700_000_000
        before["StartingPositionTimestamp"] = 1_700_000_000
    assert asked(before, {**settings, **first}) == {**settings, **first}
    assert client.list_tags(Resource=made["EventSourceMappingArn"])["Tags"] == TAGS
    for empty in ({}, settings):
        client.update_event_source_mapping(**mapping, **empty)
        after = eventually(lambda: state("Disabled"), 10)
        assert asked(after, settings) == settings
        ignored = CHANGES | {"StartingPositionTimestamp"}
        assert {k: v for k, v in after.items() if k not in ignored} == {
            k: v for k, v in before.items() if k not in ignored
        }
    client.update_event_source_mapping(**mapping, Enabled=True, FunctionName="target")
    after = eventually(lambda: state("Enabled"), 10)
    assert after["FunctionArn"] == f"{PREFIX}function:target"
    assert asked(after, settings) == settings
    client.delete_event_source_mapping(**mapping)


def test_what_becomes_of_events(client):
    name = {"FunctionName": "plain", "Qualifier": "1"}
    client.put_function_event_invoke_config(**name, **EVENTS)
    before = client.get_function_event_invoke_config(**name)
    assert asked(before, EVENTS) == EVENTS
    client.update_function_event_invoke_config(**name, **EVENTS)
    assert lasting(client.get_function_event_invoke_config(**name)) == lasting(before)
    client.delete_function_event_invoke_config(**name)


def test_a_code_signing_config(client):
    made = client.create_code_signing_config(**SIGNING, Tags=TAGS)["CodeSigningConfig"]
    config = {"CodeSigningConfigArn": made["CodeSigningConfigArn"]}
    before = client.get_code_signing_config(**config)["CodeSigningConfig"]
    assert asked(before, SIGNING) == SIGNING
    assert client.list_tags(Resource=made["CodeSigningConfigArn"])["Tags"] == TAGS
    for empty in ({}, SIGNING):
        client.update_code_signing_config(**config, **empty)
        after = client.get_code_signing_config(**config)["CodeSigningConfig"]
        assert lasting(after) == lasting(before)
    attached = {"FunctionName": "plain", **config}
    client.put_function_code_signing_config(**attached)
    shown = client.get_function_code_signing_config(FunctionName="plain")
    assert asked(shown, attached) == attached
    client.delete_function_code_signing_config(FunctionName="plain")
    client.delete_code_signing_config(**config)


def test_settings_of_functions_as_a_whole(client):
    name = {"FunctionName": "plain"}
    client.put_function_concurrency(**name, ReservedConcurrentExecutions=7)
    assert client.get_function_concurrency(**name)["ReservedConcurrentExecutions"] == 7
    client.delete_function_concurrency(**name)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(**name)
    client.put_function_recursion_config(**name, RecursiveLoop="Allow")
    assert client.get_function_recursion_config(**name)["RecursiveLoop"] == "Allow"
    build = client.get_function_configuration(**name)["RuntimeVersionConfig"]["RuntimeVersionArn"]
    for config in (
        {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": build},
        {"UpdateRuntimeOn": "FunctionUpdate"},
    ):
        client.put_runtime_management_config(**name, Qualifier="1", **config)
        shown = client.get_runtime_management_config(**name, Qualifier="1")
        assert asked(shown, config) == config
    client.put_provisioned_concurrency_config(
        **name, Qualifier="1", ProvisionedConcurrentExecutions=2
    )
    shown = client.get_provisioned_concurrency_config(**name, Qualifier="1")
    assert shown["RequestedProvisionedConcurrentExecutions"] == 2
    client.delete_provisioned_concurrency_config(**name, Qualifier="1")


def test_a_policy(client):
    arn = f"{PREFIX}function:plain"
    policy = (
        '{"Version":"2012-10-17","Id":"mine","Statement":[{"Sid":"s","Effect":"Deny",'
        '"Principal":{"AWS":["111111111111"]},"Action":["lambda:InvokeFunction"],'
        f'"Resource":"{arn}","Condition":{{"Bool":{{"aws:SecureTransport":"false"}}}}}}]}}'
    )
    client.put_resource_policy(ResourceArn=arn, Policy=policy)
    before = client.get_resource_policy(ResourceArn=arn)
    assert before["Policy"] == policy
    client.put_resource_policy(ResourceArn=arn, Policy=policy, RevisionId=before["RevisionId"])
    assert client.get_policy(FunctionName="plain")["Policy"] == policy
    client.delete_resource_policy(ResourceArn=arn)


def test_a_function_url(client):
    name = {"FunctionName": "plain"}
    client.create_function_url_config(**name, **URL)
    before = client.get_function_url_config(**name)
    assert asked(before, URL) == URL
    for empty in ({}, URL):
        client.update_function_url_config(**name, **empty)
        assert lasting(client.get_function_url_config(**name)) == lasting(before)
    client.delete_function_url_config(**name)


def test_deleting_what_is_not_there_is_204_where_aws_says_so(client):
    name = {"FunctionName": "plain"}
    layer = {"LayerName": "never", "VersionNumber": 1}
    for answer in (
        client.delete_layer_version(**layer),
        client.delete_provisioned_concurrency_config(**name, Qualifier="1"),
        client.delete_alias(**name, Name="never"),
        client.delete_function_code_signing_config(**name),
        client.delete_function_concurrency(**name),
    ):
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert answer.keys() == {"ResponseMetadata"}


@pytest.mark.parametrize(
    ("kind", "status", "payload"),
    [("RequestResponse", 200, b"null"), ("Event", 202, b""), ("DryRun", 204, b"")],
)
def test_each_kind_of_call_has_its_status(platform, function, kind, status, payload):
    deployed = function("def handler(event, context): return None")
    answer = platform.client("lambda").invoke(FunctionName=deployed.name, InvocationType=kind)
    assert (answer["StatusCode"], answer["Payload"].read()) == (status, payload)
