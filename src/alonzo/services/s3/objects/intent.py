"""What a request that writes an object says about it: headers, metadata, tags. Pure.

What this S3 does not do is refused here, rather than accepted and forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from alonzo.model.errors import AwsError
from alonzo.services.s3.buckets import acls
from alonzo.services.s3.errors import invalid_argument, invalid_request, s3_error
from alonzo.services.s3.records import Bucket

#: Headers of the system that are kept with an object, by the members of the API.
HEADERS = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "WebsiteRedirectLocation",
)

#: Of names and values together. Source: S3 User Guide, working with object metadata.
METADATA_BYTES_MAX = 2048

#: Source: S3 User Guide, categorizing your storage using tags.
TAGS_MAX = 10
_TAG_KEY_CHARS_MAX, _TAG_VALUE_CHARS_MAX = 128, 256

KEY_BYTES_MAX = 1024

#: Those whose objects can be read at once.
_STORAGE_CLASSES = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER_IR",
    }
)

_LOCK_MEMBERS = (
    "ObjectLockMode",
    "ObjectLockRetainUntilDate",
    "ObjectLockLegalHoldStatus",
    "ObjectLockEventHold",
    "ObjectLockEventHoldDurationDays",
    "ObjectLockEventHoldDurationYears",
)


def check_key(key: str) -> None:
    """A key has an end.

    Raises:
        AwsError: KeyTooLongError.
    """
    n_bytes = len(key.encode("utf-8", "replace"))
    if n_bytes > KEY_BYTES_MAX:
        raise s3_error(
            "KeyTooLongError",
            "Your key is too long",
            400,
            Size=str(n_bytes),
            MaxSizeAllowed=str(KEY_BYTES_MAX),
        )


def check_owner(
    params: Mapping[str, Any], bucket: Bucket, name: str = "ExpectedBucketOwner"
) -> None:
    """The bucket belongs to whom the caller thinks.

    Raises:
        AwsError: AccessDenied.
    """
    expected = params.get(name)
    if expected and expected != bucket.account:
        raise s3_error("AccessDenied", "Access Denied", 403)


def check_declined(params: Mapping[str, Any], bucket: Bucket) -> None:
    """Refuse what is not done here.

    Raises:
        AwsError: AccessControlListNotSupported, InvalidRequest, NotImplemented, …
    """
    acls.check_write(params, bucket)
    if any(params.get(name) for name in _LOCK_MEMBERS):
        raise invalid_request("Bucket is missing Object Lock Configuration")
    if params.get("WriteOffsetBytes") is not None:
        raise _not_implemented("Appending is for directory buckets, which Alonzo does not have.")
    if storage_class_of(params) not in _STORAGE_CLASSES:
        raise s3_error("InvalidStorageClass", "The storage class you specified is not valid", 400)


def storage_class_of(params: Mapping[str, Any]) -> str:
    """The storage class of a request."""
    return str(params.get("StorageClass") or "STANDARD")


def headers_of(params: Mapping[str, Any]) -> dict[str, str]:
    """The headers of the system that are to be kept."""
    found = {name: _header_text(params[name]) for name in HEADERS if params.get(name)}
    if "ContentEncoding" in found:
        # How the request was framed is no property of the object.
        codings = [each.strip() for each in found["ContentEncoding"].split(",")]
        kept = ",".join(each for each in codings if each and each != "aws-chunked")
        del found["ContentEncoding"]
        if kept:
            found["ContentEncoding"] = kept
    found.setdefault("ContentType", "binary/octet-stream")
    return found


def metadata_of(params: Mapping[str, Any]) -> dict[str, str]:
    """The user's metadata, names in lower case.

    Raises:
        AwsError: MetadataTooLarge.
    """
    given: Mapping[str, str] = params.get("Metadata") or {}
    metadata = {name.lower(): value for name, value in given.items()}
    n_bytes = sum(len(f"{name}{value}".encode()) for name, value in metadata.items())
    if n_bytes > METADATA_BYTES_MAX:
        raise s3_error(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            400,
            Size=str(n_bytes),
            MaxSizeAllowed=str(METADATA_BYTES_MAX),
        )
    return metadata


def tags_of_header(params: Mapping[str, Any]) -> dict[str, str]:
    """The tags of an ``x-amz-tagging`` header, which is written as a query.

    Raises:
        AwsError: InvalidTag, BadRequest, InvalidArgument.
    """
    text = params.get("Tagging")
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=100)
    except ValueError:
        raise invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
            "parameters without tag name duplicates.",
            "x-amz-tagging",
            text[:1024],
        ) from None
    return checked_tags([{"Key": key, "Value": value} for key, value in pairs])


def checked_tags(tag_set: list[dict[str, str]]) -> dict[str, str]:
    """Tags of an object.

    Raises:
        AwsError: InvalidTag, BadRequest.
    """
    if len(tag_set) > TAGS_MAX:
        raise s3_error("BadRequest", f"Object tags cannot be greater than {TAGS_MAX}", 400)
    tags: dict[str, str] = {}
    for tag in tag_set:
        key, value = str(tag.get("Key") or ""), str(tag.get("Value") or "")
        if key in tags:
            raise _invalid_tag("Cannot provide multiple Tags with the same key", key)
        if not 1 <= len(key) <= _TAG_KEY_CHARS_MAX or key.startswith("aws:"):
            raise _invalid_tag("The TagKey you have provided is invalid", key)
        if len(value) > _TAG_VALUE_CHARS_MAX:
            raise _invalid_tag("The TagValue you have provided is invalid", key, value)
        tags[key] = value
    return tags


def _invalid_tag(message: str, key: str, value: str | None = None) -> AwsError:
    members = {"TagKey": key[:1024]} | ({} if value is None else {"TagValue": value[:1024]})
    return s3_error("InvalidTag", message, 400, **members)


def _not_implemented(message: str) -> AwsError:
    return s3_error("NotImplemented", message, 501)


def _header_text(value: Any) -> str:
    return format_datetime(value, usegmt=True) if isinstance(value, datetime) else str(value)
