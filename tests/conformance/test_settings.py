"""``alonzo serve --set``: limits of AWS's that a host raises."""

import json

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from alonzo.cli.main import main
from alonzo.testing.callers import Household, allow, deny
from alonzo.testing.functions import deploy

SIZE = """
def handler(event, context):
    return len(event)
"""


def test_limits_that_are_raised_hold_at_their_new_values(own_platform):
    raised = own_platform(
        *("--set", "control.timeout_s_max=3600"),
        *("--set", "invoke.payloads.sync_bytes_max=7000000"),
        *("--set", "control.requests_s=4"),
    )
    client = raised.client("lambda")
    function = deploy(client, "raised", SIZE, Timeout=3600)
    with pytest.raises(ClientError, match="3600"):
        client.update_function_configuration(FunctionName="raised", Timeout=3601)
    long = "x" * 6_900_000
    assert function.invoke(long).json == len(long)
    with pytest.raises(ClientError) as refused:
        client.invoke(FunctionName="raised", Payload=json.dumps(long + "x" * 100_000))
    assert refused.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    with pytest.raises(ClientError) as refused:
        _ = [client.list_functions() for _ in range(1000)]
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert refused.value.response["Reason"] == "CallerRateLimitExceeded"
    assert client.get_function(FunctionName="raised")["Configuration"]["Timeout"] == 3600


def test_what_policies_say_of_tags_holds_when_the_rate_of_calls_is_used_up(own_platform):
    platform = own_platform("--set", "control.requests_s=1")
    hidden = {"StringEquals": {"aws:ResourceTag/hidden": "yes"}}
    household = Household(platform)
    key = household.user("u", allow("lambda:*"), deny("lambda:*", Condition=hidden))
    user = household.client("lambda", key)
    deploy(platform.client("lambda"), "hidden", SIZE, Tags={"hidden": "yes"})
    for call in [user.get_function, user.invoke] * 3:
        with pytest.raises(ClientError) as refused:
            call(FunctionName="hidden")
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_setting_that_does_not_exist_is_refused_before_the_start(tmp_path):
    result = CliRunner().invoke(main, ["serve", "--data-dir", str(tmp_path), "--set", "a.b=1"])
    assert result.exit_code == 1
    assert "alonzo settings" in result.output
    assert not list(tmp_path.iterdir())


def test_the_settings_are_shown_with_their_defaults():
    result = CliRunner().invoke(main, ["settings"])
    assert result.exit_code == 0
    shown = {line.split()[0]: line.split()[1] for line in result.output.splitlines()}
    assert shown["control.timeout_s_max"] == "900"
    assert shown["environments.cpu_limited"] == "true"
