"""Reads SQS queues, by the operations and with the permissions that Lambda needs on AWS.

``sqs:ReceiveMessage``, ``sqs:DeleteMessage`` and ``sqs:GetQueueAttributes``. Source: Lambda
developer guide, "Configuring execution role permissions" of Amazon SQS.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.eventsources.items import Item
from alonzo.eventsources.pollers.sqs.event import item_of
from alonzo.eventsources.sources import Looking, Poller, QueueSource, Reading
from alonzo.lib.clock import Clock, SystemClock
from alonzo.model.deliveries import ServiceCall
from alonzo.model.errors import AwsError
from alonzo.model.ports.event_sources import SourceFault, SourceState

_VISIBILITY = "VisibilityTimeout"

#: How old the visibility timeout may be that is known of a queue, in seconds.
_KNOWN_S = 30.0


def queue_url(arn: str) -> str:
    """The URL that SQS's operations take for a queue."""
    _, _, _, region, account, name = arn.split(":", 5)
    return f"https://sqs.{region}.amazonaws.com/{account}/{name}"


class SqsQueue:
    """One queue, for one mapping."""

    def __init__(self, reading: Reading, clock: Clock) -> None:
        arn = reading.mapping.source_arn
        assert arn is not None
        self._reading = reading
        self._clock = clock
        self._arn = arn
        self._url = queue_url(arn)
        self._region = arn.split(":", 5)[3]
        self._fifo = arn.endswith(".fifo")
        self._hidden_s = 0.0
        self._asked_at_s: float | None = None

    async def receive(self, most: int, wait_s: int) -> list[Item]:
        """Up to ``most`` messages, 10 at most; waits so many seconds for the first."""
        params = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": most,
            "WaitTimeSeconds": wait_s,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        answer = await self._reading.call("sqs", "ReceiveMessage", params)
        now_s = self._clock.now_s()
        return [
            item_of(message, queue_arn=self._arn, region=self._region, fifo=self._fifo, now_s=now_s)
            for message in answer.get("Messages") or ()
        ]

    async def delete(self, items: Sequence[Item]) -> list[Item]:
        """Take messages out of the queue; answers those that may be tried again."""
        entries = [{"Id": str(at), "ReceiptHandle": item.handle} for at, item in enumerate(items)]
        params = {"QueueUrl": self._url, "Entries": entries}
        answer = await self._reading.call("sqs", "DeleteMessageBatch", params)
        # What is refused for its own fault, an old receipt handle, is refused for ever.
        failed = [each for each in answer.get("Failed") or () if not each.get("SenderFault")]
        return [items[int(each["Id"])] for each in failed]

    async def hidden_s(self) -> float:
        """The queue's visibility timeout. A role that may not ask gives no time to try again."""
        now_s = self._clock.monotonic_s()
        if self._asked_at_s is None or now_s - self._asked_at_s > _KNOWN_S:
            params = {"QueueUrl": self._url, "AttributeNames": [_VISIBILITY]}
            answer: Mapping[str, Any] = {}
            with contextlib.suppress(AwsError):
                answer = await self._reading.call("sqs", "GetQueueAttributes", params)
            self._hidden_s = float(_visibility(answer) or 0)
            self._asked_at_s = now_s
        return self._hidden_s


async def look(looking: Looking) -> SourceState:
    """What a queue is like for a function's role."""
    url = queue_url(looking.use.source_arn)
    if not await looking.may(ServiceCall("sqs", "ReceiveMessage", {"QueueUrl": url})):
        return SourceState(SourceFault.FORBIDDEN)
    asking = ServiceCall(
        "sqs", "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": [_VISIBILITY]}
    )
    if not await looking.exists(asking):
        return SourceState(SourceFault.MISSING)
    return SourceState(visibility_timeout_s=_visibility(await looking.ask(asking)))


def _visibility(answer: Mapping[str, Any]) -> int | None:
    """The visibility timeout in an answer of GetQueueAttributes."""
    attributes: Mapping[str, str] = answer.get("Attributes") or {}
    value = attributes.get(_VISIBILITY)
    return None if value is None else int(value)


def _open(reading: Reading) -> QueueSource:
    return SqsQueue(reading, SystemClock())


POLLER = Poller(frozenset({"sqs", "sqs-fifo"}), "sqs", look, queue=_open)
