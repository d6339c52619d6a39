"""Values of secrets on their way into the store and out of it, through KMS."""

from __future__ import annotations

from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import Encryption, Sealed
from alonzo.services.secretsmanager.records import Q, Secret, Version
from alonzo.store.base import Connection

_DEFAULT_ALIAS = "alias/aws/secretsmanager"
_SERVICE = "secretsmanager"


class Values:
    """Seals and opens values."""

    def __init__(self, encryption: Encryption) -> None:
        self._encryption = encryption

    async def seal(
        self,
        context: RequestContext,
        arn: str,
        version_id: str,
        plaintext: bytes,
        key_id: str | None,
    ) -> Sealed:
        """What is kept of a value.

        Raises:
            AwsError: EncryptionFailure, AccessDeniedException.
        """
        purpose = _purpose(arn, version_id)
        try:
            return await self._encryption.seal(
                context, key_id or _default_key(arn), plaintext, purpose, service=_SERVICE
            )
        except AwsError as error:
            raise _translated(error, "EncryptionFailure") from error

    async def open(self, context: RequestContext, secret: Secret, version: Version) -> bytes:
        """The value of a version that has one.

        Raises:
            AwsError: DecryptionFailure, AccessDeniedException.
        """
        assert version.sealed is not None
        purpose = _purpose(secret.arn, version.id)
        try:
            return await self._encryption.open(context, version.sealed, purpose, service=_SERVICE)
        except AwsError as error:
            raise _translated(error, "DecryptionFailure") from error


def store_value(
    conn: Connection, secret: Secret, version_id: str, kind: str, sealed: Sealed, now_s: float
) -> None:
    """Write a value. Part of a unit of work; the labels come after it."""
    conn.execute(
        Q.put_version,
        {
            "secret_id": secret.id,
            "id": version_id,
            "created_at_s": now_s,
            "kind": kind,
            "key_arn": sealed.key_arn,
            "sealed": sealed.data,
        },
    )


def shown_value(kind: str | None, plaintext: bytes) -> dict[str, Any]:
    """``SecretString`` or ``SecretBinary``."""
    if kind == "binary":
        return {"SecretBinary": plaintext}
    return {"SecretString": plaintext.decode("utf-8", "surrogatepass")}


def _default_key(arn: str) -> str:
    """The key of secrets that name none: that of the secret's account, whoever calls."""
    region, account = arn.split(":")[3:5]
    return f"arn:aws:kms:{region}:{account}:{_DEFAULT_ALIAS}"


def _purpose(arn: str, version_id: str) -> dict[str, str]:
    """The encryption context. Source: Secrets Manager user guide, encryption and decryption."""
    return {"SecretARN": arn, "SecretVersionId": version_id}


def _translated(error: AwsError, code: str) -> AwsError:
    if error.code == "AccessDeniedException":
        return AwsError(
            "AccessDeniedException",
            f"Access to KMS is not allowed: {error.message}",
            status=400,
        )
    return AwsError(code, error.message)
