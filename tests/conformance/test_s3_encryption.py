"""Objects under keys of KMS and of customers, as boto3 and the AWS CLI see them, and ACLs."""

import base64
import hashlib
import json
import os
import urllib.error
import urllib.request

import boto3
import pytest
from boto3.s3.transfer import S3Transfer, TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from alonzo.testing.aws_cli import run_all
from alonzo.testing.callers import ACCOUNT, Household, allow, deny, document
from alonzo.testing.daemon import REGION

MIB = 1024 * 1024
KMS = {"ServerSideEncryption": "aws:kms"}
CUSTOMERS = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
OPEN = {"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}


@pytest.fixture
def s3(boto):
    return boto("s3")


@pytest.fixture
def kms(boto):
    return boto("kms")


@pytest.fixture
def bucket(s3, function_name):
    name = function_name.lower()[-60:].strip("-")
    s3.create_bucket(Bucket=name)
    yield name
    for each in s3.list_objects_v2(Bucket=name).get("Contents", ()):
        s3.delete_object(Bucket=name, Key=each["Key"])
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def key(kms):
    made = kms.create_key()["KeyMetadata"]["Arn"]
    yield made
    if kms.describe_key(KeyId=made)["KeyMetadata"]["KeyState"] != "PendingDeletion":
        kms.schedule_key_deletion(KeyId=made, PendingWindowInDays=7)


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    status = caught.value.response["ResponseMetadata"]["HTTPStatusCode"]
    return status, error["Code"], error["Message"]


def told(answer):
    names = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
    return tuple(answer.get(name) for name in names)


def encrypt(s3, bucket, *, shared=False, **default):
    rule = {"BucketKeyEnabled": shared}
    if default:
        rule["ApplyServerSideEncryptionByDefault"] = default
    s3.put_bucket_encryption(
        Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule | OPEN]}
    )


def test_every_answer_about_an_object_names_its_key(s3, kms, bucket, key):
    context = base64.b64encode(json.dumps({"team": "a"}).encode()).decode()
    put = s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"hello",
        SSEKMSKeyId=key,
        SSEKMSEncryptionContext=context,
        **KMS,
    )
    assert told(put) == ("aws:kms", key, None)
    assert json.loads(base64.b64decode(put["SSEKMSEncryptionContext"])) == {"team": "a"}
    assert put["ETag"] != f'"{hashlib.md5(b"hello", usedforsecurity=False).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), told(got)) == (b"hello", told(put))
    assert told(s3.head_object(Bucket=bucket, Key="k")) == told(put)
    copy = s3.copy_object(
        Bucket=bucket, Key="copy", CopySource=f"{bucket}/k", BucketKeyEnabled=True, **KMS
    )
    assert (copy["ServerSideEncryption"], copy["BucketKeyEnabled"]) == ("aws:kms", True)
    managed = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (copy["SSEKMSKeyId"], managed["KeyManager"]) == (managed["Arn"], "AWS")
    plain = s3.copy_object(Bucket=bucket, Key="plain", CopySource=f"{bucket}/copy")
    assert told(plain) == ("AES256", None, None)
    s3.update_object_encryption(
        Bucket=bucket, Key="plain", ObjectEncryption={"SSEKMS": {"KMSKeyArn": key}}
    )
    assert told(s3.head_object(Bucket=bucket, Key="plain")) == ("aws:kms", key, None)
    for name in ("copy", "plain"):
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == b"hello"


