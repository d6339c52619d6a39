"""What every operation on a bucket begins with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from alonzo.model.errors import AwsError
from alonzo.services.s3.directory import Directory
from alonzo.services.s3.errors import s3_error
from alonzo.services.s3.records import Bucket

Params = Mapping[str, Any]


def bucket_of(directory: Directory, params: Params) -> Bucket:
    """The bucket of a request, if it belongs to whom the request says.

    Raises:
        AwsError: NoSuchBucket, AccessDenied.
    """
    bucket = directory.find_nowait(str(params.get("Bucket") or ""))
    owner = params.get("ExpectedBucketOwner")
    if owner is not None and owner != bucket.account:
        raise s3_error("AccessDenied", "Access Denied", 403)
    return bucket


def part(params: Params, name: str) -> dict[str, Any]:
    """A structure of a request, empty if it is not there."""
    return params.get(name) or {}


def parts(params: Params, name: str) -> list[Any]:
    """A list of a request, empty if it is not there."""
    return params.get(name) or []


def document_of(bucket: Bucket, name: str) -> Any:
    """A configuration of a bucket, or None."""
    text = bucket.documents.get(name)
    return None if text is None else json.loads(text)


def not_configured(code: str, message: str, bucket: Bucket) -> AwsError:
    """A configuration that is not there."""
    return s3_error(code, message, 404, BucketName=bucket.name)


def malformed() -> AwsError:
    """A document of a request is not what it should be."""
    return s3_error(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
        400,
    )


def not_implemented(message: str) -> AwsError:
    """What is asked for is not there. The texts are ours."""
    return s3_error("NotImplemented", message, 501)
