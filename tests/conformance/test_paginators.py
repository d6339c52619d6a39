"""Every paginator and every waiter that the SDKs have for Lambda, over what there is."""

import os

import botocore.session
import pytest
from botocore.exceptions import ClientError

from alonzo.control.functions import OPERATIONS
from alonzo.control.unsupported import UNSUPPORTED
from alonzo.testing.functions import PYTHON_RUNTIME, ROLE, deploy, package

REGION = "sa-east-1"
QUICK = {"Delay": 0.02, "MaxAttempts": 500}
_MODELS = botocore.session.Session()
PAGINATORS = sorted(_MODELS.get_paginator_model("lambda")._paginator_config)
WAITERS = _MODELS.get_waiter_model("lambda").waiter_names
ECHO = "def handler(event, context): return event"
COUNT = 3


@pytest.fixture(scope="module")
def world(platform):
    """Three of everything that can be listed, in a region of its own. What each list is asked."""
    client = platform.client("lambda", REGION)
    for n in range(COUNT):
        deploy(client, f"f{n}", ECHO)
    for n in range(1, COUNT):
        client.update_function_configuration(FunctionName="f0", Description=str(n))
        client.get_waiter("function_updated_v2").wait(FunctionName="f0", WaiterConfig=QUICK)
        client.publish_version(FunctionName="f0")
    for name in ("a", "b", "c"):
        client.create_alias(FunctionName="f0", Name=name, FunctionVersion="1")
        client.put_function_event_invoke_config(
            FunctionName="f0", Qualifier=name, MaximumRetryAttempts=0
        )
        content = {"ZipFile": package(name)}
        client.publish_layer_version(LayerName=name, Content=content)
        client.publish_layer_version(LayerName="many", Content=content)
        arn = f"arn:aws:sqs:{REGION}:000000000000:{name}"
        client.create_event_source_mapping(FunctionName="f0", EventSourceArn=arn)
    configs = [
        client.create_code_signing_config(
            AllowedPublishers={
                "SigningProfileVersionArns": [
                    f"arn:aws:signer:{REGION}:000000000000:/signing-profiles/p/0123456789"
                ]
            }
        )["CodeSigningConfig"]["CodeSigningConfigArn"]
        for _ in range(COUNT)
    ]
    for n in range(COUNT):
        client.put_function_code_signing_config(
            FunctionName=f"f{n}", CodeSigningConfigArn=configs[0]
        )
    function = {"FunctionName": "f0"}
    yield {
        "ListAliases": (function, COUNT),
        "ListCodeSigningConfigs": ({}, COUNT),
        "ListEventSourceMappings": ({}, COUNT),
        "ListFunctionEventInvokeConfigs": (function, COUNT),
        "ListFunctions": ({}, COUNT),
        "ListFunctionsByCodeSigningConfig": ({"CodeSigningConfigArn": configs[0]}, COUNT),
        "ListLayerVersions": ({"LayerName": "many"}, COUNT),
        "ListLayers": ({}, COUNT + 1),
        "ListVersionsByFunction": (function, COUNT),
    }
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        client.delete_event_source_mapping(UUID=mapping["UUID"])
    for n in range(COUNT):
        client.delete_function(FunctionName=f"f{n}")


@pytest.mark.parametrize("operation", PAGINATORS)
def test_a_paginator_shows_everything_once_in_pages_of_any_size(platform, world, operation):
    client = platform.client("lambda", REGION)
    if operation in UNSUPPORTED:
        assert operation not in OPERATIONS
        return
    params, count = world[operation]
    paginator = client.get_paginator(botocore.xform_name(operation))
    (key,) = [each.expression for each in paginator.result_keys]
    for size in (1, 2, 50):
        pages = [
            page[key] for page in paginator.paginate(**params, PaginationConfig={"PageSize": size})
        ]
        shown = [str(entry) for page in pages for entry in page]
        assert len(shown) == len(set(shown)) == count
        assert all(len(page) <= size for page in pages)
        assert len(pages) == -(-count // size)


@pytest.mark.parametrize("name", WAITERS)
def test_a_waiter_ends_once_there_is_what_it_waits_for(lambda_client, name, function_name):
    waiter = lambda_client.get_waiter(botocore.xform_name(name))
    created = lambda_client.create_function(
        FunctionName=function_name,
        Runtime=PYTHON_RUNTIME,
        Role=ROLE,
        Handler="handler.handler",
        Code={"ZipFile": package(ECHO)},
        Publish=name == "PublishedVersionActive",
    )
    assert created["State"] == "Pending"
    qualifier = {"Qualifier": "1"} if name == "PublishedVersionActive" else {}
    try:
        waiter.wait(FunctionName=function_name, **qualifier, WaiterConfig=QUICK)
    finally:
        lambda_client.delete_function(FunctionName=function_name)


def test_a_list_that_is_not_supported_says_so(lambda_client):
    with pytest.raises(ClientError) as caught:
        lambda_client.list_function_url_configs(FunctionName=os.urandom(4).hex())
    assert "is not supported by Alonzo yet" in caught.value.response["Error"]["Message"]
