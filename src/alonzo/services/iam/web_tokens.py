"""Tokens of OpenID Connect: read, and believed only if a key of their issuer has signed them. Pure.

* Algorithms are those that AWS documents: RS256, RS384, RS512, ES256, ES384, ES512. ``none`` and
  keys of another kind than the token's algorithm never verify.
* A token may say which key signed it (``kid``). Without, the issuer must have one key of its kind.
* An RSA key has 2048 to 8192 bits.

Source: RFC 7515, 7517, 7518, 7519; OpenID Connect Core, ID token validation; IAM user guide, OIDC
federation; STS API reference, AssumeRoleWithWebIdentity.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from alonzo.model.errors import AwsError

#: How far the clocks of issuer and platform may be apart, for times at which a token begins.
SKEW_S = 300.0
#: Source: RFC 7519 sets none; the model of STS bounds what is answered.
SUBJECT_CHARS_MAX = 255

_RSA_BITS_MIN = 2048
_RSA_BITS_MAX = 8192
_PARTS = 3

#: Names of algorithms -> type of key, hash, and for ECDSA the curve.
_ALGORITHMS: Mapping[str, tuple[str, hashes.HashAlgorithm, type[ec.EllipticCurve] | None]] = {
    "RS256": ("RSA", hashes.SHA256(), None),
    "RS384": ("RSA", hashes.SHA384(), None),
    "RS512": ("RSA", hashes.SHA512(), None),
    "ES256": ("EC", hashes.SHA256(), ec.SECP256R1),
    "ES384": ("EC", hashes.SHA384(), ec.SECP384R1),
    "ES512": ("EC", hashes.SHA512(), ec.SECP521R1),
}
_CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}

_Key = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class UnknownKeyError(Exception):
    """None of the issuer's keys can have signed the token. It may have newer ones."""


@dataclass(frozen=True, slots=True)
class WebToken:
    """A token as it reads; nothing in it is to be believed before ``verify``."""

    algorithm: str
    key_id: str | None
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes

    @property
    def issuer(self) -> str:
        """Who says to have issued it; empty if it does not say."""
        issuer: Any = self.claims.get("iss")
        return issuer if isinstance(issuer, str) else ""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says that was verified. ``audience`` is what trust policies know as ``aud``."""

    issuer: str
    subject: str
    audience: str
    original_audience: tuple[str, ...]
    claims: Mapping[str, Any]


def read_token(text: str) -> WebToken:
    """Read a token in its compact form.

    Raises:
        AwsError: InvalidIdentityToken: it is none.
    """
    parts = text.split(".")
    if len(parts) != _PARTS:
        raise invalid_token("The ID Token provided is not a valid JWT.")
    header, claims = _object(parts[0]), _object(parts[1])
    algorithm: Any = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise invalid_token("The algorithm of the token is not supported.")
    if "crit" in header:
        raise invalid_token("The token has extensions that are not understood.")
    key_id: Any = header.get("kid")
    return WebToken(
        algorithm,
        key_id if isinstance(key_id, str) else None,
        claims,
        f"{parts[0]}.{parts[1]}".encode(),
        _decoded(parts[2]),
    )


def verify(token: WebToken, keys: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a token that none of the issuer's keys has signed.

    ``keys`` are those of its JSON Web Key Set.

    Raises:
        AwsError: InvalidIdentityToken: the signature is wrong.
        UnknownKeyError: there is no key for it.
    """
    kind, digest, curve = _ALGORITHMS[token.algorithm]
    fitting = [
        key
        for key in keys
        if key.get("kty") == kind
        and key.get("use", "sig") == "sig"
        and key.get("alg", token.algorithm) == token.algorithm
        and (token.key_id is None or key.get("kid") == token.key_id)
    ]
    if len(fitting) != 1:
        raise UnknownKeyError
    public = _public_key(fitting[0], curve)
    if public is None:
        raise UnknownKeyError
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(token.signature, token.signed, padding.PKCS1v15(), digest)
        else:
            public.verify(_der(token.signature, public), token.signed, ec.ECDSA(digest))
    except InvalidSignature as error:
        raise invalid_token("The signature of the token does not verify.") from error


