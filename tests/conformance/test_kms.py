"""KMS as its users meet it: keys, contexts, aliases, policies, grants, rotation."""

import json

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, document

ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}:"


@pytest.fixture
def kms(boto):
    return boto("kms")


@pytest.fixture
def key(kms):
    made = kms.create_key()["KeyMetadata"]["Arn"]
    yield made
    kms.enable_key(KeyId=made) if state(kms, made) == "Disabled" else None
    if state(kms, made) != "PendingDeletion":
        kms.schedule_key_deletion(KeyId=made, PendingWindowInDays=7)


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


@pytest.fixture
def name(function_name):
    return function_name[-40:].strip("-")


def state(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_key_is_described_as_aws_describes_one(kms):
    made = kms.create_key(Description="for tests", Tags=[{"TagKey": "team", "TagValue": "blue"}])[
        "KeyMetadata"
    ]
    assert made["Arn"] == f"{ARN}key/{made['KeyId']}"
    assert made["KeyState"] == "Enabled"
    assert made["Enabled"] is True
    assert made["KeySpec"] == made["CustomerMasterKeySpec"] == "SYMMETRIC_DEFAULT"
    assert made["EncryptionAlgorithms"] == ["SYMMETRIC_DEFAULT"]
    assert made["KeyManager"] == "CUSTOMER"
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"] == made
    assert kms.list_resource_tags(KeyId=made["KeyId"])["Tags"] == [
        {"TagKey": "team", "TagValue": "blue"}
    ]
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1})
    assert made["Arn"] in [each["KeyArn"] for page in pages for each in page["Keys"]]
    kms.update_key_description(KeyId=made["Arn"], Description="other")
    kms.tag_resource(KeyId=made["KeyId"], Tags=[{"TagKey": "k", "TagValue": "v"}])
    kms.untag_resource(KeyId=made["KeyId"], TagKeys=["team"])
    assert kms.list_resource_tags(KeyId=made["KeyId"])["Tags"] == [{"TagKey": "k", "TagValue": "v"}]
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]["Description"] == "other"


def test_what_is_encrypted_comes_back_with_the_same_context_only(kms, key):
    context = {"tenant": "7", "purpose": "mail"}
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=context)
    assert sealed["KeyId"] == key
    assert b"secret" not in sealed["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", key)
    for wrong in ({}, {"tenant": "7"}, {"tenant": "8", "purpose": "mail"}, {**context, "a": "b"}):
        code, message = refusal(
            kms.decrypt, CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=wrong
        )
        assert (code, message) == ("InvalidCiphertextException", "")
    assert refusal(kms.decrypt, CiphertextBlob=b"no ciphertext") == (
        "InvalidCiphertextException",
        "",
    )
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    assert refusal(
        kms.decrypt,
        CiphertextBlob=sealed["CiphertextBlob"],
        EncryptionContext=context,
        KeyId=other,
    ) == (
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )


def test_data_keys_open_to_what_they_were(kms, key):
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={"a": "b"})
    assert len(made["Plaintext"]) == 32
    opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert opened["Plaintext"] == made["Plaintext"]
    bare = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=77)
    assert "Plaintext" not in bare
    assert len(kms.decrypt(CiphertextBlob=bare["CiphertextBlob"])["Plaintext"]) == 77
    assert refusal(kms.generate_data_key, KeyId=key) == (
        "ValidationException",
        "Please specify either number of bytes or key spec.",
    )
    assert len(kms.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024
    assert refusal(kms.generate_data_key, KeyId=key, KeySpec="AES_128", DryRun=True)[0] == (
        "DryRunOperationException"
    )


def test_a_ciphertext_goes_from_one_key_to_another(kms, key):
    target = kms.create_key()["KeyMetadata"]["Arn"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=sealed,
        SourceEncryptionContext={"a": "b"},
        DestinationKeyId=target,
        DestinationEncryptionContext={"c": "d"},
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key, target)
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"c": "d"})
    assert opened["Plaintext"] == b"x"


def test_a_key_is_used_only_while_it_is_enabled(kms, key):
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    for call, params in (
        (kms.decrypt, {"CiphertextBlob": sealed}),
        (kms.encrypt, {"KeyId": key, "Plaintext": b"x"}),
    ):
        assert refusal(call, **params) == ("DisabledException", f"{key} is disabled.")
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"
    gone = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert gone["KeyState"] == "PendingDeletion"
    pending = ("KMSInvalidStateException", f"{key} is pending deletion.")
    assert refusal(kms.decrypt, CiphertextBlob=sealed) == pending
    assert refusal(kms.enable_key, KeyId=key) == pending
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["DeletionDate"] == gone["DeletionDate"]
    kms.cancel_key_deletion(KeyId=key)
    assert state(kms, key) == "Disabled"
    assert refusal(kms.cancel_key_deletion, KeyId=key) == (
        "KMSInvalidStateException",
        f"{key} is not pending deletion.",
    )
    assert refusal(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=6)[0] == (
        "ValidationException"
    )


