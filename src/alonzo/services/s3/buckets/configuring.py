"""The operations on configurations of buckets.

Each kind of configuration is one document of its bucket. What no bucket has here is answered as S3
answers of a bucket that has none: no website, no replication, no logging.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.ports.operations import Operation, Operations
from alonzo.services.s3 import bucket_rows
from alonzo.services.s3.buckets import acls, lifecycle_rules, settings
from alonzo.services.s3.buckets.asking import (
    Params,
    bucket_of,
    document_of,
    malformed,
    not_configured,
    part,
)
from alonzo.services.s3.directory import Directory, Unit
from alonzo.services.s3.records import Bucket

#: From which size on objects change their class. None does here, but tools compare the answers.
_SMALLEST = "TransitionDefaultMinimumObjectSize"
_SMALLEST_DEFAULT = "all_storage_classes_128K"

#: Of one configuration. The bound is ours: a lifecycle of 1,000 rules fits.
DOCUMENT_CHARS_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of configuration. ``member`` is that of the request; ``missing`` code and text.

    ``read`` checks what a request brings, ``show`` makes an answer of what is kept.
    """

    document: str
    member: str
    read: Callable[[Any], Any]
    show: Callable[[Any], dict[str, Any]]
    missing: tuple[str, str]


_TAGS = _Kind(
    settings.TAGS,
    "Tagging",
    lambda given: settings.checked_tags(given.get("TagSet") or ()),
    lambda kept: {"TagSet": [{"Key": key, "Value": value} for key, value in kept.items()]},
    ("NoSuchTagSet", "The TagSet does not exist"),
)
_CORS = _Kind(
    settings.CORS,
    "CORSConfiguration",
    settings.checked_cors,
    lambda kept: {"CORSRules": kept},
    ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
)
_LIFECYCLE = _Kind(
    settings.LIFECYCLE,
    "LifecycleConfiguration",
    lifecycle_rules.checked,
    lambda kept: kept | {"Rules": lifecycle_rules.shown(kept["Rules"])},
    ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
)
_PUBLIC_ACCESS = _Kind(
    settings.PUBLIC_ACCESS,
    "PublicAccessBlockConfiguration",
    settings.checked_public_access,
    lambda kept: {"PublicAccessBlockConfiguration": kept},
    (
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    ),
)
_OWNERSHIP = _Kind(
    settings.OWNERSHIP,
    "OwnershipControls",
    settings.checked_ownership,
    lambda kept: {"OwnershipControls": {"Rules": [{"ObjectOwnership": kept}]}},
    ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
)

