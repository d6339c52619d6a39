"""The access keys that may sign requests: those of root users and users, and sessions.

Keys of root users and of users come from IAM (``roots``, ``access_keys``). A session's token is its
record (``sessions``); it is good until it expires, or until the user or role that it belongs to is
deleted.

A function's role need not be one that IAM knows (``authorizer``). The session of a role that IAM
never knew is good until it expires; one of a role that was deleted is good for nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import Principal, Session
from alonzo.model.errors import PlatformError
from alonzo.model.ports.identity import AccessKey
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.key_ids import access_key_id, secret_access_key, unknown_role_id
from alonzo.services.iam.sessions import TOKEN_CHARS_MAX, NotOurTokenError, TokenSealer
from alonzo.store.data_dir import read_or_create

SESSION_KEY_FILE = "sessions.key"

#: Sessions whose tokens stay verified; one more costs a decryption, about 20 µs.
VERIFIED_SESSIONS_MAX = 4096

_SESSION_KEY_BYTES = 32
#: As forgiving as the pattern of ``Role`` in Lambda's model. The name is the path's last part.
_ROLE_ARN = re.compile(
    r"arn:(?P<partition>(?:aws[a-zA-Z-]*)?):iam::(?P<account>\d{12}):"
    r"role/?(?:[^:]*/)?(?P<name>[^/:]+)/*"
)


class KeyFileError(PlatformError):
    """A file of the key folder is not what we wrote."""


class KeyRing:
    """Implements ``ports.KeyRing`` and ``ports.RoleCredentials``.

    Of long-lived keys it knows those of IAM; without ``identities``, none.
    """

    def __init__(
        self,
        keys: Path,
        *,
        clock: Clock,
        ids: IdSource,
        identities: Identities | None = None,
    ) -> None:
        """Read the key folder, and make what is missing in it.

        Raises:
            KeyFileError: a file there is damaged.
            DataDirError: a file there cannot be used, or can be read by others.
        """
        self._clock = clock
        self._ids = ids
        self._identities = identities
        secret = read_or_create(
            keys / SESSION_KEY_FILE, lambda: bytes.fromhex(ids.hex(_SESSION_KEY_BYTES))
        )
        if len(secret) != _SESSION_KEY_BYTES:
            raise KeyFileError(f"{keys / SESSION_KEY_FILE} should have {_SESSION_KEY_BYTES} bytes")
        self._sealer = TokenSealer(AESGCM(secret), ids)
        self._verified = lru_cache(maxsize=VERIFIED_SESSIONS_MAX)(self._sealer.open)

    def find(self, access_key_id: str, session_token: str | None) -> AccessKey | None:
        """The key, or None if it is unknown or the token is not the one issued with it."""
        if session_token is None:
            return None if self._identities is None else self._identities.access_key(access_key_id)
        if len(session_token) > TOKEN_CHARS_MAX:
            return None
        try:
            key = self._verified(session_token)
        except NotOurTokenError:
            return None
        if key.access_key_id != access_key_id or self._is_orphan(key.principal):
            return None
        return key

    def _is_orphan(self, principal: Principal) -> bool:
        """Whether the user or role of a session is gone. A role that never was cannot go."""
        if self._identities is None or principal.is_root:
            return False
        if self._identities.identity_of(principal) is not None:
            return False
        role_arn = None if principal.session is None else principal.session.role_arn
        if role_arn is None or principal.identity_id != unknown_role_id(role_arn):
            return True
        return self._identities.was_role(role_arn)

    def issue(self, *, role_arn: str, function_arn: str, duration_s: int) -> AccessKey:
        """A new session of the role for a function's code, valid from now for ``duration_s``.

        Raises:
            ValueError: ``role_arn`` is not a role's.
        """
        session = Session(
            function_arn.rpartition(":")[2],
            self._clock.now_s(),
            role_arn=role_arn,
            function_arn=function_arn,
        )
        return self.issue_role_session(session, duration_s)

    def issue_role_session(self, session: Session, duration_s: int) -> AccessKey:
        """A new session of a role, with whatever ``session`` says of it.

        Raises:
            ValueError: its role is none.
        """
        role_arn = str(session.role_arn)
        known = None if self._identities is None else self._identities.unique_id(role_arn)
        return self._issue(assumed_role(session, "", known), duration_s)

    def issue_user_session(self, user: Principal, session: Session, duration_s: int) -> AccessKey:
        """A new session of a user, or of the root user."""
        principal = Principal(
            account=user.account,
            arn=user.arn,
            user_id=user.user_id,
            access_key_id="",
            is_root=user.is_root,
            identity_id=user.identity_id,
            session=session,
        )
        return self._issue(principal, duration_s)

    def _issue(self, principal: Principal, duration_s: int) -> AccessKey:
        key_id = access_key_id("ASIA", self._ids, principal.account)
        principal = replace(principal, access_key_id=key_id)
        return self._sealer.seal(
            AccessKey(
                principal.access_key_id,
                secret_access_key(self._ids),
                principal,
                expires_at_s=self._clock.now_s() + duration_s,
            )
        )


def assumed_role(session: Session, access_key_id: str, unique_id: str | None = None) -> Principal:
    """The principal of a role's session. ``unique_id`` is the role's if IAM knows the role.

    Raises:
        ValueError: the session's role is none.

    Source: IAM user guide, ``principal`` element: assumed-role session principals.
    """
    role_arn = str(session.role_arn)
    role = _ROLE_ARN.fullmatch(role_arn)
    if role is None:
        raise ValueError(f"not the ARN of a role: {role_arn}")
    identity_id = unique_id or unknown_role_id(role_arn)
    return Principal(
        account=role["account"],
        arn=(
            f"arn:{role['partition']}:sts::{role['account']}:assumed-role/"
            f"{role['name']}/{session.name}"
        ),
        user_id=f"{identity_id}:{session.name}",
        access_key_id=access_key_id,
        identity_id=identity_id,
        session=session,
    )
