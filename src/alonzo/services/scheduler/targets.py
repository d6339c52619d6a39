"""What a schedule may have for a target, and the call that a tick becomes. Pure.

| Target's ARN | Call |
|---|---|
| a function | an event for it, ``lambda:InvokeFunction`` |
| a queue, a topic | ``SendMessage``, ``Publish`` |
| an event bus | ``PutEvents`` of one event |
| ``arn:aws:scheduler:::aws-sdk:SERVICE:ACTION`` | any operation here that changes something |

Source: EventBridge Scheduler user guide, templated targets, universal targets; texts of refusals
as measured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from alonzo.model.deliveries import ServiceCall
from alonzo.model.errors import AwsError
from alonzo.services.scheduler.errors import invalid, not_supported
from alonzo.services.scheduler.limits import EVENT_AGE_S_MAX, INPUT_BYTES_MAX, RETRIES_MAX

#: A target as the service model has it.
Target = Mapping[str, Any]

_UNIVERSAL = re.compile(
    r"arn:aws[a-z-]*:scheduler:::aws-sdk:(?P<service>[a-z0-9-]+):(?P<action>[a-zA-Z0-9]+)"
)
_ARN = re.compile(
    r"arn:aws[a-z-]*:(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>\d{12})?:(?P<rest>.+)"
)
#: What comes after the account, by the service of templated targets.
_RESOURCES = {
    "lambda": re.compile(r"function:[a-zA-Z0-9-_]{1,140}(?::(?:\$LATEST|[a-zA-Z0-9-_]+))?"),
    "sqs": re.compile(r"[a-zA-Z0-9_-]{1,80}(?:\.fifo)?"),
    "sns": re.compile(r"[a-zA-Z0-9_-]{1,256}(?:\.fifo)?"),
    "events": re.compile(r"event-bus/[/.a-zA-Z0-9_-]{1,256}"),
}
#: Templated targets of AWS that nothing here can be.
_ELSEWHERE = {
    "codebuild": "CodeBuild",
    "codepipeline": "CodePipeline",
    "ecs": "ECS",
    "firehose": "Firehose",
    "inspector": "Inspector",
    "kinesis": "Kinesis",
    "sagemaker": "SageMaker",
    "states": "Step Functions",
}
#: The parameters that go with the targets of one service alone.
_PARAMETERS = {
    "EcsParameters": "ecs",
    "EventBridgeParameters": "events",
    "EventBridgePutEventsV2Parameters": "",
    "EventBridgePutRawEventsParameters": "",
    "KinesisParameters": "kinesis",
    "SageMakerPipelineParameters": "sagemaker",
    "SqsParameters": "sqs",
}
#: What begins so changes nothing, and cannot be a target.
#: Source: user guide, universal targets, unsupported actions.
_READ_ONLY = (
    "get",
    "describe",
    "list",
    "poll",
    "receive",
    "search",
    "scan",
    "query",
    "select",
    "read",
    "lookup",
    "discover",
    "validate",
    "batchGet",
    "batchDescribe",
    "batchRead",
    "transactGet",
    "adminGet",
    "adminList",
    "testMigration",
    "retrieve",
    "testConnection",
    "translateDocument",
    "isAuthorized",
    "invokeModel",
)


@dataclass(frozen=True, slots=True)
class Invocation:
    """A function to be given an event. ``function`` is a name or an ARN."""

    function: str
    qualifier: str | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class Offers:
    """What runs here: services by their names in ARNs, and operations as SDKs write them."""

    service: Callable[[str], bool]
    operation: Callable[[str, str], bool]


def check_target(target: Target, region: str, offers: Offers) -> None:
    """Refuse what cannot be the target of a schedule in a region.

    Raises:
        AwsError: ValidationException.
    """
    if len(target.get("Input", "").encode("utf-8", "surrogatepass")) > INPUT_BYTES_MAX:
        raise invalid("The Input of a target can have no more than 256 KB.")
    dead_letters = target.get("DeadLetterConfig", {}).get("Arn")
    if dead_letters is not None and dead_letters.split(":")[3] != region:
        raise invalid("The DeadLetterConfig must name a queue of the schedule's region.")
    universal = _UNIVERSAL.fullmatch(target["Arn"])
    if universal is not None:
        _check_parameters(target, "scheduler")
        _check_universal(target, universal["service"], universal["action"], offers)
        return
    found = _ARN.fullmatch(target["Arn"])
    if found is None:
        raise invalid("Provided Arn is not in correct format.")
    service = found["service"]
    if service in _ELSEWHERE:
        raise not_supported(f"A target of {_ELSEWHERE[service]}", "that service is not here.")
    if service not in _RESOURCES:
        raise invalid(f"{service} is not a supported service for a target")
    if found["account"] is None or _RESOURCES[service].fullmatch(found["rest"]) is None:
        raise invalid("Provided Arn is not in correct format.")
    if found["region"] != region:
        raise invalid(f"The target ARN provided does not match the current region {region}.")
    if service != "lambda" and not offers.service(service):
        raise not_supported(f"A target of {service}", "that service is not here yet.")
    _check_parameters(target, service)
    _TEMPLATED.get(service, _check_nothing)(target)


def _check_parameters(target: Target, service: str) -> None:
    for name, owner in _PARAMETERS.items():
        if target.get(name) is not None and owner != service:
            raise invalid(f"Parameters {name} not supported for the target.")


def _check_nothing(target: Target) -> None:
    """Any text is good."""


def _check_json(target: Target) -> None:
    if "Input" in target and not _is_json(target["Input"]):
        raise invalid("JSON syntax error in input for the target")


def _check_queue(target: Target) -> None:
    is_fifo = target["Arn"].endswith(".fifo")
    group = target.get("SqsParameters", {}).get("MessageGroupId")
    if is_fifo and group is None:
        raise invalid("Parameters SqsParameters must be specified.")
    if not is_fifo and group is not None:
        raise invalid("Parameters MessageGroupId not valid for the target.")


def _check_bus(target: Target) -> None:
    if target.get("EventBridgeParameters") is None:
        raise invalid("Parameters EventBridgeParameters must be specified.")
    _check_json(target)


_TEMPLATED = {"lambda": _check_json, "sqs": _check_queue, "events": _check_bus}


def _check_universal(target: Target, service: str, action: str, offers: Offers) -> None:
    if action.startswith(_READ_ONLY):
        raise invalid(f"{action} API is not supported")
    if "Input" not in target:
        raise invalid("You must provide an input to set this target for your schedule")
    if not isinstance(_loaded(target["Input"]), dict):
        raise invalid("JSON syntax error in input for the target")
    if (service, action) == ("lambda", "invoke"):
        _invocation(target["Input"])
    elif not offers.operation(service, action):
        raise not_supported(f"{service}:{action}", "there is no such operation here.")


def with_defaults(target: Target) -> dict[str, Any]:
    """The target as it is kept and shown."""
    policy = {"MaximumEventAgeInSeconds": EVENT_AGE_S_MAX, "MaximumRetryAttempts": RETRIES_MAX}
    return {**target, "RetryPolicy": policy | target.get("RetryPolicy", {})}


def planned(
    target: Target, text: str, read: Callable[[str, str, bytes], ServiceCall]
) -> ServiceCall | Invocation:
    """The call that hands ``text`` to a target. ``read`` is for calls that are written down.

    Raises:
        AwsError: the parameters are not those of the operation.
    """
    arn: str = target["Arn"]
    universal = _UNIVERSAL.fullmatch(arn)
    if universal is not None:
        if (universal["service"], universal["action"]) == ("lambda", "invoke"):
            return _invocation(text)
        return read(universal["service"], universal["action"], _encoded(text))
    service = arn.split(":")[2]
    if service == "lambda":
        return Invocation(arn, None, _encoded(text))
    return _CALLS[service](target, text)


def _to_queue(target: Target, text: str) -> ServiceCall:
    _, _, _, region, account, name = target["Arn"].split(":")
    group = target.get("SqsParameters", {}).get("MessageGroupId")
    params = {"QueueUrl": queue_url(region, account, name), "MessageBody": text}
    return ServiceCall("sqs", "SendMessage", params | ({"MessageGroupId": group} if group else {}))


def _to_topic(target: Target, text: str) -> ServiceCall:
    return ServiceCall("sns", "Publish", {"TopicArn": target["Arn"], "Message": text})


def _to_bus(target: Target, text: str) -> ServiceCall:
    entry = {
        "Source": target["EventBridgeParameters"]["Source"],
        "DetailType": target["EventBridgeParameters"]["DetailType"],
        "Detail": text,
        "EventBusName": target["Arn"],
    }
    return ServiceCall("events", "PutEvents", {"Entries": [entry]})


_CALLS = {"sqs": _to_queue, "sns": _to_topic, "events": _to_bus}


def queue_url(region: str, account: str, name: str) -> str:
    """A URL that names a queue, wherever the platform listens."""
    return f"https://sqs.{region}.amazonaws.com/{account}/{name}"


def check_answer(call: ServiceCall, answer: Mapping[str, Any] | None) -> None:
    """Refuse an answer that says that the call came to nothing.

    Raises:
        AwsError: the code of the entry that failed.
    """
    if call.operation == "PutEvents" and answer is not None and answer.get("FailedEntryCount"):
        entries = cast("list[dict[str, str]]", answer["Entries"])
        failed = next((each for each in entries if each.get("ErrorCode")), dict[str, str]())
        code = failed.get("ErrorCode", "InternalFailure")
        raise AwsError(code, failed.get("ErrorMessage", "The bus did not take the event."))


def _invocation(text: str) -> Invocation:
    """The event in the parameters of ``Invoke``.

    Raises:
        AwsError: ValidationException: they are not its parameters, or not for an event.
    """
    loaded = _loaded(text)
    params = cast("dict[str, Any]", loaded) if isinstance(loaded, dict) else {}
    function, qualifier = params.get("FunctionName"), params.get("Qualifier")
    payload = params.get("Payload", "")
    if not isinstance(function, str) or not isinstance(qualifier, str | None):
        raise invalid("The parameters of lambda:invoke need a FunctionName.")
    if params.get("InvocationType") != "Event":
        raise not_supported(
            "lambda:invoke that waits for the function",
            'give "InvocationType": "Event", or the ARN of the function as the target.',
        )
    return Invocation(
        function, qualifier, _encoded(payload if isinstance(payload, str) else json.dumps(payload))
    )


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_json(text: str) -> bool:
    return _loaded(text) is not _NOTHING


_NOTHING = object()


def _loaded(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NOTHING