def test_an_alias_stands_for_its_key(kms, key, name):
    alias = f"alias/{name}"
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    sealed = kms.encrypt(KeyId=alias, Plaintext=b"x")
    assert sealed["KeyId"] == key
    assert kms.describe_key(KeyId=f"{ARN}{alias}")["KeyMetadata"]["Arn"] == key
    assert refusal(kms.create_alias, AliasName=alias, TargetKeyId=key) == (
        "AlreadyExistsException",
        f"An alias with the name {ARN}{alias} already exists",
    )
    other = kms.create_key()["KeyMetadata"]["Arn"]
    kms.update_alias(AliasName=alias, TargetKeyId=other)
    assert kms.encrypt(KeyId=alias, Plaintext=b"x")["KeyId"] == other
    assert [each["AliasName"] for each in kms.list_aliases(KeyId=other)["Aliases"]] == [alias]
    kms.delete_alias(AliasName=alias)
    gone = ("NotFoundException", f"Alias {ARN}{alias} is not found.")
    assert refusal(kms.describe_key, KeyId=alias) == gone
    assert refusal(kms.delete_alias, AliasName=alias) == gone
    assert refusal(kms.create_alias, AliasName="alias/aws/x", TargetKeyId=key)[0] == (
        "InvalidAliasNameException"
    )
    assert refusal(kms.create_alias, AliasName="none", TargetKeyId=key)[0] == "ValidationException"


def test_a_service_s_own_key_is_made_on_first_use_and_serves_only_it(kms, household, name):
    managed = kms.describe_key(KeyId="alias/aws/ssm")["KeyMetadata"]
    assert managed["KeyManager"] == "AWS"
    assert kms.describe_key(KeyId="alias/aws/ssm")["KeyMetadata"]["Arn"] == managed["Arn"]
    assert refusal(kms.encrypt, KeyId=managed["Arn"], Plaintext=b"x")[0] == "AccessDeniedException"
    assert refusal(kms.disable_key, KeyId=managed["Arn"])[0] == "AccessDeniedException"
    user = household.client("kms", household.user(name, allow("*")))
    code, message = refusal(user.encrypt, KeyId="alias/aws/ssm", Plaintext=b"x")
    assert code == "AccessDeniedException"
    assert message.endswith("because no resource-based policy allows the kms:Encrypt action")


def test_what_is_no_key_is_said_to_be_none(kms):
    absent = "00000000-0000-4000-8000-000000000000"
    assert refusal(kms.describe_key, KeyId=absent) == (
        "NotFoundException",
        f"Key '{ARN}key/{absent}' does not exist",
    )
    assert refusal(kms.describe_key, KeyId="nothing") == (
        "NotFoundException",
        "Invalid keyId 'nothing'",
    )
    assert refusal(kms.describe_key, KeyId="arn:aws:kms:eu-west-1:000000000000:key/x") == (
        "InvalidArnException",
        "Invalid arn eu-west-1",
    )


@pytest.mark.parametrize(
    "kind",
    [
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
        {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
        {"Origin": "EXTERNAL"},
        {"MultiRegion": True},
    ],
)
def test_other_kinds_of_keys_are_refused_clearly(kms, kind):
    code, message = refusal(kms.create_key, **kind)
    assert code == "UnsupportedOperationException"
    assert "not supported" in message


def test_the_key_policy_decides_whose_policies_count(kms, household, name):
    """By default the account's own policies do; a policy that names one user shuts out others."""
    member = household.client("kms", household.user(name, allow("kms:*")))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    member.encrypt(KeyId=key, Plaintext=b"x")
    only = document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"},
            "Action": "kms:*",
            "Resource": "*",
        }
    )
    assert refusal(kms.put_key_policy, KeyId=key, Policy=only) == (
        "MalformedPolicyDocumentException",
        "The new key policy will not allow you to update the key policy in the future.",
    )
    kms.put_key_policy(KeyId=key, Policy=only, BypassPolicyLockoutSafetyCheck=True)
    assert json.loads(member.get_key_policy(KeyId=key)["Policy"]) == json.loads(only)
    code, message = refusal(kms.encrypt, KeyId=key, Plaintext=b"x")
    assert code == "AccessDeniedException"
    assert message == (
        f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: kms:Encrypt on "
        f"resource: {key} because no resource-based policy allows the kms:Encrypt action"
    )
    other = household.client("kms", household.user(f"{name}-b", allow("*")))
    assert refusal(other.encrypt, KeyId=key, Plaintext=b"x")[0] == "AccessDeniedException"
    # The one that is named needs no policy of their own.
    household.let_user(name, allow("sts:GetCallerIdentity"))
    member.encrypt(KeyId=key, Plaintext=b"x")
    assert member.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
    member.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


