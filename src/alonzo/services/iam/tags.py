"""Tags of IAM entities. Keys compare without case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.errors import AwsError
from alonzo.services.iam.errors import invalid_input
from alonzo.services.iam.limits import TAGS_MAX


def read_tags(given: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags as a request has them.

    Raises:
        AwsError: InvalidInput, LimitExceeded.
    """
    tags: dict[str, str] = {}
    for tag in given or ():
        if tag["Key"].lower() in {key.lower() for key in tags}:
            raise invalid_input(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive."
            )
        if tag["Key"].lower().startswith("aws:"):
            raise invalid_input("Tag keys that begin with aws: are reserved for AWS.")
        tags[tag["Key"]] = tag["Value"]
    _check_number(tags)
    return tags


def added(tags: Mapping[str, str], given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The tags with others added or replaced.

    Raises:
        AwsError: InvalidInput, LimitExceeded.
    """
    new = read_tags(given)
    replaced = {key.lower() for key in new}
    result = {key: value for key, value in tags.items() if key.lower() not in replaced} | new
    _check_number(result)
    return result


def removed(tags: Mapping[str, str], keys: Sequence[str]) -> dict[str, str]:
    """The tags without some."""
    gone = {key.lower() for key in keys}
    return {key: value for key, value in tags.items() if key.lower() not in gone}


def render_tags(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Tags as answers have them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _check_number(tags: Mapping[str, str]) -> None:
    if len(tags) > TAGS_MAX:
        raise AwsError(
            "LimitExceededException",
            "The number of tags has reached the maximum limit.",
        )
