"""What may take the dead letters and the records of a function's events.

Source: Lambda API, DeadLetterConfig and DestinationConfig; public error reports of AWS Lambda where
a text is not marked as ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.arns import FunctionKey
from alonzo.model.deliveries import DestinationChecks
from alonzo.model.destinations import DEAD_LETTER, TargetFault, TargetKind, target_kind
from alonzo.model.errors import AwsError, invalid_parameter

#: How a kind of target is called, where there can be none of it yet. Ours.
NAMES = {
    TargetKind.FUNCTION: "Functions",
    TargetKind.QUEUE: "SQS queues",
    TargetKind.TOPIC: "SNS topics",
    TargetKind.EVENT_BUS: "EventBridge buses",
    TargetKind.BUCKET: "S3 buckets",
}

#: What a role must be allowed to do, as AWS's refusals name it.
ACTIONS = {
    TargetKind.FUNCTION: "InvokeFunction",
    TargetKind.QUEUE: "SendMessage",
    TargetKind.TOPIC: "Publish",
    TargetKind.EVENT_BUS: "PutEvents",
    TargetKind.BUCKET: "PutObject",
}


class OnlyFunctions:
    """``DestinationChecks`` of a platform that has no other service: any role may."""

    def offers(self, kind: TargetKind) -> bool:
        """Functions there are."""
        return kind is TargetKind.FUNCTION

    async def fault(
        self, target_arn: str, sender: FunctionKey, role_arn: str
    ) -> TargetFault | None:
        """Nothing is wrong with any function."""
        del target_arn, sender, role_arn


def plan_dead_letters(
    current: Mapping[str, Any], params: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """The DeadLetterConfig after a request, which takes it away with an empty target; or None.

    Raises:
        AwsError: InvalidParameterValueException; this text is ours.
    """
    given: Mapping[str, Any] | None = params.get("DeadLetterConfig")
    if given is None:
        return current.get("DeadLetterConfig")
    target_arn = given.get("TargetArn")
    if not target_arn:
        return None
    if target_kind(target_arn) not in DEAD_LETTER:
        raise invalid_parameter(
            "DeadLetterConfig: the target must be a standard SQS queue or a standard SNS topic."
        )
    return {"TargetArn": target_arn}


def dead_letter_target(params: Mapping[str, Any]) -> str | None:
    """The target of dead letters that a request names, or a configuration has."""
    config: Mapping[str, str] = params.get("DeadLetterConfig") or {}
    return config.get("TargetArn") or None


async def check_dead_letters(
    checks: DestinationChecks, sender: FunctionKey, role_arn: str, params: Mapping[str, Any]
) -> None:
    """Refuse dead letters to what is not there, or what the role may not write to.

    ``params`` have passed ``plan_dead_letters``.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    target_arn = dead_letter_target(params)
    kind = None if target_arn is None else target_kind(target_arn)
    if target_arn is None or kind is None:
        return
    if not checks.offers(kind):
        raise invalid_parameter(f"DeadLetterConfig: {NAMES[kind]} are not supported yet.")
    fault = await checks.fault(target_arn, sender, role_arn)
    if fault is TargetFault.FORBIDDEN:
        raise invalid_parameter(
            "The provided execution role does not have permissions to call "
            f"{ACTIONS[kind]} on {kind.upper()}"
        )
    if fault is TargetFault.MISSING:
        raise invalid_parameter(f"DeadLetterConfig: {target_arn} does not exist.")  # Ours.


def forbidden(target_arn: str) -> AwsError:
    """The refusal of a destination that the function's role may not write to."""
    kind = target_kind(target_arn)
    assert kind is not None
    return invalid_parameter(
        f"The function's execution role does not have permissions to call {ACTIONS[kind]} on "
        f"{target_arn}"
    )
