"""The record of an event that is over, as its destination gets it. Pure.

Source: Lambda developer guide, asynchronous invocation, destinations; recorded members and order.
"""

from __future__ import annotations

from typing import Any

import orjson

from alonzo.invoke.event_life import Over, Run
from alonzo.lib.clock import iso_ms
from alonzo.model.limits import ASYNC_PAYLOAD_BYTES_MAX


def invocation_record(
    *,
    request_id: str,
    function_arn: str,
    payload: bytes,
    over: Over,
    last: Run | None,
    now_s: float,
    bytes_max: int = ASYNC_PAYLOAD_BYTES_MAX,
) -> bytes | None:
    """The record as JSON; None if it is larger than an event may be, so that no one could get it.

    ``function_arn`` is qualified, ``payload`` the event. ``last`` is the last run that ended, None
    if there was none. ``bytes_max`` is the limit of events.
    """
    parts_bytes = len(payload) + (0 if last is None else len(last.payload))
    if parts_bytes > bytes_max:
        return None
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": iso_ms(now_s),
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": str(over.condition),
            "approximateInvokeCount": over.runs,
        },
        "requestPayload": _embedded(payload),
    }
    if last is not None:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": last.executed_version}
        if last.failed:
            context["functionError"] = "Unhandled"
        record["responseContext"] = context
        record["responsePayload"] = _embedded(last.payload)
    document = orjson.dumps(record)
    return document if len(document) <= bytes_max else None


def _embedded(payload: bytes) -> object:
    """A payload as a part of the record, its numbers as they are written; text if it is no JSON."""
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError:
        return payload.decode(errors="replace")
    return orjson.Fragment(payload)
