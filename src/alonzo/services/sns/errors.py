"""The errors of SNS by their codes on the wire, with AWS's texts where they are known.

A comment marks ours.
"""

from __future__ import annotations

from alonzo.model.errors import AwsError


def invalid(message: str) -> AwsError:
    """A parameter that SNS does not take."""
    return AwsError("InvalidParameter", f"Invalid parameter: {message}")


def invalid_value(message: str) -> AwsError:
    """A message attribute that is none."""
    return AwsError("ParameterValueInvalid", message)


def no_topic() -> AwsError:
    """No such topic."""
    return AwsError("NotFound", "Topic does not exist")


def no_subscription() -> AwsError:
    """No such subscription."""
    return AwsError("NotFound", "Subscription does not exist")


def no_resource() -> AwsError:
    """What is to be tagged is not there."""
    return AwsError("ResourceNotFound", "Resource does not exist")


def not_supported(what: str, why: str) -> AwsError:
    """AWS has it and this platform does not. The text is ours."""
    return invalid(f"{what} Reason: not supported by Alonzo: {why}")


def signature_needed() -> AwsError:
    """A request without a signature, of what needs one. The text is ours."""
    return AwsError(
        "AuthorizationError",
        "The subscription can be changed by signed requests only.",
    )


def not_the_owner(caller: str) -> AwsError:
    """Neither the subscription nor its topic is of the caller's account. The text is ours."""
    return AwsError(
        "AuthorizationError", f"User: {caller} is not authorized to use the subscription"
    )


def limit_exceeded(kind: str, message: str) -> AwsError:
    """A quota is used up; ``kind`` is ``Topic``, ``Subscription``, ``FilterPolicy`` or ``Tag``."""
    return AwsError(f"{kind}LimitExceeded", message)
