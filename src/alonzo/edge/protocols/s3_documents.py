"""What S3's service model does not say of documents: names in answers, how much may be in requests.

Pure.

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
    "GetObjectAcl": b"AccessControlPolicy",
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


#: Elements and attributes of documents, by their shapes: 1,000 keys, 10,000 parts, 1,000 rules, and
#: what may be said of each.
_NODES_MAX: Mapping[str, int] = {
    "BucketLifecycleConfiguration": 50_000,
    "CompletedMultipartUpload": 60_000,
    "Delete": 10_000,
}
_OTHER_NODES_MAX = 10_000


def nodes_max(shape: str) -> int:
    """How many elements and attributes a document of that shape may have."""
    return _NODES_MAX.get(shape, _OTHER_NODES_MAX)


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
