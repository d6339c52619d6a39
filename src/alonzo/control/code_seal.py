"""The form of a package that is sealed with a key of its function's owner. Pure.

    magic (8) | tag (32) | length of the head (4) | head | nonce (12) | data, tag (16)

* The head is a JSON text: whose package it is, and the data key as KMS sealed it. The data is under
  AES-256-GCM with the data key, and the head is authenticated with it.
* The tag is an HMAC of the head with a secret of the platform. So nobody can upload what is taken
  for a sealed package, and have the platform open for them what it opens for another function.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from alonzo.model.arns import FunctionKey

DATA_KEY_BYTES = 32
NONCE_BYTES = 12

_MAGIC = b"\x00ALZSEAL"
_LABEL = b"alonzo sealed package\x01"
_FRONT = struct.Struct(">8s32sI")


class CodeSealError(Exception):
    """A sealed package was changed, or its data key is another."""


@dataclass(frozen=True, slots=True)
class SealedCode:
    """What stands in front of a sealed package: whose it is, and its data key as KMS sealed it.

    ``head_bytes`` is where the nonce begins.
    """

    function: FunctionKey
    data_key: bytes
    head_bytes: int


def seal(
    secret: bytes, function: FunctionKey, keys: tuple[bytes, bytes], nonce: bytes, data: bytes
) -> bytes:
    """A package, sealed. ``keys``: the data key, and the same as KMS sealed it."""
    data_key, sealed_key = keys
    text = {"function": function._asdict(), "data_key": base64.b64encode(sealed_key).decode()}
    head = json.dumps(text, separators=(",", ":"), sort_keys=True).encode()
    front = _FRONT.pack(_MAGIC, _tag(secret, head), len(head)) + head
    return front + nonce + AESGCM(data_key).encrypt(nonce, data, front)


def parse(secret: bytes, package: bytes) -> SealedCode | None:
    """What a package says in front; None: it is none that was sealed here."""
    if len(package) < _FRONT.size or not package.startswith(_MAGIC):
        return None
    _, tag, length = _FRONT.unpack_from(package)
    head = package[_FRONT.size : _FRONT.size + length]
    if not hmac.compare_digest(tag, _tag(secret, head)):
        return None
    text = json.loads(head)
    return SealedCode(
        FunctionKey(**text["function"]),
        base64.b64decode(text["data_key"]),
        _FRONT.size + len(head),
    )


def unseal(sealed: SealedCode, data_key: bytes, package: bytes) -> bytes:
    """The package that was sealed.

    Raises:
        CodeSealError: it was changed, or the key is another.
    """
    start = sealed.head_bytes + NONCE_BYTES
    front, nonce = package[: sealed.head_bytes], package[sealed.head_bytes : start]
    try:
        return AESGCM(data_key).decrypt(nonce, memoryview(package)[start:], front)
    except (InvalidTag, ValueError) as error:
        raise CodeSealError("the package cannot be opened") from error


def _tag(secret: bytes, head: bytes) -> bytes:
    return hmac.digest(secret, _LABEL + head, hashlib.sha256)
