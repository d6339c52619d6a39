"""What a request says about who signed it. Read, not believed: ``verify`` does that.

A claim comes from the ``Authorization`` header or, for a presigned URL, from the query.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import unquote

from alonzo.edge.http1.head import Head
from alonzo.edge.sigv4.canonical import TERMINATOR, CanonicalForm
from alonzo.edge.sigv4.refusals import AuthFailure, Refusal

#: Longest life of a presigned URL: a week. Source: IAM User Guide, ``X-Amz-Expires``.
EXPIRES_S_MAX = 604_800

#: Terms kept, as they came in headers no longer than this; both bound their memory.
TERMS_MAX = 512
_KEPT_BYTES_MAX = 1024

_SIGNATURE_BYTES = 64

#: All of a usual header before the signature.
_USUAL = re.compile(
    rb"AWS4-HMAC-SHA256 Credential=([^/,\s=]+/\d{8}/[^/,\s=]+/[^/,\s=]+/aws4_request), ?"
    rb"SignedHeaders=([^,\s=]+), ?Signature="
)
_REGION = re.compile(r"[a-z]{2,5}(?:-[a-z]{2,12}){1,3}-\d{1,2}")
_SERVICE = re.compile(r"[a-z0-9-]{1,64}")


class Terms:
    """What the claims of one client have in common for a day: scope, and what is signed.

    ``date``, ``region`` and ``service`` are those of ``scope``, the credential scope as it is
    signed. ``signed`` are the names of the signed headers, ``form`` the canonical request for them.
    """

    __slots__ = ("_key", "access_key_id", "date", "form", "region", "scope", "service", "signed")

    def __init__(
        self, access_key_id: str, date: str, region: str, service: str, signed_headers: bytes
    ) -> None:
        self._key = (access_key_id, date, region, service, signed_headers)
        self.access_key_id = access_key_id
        self.date = date
        self.region = region
        self.service = service
        self.scope = f"{date}/{region}/{service}/{TERMINATOR}"
        self.signed = frozenset(signed_headers.split(b";"))
        self.form = CanonicalForm(signed_headers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Terms) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


class Claim(NamedTuple):
    """Who says to have signed what, and when.

    ``timestamp`` is as sent, or None if the request has none. ``expires_s`` is None unless the URL
    is presigned.
    """

    terms: Terms
    signature: str
    timestamp: str | None
    session_token: str | None
    expires_s: int | None = None

    @property
    def region(self) -> str:
        """The region of the credential scope."""
        return self.terms.region

    @property
    def service(self) -> str:
        """The service of the credential scope."""
        return self.terms.service


def read_claim(head: Head) -> Claim | None:
    """Read the claim of a request; None if it makes none.

    Raises:
        AuthFailure: there is one, but it is malformed, or there are two.
    """
    fields = head.fields
    authorization = fields.get(b"authorization")
    presigned = bool(head.query) and b"X-Amz-Algorithm=" in head.query
    if authorization is None:
        return _from_query(head.query) if presigned else None
    if presigned:
        raise _incomplete("Only one auth mechanism allowed: a header and a query signature.")
    if len(fields) != len(head.headers) and head.count(b"authorization") > 1:
        raise _incomplete("Only one Authorization header is allowed.")
    stamp = fields.get(b"x-amz-date") or fields.get(b"date")
    token = fields.get(b"x-amz-security-token")
    timestamp = stamp.decode("latin-1") if stamp else None
    terms, signature = _from_header(authorization, has_date=timestamp is not None)
    return Claim(
        terms, signature, timestamp, token.decode("latin-1") if token is not None else None
    )


def form_claim(fields: Mapping[str, str]) -> Claim:
    """The claim of a form of S3 with all its fields, whose policy is what is signed.

    Raises:
        AuthFailure: it is malformed.
    """
    _check_algorithm(fields["x-amz-algorithm"])
    terms = _terms(fields["x-amz-credential"], b"host")
    token = fields.get("x-amz-security-token")
    return Claim(terms, fields["x-amz-signature"], fields["x-amz-date"], token)


def _from_header(authorization: bytes, *, has_date: bool) -> tuple[Terms, str]:
    usual, signature = authorization[:-_SIGNATURE_BYTES], authorization[-_SIGNATURE_BYTES:]
    if len(usual) <= _KEPT_BYTES_MAX and signature.isalnum():
        terms = _usual_terms(usual)
        if terms is not None:
            return terms, signature.decode("ascii")
    fields = _header_fields(authorization, has_date=has_date)
    terms = _terms(fields[b"Credential"].decode("latin-1"), fields[b"SignedHeaders"])
    return terms, fields[b"Signature"].decode("latin-1")


@lru_cache(maxsize=TERMS_MAX)
def _usual_terms(usual: bytes) -> Terms | None:
    """The terms of a header in the usual order, all of it before the signature."""
    found = _USUAL.fullmatch(usual)
    return None if found is None else _terms(found[1].decode("latin-1"), found[2])


def _header_fields(authorization: bytes, *, has_date: bool) -> dict[bytes, bytes]:
    """Read a header that is not in the usual order, or say what is wrong with it."""
    algorithm, _, rest = authorization.partition(b" ")
    _check_algorithm(algorithm.decode("latin-1"))
    seal = base64.b64encode(sha256(authorization).digest()).decode()
    fields: dict[bytes, bytes] = {}
    for piece in rest.replace(b",", b" ").split():
        name, equals, value = piece.partition(b"=")
        if not equals or name in fields:
            raise _incomplete(
                "Invalid key=value pair (missing equal-sign) in Authorization header "
                f"(hashed with SHA-256 and encoded with Base64): '{seal}'."
            )
        fields[name] = value
    lacks = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not fields.get(name.encode())
    ]
    if lacks:
        if not has_date:
            lacks.append(
                "Authorization header requires existence of either a 'X-Amz-Date' or a "
                "'Date' header."
            )
        lacks.append(f"(Hashed with SHA-256 and encoded with Base64) Authorization={seal}")
        raise _incomplete(" ".join(lacks))
    return fields


def _from_query(query: bytes) -> Claim:
    fields: dict[str, str] = {}
    for piece in query.split(b"&"):
        name, _, value = piece.partition(b"=")
        if name.startswith(b"X-Amz-"):
            text = name.decode("latin-1")
            if text in fields:
                raise _incomplete(f"Query parameter '{text}' must appear once.")
            fields[text] = unquote(value.decode("latin-1").replace("+", " "))
    _check_algorithm(fields.get("X-Amz-Algorithm", ""))
    for name in ("Credential", "Signature", "SignedHeaders", "Date", "Expires"):
        if not fields.get(f"X-Amz-{name}"):
            raise _incomplete(f"AWS query-string parameters must include 'X-Amz-{name}'.")
    expires = fields["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdigit()) or len(expires) > 6:
        raise _incomplete(f"X-Amz-Expires must be a number of seconds up to {EXPIRES_S_MAX}.")
    if int(expires) > EXPIRES_S_MAX:
        raise _incomplete(
            "X-Amz-Expires must be less than a week (in seconds); "
            f"that is, the given X-Amz-Expires must be less than {EXPIRES_S_MAX} seconds"
        )
    return Claim(
        _terms(
            fields["X-Amz-Credential"], fields["X-Amz-SignedHeaders"].encode("utf-8", "replace")
        ),
        fields["X-Amz-Signature"],
        fields["X-Amz-Date"],
        fields.get("X-Amz-Security-Token"),
        int(expires),
    )


def _terms(credential: str, signed_headers: bytes) -> Terms:
    """Take a credential apart."""
    parts = credential.split("/")
    if len(parts) != 5 or not all(parts):
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, "
            f"e.g. keyid/date/region/service/term, got '{credential}'"
        )
    key_id, date, region, service, term = parts
    wrong: list[str] = []
    if not _REGION.fullmatch(region):
        wrong.append(f"Credential should be scoped to a valid Region, not '{region}'. ")
    if not _SERVICE.fullmatch(service):
        wrong.append(f"Credential should be scoped to correct service, not '{service}'. ")
    if term != TERMINATOR:
        wrong.append(
            f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{term}'. "
        )
    if wrong:
        raise AuthFailure(Refusal.MISMATCH, "".join(wrong))
    return Terms(key_id, date, region, service, signed_headers)


def _check_algorithm(algorithm: str) -> None:
    if algorithm == "AWS4-ECDSA-P256-SHA256":
        raise _incomplete(
            "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'. Alonzo verifies "
            "AWS4-HMAC-SHA256 only; turn SigV4a (multi-Region signing) off in the client."
        )
    if algorithm != "AWS4-HMAC-SHA256":
        raise _incomplete(f"Unsupported AWS 'algorithm': '{algorithm}'.")


def _incomplete(text: str) -> AuthFailure:
    return AuthFailure(Refusal.INCOMPLETE, text)
