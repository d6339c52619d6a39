"""Every paginator and every waiter that the SDKs have for Lambda, over what there is."""

import botocore
import pytest
from botocore.exceptions import WaiterError

from alonzo.control.functions import OPERATIONS
from alonzo.control.unsupported import UNSUPPORTED
from alonzo.testing.clients import botocore_session
from alonzo.testing.functions import ADMIN_ROLE, PYTHON_RUNTIME, ROLE, deploy, package

REGION = "sa-east-1"
QUICK = {"Delay": 0.02, "MaxAttempts": 500}
_MODELS = botocore_session()
PAGINATORS = sorted(_MODELS.get_paginator_model("lambda")._paginator_config)
WAITERS = _MODELS.get_waiter_model("lambda").waiter_names
ECHO = "def handler(event, context): return event"
COUNT = 3
NO_VPC_HERE = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
#: Members that may be others when they are shown again.
CHANGING = {
    "Status",
    "AllocatedProvisionedConcurrentExecutions",
    "AvailableProvisionedConcurrentExecutions",
}


@pytest.fixture(scope="module")
def world(platform):
    """Three of everything that can be listed, in a region of its own. What each list is asked."""
    client = platform.client("lambda", REGION)
    for n in range(COUNT):
        # The role may read the queues of the mappings.
        deploy(client, f"f{n}", ECHO, Role=ADMIN_ROLE)
    for n in range(1, COUNT):
        client.update_function_configuration(FunctionName="f0", Description=str(n))
        client.get_waiter("function_updated_v2").wait(FunctionName="f0", WaiterConfig=QUICK)
        client.publish_version(FunctionName="f0")
    versions = {"a": "1", "b": "2", "c": "3"}
    client.update_function_configuration(FunctionName="f0", Description="third")
    client.get_waiter("function_updated_v2").wait(FunctionName="f0", WaiterConfig=QUICK)
    client.publish_version(FunctionName="f0")
    for name, version in versions.items():
        client.create_alias(FunctionName="f0", Name=name, FunctionVersion=version)
        client.create_function_url_config(FunctionName="f0", Qualifier=name, AuthType="NONE")
        client.put_provisioned_concurrency_config(
            FunctionName="f0", Qualifier=name, ProvisionedConcurrentExecutions=1
        )
        client.put_function_event_invoke_config(
            FunctionName="f0", Qualifier=name, MaximumRetryAttempts=0
        )
        content = {"ZipFile": package(name)}
        client.publish_layer_version(LayerName=name, Content=content)
        client.publish_layer_version(LayerName="many", Content=content)
        platform.client("sqs", REGION).create_queue(QueueName=name)
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
        "ListFunctionUrlConfigs": (function, COUNT),
        "ListProvisionedConcurrencyConfigs": (function, COUNT),
        "ListVersionsByFunction": (function, COUNT + 1),
    }
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        client.delete_event_source_mapping(UUID=mapping["UUID"])
    for n in range(COUNT):
        client.delete_function(FunctionName=f"f{n}")


OFFERED = [operation for operation in PAGINATORS if operation in OPERATIONS]


@pytest.mark.parametrize("operation", OFFERED)
def test_a_paginator_shows_everything_once_in_pages_of_any_size(platform, world, operation):
    client = platform.client("lambda", REGION)
    params, count = world[operation]
    paginator = client.get_paginator(botocore.xform_name(operation))
    (key,) = [each.expression for each in paginator.result_keys]
    for size in (1, 2, 50):
        pages = [
            page[key] for page in paginator.paginate(**params, PaginationConfig={"PageSize": size})
        ]
        shown = [
            str({name: value for name, value in entry.items() if name not in CHANGING})
            if isinstance(entry, dict)
            else entry
            for page in pages
            for entry in page
        ]
        assert len(shown) == len(set(shown)) == count
        assert all(len(page) <= size for page in pages)
        assert len(pages) == -(-count // size)


@pytest.mark.parametrize("operation", OFFERED)
def test_a_list_goes_on_with_its_own_marker_only(platform, world, operation):
    client = platform.client("lambda", REGION)
    call = getattr(client, botocore.xform_name(operation))
    params, _ = world[operation]
    marker = call(**params, MaxItems=1)["NextMarker"]
    other = next(name for name in OFFERED if name != operation)
    of_another = getattr(client, botocore.xform_name(other))(**world[other][0], MaxItems=1)
    middle = len(marker) // 2
    altered = marker[:middle] + ("A" if marker[middle] != "A" else "B") + marker[middle + 1 :]
    for wrong in ("x", marker[:-4], marker + marker, altered, of_another["NextMarker"], "\u00e9 "):
        with pytest.raises(client.exceptions.InvalidParameterValueException):
            call(**params, MaxItems=1, Marker=wrong)
    # It names a place, so it can be used again, and with pages of another size.
    rest = call(**params, Marker=marker)
    assert "NextMarker" not in rest
    assert call(**params, Marker=marker).keys() == rest.keys()


def test_what_is_not_offered_cannot_be_paged_either():
    assert set(PAGINATORS) - set(OFFERED) <= set(UNSUPPORTED)


@pytest.mark.parametrize("name", WAITERS)
def test_a_waiter_ends_once_there_is_what_it_waits_for(lambda_client, name, function_name):
    waiter = lambda_client.get_waiter(botocore.xform_name(name))
    created = create(lambda_client, function_name, Publish=name == "PublishedVersionActive")
    assert created["State"] == "Pending"
    qualifier = {"Qualifier": "1"} if name == "PublishedVersionActive" else {}
    try:
        waiter.wait(FunctionName=function_name, **qualifier, WaiterConfig=QUICK)
    finally:
        lambda_client.delete_function(FunctionName=function_name)


@pytest.mark.parametrize("name", WAITERS)
def test_a_waiter_ends_once_there_will_never_be_what_it_waits_for(
    lambda_client, name, function_name
):
    waiter = lambda_client.get_waiter(botocore.xform_name(name))
    target = {"FunctionName": function_name}
    few = {"Delay": 0.01, "MaxAttempts": 3}
    if name == "FunctionExists":
        with pytest.raises(WaiterError, match="Max attempts exceeded"):
            waiter.wait(**target, WaiterConfig=few)
        return
    with pytest.raises(WaiterError, match="ResourceNotFoundException"):
        waiter.wait(**target, WaiterConfig=few)
    try:
        if "Updated" in name:
            create(lambda_client, function_name)
            lambda_client.get_waiter("function_active_v2").wait(**target, WaiterConfig=QUICK)
            lambda_client.update_function_configuration(**target, VpcConfig=NO_VPC_HERE)
        else:
            create(
                lambda_client,
                function_name,
                VpcConfig=NO_VPC_HERE,
                Publish=name == "PublishedVersionActive",
            )
        qualifier = {"Qualifier": "1"} if name == "PublishedVersionActive" else {}
        with pytest.raises(WaiterError, match="terminal failure state") as caught:
            waiter.wait(**target, **qualifier, WaiterConfig=QUICK)
        shown = caught.value.last_response
        shown = shown.get("Configuration", shown)
        assert "InvalidSubnet" in (
            shown.get("StateReasonCode"),
            shown.get("LastUpdateStatusReasonCode"),
        )
    finally:
        lambda_client.delete_function(**target)


def create(client, name, **configuration):
    return client.create_function(
        FunctionName=name,
        Runtime=PYTHON_RUNTIME,
        Role=ROLE,
        Handler="handler.handler",
        Code={"ZipFile": package(ECHO)},
        **configuration,
    )
