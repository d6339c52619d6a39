"""What an event invoke configuration may say. Pure.

Source: Lambda API, PutFunctionEventInvokeConfig; recorded texts where not noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.control.event_invoke.records import EventInvokeRecord
from alonzo.model.arns import FunctionKey, FunctionRef, parse_function_ref
from alonzo.model.errors import AwsError, invalid_parameter, not_found

_SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")

#: Destinations of AWS that nothing here can deliver to, by the service in their ARN. Ours.
_DECLINED = {
    "events": "EventBridge buses are not supported as destinations yet.",
    "s3": "S3 buckets are not supported as destinations yet.",
    "sns": "SNS topics are not supported as destinations yet.",
    "sqs": "SQS queues are not supported as destinations yet.",
}


def check_something_set(params: Mapping[str, Any]) -> None:
    """Refuse a request that sets nothing.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if all(params.get(member) is None for member in _SETTINGS):
        raise invalid_parameter(
            "You must specify at least one of error handling or destination setting."
        )


def applied(record: EventInvokeRecord, params: Mapping[str, Any]) -> EventInvokeRecord:
    """``record`` with the settings that a request names; DestinationConfig counts as one."""
    retries_max = params.get("MaximumRetryAttempts")
    age_s_max = params.get("MaximumEventAgeInSeconds")
    if retries_max is not None:
        record = replace(record, retries_max=retries_max)
    if age_s_max is not None:
        record = replace(record, age_s_max=age_s_max)
    if (config := params.get("DestinationConfig")) is not None:
        record = replace(
            record, on_success=_arn(config, "OnSuccess"), on_failure=_arn(config, "OnFailure")
        )
    return record


def plan_targets(record: EventInvokeRecord) -> list[FunctionRef]:
    """The functions that must exist, because they are destinations.

    Raises:
        AwsError: InvalidParameterValueException: a destination can be none.
    """
    targets: list[FunctionRef] = []
    for arn in (record.on_success, record.on_failure):
        if arn is None:
            continue
        service = next(iter(arn.split(":")[2:]), "")
        is_fifo = service in ("sqs", "sns") and arn.endswith(".fifo")
        if service != "lambda" and (
            service not in _DECLINED or is_fifo or (service == "s3" and arn == record.on_success)
        ):
            raise _invalid_config(record)
        if service in _DECLINED:
            raise invalid_parameter(f"DestinationConfig: {_DECLINED[service]}")
        targets.append(_function(arn, record.key))
    return targets


def _function(arn: str, sender: FunctionKey) -> FunctionRef:
    try:
        ref = parse_function_ref(arn, account=sender.account, region=sender.region)
    except AwsError as err:
        raise invalid_target(arn) from err
    if ref.key == sender:
        raise invalid_parameter("You can't specify the function as a destination for itself.")
    return ref


def invalid_target(arn: str) -> AwsError:
    """The refusal of a destination that does not exist."""
    return invalid_parameter(f"The destination ARN {arn} is invalid.")


def missing(arn: str) -> AwsError:
    """The error where there is no configuration. ``arn`` is qualified."""
    return not_found(f"The function {arn} doesn't have an EventInvokeConfig")


def function_missing() -> AwsError:
    """The error where there is no function, version or alias to configure."""
    return not_found("The function doesn't exist.")


def described(record: EventInvokeRecord) -> dict[str, Any]:
    """A FunctionEventInvokeConfig."""
    document: dict[str, Any] = {
        "LastModified": record.modified_at_s,
        "FunctionArn": record.arn,
        "DestinationConfig": {
            "OnSuccess": _shown(record.on_success),
            "OnFailure": _shown(record.on_failure),
        },
    }
    if record.retries_max is not None:
        document["MaximumRetryAttempts"] = record.retries_max
    if record.age_s_max is not None:
        document["MaximumEventAgeInSeconds"] = record.age_s_max
    return document


def _shown(arn: str | None) -> dict[str, str]:
    return {} if arn is None else {"Destination": arn}


def _arn(config: Mapping[str, Any], member: str) -> str | None:
    """A destination of a DestinationConfig; an empty one is none."""
    target: Mapping[str, str] = config.get(member) or {}
    return target.get("Destination") or None


def _invalid_config(record: EventInvokeRecord) -> AwsError:
    def part(name: str, arn: str | None) -> str:
        return "null" if arn is None else f"{name}(destination={arn})"

    return invalid_parameter(
        "The provided destination config DestinationConfig("
        f"onSuccess={part('OnSuccess', record.on_success)}, "
        f"onFailure={part('OnFailure', record.on_failure)}) is invalid."
    )
