"""Byte ranges of an object. Pure. Source: RFC 9110, 14.1.2; S3 API, GetObject, ``Range``.

S3 gives one range at a time: of a list of several, and of what is no range, the whole object.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

from alonzo.model.errors import AwsError
from alonzo.services.s3.errors import invalid_argument

_RANGE = re.compile(r"bytes=(\d{0,20})-(\d{0,20})")
_COPY_RANGE = re.compile(r"bytes=(\d{1,20})-(\d{1,20})")


def read_range(text: str, size: int) -> tuple[int, int] | None:
    """Start and length of what a ``Range`` asks for; None: all of it.

    Raises:
        AwsError: InvalidRange, nothing of the object is in the range.
    """
    found = _RANGE.fullmatch(text.replace(" ", ""))
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        length = min(int(last), size)
        if not length:
            raise _not_satisfiable(text, size)
        return size - length, length
    start, end = int(first), int(last) if last else size - 1
    if last and end < start:
        return None
    if start >= size:
        raise _not_satisfiable(text, size)
    return start, min(end, size - 1) - start + 1


def is_still(condition: str, etag: str, modified_at_s: float) -> bool:
    """Whether an ``If-Range`` means what is there: by its quoted ETag, or by when it was written.

    Source: RFC 9110, 13.1.5.
    """
    if condition.strip() == etag:
        return True
    try:
        moment = parsedate_to_datetime(condition).timestamp()
    except (TypeError, ValueError, OverflowError):
        return False
    return moment == int(modified_at_s)


def read_copy_range(text: str, size: int) -> tuple[int, int]:
    """Start and length of an ``x-amz-copy-source-range``, which has to be within the source.

    Raises:
        AwsError: InvalidArgument, InvalidRange.
    """
    found = _COPY_RANGE.fullmatch(text)
    if found is None or int(found[2]) < int(found[1]):
        raise invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            text,
        )
    start, end = int(found[1]), int(found[2])
    if end >= size:
        raise invalid_argument(
            f"Range specified is not valid for source object of size: {size}",
            "x-amz-copy-source-range",
            text,
        )
    return start, end - start + 1


def content_range(start: int, length: int, size: int) -> str:
    """What ``Content-Range`` says."""
    return f"bytes {start}-{start + length - 1}/{size}"


def _not_satisfiable(text: str, size: int) -> AwsError:
    return AwsError(
        "InvalidRange",
        "The requested range is not satisfiable",
        status=416,
        members={"RangeRequested": text, "ActualObjectSize": str(size)},
        headers={"Content-Range": f"bytes */{size}"},
    )
