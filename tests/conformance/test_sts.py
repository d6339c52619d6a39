"""Sessions: assuming roles over the API and with profiles of the AWS CLI."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, document, trust

AWS = str(Path(sys.executable).with_name("aws"))


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


@pytest.fixture
def name(function_name):
    return function_name[-40:].strip("-")


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def user_arn(name):
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


def not_authorized(who, role, action="sts:AssumeRole"):
    return (
        "AccessDenied",
        f"User: {who} is not authorized to perform: {action} on resource: {role}",
    )


def test_a_trusted_user_becomes_the_role(household, name):
    sts = household.client("sts", household.user(name))
    role = household.role(f"{name}-r", trust({"AWS": user_arn(name)}), allow("lambda:*"))
    taken = sts.assume_role(RoleArn=role, RoleSessionName="session")
    assert taken["AssumedRoleUser"]["Arn"] == (
        f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}-r/session"
    )
    session = taken["Credentials"]
    assert session["AccessKeyId"].startswith("ASIA")
    who = household.client("sts", session).get_caller_identity()
    assert who["Arn"] == taken["AssumedRoleUser"]["Arn"]
    assert who["UserId"] == taken["AssumedRoleUser"]["AssumedRoleId"]
    household.client("lambda", session).list_functions()
    assert refusal(household.client("iam", session).list_users)[0] == "AccessDenied"
    household.iam.delete_role_policy(RoleName=f"{name}-r", PolicyName="own")
    household.iam.delete_role(RoleName=f"{name}-r")
    assert refusal(household.client("sts", session).get_caller_identity)[0] == (
        "InvalidClientTokenId"
    )
    assert refusal(sts.assume_role, RoleArn=role, RoleSessionName="session") == not_authorized(
        user_arn(name), role
    )


def test_who_is_made_again_under_a_trusted_name_is_not_trusted(household, name):
    household.user(name)
    role = household.role(f"{name}-r", trust({"AWS": user_arn(name)}))
    iam = household.iam
    (key,) = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)
    sts = household.client("sts", household.user(name, allow("sts:*")))
    asked = {"RoleArn": role, "RoleSessionName": "session"}
    assert refusal(sts.assume_role, **asked) == not_authorized(user_arn(name), role)
    trusted = trust({"AWS": user_arn(name)})
    iam.update_assume_role_policy(RoleName=f"{name}-r", PolicyDocument=trusted)
    sts.assume_role(**asked)


def test_where_the_account_is_trusted_the_user_needs_a_policy(household, name):
    sts = household.client("sts", household.user(name))
    role = household.role(f"{name}-r", trust({"AWS": ACCOUNT}))
    asked = {"RoleArn": role, "RoleSessionName": "session"}
    assert refusal(sts.assume_role, **asked) == not_authorized(user_arn(name), role)
    household.let_user(name, allow("sts:AssumeRole", on=role))
    sts.assume_role(**asked)


def test_a_policy_alone_opens_no_role(household, name):
    sts = household.client("sts", household.user(name, allow("*")))
    role = household.role(f"{name}-r", trust({"Service": "lambda.amazonaws.com"}))
    asked = {"RoleArn": role, "RoleSessionName": "session"}
    assert refusal(sts.assume_role, **asked) == not_authorized(user_arn(name), role)


def test_an_external_id_must_be_the_agreed_one(household, name):
    sts = household.client("sts", household.user(name))
    agreed = {"StringEquals": {"sts:ExternalId": "agreed"}}
    role = household.role(f"{name}-r", trust({"AWS": user_arn(name)}, Condition=agreed))
    asked = {"RoleArn": role, "RoleSessionName": "session"}
    assert refusal(sts.assume_role, **asked)[0] == "AccessDenied"
    assert refusal(sts.assume_role, ExternalId="other", **asked)[0] == "AccessDenied"
    sts.assume_role(ExternalId="agreed", **asked)


def test_session_policies_take_away(household, name):
    sts = household.client("sts", household.user(name))
    role = household.role(
        f"{name}-r", trust({"AWS": user_arn(name)}), allow("lambda:*", "iam:ListUsers")
    )
    asked = {"RoleArn": role, "RoleSessionName": "session"}
    inline = sts.assume_role(Policy=document(allow("iam:*")), **asked)["Credentials"]
    household.client("iam", inline).list_users()
    text = refusal(household.client("lambda", inline).list_functions)[1]
    assert text.endswith("because no session policy allows the lambda:ListFunctions action")
    assert refusal(household.client("iam", inline).list_roles)[0] == "AccessDenied"
    only = [{"arn": "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess"}]
    managed = sts.assume_role(PolicyArns=only, **asked)["Credentials"]
    household.client("lambda", managed).list_functions()
    assert refusal(household.client("iam", managed).list_users)[0] == "AccessDenied"
    assert refusal(sts.assume_role, Policy="{", **asked)[0] == "MalformedPolicyDocument"
    none = [{"arn": "arn:aws:iam::000000000000:policy/none"}]
    assert refusal(sts.assume_role, PolicyArns=none, **asked)[0] == "MalformedPolicyDocument"
    other = household.role(f"{name}-o", trust({"Service": "lambda.amazonaws.com"}))
    guess = {**asked, "RoleArn": other, "PolicyArns": none}
    assert refusal(sts.assume_role, **guess)[0] == "AccessDenied", "policies are nobody's business"


def test_a_session_holds_only_so_much(household, name):
    sts = household.client("sts", household.user(name))
    trusted = document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": user_arn(name)},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }
    )
    role = household.role(f"{name}-r", trusted)
    tags = [{"Key": os.urandom(32).hex(), "Value": os.urandom(128).hex()} for _ in range(50)]
    asked = {"RoleArn": role, "RoleSessionName": "session"}
    assert refusal(sts.assume_role, Tags=tags, **asked)[0] == "PackedPolicyTooLarge"
    few = sts.assume_role(Tags=tags[:10], **asked)["Credentials"]
    household.client("sts", few).get_caller_identity()


def test_how_long_a_session_may_last(household, name):
    sts = household.client("sts", household.user(name))
    role = household.role(f"{name}-r", trust({"AWS": user_arn(name)}), MaxSessionDuration=7200)
    asked = {"RoleArn": role, "RoleSessionName": "session"}
    sts.assume_role(DurationSeconds=7200, **asked)
    assert refusal(sts.assume_role, DurationSeconds=7201, **asked) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )


def test_a_session_of_a_session_lasts_an_hour_and_keeps_transitive_tags(household, name):
    sts = household.client("sts", household.user(name))
    tags = document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": user_arn(name)},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        }
    )
    first = household.role(f"{name}-1", tags, allow("sts:AssumeRole"))
    blue = {"StringEquals": {"aws:PrincipalTag/team": "blue", "aws:SourceIdentity": "someone"}}
    second = household.role(
        f"{name}-2", trust({"AWS": first}), allow("lambda:*", Condition=blue),
        MaxSessionDuration=43200,
    )  # fmt: skip
    taken = sts.assume_role(
        RoleArn=first,
        RoleSessionName="one",
        Tags=[{"Key": "team", "Value": "blue"}, {"Key": "cost", "Value": "1"}],
        TransitiveTagKeys=["team"],
        SourceIdentity="someone",
    )
    assert taken["SourceIdentity"] == "someone"
    chained = household.client("sts", taken["Credentials"])
    asked = {"RoleArn": second, "RoleSessionName": "two"}
    assert refusal(chained.assume_role, DurationSeconds=3601, **asked) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role "
        "chaining",
    )
    end = chained.assume_role(**asked)["Credentials"]
    household.client("lambda", end).list_functions()


def test_tags_need_a_permission_of_their_own(household, name):
    sts = household.client("sts", household.user(name))
    role = household.role(f"{name}-r", trust({"AWS": user_arn(name)}))
    asked = {"RoleArn": role, "RoleSessionName": "session", "Tags": [{"Key": "a", "Value": "b"}]}
    assert refusal(sts.assume_role, **asked) == not_authorized(
        user_arn(name), role, "sts:TagSession"
    )


def test_the_session_of_a_user(household, name):
    sts = household.client("sts", household.user(name, allow("lambda:*", "iam:*")))
    session = sts.get_session_token()["Credentials"]
    assert household.client("sts", session).get_caller_identity()["Arn"] == user_arn(name)
    household.client("lambda", session).list_functions()
    assert refusal(household.client("iam", session).list_users)[0] == "InvalidClientTokenId"
    assert refusal(household.client("sts", session).get_session_token)[0] == "AccessDenied"


def test_a_key_id_holds_its_account(household, platform, name):
    sts = platform.client("sts")
    key_id = household.user(name)["AccessKeyId"]
    for each in (key_id, platform.root_key()[0]):
        assert sts.get_access_key_info(AccessKeyId=each)["Account"] == ACCOUNT


def test_profiles_of_the_aws_cli(household, platform, tmp_path, name):
    key = household.user(name)
    role = household.role(f"{name}-r", trust({"AWS": user_arn(name)}))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(
        f"""
