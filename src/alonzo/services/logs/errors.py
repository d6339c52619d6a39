"""The errors of CloudWatch Logs, with AWS's texts.

Recorded from AWS unless a comment says otherwise.
"""

from __future__ import annotations

from alonzo.model.errors import AwsError, not_found, validation


def invalid(message: str) -> AwsError:
    """InvalidParameterException (400), which is also the name of the framework's validation."""
    return AwsError("InvalidParameterException", message)


def group_not_found() -> AwsError:
    """The group does not exist, or is another account's or region's."""
    return not_found("The specified log group does not exist.")


def stream_not_found() -> AwsError:
    """The group exists, the stream does not."""
    return not_found("The specified log stream does not exist.")


def group_exists() -> AwsError:
    """CreateLogGroup of a name in use."""
    return AwsError("ResourceAlreadyExistsException", "The specified log group already exists")


def stream_exists() -> AwsError:
    """CreateLogStream of a name in use."""
    return AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")


def invalid_token() -> AwsError:
    """A page token that this service never issued."""
    return invalid("The specified nextToken is invalid.")


def two_group_names() -> AwsError:
    """Both logGroupName and logGroupIdentifier."""
    return validation("LogGroup name and LogGroup ARN are mutually exclusive parameters.")


def no_group_name() -> AwsError:
    """Neither logGroupName nor logGroupIdentifier. The text is ours."""
    return validation("Either a LogGroup name or a LogGroup ARN is required.")


def deletion_protected() -> AwsError:
    """A deletion in a protected group. The code is the model's, the text ours."""
    return validation("The log group has deletion protection enabled and cannot be deleted.")


def too_many_tags(arn: str) -> AwsError:
    """More than 50 tags on one group. The text is ours."""
    return AwsError(
        "TooManyTagsException",
        "A resource can have no more than 50 tags.",
        members={"resourceName": arn},
    )


def filter_not_found(kind: str) -> AwsError:
    """No filter of that name; ``kind`` is ``subscription`` or ``metric``."""
    return not_found(f"The specified {kind} filter does not exist.")


def too_many_filters() -> AwsError:
    """One filter more than a group may have. The text is recorded."""
    return AwsError("LimitExceededException", "Resource limit exceeded.")


def too_many_policies() -> AwsError:
    """One resource policy more than there may be. The text is recorded."""
    return AwsError("LimitExceededException", "Resource limit exceeded.")


def no_policy(name: str) -> AwsError:
    """No resource policy of that name. The text is recorded."""
    return not_found(f"Policy with name [{name[:255]}] does not exist.")
