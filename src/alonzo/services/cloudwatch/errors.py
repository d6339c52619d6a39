"""The errors of CloudWatch, with AWS's texts.

Texts are as recorded in public test suites of the API unless a comment says that they are ours.
"""

from __future__ import annotations

from alonzo.model.errors import AwsError


def invalid_value(message: str) -> AwsError:
    """A parameter's value is bad. Source: CloudWatch API, InvalidParameterValue."""
    return AwsError("InvalidParameterValueException", message)


def invalid_combination(message: str) -> AwsError:
    """Parameters do not go together. Source: CloudWatch API, InvalidParameterCombination."""
    return AwsError("InvalidParameterCombinationException", message)


def missing(message: str) -> AwsError:
    """A parameter is missing. Source: CloudWatch API, MissingParameter."""
    return AwsError("MissingRequiredParameterException", message)


def invalid_query(message: str) -> AwsError:
    """A query of GetMetricData that cannot be. Source: AWS common errors, ValidationError."""
    return AwsError("ValidationError", message, status=400)


def invalid_token() -> AwsError:
    """A page token that this service never issued, or that belongs to another request."""
    return AwsError("InvalidNextToken", "The next token specified is invalid.")


def too_many_metrics(limit: int) -> AwsError:
    """The account has as many metrics as this platform keeps. The text is ours."""
    return AwsError(
        "LimitExceededFault",
        f"An account has at most {limit} metrics in a region here. Metrics end 455 days after "
        "their last value.",
    )


def alarm_not_found(name: str) -> AwsError:
    """There is no such alarm. The text is ours."""
    return AwsError("ResourceNotFound", f"Unknown alarm {name[:255]}")


def resource_not_found(arn: str) -> AwsError:
    """Nothing with that ARN can be tagged. The text is ours."""
    return AwsError("ResourceNotFoundException", f"Resource {arn[:1024]} does not exist")


def bad_state_data() -> AwsError:
    """SetAlarmState: the data is no JSON. The text is ours."""
    return AwsError("InvalidFormatFault", "StateReasonData must be JSON.")


def too_many_alarms(limit: int, what: str = "alarms") -> AwsError:
    """The account has as many alarms as it may have. The text is ours."""
    return AwsError("LimitExceededFault", f"An account has at most {limit} {what} in a region.")


def too_many_parents(name: str, limit: int) -> AwsError:
    """As many composite alarms look at one alarm as may. The text is ours."""
    return AwsError(
        "LimitExceededFault", f"At most {limit} composite alarms can depend on {name[:255]}."
    )


def other_kind(name: str, kind: str) -> AwsError:
    """The name belongs to an alarm of another kind. The text is ours."""
    return invalid_query(f"{name[:255]} is the name of a {kind}, which cannot become another.")
