"""What an event invoke configuration may say. Pure.

Source: Lambda API, PutFunctionEventInvokeConfig; recorded texts where not noted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from alonzo.control.event_invoke.records import EventInvokeRecord
from alonzo.control.targets import NAMES
from alonzo.model.arns import FunctionKey, FunctionRef, parse_function_ref
from alonzo.model.destinations import ON_FAILURE, ON_SUCCESS, TargetKind, target_kind
from alonzo.model.errors import AwsError, invalid_parameter, not_found

_SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


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


def named_targets(record: EventInvokeRecord) -> dict[str, TargetKind]:
    """The destinations, by ARN. Of their kinds each may be one.

    Raises:
        AwsError: InvalidParameterValueException: a destination can be none.
    """
    targets: dict[str, TargetKind] = {}
    for arn, kinds in ((record.on_success, ON_SUCCESS), (record.on_failure, ON_FAILURE)):
        if arn is None:
            continue
        kind = target_kind(arn)
        if kind is None or kind not in kinds:
            raise _invalid_config(record)
        targets[arn] = kind
    return targets


def check_offered(targets: Mapping[str, TargetKind], offers: Callable[[TargetKind], bool]) -> None:
    """Refuse kinds of destinations that nothing here can deliver to.

    Raises:
        AwsError: InvalidParameterValueException; the text is ours.
    """
    for kind in targets.values():
        if not offers(kind):
            raise invalid_parameter(
                f"DestinationConfig: {NAMES[kind]} are not supported as destinations yet."
            )


def plan_functions(record: EventInvokeRecord) -> list[FunctionRef]:
    """The functions that must exist, because they are destinations.

    Raises:
        AwsError: InvalidParameterValueException: a destination can be none.
    """
    targets = named_targets(record)
    functions = [arn for arn, kind in targets.items() if kind is TargetKind.FUNCTION]
    return [_function(arn, record.key) for arn in functions]


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
