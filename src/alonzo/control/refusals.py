"""What several operations refuse in the same words. Each text is written here and nowhere else."""

from __future__ import annotations

from alonzo.model.errors import AwsError, invalid_parameter, not_found


def no_such_resource() -> AwsError:
    """There is no such mapping, layer version, policy, URL, …: Lambda's text for most of them."""
    return not_found("The resource you requested does not exist.")


def stale_revision(api: str) -> AwsError:
    """A change that was made for another revision; ``api`` names the call that shows it.

    Source: Lambda API, PreconditionFailedException; recorded.
    """
    return AwsError(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the "
        f"{api} API to retrieve the latest Revision Id",
        members={"Type": "User"},
    )


def broken(path: str, value: object, phrase: str) -> AwsError:
    """The framework's sentence, for limits that lie within those of the service model.

    Recorded: then its code is the service's own.
    """
    return invalid_parameter(
        f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: "
        f"Member must {phrase}"
    )


def check_most(path: str, value: int, most: int) -> None:
    """Refuse a number above a ceiling.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if value > most:
        raise broken(path, value, f"have value less than or equal to {most}")


def check_least(path: str, value: int, least: int) -> None:
    """Refuse a number below a floor.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if value < least:
        raise broken(path, value, f"have value greater than or equal to {least}")
