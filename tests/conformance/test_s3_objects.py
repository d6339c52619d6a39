"""Objects as boto3 and the AWS CLI see them, on a platform with all its doors locked."""

import json
import os
import urllib.error
import urllib.request

import pytest
from boto3.s3.transfer import S3Transfer, TransferConfig

from alonzo.testing.aws_cli import run_all

MIB = 1024 * 1024


#: Runs commands line by line in one interpreter: starting it takes longer than they do.
@pytest.fixture
def s3(boto):
    return boto("s3")


@pytest.fixture
def bucket(s3, function_name):
    name = function_name.lower()[-60:].strip("-")
    s3.create_bucket(Bucket=name)
    yield name
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for each in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
            s3.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])
    s3.delete_bucket(Bucket=name)


def test_a_long_file_goes_up_in_parts_and_comes_down_in_ranges(s3, bucket, tmp_path):
    (tmp_path / "up").write_bytes(os.urandom(13 * MIB + 5))
    parts = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    transfer = S3Transfer(s3, parts)
    told = {"Metadata": {"name": "v"}, "ContentType": "a/b"}
    transfer.upload_file(str(tmp_path / "up"), bucket, "a/long one", extra_args=told)
    head = s3.head_object(Bucket=bucket, Key="a/long one", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-3"')
    assert head["ChecksumCRC32"].endswith("-3")
    assert (head["Metadata"], head["ContentType"]) == ({"name": "v"}, "a/b")
    transfer.download_file(bucket, "a/long one", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == (tmp_path / "up").read_bytes()


def test_who_signs_nothing_is_refused_and_a_presigned_url_is_not(s3, bucket, platform):
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    presigned = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    with urllib.request.urlopen(presigned) as answer:
        assert answer.read() == b"hello"
    for method, body in (("GET", None), ("PUT", b"x"), ("DELETE", None)):
        plain = urllib.request.Request(presigned.partition("?")[0], body, method=method)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(plain)
        assert caught.value.code == 403
        assert b"<Code>AccessDenied</Code>" in caught.value.read()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


def test_a_browser_resumes_and_asks_again_for_what_it_has(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789", ContentType="image/png")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})

    def ask(**fields):
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers, refused.read()

    _, headers, _ = ask()
    etag, written = headers["ETag"], headers["Last-Modified"]
    for condition in (etag, written):
        assert ask(Range="bytes=8-", If_Range=condition)[::2] == (206, b"89")
    for condition in ('"other"', f"W/{etag}", "Wed, 21 Oct 2015 07:28:00 GMT", "never"):
        assert ask(Range="bytes=8-", If_Range=condition)[::2] == (200, b"0123456789")
    status, headers, body = ask(If_None_Match=etag)
    assert (status, headers["ETag"], headers["Content-Type"], body) == (304, etag, None, b"")


def test_answers_say_when_an_object_expires(s3, bucket):
    rule = {"ID": "a b", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}}
    later = {**rule, "ID": "later", "Expiration": {"Days": 3000}}
    both = {"Rules": [later, {**rule, "Expiration": {"Date": "2100-01-01T00:00:00Z"}}]}
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="tmp/a", Body=b"x")
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=both)
    earlier = s3.head_object(Bucket=bucket, Key="tmp/a")["Expiration"]
    assert earlier.endswith('GMT", rule-id="later"')
    both["Rules"].pop(0)
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=both)
    told = 'expiry-date="Fri, 01 Jan 2100 00:00:00 GMT", rule-id="a%20b"'
    source = {"Bucket": bucket, "Key": "tmp/a"}
    assert s3.put_object(Bucket=bucket, Key="tmp/a", Body=b"x")["Expiration"] == told
    assert s3.get_object(Bucket=bucket, Key="tmp/a")["Expiration"] == told
    copied = s3.copy_object(Bucket=bucket, Key="tmp/b", CopySource=source)
    assert copied["Expiration"] == told
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="other", Body=b"x")


def test_the_cli_copies_and_syncs(platform, bucket, tmp_path):
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/a.txt").write_bytes(b"a")
    (tmp_path / "in/deep/b +ü").write_bytes(os.urandom(9 * MIB))
    commands = [
        ["s3", "sync", str(tmp_path / "in"), f"s3://{bucket}/x"],
        ["s3", "sync", str(tmp_path / "in"), f"s3://{bucket}/x"],
        ["s3", "cp", f"s3://{bucket}/x", f"s3://{bucket}/y", "--recursive"],
        ["s3", "sync", f"s3://{bucket}/y", str(tmp_path / "out")],
        ["s3", "mv", f"s3://{bucket}/y/a.txt", f"s3://{bucket}/z"],
        ["s3api", "list-objects-v2", "--bucket", bucket, "--query", "Contents[].Key"],
    ]
    printed = run_all(platform, tmp_path, commands)
    assert printed[1] == ""
    assert json.loads(printed[5]) == ["x/a.txt", "x/deep/b +ü", "y/deep/b +ü", "z"]
    for name in ("a.txt", "deep/b +ü"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "in" / name).read_bytes()
