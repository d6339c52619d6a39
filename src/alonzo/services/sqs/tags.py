"""The tags of queues, and the operations on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.sqs import records
from alonzo.services.sqs.directory import Directory, Unit
from alonzo.services.sqs.errors import invalid_value, missing_parameter
from alonzo.services.sqs.owners import owned_nowait

#: Source: SQS developer guide, quotas related to queues; AWS's tag restrictions.
TAGS_MAX = 50
_KEY_CHARS_MAX = 128
_VALUE_CHARS_MAX = 256

Params = Mapping[str, Any]


class TagOperations:
    """TagQueue, UntagQueue and ListQueueTags."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def tag_queue(self, context: RequestContext, params: Params) -> None:
        """Set tags beside those that there are."""
        queue = owned_nowait(self._directory, context, params)
        given = params.get("Tags")
        if not given:
            raise missing_parameter("Tags")

        def tag(unit: Unit) -> None:
            now = unit.need(queue)
            records.save_tags(unit.conn, now.id, checked_tags(now.tags, given))

        await self._directory.change(tag)

    async def untag_queue(self, context: RequestContext, params: Params) -> None:
        """Take tags away; those that are not there do not matter."""
        queue = owned_nowait(self._directory, context, params)
        keys = params.get("TagKeys")
        if not keys:
            raise missing_parameter("TagKeys")

        def untag(unit: Unit) -> None:
            now = unit.need(queue)
            tags = {key: value for key, value in now.tags.items() if key not in keys}
            records.save_tags(unit.conn, now.id, tags)

        await self._directory.change(untag)

    async def list_queue_tags(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """The tags, if there are any."""
        queue = owned_nowait(self._directory, context, params)
        return {"Tags": dict(queue.tags)} if queue.tags else {}


def checked_tags(before: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """All tags after some were set.

    Raises:
        AwsError: InvalidParameterValueException. The texts are ours.
    """
    for key, value in given.items():
        if not 1 <= len(key) <= _KEY_CHARS_MAX or key.lower().startswith("aws:"):
            raise invalid_value(
                f"Tag keys must be 1 to {_KEY_CHARS_MAX} characters long and must not begin with "
                "aws:."
            )
        if len(value) > _VALUE_CHARS_MAX:
            raise invalid_value(f"Tag values must be at most {_VALUE_CHARS_MAX} characters long.")
    after = {**before, **given}
    if len(after) > TAGS_MAX:
        raise invalid_value(f"A queue can have at most {TAGS_MAX} tags.")
    return after
