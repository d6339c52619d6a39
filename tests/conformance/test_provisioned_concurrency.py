"""Provisioned concurrency as callers meet it.

Expectations: Lambda API and developer guide; recorded texts where noted there.
"""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.functions import package

#: Says what it was told of its start, and how often its environment was called.
TELLS = """
import os, time
CALLS = 0
def handler(event, context):
    global CALLS
    CALLS += 1
    time.sleep((event or {}).get("sleep", 0))
    return {"how": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "calls": CALLS, "pid": os.getpid(),
            "stream": context.log_stream_name, "version": context.function_version}
"""


@pytest.fixture
def published(function, lambda_client):
    """A function with version 1."""
    made = function(TELLS)
    lambda_client.publish_version(FunctionName=made.name)
    return made


def put(client, name, qualifier, number):
    return client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=number
    )


def get(client, name, qualifier):
    document = client.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
    del document["ResponseMetadata"]
    return document


def has_status(client, name, qualifier, status):
    document = get(client, name, qualifier)
    return document if document["Status"] == status else None


def publish_other(client, name, code):
    client.update_function_code(FunctionName=name, ZipFile=package(code))
    client.get_waiter("function_updated_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
    )
    return client.publish_version(FunctionName=name)["Version"]


def refused(call):
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    error = response["Error"]
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return status, error["Code"], error["Message"], response.get("Type")


