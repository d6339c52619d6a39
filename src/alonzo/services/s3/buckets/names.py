"""Names of buckets, and of those whom they belong to. Pure.

Source: S3 user guide, general purpose bucket naming rules.
"""

from __future__ import annotations

import base64
import hashlib
import re

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}", re.ASCII)
_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")

_ARN = "arn:aws:s3:::"


def is_bucket_name(name: str) -> bool:
    """Whether a new bucket may be called so."""
    return (
        _NAME.fullmatch(name) is not None
        and ".." not in name
        and _ADDRESS.fullmatch(name) is None
        and not name.startswith(_PREFIXES)
        and not name.endswith(_SUFFIXES)
    )


def arn_of(bucket_name: str) -> str:
    """The ARN of a bucket."""
    return f"{_ARN}{bucket_name}"


def bucket_of_arn(arn: str) -> str | None:
    """The name of the bucket that an ARN of a bucket or of an object names, or None."""
    return arn.removeprefix(_ARN).partition("/")[0] if arn.startswith(_ARN) else None


def canonical_id(account: str) -> str:
    """The canonical user id of an account: 64 hex digits. Made up from its number."""
    return hashlib.sha256(f"s3 canonical user {account}".encode()).hexdigest()


def principal_id(account: str) -> str:
    """The id under which notifications name the owner of a bucket. Made up from the account."""
    digest = hashlib.sha256(f"s3 principal {account}".encode()).digest()
    return "A" + base64.b32encode(digest)[:13].decode()
