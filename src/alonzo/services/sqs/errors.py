"""The errors of SQS's queues, with AWS's texts as recorded in public test suites; ours are marked.

A code is the name of the error's shape, or, where no shape is modelled, what the JSON protocol
says; the edge knows what clients of the query protocol, and handlers of old, call it. The model
names no statuses; those here were recorded.
"""

from __future__ import annotations

from alonzo.model.errors import AwsError, access_denied

#: Characters of a value that an error repeats.
ECHO_CHARS_MAX = 4096


def invalid_value(message: str) -> AwsError:
    """A parameter's value is bad. Source: AWS common errors, InvalidParameterValue."""
    return AwsError("InvalidParameterValueException", message, status=400)


def missing(message: str) -> AwsError:
    """A parameter is missing. Source: AWS common errors, MissingParameter."""
    return AwsError("MissingRequiredParameterException", message, status=400)


def missing_parameter(name: str) -> AwsError:
    """A parameter of that name is missing."""
    return missing(f"The request must contain the parameter {name}.")


def invalid_for_parameter(value: object, name: str, reason: str) -> AwsError:
    """A parameter has a value out of its range. ``reason`` is a sentence."""
    return invalid_value(f"Value {_echo(value)} for parameter {name} is invalid. Reason: {reason}")


def no_queue() -> AwsError:
    """No such queue, in this account and region."""
    return AwsError("QueueDoesNotExist", "The specified queue does not exist.")


def invalid_address(url: str) -> AwsError:
    """A QueueUrl that cannot name a queue."""
    return AwsError(
        "InvalidAddress", f"The address {_echo(url)} is not valid for this endpoint.", status=404
    )


def queue_exists(attribute: str) -> AwsError:
    """CreateQueue of a queue that is set otherwise."""
    return AwsError(
        "QueueNameExists",
        "A queue already exists with the same name and a different value for attribute "
        f"{attribute}",
    )


def unknown_attribute(name: str) -> AwsError:
    """An attribute that there is not, or not to be set."""
    return AwsError("InvalidAttributeName", f"Unknown Attribute {_echo(name)}.")


def invalid_attribute(name: str) -> AwsError:
    """An attribute has a value that it cannot have."""
    return AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


def invalid_attribute_name(message: str) -> AwsError:
    """An attribute does not go with the others, or not with the queue."""
    return AwsError("InvalidAttributeName", message)


def purge_in_progress(name: str) -> AwsError:
    """PurgeQueue within a minute after another."""
    return AwsError(
        "PurgeQueueInProgress",
        f"Only one PurgeQueue operation on {name} is allowed every 60 seconds.",
        status=403,
    )


def no_resource(message: str) -> AwsError:
    """A task or the queue of a task is not there."""
    return AwsError("ResourceNotFoundException", message, status=404)


def unsupported_operation(message: str) -> AwsError:
    """The queue cannot do that, or not now."""
    return AwsError("UnsupportedOperation", message)


def over_limit(message: str) -> AwsError:
    """A quota is used up."""
    return AwsError("OverLimit", message, status=403)


def not_owner() -> AwsError:
    """Another account's queue, asked for what only its owner may do."""
    return access_denied("Access to the resource is denied.")


def _echo(value: object) -> str:
    return str(value)[:ECHO_CHARS_MAX]
