"""Values of parameters on their way into the store and out of it. SecureStrings go through KMS."""

from __future__ import annotations

import base64

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import Encryption
from alonzo.services.ssm.errors import invalid_key
from alonzo.services.ssm.records import Version
from alonzo.services.ssm.rules import arn_of

#: The key of SecureStrings that name none.
DEFAULT_KEY = "alias/aws/ssm"
_SERVICE = "ssm"


class Values:
    """Seals and opens values."""

    def __init__(self, encryption: Encryption) -> None:
        self._encryption = encryption

    async def stored(
        self, context: RequestContext, name: str, value: str, key_id: str | None, *, tier: str
    ) -> bytes:
        """What is kept of a value; ``key_id`` is None for one that is no SecureString.

        Raises:
            AwsError: InvalidKeyId, AccessDeniedException.
        """
        plaintext = value.encode("utf-8", "surrogatepass")
        if key_id is None:
            return plaintext
        action = "Encrypt" if tier == "Standard" else "GenerateDataKey"
        try:
            sealed = await self._encryption.seal(
                context, key_id, plaintext, _purpose(context, name), service=_SERVICE, action=action
            )
        except AwsError as error:
            raise _translated(error) from error
        return sealed.data

    async def shown(
        self, context: RequestContext, name: str, version: Version, *, decrypt: bool
    ) -> str:
        """The value as it is answered. Without ``decrypt`` a SecureString stays sealed.

        Raises:
            AwsError: InvalidKeyId, AccessDeniedException.
        """
        if not version.is_secure:
            return version.value.decode("utf-8", "surrogatepass")
        if not decrypt:
            return base64.b64encode(version.value).decode()
        try:
            plaintext = await self._encryption.open(
                context, version.value, _purpose(context, name), service=_SERVICE
            )
        except AwsError as error:
            raise _translated(error) from error
        return plaintext.decode("utf-8", "surrogatepass")


def _purpose(context: RequestContext, name: str) -> dict[str, str]:
    """The encryption context. Source: KMS developer guide, how Parameter Store uses KMS."""
    return {"PARAMETER_ARN": arn_of(context.account, context.region, name)}


def _translated(error: AwsError) -> AwsError:
    return error if error.code == "AccessDeniedException" else invalid_key(error.message)
