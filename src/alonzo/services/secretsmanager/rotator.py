"""What secrets need done when time has passed: rotations, and deletions that were scheduled.

A rotation is written down with the secret before its function is first called, so one that a crash
cut off begins anew; rotation functions are made for that. It calls the function four times, one
step after the other. If a step fails all begins anew, a few times, a minute apart; then it is given
up, and AWSPENDING stays where it is for whoever looks into it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from functools import partial
from typing import Any

from alonzo.lib.periodic import every
from alonzo.lib.policies import principals
from alonzo.lib.policies.compiled import Request
from alonzo.lib.policies.evaluation import Policies, evaluate
from alonzo.lib.tasks import TaskScope
from alonzo.model.context import Principal
from alonzo.model.errors import AwsError, PlatformError
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.model.ports.identity import ResourcePolicies
from alonzo.model.ports.invoking import Invoker
from alonzo.services.secretsmanager import records
from alonzo.services.secretsmanager.directory import Directory, Unit
from alonzo.services.secretsmanager.errors import token_in_use
from alonzo.services.secretsmanager.limits import ROTATION_ATTEMPTS_MAX, ROTATION_RETRY_S
from alonzo.services.secretsmanager.records import Q, Secret
from alonzo.services.secretsmanager.rules import period_s
from alonzo.services.secretsmanager.stages import CURRENT, PENDING, attached, holder

log = logging.getLogger("alonzo.secretsmanager")

#: Source: Secrets Manager user guide, Lambda rotation functions.
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")

SERVICE_PRINCIPAL = "secretsmanager.amazonaws.com"

#: Pause between two passes, if nobody nudges.
PASS_INTERVAL_S = 15.0
#: Rotations that run beside each other.
_AT_ONCE = 16
#: More than a function may take.
_STEP_S_MAX = 960.0


class _StepError(Exception):
    """A step failed. The text names it and what kind of failure it was, and no values."""


class Rotator:
    """Rotates and deletes secrets whose time has come."""

    def __init__(
        self, directory: Directory, invoker: Invoker, function_policies: ResourcePolicies
    ) -> None:
        self._directory = directory
        self._invoker = invoker
        self._function_policies = function_policies
        self._nudged = asyncio.Event()
        self._running: set[str] = set()

    def nudge(self) -> None:
        """Have a pass made now."""
        self._nudged.set()

    async def run(self) -> None:
        """Rotate and delete until cancelled."""
        async with TaskScope() as scope:
            await every(
                PASS_INTERVAL_S,
                partial(self._pass, scope),
                on_error=partial(log.exception, "secretsmanager.not_tidied"),
                nudged=self._nudged,
            )

    async def _pass(self, scope: TaskScope) -> None:
        await self.tidy()
        self._start_due(scope)

    async def tidy(self) -> None:
        """Delete the secrets whose recovery window is over, and begin scheduled rotations."""
        now_s = self._directory.clock.now_s()
        for secret in self._directory.every():
            if secret.deletion_at_s is not None:
                if secret.deletion_at_s <= now_s:
                    await self._delete(secret, now_s)
            elif _is_scheduled(secret, now_s):
                await self._begin(secret, now_s)

    def _start_due(self, scope: TaskScope) -> None:
        now_s = self._directory.clock.now_s()
        for secret in self._directory.every():
            rotation = secret.document.get("rotation")
            if len(self._running) >= _AT_ONCE:
                return
            due = rotation is not None and rotation["due_s"] <= now_s
            if due and secret.deletion_at_s is None and secret.id not in self._running:
                self._running.add(secret.id)
                scope.spawn(self._rotate_and_note(secret), name=f"rotation {secret.id}")

    async def _rotate_and_note(self, secret: Secret) -> None:
        try:
            await self.rotate(secret)
        finally:
            self._running.discard(secret.id)
            self.nudge()

    async def rotate(self, secret: Secret) -> None:
        """Make one attempt of a rotation that was begun, and write down how it went."""
        token = secret.document["rotation"]["token"]
        try:
            for step in STEPS:
                await self._call(secret, token, step)
            await self._directory.change(lambda unit: self._finish(unit, secret, token))
        except _StepError as error:
            log.warning(
                "secretsmanager.rotation_failed",
                extra={"secret": secret.arn, "reason": str(error)},
            )
            await self._directory.change(lambda unit: self._put_off(unit, secret, token))

    async def _call(self, secret: Secret, token: str, step: str) -> None:
        function = secret.document["RotationLambdaARN"]
        if not await may_invoke(self._function_policies, secret, function):
            raise _StepError(f"{step}: the function's policy does not let Secrets Manager in")
        event = {"Step": step, "SecretId": secret.arn, "ClientRequestToken": token}
        request = InvokeRequest(
            request_id=self._directory.ids.uuid(),
            account=secret.account,
            region=secret.region,
            function_name=function,
            qualifier=None,
            invocation_type=InvocationType.REQUEST_RESPONSE,
            payload=json.dumps(event).encode(),
            principal=_service_principal(secret.account),
        )
        try:
            async with asyncio.timeout(_STEP_S_MAX):
                result = await self._invoker.invoke(request)
        except (AwsError, PlatformError, TimeoutError) as error:
            kind = error.code if isinstance(error, AwsError) else type(error).__name__
            raise _StepError(f"{step}: {kind}") from error
        if result.function_error is not None:
            raise _StepError(f"{step}: the function failed")

    def _finish(self, unit: Unit, secret: Secret, token: str) -> None:
        live = records.try_find(unit.conn, secret.id)
        if live is None or live.document.get("rotation", {}).get("token") != token:
            return  # Deleted or cancelled meanwhile.
        held = records.stages_of(unit.conn, live)
        if holder(held, CURRENT) != token:
            raise _StepError("finishSecret: AWSCURRENT is not on the new version")
        now_s = self._directory.clock.now_s()
        every_s = period_s(live.document.get("RotationRules") or {})
        next_s = None if every_s is None else now_s + every_s
        records.save_document(
            unit.conn,
            unit.touch(live),
            rotation=None,
            LastRotatedDate=now_s,
            NextRotationDate=next_s,
        )

    def _put_off(self, unit: Unit, secret: Secret, token: str) -> None:
        live = records.try_find(unit.conn, secret.id)
        rotation: dict[str, Any] = {} if live is None else live.document.get("rotation", {})
        if live is None or rotation.get("token") != token:
            return
        attempts = rotation["attempts"] + 1
        due_s = self._directory.clock.now_s() + ROTATION_RETRY_S
        again = {"token": token, "attempts": attempts, "due_s": due_s}
        over = attempts >= ROTATION_ATTEMPTS_MAX
        records.save_document(unit.conn, unit.touch(live), rotation=None if over else again)

    async def _delete(self, secret: Secret, now_s: float) -> None:
        def work(unit: Unit) -> None:
            live = records.try_find(unit.conn, secret.id)
            # Asked again: it may have been restored since.
            if live is None or live.deletion_at_s is None or live.deletion_at_s > now_s:
                return
            unit.conn.execute(Q.delete_secret, {"id": unit.touch(live).id})
            log.info("secretsmanager.secret_deleted", extra={"secret": live.arn})

        await self._directory.change(work)

    async def _begin(self, secret: Secret, now_s: float) -> None:
        token = self._directory.ids.uuid()

        def work(unit: Unit) -> None:
            live = records.try_find(unit.conn, secret.id)
            if live is None or not _is_scheduled(live, now_s):
                return
            every_s = period_s(live.document.get("RotationRules") or {})
            begin(unit, live, token, now_s)
            records.save_document(
                unit.conn,
                unit.touch(live),
                rotation={"token": token, "attempts": 0, "due_s": now_s},
                NextRotationDate=None if every_s is None else now_s + every_s,
            )

        await self._directory.change(work)


async def may_invoke(policies: ResourcePolicies, secret: Secret, function_arn: str) -> bool:
    """Whether the policy of a function lets Secrets Manager rotate a secret with it."""
    request = Request(
        "lambda:InvokeFunction",
        function_arn,
        principals.service(SERVICE_PRINCIPAL),
        function_arn.split(":")[4],
        {
            "aws:sourcearn": secret.arn,
            "aws:sourceaccount": secret.account,
            "aws:principalservicename": SERVICE_PRINCIPAL,
            "aws:principalisawsservice": "true",
        },
    )
    policy = await policies.find(function_arn)
    return evaluate(request, Policies(resource=policy)).allowed


def _is_scheduled(secret: Secret, now_s: float) -> bool:
    due_s = secret.document.get("NextRotationDate")
    return (
        due_s is not None
        and due_s <= now_s
        and bool(secret.document.get("RotationEnabled"))
        and "rotation" not in secret.document
    )


def _service_principal(account: str) -> Principal:
    return Principal(account, f"arn:aws:iam::{account}:root", SERVICE_PRINCIPAL, "")


def begin(unit: Unit, secret: Secret, token: str, now_s: float) -> None:
    """Make the version that a rotation will fill, with AWSPENDING. Part of a unit of work.

    Raises:
        AwsError: ResourceExistsException: there is a version of that token.
    """
    held = records.stages_of(unit.conn, secret)
    if token in held:
        raise token_in_use(token, secret.arn)
    unit.conn.execute(
        Q.put_version,
        {
            "secret_id": secret.id,
            "id": token,
            "created_at_s": now_s,
            "kind": None,
            "key_arn": None,
            "sealed": None,
        },
    )
    records.save_stages(unit.conn, secret, attached(held, token, [PENDING]))