def check_claims(token: WebToken, client_ids: Sequence[str], now_s: float) -> Claims:
    """What a verified token says, if it is meant for the account and is in force.

    ``client_ids`` are the audiences of the provider.

    Raises:
        AwsError: InvalidIdentityToken, ExpiredTokenException, IDPRejectedClaim.
    """
    claims = token.claims
    expires_s = _time(claims, "exp")
    if expires_s is None:
        raise invalid_token("Missing a required claim: exp")
    if now_s >= expires_s:
        raise AwsError(
            "ExpiredTokenException",
            f"Token expired: current date/time {int(now_s)} must be before the expiration "
            f"date/time {int(expires_s)}",
        )
    for name in ("nbf", "iat"):
        begins_s = _time(claims, name)
        if begins_s is not None and begins_s > now_s + SKEW_S:
            raise AwsError(
                "IDPRejectedClaimException", f"The token is not in force yet: {name} lies ahead."
            )
    subject: Any = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARS_MAX:
        raise invalid_token("Missing a required claim: sub")
    named: Any = claims.get("aud")
    several = cast("list[Any]", named) if isinstance(named, list) else [named]
    audiences = tuple(each for each in several if isinstance(each, str))
    if not audiences or len(audiences) != len(several):
        raise invalid_token("Missing a required claim: aud")
    party: Any = claims.get("azp")
    # Source: IAM user guide, condition keys of OIDC federation: azp stands for aud where both are.
    meant = (party,) if isinstance(party, str) else audiences
    audience = next((each for each in meant if each in client_ids), "")
    if not audience:
        raise invalid_token("Incorrect token audience")
    return Claims(token.issuer, subject, audience, audiences, claims)


def invalid_token(message: str) -> AwsError:
    """A token that is not to be believed."""
    return AwsError("InvalidIdentityTokenException", message)


def read_key_set(document: Any) -> list[Mapping[str, Any]] | None:
    """The keys of a JSON Web Key Set; None if it is none."""
    keys: Any = cast("dict[str, Any]", document).get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        return None
    return [cast("dict[str, Any]", key) for key in cast("list[Any]", keys) if isinstance(key, dict)]


def _object(part: str) -> Mapping[str, Any]:
    try:
        value: Any = json.loads(_decoded(part))
    except (ValueError, RecursionError) as error:
        raise invalid_token("The ID Token provided is not a valid JWT.") from error
    if not isinstance(value, dict):
        raise invalid_token("The ID Token provided is not a valid JWT.")
    return cast("dict[str, Any]", value)


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_token("The ID Token provided is not a valid JWT.") from error


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value: Any = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None


def _public_key(key: Mapping[str, Any], curve: type[ec.EllipticCurve] | None) -> _Key | None:
    """The key, or None if it cannot be used."""
    try:
        if curve is None:
            modulus, exponent = _number(key.get("n")), _number(key.get("e"))
            if not _RSA_BITS_MIN <= modulus.bit_length() <= _RSA_BITS_MAX:
                return None
            return rsa.RSAPublicNumbers(exponent, modulus).public_key()
        if _CURVES.get(str(key.get("crv"))) is not curve:
            return None
        numbers = ec.EllipticCurvePublicNumbers(
            _number(key.get("x")), _number(key.get("y")), curve()
        )
        return numbers.public_key()
    except (ValueError, TypeError, AwsError):
        return None


def _number(text: Any) -> int:
    if not isinstance(text, str):
        raise TypeError("a number of a key is no text")
    return int.from_bytes(_decoded(text), "big")


def _der(signature: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """A signature of ECDSA as it is in tokens: both numbers one after the other."""
    size = (key.curve.key_size + 7) // 8
    if len(signature) != 2 * size:
        raise InvalidSignature
    first, second = signature[:size], signature[size:]
    return encode_dss_signature(int.from_bytes(first, "big"), int.from_bytes(second, "big"))
