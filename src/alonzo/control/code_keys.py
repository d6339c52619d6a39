"""Packages that are sealed with a key of their function's owner: ``SourceKMSKeyArn``.

* The package is under a data key of its own, and that under the customer's key, for the function's
  ARN. So is what reaches the blob store. In a configuration ``SealedCode`` has ``KeyArn`` as it was
  given, ``CodeSha256`` of the plain package and ``DataKey``.
* There is no grant, as on AWS: the key's policy must let ``lambda.amazonaws.com`` do
  ``kms:GenerateDataKey`` and ``kms:Decrypt``. The caller needs ``kms:GenerateDataKey``, too: nobody
  uses another's key by way of the platform.
* Lambda opens the package where it is unpacked or downloaded. A link is given to those only who may
  ``kms:Decrypt``.

Source: Lambda developer guide, encrypting .zip deployment packages; Lambda API,
FunctionCodeLocation. What callers need to seal is not documented. The texts are ours.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from alonzo.control import code_seal
from alonzo.control.code_seal import CodeSealError
from alonzo.control.records import Code, VersionRecord
from alonzo.lib.ids import IdSource
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError, PlatformError, invalid_parameter
from alonzo.model.functions import sealing_context
from alonzo.model.ports.identity import Encryption
from alonzo.store.blobs import BlobStore

#: The member of requests, and of ``Code`` in answers.
MEMBER = "SourceKMSKeyArn"

_LAMBDA = "lambda.amazonaws.com"

#: Lambda's error and its words, by the error of KMS. Source of the codes: Lambda API, Invoke.
_REFUSALS = {
    "AccessDeniedException": ("KMSAccessDeniedException", "KMS access is denied"),
    "DisabledException": ("KMSDisabledException", "the KMS key is disabled"),
    "KMSInvalidStateException": (
        "KMSInvalidStateException",
        "the state of the KMS key is not valid for Decrypt",
    ),
    "NotFoundException": ("KMSNotFoundException", "the KMS key was not found"),
}

#: Why a deployment failed, by Lambda's error. Source: service model, StateReasonCode.
REASON_CODES = {
    "KMSAccessDeniedException": "KMSKeyAccessDenied",
    "KMSDisabledException": "DisabledKMSKey",
    "KMSInvalidStateException": "InvalidStateKMSKey",
    "KMSNotFoundException": "KMSKeyNotFound",
}


@dataclass(frozen=True, slots=True)
class Intake:
    """A package as it is to be kept, and the members that its version's configuration gets."""

    data: bytes
    code: Code
    members: Mapping[str, Any]


class SealedPackages:
    """Seals packages, and reads the blobs of all. ``connect`` hands it what is built after it."""

    def __init__(self, blobs: BlobStore, secret: bytes, ids: IdSource) -> None:
        """``secret`` is of the platform and outlives a restart."""
        self._blobs = blobs
        self._secret = secret
        self._ids = ids
        self._encryption: Encryption | None = None

    def connect(self, encryption: Encryption) -> None:
        """From now on there is KMS."""
        self._encryption = encryption

    async def seal(
        self,
        context: RequestContext,
        key: FunctionKey,
        source: Mapping[str, Any],
        data: bytes,
        code: Code,
    ) -> Intake:
        """The package as ``source`` asks for: sealed with its key, or as it is.

        Raises:
            AwsError: InvalidParameterValueException; it repeats what KMS says.
        """
        key_arn = source.get(MEMBER)
        if not key_arn:
            return Intake(data, code, {})
        if self._encryption is None:
            raise invalid_parameter(f"{MEMBER}: There is no KMS here.")
        data_key = bytes.fromhex(self._ids.hex(code_seal.DATA_KEY_BYTES))
        bound = sealing_context(key)
        try:
            # Nothing is sealed for the caller: it is asked whether they may.
            await self._encryption.seal(context, key_arn, b"", bound, service="lambda")
            sealed = await self._encryption.seal(
                _as_lambda(key), key_arn, data_key, bound, service="lambda"
            )
        except AwsError as err:
            raise _unusable(err) from err
        nonce = bytes.fromhex(self._ids.hex(code_seal.NONCE_BYTES))
        package, sha256 = await asyncio.to_thread(
            self._seal, key, (data_key, sealed.data), nonce, data
        )
        document = {
            "KeyArn": key_arn,
            "CodeSha256": base64.b64encode(bytes.fromhex(code.sha256)).decode(),
            "DataKey": base64.b64encode(sealed.data).decode(),
        }
        return Intake(package, replace(code, sha256=sha256), {"SealedCode": document})

    def _seal(
        self, key: FunctionKey, keys: tuple[bytes, bytes], nonce: bytes, data: bytes
    ) -> tuple[bytes, str]:
        package = code_seal.seal(self._secret, key, keys, nonce, data)
        return package, hashlib.sha256(package).hexdigest()

    async def hidden(
        self, context: RequestContext, record: VersionRecord
    ) -> Mapping[str, Any] | None:
        """The ``Error`` that a caller gets in place of a link; None: they may have the package."""
        sealed = record.configuration.get("SealedCode")
        if sealed is None:
            return None
        assert self._encryption is not None
        try:
            await self._encryption.open(
                context,
                base64.b64decode(sealed["DataKey"]),
                sealing_context(record.key),
                service="lambda",
            )
        except AwsError as err:
            return {"ErrorCode": err.code, "Message": _hidden(err)}
        return None

    async def read(self, sha256: str) -> bytes:
        """The package that a blob holds, opened if it is sealed.

        Raises:
            BlobMissingError: there is no such blob.
            AwsError: one of Lambda's ``KMS…Exception``s, those of ``REASON_CODES``.
            PlatformError: the blob was changed.
        """
        package = await self._blobs.read(sha256)
        sealed = code_seal.parse(self._secret, package)
        if sealed is None:
            return package
        assert self._encryption is not None
        try:
            data_key = await self._encryption.open(
                _as_lambda(sealed.function),
                sealed.data_key,
                sealing_context(sealed.function),
                service="lambda",
            )
        except AwsError as err:
            raise _refusal(err) from err
        try:
            return await asyncio.to_thread(code_seal.unseal, sealed, data_key, package)
        except CodeSealError as error:
            raise PlatformError(f"the package {sha256}: {error}") from error


def _as_lambda(key: FunctionKey) -> RequestContext:
    """Lambda's own calls on behalf of a function."""
    return RequestContext(
        request_id="",
        account=key.account,
        region=key.region,
        principal=Principal(key.account, _LAMBDA, _LAMBDA, f"{_LAMBDA} {key.arn}", service=_LAMBDA),
        endpoint="",
        source_ip=_LAMBDA,
        source_arn=key.arn,
    )


def _unusable(err: AwsError) -> AwsError:
    return invalid_parameter(
        "Lambda was unable to encrypt your deployment package because the KMS key is invalid for "
        "GenerateDataKey. Please check your KMS key settings. "
        f"KMS Exception: {err.code} KMS Message: {err.message}"
    )


def _hidden(err: AwsError) -> str:
    words = _REFUSALS.get(err.code, _REFUSALS["AccessDeniedException"])[1]
    return (
        f"Lambda can't show the .zip file because {words}. Check your KMS permissions. "
        f"KMS Exception: {err.code} KMS Message: {err.message}"
    )


def _refusal(err: AwsError) -> AwsError:
    code, words = _REFUSALS.get(err.code, _REFUSALS["AccessDeniedException"])
    return AwsError(
        code,
        f"Lambda can't decrypt the .zip file because {words}. Check the function's KMS key "
        f"settings. KMS Exception: {err.code} KMS Message: {err.message}",
    )
