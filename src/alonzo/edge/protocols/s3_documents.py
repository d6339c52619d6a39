"""What the documents of S3's answers are called, which its service model does not say. Pure.

botocore looks at no root element; SDKs in other languages do.

Source: S3 API reference, response syntax of each operation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_ROOTS: Mapping[str, bytes] = {
    "CompleteMultipartUpload": b"CompleteMultipartUploadResult",
    "CreateMultipartUpload": b"InitiateMultipartUploadResult",
    "DeleteObjects": b"DeleteResult",
    "GetBucketAccelerateConfiguration": b"AccelerateConfiguration",
    "GetBucketAcl": b"AccessControlPolicy",
    "GetBucketCors": b"CORSConfiguration",
    "GetBucketLifecycleConfiguration": b"LifecycleConfiguration",
    "GetBucketLogging": b"BucketLoggingStatus",
    "GetBucketRequestPayment": b"RequestPaymentConfiguration",
    "GetBucketTagging": b"Tagging",
    "GetBucketVersioning": b"VersioningConfiguration",
    "GetObjectAttributes": b"GetObjectAttributesResponse",
    "GetObjectTagging": b"Tagging",
    "ListBuckets": b"ListAllMyBucketsResult",
    "ListMultipartUploads": b"ListMultipartUploadsResult",
    "ListObjectVersions": b"ListVersionsResult",
    "ListObjects": b"ListBucketResult",
    "ListObjectsV2": b"ListBucketResult",
    "ListParts": b"ListPartsResult",
}

_NAMESPACE = b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

#: One document: what is before its root's name, the name, and what is between its tags.
_DOCUMENT = re.compile(
    rb"(?P<head><\?xml[^>]*>\s*)<(?P<name>\w+)(?P<names>[^>]*?)(?:/>|>(?P<inside>.*)</(?P=name)>)",
    re.DOTALL,
)
_LOCATION = re.compile(rb"<LocationConstraint>([^<]*)</LocationConstraint>")


def as_s3_writes(operation: str, body: bytes) -> bytes:
    """The document with the root that S3 gives it. What is no document stays as it is."""
    found = _DOCUMENT.fullmatch(body) if body.startswith(b"<?xml") else None
    if found is None:
        return body
    inside = found["inside"] or b""
    root = _ROOTS.get(operation, found["name"])
    if operation == "GetBucketLocation":
        # Its one member is not in the root: it is the root.
        region = _LOCATION.fullmatch(inside)
        root, inside = b"LocationConstraint", region[1] if region else b""
    names = found["names"] or _NAMESPACE
    return b"%s<%s%s>%s</%s>" % (found["head"], root, names, inside, root)
