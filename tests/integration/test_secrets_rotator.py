"""What happens to secrets when time passes, over a real store. A function's part is played here."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.policies.compiled import compile_policy
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvokeResult
from alonzo.services.kms.encryption import Encryption
from alonzo.services.kms.use import KeyUse
from alonzo.services.kms.vault import Vault
from alonzo.services.secretsmanager import api
from alonzo.services.secretsmanager.directory import Directory
from alonzo.services.secretsmanager.limits import DAY_S, ROTATION_ATTEMPTS_MAX
from alonzo.services.secretsmanager.rotator import STEPS, Rotator
from alonzo.store.sqlite import SqliteStore

ACCOUNT = "123456789012"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIA", is_root=True)
CONTEXT = RequestContext("r", ACCOUNT, "eu-west-1", ROOT, "http://localhost", "127.0.0.1")
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:rotate"
LETS_IN = compile_policy(
    {
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "secretsmanager.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
        }
    }
)


class Policies:
    generation = 0
    policy = LETS_IN

    async def find(self, arn):
        return self.policy


class Function:
    """Rotates, or fails in the step that it is told to."""

    def __init__(self):
        self.operations = {}
        self.fails_in = None
        self.steps = []

    async def invoke(self, request):
        event = json.loads(request.payload)
        step, token, arn = event["Step"], event["ClientRequestToken"], event["SecretId"]
        self.steps.append(step)
        if step == self.fails_in:
            return InvokeResult(200, function_error="Unhandled")

        async def call(name, **params):
            return await self.operations[name](CONTEXT, {"SecretId": arn, **params})

        if step == "createSecret":
            await call(
                "PutSecretValue",
                ClientRequestToken=token,
                SecretString="rotated",
                VersionStages=["AWSPENDING"],
            )
        if step == "finishSecret":
            versions = (await call("DescribeSecret"))["VersionIdsToStages"]
            old = next(each for each, stages in versions.items() if "AWSCURRENT" in stages)
            await call(
                "UpdateSecretVersionStage",
                VersionStage="AWSCURRENT",
                MoveToVersionId=token,
                RemoveFromVersionId=old,
            )
        return InvokeResult(200)


async def anybody(context, service, operation, params):
    return None


@pytest.fixture
def secrets(tmp_path):
    clock, ids = ManualClock(), SystemIds()
    runner = asyncio.Runner()
    store = runner.run(SqliteStore.open(tmp_path / "a.db", clock=clock))

    def opened():
        vault = Vault(store, b"s" * 32, clock=clock, ids=ids)
        runner.run(vault.open())
        directory = Directory(store, clock=clock, ids=ids)
        runner.run(directory.open())
        function = Function()
        policies = Policies()
        rotator = Rotator(directory, function, policies)
        operations = function.operations = api.operations(
            directory=directory,
            encryption=Encryption(KeyUse(vault), anybody),
            rotator=rotator,
            function_policies=policies,
            authorize=anybody,
        )

        def attempt():
            """Everything that is due now, once."""
            runner.run(rotator.tidy())
            for secret in directory.every():
                rotation = secret.document.get("rotation")
                if rotation and rotation["due_s"] <= clock.now_s():
                    runner.run(rotator.rotate(secret))

        return SimpleNamespace(
            call=lambda name, **params: runner.run(operations[name](CONTEXT, params)),
            attempt=attempt,
            function=function,
            policies=policies,
            advance=clock.advance,
            again=opened,
        )

    yield opened()
    runner.run(store.close())
    runner.close()


def value(secrets):
    return secrets.call("GetSecretValue", SecretId="s")["SecretString"]


def code_of(call, *args, **params):
    with pytest.raises(AwsError) as caught:
        call(*args, **params)
    return caught.value.code


def test_a_deleted_secret_is_gone_when_its_window_is_over(secrets):
    secrets.call("CreateSecret", Name="s", SecretString="v")
    secrets.call("DeleteSecret", SecretId="s", RecoveryWindowInDays=7)
    secrets.advance(7 * DAY_S - 1)
    secrets.attempt()
    secrets.call("DescribeSecret", SecretId="s")
    secrets.advance(2)
    secrets.attempt()
    for now in (secrets, secrets.again()):
        assert code_of(now.call, "DescribeSecret", SecretId="s") == "ResourceNotFoundException"
    secrets.call("CreateSecret", Name="s", SecretString="w")
    assert value(secrets) == "w"


def test_a_restored_secret_stays(secrets):
    secrets.call("CreateSecret", Name="s", SecretString="v")
    secrets.call("DeleteSecret", SecretId="s")
    secrets.call("RestoreSecret", SecretId="s")
    secrets.advance(60 * DAY_S)
    secrets.attempt()
    assert value(secrets) == "v"


def test_a_secret_rotates_by_its_schedule(secrets):
    secrets.call("CreateSecret", Name="s", SecretString="v")
    secrets.call(
        "RotateSecret",
        SecretId="s",
        RotationLambdaARN=FUNCTION,
        RotationRules={"ScheduleExpression": "rate(10 days)"},
        RotateImmediately=False,
    )
    secrets.attempt()
    assert value(secrets) == "v"
    secrets.advance(10 * DAY_S)
    secrets.attempt()
    assert secrets.function.steps == list(STEPS)
    assert value(secrets) == "rotated"
    secrets.advance(9 * DAY_S)
    secrets.attempt()
    assert len(secrets.function.steps) == len(STEPS)
    secrets.advance(DAY_S)
    secrets.attempt()
    assert len(secrets.function.steps) == 2 * len(STEPS)


def test_a_function_that_lets_secrets_manager_in_no_more_rotates_no_more(secrets):
    secrets.call("CreateSecret", Name="s", SecretString="v")
    secrets.call("RotateSecret", SecretId="s", RotationLambdaARN=FUNCTION)
    secrets.policies.policy = None
    secrets.attempt()
    assert (secrets.function.steps, value(secrets)) == ([], "v")


def test_a_failing_rotation_is_tried_again_and_then_given_up(secrets):
    secrets.call("CreateSecret", Name="s", SecretString="v")
    secrets.function.fails_in = "testSecret"
    token = secrets.call("RotateSecret", SecretId="s", RotationLambdaARN=FUNCTION)["VersionId"]
    secrets.attempt()
    secrets.attempt()
    assert secrets.function.steps == list(STEPS[:3])
    code = code_of(secrets.call, "RotateSecret", SecretId="s")
    assert code == "InvalidRequestException"
    for _ in range(ROTATION_ATTEMPTS_MAX + 2):
        secrets.advance(61)
        secrets.attempt()
    assert secrets.function.steps == list(STEPS[:3]) * ROTATION_ATTEMPTS_MAX
    assert value(secrets) == "v"
    stages = secrets.call("DescribeSecret", SecretId="s")["VersionIdsToStages"]
    assert stages[token] == ["AWSPENDING"]
    # The next one takes AWSPENDING over, and the value that was never used goes without a label.
    secrets.function.fails_in = None
    secrets.call("RotateSecret", SecretId="s")
    secrets.attempt()
    assert value(secrets) == "rotated"


def test_a_rotation_outlives_the_platform(secrets):
    secrets.call("CreateSecret", Name="s", SecretString="v")
    secrets.call("RotateSecret", SecretId="s", RotationLambdaARN=FUNCTION)
    later = secrets.again()
    later.attempt()
    assert value(later) == "rotated"


def test_a_version_that_a_rotation_has_yet_to_fill_has_no_value(secrets):
    secrets.call("CreateSecret", Name="s", SecretString="v")
    secrets.call("RotateSecret", SecretId="s", RotationLambdaARN=FUNCTION)
    described = secrets.call("DescribeSecret", SecretId="s")
    assert "LastRotatedDate" not in described
    assert code_of(secrets.call, "GetSecretValue", SecretId="s", VersionStage="AWSPENDING") == (
        "ResourceNotFoundException"
    )


def test_a_hundred_versions_without_a_label_are_kept(secrets):
    secrets.call("CreateSecret", Name="s", SecretString="0")
    for number in range(105):
        secrets.advance(1)
        secrets.call("PutSecretValue", SecretId="s", SecretString=str(number))
    listed, token = [], None
    while True:
        page = secrets.call(
            "ListSecretVersionIds",
            SecretId="s",
            IncludeDeprecated=True,
            **({"NextToken": token} if token else {}),
        )
        listed += page["Versions"]
        token = page.get("NextToken")
        if token is None:
            break
    assert len(listed) == 102
    assert value(secrets) == "104"