def test_a_condition_on_the_encryption_context_holds(kms, key, household, name):
    statement = allow(
        "kms:Decrypt",
        "kms:Encrypt",
        Condition={"StringEquals": {"kms:EncryptionContext:tenant": "7"}},
    )
    user = household.client("kms", household.user(name, statement))
    sealed = user.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"tenant": "7"})
    blob = sealed["CiphertextBlob"]
    assert user.decrypt(CiphertextBlob=blob, EncryptionContext={"tenant": "7"})["Plaintext"] == b"x"
    assert refusal(user.encrypt, KeyId=key, Plaintext=b"x")[0] == "AccessDeniedException"
    other = kms.encrypt(KeyId=key, Plaintext=b"y", EncryptionContext={"tenant": "8"})
    assert refusal(
        user.decrypt, CiphertextBlob=other["CiphertextBlob"], EncryptionContext={"tenant": "8"}
    )[0] == ("AccessDeniedException")


def test_a_grant_lets_its_grantee_do_that_and_no_more(kms, key, household, name):
    user = household.client("kms", household.user(name))
    principal = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"A": "1", "b": "2"})[
        "CiphertextBlob"
    ]
    context = {"A": "1", "b": "2"}
    assert refusal(user.decrypt, CiphertextBlob=blob, EncryptionContext=context)[0] == (
        "AccessDeniedException"
    )
    made = kms.create_grant(
        KeyId=key,
        GranteePrincipal=principal,
        Operations=["Decrypt", "Encrypt", "DescribeKey", "CreateGrant"],
        Constraints={"EncryptionContextSubset": {"A": "1"}},
        Name="one",
    )
    again = kms.create_grant(
        KeyId=key,
        GranteePrincipal=principal,
        Operations=["Decrypt", "Encrypt", "DescribeKey", "CreateGrant"],
        Constraints={"EncryptionContextSubset": {"A": "1"}},
        Name="one",
    )
    assert again["GrantId"] == made["GrantId"]
    user.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    user.describe_key(KeyId=key)
    for wrong in ({}, {"a": "1"}, {"A": "2"}):
        assert refusal(user.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=wrong)[0] == (
            "AccessDeniedException"
        )
    assert refusal(user.disable_key, KeyId=key)[0] == "AccessDeniedException"
    # What is granted on is no more than what was granted.
    more = {"KeyId": key, "GranteePrincipal": principal}
    assert refusal(user.create_grant, **more, Operations=["GenerateDataKey"])[0] == (
        "AccessDeniedException"
    )
    assert refusal(user.create_grant, **more, Operations=["Decrypt"])[0] == "AccessDeniedException"
    child = user.create_grant(
        **more, Operations=["Decrypt"], Constraints={"EncryptionContextSubset": {"A": "1"}}
    )
    listed = {each["GrantId"]: each for each in kms.list_grants(KeyId=key)["Grants"]}
    assert set(listed) == {made["GrantId"], child["GrantId"]}
    assert listed[made["GrantId"]]["GranteePrincipal"] == principal
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    kms.retire_grant(GrantToken=child["GrantToken"])
    assert refusal(user.decrypt, CiphertextBlob=blob, EncryptionContext=context)[0] == (
        "AccessDeniedException"
    )


def test_only_the_retiring_principal_retires_a_grant(kms, key, household, name):
    retirer = household.client("kms", household.user(name))
    other = household.client("kms", household.user(f"{name}-b"))
    principals = [f"arn:aws:iam::{ACCOUNT}:user/{each}" for each in (name, f"{name}-b")]
    made = [
        kms.create_grant(
            KeyId=key,
            GranteePrincipal=principals[1],
            RetiringPrincipal=principals[place],
            Operations=["Decrypt"],
        )
        for place in (0, 1)
    ]
    found = retirable = kms.list_retirable_grants(RetiringPrincipal=principals[0])["Grants"]
    assert [each["GrantId"] for each in found] == [made[0]["GrantId"]]
    assert refusal(other.retire_grant, KeyId=key, GrantId=made[0]["GrantId"])[0] == (
        "AccessDeniedException"
    )
    retirer.retire_grant(KeyId=key, GrantId=made[0]["GrantId"])
    other.retire_grant(GrantToken=made[1]["GrantToken"])
    assert not kms.list_grants(KeyId=key)["Grants"]
    assert retirable


def test_rotation_keeps_what_was_encrypted_readable(kms, key):
    old = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 180)
    kms.rotate_key_on_demand(KeyId=key)
    rotations = kms.list_key_rotations(KeyId=key)["Rotations"]
    assert [each["RotationType"] for each in rotations] == ["ON_DEMAND"]
    new = kms.encrypt(KeyId=key, Plaintext=b"new")["CiphertextBlob"]
    read = [kms.decrypt(CiphertextBlob=blob) for blob in (old, new)]
    assert [each["Plaintext"] for each in read] == [b"old", b"new"]
    assert read[0]["KeyMaterialId"] != read[1]["KeyMaterialId"]
    kms.disable_key_rotation(KeyId=key)
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