def test_the_first_call_finds_an_environment_that_is_initialised(
    lambda_client, published, eventually
):
    accepted = put(lambda_client, published.name, "1", 2)
    assert accepted["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert accepted["Status"] == "IN_PROGRESS"
    assert accepted["RequestedProvisionedConcurrentExecutions"] == 2
    assert accepted["AllocatedProvisionedConcurrentExecutions"] == 0
    assert accepted["AvailableProvisionedConcurrentExecutions"] == 0
    ready = eventually(partial(has_status, lambda_client, published.name, "1", "READY"), 20)
    assert ready == {
        "RequestedProvisionedConcurrentExecutions": 2,
        "AllocatedProvisionedConcurrentExecutions": 2,
        "AvailableProvisionedConcurrentExecutions": 2,
        "Status": "READY",
        "LastModified": accepted["LastModified"],
    }
    first = published.invoke(Qualifier="1", LogType="Tail")
    assert first.json["how"] == "provisioned-concurrency"
    assert (first.json["calls"], first.version) == (1, "1")
    assert "REPORT" in first.log
    assert "Init Duration" not in first.log
    assert published.invoke().json["how"] == "on-demand"


def test_the_log_reports_the_init_that_nobody_waited_for(
    lambda_client, logs_client, published, eventually
):
    put(lambda_client, published.name, "1", 1)
    eventually(partial(has_status, lambda_client, published.name, "1", "READY"), 20)
    told = published.invoke(Qualifier="1").json

    def lines():
        found = logs_client.get_log_events(
            logGroupName=f"/aws/lambda/{published.name}",
            logStreamName=told["stream"],
            startFromHead=True,
        )["events"]
        texts = [event["message"] for event in found]
        return texts if any(text.startswith("REPORT") for text in texts) else None

    kinds = [text.split()[0] for text in eventually(lines, 10)]
    assert kinds == ["INIT_START", "INIT_REPORT", "START", "END", "REPORT"]


def test_records_say_how_the_environment_came_to_be(
    lambda_client, logs_client, function, eventually
):
    made = function(TELLS, LoggingConfig={"LogFormat": "JSON"})
    lambda_client.publish_version(FunctionName=made.name)
    put(lambda_client, made.name, "1", 1)
    eventually(partial(has_status, lambda_client, made.name, "1", "READY"), 20)
    stream = made.invoke(Qualifier="1").json["stream"]

    def records():
        found = logs_client.get_log_events(
            logGroupName=f"/aws/lambda/{made.name}", logStreamName=stream, startFromHead=True
        )["events"]
        told = {record["type"]: record["record"] for record in map(read, found)}
        return told if "platform.report" in told else None

    def read(event):
        return json.loads(event["message"])

    told = eventually(records, 10)
    for kind in ("platform.initStart", "platform.initReport"):
        assert told[kind]["initializationType"] == "provisioned-concurrency"
        assert told[kind]["phase"] == "init"
    assert told["platform.initReport"]["status"] == "success"
    assert "initDurationMs" not in told["platform.report"]["metrics"]


def test_calls_beyond_what_is_provisioned_run_on_demand(lambda_client, published, eventually):
    put(lambda_client, published.name, "1", 2)
    eventually(partial(has_status, lambda_client, published.name, "1", "READY"), 20)
    with ThreadPoolExecutor(5) as threads:
        calls = [threads.submit(published.invoke, {"sleep": 1}, Qualifier="1") for _ in range(5)]
        how = sorted(call.result().json["how"] for call in calls)
    assert how == ["on-demand"] * 3 + ["provisioned-concurrency"] * 2
    available = partial(get, lambda_client, published.name, "1")
    eventually(lambda: available()["AvailableProvisionedConcurrentExecutions"] == 2, 5)


def test_a_busy_environment_is_allocated_and_not_available(lambda_client, published, eventually):
    put(lambda_client, published.name, "1", 2)
    eventually(partial(has_status, lambda_client, published.name, "1", "READY"), 20)
    call = threading.Thread(
        target=published.invoke, args=({"sleep": 2},), kwargs={"Qualifier": "1"}
    )
    call.start()
    try:
        document = eventually(
            lambda: (
                found
                if (found := get(lambda_client, published.name, "1"))[
                    "AvailableProvisionedConcurrentExecutions"
                ]
                == 1
                else None
            ),
            5,
        )
        assert document["AllocatedProvisionedConcurrentExecutions"] == 2
        assert document["Status"] == "READY"
    finally:
        call.join()


def test_a_function_that_cannot_initialise_fails_with_the_reason_and_still_serves(
    lambda_client, function, eventually
):
    made = function("raise RuntimeError('no')")
    lambda_client.publish_version(FunctionName=made.name)
    put(lambda_client, made.name, "1", 3)
    failed = eventually(partial(has_status, lambda_client, made.name, "1", "FAILED"), 20)
    assert failed["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"
    assert failed["AllocatedProvisionedConcurrentExecutions"] == 0
    assert made.invoke(Qualifier="1").function_error == "Unhandled"
    lambda_client.delete_provisioned_concurrency_config(FunctionName=made.name, Qualifier="1")
    missing = refused(partial(get, lambda_client, made.name, "1"))
    assert missing[1] == "ProvisionedConcurrencyConfigNotFoundException"


def test_it_moves_with_its_alias(lambda_client, published, eventually):
    name = published.name
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    put(lambda_client, name, "live", 1)
    eventually(partial(has_status, lambda_client, name, "live", "READY"), 20)
    assert published.invoke(Qualifier="live").json["how"] == "provisioned-concurrency"
    publish_other(lambda_client, name, TELLS + "\n# second\n")
    lambda_client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    moved = partial(published.invoke, Qualifier="live")
    eventually(lambda: moved().json["how"] == "provisioned-concurrency", 20)
    assert moved().json["version"] == "2"
    assert eventually(partial(has_status, lambda_client, name, "live", "READY"), 20)
    assert published.invoke(Qualifier="1").json["how"] == "on-demand"


def test_an_alias_that_shares_its_calls_has_its_environments_shared(
    lambda_client, published, eventually
):
    name = published.name
    publish_other(lambda_client, name, TELLS + "\n# second\n")
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    put(lambda_client, name, "live", 4)
    eventually(partial(has_status, lambda_client, name, "live", "READY"), 20)
    lambda_client.update_alias(
        FunctionName=name,
        Name="live",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}},
    )

    def both():
        told = [published.invoke(Qualifier=version).json["how"] for version in ("1", "2")]
        return told == ["provisioned-concurrency"] * 2

    eventually(both, 20)
    document = eventually(partial(has_status, lambda_client, name, "live", "READY"), 20)
    assert document["AllocatedProvisionedConcurrentExecutions"] == 4
    # Not while it shares them.
    assert refused(partial(put, lambda_client, name, "live", 5)) == (
        400,
        "InvalidParameterValueException",
        "Alias with weights can not be used with Provisioned Concurrency",
        "User",
    )


def test_more_and_less_of_it_comes_and_goes(lambda_client, published, eventually):
    for number in (1, 3, 2):
        put(lambda_client, published.name, "1", number)
        ready = eventually(partial(has_status, lambda_client, published.name, "1", "READY"), 20)
        assert ready["RequestedProvisionedConcurrentExecutions"] == number
        assert ready["AllocatedProvisionedConcurrentExecutions"] == number


