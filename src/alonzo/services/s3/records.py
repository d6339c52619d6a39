"""What S3 keeps: buckets, versions of objects, uploads in parts. Values only; ``rows`` stores them.

Times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: The version id of what was written while versioning was not enabled.
NULL_VERSION = "null"

#: States of ``Bucket.versioning``, beside the empty one: it was never switched on.
ENABLED = "Enabled"
SUSPENDED = "Suspended"


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket. ``documents`` are its configurations by name (``policy``, ``cors``, …), as text.

    Names are global. ``revision`` grows with each change.
    """

    id: int
    revision: int
    name: str
    account: str
    region: str
    created_at_s: float
    versioning: str = ""
    documents: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def arn(self) -> str:
        """The bucket's ARN, which names neither account nor region."""
        return f"arn:aws:s3:::{self.name}"


#: Values of ``AtRest.algorithm``. The first two are those of the API.
KMS = "aws:kms"
DSSE = "aws:kms:dsse"
CUSTOMER = "SSE-C"


@dataclass(frozen=True, slots=True)
class AtRest:
    """Whose key the bytes of an object are encrypted with, where it is not the platform's.

    ``key_arn`` names a key of KMS, and ``data_key`` is what that has sealed; with
    ``has_bucket_key`` other objects of the bucket have the same one. ``context`` is what the
    client added to the encryption context. ``check`` tells a customer's key from others.
    """

    algorithm: str
    key_arn: str = ""
    data_key: bytes = b""
    context: Mapping[str, str] = field(default_factory=dict[str, str])
    has_bucket_key: bool = False
    check: bytes = b""


@dataclass(frozen=True, slots=True)
class Description:
    """What is said about the bytes of an object.

    ``headers`` are the system's (Content-Type, Cache-Control, …) by the members of the API
    (``ContentType``), ``metadata`` the user's by lower-case name without ``x-amz-meta-``.
    ``checksums`` are by the members of the API (``ChecksumCRC32``), in base64; ``checksum_type`` is
    COMPOSITE or FULL_OBJECT, and empty without them. ``at_rest`` is None where all is encrypted
    with the platform's own keys.
    """

    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    checksums: Mapping[str, str] = field(default_factory=dict[str, str])
    checksum_type: str = ""
    #: How many parts it was uploaded in; 0: in one piece, by PutObject or CopyObject.
    parts: int = 0
    at_rest: AtRest | None = None


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object, or a delete marker. ``etag`` is without quotes.

    ``id`` is larger the newer the version is. ``owner`` is an account. ``version_id`` is ``null``
    where the bucket's versioning was not enabled.
    """

    id: int
    bucket_id: int
    key: str
    version_id: str
    is_latest: bool
    is_delete_marker: bool
    size: int
    etag: str
    modified_at_s: float
    owner: str
    storage_class: str = "STANDARD"
    description: Description = field(default_factory=Description)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an upload, or of an object. ``checksum`` is ``NAME=base64``, or empty.

    ``sha256`` names the blob.
    """

    number: int
    size: int
    sha256: str
    etag: str
    checksum: str
    modified_at_s: float


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload in parts that is under way."""

    id: int
    upload_id: str
    bucket_id: int
    key: str
    started_at_s: float
    owner: str
    storage_class: str
    description: Description
    tags: Mapping[str, str]
    #: The algorithm of the parts' checksums (``CRC32``), and the type of the whole one's.
    algorithm: str = ""
    checksum_type: str = ""
    #: Keys of the context of the request that began it: the parts are judged by them, too.
    asked: Mapping[str, str] = field(default_factory=dict[str, str])
