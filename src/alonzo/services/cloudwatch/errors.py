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
