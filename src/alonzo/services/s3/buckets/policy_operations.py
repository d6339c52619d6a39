"""The operations on policies of buckets."""

from __future__ import annotations

from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.s3.buckets import policies
from alonzo.services.s3.buckets.asking import Params, bucket_of, malformed, not_configured
from alonzo.services.s3.buckets.configuring import store_document
from alonzo.services.s3.buckets.settings import POLICY
from alonzo.services.s3.directory import Directory
from alonzo.services.s3.errors import method_not_allowed, s3_error
from alonzo.services.s3.records import Bucket


class PolicyOperations:
    """Put, Get and DeleteBucketPolicy, and GetBucketPolicyStatus."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def put_bucket_policy(self, context: RequestContext, params: Params) -> None:
        """Give a bucket a policy, in place of the one it has."""
        bucket = self._owned(context, params)
        text = params.get("Policy")
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        if not text:
            raise malformed()
        policies.checked(text, bucket)
        if policies.blocks_public_policies(bucket) and policies.is_public(text):
            raise s3_error(
                "AccessDenied",
                f"User: {context.principal.arn} is not authorized to perform: s3:PutBucketPolicy "
                f'on resource: "{bucket.arn}" because public policies are prevented by the '
                "BlockPublicPolicy setting in S3 Block Public Access.",
                403,
            )
        await store_document(self._directory, bucket, POLICY, text)

    async def get_bucket_policy(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """The policy as it was given."""
        return {"Policy": _policy(self._owned(context, params))}

    async def get_bucket_policy_status(
        self, context: RequestContext, params: Params
    ) -> dict[str, Any]:
        """Whether the policy is public."""
        text = _policy(self._owned(context, params))
        return {"PolicyStatus": {"IsPublic": policies.is_public(text)}}

    async def delete_bucket_policy(self, context: RequestContext, params: Params) -> None:
        """Take the policy away, if there is one."""
        await store_document(self._directory, self._owned(context, params), POLICY, None)

    def _owned(self, context: RequestContext, params: Params) -> Bucket:
        """The bucket, which must be the caller's account's own.

        Source: API reference, PutBucketPolicy: others get 405, even those who are allowed to.
        """
        bucket = bucket_of(self._directory, params)
        if bucket.account != context.account:
            raise method_not_allowed("", "BUCKETPOLICY")
        return bucket


def _policy(bucket: Bucket) -> str:
    text = bucket.documents.get(POLICY)
    if text is None:
        raise not_configured("NoSuchBucketPolicy", "The bucket policy does not exist", bucket)
    return text
