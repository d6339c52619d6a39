"""Conditional requests. Pure. Source: RFC 9110, 13; S3 User Guide, conditional requests.

Times have the resolution of HTTP dates: seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alonzo.model.errors import AwsError
from alonzo.services.s3.errors import invalid_argument, no_key, precondition_failed, s3_error
from alonzo.services.s3.records import ObjectVersion


def check_read(
    params: Mapping[str, Any], version: ObjectVersion, headers: Mapping[str, str]
) -> None:
    """Check what a read asks for. ``headers`` go with the answer that nothing has changed.

    Raises:
        AwsError: PreconditionFailed (412), or NotModified (304).
    """
    if _fails_match(params, version, ""):
        raise precondition_failed("If-Match" if "IfMatch" in params else "If-Unmodified-Since")
    if _is_unchanged(params, version, ""):
        raise AwsError("NotModified", "Not Modified", status=304, headers=headers)


def check_source(params: Mapping[str, Any], version: ObjectVersion) -> None:
    """Check what a copy asks of its source.

    Raises:
        AwsError: PreconditionFailed (412).
    """
    if _fails_match(params, version, "CopySource"):
        given = "If-Match" if "CopySourceIfMatch" in params else "If-Unmodified-Since"
        raise precondition_failed(f"x-amz-copy-source-{given}")
    if _is_unchanged(params, version, "CopySource"):
        given = "If-None-Match" if "CopySourceIfNoneMatch" in params else "If-Modified-Since"
        raise precondition_failed(f"x-amz-copy-source-{given}")


def check_write(params: Mapping[str, Any], key: str, latest: ObjectVersion | None) -> None:
    """Check what a write asks of the object that it replaces.

    Raises:
        AwsError: PreconditionFailed (412), NoSuchKey, NotImplemented.
    """
    there = latest is not None and not latest.is_delete_marker
    if params.get("IfNoneMatch"):
        if params["IfNoneMatch"] != "*":
            raise s3_error(
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
                501,
                Header="If-None-Match",
            )
        if there:
            raise precondition_failed("If-None-Match")
    if params.get("IfMatch"):
        if latest is None or not there:
            raise no_key(key)
        if not _names(params["IfMatch"], latest.etag):
            raise precondition_failed("If-Match")


def check_delete(expected: str | None, latest: ObjectVersion | None) -> None:
    """Check the ``If-Match`` of a delete.

    Raises:
        AwsError: PreconditionFailed (412).
    """
    if not expected:
        return
    if "," in expected:
        raise invalid_argument("If-Match takes one ETag", "If-Match", expected)
    there = latest is not None and not latest.is_delete_marker
    if latest is None or not there or not _names(expected, latest.etag):
        raise precondition_failed("If-Match")


def _fails_match(params: Mapping[str, Any], version: ObjectVersion, prefix: str) -> bool:
    match = params.get(f"{prefix}IfMatch")
    if match is not None:
        return not _names(match, version.etag)
    since = params.get(f"{prefix}IfUnmodifiedSince")
    return since is not None and int(version.modified_at_s) > _epoch_s(since)


def _is_unchanged(params: Mapping[str, Any], version: ObjectVersion, prefix: str) -> bool:
    none_match = params.get(f"{prefix}IfNoneMatch")
    if none_match is not None:
        return _names(none_match, version.etag)
    since = params.get(f"{prefix}IfModifiedSince")
    return since is not None and int(version.modified_at_s) <= _epoch_s(since)


def _names(text: str, etag: str) -> bool:
    """Whether a list of ETags has this one; ``*`` has them all."""
    entries = [entry.strip().removeprefix("W/").strip('"') for entry in text.split(",")]
    return "*" in entries or etag in entries


def _epoch_s(moment: Any) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)
