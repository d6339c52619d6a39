"""Fifty callers at once on one function of a real platform: AWS's errors only, no half state."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from alonzo.testing.functions import PYTHON_RUNTIME, ROLE, package

CALLERS = 50
CALLS = 400
EXPECTED = {
    "ok",
    "InvalidParameterValueException",
    "ResourceConflictException",
    "ResourceNotFoundException",
}
SOURCE = "def handler(event, context): return {answer}"


def test_updates_publications_deletions_and_invokes_at_once(lambda_client, function):
    client = lambda_client
    deployed = function(SOURCE.format(answer=0))
    name, arn = {"FunctionName": deployed.name}, deployed.arn
    client.put_function_concurrency(**name, ReservedConcurrentExecutions=20)
    chance = random.Random(3)
    throttled = Counter()

    def version():
        return str(chance.randint(1, 5))

    def invoke():
        target = chance.choice([{}, {"Qualifier": version()}, {"Qualifier": "prod"}])
        answer = client.invoke(**name, **target)
        assert "FunctionError" not in answer
        assert answer["Payload"].read().isdigit()

    def create():
        code = {"ZipFile": package(SOURCE.format(answer=chance.randint(0, 9)))}
        client.create_function(
            **name, Runtime=PYTHON_RUNTIME, Role=ROLE, Handler="handler.handler", Code=code
        )

    operations = [
        *(5 * [invoke]),
        lambda: client.publish_version(**name),
        lambda: client.update_function_code(
            **name, ZipFile=package(SOURCE.format(answer=chance.randint(0, 9))), Publish=True
        ),
        lambda: client.update_function_configuration(**name, Timeout=chance.randint(3, 30)),
        lambda: client.create_alias(**name, Name="prod", FunctionVersion=version()),
        lambda: client.update_alias(
            **name,
            Name="prod",
            FunctionVersion=version(),
            RoutingConfig={"AdditionalVersionWeights": {version(): 0.5}},
        ),
        lambda: client.delete_alias(**name, Name="prod"),
        lambda: client.delete_function(**name, Qualifier=version()),
        lambda: client.add_permission(
            **name,
            StatementId=str(chance.randint(1, 9)),
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            **chance.choice([{}, {"Qualifier": "prod"}]),
        ),
        lambda: client.remove_permission(**name, StatementId=str(chance.randint(1, 9))),
        lambda: client.put_function_event_invoke_config(
            **name, MaximumRetryAttempts=0, **chance.choice([{}, {"Qualifier": version()}])
        ),
        lambda: client.delete_function_event_invoke_config(**name),
        lambda: client.create_function_url_config(**name, AuthType="AWS_IAM"),
        lambda: client.delete_function_url_config(**name),
        lambda: client.tag_resource(Resource=arn, Tags={str(chance.randint(1, 9)): ""}),
        lambda: client.put_function_recursion_config(**name, RecursiveLoop="Allow"),
    ]

    def outcome(call):
        try:
            call()
        except ClientError as error:
            if "Reason" in error.response:
                throttled[error.response["Reason"]] += 1
                return "ok"
            return error.response["Error"]["Code"]
        return "ok"

    with ThreadPoolExecutor(CALLERS) as threads:
        found = Counter(threads.map(outcome, (chance.choice(operations) for _ in range(CALLS))))
        assert set(found) <= EXPECTED, found
        assert set(throttled) <= {"ReservedFunctionConcurrentInvocationLimitExceeded"}
        client.get_waiter("function_updated_v2").wait(
            **name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
        )
        client.invoke(**name)
        # Gone and back, with everything else going on.
        rare = [lambda: client.delete_function(**name), create]
        calls = (chance.choice([*operations, *rare]) for _ in range(CALLS))
        found = Counter(threads.map(outcome, calls))
        assert set(found) <= EXPECTED, found
    if outcome(lambda: client.get_function(**name)) == "ok":
        client.delete_function(**name)
    create()
    client.get_waiter("function_active_v2").wait(
        **name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
    )
    assert "FunctionError" not in client.invoke(**name)
    listed = client.list_versions_by_function(**name)["Versions"]
    assert [each["Version"] for each in listed] == ["$LATEST"]
    # Nothing of the function before it has stayed.
    for gone in (client.get_policy, client.get_function_url_config):
        assert outcome(lambda gone=gone: gone(**name)) == "ResourceNotFoundException"
    assert client.list_function_event_invoke_configs(**name)["FunctionEventInvokeConfigs"] == []
    assert client.list_aliases(**name)["Aliases"] == []
    assert client.list_tags(Resource=arn)["Tags"] == {}
    assert client.get_function_recursion_config(**name)["RecursiveLoop"] == "Terminate"
