"""What a request for S3 may say of keys and ACLs, decided without looking anywhere."""

import base64
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.s3.access import access_rules
from alonzo.services.s3.buckets import acls, settings
from alonzo.services.s3.buckets.names import canonical_id
from alonzo.services.s3.objects import encryption
from alonzo.services.s3.records import Bucket

ACCOUNT = "123456789012"
BUCKET = Bucket(1, 1, "b-1", ACCOUNT, "eu-west-1", 0.0)
KEY_ID = "11111111-2222-4333-8444-555555555555"
OWNER = f'id="{canonical_id(ACCOUNT)}"'
EVERYBODY = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'


def bucket_with(**documents):
    return replace(BUCKET, documents={name: json.dumps(each) for name, each in documents.items()})


def encrypting(**rule):
    return bucket_with(encryption=[rule])


def rule_of(before=None, **given):
    return settings.checked_encryption({"Rules": [given]}, before)


def code_of(call, *given):
    with pytest.raises(AwsError) as caught:
        call(*given)
    return caught.value.code


def wanted(bucket, **params):
    found = encryption.wanted(params, bucket)
    return None if found is None else (found.algorithm, found.key_id, found.has_bucket_key)


def test_a_bucket_says_what_a_request_does_not():
    own = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{KEY_ID}"
    kms = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY_ID}
    bucket = encrypting(ApplyServerSideEncryptionByDefault=kms, BucketKeyEnabled=True)
    assert wanted(BUCKET) is None
    assert wanted(bucket) == ("aws:kms", own, True)
    assert wanted(bucket, BucketKeyEnabled=False) == ("aws:kms", own, False)
    assert wanted(bucket, ServerSideEncryption="AES256") is None
    # Whoever asks for keys of KMS and names none gets that of S3, not the bucket's.
    assert wanted(bucket, ServerSideEncryption="aws:kms") == ("aws:kms", "alias/aws/s3", True)
    assert wanted(bucket, ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId="alias/a") == (
        "aws:kms:dsse",
        "alias/a",
        False,
    )


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "e30",
        "W10=",
        "eyJhIjoxfQ==",
        "x" * 20_000,
        base64.b64encode(b'{"a": "\\ud800"}').decode(),
        base64.b64encode('{"a": "b"}'.encode("utf-16")).decode(),
        base64.b64encode(b"[" * 8000).decode(),
    ],
)
def test_a_context_is_a_map_of_texts_in_base64(text):
    asked = {"ServerSideEncryption": "aws:kms", "SSEKMSEncryptionContext": text}
    assert code_of(encryption.wanted, asked, BUCKET) == "InvalidArgument"


def test_the_arn_in_a_context_is_ours():
    text = base64.b64encode(b'{"aws:s3:arn": "another", "a": "b"}').decode()
    asked = {"ServerSideEncryption": "aws:kms", "SSEKMSEncryptionContext": text}
    found = encryption.wanted(asked, BUCKET)
    bound = encryption.context_for(BUCKET, f"{BUCKET.arn}/k", found.context, shared=False)
    assert bound == {"aws:s3:arn": "arn:aws:s3:::b-1/k", "a": "b"}


def test_customers_keys_stay_blocked_until_a_rule_says_otherwise():
    blocked = {"EncryptionType": ["SSE-C"]}
    opened = rule_of(BlockedEncryptionTypes={"EncryptionType": ["NONE"]})
    assert rule_of()[0]["BlockedEncryptionTypes"] == blocked
    assert settings.encryption_rule(None)["BlockedEncryptionTypes"] == blocked
    assert rule_of(opened)[0] == opened[0]
    assert rule_of(opened, BlockedEncryptionTypes=blocked)[0]["BlockedEncryptionTypes"] == blocked
    assert code_of(lambda: rule_of(BlockedEncryptionTypes={"EncryptionType": ["x"]})) == (
        "MalformedXML"
    )


