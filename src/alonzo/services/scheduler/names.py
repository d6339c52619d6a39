"""ARNs of schedules and groups, and the tokens of pages. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, cast

from alonzo.services.scheduler.errors import invalid_token

DEFAULT_GROUP = "default"


def schedule_arn(account: str, region: str, group: str, name: str) -> str:
    """The ARN of a schedule."""
    return f"arn:aws:scheduler:{region}:{account}:schedule/{group}/{name}"


def group_arn(account: str, region: str, name: str) -> str:
    """The ARN of a group."""
    return f"arn:aws:scheduler:{region}:{account}:schedule-group/{name}"


def group_of_arn(arn: str) -> str:
    """The group that an ARN of one names."""
    return arn.rpartition("/")[2]


def write_token(*place: str) -> str:
    """The token of the page that begins after a place."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def read_token(token: str | None, parts: int) -> tuple[str, ...]:
    """The place in a token; that before every other without one.

    Raises:
        AwsError: ValidationException: it was never issued.
    """
    if token is None:
        return ("",) * parts
    try:
        found: Any = json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise invalid_token() from error
    place = cast("list[Any]", found) if isinstance(found, list) else []
    if len(place) != parts or not all(isinstance(each, str) and each.isascii() for each in place):
        raise invalid_token()
    return tuple(place)