[default]
region = us-east-1
endpoint_url = {platform.endpoint}
[profile worker]
region = us-east-1
endpoint_url = {platform.endpoint}
role_arn = {role}
source_profile = default
role_session_name = from-a-profile
"""
    )
    (tmp_path / ".aws/credentials").write_text(
        f"[default]\naws_access_key_id = {key['AccessKeyId']}\n"
        f"aws_secret_access_key = {key['SecretAccessKey']}\n"
    )

    def who(*options):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ALONZO_"))}
        done = subprocess.run(
            [AWS, "sts", "get-caller-identity", *options],
            env={**kept, "HOME": str(tmp_path), "AWS_ENDPOINT_URL": platform.endpoint},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["Arn"]

    assert who() == user_arn(name)
    assert who("--profile", "worker") == (
        f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}-r/from-a-profile"
    )


def test_the_root_user_may_take_a_role_that_trusts_the_account(household, platform, name):
    sts = platform.client("sts")
    role = household.role(f"{name}-r", trust({"AWS": ACCOUNT}))
    closed = household.role(f"{name}-c", trust({"Service": "lambda.amazonaws.com"}))
    session = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    assert refusal(household.client("lambda", session).list_functions)[0] == (
        "AccessDeniedException"
    )
    assert refusal(sts.assume_role, RoleArn=closed, RoleSessionName="session")[0] == "AccessDenied"