def test_the_name_of_a_key_is_not_cut():
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k" * 2049}
    assert code_of(lambda: rule_of(ApplyServerSideEncryptionByDefault=default)) == "MalformedXML"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"SSECustomerAlgorithm": None}, "InvalidArgument"),
        ({"SSECustomerAlgorithm": "AES512"}, "InvalidEncryptionAlgorithmError"),
        ({"SSECustomerKey": None}, "InvalidArgument"),
        ({"SSECustomerKey": "?"}, "InvalidArgument"),
        ({"SSECustomerKeyMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, "InvalidArgument"),
    ],
)
def test_half_a_customers_key_is_none(changed, code):
    key = base64.b64encode(b"k" * 32).decode()
    asked = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key, **changed}
    assert code_of(lambda: encryption.customer_key(asked, writes=True)) == code


@pytest.mark.parametrize(
    ("ownership", "asked", "code"),
    [
        ("BucketOwnerEnforced", {}, None),
        ("BucketOwnerEnforced", {"ACL": "bucket-owner-full-control"}, None),
        ("BucketOwnerEnforced", {"GrantFullControl": OWNER}, None),
        ("BucketOwnerEnforced", {"ACL": "private"}, "AccessControlListNotSupported"),
        ("BucketOwnerEnforced", {"GrantRead": OWNER}, "AccessControlListNotSupported"),
        ("ObjectWriter", {"ACL": "private"}, None),
        ("ObjectWriter", {"GrantRead": OWNER}, None),
        ("ObjectWriter", {"GrantRead": EVERYBODY}, "AccessDenied"),
        ("ObjectWriter", {"ACL": "authenticated-read"}, "AccessDenied"),
        ("ObjectWriter", {"GrantRead": f'{OWNER}, id="other"'}, "NotImplemented"),
        ("ObjectWriter", {"GrantRead": OWNER, "ACL": "private"}, "InvalidRequest"),
    ],
)
def test_which_acls_an_object_may_be_written_with(ownership, asked, code):
    blocks = {"BlockPublicAcls": True}
    bucket = bucket_with(ownership=ownership, **{"public-access": blocks})
    if code is None:
        acls.check_write(asked, bucket)
    else:
        assert code_of(acls.check_write, asked, bucket) == code


@pytest.mark.parametrize(
    ("ownership", "asked", "code"),
    [
        ("BucketOwnerEnforced", {"ACL": "private"}, None),
        ("BucketOwnerEnforced", {"ACL": "public-read"}, "InvalidBucketAclWithObjectOwnership"),
        ("ObjectWriter", {"ACL": "public-read"}, "InvalidBucketAclWithBlockPublicAccessError"),
        ("ObjectWriter", {"ACL": "log-delivery-write"}, "NotImplemented"),
        ("ObjectWriter", {"GrantFullControl": OWNER}, None),
    ],
)
def test_which_acls_a_bucket_may_be_made_with(ownership, asked, code):
    if code is None:
        acls.check_new(asked, ACCOUNT, ownership)
    else:
        assert code_of(acls.check_new, asked, ACCOUNT, ownership) == code


def test_who_names_an_acl_or_a_key_is_judged_by_them():
    rules = access_rules(SimpleNamespace(try_find_nowait=lambda name: None))
    somebody = SimpleNamespace(principal="somebody")
    asked = {"Bucket": "b", "Key": "k", "ACL": "bucket-owner-full-control", "SSEKMSKeyId": "arn"}
    put, acl = rules["PutObject"](somebody, asked)
    assert (put.action, acl.action) == ("s3:PutObject", "s3:PutObjectAcl")
    assert put.keys["s3:x-amz-server-side-encryption-aws-kms-key-id"] == "arn"
    (get,) = rules["GetObjectAcl"](somebody, {"Bucket": "b", "Key": "k", "VersionId": "v"})
    assert get.action == "s3:GetObjectVersionAcl"