def test_a_reservation_that_is_all_provisioned_leaves_nothing_to_other_versions(
    lambda_client, published, eventually
):
    name = published.name
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    put(lambda_client, name, "1", 2)
    eventually(partial(has_status, lambda_client, name, "1", "READY"), 20)
    with pytest.raises(lambda_client.exceptions.TooManyRequestsException) as caught:
        published.invoke()
    assert caught.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert published.invoke(Qualifier="1").json["how"] == "provisioned-concurrency"


def test_a_reservation_lets_ten_requests_a_second_in_for_each_of_it(
    lambda_client, function, eventually
):
    made = function("def handler(event, context): return 1")
    lambda_client.put_function_concurrency(FunctionName=made.name, ReservedConcurrentExecutions=1)

    def reason():
        """Of a refusal, if there is one: one call after the other takes one place."""
        for _ in range(20):
            try:
                made.invoke()
            except lambda_client.exceptions.TooManyRequestsException as error:
                return error.response["Reason"]
        return None

    assert eventually(reason, 20) == "ReservedFunctionInvocationRateLimitExceeded"


def test_wrong_names_and_qualifiers_are_told_apart(lambda_client, published):
    name = published.name
    arn = published.arn
    lambda_client.create_alias(FunctionName=name, Name="latest", FunctionVersion="$LATEST")
    unpublished = (
        400,
        "InvalidParameterValueException",
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        "User",
    )
    not_published = (
        400,
        "InvalidParameterValueException",
        "The function resource provided must be an alias or a published version.",
        "User",
    )
    assert refused(partial(put, lambda_client, name, "$LATEST", 1)) == unpublished
    assert refused(partial(put, lambda_client, name, "latest", 1)) == unpublished
    assert refused(partial(get, lambda_client, name, "$LATEST")) == not_published
    delete = lambda_client.delete_provisioned_concurrency_config
    assert refused(partial(delete, FunctionName=name, Qualifier="$LATEST")) == not_published
    for call in (
        partial(put, lambda_client, name, "9", 1),
        partial(get, lambda_client, name, "9"),
        partial(delete, FunctionName=name, Qualifier="9"),
    ):
        status, code, message, _ = refused(call)
        assert (status, code) == (404, "ResourceNotFoundException")
        assert message == f"Function not found: {arn}:9"
    for call in (
        partial(put, lambda_client, name, "no", 1),
        partial(get, lambda_client, name, "no"),
        partial(delete, FunctionName=name, Qualifier="no"),
    ):
        status, code, message, _ = refused(call)
        assert (status, code) == (404, "ResourceNotFoundException")
        assert message == f"Cannot find alias arn: {arn}:no"
    assert refused(partial(get, lambda_client, name, "1")) == (
        404,
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
        "User",
    )
    # There is nothing to delete, which is no error.
    answer = delete(FunctionName=name, Qualifier="1")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    nobody = lambda_client.list_provisioned_concurrency_configs
    assert refused(partial(nobody, FunctionName=f"{name}-x"))[2].startswith("Function not found")


def test_the_list_pages_through_botocore(lambda_client, published):
    name = published.name
    for number in range(2, 5):
        publish_other(lambda_client, name, TELLS + f"\n# {number}\n")
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="4")
    for qualifier in ("1", "2", "3", "live"):
        put(lambda_client, name, qualifier, 1)
    pages = list(
        lambda_client.get_paginator("list_provisioned_concurrency_configs").paginate(
            FunctionName=name, PaginationConfig={"PageSize": 3}
        )
    )
    listed = [
        each["FunctionArn"] for page in pages for each in page["ProvisionedConcurrencyConfigs"]
    ]
    assert listed == [f"{published.arn}:{each}" for each in ("1", "2", "3", "live")]
    assert len(pages) == 2
    first = pages[0]["ProvisionedConcurrencyConfigs"][0]
    assert first["RequestedProvisionedConcurrentExecutions"] == 1
    lambda_client.delete_alias(FunctionName=name, Name="live")
    lambda_client.delete_function(FunctionName=name, Qualifier="3")
    left = lambda_client.list_provisioned_concurrency_configs(FunctionName=name)
    assert [each["FunctionArn"][-1] for each in left["ProvisionedConcurrencyConfigs"]] == ["1", "2"]
