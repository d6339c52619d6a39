"""The cryptography of keys. Nothing here knows accounts, states or permissions.

* A key's material is 32 random bytes. It lies in the store sealed with AES-256-GCM under a secret
  of the data directory; key id and number of the material are authenticated with it.
* A ciphertext says by itself which key made it:

      0x01 | key id (16) | number of the material (4) | salt (16) | nonce (12) | data, tag (16)

  It is sealed with AES-256-GCM under HMAC-SHA256(material, label | salt): no two ciphertexts share
  a key but by chance, and a key may be used without a limit. What comes before the data and the
  encryption context are authenticated with it.
* An encryption context is authenticated as its pairs in order, each text behind its length: no two
  contexts look alike.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from alonzo.lib.ids import IdSource

MATERIAL_BYTES = 32
_VERSION = 1
_HEAD = struct.Struct(">B16sI16s12s")
_TAG_BYTES = 16
_NONCE_BYTES = 12
_LABEL = b"alonzo kms ciphertext 1"
_ID_LABEL = b"alonzo kms material id"
#: What a seal has beside its data: the key blob's length.
_LENGTH = struct.Struct(">H")


class SealError(Exception):
    """It was not sealed so, or it was changed since."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Which material of which key made a ciphertext, as the ciphertext says."""

    key_id: str
    number: int


class MaterialSafe:
    """Seals the materials of keys for the store."""

    def __init__(self, secret: bytes, ids: IdSource) -> None:
        """``secret``: 32 bytes, the same at each start."""
        self._cipher = AESGCM(secret)
        self._ids = ids

    def make(self, origin: Origin) -> tuple[bytes, str]:
        """New material, sealed, and its id."""
        material = bytes.fromhex(self._ids.hex(MATERIAL_BYTES))
        nonce = bytes.fromhex(self._ids.hex(_NONCE_BYTES))
        sealed = nonce + self._cipher.encrypt(nonce, material, _name(origin))
        return sealed, hmac.digest(material, _ID_LABEL, hashlib.sha256).hex()

    def open(self, sealed: bytes, origin: Origin) -> bytes:
        """The material.

        Raises:
            SealError: it was sealed with another secret, or for another key.
        """
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, _name(origin))
        except InvalidTag as error:
            raise SealError(f"the material of key {origin.key_id} cannot be opened") from error


def encrypt(
    material: bytes, origin: Origin, plaintext: bytes, context: Mapping[str, str], ids: IdSource
) -> bytes:
    """A ciphertext of a key."""
    salt, nonce = bytes.fromhex(ids.hex(16)), bytes.fromhex(ids.hex(_NONCE_BYTES))
    head = _HEAD.pack(_VERSION, uuid.UUID(origin.key_id).bytes, origin.number, salt, nonce)
    cipher = AESGCM(hmac.digest(material, _LABEL + salt, hashlib.sha256))
    return head + cipher.encrypt(nonce, plaintext, head + canonical(context))


def origin_of(ciphertext: bytes) -> Origin:
    """Which key made a ciphertext. Nothing vouches for it before ``decrypt`` does.

    Raises:
        SealError: it has not the form of a ciphertext.
    """
    if len(ciphertext) < _HEAD.size + _TAG_BYTES or ciphertext[0] != _VERSION:
        raise SealError("not a ciphertext of this KMS")
    _, key_id, number, _, _ = _HEAD.unpack_from(ciphertext)
    return Origin(str(uuid.UUID(bytes=key_id)), number)


def decrypt(material: bytes, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
    """What was encrypted.

    Raises:
        SealError: with another key or another context, or it was changed since.
    """
    origin_of(ciphertext)
    head = ciphertext[: _HEAD.size]
    *_, salt, nonce = _HEAD.unpack(head)
    cipher = AESGCM(hmac.digest(material, _LABEL + salt, hashlib.sha256))
    try:
        return cipher.decrypt(nonce, ciphertext[_HEAD.size :], head + canonical(context))
    except InvalidTag as error:
        raise SealError("the ciphertext cannot be opened") from error


def canonical(context: Mapping[str, str]) -> bytes:
    """An encryption context as bytes, the same for the same pairs and for no others."""
    parts: list[bytes] = []
    for pair in sorted(context.items()):
        for text in pair:
            raw = text.encode("utf-8", "surrogatepass")
            parts += [struct.pack(">I", len(raw)), raw]
    return b"".join(parts)


def wrap(data_key: bytes, blob: bytes, plaintext: bytes, ids: IdSource) -> bytes:
    """Data of any length under a data key, with the key's own ciphertext in front."""
    nonce = bytes.fromhex(ids.hex(_NONCE_BYTES))
    head = _LENGTH.pack(len(blob)) + blob + nonce
    return head + AESGCM(data_key).encrypt(nonce, plaintext, head)


def wrapped_key(wrapped: bytes) -> bytes:
    """The ciphertext of the data key.

    Raises:
        SealError: it has not the form.
    """
    if len(wrapped) < _LENGTH.size:
        raise SealError("not wrapped data")
    (length,) = _LENGTH.unpack_from(wrapped)
    if len(wrapped) < _LENGTH.size + length + _NONCE_BYTES + _TAG_BYTES:
        raise SealError("not wrapped data")
    return wrapped[_LENGTH.size : _LENGTH.size + length]


def unwrap(data_key: bytes, wrapped: bytes) -> bytes:
    """The data.

    Raises:
        SealError: it was changed, or the key is another.
    """
    start = _LENGTH.size + len(wrapped_key(wrapped)) + _NONCE_BYTES
    head = wrapped[:start]
    try:
        return AESGCM(data_key).decrypt(head[-_NONCE_BYTES:], wrapped[start:], head)
    except InvalidTag as error:
        raise SealError("the data cannot be opened") from error


def _name(origin: Origin) -> bytes:
    return f"{origin.key_id}/{origin.number}".encode()
