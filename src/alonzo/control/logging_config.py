"""LoggingConfig: its defaults, and how a change merges with what is set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.errors import invalid_parameter

#: Log levels are of the JSON format only; AWS fills in these.
_JSON_LEVELS = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}


def plan_logging(current: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The LoggingConfig after a change. JSON always has both levels, Text never has one.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    merged = {**current, **{member: value for member, value in change.items() if value}}
    if merged["LogGroup"].startswith("aws/"):
        # AWS documents the rule; this text is ours.
        raise invalid_parameter("LoggingConfig: the log group name cannot start with aws/.")
    if merged["LogFormat"] == "JSON":
        return _JSON_LEVELS | merged
    if any(change.get(member) for member in _JSON_LEVELS):
        # AWS documents the rule; this text is ours.
        raise invalid_parameter("LoggingConfig: log levels can be set for the JSON format only.")
    return {member: value for member, value in merged.items() if member not in _JSON_LEVELS}
