"""The errors of EventBridge Scheduler, with AWS's texts where they are known; a comment marks ours.

Source: recorded and measured answers of CreateSchedule and CreateScheduleGroup.
"""

from __future__ import annotations

from alonzo.model.errors import AwsError


def invalid(message: str) -> AwsError:
    """A parameter that cannot be."""
    return AwsError("ValidationException", message, status=400)


def invalid_expression(expression: str) -> AwsError:
    """No expression of any of the three kinds."""
    return invalid(f"Invalid Schedule Expression {expression}.")


def invalid_timezone(name: str) -> AwsError:
    """No time zone. The text is ours."""
    return invalid(f"Invalid ScheduleExpressionTimezone {name}.")


def not_supported(what: str, why: str) -> AwsError:
    """AWS has it and this platform does not. The text is ours."""
    return invalid(f"{what} is not supported by Alonzo: {why}")


def untrusted_role() -> AwsError:
    """The role does not let the service in."""
    return invalid(
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
    )


def no_schedule(name: str) -> AwsError:
    """No such schedule in the group."""
    return AwsError("ResourceNotFoundException", f"Schedule {name} does not exist.")


def no_group(name: str) -> AwsError:
    """No such group."""
    return AwsError("ResourceNotFoundException", f"Schedule group {name} does not exist.")


def schedule_exists(name: str) -> AwsError:
    """The name is in use in the group."""
    return AwsError("ConflictException", f"Schedule {name} already exists.")


def group_exists(name: str) -> AwsError:
    """The name is in use."""
    return AwsError("ConflictException", f"Schedule group {name} already exists.")


def default_group() -> AwsError:
    """The group that is always there."""
    return invalid("This operation cannot be performed on schedule group default.")


def invalid_token() -> AwsError:
    """A page token that was never issued. The text is ours."""
    return invalid("Invalid NextToken.")


def quota_exceeded(what: str) -> AwsError:
    """No more of them. The text is ours."""
    return AwsError("ServiceQuotaExceededException", f"The quota of {what} is used up.")
