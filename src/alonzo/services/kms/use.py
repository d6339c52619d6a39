"""Encrypting and decrypting with keys, for operations of KMS and for other services alike.

Permissions are asked before: by the edge for operations, by ``encryption.py`` for other services.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alonzo.model.context import RequestContext
from alonzo.services.kms import records, sealing
from alonzo.services.kms.errors import incorrect_key, invalid_ciphertext, key_not_found
from alonzo.services.kms.machine import Event, step
from alonzo.services.kms.records import Key
from alonzo.services.kms.rules import arn_of, parse_key_name
from alonzo.services.kms.sealing import SealError
from alonzo.services.kms.vault import Material, Vault
from alonzo.store.base import Connection


@dataclass(frozen=True, slots=True)
class Opened:
    """What a ciphertext held, and what had made it."""

    plaintext: bytes
    key: Key
    material_id: str

    def __repr__(self) -> str:
        return f"Opened({self.key.arn})"


class KeyUse:
    """Uses keys. Every key must be enabled."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault

    async def material(self, context: RequestContext, named: str) -> tuple[Key, Material]:
        """The newest material of the key that a ``KeyId`` names.

        Raises:
            AwsError: there is no such key, or its state forbids its use.
        """
        name = parse_key_name(named, account=context.account, region=context.region)
        await self.vault.ensure_managed(name)

        def work(conn: Connection) -> tuple[Key, Material]:
            key = records.need_named(conn, name)
            step(key.state, Event.USE, key.arn)
            material = self.vault.open_material(conn, key, None)
            assert material is not None
            return key, material

        return await self.vault.read(work)

    def seal(
        self, material: Material, plaintext: bytes, encryption_context: Mapping[str, str]
    ) -> bytes:
        """A ciphertext."""
        return sealing.encrypt(
            material.secret, material.origin, plaintext, encryption_context, self.vault.ids
        )

    async def open(
        self,
        context: RequestContext,
        blob: bytes,
        encryption_context: Mapping[str, str],
        named: str | None = None,
    ) -> Opened:
        """What a ciphertext holds. ``named``: the ``KeyId`` that it must have been made with.

        Raises:
            AwsError: InvalidCiphertextException, IncorrectKeyException, or as for ``material``.
        """
        try:
            origin = sealing.origin_of(blob)
        except SealError as error:
            raise invalid_ciphertext() from error
        wanted = None
        if named is not None:
            wanted = parse_key_name(named, account=context.account, region=context.region)

        def work(conn: Connection) -> tuple[Key, Material | None]:
            if wanted is not None and records.need_named(conn, wanted).id != origin.key_id:
                raise incorrect_key()
            key = records.try_find(conn, origin.key_id)
            if key is None:
                missing = f"key/{origin.key_id}"
                raise key_not_found(arn_of(context.account, context.region, missing))
            if key.region != context.region:
                raise invalid_ciphertext()
            step(key.state, Event.USE, key.arn)
            return key, self.vault.open_material(conn, key, origin.number)

        key, material = await self.vault.read(work)
        if material is None:
            raise invalid_ciphertext()
        try:
            plaintext = sealing.decrypt(material.secret, blob, encryption_context)
        except SealError as error:
            raise invalid_ciphertext() from error
        return Opened(plaintext, key, material.id)
