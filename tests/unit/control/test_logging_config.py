"""LoggingConfig: its defaults and its changes."""

from __future__ import annotations

from typing import Any

import pytest

from alonzo.control.logging_config import plan_logging
from alonzo.model.errors import AwsError


def invalid(work: Any, *args: Any) -> str:
    with pytest.raises(AwsError) as caught:
        work(*args)
    assert caught.value.code == "InvalidParameterValueException"
    return caught.value.message


TEXT = {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}
JSON = {"LogFormat": "JSON", "LogGroup": "/aws/lambda/f"}
INFO = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}


@pytest.mark.parametrize(
    ("current", "change", "expected"),
    [
        (TEXT, {}, TEXT),
        (TEXT, {"LogFormat": "JSON"}, JSON | INFO),
        (
            TEXT,
            {"LogFormat": "JSON", "SystemLogLevel": "WARN"},
            JSON | INFO | {"SystemLogLevel": "WARN"},
        ),
        (JSON | INFO, {"LogFormat": "Text"}, TEXT),
        (
            JSON | INFO,
            {"ApplicationLogLevel": "DEBUG"},
            JSON | INFO | {"ApplicationLogLevel": "DEBUG"},
        ),
        (JSON | INFO, {"LogGroup": "mine"}, JSON | INFO | {"LogGroup": "mine"}),
    ],
)
def test_log_levels_come_and_go_with_the_json_format(
    current: dict[str, Any], change: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert plan_logging(current, change) == expected


@pytest.mark.parametrize("change", [{"LogGroup": "aws/x"}, {"ApplicationLogLevel": "INFO"}])
def test_logging_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    assert invalid(plan_logging, TEXT, change).startswith("LoggingConfig: ")
