"""Handles of tasks that move messages: which task, and of which queue. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, cast

from alonzo.model.errors import AwsError
from alonzo.services.sqs.errors import invalid_value

_CHARS_MAX = 1024


def task_handle(task_id: str, source_arn: str) -> str:
    """The text for clients."""
    document = json.dumps({"taskId": task_id, "sourceArn": source_arn}, separators=(",", ":"))
    return base64.b64encode(document.encode()).decode()


def read_task_handle(text: str) -> tuple[str, str]:
    """The task's id and the ARN of its source.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if len(text) > _CHARS_MAX:
        raise _bad()
    try:
        found: Any = json.loads(base64.b64decode(text.encode(), validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _bad() from None
    members = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    task_id, source_arn = members.get("taskId"), members.get("sourceArn")
    if not isinstance(task_id, str) or not isinstance(source_arn, str):
        raise _bad()
    return task_id, source_arn


def _bad() -> AwsError:
    return invalid_value("Value for parameter TaskHandle is invalid.")
