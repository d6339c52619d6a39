"""Which targets a rule may have, and what may be set on them. Pure.

Source: EventBridge user guide, targets; API reference, Target.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from alonzo.model.errors import validation
from alonzo.services.events.arns import account_of, region_of
from alonzo.services.events.errors import invalid, not_supported
from alonzo.services.events.inputs import InputError, check_input

#: The principal that policies of targets and roles let in.
SERVICE = "events.amazonaws.com"

_ARN = re.compile(r"arn:aws[\w-]*:([a-z0-9-]+):([\w-]*):(\d{12}|):[!-~]+", re.ASCII)
#: What the ARN of a target says after the account, by its service.
_KINDS: Mapping[str, re.Pattern[str]] = {
    "lambda": re.compile(r"function:[A-Za-z0-9_-]{1,140}(:[A-Za-z0-9$_-]{1,128})?"),
    "sqs": re.compile(r"[A-Za-z0-9_-]{1,80}(\.fifo)?"),
    "sns": re.compile(r"[A-Za-z0-9_-]{1,256}"),
    "logs": re.compile(r"log-group:[.\-_/#A-Za-z0-9]{1,512}(:\*)?"),
    "events": re.compile(r"event-bus/[/.\-_A-Za-z0-9]+"),
}
#: Members for targets of services that are not here.
_OTHERS = (
    "KinesisParameters",
    "RunCommandParameters",
    "EcsParameters",
    "BatchParameters",
    "HttpParameters",
    "RedshiftDataParameters",
    "SageMakerPipelineParameters",
    "AppSyncParameters",
)
_INPUTS = ("Input", "InputPath", "InputTransformer")


def check_target(target: Mapping[str, Any], bus_arn: str) -> None:
    """Refuse a target that a rule of a bus cannot have.

    Raises:
        AwsError: ValidationException.
    """
    arn: str = target["Arn"]
    found = _ARN.fullmatch(arn)
    if found is None:
        raise invalid(arn, "Provided Arn is not in correct format.")
    service, rest = found[1], arn.split(":", 5)[5]
    kind = _KINDS.get(service)
    if kind is None:
        raise validation(f"{service} is not a supported service for a target.")
    if kind.fullmatch(rest) is None or not region_of(arn) or not account_of(arn):
        raise invalid(arn, "Provided Arn is not in correct format.")
    for member in _OTHERS:
        if target.get(member):
            raise not_supported(member, "there are no such targets here.")
    try:
        check_input(target)
    except InputError as error:
        raise validation(str(error)) from error
    _check_kind(service, target, bus_arn)
    _check_dead_letters(target)


def _check_kind(service: str, target: Mapping[str, Any], bus_arn: str) -> None:
    arn: str = target["Arn"]
    if service == "sqs" and arn.endswith(".fifo") and not target.get("SqsParameters"):
        raise validation(
            f"Parameter(s) SqsParameters must be specified for target: {target['Id']}."
        )
    if target.get("SqsParameters") and service != "sqs":
        raise validation(f"SqsParameters is not supported for target {target['Id']}.")
    if service == "logs" and account_of(arn) != account_of(bus_arn):
        raise validation(f"The log group {arn} must be in the account of its rule.")
    if service != "events":
        return
    if arn == bus_arn:
        raise invalid(arn, "An event bus cannot be the target of its own rules.")
    elsewhere = (account_of(arn), region_of(arn)) != (account_of(bus_arn), region_of(bus_arn))
    if elsewhere and not target.get("RoleArn"):
        raise validation(f"RoleArn is required for target {arn}.")
    if any(target.get(member) for member in _INPUTS):
        raise not_supported("Input", "a bus gets the event as it is.")


def _check_dead_letters(target: Mapping[str, Any]) -> None:
    config: Mapping[str, str] = target.get("DeadLetterConfig") or {}
    arn = config.get("Arn")
    if not arn:
        return
    found = _ARN.fullmatch(arn)
    if found is None or found[1] != "sqs" or not found[2] or not found[3]:
        raise invalid("DeadLetterConfig.Arn", "Provided Arn is not in correct format.")
    if arn.endswith(".fifo"):
        raise validation("FIFO queues are not supported as dead-letter queues.")
