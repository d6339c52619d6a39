"""The access keys that may sign requests: the account's root key, and sessions of roles.

The root key is made at the first start and kept in ``root.json`` of the key folder (0600). A
session is kept nowhere: its token is its record, encrypted and authenticated with a key of that
folder, so sessions outlive a restart and cost no storage. A session cannot be revoked before it
expires.

    token = base64( version 1 · nonce 12 · AES-256-GCM( JSON of the session ) )
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import Principal
from alonzo.model.errors import PlatformError
from alonzo.model.ports import AccessKey
from alonzo.store.data_dir import read_or_create

ROOT_FILE = "root.json"
SESSION_KEY_FILE = "sessions.key"

#: Sessions whose tokens stay verified; one more costs a decryption, about 13 µs.
VERIFIED_SESSIONS_MAX = 4096
#: Longer texts are no tokens of ours; the bound keeps the memory of verified ones small.
TOKEN_CHARS_MAX = 2048

_VERSION = b"\x01"
_NONCE_BYTES = 12
_SESSION_KEY_BYTES = 32
#: As forgiving as the pattern of ``Role`` in Lambda's model. The name is the path's last part.
_ROLE_ARN = re.compile(
    r"arn:(?P<partition>(?:aws[a-zA-Z-]*)?):iam::(?P<account>\d{12}):"
    r"role/?(?:[^:]*/)?(?P<name>[^/:]+)/*"
)


class KeyFileError(PlatformError):
    """A file of the key folder is not what we wrote."""


class _NotOurTokenError(Exception):
    """The text is no session token of this key ring."""


@dataclass(frozen=True, slots=True)
class _Session:
    """What a token says."""

    role_arn: str
    session_name: str
    access_key_id: str
    secret_access_key: str
    expires_at_s: float


class KeyRing:
    """Implements ``ports.KeyRing`` and ``ports.RoleCredentials``. ``root`` is the account's key."""

    def __init__(self, keys: Path, *, clock: Clock, ids: IdSource, account: str) -> None:
        """Read the key folder, and make what is missing in it.

        Raises:
            KeyFileError: a file there is damaged.
            DataDirError: a file there cannot be used, or can be read by others.
        """
        self._clock = clock
        self._ids = ids
        secret = read_or_create(
            keys / SESSION_KEY_FILE, lambda: bytes.fromhex(ids.hex(_SESSION_KEY_BYTES))
        )
        if len(secret) != _SESSION_KEY_BYTES:
            raise KeyFileError(f"{keys / SESSION_KEY_FILE} should have {_SESSION_KEY_BYTES} bytes")
        self._cipher = AESGCM(secret)
        self._verified = lru_cache(maxsize=VERIFIED_SESSIONS_MAX)(self._open_token)
        self.root = self._load_root(keys / ROOT_FILE, account)

    def _load_root(self, path: Path, account: str) -> AccessKey:
        document = read_or_create(path, self._new_root)
        try:
            fields: dict[str, Any] = json.loads(document)
            key_id, secret = str(fields["access_key_id"]), str(fields["secret_access_key"])
        except (ValueError, TypeError, KeyError) as error:
            raise KeyFileError(f"{path} is not a root key file: {error!r}") from error
        principal = Principal(
            account=account,
            arn=f"arn:aws:iam::{account}:root",
            user_id=account,
            access_key_id=key_id,
            is_root=True,
        )
        return AccessKey(key_id, secret, principal)

    def _new_root(self) -> bytes:
        fields = {
            "access_key_id": self._new_key_id("AKIA"),
            "secret_access_key": self._new_secret(),
        }
        return json.dumps(fields, indent=2).encode() + b"\n"

    def _new_key_id(self, prefix: str) -> str:
        """20 characters: what AWS says the prefix means, and 16 of base32.

        Source: IAM user guide, unique identifiers.
        """
        return prefix + base64.b32encode(bytes.fromhex(self._ids.hex(10))).decode()

    def _new_secret(self) -> str:
        """40 characters of base64, as AWS's."""
        return base64.b64encode(bytes.fromhex(self._ids.hex(30))).decode()

    def find(self, access_key_id: str, session_token: str | None) -> AccessKey | None:
        """The key, or None if it is unknown or the token is not the one issued with it."""
        if session_token is None:
            return self.root if access_key_id == self.root.access_key_id else None
        if len(session_token) > TOKEN_CHARS_MAX:
            return None
        try:
            key = self._verified(session_token)
        except _NotOurTokenError:
            return None
        return key if key.access_key_id == access_key_id else None

    def issue(self, *, role_arn: str, session_name: str, duration_s: int) -> AccessKey:
        """A new session of the role, valid from now for ``duration_s`` seconds.

        Raises:
            ValueError: ``role_arn`` is not a role's.
        """
        session = _Session(
            role_arn=role_arn,
            session_name=session_name,
            access_key_id=self._new_key_id("ASIA"),
            secret_access_key=self._new_secret(),
            expires_at_s=self._clock.now_s() + duration_s,
        )
        return _access_key(session, self._seal(session))

    def _seal(self, session: _Session) -> str:
        fields = [
            session.role_arn,
            session.session_name,
            session.access_key_id,
            session.secret_access_key,
            session.expires_at_s,
        ]
        nonce = bytes.fromhex(self._ids.hex(_NONCE_BYTES))
        sealed = self._cipher.encrypt(nonce, json.dumps(fields).encode(), _VERSION)
        return base64.b64encode(_VERSION + nonce + sealed).decode()

    def _open_token(self, token: str) -> AccessKey:
        try:
            raw = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError) as error:
            raise _NotOurTokenError from error
        version, nonce, sealed = raw[:1], raw[1 : 1 + _NONCE_BYTES], raw[1 + _NONCE_BYTES :]
        if version != _VERSION or len(nonce) != _NONCE_BYTES:
            raise _NotOurTokenError
        try:
            fields = json.loads(self._cipher.decrypt(nonce, sealed, _VERSION))
        except InvalidTag as error:
            raise _NotOurTokenError from error
        return _access_key(_Session(*fields), token)


def assumed_role(role_arn: str, session_name: str, access_key_id: str) -> Principal:
    """The principal of a role's session.

    Raises:
        ValueError: ``role_arn`` is not a role's.

    Source: IAM user guide, ``principal`` element: assumed-role session principals.
    """
    role = _ROLE_ARN.fullmatch(role_arn)
    if role is None:
        raise ValueError(f"not the ARN of a role: {role_arn}")
    return Principal(
        account=role["account"],
        arn=(
            f"arn:{role['partition']}:sts::{role['account']}:assumed-role/"
            f"{role['name']}/{session_name}"
        ),
        user_id=f"{role_id(role_arn)}:{session_name}",
        access_key_id=access_key_id,
    )


def role_id(role_arn: str) -> str:
    """The unique id of a role (``AROA`` and 17 characters), always the same for one ARN."""
    return "AROA" + base64.b32encode(hashlib.sha256(role_arn.encode()).digest())[:17].decode()


def _access_key(session: _Session, token: str) -> AccessKey:
    return AccessKey(
        access_key_id=session.access_key_id,
        secret_access_key=session.secret_access_key,
        principal=assumed_role(session.role_arn, session.session_name, session.access_key_id),
        session_token=token,
        expires_at_s=session.expires_at_s,
    )
