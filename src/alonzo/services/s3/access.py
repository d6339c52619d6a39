"""What the operations of S3 need to be allowed. Names of actions are often not those of operations.

ARNs of buckets name no account, so an access says whose the bucket is.

Source: service authorization reference, Amazon S3; S3 user guide, required permissions for S3 API
operations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import unquote

from alonzo.model.access import Access, AccessRule, AccessRules, free, on_all
from alonzo.model.context import ANONYMOUS, RequestContext
from alonzo.services.s3.buckets.asking import part, parts
from alonzo.services.s3.buckets.names import arn_of
from alonzo.services.s3.directory import Directory
from alonzo.services.s3.errors import no_bucket

Keys = Mapping[str, str | tuple[str, ...]]
Params = Mapping[str, Any]

#: Operations on a bucket whose action has another name, or the same.
_ON_BUCKET = {
    "DeleteBucket": "DeleteBucket",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketPolicy": "DeleteBucketPolicy",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketAcl": "GetBucketAcl",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketLocation": "GetBucketLocation",
    "GetBucketLogging": "GetBucketLogging",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketOwnershipControls": "GetBucketOwnershipControls",
    "GetBucketPolicy": "GetBucketPolicy",
    "GetBucketPolicyStatus": "GetBucketPolicyStatus",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetBucketRequestPayment": "GetBucketRequestPayment",
    "GetBucketTagging": "GetBucketTagging",
    "GetBucketVersioning": "GetBucketVersioning",
    "GetBucketWebsite": "GetBucketWebsite",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "PutBucketAcl": "PutBucketAcl",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketOwnershipControls": "PutBucketOwnershipControls",
    "PutBucketPolicy": "PutBucketPolicy",
    "PutBucketTagging": "PutBucketTagging",
    "PutBucketVersioning": "PutBucketVersioning",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}

#: Operations that list what is in a bucket.
_LISTS = {
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
}

#: Operations on an object, and their actions; after ``|`` those on a version of one.
_ON_OBJECT = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CreateMultipartUpload": "PutObject",
    "DeleteObject": "DeleteObject|DeleteObjectVersion",
    "DeleteObjectTagging": "DeleteObjectTagging|DeleteObjectVersionTagging",
    "GetObject": "GetObject|GetObjectVersion",
    "GetObjectAcl": "GetObjectAcl|GetObjectVersionAcl",
    "GetObjectTagging": "GetObjectTagging|GetObjectVersionTagging",
    "HeadObject": "GetObject|GetObjectVersion",
    "ListParts": "ListMultipartUploadParts",
    "PutObject": "PutObject",
    "PutObjectAcl": "PutObjectAcl|PutObjectVersionAcl",
    "PutObjectTagging": "PutObjectTagging|PutObjectVersionTagging",
    "UpdateObjectEncryption": "UpdateObjectEncryption",
}

#: Keys of the context that members of requests become, for those who write.
_WRITTEN = {
    "ACL": "s3:x-amz-acl",
    "CopySource": "s3:x-amz-copy-source",
    "IfMatch": "s3:if-match",
    "IfNoneMatch": "s3:if-none-match",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "ObjectOwnership": "s3:x-amz-object-ownership",
    "SSECustomerAlgorithm": "s3:x-amz-server-side-encryption-customer-algorithm",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "StorageClass": "s3:x-amz-storage-class",
    "VersionId": "s3:versionid",
}
#: The same for lists.
_LISTED = {"Prefix": "s3:prefix", "Delimiter": "s3:delimiter", "MaxKeys": "s3:max-keys"}


#: What of that an upload in parts is judged by to its end, though its parts do not repeat it:
#: policies which insist on encryption let large objects pass, too.
_BEGUN_WITH = ("SSECustomerAlgorithm", "SSEKMSKeyId", "ServerSideEncryption")


def written_keys(params: Params) -> dict[str, str]:
    """The keys that a request which writes has of itself."""
    return _keys(params, _WRITTEN)


def begun_keys(params: Params) -> dict[str, str]:
    """The keys of the request which begins an upload that count for its parts."""
    return _keys(params, {name: _WRITTEN[name] for name in _BEGUN_WITH})


def access_rules(directory: Directory) -> AccessRules:
    """The rules, by operation."""
    on = _Rules(directory)
    return {
        **{name: on.bucket(f"s3:{action}") for name, action in _ON_BUCKET.items()},
        **{name: on.listing(f"s3:{action}") for name, action in _LISTS.items()},
        **{name: on.key(*action.split("|")) for name, action in _ON_OBJECT.items()},
        "CopyObject": on.copy,
        "CreateBucket": on.create,
        # Judged while they run (``permits``): each key of a list by itself, and what writes into an
        # upload by what that began with.
        "CompleteMultipartUpload": free(),
        "DeleteObjects": free(),
        "UploadPart": free(),
        "GetObjectAttributes": on.attributes,
        "ListBuckets": on_all("s3:ListAllMyBuckets"),
        "UploadPartCopy": on.source,
    }


class _Rules:
    """Makes rules that know the buckets."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def bucket(self, action: str) -> AccessRule:
        """On the bucket itself."""

        def rule(context: RequestContext, params: Params) -> Sequence[Access]:
            return (self._access(context, action, _bucket(params), None, written_keys(params)),)

        return rule

    def listing(self, action: str) -> AccessRule:
        """On the bucket, to see what is in it; without a prefix, all of it."""

        def rule(context: RequestContext, params: Params) -> Sequence[Access]:
            keys = {"s3:prefix": "", **_keys(params, _LISTED)}
            return (self._access(context, action, _bucket(params), None, keys),)

        return rule

    def key(self, action: str, of_version: str = "") -> AccessRule:
        """On an object, or, where the request names one, on a version of it."""

        def rule(context: RequestContext, params: Params) -> Sequence[Access]:
            return self._on_key(context, params, action, of_version)

        return rule

    def attributes(self, context: RequestContext, params: Params) -> Sequence[Access]:
        """Two actions."""
        return (
            *self._on_key(context, params, "GetObject", "GetObjectVersion"),
            *self._on_key(context, params, "GetObjectAttributes", "GetObjectVersionAttributes"),
        )

    def copy(self, context: RequestContext, params: Params) -> Sequence[Access]:
        """To read the source, and to write."""
        return (*self.source(context, params), *self._on_key(context, params, "PutObject", ""))

    def source(self, context: RequestContext, params: Params) -> Sequence[Access]:
        """To read the source of a copy."""
        source, _, query = str(params.get("CopySource") or "").partition("?versionId=")
        bucket, _, key = unquote(source).removeprefix("/").partition("/")
        action = "s3:GetObjectVersion" if query else "s3:GetObject"
        keys: Keys = {"s3:versionid": query} if query else {}
        return (self._access(context, action, bucket, key, keys),)

    def create(self, context: RequestContext, params: Params) -> Sequence[Access]:
        """A bucket that is not there yet; of one that is, its own account's permission counts."""
        configuration = part(params, "CreateBucketConfiguration")
        location = configuration.get("LocationConstraint") or context.region
        keys = {**_keys(params, _WRITTEN), "s3:locationconstraint": str(location)}
        resource = arn_of(_bucket(params))
        wanted = [Access("s3:CreateBucket", resource, keys)]
        if params.get("ObjectOwnership"):
            wanted.append(Access("s3:PutBucketOwnershipControls", resource, keys))
        if configuration.get("Tags"):
            wanted.append(Access("s3:TagResource", resource))
        return wanted

    def _on_key(
        self, context: RequestContext, params: Params, action: str, of_version: str
    ) -> Sequence[Access]:
        name = of_version if of_version and params.get("VersionId") else action
        bucket, key = _bucket(params), str(params.get("Key") or "")
        keys: dict[str, str | tuple[str, ...]] = {**written_keys(params)}
        tags = _tags(params.get("Tagging"))
        if tags:
            keys |= {f"s3:requestobjecttag/{name.lower()}": value for name, value in tags}
            keys |= {"s3:requestobjecttagkeys": tuple(name for name, _ in tags)}
        wanted = [self._access(context, f"s3:{name}", bucket, key, keys)]
        if params.get("ACL") and name == "PutObject":
            wanted.append(self._access(context, "s3:PutObjectAcl", bucket, key, keys))
        if tags and name == "PutObject":
            wanted.append(self._access(context, "s3:PutObjectTagging", bucket, key, keys))
        return wanted

    def _access(
        self, context: RequestContext, action: str, name: str, key: str | None, keys: Keys
    ) -> Access:
        bucket = self._directory.try_find_nowait(name)
        if bucket is None and context.principal == ANONYMOUS:
            # There is no policy to ask. Everybody may know which buckets there are.
            raise no_bucket(name)
        resource = arn_of(name) if key is None else f"{arn_of(name)}/{key}"
        return Access(action, resource, keys, account="" if bucket is None else bucket.account)


def _bucket(params: Params) -> str:
    return str(params.get("Bucket") or "")


def _keys(params: Params, names: Mapping[str, str]) -> dict[str, str]:
    found = ((key, params.get(member)) for member, key in names.items())
    return {key: str(value) for key, value in found if value is not None}


def _tags(tagging: object) -> list[tuple[str, str]]:
    """The tags of a request: in a header as in a query, or in a document."""
    if isinstance(tagging, str):
        pairs = (each.partition("=") for each in tagging.split("&") if each)
        return [(_plus(name), _plus(value)) for name, _, value in pairs]
    if isinstance(tagging, Mapping):
        document = cast("Params", tagging)
        return [
            (str(tag.get("Key", "")), str(tag.get("Value", "")))
            for tag in parts(document, "TagSet")
        ]
    return []


def _plus(text: str) -> str:
    return unquote(text.replace("+", " "))
