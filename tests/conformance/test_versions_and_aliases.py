"""Versions, aliases, reservations and loops, end to end: a real platform and stock botocore."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.functions import PYTHON_RUNTIME, ROLE, package

QUICK = {"Delay": 0.02, "MaxAttempts": 500}
SHOW = """
import os
def handler(event, context):
    return [{answer!r}, os.environ["AWS_LAMBDA_FUNCTION_VERSION"], context.function_version,
            context.invoked_function_arn]
"""
WAIT = """
import pathlib, time
def handler(event, context):
    time.sleep(event)
    return "done"
"""


def code_of(error):
    return error.value.response["Error"]["Code"]


class Deployed:
    """A function and short ways to change it."""

    def __init__(self, client, function):
        self.client = client
        self.name = function.name
        self.arn = client.get_function_configuration(FunctionName=self.name)["FunctionArn"]

    def publish(self, answer):
        """New code, published; the number of the version."""
        version = self.client.update_function_code(
            FunctionName=self.name, ZipFile=package(SHOW.format(answer=answer)), Publish=True
        )["Version"]
        for waiter, params in (
            ("function_updated_v2", {}),
            ("published_version_active", {"Qualifier": version}),
        ):
            self.client.get_waiter(waiter).wait(
                FunctionName=self.name, **params, WaiterConfig=QUICK
            )
        return version

    def invoke(self, name=None, **params):
        answer = self.client.invoke(FunctionName=name or self.name, **params)
        assert "FunctionError" not in answer
        return answer["ExecutedVersion"], json.loads(answer["Payload"].read())


@pytest.fixture
def deployed(lambda_client, function):
    return Deployed(lambda_client, function(SHOW.format(answer="first")))


def test_each_version_goes_on_running_its_own_code(deployed):
    deployed.client.publish_version(FunctionName=deployed.name)
    deployed.publish("second")
    deployed.client.update_function_code(
        FunctionName=deployed.name, ZipFile=package(SHOW.format(answer="third"))
    )
    deployed.client.get_waiter("function_updated_v2").wait(
        FunctionName=deployed.name, WaiterConfig=QUICK
    )
    for qualifier, answer in (("1", "first"), ("2", "second"), ("$LATEST", "third")):
        addressed = [answer, qualifier, qualifier, f"{deployed.arn}:{qualifier}"]
        for params in (
            {"Qualifier": qualifier},
            {"name": f"{deployed.name}:{qualifier}"},
            {"name": f"{deployed.arn}:{qualifier}", "Qualifier": qualifier},
        ):
            assert deployed.invoke(**params) == (qualifier, addressed)
    assert deployed.invoke() == ("$LATEST", ["third", "$LATEST", "$LATEST", deployed.arn])
    deployed.client.delete_function(FunctionName=deployed.name, Qualifier="1")
    with pytest.raises(deployed.client.exceptions.ResourceNotFoundException) as missing:
        deployed.invoke(Qualifier="1")
    assert missing.value.response["Error"]["Message"] == f"Function not found: {deployed.arn}:1"


def test_an_alias_runs_its_version_and_says_which(deployed):
    one = deployed.client.publish_version(FunctionName=deployed.name)["Version"]
    two = deployed.publish("second")
    name = {"FunctionName": deployed.name, "Name": "prod"}
    created = deployed.client.create_alias(**name, FunctionVersion=one)
    through = f"{deployed.arn}:prod"
    assert created["AliasArn"] == through
    assert deployed.invoke(Qualifier="prod") == (one, ["first", one, one, through])
    deployed.client.update_alias(**name, FunctionVersion=two)
    assert deployed.invoke(name=through) == (two, ["second", two, two, through])
    shared = deployed.client.update_alias(
        **name, RoutingConfig={"AdditionalVersionWeights": {one: 0.5}}
    )
    assert deployed.client.get_alias(**name)["RoutingConfig"] == shared["RoutingConfig"]
    ran = Counter(deployed.invoke(Qualifier="prod")[0] for _ in range(60))
    assert set(ran) == {one, two}, "one side only: once in 2 ** 59"
    with pytest.raises(deployed.client.exceptions.ResourceConflictException):
        deployed.client.delete_function(FunctionName=deployed.name, Qualifier=one)
    deployed.client.delete_alias(**name)
    with pytest.raises(deployed.client.exceptions.ResourceNotFoundException):
        deployed.invoke(Qualifier="prod")


def test_the_service_model_itself_refuses_names_and_weights_that_cannot_be(deployed):
    client = deployed.client
    for call, params, path in (
        (client.create_alias, {"Name": "7", "FunctionVersion": "$LATEST"}, "name"),
        (client.create_alias, {"Name": "a b", "FunctionVersion": "$LATEST"}, "name"),
        (client.create_alias, {"Name": "a", "FunctionVersion": "x"}, "functionVersion"),
        (
            client.create_alias,
            {
                "Name": "a",
                "FunctionVersion": "1",
                "RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}},
            },
            "routingConfig.additionalVersionWeights",
        ),
        (
            client.create_alias,
            {
                "Name": "a",
                "FunctionVersion": "1",
                "RoutingConfig": {"AdditionalVersionWeights": {"$LATEST": 0.5}},
            },
            "routingConfig.additionalVersionWeights",
        ),
        (client.put_function_recursion_config, {"RecursiveLoop": "x"}, "recursiveLoop"),
        (client.put_runtime_management_config, {"UpdateRuntimeOn": "x"}, "updateRuntimeOn"),
    ):
        with pytest.raises(ClientError) as refused:
            call(FunctionName=deployed.name, **params)
        assert code_of(refused) == "ValidationException"
        assert (
            f"at '{path}' failed to satisfy constraint"
            in (refused.value.response["Error"]["Message"])
        )


ALIAS = {"Name": "a", "FunctionVersion": "$LATEST"}
BOUNDARIES = {
    # operation and member: (what else is needed, the last value that will do, the first that won't)
    ("create_alias", "Name"): (ALIAS, "n" * 128, "n" * 129),
    ("create_alias", "Description"): (ALIAS, "d" * 256, "d" * 257),
    ("create_alias", "FunctionVersion"): (ALIAS, "$LATEST", "$latest"),
    ("publish_version", "Description"): ({}, "d" * 256, "d" * 257),
    ("put_function_concurrency", "ReservedConcurrentExecutions"): ({}, 900, 901),
    ("list_aliases", "MaxItems"): ({}, 10_000, 10_001),
    ("list_versions_by_function", "MaxItems"): ({}, 10_000, 10_001),
    ("get_function", "Qualifier"): ({}, "$LATEST", "q" * 129),
    ("get_runtime_management_config", "Qualifier"): ({}, "$LATEST", "q:q"),
}


@pytest.mark.parametrize(("operation", "member"), BOUNDARIES, ids=lambda value: value)
def test_constrained_members_are_good_up_to_their_boundary(deployed, operation, member):
    more, good, bad = BOUNDARIES[operation, member]
    call = getattr(deployed.client, operation)
    call(FunctionName=deployed.name, **more | {member: good})
    with pytest.raises(ClientError) as refused:
        call(FunctionName=deployed.name, **more | {member: bad})
    assert code_of(refused) in {"ValidationException", "InvalidParameterValueException"}
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_versions_and_aliases_page_through_botocore(deployed):
    client, name = deployed.client, deployed.name
    for number in range(5):
        deployed.publish(f"v{number}")
        client.create_alias(FunctionName=name, Name=f"a{number}", FunctionVersion="1")
    for operation, key, member, expected in (
        ("list_versions_by_function", "Versions", "Version", ["$LATEST", *"12345"]),
        ("list_aliases", "Aliases", "Name", [f"a{number}" for number in range(5)]),
    ):
        pages = client.get_paginator(operation).paginate(
            FunctionName=name, PaginationConfig={"PageSize": 2}
        )
        assert [entry[member] for page in pages for entry in page[key]] == expected


def test_a_function_is_created_with_its_first_version(lambda_client, function_name):
    created = lambda_client.create_function(
        FunctionName=function_name,
        Runtime=PYTHON_RUNTIME,
        Role=ROLE,
        Handler="handler.handler",
        Code={"ZipFile": package(SHOW.format(answer="x"))},
        Publish=True,
    )
    try:
        assert (created["Version"], created["FunctionArn"].count(":")) == ("1", 6)
        lambda_client.get_waiter("published_version_active").wait(
            FunctionName=function_name, Qualifier="1", WaiterConfig=QUICK
        )
        answer = lambda_client.invoke(FunctionName=function_name, Qualifier="1")
        assert answer["ExecutedVersion"] == "1"
    finally:
        lambda_client.delete_function(FunctionName=function_name)


def test_a_reservation_of_nothing_stops_every_call_and_its_end_lets_them_in(deployed):
    client, name = deployed.client, {"FunctionName": deployed.name}
    deployed.client.publish_version(**name)
    client.put_function_concurrency(**name, ReservedConcurrentExecutions=0)
    for params in ({}, {"Qualifier": "1"}):
        with pytest.raises(client.exceptions.TooManyRequestsException) as throttled:
            deployed.invoke(**params)
        response = throttled.value.response
        assert response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        assert response["Error"]["Message"] == "Rate Exceeded."
        assert response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    client.delete_function_concurrency(**name)
    assert deployed.invoke()[0] == "$LATEST"


def test_a_reservation_holds_for_all_versions_together_and_leaks_nothing(lambda_client, function):
    waiter = function(WAIT)
    name = {"FunctionName": waiter.name}
    lambda_client.publish_version(**name)
    lambda_client.put_function_concurrency(**name, ReservedConcurrentExecutions=2)
    outcomes = Counter()
    lock = threading.Lock()

    def call(number):
        try:
            lambda_client.invoke(**name, Qualifier=("$LATEST", "1")[number % 2], Payload=b"0.3")
            outcome = "ran"
        except ClientError as error:
            outcome = error.response["Reason"]
        with lock:
            outcomes[outcome] += 1

    for _ in range(3):
        outcomes.clear()
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(call, range(8)))
        throttled = outcomes["ReservedFunctionConcurrentInvocationLimitExceeded"]
        assert outcomes["ran"] + throttled == 8
        assert 2 <= outcomes["ran"] < 8
    call(0)
    assert outcomes["ran"] >= 3


def test_a_loop_ends_at_the_seventeenth_call_unless_it_may_go_on(deployed):
    client = deployed.client
    header = {}

    def hand_on(params, **_):
        params["headers"].update(header)

    def call():
        answer = client.invoke(FunctionName=deployed.name)
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        header["X-Amzn-Trace-Id"] = headers["x-amzn-trace-id"]

    client.meta.events.register("before-call.lambda.Invoke", hand_on)
    try:
        for _ in range(16):
            call()
        with pytest.raises(client.exceptions.RecursiveInvocationException):
            call()
        client.put_function_recursion_config(FunctionName=deployed.name, RecursiveLoop="Allow")
        call()
    finally:
        client.meta.events.unregister("before-call.lambda.Invoke", hand_on)


def test_the_invoke_of_2014_accepts_an_event(lambda_client, function, logs_client, eventually):
    talker = function("def handler(event, context): print('heard', event['word'])")
    answer = lambda_client.invoke_async(
        FunctionName=talker.name, InvokeArgs=json.dumps({"word": "hello"})
    )
    assert answer["Status"] == 202
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202

    def heard():
        try:
            found = logs_client.filter_log_events(
                logGroupName=f"/aws/lambda/{talker.name}", filterPattern="heard"
            )
        except ClientError:
            return []
        return [event["message"] for event in found["events"]]

    assert eventually(heard, within_s=10) == ["heard hello\n"]
    with pytest.raises(ClientError) as refused:
        lambda_client.invoke_async(FunctionName=talker.name, InvokeArgs=b"{nonsense")
    assert code_of(refused) == "InvalidRequestContentException"


def test_a_function_that_keeps_tenants_apart_is_told_whose_call_it_is(
    lambda_client, function, logs_client, eventually
):
    source = (
        "def handler(event, context): print('for', context.tenant_id); return context.tenant_id"
    )
    apart = function(source, TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    assert apart.invoke(TenantId="blue").json == "blue"
    accepted = apart.invoke(TenantId="green", InvocationType="Event")
    assert accepted.status == 202

    def heard():
        found = logs_client.filter_log_events(
            logGroupName=f"/aws/lambda/{apart.name}", filterPattern="for"
        )
        return {event["message"] for event in found["events"]} == {"for blue\n", "for green\n"}

    assert eventually(heard, within_s=10)
    for call in (
        lambda: apart.invoke(),
        lambda: apart.invoke(InvocationType="Event"),
        lambda: lambda_client.invoke_async(FunctionName=apart.name, InvokeArgs=b"{}"),
    ):
        with pytest.raises(lambda_client.exceptions.InvalidParameterValueException):
            call()
