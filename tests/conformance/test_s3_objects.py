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
