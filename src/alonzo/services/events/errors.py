"""The errors of EventBridge by their codes on the wire, with AWS's texts where they are known."""

from __future__ import annotations

from alonzo.model.errors import AwsError, not_found, validation


def no_bus(name: str) -> AwsError:
    """No such event bus."""
    return not_found(f"Event bus {name} does not exist.")


def no_rule(name: str, bus_name: str) -> AwsError:
    """No such rule on the bus."""
    return not_found(f"Rule {name} does not exist on EventBus {bus_name}.")


def no_archive(name: str) -> AwsError:
    """No such archive."""
    return not_found(f"Archive {name} does not exist.")


def no_replay(name: str) -> AwsError:
    """No such replay."""
    return not_found(f"Replay {name} does not exist.")


def exists(what: str, name: str) -> AwsError:
    """There is one of that name already."""
    return AwsError("ResourceAlreadyExistsException", f"{what} {name} already exists.")


def limit_exceeded(message: str) -> AwsError:
    """A quota is used up."""
    return AwsError("LimitExceededException", message)


def invalid_pattern(reason: str) -> AwsError:
    """A text is no event pattern."""
    return AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")


def invalid(parameter: str, reason: str = "") -> AwsError:
    """A parameter that EventBridge does not take."""
    text = f"Parameter {parameter} is not valid."
    return validation(f"{text} Reason: {reason}" if reason else text)


def too_much() -> AwsError:
    """The targets of one request's events are to get more than fits. The text is ours."""
    return AwsError(
        "ThrottlingException",
        "All targets of these events together are to get too much; put fewer or smaller events.",
        status=400,
    )


def not_supported(parameter: str, why: str) -> AwsError:
    """AWS has it and this platform does not. The text is ours."""
    return invalid(parameter, f"not supported by Alonzo: {why}")
