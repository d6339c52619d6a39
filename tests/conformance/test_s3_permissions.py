"""Who may do what: key by key, the root user as well, and what strangers are not told."""

import json
import urllib.error
import urllib.request
from xml.etree import ElementTree

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import Household, allow, client_of, deny, document, root_of
from alonzo.testing.functions import ADMIN_ROLE

THEIRS = "987654321099"
PUTS = """
import boto3

def handler(event, context):
    boto3.client("s3").put_object(Bucket=event, Key="k", Body=b"x")
"""


@pytest.fixture
def s3(boto):
    return boto("s3")


@pytest.fixture
def bucket(s3, function_name):
    """A bucket that goes with all that is in it."""
    name = function_name.lower()[-60:].strip("-")
    s3.create_bucket(Bucket=name)
    yield name
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for each in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
            s3.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"]


def objects_of(bucket):
    return f"arn:aws:s3:::{bucket}/*"


def test_each_key_of_a_list_is_deleted_by_its_own_permission(platform, s3, bucket, household):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="own/a", Body=b"x")["VersionId"]
    s3.put_object(Bucket=bucket, Key="other", Body=b"x")
    key = household.user(bucket[-40:], allow("s3:DeleteObject", on=f"arn:aws:s3:::{bucket}/own/*"))
    user = client_of(platform, "s3", key)
    long = "own/" + "ä" * 511
    listed = [
        {"Key": "own/a"},
        {"Key": "own/a"},
        {"Key": "own/a", "VersionId": version},
        {"Key": "other"},
        {"Key": long},
        {"Key": "own/none"},
    ]
    answer = user.delete_objects(Bucket=bucket, Delete={"Objects": listed})
    assert [each["Key"] for each in answer["Deleted"]] == ["own/a", "own/a", "own/none"]
    assert all(each["DeleteMarker"] for each in answer["Deleted"])
    errors = [(each["Key"], each.get("VersionId"), each["Code"]) for each in answer["Errors"]]
    assert errors == [
        ("own/a", version, "AccessDenied"),
        ("other", None, "AccessDenied"),
        (long, None, "KeyTooLongError"),
    ]
    assert "s3:DeleteObjectVersion" in answer["Errors"][0]["Message"]
    quiet = user.delete_objects(Bucket=bucket, Delete={"Objects": listed, "Quiet": True})
    assert "Deleted" not in quiet
    assert len(quiet["Errors"]) == 3
    assert s3.get_object(Bucket=bucket, Key="own/a", VersionId=version)["Body"].read() == b"x"


def test_a_policy_denies_the_root_user_all_but_the_policy(platform, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    everything = {**deny("s3:*", on=[f"arn:aws:s3:::{bucket}", objects_of(bucket)])}
    policy = document({**everything, "Principal": "*"})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    named = {"Bucket": bucket}
    assert refusal(s3.get_object, **named, Key="k") == "AccessDenied"
    assert refusal(s3.put_object, **named, Key="k", Body=b"y") == "AccessDenied"
    assert refusal(s3.delete_bucket, **named) == "AccessDenied"
    assert refusal(s3.list_objects_v2, **named) == "AccessDenied"
    errors = s3.delete_objects(**named, Delete={"Objects": [{"Key": "k"}]})["Errors"]
    assert [each["Code"] for each in errors] == ["AccessDenied"]
    assert json.loads(s3.get_bucket_policy(**named)["Policy"]) == json.loads(policy)
    s3.put_bucket_policy(**named, Policy=policy)
    theirs = client_of(platform, "s3", root_of(platform, THEIRS))
    assert refusal(theirs.get_bucket_policy, **named) == "AccessDenied"
    theirs.close()
    s3.delete_bucket_policy(**named)
    assert s3.get_object(**named, Key="k")["Body"].read() == b"x"


def test_a_policy_that_wants_tls_lets_functions_in(s3, bucket, function):
    """What they send leaves no sandbox."""
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    denied = {**deny("s3:*Object", on=[objects_of(bucket)]), "Principal": "*", "Condition": plain}
    s3.put_bucket_policy(Bucket=bucket, Policy=document(denied))
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"y") == "AccessDenied"
    assert function(PUTS, Role=ADMIN_ROLE, Timeout=20).invoke(bucket).function_error is None
    s3.delete_bucket_policy(Bucket=bucket)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_keys_that_are_not_there_are_told_to_those_who_may_list(platform, s3, bucket, household):
    name = bucket[-40:]
    reads = allow("s3:GetObject*", "s3:PutObject*", on=objects_of(bucket))
    user = client_of(platform, "s3", household.user(name, reads))
    named = {"Bucket": bucket, "Key": "none"}
    calls = [
        (user.get_object, named, "NoSuchKey"),
        (user.head_object, named, "404"),
        (user.get_object, {**named, "VersionId": "a" * 32}, "NoSuchVersion"),
        (user.get_object_attributes, {**named, "ObjectAttributes": ["ETag"]}, "NoSuchKey"),
        (user.get_object_tagging, named, "NoSuchKey"),
        (user.copy_object, {**named, "Key": "k", "CopySource": f"{bucket}/none"}, "NoSuchKey"),
    ]
    for call, params, _ in calls:
        assert refusal(call, **params) in ("AccessDenied", "403")
    household.let_user(name, reads, allow("s3:ListBucket", on=f"arn:aws:s3:::{bucket}"))
    for call, params, code in calls:
        assert refusal(call, **params) == code


