"""Packages that lie in Amazon S3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control.declined import STORAGE_MODE, check_declined
from alonzo.model.context import RequestContext
from alonzo.model.errors import invalid_parameter
from alonzo.model.ports.code import ObjectError, ObjectReader

_DECLINED = (STORAGE_MODE,)


class NoObjects:
    """An ``ObjectReader`` for a platform without S3: no bucket exists."""

    async def read(
        self, context: RequestContext, bucket: str, key: str, version: str | None, *, bytes_max: int
    ) -> bytes:
        """Answer what S3 answers of a bucket that is not there."""
        del context, bucket, key, version, bytes_max
        raise ObjectError("NoSuchBucket", "The specified bucket does not exist")


async def read_package(
    objects: ObjectReader, context: RequestContext, source: Mapping[str, Any], *, bytes_max: int
) -> bytes:
    """The package that ``S3Bucket``, ``S3Key`` and ``S3ObjectVersion`` of ``source`` name.

    Raises:
        AwsError: InvalidParameterValueException; it repeats what S3 says.
    """
    check_declined(source, _DECLINED)
    try:
        return await objects.read(
            context,
            source["S3Bucket"],
            source["S3Key"],
            source.get("S3ObjectVersion"),
            bytes_max=bytes_max,
        )
    except ObjectError as error:
        raise invalid_parameter(
            f"Error occurred while GetObject. S3 Error Code: {error.code}. "
            f"S3 Error Message: {error.text}"
        ) from error
