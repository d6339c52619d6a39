"""The rules that all batches share, and how an entry that failed is reported. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.errors import AwsError
from alonzo.services.sqs.messages import limits

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")

#: What the entries of a batch call an error, as far as that is not its code. They have the names
#: of the query protocol in either protocol.
_CODES = {
    "InvalidParameterValueException": "InvalidParameterValue",
    "MissingRequiredParameterException": "MissingParameter",
    "MessageNotInflight": "AWS.SimpleQueueService.MessageNotInflight",
}


def check_entries(entries: Sequence[Mapping[str, Any]], kind: str) -> None:
    """Refuse a batch as a whole. ``kind`` is the name of an entry's shape.

    Raises:
        AwsError: it is empty or too long, or its ids are malformed or not distinct.
    """
    if not entries:
        raise AwsError("EmptyBatchRequest", f"There should be at least one {kind} in the request.")
    if len(entries) > limits.BATCH_MAX:
        raise AwsError(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {limits.BATCH_MAX}. "
            f"You have sent {len(entries)}.",
        )
    seen: set[str] = set()
    for entry in entries:
        entry_id = entry.get("Id") or ""
        if _ID.fullmatch(entry_id) is None:
            raise AwsError(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and "
                "underscores. It can be at most 80 letters long.",
            )
        if entry_id in seen:
            raise AwsError("BatchEntryIdsNotDistinct", f"Id {entry_id} repeated.")
        seen.add(entry_id)


def check_bytes(n_bytes: int) -> None:
    """Refuse a batch whose messages are too large together.

    Raises:
        AwsError: BatchRequestTooLong.
    """
    if n_bytes > limits.BATCH_BYTES_MAX:
        raise AwsError(
            "BatchRequestTooLong",
            f"Batch requests cannot be longer than {limits.BATCH_BYTES_MAX} bytes. "
            f"You have sent {n_bytes} bytes.",
        )


def failed(entry_id: str, error: AwsError) -> dict[str, Any]:
    """One entry of ``Failed``: the caller's fault."""
    return {
        "Id": entry_id,
        "SenderFault": True,
        "Code": _CODES.get(error.code, error.code),
        "Message": error.message,
    }


def outcome(done: Sequence[Mapping[str, Any]], lost: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a batch answers; a list that is empty is left out, as AWS does."""
    answer: dict[str, Any] = {}
    if done:
        answer["Successful"] = list(done)
    if lost:
        answer["Failed"] = list(lost)
    return answer
