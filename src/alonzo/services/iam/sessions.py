"""Tokens of temporary credentials. A session is kept nowhere: its token is its record.

    token = base64( version 2 · nonce 12 · AES-256-GCM( deflated JSON of the session ) )

So sessions outlive a restart and cost no storage. Whether the user or role that one belongs to is
still there is for the key ring to ask.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag

from alonzo.lib.ids import IdSource
from alonzo.model.context import Principal, Session
from alonzo.model.ports.identity import AccessKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: Longer texts are no tokens of ours; the bound keeps the memory of verified ones small.
TOKEN_CHARS_MAX = 8192

_VERSION = b"\x02"
_NONCE_BYTES = 12


class NotOurTokenError(Exception):
    """The text is no session token of this platform."""


@dataclass(frozen=True, slots=True)
class TokenSealer:
    """Makes tokens and opens them, with a secret of 32 bytes."""

    cipher: AESGCM
    ids: IdSource

    def seal(self, key: AccessKey) -> AccessKey:
        """The key with its token, which says all that the key says."""
        principal = key.principal
        assert principal.session is not None
        fields = {
            "k": key.access_key_id,
            "s": key.secret_access_key,
            "e": key.expires_at_s,
            "p": [principal.account, principal.arn, principal.user_id, principal.identity_id],
            "r": principal.is_root,
            "c": asdict(principal.session),
        }
        plain = zlib.compress(json.dumps(fields, separators=(",", ":")).encode())
        nonce = bytes.fromhex(self.ids.hex(_NONCE_BYTES))
        raw = _VERSION + nonce + self.cipher.encrypt(nonce, plain, _VERSION)
        token = base64.b64encode(raw).decode()
        return AccessKey(
            key.access_key_id, key.secret_access_key, principal, token, key.expires_at_s
        )

    def open(self, token: str) -> AccessKey:
        """Read a token.

        Raises:
            NotOurTokenError: it was not sealed with this secret.
        """
        try:
            raw = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError) as error:
            raise NotOurTokenError from error
        version, nonce, sealed = raw[:1], raw[1 : 1 + _NONCE_BYTES], raw[1 + _NONCE_BYTES :]
        if version != _VERSION or len(nonce) != _NONCE_BYTES:
            raise NotOurTokenError
        try:
            plain = self.cipher.decrypt(nonce, sealed, _VERSION)
        except InvalidTag as error:
            raise NotOurTokenError from error
        # What was sealed here is small, however it is compressed.
        return _key(json.loads(zlib.decompress(plain)), token)


def _key(fields: dict[str, Any], token: str) -> AccessKey:
    session = dict(fields["c"])
    for name in ("policies", "policy_arns", "transitive"):
        session[name] = tuple(session[name])
    session["tags"] = tuple((key, value) for key, value in session["tags"])
    account, arn, user_id, identity_id = fields["p"]
    principal = Principal(
        account=account,
        arn=arn,
        user_id=user_id,
        access_key_id=fields["k"],
        is_root=fields["r"],
        identity_id=identity_id,
        session=Session(**session),
    )
    return AccessKey(fields["k"], fields["s"], principal, token, fields["e"])
