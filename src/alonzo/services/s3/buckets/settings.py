"""What may be set for a bucket, in the words of the API: checked, and as it is kept. Pure.

Each check answers what is stored, as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.errors import AwsError
from alonzo.services.s3.buckets.asking import malformed, parts
from alonzo.services.s3.errors import invalid_request, s3_error

#: Names of documents in ``Bucket.documents``.
TAGS = "tags"
CORS = "cors"
LIFECYCLE = "lifecycle"
POLICY = "policy"
PUBLIC_ACCESS = "public-access"
OWNERSHIP = "ownership"
ENCRYPTION = "encryption"
NOTIFICATIONS = "notifications"

OWNERSHIPS = frozenset({"BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"})

#: Source: S3 user guide, using cost allocation S3 bucket tags; AWS's tag restrictions.
TAGS_MAX = 50
_TAG_KEY_CHARS_MAX = 128
_TAG_VALUE_CHARS_MAX = 256

#: Source: S3 user guide, elements of a CORS configuration.
CORS_RULES_MAX = 100
CORS_BYTES_MAX = 64 * 1024
_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "HEAD"})

#: Source: KMS API reference, KeyId.
_KEY_ID_CHARS_MAX = 2048

_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def checked_tags(given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Tags of a bucket.

    Raises:
        AwsError: InvalidTag.
    """
    tags: dict[str, str] = {}
    for tag in given:
        key, value = tag.get("Key", ""), tag.get("Value", "")
        if key in tags:
            raise _invalid_tag("Cannot provide multiple Tags with the same key", key)
        if not 1 <= len(key) <= _TAG_KEY_CHARS_MAX:
            raise _invalid_tag("The TagKey you have provided is invalid", key)
        if len(value) > _TAG_VALUE_CHARS_MAX:
            raise _invalid_tag("The TagValue you have provided is invalid", key)
        if key.lower().startswith("aws:"):
            raise _invalid_tag(
                "System tags cannot be added/updated by requester", key[:_TAG_KEY_CHARS_MAX]
            )
        tags[key] = value
    if len(tags) > TAGS_MAX:
        raise s3_error("BadRequest", f"Bucket tag count cannot be greater than {TAGS_MAX}", 400)
    return tags


def checked_cors(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rules of a CORS configuration.

    Raises:
        AwsError: MalformedXML, InvalidRequest.
    """
    rules = parts(given, "CORSRules")
    if not 1 <= len(rules) <= CORS_RULES_MAX:
        raise malformed()
    for rule in rules:
        if not rule.get("AllowedMethods") or not rule.get("AllowedOrigins"):
            raise malformed()
        for method in rule["AllowedMethods"]:
            if method not in _METHODS:
                raise invalid_request(
                    "Found unsupported HTTP method in CORS config. Unsupported method is "
                    f"{method[:100]}"
                )
        for name, values in (
            ("AllowedOrigin", rule["AllowedOrigins"]),
            ("AllowedHeader", rule.get("AllowedHeaders") or ()),
        ):
            for value in values:
                if value.count("*") > 1:
                    raise invalid_request(
                        f'{name} "{value[:200]}" can not have more than one wildcard.'
                    )
        for header in rule.get("ExposeHeaders") or ():
            if "*" in header:
                raise invalid_request(
                    f'ExposeHeader "{header[:200]}" contains wildcard. We currently do not support '
                    "wildcard for ExposeHeader."
                )
    if len(json.dumps(rules)) > CORS_BYTES_MAX:
        raise malformed()
    return [dict(rule) for rule in rules]


def checked_public_access(given: Mapping[str, Any]) -> dict[str, bool]:
    """The four switches of a public access block."""
    return {name: bool(given.get(name)) for name in _BLOCKS}


def checked_ownership(given: Mapping[str, Any]) -> str:
    """The one rule of ownership controls.

    Raises:
        AwsError: MalformedXML.
    """
    rules = parts(given, "Rules")
    if len(rules) != 1 or rules[0].get("ObjectOwnership") not in OWNERSHIPS:
        raise malformed()
    return rules[0]["ObjectOwnership"]


def checked_encryption(given: Mapping[str, Any], before: Any) -> list[dict[str, Any]]:
    """The rule of a default encryption. Whether there is such a key is found out by who writes.

    ``before`` is what was kept until now: keys of customers stay blocked, or not, until a rule
    says otherwise.

    Raises:
        AwsError: MalformedXML, InvalidArgument.
    """
    rules = parts(given, "Rules")
    if len(rules) != 1:
        raise malformed()
    default: dict[str, Any] = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
    algorithm = default.get("SSEAlgorithm", "AES256")
    if algorithm not in ("AES256", "aws:kms", "aws:kms:dsse"):
        raise malformed()
    kept: dict[str, str] = {"SSEAlgorithm": algorithm}
    if default.get("KMSMasterKeyID"):
        if algorithm == "AES256":
            raise s3_error(
                "InvalidArgument",
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or "
                "aws:kms:dsse",
                400,
                ArgumentName="ApplyServerSideEncryptionByDefault",
            )
        kept["KMSMasterKeyID"] = str(default["KMSMasterKeyID"])
        if len(kept["KMSMasterKeyID"]) > _KEY_ID_CHARS_MAX:
            raise malformed()
    blocked = rules[0].get("BlockedEncryptionTypes")
    if blocked is None:
        blocked = encryption_rule(before)["BlockedEncryptionTypes"]
    elif blocked.get("EncryptionType") not in (["NONE"], ["SSE-C"]):
        raise malformed()
    return [
        {
            "ApplyServerSideEncryptionByDefault": kept,
            "BucketKeyEnabled": bool(rules[0].get("BucketKeyEnabled")),
            "BlockedEncryptionTypes": blocked,
        }
    ]


def encryption_rule(kept: Any) -> dict[str, Any]:
    """The rule of a bucket, of which that is kept, or None: it never was told otherwise.

    Source: S3 user guide, default encryption FAQ; default SSE-C setting for new buckets FAQ.
    """
    rule: dict[str, Any] = {} if kept is None else kept[0]
    return {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": False,
        "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
        **rule,
    }


def _invalid_tag(message: str, key: str) -> AwsError:
    return s3_error("InvalidTag", message, 400, TagKey=key[:_TAG_KEY_CHARS_MAX])
