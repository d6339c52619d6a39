"""What the operations of S3 need to be allowed."""

from types import SimpleNamespace

import pytest

from alonzo.model.context import ANONYMOUS
from alonzo.model.errors import AwsError
from alonzo.services.s3.access import access_rules, begun_keys

SOMEBODY = SimpleNamespace(principal="somebody", region="us-east-1")
STRANGER = SimpleNamespace(principal=ANONYMOUS, region="us-east-1")


class NoBuckets:
    def try_find_nowait(self, _):
        return None


def test_a_list_of_keys_is_not_judged_as_a_whole():
    judge = access_rules(NoBuckets())["DeleteObjects"]
    assert not judge(SOMEBODY, {"Bucket": "b", "Delete": {"Objects": [{"Key": "k"}]}})


def test_what_writes_into_an_upload_is_judged_by_what_that_began_with():
    rules, upload = access_rules(NoBuckets()), {"Bucket": "b", "Key": "k", "UploadId": "u"}
    assert not rules["UploadPart"](SOMEBODY, upload)
    assert not rules["CompleteMultipartUpload"](SOMEBODY, upload)
    (source,) = rules["UploadPartCopy"](SOMEBODY, upload | {"CopySource": "c/d?versionId=1"})
    assert (source.action, source.resource) == ("s3:GetObjectVersion", "arn:aws:s3:::c/d")
    begun = {"ServerSideEncryption": "AES256", "ACL": "private", "StorageClass": "STANDARD"}
    assert begun_keys(begun) == {"s3:x-amz-server-side-encryption": "AES256"}


def test_a_list_without_a_prefix_is_of_everything():
    (wanted,) = access_rules(NoBuckets())["ListObjectsV2"](SOMEBODY, {"Bucket": "b", "MaxKeys": 5})
    assert wanted.keys == {"s3:prefix": "", "s3:max-keys": "5"}


def test_a_stranger_is_told_that_a_bucket_is_not_there_but_makes_none():
    rules = access_rules(NoBuckets())
    for operation in ("GetObject", "PutObject", "ListObjects", "HeadBucket", "DeleteBucket"):
        with pytest.raises(AwsError) as caught:
            rules[operation](STRANGER, {"Bucket": "b", "Key": "k"})
        assert caught.value.code == "NoSuchBucket"
        assert rules[operation](SOMEBODY, {"Bucket": "b", "Key": "k"})
    (made,) = rules["CreateBucket"](STRANGER, {"Bucket": "b"})
    assert made.action == "s3:CreateBucket"
