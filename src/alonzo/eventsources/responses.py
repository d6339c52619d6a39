"""What a function's answer says of its batch. Pure.

Without ReportBatchItemFailures an answer is a success and an error a failure of all. With it:

| Answer | Failed |
|---|---|
| ``null``, nothing, what is empty, no or empty ``batchItemFailures`` | none |
| ``{"batchItemFailures": [{"itemIdentifier": "…"}]}`` | the items named |
| an identifier that is empty, missing, not a text or of no item of the batch | all |
| no JSON, or JSON of another shape | all |

Source: Lambda developer guide, "Success and failure conditions" of partial batch responses;
recorded answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from alonzo.eventsources.batching import index_by_id
from alonzo.eventsources.items import Item


def failed_items(
    items: Sequence[Item], payload: bytes, *, errored: bool, partial: bool
) -> list[Item]:
    """The items that failed, in the order of the batch. ``errored``: the function raised."""
    if errored:
        return list(items)
    if not partial:
        return []
    try:
        identifiers = _identifiers(payload)
    except ValueError:
        return list(items)
    known = index_by_id(items)
    if not identifiers <= known.keys():
        return list(items)
    return [item for item in items if item.id in identifiers]


def _identifiers(payload: bytes) -> set[str]:
    """What the answer calls failed.

    Raises:
        ValueError: the answer has no shape that says so.
    """
    if not payload.strip():
        return set()
    try:
        document: Any = json.loads(payload)
    except RecursionError as err:
        raise ValueError("too deep") from err
    if document is None or document in ("", [], {}):
        return set()
    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004 - it is what the caller catches
    failures = cast(dict[str, Any], document).get("batchItemFailures")
    if failures is None:
        return set()
    if not isinstance(failures, list):
        raise ValueError("not a list")  # noqa: TRY004 - it is what the caller catches
    return {_identifier(each) for each in cast(list[Any], failures)}


def _identifier(failure: Any) -> str:
    value = cast(dict[str, Any], failure).get("itemIdentifier") if isinstance(failure, dict) else 0
    if not isinstance(value, str) or not value:
        raise ValueError("no identifier")
    return value
