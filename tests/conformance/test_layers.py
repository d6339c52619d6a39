"""Layers over the API: stock botocore and the AWS CLI against a running platform."""

import base64
import hashlib
import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.functions import package

PREFIX = "arn:aws:lambda:us-east-1:000000000000:layer:"
HANDLER = "def handler(event, context): return event"
CONTENT = package({"python/one.py": "ONE = 1\n"})
OTHER = package({"python/two.py": "TWO = 2\n"})
MISSING = "The resource you requested does not exist."


@pytest.fixture
def layer(lambda_client, function_name):
    """Publishes versions of a layer that is the test's own, and deletes them in the end."""
    numbers = []

    def publish(content=CONTENT, **members):
        made = lambda_client.publish_layer_version(
            LayerName=function_name, Content={"ZipFile": content}, **members
        )
        numbers.append(made["Version"])
        return made

    publish.name = function_name
    yield publish
    for number in numbers:
        lambda_client.delete_layer_version(LayerName=function_name, VersionNumber=number)


def error_of(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    response = caught.value.response
    return (
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"]["Code"],
        response["Error"]["Message"],
    )


def without_metadata(answer):
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_a_version_is_published_read_downloaded_and_deleted(lambda_client, layer):
    made = layer(
        Description="what for",
        LicenseInfo="MIT",
        CompatibleRuntimes=["python3.12"],
        CompatibleArchitectures=["x86_64", "arm64"],
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    arn = made["LayerVersionArn"]
    assert arn == f"{PREFIX}{layer.name}:1"
    digest = hashlib.sha256(CONTENT).digest()
    assert made["Content"]["CodeSha256"] == base64.b64encode(digest).decode()
    assert made["Content"]["CodeSize"] == len(CONTENT)
    with urllib.request.urlopen(made["Content"]["Location"], timeout=10) as link:
        assert link.read() == CONTENT

    read = lambda_client.get_layer_version(LayerName=layer.name, VersionNumber=1)
    by_arn = lambda_client.get_layer_version_by_arn(Arn=arn)
    for each in (made, read, by_arn):
        each["Content"].pop("Location")
    assert without_metadata(made) == without_metadata(read) == without_metadata(by_arn)

    for _ in range(2):
        gone = lambda_client.delete_layer_version(LayerName=layer.name, VersionNumber=1)
        assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    missing = (404, "ResourceNotFoundException", MISSING)
    assert missing == error_of(
        lambda_client.get_layer_version, LayerName=layer.name, VersionNumber=1
    )
    assert missing == error_of(lambda_client.get_layer_version_by_arn, Arn=arn)


def test_the_paginators_show_every_layer_and_version_once(lambda_client, layer):
    for _ in range(5):
        layer(CompatibleRuntimes=["python3.12"])
    layer(CompatibleRuntimes=["nodejs22.x"])
    pages = lambda_client.get_paginator("list_layer_versions").paginate(
        LayerName=layer.name, PaginationConfig={"PageSize": 2}
    )
    shown = [version["Version"] for page in pages for version in page["LayerVersions"]]
    assert shown == [6, 5, 4, 3, 2, 1]
    for filters, latest in (
        ({}, 6),
        ({"CompatibleRuntime": "python3.12"}, 5),
        ({"CompatibleRuntime": "nodejs22.x"}, 6),
        ({"CompatibleRuntime": "java21"}, None),
        ({"CompatibleArchitecture": "arm64"}, None),
    ):
        pages = lambda_client.get_paginator("list_layers").paginate(
            PaginationConfig={"PageSize": 1}, **filters
        )
        found = [
            each["LatestMatchingVersion"]["Version"]
            for page in pages
            for each in page["Layers"]
            if each["LayerName"] == layer.name
        ]
        assert found == ([] if latest is None else [latest])


def test_fifty_publishes_at_once_give_fifty_numbers(lambda_client, layer):
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda _: layer(), range(50)))
    assert sorted(each["Version"] for each in made) == list(range(1, 51))


def test_a_function_has_its_layers_and_reads_back_what_was_set(lambda_client, layer, function):
    one = layer()["LayerVersionArn"]
    deployed = function(HANDLER, Layers=[one])
    name = {"FunctionName": deployed.name}
    shown = [{"Arn": one, "CodeSize": len(CONTENT)}]
    assert lambda_client.get_function(**name)["Configuration"]["Layers"] == shown
    lambda_client.delete_layer_version(LayerName=layer.name, VersionNumber=1)
    lambda_client.update_function_configuration(Timeout=9, **name)
    lambda_client.get_waiter("function_updated_v2").wait(**name)
    assert lambda_client.get_function_configuration(**name)["Layers"] == shown
    assert lambda_client.publish_version(**name)["Layers"] == shown
    cleared = lambda_client.update_function_configuration(Layers=[], **name)
    assert "Layers" not in cleared
    lambda_client.get_waiter("function_updated_v2").wait(**name)
    version = lambda_client.get_function_configuration(Qualifier="1", **name)
    assert version["Layers"] == shown
    assert deployed.invoke({"a": 1}) is not None


