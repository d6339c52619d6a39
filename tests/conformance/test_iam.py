"""IAM as people and tools use it: stock botocore against a running platform."""

import json
import re
import urllib.parse
import urllib.request
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, document, trust

LAMBDA = trust({"Service": "lambda.amazonaws.com"})
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
READS = document(allow("s3:Get*"))


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


@pytest.fixture
def iam(household):
    return household.iam


@pytest.fixture
def name(function_name):
    return function_name[-40:].strip("-")


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response
    return (
        error["ResponseMetadata"]["HTTPStatusCode"],
        error["Error"]["Code"],
        error["Error"]["Message"],
    )


def test_the_life_of_a_user(household, iam, name):
    household.user(name)
    iam.create_user(UserName=f"{name}.2", Path="/eng/", Tags=[{"Key": "Team", "Value": "a"}])
    user = iam.get_user(UserName=f"{name}.2".upper())["User"]
    assert re.fullmatch(r"AIDA[A-Z2-7]{17}", user["UserId"])
    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/eng/{name}.2"
    assert user["Tags"] == [{"Key": "Team", "Value": "a"}]
    assert (datetime.now(UTC) - user["CreateDate"]).total_seconds() < 60
    assert refusal(iam.create_user, UserName=name.upper()) == (
        409,
        "EntityAlreadyExists",
        f"User with name {name.upper()} already exists.",
    )
    listed = iam.list_users(PathPrefix="/eng/")["Users"]
    assert [each["UserName"] for each in listed if each["UserName"].startswith(name)] == [
        f"{name}.2"
    ]
    iam.tag_user(UserName=f"{name}.2", Tags=[{"Key": "team", "Value": "b"}])
    iam.update_user(UserName=f"{name}.2", NewUserName=f"{name}.3", NewPath="/ops/")
    assert iam.list_user_tags(UserName=f"{name}.3")["Tags"] == [{"Key": "team", "Value": "b"}]
    iam.untag_user(UserName=f"{name}.3", TagKeys=["TEAM"])
    assert iam.list_user_tags(UserName=f"{name}.3")["Tags"] == []
    assert refusal(iam.update_user, UserName=f"{name}.3", NewUserName=name)[1] == (
        "EntityAlreadyExists"
    )
    iam.delete_user(UserName=f"{name}.3")
    assert refusal(iam.get_user, UserName=f"{name}.3") == (
        404,
        "NoSuchEntity",
        f"The user with name {name}.3 cannot be found.",
    )
    assert refusal(iam.delete_user, UserName=name) == (
        409,
        "DeleteConflict",
        "Cannot delete entity, must delete access keys first.",
    )


