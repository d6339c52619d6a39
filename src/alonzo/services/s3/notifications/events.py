"""What those who subscribed to a bucket get to read. Pure.

Source: S3 user guide, event message structure; EventBridge event message structure.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from alonzo.lib.clock import iso_ms, utc
from alonzo.services.s3.buckets.lists import encoded
from alonzo.services.s3.buckets.names import principal_id
from alonzo.services.s3.changes import Cause
from alonzo.services.s3.records import NULL_VERSION, Bucket, ObjectVersion

#: Subject of what topics get. Source: public recordings.
SUBJECT = "Amazon S3 Notification"
_SERVICE = "s3.amazonaws.com"
#: The ETag of nothing, which a delete marker has.
_EMPTY_ETAG = hashlib.md5(b"", usedforsecurity=False).hexdigest()
#: Families of events whose records came later.
_NEWER = ("LifecycleExpiration", "ObjectTagging", "ObjectAcl", "IntelligentTiering")

#: For EventBridge: what happened, why, and how it was deleted.
_BRIDGED = {
    "ObjectCreated:Put": ("Object Created", "PutObject", ""),
    "ObjectCreated:Post": ("Object Created", "POST Object", ""),
    "ObjectCreated:Copy": ("Object Created", "CopyObject", ""),
    "ObjectCreated:CompleteMultipartUpload": ("Object Created", "CompleteMultipartUpload", ""),
    "ObjectRemoved:Delete": ("Object Deleted", "DeleteObject", "Permanently Deleted"),
    "ObjectRemoved:DeleteMarkerCreated": (
        "Object Deleted",
        "DeleteObject",
        "Delete Marker Created",
    ),
    "LifecycleExpiration:Delete": (
        "Object Deleted",
        "Lifecycle Expiration",
        "Permanently Deleted",
    ),
    "LifecycleExpiration:DeleteMarkerCreated": (
        "Object Deleted",
        "Lifecycle Expiration",
        "Delete Marker Created",
    ),
    "ObjectTagging:Put": ("Object Tags Added", "", ""),
    "ObjectTagging:Delete": ("Object Tags Deleted", "", ""),
}


def records(
    bucket: Bucket,
    event_name: str,
    version: ObjectVersion,
    cause: Cause,
    *,
    sequencer: str,
    configuration_id: str,
) -> bytes:
    """The document with the one record of a change. ``event_name`` is without ``s3:``."""
    about = {"key": encoded(version.key), **_described(event_name, version)}
    if bucket.versioning and version.version_id != NULL_VERSION:
        about["versionId"] = version.version_id
    if not event_name.startswith("ObjectTagging"):
        about["sequencer"] = sequencer
    record = {
        "eventVersion": "2.3" if event_name.startswith(_NEWER) else "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": iso_ms(cause.at_s),
        "eventName": event_name,
        "userIdentity": {"principalId": _who(cause)},
        "requestParameters": {"sourceIPAddress": cause.source_ip or _SERVICE},
        "responseElements": {
            "x-amz-request-id": cause.request_id or sequencer,
            "x-amz-id-2": host_id(cause.request_id or sequencer),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": principal_id(bucket.account)},
                "arn": bucket.arn,
            },
            "object": about,
        },
    }
    return _json({"Records": [record]})


def bridged(
    bucket: Bucket, event_name: str, version: ObjectVersion, cause: Cause, sequencer: str
) -> dict[str, Any] | None:
    """The entry that EventBridge gets, as PutEvents takes it; None: it hears nothing of that."""
    if event_name not in _BRIDGED:
        return None
    detail_type, reason, deletion = _BRIDGED[event_name]
    about: dict[str, Any] = {"key": version.key}
    if detail_type == "Object Created":
        about["size"] = version.size
    if not version.is_delete_marker:
        about["etag"] = version.etag
    if bucket.versioning and version.version_id != NULL_VERSION:
        about["version-id"] = version.version_id
    if not event_name.startswith("ObjectTagging"):
        about["sequencer"] = sequencer
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": about,
        "request-id": cause.request_id or sequencer,
        "requester": bucket.account if cause.source_ip else _SERVICE,
    }
    if cause.source_ip:
        detail["source-ip-address"] = cause.source_ip
    detail |= {"reason": reason} if reason else {}
    detail |= {"deletion-type": deletion} if deletion else {}
    return {
        "Time": int(cause.at_s),
        "Source": "aws.s3",
        "Resources": [bucket.arn],
        "DetailType": detail_type,
        "Detail": json.dumps(detail, ensure_ascii=False),
    }


def test_event(bucket: Bucket, request_id: str, now_s: float) -> bytes:
    """What a destination gets when it is named in a configuration."""
    return _json(
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": utc(now_s).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "Bucket": bucket.name,
            "RequestId": request_id,
            "HostId": host_id(request_id),
        }
    )


def host_id(request_id: str) -> str:
    """A text such as AWS's ``x-amz-id-2``: it means nothing to anybody."""
    return base64.b64encode(hashlib.sha384(request_id.encode()).digest()).decode()


def _who(cause: Cause) -> str:
    if not cause.source_ip and not cause.principal_id:
        return _SERVICE
    return f"AWS:{cause.principal_id}" if cause.principal_id else "Anonymous"


def _described(event_name: str, version: ObjectVersion) -> dict[str, Any]:
    if event_name.startswith("ObjectCreated"):
        return {"size": version.size, "eTag": version.etag}
    if event_name.endswith("DeleteMarkerCreated"):
        return {"eTag": _EMPTY_ETAG}
    return {} if event_name.endswith("Delete") else {"eTag": version.etag}


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )
