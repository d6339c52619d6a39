"""The environment variables of functions: sealed from the moment that they are accepted.

In a configuration ``Environment`` is the API's, or it has ``Sealed``, ``KeyArn`` and ``Digest``:
what KMS made of the variables, with which key, and what tells equal variables from others without
opening them. They are sealed under the function's ARN, so nothing opens for another function.

* With ``KMSKeyArn`` the caller needs ``kms:CreateGrant`` and ``kms:Encrypt`` on that key. The grant
  lets the function's role decrypt; DeleteFunction takes it back.
* Without, the account's ``aws/lambda`` key is used, which asks nobody for permissions.
* They are shown to who may decrypt; others see an ``Error`` in their place.

Source: Lambda developer guide, securing environment variables; Lambda API, EnvironmentResponse;
public error reports.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.control.records import VersionRecord
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError, conflict, invalid_parameter
from alonzo.model.functions import sealing_context
from alonzo.model.ports.variables import FunctionKeys

#: The key that seals where no other is asked for.
DEFAULT_KEY = "alias/aws/lambda"

_SERVICE = "lambda"

#: What a change of variables was planned on.
_BASIS = ("Environment", "KMSKeyArn", "Role")


class Variables:
    """Seals and shows variables. ``keys`` is KMS; None: there is none, and nothing is sealed."""

    def __init__(self, keys: FunctionKeys | None, secret: bytes) -> None:
        """``secret`` makes the digests of variables."""
        self._keys = keys
        self._secret = secret

    async def plan(
        self,
        context: RequestContext,
        key: FunctionKey,
        current: Mapping[str, Any],
        planned: Mapping[str, Any],
    ) -> Mapping[str, Any] | None:
        """What ``Environment`` of a planned configuration is to be stored as, or None: nothing.

        Raises:
            AwsError: InvalidParameterValueException; it repeats what KMS says.
        """
        environment: Mapping[str, Any] | None = planned.get("Environment")
        if self._keys is None:
            return environment
        key_arn: str = planned.get("KMSKeyArn") or ""
        kept = key_arn == (current.get("KMSKeyArn") or "")
        if key_arn and not (kept and planned["Role"] == current.get("Role")):
            await self._let_decrypt(context, key, key_arn, planned["Role"])
        if environment is None or (kept and "Sealed" in environment):
            return environment
        variables = _plain(environment)
        if "Sealed" in environment:
            variables = await self._open_for_change(context, key, environment)
        return await self._seal(context, key, key_arn, variables)

    async def _let_decrypt(
        self, context: RequestContext, key: FunctionKey, key_arn: str, role: str
    ) -> None:
        assert self._keys is not None
        if ":alias/" in key_arn:
            raise _unusable(
                "CreateGrant",
                AwsError(
                    "InvalidArnException", "Key Aliases are not supported for this operation."
                ),
            )
        try:
            await self._keys.let_decrypt(
                context,
                key_arn,
                role,
                sealing_context(key),
                service=_SERVICE,
                name=_leave_name(key) + hashlib.sha256(role.encode()).hexdigest()[:32],
            )
        except AwsError as err:
            raise _unusable("CreateGrant", err) from err

    async def _open_for_change(
        self, context: RequestContext, key: FunctionKey, environment: Mapping[str, Any]
    ) -> Mapping[str, str]:
        try:
            return await self._open(context, key, environment)
        except AwsError as err:
            raise _unusable("Decrypt", err) from err

    async def _seal(
        self,
        context: RequestContext,
        key: FunctionKey,
        key_arn: str,
        variables: Mapping[str, str],
    ) -> Mapping[str, Any]:
        if not variables:
            return {"Variables": {}}
        assert self._keys is not None
        text = json.dumps(dict(variables), separators=(",", ":")).encode()
        try:
            sealed = await self._keys.seal(
                context,
                key_arn or DEFAULT_KEY,
                text,
                sealing_context(key),
                service=_SERVICE,
                action="Encrypt",
            )
        except AwsError as err:
            raise _unusable("Encrypt", err) from err
        return {
            "Sealed": base64.b64encode(sealed.data).decode(),
            "KeyArn": sealed.key_arn,
            "Digest": self._digest(key, variables),
        }

    def _digest(self, key: FunctionKey, variables: Mapping[str, str]) -> str:
        text = json.dumps([key.arn, dict(variables)], separators=(",", ":"), sort_keys=True)
        return hmac.digest(self._secret, b"variables " + text.encode(), "sha256").hex()

    async def _open(
        self, context: RequestContext, key: FunctionKey, environment: Mapping[str, Any]
    ) -> Mapping[str, str]:
        assert self._keys is not None
        sealed = base64.b64decode(environment["Sealed"])
        text = await self._keys.open(context, sealed, sealing_context(key), service=_SERVICE)
        return json.loads(text)

    async def shown(self, context: RequestContext, record: VersionRecord) -> VersionRecord:
        """The record as its caller may see it."""
        environment: Mapping[str, Any] | None = record.configuration.get("Environment")
        if environment is None or "Sealed" not in environment:
            return record
        try:
            shown = {"Variables": await self._open(context, record.key, environment)}
        except AwsError as err:
            shown = {"Error": {"ErrorCode": err.code, "Message": _hidden(err)}}
        return replace(record, configuration={**record.configuration, "Environment": shown})

    async def reseal(self, record: VersionRecord) -> VersionRecord | None:
        """A record that has plain variables with sealed ones in their place; None: it has none.

        So an earlier release kept them. Its key of KMS, if it has one, was never used.
        """
        configuration, serving = record.configuration, record.serving
        variables = _plain(configuration.get("Environment", {}))
        changed = record
        context = _of_account(record.key)
        if self._keys is not None and variables:
            environment = await self._seal(context, record.key, "", variables)
            changed = replace(changed, configuration={**configuration, "Environment": environment})
        if self._keys is not None and serving is not None and serving.environment:
            environment = await self._seal(context, record.key, "", serving.environment)
            sealed = replace(serving, environment={}, sealed_environment=environment["Sealed"])
            changed = replace(changed, serving=sealed)
        return None if changed is record else changed

    async def forget(self, key: FunctionKey) -> None:
        """A function is being deleted: its roles may decrypt for it no more."""
        if self._keys is not None:
            await self._keys.end_leave(key.account, key.region, _leave_name(key))


def _plain(environment: Mapping[str, Any]) -> Mapping[str, str]:
    return environment.get("Variables") or {}


def check_basis(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to put variables into a configuration that has changed since they were planned.

    Raises:
        AwsError: ResourceConflictException.
    """
    if any(before.get(member) != now.get(member) for member in _BASIS):
        raise conflict(
            "The operation cannot be performed at this time. Another update was made meanwhile."
        )


def _leave_name(key: FunctionKey) -> str:
    """How the names of the function's grants begin."""
    return f"lambda-{hashlib.sha256(key.arn.encode()).hexdigest()[:32]}-"


def _of_account(key: FunctionKey) -> RequestContext:
    """For work that nobody asked for: the account's own."""
    root = Principal(key.account, f"arn:aws:iam::{key.account}:root", key.account, "", is_root=True)
    return RequestContext(
        request_id="",
        account=key.account,
        region=key.region,
        principal=root,
        endpoint="",
        source_ip="127.0.0.1",
    )


def _unusable(action: str, err: AwsError) -> AwsError:
    return invalid_parameter(
        "Lambda was unable to configure access to your environment variables because the KMS key "
        f"is invalid for {action}. Please check your KMS key settings. "
        f"KMS Exception: {err.code} KMS Message: {err.message}"
    )


def _hidden(err: AwsError) -> str:
    return (
        "Lambda was unable to decrypt your environment variables because the KMS access was "
        "denied. Please check your KMS permissions. "
        f"KMS Exception: {err.code} KMS Message: {err.message}"
    )
