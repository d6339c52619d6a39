"""Environment variables are sealed in the store, and opened where an environment starts.

They are opened as the function's role: with a customer's key, by the grant that was made when the
key was set. Nothing that a customer's key has opened is remembered: one that is disabled now stops
the next environment, and what runs goes on, as on AWS. What the service's own key has opened stays
in memory for the next start, as nobody can take that key away. A warm call opens nothing.

Source: Lambda developer guide, securing environment variables; Lambda API, errors of Invoke; public
reports of its texts.
"""

from __future__ import annotations

import base64
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

from alonzo.lib.ids import IdSource
from alonzo.model.deliveries import RoleUse
from alonzo.model.errors import AwsError
from alonzo.model.functions import ServingVersion, sealing_context
from alonzo.model.ports.identity import Encryption
from alonzo.model.ports.variables import RoleContexts

#: Sealed variables of so many versions stay open; each has 4 KB at most.
OPEN_MAX = 512

#: Lambda's error and its words, by the error of KMS.
_REFUSALS = {
    "AccessDeniedException": ("KMSAccessDeniedException", "KMS access was denied"),
    "DisabledException": ("KMSDisabledException", "the KMS key used is disabled"),
    "KMSInvalidStateException": (
        "KMSInvalidStateException",
        "the state of the KMS key used is not valid for Decrypt",
    ),
    "NotFoundException": ("KMSNotFoundException", "the KMS key was not found"),
}


class PlainVariables:
    """For platforms without KMS: nothing is sealed. Implements ``ports.VariableOpener``."""

    async def open(self, version: ServingVersion) -> ServingVersion:
        """The version as it is."""
        assert not version.sealed_environment, "nobody can have sealed it"
        return version


class SealedVariables:
    """Implements ``ports.VariableOpener``. ``connect`` hands it what is built after it."""

    def __init__(self, ids: IdSource) -> None:
        self._ids = ids
        self._encryption: Encryption | None = None
        self._roles: RoleContexts | None = None
        self._opened: OrderedDict[str, Mapping[str, str]] = OrderedDict()

    def connect(self, encryption: Encryption, roles: RoleContexts) -> None:
        """From now on functions may start."""
        self._encryption = encryption
        self._roles = roles

    async def open(self, version: ServingVersion) -> ServingVersion:
        """The version with its variables.

        Raises:
            AwsError: one of Lambda's ``KMS…Exception``s.
        """
        if not version.sealed_environment:
            return version
        variables = self._opened.get(version.sealed_environment)
        if variables is None:
            variables = await self._open(version)
        if version.kms_key is None:
            self._opened[version.sealed_environment] = variables
            self._opened.move_to_end(version.sealed_environment)
            if len(self._opened) > OPEN_MAX:
                self._opened.popitem(last=False)
        return replace(version, environment=variables, sealed_environment="")

    async def _open(self, version: ServingVersion) -> Mapping[str, str]:
        assert self._encryption is not None
        assert self._roles is not None
        key = version.key
        use = RoleUse(key, version.role, key.region, self._ids.uuid())
        try:
            text = await self._encryption.open(
                self._roles.context(use),
                base64.b64decode(version.sealed_environment),
                sealing_context(key),
                service="lambda",
            )
        except AwsError as err:
            raise _refusal(err) from err
        return json.loads(text)


def _refusal(err: AwsError) -> AwsError:
    code, words = _REFUSALS.get(err.code, _REFUSALS["AccessDeniedException"])
    return AwsError(
        code,
        f"Lambda was unable to decrypt the environment variables because {words}. Please check "
        f"the function's KMS key settings. KMS Exception: {err.code}KMS Message: {err.message}",
    )
