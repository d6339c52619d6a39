"""The record of discarded records, as their on-failure destination gets it. Pure.

Source: Lambda developer guide, "Retain discarded batch records"; recorded from AWS.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from alonzo.eventsources.calls import Called
from alonzo.eventsources.items import Item
from alonzo.eventsources.retrying import Condition, Discard
from alonzo.eventsources.sources import BatchInfo
from alonzo.lib.clock import iso_ms


def failure_record(
    discard: Discard,
    info: BatchInfo,
    *,
    request_id: str,
    function_arn: str,
    last: Called | None,
    now_s: float,
) -> bytes:
    """The record as JSON. ``last`` is the last call, if there was any."""
    document: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": str(discard.condition),
            "approximateInvokeCount": discard.attempts,
        }
    }
    if discard.condition is Condition.RETRIES and last is not None and last.result is not None:
        document["responseContext"] = {
            "statusCode": last.result.status,
            "executedVersion": last.result.executed_version,
            "functionError": last.result.function_error,
        }
    document["version"] = "1.0"
    document["timestamp"] = iso_ms(now_s)
    document[info.member] = info.document
    return json.dumps(document, separators=(",", ":")).encode()


def batch_info(member: str, shard: str, stream_arn: str, items: Sequence[Item]) -> BatchInfo:
    """How streams name discarded records."""
    return BatchInfo(
        member,
        {
            "shardId": shard,
            "startSequenceNumber": items[0].id,
            "endSequenceNumber": items[-1].id,
            "approximateArrivalOfFirstRecord": iso_ms(items[0].arrived_at_s),
            "approximateArrivalOfLastRecord": iso_ms(items[-1].arrived_at_s),
            "batchSize": len(items),
            "streamArn": stream_arn,
        },
    )