def test_a_bucket_encrypts_what_names_no_key_in_parts_too(s3, kms, bucket, key, tmp_path):
    encrypt(s3, bucket, shared=True, SSEAlgorithm="aws:kms", KMSMasterKeyID=key.rpartition("/")[2])
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] in key
    expected = ("aws:kms", key, True)
    assert told(s3.put_object(Bucket=bucket, Key="k", Body=b"x")) == expected
    assert told(s3.put_object(Bucket=bucket, Key="a", ServerSideEncryption="AES256")) == (
        "AES256",
        None,
        None,
    )
    begun = s3.create_multipart_upload(Bucket=bucket, Key="p")
    of = {"Bucket": bucket, "Key": "p", "UploadId": begun["UploadId"]}
    body = os.urandom(5 * MIB + 3)
    part = s3.upload_part(PartNumber=1, Body=body, **of)
    copied = s3.upload_part_copy(PartNumber=2, CopySource=f"{bucket}/k", **of)
    assert told(part) == told(begun) == told(copied) == expected
    etags = [part["ETag"], copied["CopyPartResult"]["ETag"]]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    done = s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **of)
    assert (told(done), done["ETag"][-3:]) == (expected, '-2"')
    whole = body + b"x"
    assert s3.get_object(Bucket=bucket, Key="p")["Body"].read() == whole
    within = s3.get_object(Bucket=bucket, Key="p", Range=f"bytes=262143-{5 * MIB + 4}")
    assert within["Body"].read() == whole[262143 : 5 * MIB + 5]
    S3Transfer(
        s3, TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    ).download_file(bucket, "p", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == whole


def test_a_key_that_cannot_be_used_keeps_everybody_out(s3, kms, bucket, key):
    encrypt(s3, bucket, shared=True, SSEAlgorithm="aws:kms", KMSMasterKeyID=key)
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    kms.disable_key(KeyId=key)
    disabled = (400, "KMS.DisabledException", f"{key} is disabled.")
    assert refusal(s3.get_object, Bucket=bucket, Key="k") == disabled
    assert refusal(s3.put_object, Bucket=bucket, Key="new", Body=b"x") == disabled
    assert refusal(s3.copy_object, Bucket=bucket, Key="c", CopySource=f"{bucket}/k") == disabled
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 5
    kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert refusal(s3.get_object, Bucket=bucket, Key="k")[:2] == (
        400,
        "KMS.KMSInvalidStateException",
    )
    missing = key.rpartition("/")[0] + "/00000000-0000-4000-8000-000000000000"
    for named in (missing, "alias/none", "nonsense"):
        assert refusal(s3.put_object, Bucket=bucket, Key="n", SSEKMSKeyId=named, **KMS)[:2] == (
            400,
            "KMS.NotFoundException",
        )


def test_who_reads_or_writes_needs_the_key_through_s3(s3, bucket, key, household):
    on_objects = allow("s3:*")
    user = household.user(f"{bucket}-u"[-60:], on_objects)
    theirs = household.client("s3", user)
    named = {"Bucket": bucket, "Key": "k", "SSEKMSKeyId": key, **KMS}
    status, code, message = refusal(theirs.put_object, Body=b"x", **named)
    assert (status, code) == (403, "AccessDenied")
    assert "kms:GenerateDataKey" in message
    only_here = {
        "Condition": {
            "StringEquals": {
                "kms:ViaService": f"s3.{REGION}.amazonaws.com",
                "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}/k",
            }
        }
    }
    household.let_user(
        f"{bucket}-u"[-60:], on_objects, allow("kms:GenerateDataKey", on=key, **only_here)
    )
    theirs.put_object(Body=b"x", **named)
    status, code, message = refusal(theirs.get_object, Bucket=bucket, Key="k")
    assert (status, code) == (403, "AccessDenied")
    assert "kms:Decrypt" in message
    assert refusal(theirs.put_object, Body=b"x", **{**named, "Key": "other"})[0] == 403
    household.let_user(f"{bucket}-u"[-60:], on_objects, allow("kms:Decrypt", on=key, **only_here))
    assert theirs.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    upload = s3.create_multipart_upload(**named)["UploadId"]
    of = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    theirs.upload_part(PartNumber=1, Body=b"x", **of)
    household.let_user(f"{bucket}-u"[-60:], on_objects)
    assert refusal(theirs.upload_part, PartNumber=1, Body=b"x", **of)[:2] == (403, "AccessDenied")
    s3.abort_multipart_upload(**of)


def test_a_policy_that_insists_on_encryption_takes_large_objects_too(s3, bucket, key, household):
    header, on = "s3:x-amz-server-side-encryption", f"arn:aws:s3:::{bucket}/*"
    insisting = [
        deny("s3:PutObject", on=on, Principal="*", Condition=condition)
        for condition in (
            {"Null": {header: "true"}},
            {"StringNotEquals": {header: "aws:kms"}},
            {"StringNotEquals": {f"{header}-aws-kms-key-id": key}},
        )
    ]
    s3.put_bucket_policy(Bucket=bucket, Policy=document(*insisting))
    of, named = {"Bucket": bucket, "Key": "k"}, {"SSEKMSKeyId": key, **KMS}
    for asked in ({}, {"ServerSideEncryption": "AES256"}, KMS):
        for write in (s3.put_object, s3.create_multipart_upload):
            assert refusal(write, **of, **asked)[:2] == (403, "AccessDenied")
    s3.put_object(Body=b"x", **of, **named)
    parts = of | {"UploadId": s3.create_multipart_upload(**of, **named)["UploadId"]}
    stranger = household.client("s3", household.user(f"{bucket}-s"[-60:], allow("s3:GetObject")))
    assert refusal(stranger.upload_part, PartNumber=1, **parts)[:2] == (403, "AccessDenied")
    source = {"CopySource": f"{bucket}/k"}
    assert refusal(stranger.upload_part_copy, PartNumber=1, **parts, **source)[0] == 403
    first = s3.upload_part(PartNumber=1, Body=os.urandom(5 * MIB), **parts)["ETag"]
    second = s3.upload_part_copy(PartNumber=2, **parts, **source)
    etags = [first, second["CopyPartResult"]["ETag"]]
    listed = {"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]}
    assert refusal(stranger.complete_multipart_upload, MultipartUpload=listed, **parts)[0] == 403
    assert told(s3.complete_multipart_upload(MultipartUpload=listed, **parts))[1] == key
    # What nobody began is refused to whoever may not write, and is not there for the others.
    parts["UploadId"] = "none"
    assert refusal(stranger.upload_part, PartNumber=1, **parts)[:2] == (403, "AccessDenied")
    s3.delete_bucket_policy(Bucket=bucket)
    assert refusal(s3.upload_part, PartNumber=1, **parts)[:2] == (404, "NoSuchUpload")


def test_strangers_have_no_key_and_a_presigned_url_has_its_signers(platform, s3, bucket, key):
    s3.delete_public_access_block(Bucket=bucket)
    on = f"arn:aws:s3:::{bucket}/*"
    s3.put_bucket_policy(
        Bucket=bucket, Policy=document(allow("s3:GetObject", on=on, Principal="*"))
    )
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello", SSEKMSKeyId=key, **KMS)
    new, old = (presigned(platform, bucket, version) for version in ("s3v4", "s3"))
    with urllib.request.urlopen(new) as answer:
        assert answer.read() == b"hello"
    assert "AWSAccessKeyId=" in old
    for url in (old, new.partition("?")[0]):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url)
        body = caught.value.read()
        assert (caught.value.code, b"require AWS Signature Version 4" in body) == (400, True)


def presigned(platform, bucket, version):
    key_id, secret = platform.root_key()
    client = boto3.client(
        "s3",
        REGION,
        endpoint_url=platform.endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(signature_version=version),
    )
    try:
        return client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    finally:
        client.close()


def test_a_request_that_asks_for_two_things_or_for_none_is_refused(s3, bucket, key):
    of = {"Bucket": bucket, "Key": "k", "Body": b"x"}
    for asked in (
        {"SSEKMSKeyId": key},
        {"SSEKMSKeyId": key, "ServerSideEncryption": "AES256"},
        {"ServerSideEncryption": "aws:fsx"},
        {"SSEKMSEncryptionContext": "{}", **KMS},
    ):
        assert refusal(s3.put_object, **of, **asked)[:2] == (400, "InvalidArgument")
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:fsx"}}]}
    assert refusal(
        s3.put_bucket_encryption, Bucket=bucket, ServerSideEncryptionConfiguration=rules
    )[:2] == (400, "MalformedXML")


def test_a_customers_key_opens_what_it_sealed_once_the_bucket_takes_such_keys(s3, bucket):
    of = {"Bucket": bucket, "Key": "k"}
    status, code, message = refusal(s3.put_object, Body=b"x", **of, **CUSTOMERS)
    assert (status, code, "blocked upload requests" in message) == (403, "AccessDenied", True)
    encrypt(s3, bucket)
    big = os.urandom(300_000)
    put = s3.put_object(Body=big, **of, **CUSTOMERS)
    assert put["SSECustomerAlgorithm"] == "AES256"
    assert "ServerSideEncryption" not in put
    got = s3.get_object(Range="bytes=262100-262200", **of, **CUSTOMERS)
    assert (got["Body"].read(), got["SSECustomerKeyMD5"]) == (
        big[262100:262201],
        put["SSECustomerKeyMD5"],
    )
    other = CUSTOMERS | {"SSECustomerKey": os.urandom(32)}
    for asked in ({}, {"IfNoneMatch": "*"}, {"Range": "bytes=300000-"}):
        assert refusal(s3.get_object, **of, **asked)[:2] == (400, "InvalidRequest")
    assert refusal(s3.get_object, **of, **other)[:2] == (403, "AccessDenied")
    assert refusal(s3.head_object, **of)[0] == 400
    assert refusal(s3.put_object, **of, **(CUSTOMERS | {"SSECustomerKey": b"short"})) == (
        400,
        "InvalidArgument",
        "The secret key was invalid for the specified algorithm.",
    )
    upload = s3.create_multipart_upload(Bucket=bucket, Key="p", **CUSTOMERS)["UploadId"]
    parts = {"Bucket": bucket, "Key": "p", "UploadId": upload, "PartNumber": 1}
    assert refusal(s3.upload_part, Body=b"x", **parts)[:2] == (400, "InvalidRequest")
    assert refusal(s3.upload_part, Body=b"x", **parts, **other)[:2] == (400, "InvalidRequest")
    s3.upload_part_copy(
        CopySource=f"{bucket}/k",
        **{f"CopySource{name}": value for name, value in CUSTOMERS.items()},
        **parts,
        **CUSTOMERS,
    )
    s3.abort_multipart_upload(Bucket=bucket, Key="p", UploadId=upload)
    s3.copy_object(
        CopySource=f"{bucket}/k",
        Bucket=bucket,
        Key="plain",
        **{f"CopySource{name}": value for name, value in CUSTOMERS.items()},
    )
    assert s3.get_object(Bucket=bucket, Key="plain")["Body"].read() == big
    assert refusal(s3.get_object, Bucket=bucket, Key="plain", **CUSTOMERS)[:2] == (
        400,
        "InvalidRequest",
    )


def test_a_new_bucket_has_no_acls_but_its_owners(platform, s3, bucket, tmp_path):
    of = {"Bucket": bucket, "Key": "k"}
    s3.put_object(Body=b"x", ACL="bucket-owner-full-control", **of)
    refused = (400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
    assert refusal(s3.put_object, Body=b"x", ACL="public-read", **of) == refused
    assert refusal(s3.put_object_acl, ACL="bucket-owner-full-control", **of) == refused
    assert refusal(s3.put_bucket_acl, Bucket=bucket, ACL="private") == refused
    shown = s3.get_object_acl(**of)
    owner = s3.list_buckets()["Owner"]["ID"]
    (grant,) = shown["Grants"]
    assert (grant["Permission"], grant["Grantee"]["ID"]) == ("FULL_CONTROL", owner)
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"] == shown["Grants"]
    assert refusal(s3.get_object_acl, Bucket=bucket, Key="none")[:2] == (404, "NoSuchKey")
    (tmp_path / "f").write_bytes(b"f")
    run_all(
        platform,
        tmp_path,
        [
            [
                "s3",
                "cp",
                str(tmp_path / "f"),
                f"s3://{bucket}/f",
                "--acl",
                "bucket-owner-full-control",
            ],
            ["s3", "cp", str(tmp_path / "f"), f"s3://{bucket}/g", "--sse", "aws:kms"],
        ],
    )
    assert s3.head_object(Bucket=bucket, Key="g")["ServerSideEncryption"] == "aws:kms"


def test_a_bucket_with_acls_takes_those_that_let_nobody_in(s3, bucket):
    s3.put_bucket_ownership_controls(
        Bucket=bucket,
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
    )
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=policy_of(s3, bucket))
    s3.put_object(Bucket=bucket, Key="k", ACL="private")
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
    assert refusal(s3.put_bucket_acl, Bucket=bucket, ACL="public-read")[:2] == (403, "AccessDenied")
    s3.delete_public_access_block(Bucket=bucket)
    assert refusal(s3.put_object, Bucket=bucket, Key="k", ACL="public-read")[:2] == (
        501,
        "NotImplemented",
    )


def policy_of(s3, bucket):
    shown = s3.get_bucket_acl(Bucket=bucket)
    return {"Owner": shown["Owner"], "Grants": shown["Grants"]}


def test_lambda_reads_a_sealed_package_as_its_caller_may(platform, s3, bucket, key, household):
    assert ACCOUNT in key
    s3.put_object(Bucket=bucket, Key="code", Body=b"no archive", SSEKMSKeyId=key, **KMS)
    user = household.user(f"{bucket}-l"[-60:], allow("s3:*", "lambda:*", "iam:PassRole"))
    function = {
        "FunctionName": "never-made",
        "Runtime": "python3.12",
        "Role": platform.role("test"),
        "Handler": "h.h",
        "Code": {"S3Bucket": bucket, "S3Key": "code"},
    }
    theirs = household.client("lambda", user)
    assert "kms:Decrypt" in refusal(theirs.create_function, **function)[2]
