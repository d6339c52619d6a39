"""The operations on buckets themselves: making, deleting, finding them, and their versioning."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from alonzo.lib.clock import Clock, utc
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.s3 import bucket_rows
from alonzo.services.s3.buckets import acls, tokens
from alonzo.services.s3.buckets.asking import Params, bucket_of, malformed, not_implemented, part
from alonzo.services.s3.buckets.names import canonical_id, is_bucket_name
from alonzo.services.s3.buckets.records import Q
from alonzo.services.s3.buckets.settings import (
    OWNERSHIP,
    OWNERSHIPS,
    PUBLIC_ACCESS,
    TAGS,
    checked_tags,
)
from alonzo.services.s3.directory import Directory, Unit
from alonzo.services.s3.errors import invalid_argument, s3_error
from alonzo.services.s3.objects import rows
from alonzo.services.s3.objects.changing import abort_upload
from alonzo.services.s3.records import ENABLED, SUSPENDED, Bucket

#: Buckets of an account. Source: S3 user guide, general purpose bucket quotas.
BUCKETS_MAX = 10_000
#: Uploads that go with their bucket; who has more aborts them first. The number is ours.
UPLOADS_MAX = 1000
_DEFAULT_REGION = "us-east-1"
_OLD_NAMES = {"EU": "eu-west-1"}

#: What a new bucket has. Source: S3 user guide, default settings for new buckets FAQ.
_ALL_BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


class BucketOperations:
    """CreateBucket and what follows it."""

    def __init__(self, directory: Directory, *, clock: Clock, released: Callable[[], None]) -> None:
        """``released`` is called after blobs may have become useless."""
        self._directory = directory
        self._clock = clock
        self._released = released

    async def create_bucket(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """A new bucket. In us-east-1, one's own is answered as if it were new."""
        name = str(params.get("Bucket") or "")
        if not is_bucket_name(name):
            raise s3_error(
                "InvalidBucketName", "The specified bucket is not valid.", 400, BucketName=name
            )
        region = _region(context, params)
        documents = _documents(params, context.account)

        def create(unit: Unit) -> None:
            found = bucket_rows.try_find_bucket_by_name(unit.conn, name)
            if found is not None:
                _check_again(found, context, region)
                return
            if len(self._directory.of_account_nowait(context.account)) >= BUCKETS_MAX:
                raise s3_error(
                    "TooManyBuckets",
                    "You have attempted to create more buckets than allowed",
                    400,
                )
            now_s = self._clock.now_s()
            unit.touch(
                bucket_rows.insert_bucket(
                    unit.conn, name, context.account, region, documents, now_s
                )
            )

        await self._directory.change(create)
        far = region != _DEFAULT_REGION
        location = f"http://{name}.s3.amazonaws.com/" if far else f"/{name}"
        return {"Location": location, "BucketArn": f"arn:aws:s3:::{name}"}

    async def delete_bucket(self, context: RequestContext, params: Params) -> None:
        """Delete a bucket in which nothing is. Uploads that nobody completed go with it."""
        bucket = bucket_of(self._directory, params)

        def delete(unit: Unit) -> None:
            now = unit.need(bucket)
            values = {"bucket_id": now.id, "after": 0, "limit": UPLOADS_MAX + 1}
            uploads = unit.conn.all(Q.uploads_after, values)
            if unit.conn.one(Q.any_version, values) or len(uploads) > UPLOADS_MAX:
                raise s3_error(
                    "BucketNotEmpty",
                    "The bucket you tried to delete is not empty",
                    409,
                    BucketName=now.name,
                )
            for row in uploads:
                upload = rows.try_upload(unit.conn, row["upload_id"])
                assert upload is not None, "it was there a moment ago"
                abort_upload(unit.conn, upload)
            bucket_rows.delete_bucket(unit.conn, now.id)

        await self._directory.change(delete)
        self._released()

    async def head_bucket(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """Whether the bucket is there, and where."""
        bucket = bucket_of(self._directory, params)
        return {"BucketRegion": bucket.region, "BucketArn": bucket.arn}

    async def list_buckets(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """The caller's buckets, by name."""
        limit = params.get("MaxBuckets")
        if limit is not None and not 1 <= limit <= BUCKETS_MAX:
            raise invalid_argument(
                "Argument max-buckets must be an integer between 1 and 10000",
                "max-buckets",
                str(limit),
            )
        prefix, region = params.get("Prefix") or "", params.get("BucketRegion")
        given = params.get("ContinuationToken")
        after = "" if not given else tokens.read(given)[0]
        found = [
            bucket
            for bucket in self._directory.of_account_nowait(context.account)
            if bucket.name > after
            and bucket.name.startswith(prefix)
            and (not region or bucket.region == region)
        ]
        page = found if limit is None else found[:limit]
        answer: dict[str, Any] = {
            "Owner": {"ID": canonical_id(context.account)},
            "Buckets": [_shown(bucket, located=limit is not None or region) for bucket in page],
        }
        if len(page) < len(found):
            answer["ContinuationToken"] = tokens.token(page[-1].name)
        return answer | ({"Prefix": prefix} if prefix else {})

    async def get_bucket_location(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """The region, which us-east-1 says by saying nothing."""
        region = bucket_of(self._directory, params).region
        return {} if region == _DEFAULT_REGION else {"LocationConstraint": region}

    async def put_bucket_versioning(self, context: RequestContext, params: Params) -> None:
        """Switch versioning on, or suspend it: it is never off again."""
        bucket = bucket_of(self._directory, params)
        configuration = part(params, "VersioningConfiguration")
        status = configuration.get("Status")
        if configuration.get("MFADelete") == ENABLED:
            raise not_implemented("There are no devices for multi-factor authentication here.")
        if status not in (ENABLED, SUSPENDED):
            # Source: S3 API reference, PutBucketVersioning; the text as recorded in public suites.
            raise s3_error(
                "IllegalVersioningConfigurationException",
                "The Versioning element must be specified",
                400,
            )

        def change(unit: Unit) -> None:
            now = unit.need(bucket)
            bucket_rows.save_bucket(unit.conn, now.id, status, now.documents)

        await self._directory.change(change)

    async def get_bucket_versioning(
        self, context: RequestContext, params: Params
    ) -> dict[str, Any]:
        """The state of versioning; nothing if it was never on."""
        bucket = bucket_of(self._directory, params)
        return {"Status": bucket.versioning} if bucket.versioning else {}


def _region(context: RequestContext, params: Params) -> str:
    """Where a new bucket shall be.

    Source: S3 API reference, CreateBucket, LocationConstraint; error responses.
    """
    configuration = part(params, "CreateBucketConfiguration")
    if configuration.get("Location") or configuration.get("Bucket"):
        raise not_implemented("There are no directory buckets here.")
    constraint = configuration.get("LocationConstraint")
    if not constraint:
        if context.region != _DEFAULT_REGION:
            raise _illegal("unspecified")
        return _DEFAULT_REGION
    if constraint == _DEFAULT_REGION and context.region == _DEFAULT_REGION:
        raise s3_error(
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
            400,
            LocationConstraint=constraint,
        )
    region = _OLD_NAMES.get(constraint, constraint)
    if context.region not in (_DEFAULT_REGION, region):
        raise _illegal(constraint)
    return region


def _illegal(constraint: str) -> AwsError:
    return s3_error(
        "IllegalLocationConstraintException",
        f"The {constraint} location constraint is incompatible for the region specific endpoint "
        "this request was sent to.",
        400,
    )


def _documents(params: Params, account: str) -> dict[str, str]:
    """The configurations that a new bucket begins with."""
    if params.get("ObjectLockEnabledForBucket"):
        raise not_implemented("There are no object locks here.")
    ownership = params.get("ObjectOwnership") or "BucketOwnerEnforced"
    if ownership not in OWNERSHIPS:
        raise malformed()
    acls.check_new(params, account, ownership)
    documents: dict[str, Any] = {PUBLIC_ACCESS: _ALL_BLOCKED, OWNERSHIP: ownership}
    tags = part(params, "CreateBucketConfiguration").get("Tags")
    if tags:
        documents[TAGS] = checked_tags(tags)
    return {name: json.dumps(value) for name, value in documents.items()}


def _check_again(found: Bucket, context: RequestContext, region: str) -> None:
    if found.account != context.account:
        raise s3_error(
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all "
            "users of the system. Please select a different name and try again.",
            409,
            BucketName=found.name,
        )
    if not context.region == region == found.region == _DEFAULT_REGION:
        raise s3_error(
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
            409,
            BucketName=found.name,
        )


def _shown(bucket: Bucket, *, located: object) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Name": bucket.name,
        "CreationDate": utc(bucket.created_at_s),
        "BucketArn": bucket.arn,
    }
    return shown | ({"BucketRegion": bucket.region} if located else {})
