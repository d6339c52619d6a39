"""Operations that start and end rotation. The work itself is ``rotator.py``'s.

Source: Secrets Manager API reference; user guide, rotation by Lambda function.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.ports.identity import ResourcePolicies
from alonzo.services.secretsmanager import records
from alonzo.services.secretsmanager.directory import Directory, Unit, fresh
from alonzo.services.secretsmanager.errors import (
    cannot_invoke,
    invalid_parameter,
    invalid_request,
)
from alonzo.services.secretsmanager.records import Secret
from alonzo.services.secretsmanager.rotator import Rotator, begin, may_invoke
from alonzo.services.secretsmanager.rules import period_s


class RotationOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(
        self, directory: Directory, rotator: Rotator, function_policies: ResourcePolicies
    ) -> None:
        self._directory = directory
        self._rotator = rotator
        self._function_policies = function_policies

    async def rotate_secret(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """RotateSecret. It answers when the rotation is sure to happen, not when it is done."""
        if params.get("ExternalSecretRotationMetadata") or params.get(
            "ExternalSecretRotationRoleArn"
        ):
            raise invalid_parameter("Managed external secrets are not supported.")
        secret = self._directory.need_live(context, params["SecretId"])
        function = params.get("RotationLambdaARN") or secret.document.get("RotationLambdaARN")
        if not function:
            raise invalid_request("No Lambda rotation function ARN is associated with this secret.")
        before = secret.document.get("RotationRules")
        rules: dict[str, Any] = params.get("RotationRules") or before or {}
        every_s = period_s(rules)
        await self._check_function(secret, function)
        token = params.get("ClientRequestToken") or self._directory.ids.uuid()
        at_once = params.get("RotateImmediately", True)
        now_s = self._directory.clock.now_s()

        def work(unit: Unit) -> bool:
            live = fresh(unit, secret)
            busy = "rotation" in live.document
            if busy and at_once:
                return False
            changes: dict[str, Any] = {
                "RotationEnabled": True,
                "RotationLambdaARN": function,
                "RotationRules": rules,
                "NextRotationDate": None if every_s is None else now_s + every_s,
            }
            if at_once:
                begin(unit, live, token, now_s)
                changes["rotation"] = {"token": token, "attempts": 0, "due_s": now_s}
            records.save_document(unit.conn, live, **changes)
            return True

        begun = await self._directory.change(work)
        self._rotator.nudge()
        if not begun:
            raise invalid_request(
                "A previous rotation isn't complete. That rotation will be reattempted."
            )
        return {**secret.names, **({"VersionId": token} if at_once else {})}

    async def cancel_rotate_secret(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """CancelRotateSecret. A step that runs already runs to its end."""
        secret = self._directory.need_live(context, params["SecretId"])

        def work(unit: Unit) -> None:
            records.save_document(
                unit.conn,
                fresh(unit, secret),
                RotationEnabled=False,
                NextRotationDate=None,
                rotation=None,
            )

        await self._directory.change(work)
        return secret.names

    async def _check_function(self, secret: Secret, function: str) -> None:
        """Refuse a function whose policy does not let Secrets Manager in.

        Raises:
            AwsError: InvalidParameterException, AccessDeniedException.
        """
        parts = function.split(":")
        if len(parts) not in (7, 8) or parts[:3] != ["arn", "aws", "lambda"]:
            raise invalid_parameter("RotationLambdaARN is not the ARN of a function.")
        if parts[3] != secret.region or not await may_invoke(
            self._function_policies, secret, function
        ):
            raise cannot_invoke()