def test_a_list_is_held_to_prefix_delimiter_and_length(platform, s3, bucket, household):
    condition = {
        "StringEquals": {"s3:prefix": ["", "own/"], "s3:delimiter": "/"},
        "NumericLessThanEquals": {"s3:max-keys": "10"},
    }
    listing = allow(
        "s3:ListBucket", "s3:ListBucketVersions", on=f"arn:aws:s3:::{bucket}", Condition=condition
    )
    user = client_of(platform, "s3", household.user(bucket[-40:], listing))
    fine = {"Bucket": bucket, "Delimiter": "/", "MaxKeys": 10}
    for call in (user.list_objects_v2, user.list_objects, user.list_object_versions):
        assert call(**fine, Prefix="own/")["MaxKeys"] == 10
        assert call(**fine)["Prefix"] == ""
        assert refusal(call, **fine, Prefix="other/") == "AccessDenied"
        assert refusal(call, **{**fine, "MaxKeys": 11}) == "AccessDenied"
        assert refusal(call, Bucket=bucket, MaxKeys=10) == "AccessDenied"


def test_another_account_deletes_and_lists_what_both_policies_allow(platform, s3, bucket):
    s3.put_object(Bucket=bucket, Key="shared/a", Body=b"x")
    s3.put_object(Bucket=bucket, Key="own", Body=b"x")
    shares = allow("s3:DeleteObject", on=f"arn:aws:s3:::{bucket}/shared/*")
    lists = allow("s3:ListBucket", on=f"arn:aws:s3:::{bucket}")
    theirs = client_of(platform, "s3", root_of(platform, THEIRS))
    them = {"Principal": {"AWS": THEIRS}}
    s3.put_bucket_policy(Bucket=bucket, Policy=document(shares | them, lists | them))
    keys = [{"Key": "shared/a"}, {"Key": "own"}]
    answer = theirs.delete_objects(Bucket=bucket, Delete={"Objects": keys})
    assert [each["Key"] for each in answer["Deleted"]] == ["shared/a"]
    assert [each["Key"] for each in answer["Errors"]] == ["own"]
    assert theirs.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    wrong = {"Bucket": bucket, "ExpectedBucketOwner": THEIRS}
    assert refusal(theirs.list_objects_v2, **wrong) == "AccessDenied"
    assert refusal(theirs.delete_objects, **wrong, Delete={"Objects": keys}) == "AccessDenied"
    theirs.close()


def test_soft_mode_lets_in_who_signs_and_nobody_else(own_platform):
    platform = own_platform("--iam", "soft")
    s3, household = platform.client("s3"), Household(platform)
    for name in ("soft", "gone"):
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="k", Body=b"x")
    user = client_of(platform, "s3", household.user("nobody"))
    assert user.get_object(Bucket="soft", Key="k")["Body"].read() == b"x"
    assert refusal(user.get_object, Bucket="soft", Key="none") == "NoSuchKey"
    deleted = user.delete_objects(Bucket="gone", Delete={"Objects": [{"Key": "k"}]})
    assert "Errors" not in deleted
    theirs = client_of(platform, "s3", root_of(platform, THEIRS))
    assert refusal(theirs.get_object, Bucket="soft", Key="k") == "AccessDenied"
    errors = theirs.delete_objects(Bucket="soft", Delete={"Objects": [{"Key": "k"}]})["Errors"]
    assert [each["Code"] for each in errors] == ["AccessDenied"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{platform.endpoint}/soft/k", timeout=30)
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    request = urllib.request.Request(f"{platform.endpoint}/soft?delete", body, method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert b"<Code>AccessDenied</Code>" in answer.read()
    assert s3.get_object(Bucket="soft", Key="k")["Body"].read() == b"x"
    for client in (user, theirs):
        client.close()
    household.close()


def test_a_stranger_sends_no_long_documents(platform, s3, bucket):
    listed = b"<Object><Key>k</Key></Object>" * 5000
    body = b"<Delete>" + listed + b"</Delete>"
    url = f"{platform.endpoint}/{bucket}?delete"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(url, body, method="POST"), timeout=30)
    with caught.value as answer:
        assert answer.status == 400
        assert b"<Code>MaxMessageLengthExceeded</Code>" in answer.read()


def test_strangers_are_told_of_buckets_that_are_not_there_in_the_words_of_s3(platform, bucket):
    page = {"content-type": "text/html"}
    calls = [
        ("GET", "/no-such-bucket-here/k", {}, None, (404, "NoSuchBucket")),
        ("GET", "/no-such-bucket-here?list-type=2", {}, None, (404, "NoSuchBucket")),
        ("PUT", "/no-such-bucket-here/k", page, b"x", (404, "NoSuchBucket")),
        ("POST", "/no-such-bucket-here/k?uploads", page, b"", (404, "NoSuchBucket")),
        ("PUT", "/no-such-bucket-here", page, b"", (403, "AccessDenied")),
        ("GET", f"/{bucket}/k", {}, None, (403, "AccessDenied")),
    ]
    for method, path, headers, body, expected in calls:
        request = urllib.request.Request(platform.endpoint + path, body, headers, method=method)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        answer = caught.value
        error = ElementTree.fromstring(answer.read())
        assert answer.headers["content-type"] == "application/xml"
        assert (answer.status, error.findtext("Code")) == expected, path
    gone = urllib.request.Request(f"{platform.endpoint}/no-such-bucket-here", method="HEAD")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(gone, timeout=30)
    assert (caught.value.status, caught.value.read()) == (404, b"")
    # What is for a queue, or for nobody, is not S3's.
    for path in ("/000000000000/queue", "/2015-03-31/nothing", "/"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(platform.endpoint + path, timeout=30)
        assert b"MissingAuthenticationToken" in caught.value.read()
