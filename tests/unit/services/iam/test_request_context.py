"""The keys that conditions find, by who calls and how."""

import pytest

from alonzo.model.context import Principal, RequestContext, Session
from alonzo.services.iam.request_context import global_context

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/path/r"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"
TOPIC = "arn:aws:sns:eu-west-1:999999999999:t"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIA", is_root=True)
USER = Principal(
    ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/a/b/carlos", "AIDA", "AKIA", identity_id="AIDA"
)
SESSION = Principal(
    ACCOUNT,
    f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s",
    "AROA:s",
    "ASIA",
    identity_id="AROA",
    session=Session(
        "s",
        1_000_000_000.5,
        role_arn=ROLE,
        tags=(("Team", "blue"),),
        source_identity="carlos",
        function_arn=FUNCTION,
    ),
)
SERVICE = Principal(
    ACCOUNT, "sns.amazonaws.com", "sns.amazonaws.com", "", service="sns.amazonaws.com"
)
NOW_S = 1_600_000_000.9


def keys_of(principal, tags=None, **more):
    members = {"endpoint": "http://localhost", "source_ip": "203.0.113.9", **more}
    context = RequestContext("r", ACCOUNT, "eu-west-1", principal, **members)
    return global_context(context, NOW_S, tags)


@pytest.mark.parametrize(
    ("keys", "key", "value"),
    [
        # Source: IAM user guide, global condition context keys: of the principal.
        (keys_of(ROOT), "aws:PrincipalArn", ROOT.arn),
        (keys_of(ROOT), "aws:PrincipalAccount", ACCOUNT),
        (keys_of(ROOT), "aws:PrincipalType", "Account"),
        (keys_of(ROOT), "aws:userid", ACCOUNT),
        (keys_of(ROOT), "aws:username", None),
        (keys_of(USER), "aws:PrincipalArn", USER.arn),
        (keys_of(USER), "aws:PrincipalType", "User"),
        (keys_of(USER), "aws:userid", "AIDA"),
        (keys_of(USER), "aws:username", "carlos"),
        (keys_of(USER, {"Team": "red"}), "aws:PrincipalTag/Team", "red"),
        (keys_of(SESSION), "aws:PrincipalArn", ROLE),
        (keys_of(SESSION), "aws:PrincipalType", "AssumedRole"),
        (keys_of(SESSION), "aws:userid", "AROA:s"),
        (keys_of(SESSION), "aws:username", None),
        (keys_of(SESSION, {"Team": "red", "Level": "1"}), "aws:PrincipalTag/Team", "blue"),
        (keys_of(SESSION, {"Team": "red", "Level": "1"}), "aws:PrincipalTag/Level", "1"),
        (keys_of(USER), "aws:PrincipalIsAWSService", "false"),
        (keys_of(SERVICE), "aws:PrincipalIsAWSService", "true"),
        (keys_of(SERVICE), "aws:PrincipalServiceName", "sns.amazonaws.com"),
        (keys_of(SERVICE), "aws:PrincipalAccount", None),
        (keys_of(SERVICE, source_arn=TOPIC), "aws:SourceArn", TOPIC),
        (keys_of(SERVICE, source_arn=TOPIC), "aws:SourceAccount", "999999999999"),
        (keys_of(USER), "aws:PrincipalOrgID", None),
        (keys_of(USER), "aws:FederatedProvider", None),
        # Of the session.
        (keys_of(USER), "aws:TokenIssueTime", None),
        (keys_of(SESSION), "aws:TokenIssueTime", "2001-09-09T01:46:40Z"),
        (keys_of(SESSION), "aws:SourceIdentity", "carlos"),
        (keys_of(USER), "aws:MultiFactorAuthPresent", None),
        (keys_of(SESSION), "aws:MultiFactorAuthPresent", "false"),
        (keys_of(SESSION), "aws:MultiFactorAuthAge", None),
        (keys_of(SESSION), "lambda:SourceFunctionArn", FUNCTION),
        (keys_of(USER), "lambda:SourceFunctionArn", None),
        # Of the network and of the request.
        (keys_of(USER), "aws:SourceIp", "203.0.113.9"),
        (keys_of(USER), "aws:SourceVpc", None),
        (keys_of(USER), "aws:SecureTransport", "false"),
        (keys_of(USER, endpoint="https://localhost"), "aws:SecureTransport", "true"),
        (keys_of(SERVICE, endpoint=""), "aws:SecureTransport", "true"),
        (keys_of(SESSION, from_sandbox=True), "aws:SecureTransport", "true"),
        (keys_of(USER), "aws:CurrentTime", "2020-09-13T12:26:40Z"),
        (keys_of(USER), "aws:EpochTime", "1600000000"),
        (keys_of(USER), "aws:RequestedRegion", "eu-west-1"),
        (keys_of(USER), "aws:UserAgent", None),
        (keys_of(USER, user_agent="Boto3/1"), "aws:UserAgent", "Boto3/1"),
        (keys_of(USER), "aws:Referer", None),
        (keys_of(USER, referer="http://a"), "aws:Referer", "http://a"),
        (keys_of(USER), "aws:ViaAWSService", "false"),
        (keys_of(USER), "aws:CalledVia", None),
    ],
)
def test_a_key_of_a_request(keys, key, value):
    assert keys.get(key.lower()) == value