def test_the_life_of_an_access_key(household, iam, name):
    key = household.user(name, allow("iam:GetUser"))
    client = household.client("iam", key)
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", key["AccessKeyId"])
    assert re.fullmatch(r"[A-Za-z0-9+/]{40}", key["SecretAccessKey"])
    other = iam.create_access_key(UserName=name)["AccessKey"]
    assert refusal(iam.create_access_key, UserName=name) == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    )
    shown = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    ids = [key["AccessKeyId"], other["AccessKeyId"]]
    assert sorted(each["AccessKeyId"] for each in shown) == sorted(ids)
    assert all("SecretAccessKey" not in each for each in shown)
    client.get_user()
    at = {"UserName": name, "AccessKeyId": key["AccessKeyId"]}
    iam.update_access_key(Status="Inactive", **at)
    assert refusal(client.get_user)[:2] == (403, "InvalidClientTokenId")
    iam.update_access_key(Status="Active", **at)
    client.get_user()
    unused = iam.get_access_key_last_used(AccessKeyId=other["AccessKeyId"])
    assert unused["UserName"] == name
    assert unused["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    iam.delete_access_key(**at)
    assert refusal(client.get_user)[1] == "InvalidClientTokenId"
    assert refusal(iam.delete_access_key, **at)[1] == "NoSuchEntity"


def test_when_a_key_was_used_is_told_to_whom_may_know_it_of_its_user(household, name):
    key = household.user(name)
    client = household.client("iam", key)
    asked = {"AccessKeyId": key["AccessKeyId"]}
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    household.let_user(name, allow("iam:GetAccessKeyLastUsed", on=arn))
    assert client.get_access_key_last_used(**asked)["UserName"] == name
    household.let_user(name, allow("iam:GetAccessKeyLastUsed", on=f"{arn}x"))
    with pytest.raises(ClientError, match=f"on resource: {arn} because"):
        client.get_access_key_last_used(**asked)


def test_a_wrong_secret_is_refused(household, name):
    key = {**household.user(name), "SecretAccessKey": "x" * 40}
    assert refusal(household.client("sts", key).get_caller_identity)[:2] == (
        403,
        "SignatureDoesNotMatch",
    )


def test_the_life_of_a_role(household, iam, name):
    tags = [{"Key": "a", "Value": "1"}]
    arn = household.role(
        name, LAMBDA, Path="/svc/", Description="d", MaxSessionDuration=7200, Tags=tags
    )
    role = iam.get_role(RoleName=name)["Role"]
    assert arn == role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/svc/{name}"
    assert re.fullmatch(r"AROA[A-Z2-7]{17}", role["RoleId"])
    assert role["AssumeRolePolicyDocument"] == json.loads(LAMBDA)
    assert (role["Description"], role["MaxSessionDuration"], role["Tags"]) == ("d", 7200, tags)
    iam.update_role(RoleName=name, Description="e", MaxSessionDuration=3600)
    described = iam.update_role_description(RoleName=name, Description="f")["Role"]
    assert (described["Description"], described["MaxSessionDuration"]) == ("f", 3600)
    other = trust({"AWS": ACCOUNT})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=other)
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == json.loads(other)
    iam.attach_role_policy(RoleName=name, PolicyArn=BASIC)
    assert refusal(iam.delete_role, RoleName=name) == (
        409,
        "DeleteConflict",
        "Cannot delete entity, must detach all policies first.",
    )
    iam.detach_role_policy(RoleName=name, PolicyArn=BASIC)
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=READS)
    assert refusal(iam.delete_role, RoleName=name)[2] == (
        "Cannot delete entity, must delete policies first."
    )
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    assert [each["RoleName"] for each in profile["Roles"]] == [name]
    assert len(iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"]) == 1
    assert refusal(iam.delete_role, RoleName=name)[2] == (
        "Cannot delete entity, must remove roles from instance profile first."
    )
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    iam.delete_instance_profile(InstanceProfileName=name)
    iam.delete_role(RoleName=name)
    assert refusal(iam.get_role, RoleName=name)[2] == (
        f"The role with name {name} cannot be found."
    )


@pytest.mark.parametrize(
    ("document_", "text"),
    [
        ("{", "This policy contains invalid Json"),
        (trust({"Service": "nonsense"}), 'Invalid principal in policy: "SERVICE":"nonsense"'),
        (
            trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody-at-all"}),
            f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:user/nobody-at-all"',
        ),
        (document(allow("s3:Get", Principal="*")), "Has prohibited field Resource"),
    ],
)
def test_no_trust_policy(iam, document_, text):
    given = {"RoleName": "never", "AssumeRolePolicyDocument": document_}
    assert refusal(iam.create_role, **given) == (400, "MalformedPolicyDocument", text)


def test_the_versions_of_a_managed_policy(household, iam, name):
    household.role(name, LAMBDA)
    arn = iam.create_policy(
        PolicyName=name, Path="/team/", PolicyDocument=READS, Description="reads"
    )["Policy"]["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/team/{name}"
    at = {"PolicyArn": arn}
    for number in range(2, 6):
        text = document(allow(f"s3:Get{number}"))
        version = iam.create_policy_version(PolicyDocument=text, **at)["PolicyVersion"]
        assert (version["VersionId"], version["IsDefaultVersion"]) == (f"v{number}", False)
    full = "A managed policy can have up to 5 versions. Before you create a new version, you must "
    assert refusal(iam.create_policy_version, PolicyDocument=READS, **at) == (
        409,
        "LimitExceeded",
        f"{full}delete an existing version.",
    )
    iam.set_default_policy_version(VersionId="v3", **at)
    listed = iam.list_policy_versions(**at)["Versions"]
    assert [each["VersionId"] for each in listed] == ["v5", "v4", "v3", "v2", "v1"]
    assert [each["VersionId"] for each in listed if each["IsDefaultVersion"]] == ["v3"]
    shown = iam.get_policy_version(VersionId="v3", **at)["PolicyVersion"]["Document"]
    assert shown["Statement"][0]["Action"] == ["s3:Get3"]
    assert refusal(iam.delete_policy_version, VersionId="v3", **at)[1:] == (
        "DeleteConflict",
        "Cannot delete the default version of a policy.",
    )
    iam.attach_role_policy(RoleName=name, **at)
    policy = iam.get_policy(**at)["Policy"]
    assert (policy["DefaultVersionId"], policy["AttachmentCount"]) == ("v3", 1)
    assert policy["Description"] == "reads"
    roles = iam.list_entities_for_policy(**at)["PolicyRoles"]
    assert [each["RoleName"] for each in roles] == [name]
    assert refusal(iam.delete_policy, **at)[2] == "Cannot delete a policy attached to entities."
    iam.detach_role_policy(RoleName=name, **at)
    assert "more than one version" in refusal(iam.delete_policy, **at)[2]
    for number in (1, 2, 4, 5):
        iam.delete_policy_version(VersionId=f"v{number}", **at)
    # A number is never given twice.
    again = iam.create_policy_version(PolicyDocument=READS, **at)["PolicyVersion"]
    assert again["VersionId"] == "v6"
    iam.delete_policy_version(VersionId="v6", **at)
    iam.delete_policy(**at)
    assert refusal(iam.get_policy, **at) == (404, "NoSuchEntity", f"Policy {arn} was not found.")


def test_the_policies_of_aws(household, iam, name):
    policy = iam.get_policy(PolicyArn=BASIC)["Policy"]
    assert (policy["Path"], policy["DefaultVersionId"]) == ("/service-role/", "v1")
    shown = iam.get_policy_version(PolicyArn=BASIC, VersionId="v1")["PolicyVersion"]["Document"]
    assert shown["Statement"][0]["Action"] == [
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    ]
    names = {
        each["PolicyName"]
        for page in iam.get_paginator("list_policies").paginate(
            Scope="AWS", PaginationConfig={"PageSize": 3}
        )
        for each in page["Policies"]
    }
    assert {
        "AdministratorAccess",
        "AWSLambda_FullAccess",
        "AWSLambdaSQSQueueExecutionRole",
    } <= names
    household.role(name, LAMBDA)
    missing = "arn:aws:iam::aws:policy/NoSuchPolicy"
    assert refusal(iam.attach_role_policy, RoleName=name, PolicyArn=missing) == (
        404,
        "NoSuchEntity",
        f"Policy {missing} does not exist or is not attachable.",
    )


def test_inline_policies(household, iam, name):
    household.user(name)
    at = {"UserName": name, "PolicyName": "p"}
    spaced = json.dumps(json.loads(READS), indent=4)
    iam.put_user_policy(PolicyDocument=spaced, **at)
    assert iam.get_user_policy(**at)["PolicyDocument"] == json.loads(READS)
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == ["p"]
    assert refusal(iam.put_user_policy, PolicyDocument="{}", **at)[1:] == (
        "MalformedPolicyDocument",
        "Syntax errors in policy.",
    )
    long = document(allow(*[f"s3:Get{number:040d}" for number in range(60)]))
    assert refusal(iam.put_user_policy, PolicyDocument=long, **at) == (
        409,
        "LimitExceeded",
        f"Maximum policy size of 2048 bytes exceeded for user {name}",
    )
    iam.delete_user_policy(**at)
    assert refusal(iam.get_user_policy, **at) == (
        404,
        "NoSuchEntity",
        "The user policy with name p cannot be found.",
    )


def test_lists_come_in_pages(iam, name):
    names = [f"{name}-{number:02d}" for number in range(7)]
    for each in names:
        iam.create_group(GroupName=each, Path=f"/{name}/")
    pages = list(
        iam.get_paginator("list_groups").paginate(
            PathPrefix=f"/{name}/", PaginationConfig={"PageSize": 3}
        )
    )
    assert [len(page["Groups"]) for page in pages] == [3, 3, 1]
    assert [each["GroupName"] for page in pages for each in page["Groups"]] == names
    for each in names:
        iam.delete_group(GroupName=each)
    assert refusal(iam.list_groups, Marker="no marker")[1] == "ValidationError"


def test_service_linked_roles(iam):
    made = iam.create_service_linked_role(AWSServiceName="replicator.lambda.amazonaws.com")["Role"]
    assert made["RoleName"] == "AWSServiceRoleForLambdaReplicator"
    assert made["Path"] == "/aws-service-role/replicator.lambda.amazonaws.com/"
    at = {"RoleName": made["RoleName"]}
    assert refusal(iam.delete_role, **at)[1] == "UnmodifiableEntity"
    assert refusal(iam.attach_role_policy, PolicyArn=BASIC, **at)[1] == "UnmodifiableEntity"
    task = iam.delete_service_linked_role(**at)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"


def test_the_simulator_says_what_would_be(household, iam, name):
    arn = household.role(name, LAMBDA, allow("s3:Get*", on="arn:aws:s3:::b/*"))
    household.let_role(
        name,
        allow("s3:Get*", on="arn:aws:s3:::b/*"),
        {
            "Effect": "Deny",
            "Action": "s3:GetObject",
            "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    )
    asked = {
        "PolicySourceArn": arn,
        "ActionNames": ["s3:GetObject", "s3:PutObject"],
        "ResourceArns": ["arn:aws:s3:::b/1"],
    }

    def outcomes(**more):
        results = iam.simulate_principal_policy(**asked, **more)["EvaluationResults"]
        return {each["EvalActionName"]: each["EvalDecision"] for each in results}

    assert outcomes() == {"s3:GetObject": "allowed", "s3:PutObject": "implicitDeny"}
    plain = {
        "ContextKeyName": "aws:SecureTransport",
        "ContextKeyType": "boolean",
        "ContextKeyValues": ["false"],
    }
    assert outcomes(ContextEntries=[plain])["s3:GetObject"] == "explicitDeny"
    put = outcomes(PolicyInputList=[document(allow("s3:PutObject"))])
    assert put["s3:PutObject"] == "allowed"
    limited = iam.simulate_principal_policy(
        **asked, PermissionsBoundaryPolicyInputList=[document(allow("s3:PutObject"))]
    )["EvaluationResults"][0]
    assert limited["EvalDecision"] == "implicitDeny"
    assert limited["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    keys = iam.get_context_keys_for_principal_policy(PolicySourceArn=arn)["ContextKeyNames"]
    assert keys == ["aws:SecureTransport"]
    own = iam.simulate_custom_policy(PolicyInputList=[READS], ActionNames=["s3:GetObject"])
    assert own["EvaluationResults"][0]["EvalDecision"] == "allowed"


def test_the_account_shows_all_that_it_has(household, iam, name):
    household.role(name, LAMBDA, allow("s3:Get*"))
    iam.attach_role_policy(RoleName=name, PolicyArn=BASIC)
    pages = list(
        iam.get_paginator("get_account_authorization_details").paginate(
            PaginationConfig={"PageSize": 2}
        )
    )
    roles = [role for page in pages for role in page["RoleDetailList"]]
    (mine,) = [role for role in roles if role["RoleName"] == name]
    assert mine["AttachedManagedPolicies"][0]["PolicyArn"] == BASIC
    assert mine["RolePolicyList"][0]["PolicyName"] == "own"
    assert any(policy["Arn"] == BASIC for page in pages for policy in page["Policies"])
    assert iam.get_account_summary()["SummaryMap"]["Roles"] >= 1
    iam.create_account_alias(AccountAlias="alonzo-test")
    assert iam.list_account_aliases()["AccountAliases"] == ["alonzo-test"]
    iam.delete_account_alias(AccountAlias="alonzo-test")


def test_what_is_missing_says_why(iam):
    status, _, message = refusal(iam.create_login_profile, UserName="u", Password="p" * 8)
    assert status == 501
    assert "no console to sign in to" in message


def test_no_secret_is_ever_shown_again(household, iam, platform, name):
    key = household.user(name)
    shown = json.dumps(
        [
            iam.get_account_authorization_details(),
            iam.list_access_keys(UserName=name),
            iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"]),
        ],
        default=str,
    )
    assert key["SecretAccessKey"] not in shown
    assert key["SecretAccessKey"] not in platform.log
    database = b"".join(
        path.read_bytes() for path in platform.data_dir.rglob("*") if path.is_file()
    )
    assert key["SecretAccessKey"].encode() not in database


def test_an_unsigned_request_is_refused(platform):
    body = urllib.parse.urlencode({"Action": "ListUsers", "Version": "2010-05-08"}).encode()
    with pytest.raises(urllib.request.HTTPError) as caught:
        urllib.request.urlopen(platform.endpoint, body, timeout=10)
    with caught.value as answer:
        assert (answer.status, b"MissingAuthenticationToken" in answer.read()) == (403, True)
