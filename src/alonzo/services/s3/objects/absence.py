"""Keys that are not there are told only to those who may list the bucket; others get 403.

Source: S3 API reference, GetObject, HeadObject and GetObjectAttributes, permissions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.ports.operations import Operation, Operations
from alonzo.services.s3.objects.core import Core
from alonzo.services.s3.objects.writing import read_source

#: Operations that would tell whether there is such a key.
_TELLING = frozenset(
    {
        "CopyObject",
        "DeleteObjectTagging",
        "GetObject",
        "GetObjectAcl",
        "GetObjectAttributes",
        "GetObjectTagging",
        "HeadObject",
        "PutObjectAcl",
        "PutObjectTagging",
        "UpdateObjectEncryption",
        "UploadPartCopy",
    }
)
_ABSENT = frozenset({"NoSuchKey", "NoSuchVersion"})


def discreet(operations: Operations, core: Core) -> Operations:
    """The same operations, and none of them tells strangers which keys there are."""
    return {
        name: _veiled(operation, core) if name in _TELLING else operation
        for name, operation in operations.items()
    }


def _veiled(operation: Operation, core: Core) -> Operation:
    async def run(context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any] | None:
        try:
            return await operation(context, params)
        except AwsError as error:
            if error.code not in _ABSENT:
                raise
            source = params.get("CopySource")
            name = params["Bucket"] if source is None else read_source(source)[0]
            bucket = core.directory.try_find_nowait(name)
            if bucket is None:
                raise
            refusal = await core.permits.why_not_list(context, bucket)
            if refusal is None:
                raise
            raise refusal from None

    return run