#: Configurations that no bucket has here: their error, or what S3 answers where there is none.
_ABSENT: dict[str, tuple[str, str] | dict[str, Any]] = {
    "GetBucketAccelerateConfiguration": {},
    "GetBucketLogging": {},
    "GetBucketRequestPayment": {"Payer": "BucketOwner"},
    "GetBucketReplication": (
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    ),
    "GetBucketWebsite": (
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ),
    "GetObjectLockConfiguration": (
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
}


class Configuring:
    """The operations, by name."""

    def __init__(self, directory: Directory, expire: Callable[[Bucket], None]) -> None:
        """``expire`` is called when a bucket has a new lifecycle configuration."""
        self._directory = directory
        self._expire = expire

    def operations(self) -> Operations:
        """All of them."""
        return {
            "PutBucketTagging": self._put(_TAGS),
            "GetBucketTagging": self._get(_TAGS),
            "DeleteBucketTagging": self._delete(_TAGS),
            "PutBucketCors": self._put(_CORS),
            "GetBucketCors": self._get(_CORS),
            "DeleteBucketCors": self._delete(_CORS),
            "PutBucketLifecycleConfiguration": self.put_bucket_lifecycle,
            "GetBucketLifecycleConfiguration": self._get(_LIFECYCLE),
            "DeleteBucketLifecycle": self._delete(_LIFECYCLE),
            "PutPublicAccessBlock": self._put(_PUBLIC_ACCESS),
            "GetPublicAccessBlock": self._get(_PUBLIC_ACCESS),
            "DeletePublicAccessBlock": self._delete(_PUBLIC_ACCESS),
            "PutBucketOwnershipControls": self._put(_OWNERSHIP),
            "GetBucketOwnershipControls": self._get(_OWNERSHIP),
            "DeleteBucketOwnershipControls": self._delete(_OWNERSHIP),
            "PutBucketEncryption": self.put_bucket_encryption,
            "GetBucketEncryption": self.get_bucket_encryption,
            "DeleteBucketEncryption": self.delete_bucket_encryption,
            "PutBucketAcl": self.put_bucket_acl,
            "GetBucketAcl": self.get_bucket_acl,
            **{name: self._absent(answer) for name, answer in _ABSENT.items()},
        }

    async def put_bucket_lifecycle(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """Replace the rules, and carry them out soon."""
        bucket = bucket_of(self._directory, params)
        smallest = params.get(_SMALLEST) or _SMALLEST_DEFAULT
        if smallest not in (_SMALLEST_DEFAULT, "varies_by_storage_class"):
            raise malformed()
        kept = {
            "Rules": lifecycle_rules.checked(part(params, "LifecycleConfiguration")),
            _SMALLEST: smallest,
        }
        await store_document(self._directory, bucket, settings.LIFECYCLE, json.dumps(kept))
        self._expire(bucket)
        return {_SMALLEST: kept[_SMALLEST]}

    async def put_bucket_encryption(self, context: RequestContext, params: Params) -> None:
        """Say how new objects are encrypted."""
        bucket = bucket_of(self._directory, params)
        given = part(params, "ServerSideEncryptionConfiguration")
        kept = settings.checked_encryption(given, document_of(bucket, settings.ENCRYPTION))
        await store_document(self._directory, bucket, settings.ENCRYPTION, json.dumps(kept))

    async def get_bucket_encryption(
        self, context: RequestContext, params: Params
    ) -> dict[str, Any]:
        """How new objects are encrypted: every bucket has a rule."""
        bucket = bucket_of(self._directory, params)
        rule = settings.encryption_rule(document_of(bucket, settings.ENCRYPTION))
        return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}

    async def delete_bucket_encryption(self, context: RequestContext, params: Params) -> None:
        """Back to the rule that a new bucket has."""
        bucket = bucket_of(self._directory, params)
        await store_document(self._directory, bucket, settings.ENCRYPTION, None)

    async def put_bucket_acl(self, context: RequestContext, params: Params) -> None:
        """Take the ACL that the bucket has, where it has one at all, and refuse all others."""
        acls.check_put(params, bucket_of(self._directory, params))

    async def get_bucket_acl(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """The owner may do everything, and nobody else anything."""
        return acls.owner_acl(bucket_of(self._directory, params))

    def _put(self, kind: _Kind) -> Operation:
        async def put(context: RequestContext, params: Params) -> None:
            bucket = bucket_of(self._directory, params)
            kept = kind.read(params.get(kind.member) or {})
            await store_document(self._directory, bucket, kind.document, json.dumps(kept))

        return put

    def _get(self, kind: _Kind) -> Operation:
        async def get(context: RequestContext, params: Params) -> dict[str, Any]:
            bucket = bucket_of(self._directory, params)
            kept = document_of(bucket, kind.document)
            if kept is None or (kind is _TAGS and not kept):
                raise not_configured(*kind.missing, bucket)
            return kind.show(kept)

        return get

    def _delete(self, kind: _Kind) -> Operation:
        async def delete(context: RequestContext, params: Params) -> None:
            bucket = bucket_of(self._directory, params)
            await store_document(self._directory, bucket, kind.document, None)

        return delete

    def _absent(self, answer: tuple[str, str] | dict[str, Any]) -> Operation:
        async def get(context: RequestContext, params: Params) -> dict[str, Any]:
            bucket = bucket_of(self._directory, params)
            if isinstance(answer, tuple):
                raise not_configured(*answer, bucket)
            return answer

        return get


async def store_document(directory: Directory, bucket: Bucket, name: str, text: str | None) -> None:
    """Store a configuration of a bucket, or with None take it away.

    Raises:
        AwsError: NoSuchBucket; MalformedXML: it is too long to be kept in memory.
    """
    if text is not None and len(text) > DOCUMENT_CHARS_MAX:
        raise malformed()

    def change(unit: Unit) -> None:
        now = unit.need(bucket)
        documents = {key: value for key, value in now.documents.items() if key != name}
        if text is not None:
            documents[name] = text
        bucket_rows.save_bucket(unit.conn, now.id, now.versioning, documents)

    await directory.change(change)
