"""An identity provider for tests: keys, the key set that it publishes, and tokens that it signs."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_EC_BYTES = 32


def encoded(raw: bytes) -> str:
    """Bytes as tokens have them."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Issuer:
    """One provider, with a key for RS256 and one for ES256."""

    def __init__(self, url: str = "https://issuer.example/team") -> None:
        self.url = url
        self._rsa = rsa.generate_private_key(65537, 2048)
        self._ec = ec.generate_private_key(ec.SECP256R1())

    @property
    def key_set(self) -> dict[str, Any]:
        """Its JSON Web Key Set."""
        numbers, point = (
            self._rsa.public_key().public_numbers(),
            self._ec.public_key().public_numbers(),
        )
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "kid": "r",
                    "use": "sig",
                    "n": _number(numbers.n),
                    "e": _number(numbers.e),
                },
                {
                    "kty": "EC",
                    "kid": "e",
                    "crv": "P-256",
                    "x": encoded(point.x.to_bytes(_EC_BYTES, "big")),
                    "y": encoded(point.y.to_bytes(_EC_BYTES, "big")),
                },
            ]
        }

    def token(self, claims: Mapping[str, Any], *, algorithm: str = "RS256", **head: Any) -> str:
        """A signed token. ``head`` replaces members of its header; None takes one away."""
        header = {"alg": algorithm, "typ": "JWT", "kid": algorithm[0].lower(), **head}
        header = {name: value for name, value in header.items() if value is not None}
        signed = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
        return f"{signed}.{encoded(self.signature(signed.encode(), algorithm))}"

    def signature(self, signed: bytes, algorithm: str) -> bytes:
        """The signature of the algorithm."""
        if algorithm == "RS256":
            return self._rsa.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        first, second = decode_dss_signature(self._ec.sign(signed, ec.ECDSA(hashes.SHA256())))
        return first.to_bytes(_EC_BYTES, "big") + second.to_bytes(_EC_BYTES, "big")
