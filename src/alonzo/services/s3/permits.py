"""What a caller may beyond what the call as a whole needs: asked for while an operation runs."""

from __future__ import annotations

from collections.abc import Mapping

from alonzo.model.access import Access
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import Judge
from alonzo.services.s3.records import Bucket


class Permits:
    """Asks the authorizer. Before ``connect`` everybody may everything."""

    def __init__(self) -> None:
        self._judge: Judge | None = None

    def connect(self, judge: Judge) -> None:
        """From now on permissions count."""
        self._judge = judge

    async def why_not_delete(
        self, context: RequestContext, bucket: Bucket, key: str, version_id: str | None
    ) -> AwsError | None:
        """Why the caller may not delete an object, or, with ``version_id``, a version of one."""
        if version_id is None:
            return await self._refusal(context, bucket, "s3:DeleteObject", f"/{key}", {})
        keys = {"s3:versionid": version_id}
        return await self._refusal(context, bucket, "s3:DeleteObjectVersion", f"/{key}", keys)

    async def check_write(
        self, context: RequestContext, bucket: Bucket, key: str, keys: Mapping[str, str]
    ) -> None:
        """The caller may write an object; ``keys`` are those of the request's context.

        Raises:
            AwsError: AccessDenied.
        """
        refusal = await self._refusal(context, bucket, "s3:PutObject", f"/{key}", keys)
        if refusal is not None:
            raise refusal

    async def why_not_list(self, context: RequestContext, bucket: Bucket) -> AwsError | None:
        """Why the caller may not see which objects there are."""
        return await self._refusal(context, bucket, "s3:ListBucket", "", {})

    async def _refusal(
        self,
        context: RequestContext,
        bucket: Bucket,
        action: str,
        rest: str,
        keys: Mapping[str, str],
    ) -> AwsError | None:
        if self._judge is None:
            return None
        access = Access(action, bucket.arn + rest, keys, account=bucket.account)
        return await self._judge.refusal(context, "s3", access)
