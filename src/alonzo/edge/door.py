"""Who may come in: from the claim of a request to its caller.

With authentication off everybody is the root user of the account.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from alonzo.edge.body_hash import BodyHash
from alonzo.edge.http1.head import Head
from alonzo.edge.http1.incoming import Incoming
from alonzo.edge.penalties import Penalties
from alonzo.edge.sigv4.chunked import decode_body
from alonzo.edge.sigv4.claim import Claim, read_claim
from alonzo.edge.sigv4.refusals import AuthFailure, Refusal
from alonzo.edge.sigv4.verify import ChunkSeal, Verifier, signs_body, unchecked_seal
from alonzo.lib.clock import Clock
from alonzo.model.context import Principal
from alonzo.model.ports.identity import AccessKey, KeyRing

#: Bodies longer than this are hashed in a thread: 256 KiB take about 0.2 ms.
HASH_INLINE_BYTES_MAX = 256 * 1024


class Door:
    """Tells callers apart and strangers off."""

    def __init__(
        self,
        keys: KeyRing,
        clock: Clock,
        *,
        account: str,
        auth: Literal["sigv4", "off"],
        penalties: Penalties | None = None,
    ) -> None:
        """Without ``penalties`` nobody who fails is kept waiting."""
        self._verifier = Verifier(keys, clock) if auth == "sigv4" else None
        self._account = account
        self._clock = clock
        self._penalties = penalties

    @property
    def is_locked(self) -> bool:
        """Whether callers must sign."""
        return self._verifier is not None

    def read_claim(self, head: Head) -> Claim | None:
        """What the request says about who signed it.

        Raises:
            AuthFailure: it says something that cannot be.
        """
        try:
            return read_claim(head)
        except AuthFailure as failure:
            # Without authentication a header of another scheme is nothing to us. But a scope that
            # cannot be must not land in some default region without a word.
            if self._verifier is None and failure.refusal is Refusal.INCOMPLETE:
                return None
            raise

    def find_key(self, claim: Claim | None) -> AccessKey | None:
        """The key that the claim names; None if nobody needs one. Needs no body.

        Raises:
            AuthFailure: there is no claim, or no such key, or its session is over.
        """
        if self._verifier is None:
            return None
        if claim is None:
            raise AuthFailure(Refusal.MISSING)
        return self._verifier.find_key(claim)

    def hash_of(self, head: Head, key: AccessKey | None) -> BodyHash | None:
        """What is to hash the body while it comes; None if it is short or needs no hash."""
        length = head.fields.get(b"content-length")
        if length is None:
            long = b"transfer-encoding" in head.fields
        else:
            long = int(length) > HASH_INLINE_BYTES_MAX
        return BodyHash() if long and key is not None and signs_body(head) else None

    def admit(
        self,
        head: Head,
        body: bytes,
        claim: Claim | None,
        key: AccessKey | None,
        body_sha256: str | None,
    ) -> tuple[Principal, ChunkSeal | None]:
        """The caller; and how to decode the body, if it came in chunks.

        ``key`` is of ``find_key``, ``body_sha256`` the body's digest
        if ``hash_of`` gave something to make it with.

        Raises:
            AuthFailure: the signature is wrong.
        """
        if self._verifier is None or claim is None or key is None:
            key_id = "" if claim is None else claim.terms.access_key_id
            return _root_user(self._account, key_id), unchecked_seal(head)
        return key.principal, self._verifier.verify(head, body, claim, key, body_sha256)

    def admit_form(self, policy: str, claim: Claim, key: AccessKey) -> Principal:
        """The caller who signed the policy of a form; ``key`` is of ``find_key``.

        Raises:
            AuthFailure: the signature is wrong.
        """
        assert self._verifier is not None, "a key was found"
        self._verifier.verify_policy(policy, claim, key)
        return key.principal

    def penalty_s(self, failure: AuthFailure, incoming: Incoming) -> float:
        """How long to wait with the refusal of a request, in seconds."""
        if self._penalties is None or not failure.is_guess:
            return 0.0
        try:
            claim = read_claim(incoming.head)
        except AuthFailure:
            claim = None
        key_id = "" if claim is None else claim.terms.access_key_id
        now_s = self._clock.monotonic_s()
        return self._penalties.note(incoming.source_ip, incoming.place, key_id, now_s)


def _root_user(account: str, access_key_id: str) -> Principal:
    return Principal(account, f"arn:aws:iam::{account}:root", account, access_key_id, is_root=True)


async def decode(seal: ChunkSeal, head: Head, body: bytes) -> bytes:
    """A body that came in chunks, without them.

    Raises:
        AuthFailure: the signature of a chunk is wrong.
        AwsError: the framing is wrong.
    """
    announced = head.fields.get(b"x-amz-decoded-content-length")
    length = int(announced) if announced is not None and announced.isdigit() else None
    if len(body) <= HASH_INLINE_BYTES_MAX:
        return decode_body(seal, body, decoded_bytes=length)
    return await asyncio.to_thread(decode_body, seal, body, decoded_bytes=length)
