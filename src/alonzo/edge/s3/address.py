"""Which bucket a host names. Pure.

    s3.localhost, s3.REGION.anything, 127.0.0.1, my-host     the bucket is in the path
    BUCKET.s3.anything, BUCKET.s3.REGION.anything            the bucket is in the host
    BUCKET.localhost                                         likewise
    NAME.localhost, BUCKET.NAME.localhost                    the same below a name of the platform

Source: S3 User Guide, virtual hosting of buckets.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

#: Names of buckets, as far as a host can hold them.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OTHERS = re.compile(r"[0-9]{12}|[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SERVICE = re.compile(r"s3(?:-[a-z0-9-]+)?")
_HOST_CHARS_MAX = 262
_LOCALHOST = "localhost"


def bucket_in(host: bytes, names: frozenset[str] = frozenset()) -> str | None:
    """The bucket that a host names, or None: the path does.

    ``names`` are those of the platform, in lower case.
    """
    return _bucket_in(host, names) if len(host) <= _HOST_CHARS_MAX else None


@lru_cache(maxsize=1024)
def _bucket_in(host: bytes, names: frozenset[str]) -> str | None:
    name = host.decode("latin-1").lower().partition(":")[0].rstrip(".")
    if name == _LOCALHOST or name in names or name.startswith("[") or _is_address(name):
        return None
    labels = name.split(".")
    # From the right: a bucket may be called s3.
    services = [index for index, label in enumerate(labels) if _SERVICE.fullmatch(label)]
    if services:
        bucket = ".".join(labels[: services[-1]])
    elif labels[-1] == _LOCALHOST:
        below = (known for known in (*names, _LOCALHOST) if name.endswith(f".{known}"))
        bucket = name.removesuffix("." + max(below, key=len))
    else:
        return None
    return bucket if _BUCKET.fullmatch(bucket) else None


def is_bucket_name(name: str) -> bool:
    """Whether a path may mean a bucket of that name.

    Paths of queues begin with an account, those of Lambda with a date.
    """
    return _BUCKET.fullmatch(name) is not None and _OTHERS.fullmatch(name) is None


def in_path_style(bucket: str | None, raw_path: bytes) -> bytes:
    """The path with the bucket in it."""
    return raw_path if bucket is None else b"/" + bucket.encode() + raw_path


def split_path(path: bytes) -> tuple[str, bytes]:
    """The bucket and the undecoded key of a path in path style; either may be empty."""
    bucket, _, key = path.removeprefix(b"/").partition(b"/")
    return bucket.decode("latin-1"), key


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
