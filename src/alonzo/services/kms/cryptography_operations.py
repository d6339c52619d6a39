"""Operations that encrypt, decrypt, and make data keys. Source: KMS API reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import validation
from alonzo.services.kms.errors import dry_run, unsupported
from alonzo.services.kms.use import KeyUse

ALGORITHM = "SYMMETRIC_DEFAULT"
_KEY_BYTES = {"AES_128": 16, "AES_256": 32}


class CryptographicOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, use: KeyUse) -> None:
        self._use = use
        self._ids = use.vault.ids

    async def encrypt(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """Encrypt."""
        _check_algorithms(params)
        key, material = await self._use.material(context, params["KeyId"])
        _check_dry_run(params)
        blob = self._use.seal(material, params["Plaintext"], params.get("EncryptionContext") or {})
        return {"CiphertextBlob": blob, "KeyId": key.arn, "EncryptionAlgorithm": ALGORITHM}

    async def decrypt(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """Decrypt."""
        _check_algorithms(params)
        opened = await self._use.open(
            context,
            _blob(params),
            params.get("EncryptionContext") or {},
            params.get("KeyId"),
        )
        _check_dry_run(params)
        return {
            "KeyId": opened.key.arn,
            "Plaintext": opened.plaintext,
            "EncryptionAlgorithm": ALGORITHM,
            "KeyMaterialId": opened.material_id,
        }

    async def re_encrypt(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ReEncrypt. The plaintext never leaves."""
        _check_algorithms(params)
        opened = await self._use.open(
            context,
            _blob(params),
            params.get("SourceEncryptionContext") or {},
            params.get("SourceKeyId"),
        )
        key, material = await self._use.material(context, params["DestinationKeyId"])
        _check_dry_run(params)
        blob = self._use.seal(
            material, opened.plaintext, params.get("DestinationEncryptionContext") or {}
        )
        return {
            "CiphertextBlob": blob,
            "SourceKeyId": opened.key.arn,
            "KeyId": key.arn,
            "SourceEncryptionAlgorithm": ALGORITHM,
            "DestinationEncryptionAlgorithm": ALGORITHM,
            "SourceKeyMaterialId": opened.material_id,
            "DestinationKeyMaterialId": material.id,
        }

    async def generate_data_key(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GenerateDataKey."""
        plaintext, answer = await self._data_key(context, params)
        return {**answer, "Plaintext": plaintext}

    async def generate_data_key_without_plaintext(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GenerateDataKeyWithoutPlaintext."""
        _, answer = await self._data_key(context, params)
        return answer

    async def generate_random(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GenerateRandom."""
        if params.get("CustomKeyStoreId"):
            raise unsupported("There are no custom key stores.")
        _check_algorithms(params)
        count = params.get("NumberOfBytes")
        if count is None:
            raise validation("NumberOfBytes is a required parameter.")
        return {"Plaintext": bytes.fromhex(self._ids.hex(count))}

    async def _data_key(
        self, context: RequestContext, params: Mapping[str, Any]
    ) -> tuple[bytes, dict[str, Any]]:
        _check_algorithms(params)
        spec, count = params.get("KeySpec"), params.get("NumberOfBytes")
        if (spec is None) == (count is None):
            raise validation("Please specify either number of bytes or key spec.")
        key, material = await self._use.material(context, params["KeyId"])
        _check_dry_run(params)
        plaintext = bytes.fromhex(self._ids.hex(count or _KEY_BYTES[str(spec)]))
        blob = self._use.seal(material, plaintext, params.get("EncryptionContext") or {})
        return plaintext, {
            "CiphertextBlob": blob,
            "KeyId": key.arn,
            "KeyMaterialId": material.id,
        }


def _blob(params: Mapping[str, Any]) -> bytes:
    """The ciphertext, which the model does not ask for.

    Raises:
        AwsError: ValidationException.
    """
    if params.get("CiphertextBlob") is None:
        raise validation(
            "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy "
            "constraint: Member must not be null"
        )
    return params["CiphertextBlob"]


def _check_algorithms(params: Mapping[str, Any]) -> None:
    """Refuse what only asymmetric keys and Nitro enclaves have. The texts are ours.

    Raises:
        AwsError: UnsupportedOperationException.
    """
    if params.get("Recipient"):
        raise unsupported("There are no enclaves: Recipient is not supported.")
    if params.get("DryRunModifiers"):
        raise unsupported("DryRunModifiers are not supported.")
    for member in (
        "EncryptionAlgorithm",
        "SourceEncryptionAlgorithm",
        "DestinationEncryptionAlgorithm",
    ):
        if params.get(member, ALGORITHM) != ALGORITHM:
            raise unsupported("Keys are symmetric: the only algorithm is SYMMETRIC_DEFAULT.")


def _check_dry_run(params: Mapping[str, Any]) -> None:
    if params.get("DryRun"):
        raise dry_run()
