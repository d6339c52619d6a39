"""What a request says about the encryption of an object, and what is answered about it. Pure.

Source: S3 user guide, specifying server-side encryption with KMS keys and with customer-provided
keys; API reference, PutObject; public recordings of S3's refusals.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from alonzo.model.errors import AwsError
from alonzo.services.s3.buckets import settings
from alonzo.services.s3.buckets.asking import document_of
from alonzo.services.s3.errors import invalid_argument, invalid_request, s3_error
from alonzo.services.s3.records import CUSTOMER, DSSE, KMS, AtRest, Bucket

Params = Mapping[str, Any]

#: The only algorithm for keys of S3 and of customers.
AES = "AES256"
CUSTOMER_KEY_BYTES = 32

#: The key of S3 in the account of whoever writes.
DEFAULT_KEY = "alias/aws/s3"

#: The pair that S3 adds to each encryption context.
CONTEXT_NAME = "aws:s3:arn"
#: Of a context as JSON. What KMS takes of it is a matter of KMS; the bound is ours.
_CONTEXT_CHARS_MAX = 8192

_HEADER = "x-amz-server-side-encryption"
_KEY_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
#: Members with a customer's key: for what is written or read, and for the source of a copy.
OWN, SOURCE = "SSECustomer", "CopySourceSSECustomer"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key of KMS that an object is to be encrypted with. ``key_id``: in any of KMS's ways."""

    algorithm: str
    key_id: str
    context: Mapping[str, str]
    has_bucket_key: bool


def wanted(params: Params, bucket: Bucket) -> Wanted | None:
    """What a request that writes asks for, or else its bucket; None: keys of S3.

    Raises:
        AwsError: InvalidArgument.
    """
    algorithm = params.get("ServerSideEncryption")
    rule = settings.encryption_rule(document_of(bucket, settings.ENCRYPTION))
    default: Mapping[str, str] = rule["ApplyServerSideEncryptionByDefault"]
    key_id = params.get("SSEKMSKeyId")
    if algorithm is None and not key_id:
        algorithm, key_id = default["SSEAlgorithm"], _within(bucket, default.get("KMSMasterKeyID"))
    if algorithm in (None, AES):
        if key_id or params.get("SSEKMSEncryptionContext"):
            raise invalid_argument(
                "Server Side Encryption with AWS KMS managed key requires HTTP header "
                f"{_HEADER} : {KMS}",
                _HEADER,
                str(algorithm or "null"),
            )
        return None
    if algorithm not in (KMS, DSSE):
        raise invalid_argument(
            "The encryption method specified is not supported", _HEADER, str(algorithm)[:100]
        )
    asked = params.get("BucketKeyEnabled")
    shares = bool(rule["BucketKeyEnabled"] if asked is None else asked)
    return Wanted(
        algorithm,
        key_id or DEFAULT_KEY,
        _context_of(params),
        has_bucket_key=shares and algorithm == KMS,
    )


def _within(bucket: Bucket, key_id: str | None) -> str | None:
    """The key of a bucket's rule. A bare id is one of the bucket's account and region."""
    if key_id and _KEY_ID.fullmatch(key_id):
        return f"arn:aws:kms:{bucket.region}:{bucket.account}:key/{key_id}"
    return key_id


def _context_of(params: Params) -> dict[str, str]:
    text = params.get("SSEKMSEncryptionContext")
    if not text:
        return {}
    try:
        raw = base64.b64decode(text, validate=True).decode()
        found: Any = json.loads(raw) if len(raw) <= _CONTEXT_CHARS_MAX else None
        # Half a pair of surrogates is no text that anybody could store.
        json.dumps(found, ensure_ascii=False).encode()
    except (binascii.Error, ValueError, RecursionError):
        found = None
    pairs = cast("dict[str, Any]", found) if isinstance(found, dict) else None
    if pairs is None or not all(isinstance(value, str) for value in pairs.values()):
        raise invalid_argument(
            f"The header '{_HEADER}-context' shall be Base64-encoded UTF-8 string holding JSON "
            "which represents a string-string map",
            f"{_HEADER}-context",
            str(text)[:100],
        )
    return pairs


def context_for(bucket: Bucket, name: str, context: Mapping[str, str], *, shared: bool) -> Params:
    """The encryption context of a data key: the object's, or, of a shared one, its bucket's."""
    return {**context, CONTEXT_NAME: bucket.arn if shared else name}


def name_of(bucket: Bucket, key: str) -> str:
    """The ARN of an object."""
    return f"{bucket.arn}/{key}"


def names_customer_key(params: Params, prefix: str = OWN) -> bool:
    """Whether a request brings a key of its own."""
    return any(params.get(prefix + name) for name in ("Algorithm", "Key", "KeyMD5"))


