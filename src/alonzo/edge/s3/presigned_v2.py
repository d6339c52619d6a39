"""URLs that were signed the old way, Signature Version 2: what boto3 makes for S3 in some regions.

    ?AWSAccessKeyId=…&Expires=EPOCH_SECONDS&Signature=BASE64

Only such URLs are taken: headers of version 2 are not. Pure.

Source: S3 API reference, signing and authenticating REST requests (Signature Version 2), query
string request authentication.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from alonzo.edge.http1.head import Head
from alonzo.edge.protocols.query_strings import parse_pairs
from alonzo.edge.sigv4.canonical import UNSIGNED_PAYLOAD
from alonzo.edge.sigv4.claim import Claim, Terms
from alonzo.edge.sigv4.refusals import AuthFailure, Refusal

#: Parameters of the query that say what is meant, and so are signed.
_SIGNED = frozenset(
    {
        *("accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory"),
        *("lifecycle", "location", "logging", "metrics", "notification", "object-lock"),
        *("partNumber", "policy", "replication", "requestPayment", "restore", "select"),
        *("select-type", "storageClass", "tagging", "torrent", "uploadId", "uploads"),
        *("versionId", "versioning", "versions", "website"),
        # Younger than these signatures. Nobody signs them, so with them no URL is good.
        *("attributes", "encryption", "intelligent-tiering", "legal-hold", "ownershipControls"),
        *("policyStatus", "publicAccessBlock", "renameObject", "retention"),
        *("response-cache-control", "response-content-disposition", "response-content-encoding"),
        *("response-content-language", "response-content-type", "response-expires"),
    }
)
_EXPIRES_DIGITS_MAX = 12
_PAIRS_MAX = 100


@dataclass(frozen=True, slots=True)
class OldClaim:
    """What such a URL says. Read, not believed."""

    claim: Claim
    expires_at_s: int
    fields: Mapping[str, str]

    def check(self, head: Head, path: bytes, secret: str, now_s: float) -> None:
        """Hold the claim against the request. ``path`` is in path style.

        Raises:
            AuthFailure: it is over, or the signature is wrong.
        """
        if now_s > self.expires_at_s:
            raise AuthFailure(Refusal.EXPIRED_REQUEST, "Request has expired")
        if head.fields.get(b"x-amz-content-sha256", UNSIGNED_PAYLOAD).startswith(b"STREAMING-"):
            raise AuthFailure(Refusal.MISMATCH)
        text = _string_to_sign(head, path, self.fields, self.expires_at_s)
        made = base64.b64encode(hmac.digest(secret.encode(), text, "sha1"))
        if not hmac.compare_digest(made, self.claim.signature.encode("utf-8", "replace")):
            raise AuthFailure(Refusal.MISMATCH)


def read_old_claim(head: Head, region: str) -> OldClaim | None:
    """The claim of a URL that is signed the old way; None: it is not.

    Raises:
        AuthFailure: it is, but malformed.
    """
    if b"AWSAccessKeyId=" not in head.query or b"Signature=" not in head.query:
        return None
    pairs = parse_pairs(head.query)
    fields = dict(pairs)
    expires = fields.get("Expires", "")
    if "AWSAccessKeyId" not in fields or "Signature" not in fields:
        return None
    if (
        len(fields) < len(pairs)
        or len(pairs) > _PAIRS_MAX
        or not (expires.isascii() and expires.isdigit())
        or len(expires) > _EXPIRES_DIGITS_MAX
    ):
        raise AuthFailure(Refusal.INCOMPLETE, "Query-string authentication is malformed.")
    terms = Terms(fields["AWSAccessKeyId"], "", region, "s3", b"host")
    token = fields.get("x-amz-security-token")
    return OldClaim(Claim(terms, fields["Signature"], None, token), int(expires), fields)


def _string_to_sign(head: Head, path: bytes, fields: Mapping[str, str], expires: int) -> bytes:
    """What is signed; a header may stand in the query instead."""
    given = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.fields.items()}
    headers = {name.lower(): value for name, value in fields.items()} | given
    amz = sorted(name for name in headers if name.startswith("x-amz-"))
    lines = [
        head.method,
        headers.get("content-md5", ""),
        headers.get("content-type", ""),
        str(expires),
        *(f"{name}:{headers[name].strip()}" for name in amz),
    ]
    return "\n".join(lines).encode() + b"\n" + _resource(head.query, path)


def _resource(query: bytes, path: bytes) -> bytes:
    signed: list[tuple[str, ...]] = []
    for piece in query.decode("latin-1").split("&"):
        name, equals, value = piece.partition("=")
        # Whoever serves the request decodes names, too: ``%61cl`` is ``acl``.
        name = unquote(name.replace("+", " "))
        if name in _SIGNED:
            signed.append((name, unquote(value)) if equals else (name,))
    signed.sort(key=lambda pair: pair[0])
    text = "&".join("=".join(pair) for pair in signed)
    return path + (f"?{text}".encode() if text else b"")
