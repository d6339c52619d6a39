"""Encryption for other services, with the permissions of whoever calls them.

What is sealed is data under a data key of its own, and the data key under a key of KMS: data may be
of any length. Implements ``ports.Encryption`` and ``ports.FunctionKeys``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.ports.identity import Sealed
from alonzo.services.kms import sealing
from alonzo.services.kms.access import VIA_SERVICE
from alonzo.services.kms.errors import invalid_ciphertext
from alonzo.services.kms.grants import GrantOperations
from alonzo.services.kms.rules import parse_key_name
from alonzo.services.kms.sealing import SealError
from alonzo.services.kms.use import KeyUse

_DATA_KEY_BYTES = 32

#: As ``ports.Authorizer.authorize``.
Authorize = Callable[[RequestContext, str, str, Mapping[str, Any]], Awaitable[None]]


class Encryption:
    """Seals and opens what other services keep."""

    def __init__(self, use: KeyUse, authorize: Authorize) -> None:
        self._use = use
        self._authorize = authorize
        self._grants = GrantOperations(use.vault)

    @property
    def generation(self) -> int:
        """Grows with every change of any key, its policy, aliases or grants."""
        return self._use.vault.generation

    async def seal(
        self,
        context: RequestContext,
        key_id: str,
        plaintext: bytes,
        encryption_context: Mapping[str, str],
        *,
        service: str,
        action: str = "GenerateDataKey",
    ) -> Sealed:
        """Encrypt for a caller of a service.

        Raises:
            AwsError: KMS refuses.
        """
        name = parse_key_name(key_id, account=context.account, region=context.region)
        await self._use.vault.ensure_managed(name)
        await self.check_seal(context, key_id, encryption_context, service=service, action=action)
        key, material = await self._use.material(context, key_id)
        ids = self._use.vault.ids
        data_key = bytes.fromhex(ids.hex(_DATA_KEY_BYTES))
        blob = self._use.seal(material, data_key, encryption_context)
        return Sealed(key.arn, sealing.wrap(data_key, blob, plaintext, ids))

    async def check_seal(
        self,
        context: RequestContext,
        key_id: str,
        encryption_context: Mapping[str, str],
        *,
        service: str,
        action: str = "GenerateDataKey",
    ) -> None:
        """Whether a caller of a service may seal with that key; it may have been used just now.

        Raises:
            AwsError: KMS refuses.
        """
        params = {
            "KeyId": key_id,
            "EncryptionContext": encryption_context,
            VIA_SERVICE: _via(service, context),
        }
        await self._authorize(context, "kms", action, params)

    async def open(
        self,
        context: RequestContext,
        sealed: bytes,
        encryption_context: Mapping[str, str],
        *,
        service: str,
    ) -> bytes:
        """Decrypt for a caller of a service.

        Raises:
            AwsError: KMS refuses, or it was sealed otherwise.
        """
        try:
            blob = sealing.wrapped_key(sealed)
        except SealError as error:
            raise invalid_ciphertext() from error
        params = {
            "CiphertextBlob": blob,
            "EncryptionContext": encryption_context,
            VIA_SERVICE: _via(service, context),
        }
        await self._authorize(context, "kms", "Decrypt", params)
        opened = await self._use.open(context, blob, encryption_context)
        try:
            return sealing.unwrap(opened.plaintext, sealed)
        except SealError as error:
            raise invalid_ciphertext() from error

    async def let_decrypt(
        self,
        context: RequestContext,
        key_id: str,
        grantee: str,
        encryption_context: Mapping[str, str],
        *,
        service: str,
        name: str,
    ) -> None:
        """Grant a role to decrypt under that context, for a caller of a service.

        Raises:
            AwsError: KMS refuses.
        """
        params = {
            "KeyId": key_id,
            "GranteePrincipal": grantee,
            "Operations": ["Decrypt"],
            "Constraints": {"EncryptionContextEquals": dict(encryption_context)},
            "Name": name,
        }
        via = {VIA_SERVICE: _via(service, context)}
        await self._authorize(context, "kms", "CreateGrant", {**params, **via})
        await self._grants.create_grant(context, params)

    async def end_leave(self, account: str, region: str, prefix: str) -> None:
        """Take back the grants of an account whose names begin so."""
        await self._use.vault.drop_grants(account, region, prefix)


def _via(service: str, context: RequestContext) -> str:
    return f"{service}.{context.region}.amazonaws.com"