def customer_key(params: Params, prefix: str = OWN, *, writes: bool) -> bytes | None:
    """The key that a request brings; None: it brings none.

    Raises:
        AwsError: InvalidArgument, InvalidEncryptionAlgorithmError.
    """
    if not names_customer_key(params, prefix):
        return None
    algorithm, text = params.get(f"{prefix}Algorithm"), params.get(f"{prefix}Key")
    start = "Requests specifying Server Side Encryption with Customer provided keys must provide "
    if not algorithm:
        raise invalid_argument(f"{start}a valid encryption algorithm.", _HEADER, "null")
    if algorithm != AES:
        raise s3_error(
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256.",
            400,
            ArgumentName=_HEADER,
            ArgumentValue=str(algorithm)[:100],
        )
    if not text:
        raise invalid_argument(f"{start}an appropriate secret key.", _HEADER, "null")
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    digest = params.get(f"{prefix}KeyMD5")
    if digest and digest != _md5_of(key):
        raise invalid_argument(
            "The calculated MD5 hash of the key did not match the hash that was provided.",
            _HEADER,
            "null",
        )
    # Of one that reads, a key of another length is just a wrong one.
    if writes and len(key) != CUSTOMER_KEY_BYTES:
        raise invalid_argument(
            "The secret key was invalid for the specified algorithm.", _HEADER, "null"
        )
    return key


def check_customer_write(params: Params, bucket: Bucket, resource: str, who: str, do: str) -> None:
    """A request that writes may bring a key of its own.

    Raises:
        AwsError: InvalidArgument: it asks for another encryption, too; AccessDenied: the bucket
            blocks such keys.
    """
    if not names_customer_key(params):
        return
    if params.get("ServerSideEncryption"):
        raise invalid_argument(
            "Server Side Encryption with Customer provided key is incompatible with the encryption "
            "method specified",
            _HEADER,
            str(params["ServerSideEncryption"])[:100],
        )
    rule = settings.encryption_rule(document_of(bucket, settings.ENCRYPTION))
    if CUSTOMER in rule["BlockedEncryptionTypes"]["EncryptionType"]:
        raise s3_error(
            "AccessDenied",
            f'User: {who} is not authorized to perform: s3:{do} on resource: "{resource}" because '
            "this bucket has blocked upload requests that specify Server Side Encryption with "
            "Customer provided keys (SSE-C). Please specify a different server-side encryption "
            "type",
            403,
        )


def shown(at_rest: AtRest | None, params: Params) -> dict[str, Any]:
    """What an answer says of the encryption. ``params`` may have the customer's key."""
    if at_rest is None:
        return {"ServerSideEncryption": AES}
    if at_rest.algorithm == CUSTOMER:
        key = customer_key(params, writes=False)
        if key is None:
            return {}
        return {"SSECustomerAlgorithm": AES, "SSECustomerKeyMD5": _md5_of(key)}
    members = {"ServerSideEncryption": at_rest.algorithm, "SSEKMSKeyId": at_rest.key_arn}
    return members | ({"BucketKeyEnabled": True} if at_rest.has_bucket_key else {})


def shown_to_writer(at_rest: AtRest | None, params: Params) -> dict[str, Any]:
    """The same, with the encryption context that a writer may have given."""
    members = shown(at_rest, params)
    if at_rest is not None and at_rest.context:
        text = json.dumps(dict(at_rest.context), separators=(",", ":"))
        members["SSEKMSEncryptionContext"] = base64.b64encode(text.encode()).decode()
    return members


def needs_signature() -> AwsError:
    """Who signs nothing, or in the old way, has no key of KMS."""
    return invalid_argument(
        "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS "
        "Signature Version 4.",
        "Authorization",
        "null",
    )


def not_applicable() -> AwsError:
    """A customer's key for what was not encrypted with one."""
    return invalid_request("The encryption parameters are not applicable to this object.")


def needs_customer_key() -> AwsError:
    """What was encrypted with a customer's key is asked for without one."""
    return invalid_request(
        "The object was stored using a form of Server Side Encryption. The correct parameters must "
        "be provided to retrieve the object."
    )


def wrong_customer_key() -> AwsError:
    """It was encrypted with another customer's key."""
    return s3_error(
        "AccessDenied",
        "Requests specifying Server Side Encryption with Customer provided keys must provide the "
        "correct secret key.",
        403,
    )


def part_needs_same_key() -> AwsError:
    """A part without the key that its upload began with, or with a key where there was none."""
    return invalid_request(
        "The multipart upload initiate requested encryption. Subsequent part requests must include "
        "the appropriate encryption parameters."
    )


def part_has_other_key() -> AwsError:
    """A part with another key than its upload's."""
    return invalid_request(
        "The provided encryption parameters did not match the ones used originally."
    )


def refused_by_kms(error: AwsError) -> AwsError:
    """A refusal of KMS as S3 hands it on.

    Source: S3 developer guide, error responses.
    """
    if error.code.startswith("AccessDenied"):
        return s3_error("AccessDenied", error.message, 403)
    code = "NotFoundException" if error.code == "InvalidArnException" else error.code
    return s3_error(f"KMS.{code}", error.message, 400)


def _md5_of(key: bytes) -> str:
    return base64.b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode()
