"""The errors of S3. Texts as AWS's API reference gives them, error responses; ours are marked.

Statuses are ours to give: S3's service model names few errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.errors import AwsError


def s3_error(code: str, message: str, status: int, **members: Any) -> AwsError:
    """An error; ``members`` are further elements of its document (``Key``)."""
    return AwsError(code, message, status=status, members=members)


def no_bucket(name: str) -> AwsError:
    """No such bucket."""
    return s3_error("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=name)


def no_key(key: str) -> AwsError:
    """No such object, or its newest version is a delete marker."""
    return s3_error("NoSuchKey", "The specified key does not exist.", 404, Key=key)


def no_version(key: str, version_id: str) -> AwsError:
    """No such version of an object."""
    return s3_error(
        "NoSuchVersion",
        "The specified version does not exist.",
        404,
        Key=key,
        VersionId=version_id,
    )


def no_upload(upload_id: str) -> AwsError:
    """No such upload in parts."""
    return s3_error(
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may "
        "have been aborted or completed.",
        404,
        UploadId=upload_id,
    )


def invalid_argument(message: str, name: str = "", value: str = "") -> AwsError:
    """An argument's value is bad."""
    members: Mapping[str, Any] = {"ArgumentName": name, "ArgumentValue": value} if name else {}
    return AwsError("InvalidArgument", message, status=400, members=members)


def invalid_request(message: str) -> AwsError:
    """The request makes no sense as a whole."""
    return s3_error("InvalidRequest", message, 400)


def precondition_failed(condition: str) -> AwsError:
    """A condition of the request's headers does not hold."""
    return s3_error(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        412,
        Condition=condition,
    )


def method_not_allowed(method: str, resource_type: str) -> AwsError:
    """What is asked for cannot be done to that kind of thing."""
    return s3_error(
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
        405,
        Method=method,
        ResourceType=resource_type,
    )


def bad_digest(message: str) -> AwsError:
    """The body is not what its digest says."""
    return s3_error("BadDigest", message, 400)
