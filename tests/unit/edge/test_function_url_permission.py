"""Who may call a function through its URL."""

import json
from dataclasses import replace

import pytest

from alonzo.edge.function_urls.permission import admits, admits_stranger
from alonzo.lib.policies.compiled import compile_policy
from alonzo.lib.policies.evaluation import Policies
from alonzo.lib.policies.principals import root_user, user
from alonzo.model.arns import FunctionKey
from alonzo.model.function_urls import FunctionUrl

ACCOUNT, OTHER = "123456789012", "999988887777"
KEY = FunctionKey(ACCOUNT, "eu-west-1", "f")
URL = FunctionUrl("i" * 32, KEY, None, "NONE", "BUFFERED", None, None)
CONTEXT = {"aws:sourceip": "192.0.2.7"}
USER = user(f"arn:aws:iam::{ACCOUNT}:user/u", ACCOUNT, "AIDA1")
STRANGE_USER = user(f"arn:aws:iam::{OTHER}:user/u", OTHER, "AIDA2")
BOTH = compile_policy(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "lambda:Invoke*", "Resource": "*"},
    }
)


def statement(action, condition=None, *, principal="*", resource=KEY.arn, effect="Allow"):
    made = {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource}
    return made if condition is None else {**made, "Condition": condition}


URL_PART = statement(
    "lambda:InvokeFunctionUrl", {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
)
FUNCTION_PART = statement(
    "lambda:InvokeFunction", {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
)


def url_with(*statements, **members):
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return replace(URL, policy=policy, **members)


def test_a_stranger_needs_both_permissions():
    assert not admits_stranger(URL, CONTEXT)
    assert not admits_stranger(url_with(URL_PART), CONTEXT)
    assert not admits_stranger(url_with(FUNCTION_PART), CONTEXT)
    assert admits_stranger(url_with(URL_PART, FUNCTION_PART), CONTEXT)


def test_permissions_without_conditions_do_as_well():
    assert admits_stranger(url_with(statement("lambda:*")), CONTEXT)


@pytest.mark.parametrize(
    "wrong",
    [
        statement("lambda:InvokeFunctionUrl", principal={"AWS": ACCOUNT}),
        statement("lambda:InvokeFunctionUrl", principal={"Service": "s3.amazonaws.com"}),
        statement("lambda:InvokeFunctionUrl", resource=KEY.qualified("live")),
        statement("lambda:InvokeFunctionUrl", resource=KEY.arn + "x"),
        statement(
            "lambda:InvokeFunctionUrl", {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}
        ),
        statement(
            "lambda:InvokeFunctionUrl", {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
        ),
        statement("lambda:InvokeFunction"),
    ],
)  # fmt: skip
def test_a_permission_for_something_else_is_none(wrong):
    assert not admits_stranger(url_with(wrong, FUNCTION_PART), CONTEXT)


def test_a_denial_wins():
    denial = statement("lambda:InvokeFunction", effect="Deny")
    assert not admits_stranger(url_with(URL_PART, FUNCTION_PART, denial), CONTEXT)


def test_the_policy_of_an_alias_names_the_alias():
    arn = KEY.qualified("live")
    parts = [{**part, "Resource": arn} for part in (URL_PART, FUNCTION_PART)]
    assert admits_stranger(url_with(*parts, alias="live"), CONTEXT)
    assert not admits_stranger(url_with(URL_PART, FUNCTION_PART, alias="live"), CONTEXT)


def test_conditions_on_the_request_are_asked_every_time():
    near = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    url = url_with(URL_PART, statement("lambda:InvokeFunction", near))
    assert admits_stranger(url, CONTEXT)
    assert not admits_stranger(url, {"aws:sourceip": "198.51.100.1"})
    assert admits_stranger(url, CONTEXT)


@pytest.mark.parametrize("policy", ["", "{", "[]", "{}", '{"Statement": [{"Effect": "Allow"}]}'])
def test_a_policy_that_cannot_be_read_lets_nobody_in(policy):
    url = replace(URL, policy=policy)
    assert not admits_stranger(url, CONTEXT)
    assert not admits(url, USER, Policies(identity=(BOTH,)), CONTEXT)


def test_a_user_of_the_account_needs_one_side():
    url = replace(URL, auth_type="AWS_IAM")
    assert not admits(url, USER, Policies(), CONTEXT)
    assert admits(url, USER, Policies(identity=(BOTH,)), CONTEXT)
    granted = url_with(
        statement("lambda:InvokeFunction*", principal={"AWS": USER.arn}), auth_type="AWS_IAM"
    )
    assert admits(granted, USER, Policies(), CONTEXT)
    assert admits(url, root_user(ACCOUNT), Policies(), CONTEXT)


def test_a_user_of_another_account_needs_both_sides():
    granted = url_with(
        statement("lambda:InvokeFunction*", principal={"AWS": STRANGE_USER.arn}),
        auth_type="AWS_IAM",
    )
    own = Policies(identity=(BOTH,))
    assert admits(granted, STRANGE_USER, own, CONTEXT)
    assert not admits(granted, STRANGE_USER, Policies(), CONTEXT)
    assert not admits(replace(URL, auth_type="AWS_IAM"), STRANGE_USER, own, CONTEXT)
