"""What the operations of S3 need to be allowed."""

from alonzo.services.s3.access import access_rules, begun_keys


class NoBuckets:
    def try_find_nowait(self, _):
        return None


def test_a_list_of_keys_is_not_judged_as_a_whole():
    judge = access_rules(NoBuckets())["DeleteObjects"]
    assert not judge(None, {"Bucket": "b", "Delete": {"Objects": [{"Key": "k"}]}})


def test_what_writes_into_an_upload_is_judged_by_what_that_began_with():
    rules, upload = access_rules(NoBuckets()), {"Bucket": "b", "Key": "k", "UploadId": "u"}
    assert not rules["UploadPart"](None, upload)
    assert not rules["CompleteMultipartUpload"](None, upload)
    (source,) = rules["UploadPartCopy"](None, upload | {"CopySource": "c/d?versionId=1"})
    assert (source.action, source.resource) == ("s3:GetObjectVersion", "arn:aws:s3:::c/d")
    begun = {"ServerSideEncryption": "AES256", "ACL": "private", "StorageClass": "STANDARD"}
    assert begun_keys(begun) == {"s3:x-amz-server-side-encryption": "AES256"}


def test_a_list_without_a_prefix_is_of_everything():
    (wanted,) = access_rules(NoBuckets())["ListObjectsV2"](None, {"Bucket": "b", "MaxKeys": 5})
    assert wanted.keys == {"s3:prefix": "", "s3:max-keys": "5"}
