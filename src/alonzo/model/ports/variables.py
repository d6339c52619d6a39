"""How the environment variables of functions are kept, and who may read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from alonzo.model.context import RequestContext
from alonzo.model.deliveries import RoleUse
from alonzo.model.functions import ServingVersion
from alonzo.model.ports.identity import Encryption


class FunctionKeys(Encryption, Protocol):
    """Encryption, and leave for a role to decrypt. Implemented by ``services/kms``."""

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
        """Have a role decrypt what is sealed under exactly that context. The same again is one.

        Raises:
            AwsError: KMS refuses; the caller needs ``kms:CreateGrant``.
        """
        ...

    async def end_leave(self, account: str, region: str, prefix: str) -> None:
        """Take back what was given under names that begin so. Nobody is asked for permission."""
        ...


class RoleContexts(Protocol):
    """Requests as a function's role makes them. Implemented by ``daemon``."""

    def context(self, use: RoleUse) -> RequestContext:
        """The context of a call with that role's permissions.

        Raises:
            AwsError: AccessDeniedException: it is no role.
        """
        ...


class VariableOpener(Protocol):
    """Opens the variables of versions that are about to run."""

    async def open(self, version: ServingVersion) -> ServingVersion:
        """The version with its variables in ``environment``.

        Raises:
            AwsError: one of Lambda's ``KMS…Exception``s: its role may not, or the key is not there.
        """
        ...