@pytest.mark.parametrize(
    ("arns", "text"),
    [
        (["{0}:9"], "Layer version {0}:9 does not exist."),
        ([f"{PREFIX}l{n}:1" for n in range(6)], "Cannot reference more than 5 layers."),
        (
            ["{0}:1", "{0}:2"],
            "Two different versions of the same layer are not allowed to be referenced in the same "
            "function. {0}:1 and {0}:2 are versions of the same layer.",
        ),
        (
            ["arn:aws:lambda:eu-west-1:000000000000:layer:x:1"],
            "Layers are not in the same region as the function. Layers are expected to be in "
            "region us-east-1.",
        ),
    ],
)
def test_layers_that_a_function_cannot_have_are_refused(lambda_client, layer, function, arns, text):
    deployed = function(HANDLER)
    layer()
    layer(OTHER)
    arn = f"{PREFIX}{layer.name}"
    assert error_of(
        lambda_client.update_function_configuration,
        FunctionName=deployed.name,
        Layers=[each.format(arn) for each in arns],
    ) == (400, "InvalidParameterValueException", text.format(arn))


def test_an_arn_without_a_version_is_refused_by_the_framework(lambda_client, function):
    deployed = function(HANDLER)
    status, code, message = error_of(
        lambda_client.update_function_configuration,
        FunctionName=deployed.name,
        Layers=[f"{PREFIX}x"],
    )
    assert (status, code) == (400, "ValidationException")
    assert message.startswith(
        f"1 validation error detected: Value '[{PREFIX}x]' at 'layers' failed to satisfy "
        "constraint: Member must satisfy constraint: [Member must have length less than or equal "
        "to 2048, Member must have length greater than or equal to 1, Member must satisfy regular "
        "expression pattern: "
    )


@pytest.mark.parametrize(
    ("operation", "params", "path"),
    [
        ("list_layers", {"CompatibleRuntime": "nope"}, "compatibleRuntime"),
        ("list_layers", {"CompatibleArchitecture": "nope"}, "compatibleArchitecture"),
        ("get_layer_version_by_arn", {"Arn": f"{PREFIX}x"}, "arn"),
        ("list_layer_versions", {"LayerName": "x" * 141}, "layerName"),
        (
            "publish_layer_version",
            {"LayerName": "x", "Content": {}, "CompatibleRuntimes": ["python3.12"] * 16},
            "compatibleRuntimes",
        ),
        (
            "publish_layer_version",
            {"LayerName": "x", "Content": {}, "CompatibleArchitectures": ["arm64"] * 3},
            "compatibleArchitectures",
        ),
        (
            "publish_layer_version",
            {"LayerName": "x", "Content": {}, "LicenseInfo": "x" * 513},
            "licenseInfo",
        ),
        (
            "publish_layer_version",
            {"LayerName": "x", "Content": {}, "Description": "x" * 257},
            "description",
        ),
    ],
)
def test_the_framework_names_the_member_that_is_wrong(lambda_client, operation, params, path):
    status, code, message = error_of(getattr(lambda_client, operation), **params)
    assert (status, code) == (400, "ValidationException")
    assert f"at '{path}' failed to satisfy constraint: " in message


def test_boundary_values_are_taken(lambda_client, layer):
    made = layer(
        Description="x" * 256,
        LicenseInfo="x" * 512,
        CompatibleRuntimes=["python3.12"] * 15,
        CompatibleArchitectures=["arm64", "x86_64"],
    )
    assert len(made["CompatibleRuntimes"]) == 15


def test_a_package_in_s3_is_refused_as_s3_refuses_it(lambda_client):
    assert error_of(
        lambda_client.publish_layer_version,
        LayerName="x",
        Content={"S3Bucket": "bucket", "S3Key": "key"},
    ) == (
        400,
        "InvalidParameterValueException",
        "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The "
        "specified bucket does not exist",
    )


def test_permissions_come_and_go(lambda_client, layer):
    layer()
    at = {"LayerName": layer.name, "VersionNumber": 1}
    statement = {"StatementId": "s1", "Action": "lambda:GetLayerVersion", "Principal": "*"}
    added = lambda_client.add_layer_version_permission(**at, **statement)
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    policy = lambda_client.get_layer_version_policy(**at)
    assert policy["RevisionId"] == added["RevisionId"]
    assert json.loads(policy["Policy"])["Statement"] == [json.loads(added["Statement"])]
    assert error_of(
        lambda_client.add_layer_version_permission, RevisionId="wrong", **at, **statement
    )[:2] == (412, "PreconditionFailedException")
    assert error_of(lambda_client.add_layer_version_permission, **at, **statement)[:2] == (
        409,
        "ResourceConflictException",
    )
    status, code, message = error_of(
        lambda_client.add_layer_version_permission, **at, **(statement | {"Action": "*"})
    )
    assert (status, code, message) == (
        400,
        "ValidationException",
        "1 validation error detected: Value '*' at 'action' failed to satisfy constraint: Member "
        "must satisfy regular expression pattern: lambda:GetLayerVersion",
    )
    removed = lambda_client.remove_layer_version_permission(
        StatementId="s1", RevisionId=added["RevisionId"], **at
    )
    assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert error_of(lambda_client.get_layer_version_policy, **at) == (
        404,
        "ResourceNotFoundException",
        "No policy is associated with the given resource.",
    )


def test_layers_outlive_the_daemon(own_platform):
    platform = own_platform()

    def listed():
        return [
            version["Version"]
            for version in platform.client("lambda").list_layer_versions(LayerName="a")[
                "LayerVersions"
            ]
        ]

    for _ in range(2):
        platform.client("lambda").publish_layer_version(LayerName="a", Content={"ZipFile": CONTENT})
    platform.kill()
    platform.start()
    assert listed() == [2, 1]
    made = platform.client("lambda").publish_layer_version(
        LayerName="a", Content={"ZipFile": CONTENT}
    )
    assert made["Version"] == 3
