"""What a request says about who signed it. Read, not believed: ``verify`` does that.

A claim comes from the ``Authorization`` header or, for a presigned URL, from the query.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import unquote

from alonzo.edge.sigv4.canonical import TERMINATOR
from alonzo.edge.sigv4.refusals import AuthFailure, Refusal
from alonzo.model.http import HttpRequest

#: Longest life of a presigned URL: a week. Source: IAM User Guide, ``X-Amz-Expires``.
EXPIRES_S_MAX = 604_800

_HEADER = re.compile(
    rb"AWS4-HMAC-SHA256 Credential=([^/,\s=]+/\d{8}/[^/,\s=]+/[^/,\s=]+/aws4_request), ?"
    rb"SignedHeaders=([^,\s=]+), ?Signature=([0-9a-f]{64})"
)
_REGION = re.compile(r"[a-z]{2,5}(?:-[a-z]{2,12}){1,3}-\d{1,2}")
_SERVICE = re.compile(r"[a-z0-9-]{1,64}")


class Claim(NamedTuple):
    """Who says to have signed what, and when.

    ``date``, ``region`` and ``service`` are the credential scope. ``timestamp`` is as sent, or
    None if the request has none. ``signed_headers`` is the list as written. ``expires_s`` is None
    unless the URL is presigned.
    """

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: bytes
    signature: str
    timestamp: str | None
    session_token: str | None
    expires_s: int | None = None

    @property
    def scope(self) -> str:
        """The credential scope as it is signed."""
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


def read_claim(request: HttpRequest) -> Claim | None:
    """Read the claim of a request; None if it makes none.

    Raises:
        AuthFailure: there is one, but it is malformed, or there are two.
    """
    authorization = timestamp = date = token = None
    for name, value in request.headers:
        if name == b"authorization":
            if authorization is not None:
                raise _incomplete("Only one Authorization header is allowed.")
            authorization = value
        elif name == b"x-amz-date":
            timestamp = value
        elif name == b"x-amz-security-token":
            token = value
        elif name == b"date":
            date = value
    presigned = b"X-Amz-Algorithm=" in request.query
    if authorization is None:
        return _from_query(request.query) if presigned else None
    if presigned:
        raise _incomplete("Only one auth mechanism allowed: a header and a query signature.")
    stamp = timestamp or date
    return _from_header(
        authorization,
        stamp.decode("latin-1") if stamp else None,
        token.decode("latin-1") if token else None,
    )


def _from_header(authorization: bytes, timestamp: str | None, token: str | None) -> Claim:
    found = _HEADER.fullmatch(authorization)
    if found is not None:
        credential, signed_headers, signature = found.groups()
    else:
        fields = _header_fields(authorization, has_date=timestamp is not None)
        credential, signed_headers, signature = (
            fields[b"Credential"],
            fields[b"SignedHeaders"],
            fields[b"Signature"],
        )
    return _claim(
        credential.decode("latin-1"),
        signed_headers=signed_headers,
        signature=signature.decode("latin-1"),
        timestamp=timestamp,
        session_token=token,
    )


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
    return _claim(
        fields["X-Amz-Credential"],
        signed_headers=fields["X-Amz-SignedHeaders"].encode("utf-8", "replace"),
        signature=fields["X-Amz-Signature"],
        timestamp=fields["X-Amz-Date"],
        session_token=fields.get("X-Amz-Security-Token"),
        expires_s=int(expires),
    )


def _claim(
    credential: str,
    *,
    signed_headers: bytes,
    signature: str,
    timestamp: str | None,
    session_token: str | None,
    expires_s: int | None = None,
) -> Claim:
    key_id, date, region, service = _scope(credential)
    return Claim(
        access_key_id=key_id,
        date=date,
        region=region,
        service=service,
        signed_headers=signed_headers,
        signature=signature,
        timestamp=timestamp,
        session_token=session_token,
        expires_s=expires_s,
    )


@lru_cache(maxsize=1024)
def _scope(credential: str) -> tuple[str, str, str, str]:
    """Take a credential apart; the same one comes with every request of a client's day."""
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
    return key_id, date, region, service


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
