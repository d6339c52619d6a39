"""Sources as the suite of pollers wants them: in memory, and SQS itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alonzo.eventsources.pollers.sqs.poller import POLLER as SQS
from alonzo.eventsources.pollers.sqs.poller import queue_url
from alonzo.lib.clock import SystemClock
from alonzo.model.deliveries import RoleUse, ServiceCall
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvokeRequest
from alonzo.services.sqs.queue import Queue
from alonzo.testing.memory_queue import MemoryQueue
from alonzo.testing.memory_stream import KIND, STREAM_ARN, MemoryStream
from alonzo.testing.sqs_messages import QueuesInProcess

_LEFT = """
SELECT COALESCE(message.body, payload.body) AS body FROM sqs_message AS message
LEFT JOIN sqs_payload AS payload ON payload.id = message.payload_id ORDER BY message.id
"""
_QUEUE_ARN = "arn:aws:sqs:eu-west-1:123456789012:q"


class QueueWorld:
    """The SQS poller over a queue in memory."""

    def __init__(self, *, fifo: bool = False) -> None:
        self.queue = self.calls = MemoryQueue(fifo)
        self.kind = "sqs-fifo" if fifo else "sqs"
        self.source_arn = f"{_QUEUE_ARN}.fifo" if fifo else _QUEUE_ARN
        self.document: Mapping[str, Any] = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}
        self.keeps_order = fifo
        self.poller = SQS

    async def put(self, body: str, group: str | None = None) -> None:
        """Send a message."""
        self.queue.put(body, group)

    async def left(self) -> list[str]:
        """The messages that were not deleted."""
        return self.queue.left()

    async def show_again(self) -> None:
        """End every visibility timeout."""
        self.queue.show_all()

    def activity(self) -> int:
        """How many calls there were."""
        return len(self.queue.calls)

    def fail(self, error: AwsError | None) -> None:
        """Have the queue refuse every call."""
        self.queue.trouble = error

    def id(self, record: Mapping[str, Any]) -> str:
        """The message's id."""
        return record["messageId"]

    def body(self, record: Mapping[str, Any]) -> str:
        """The message's body."""
        return record["body"]


class StreamWorld:
    """A stream in memory, and its poller."""

    def __init__(self) -> None:
        self.stream = MemoryStream()
        self.calls = MemoryQueue()
        self.kind, self.source_arn = KIND, STREAM_ARN
        self.document: Mapping[str, Any] = {"BatchSize": 100, "StartingPosition": "TRIM_HORIZON"}
        self.keeps_order = True
        self.poller = self.stream.poller()

    async def put(self, body: str, group: str | None = None) -> None:
        """Put a record."""
        self.stream.put(body, group)

    async def left(self) -> list[str]:
        """The records after the checkpoints."""
        return self.stream.left()

    async def show_again(self) -> None:
        """The engine tries again by itself."""

    def activity(self) -> int:
        """How many checkpoints there were."""
        return len(self.stream.commits)

    def fail(self, error: AwsError | None) -> None:
        """Have every read fail."""
        self.stream.trouble = error

    def id(self, record: Mapping[str, Any]) -> str:
        """The sequence number."""
        return record["sequence"]

    def body(self, record: Mapping[str, Any]) -> str:
        """What was put."""
        return record["body"]


class _ShiftedClock:
    """The host's clock, so many seconds ahead."""

    def __init__(self) -> None:
        self.shift_s = 0.0

    def now_s(self) -> float:
        """Epoch seconds."""
        return SystemClock.now_s() + self.shift_s

    def monotonic_s(self) -> float:
        """Seconds that never run backwards."""
        return SystemClock.monotonic_s() + self.shift_s


class SqsWorld:
    """The SQS poller over the real operations of a real store, which ``open`` opens."""

    def __init__(self, queues: QueuesInProcess, queue: Queue, clock: _ShiftedClock) -> None:
        self._queues = queues
        self._clock = clock
        self._queue = queue
        self._calls = 0
        self._trouble: AwsError | None = None
        self.calls = self
        self.kind = "sqs-fifo" if queue.is_fifo else "sqs"
        self.source_arn = queue.arn
        self.document: Mapping[str, Any] = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}
        self.keeps_order = queue.is_fifo
        self.poller = SQS

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, *, fifo: bool) -> AsyncGenerator[SqsWorld]:
        """A new queue in a new store."""
        clock = _ShiftedClock()
        queues = await QueuesInProcess.open(folder, clock)
        attributes = {"FifoQueue": "true"} if fifo else {}
        queue = await queues.make("q.fifo" if fifo else "q", attributes)
        try:
            yield cls(queues, queue, clock)
        finally:
            await queues.close()

    async def put(self, body: str, group: str | None = None) -> None:
        """Send a message."""
        params: dict[str, Any] = {"MessageBody": body}
        if self.keeps_order:
            params["MessageGroupId"] = group or "none"
            params["MessageDeduplicationId"] = str(self._calls)
        await self._queues.call("SendMessage", queue_url(self.source_arn), **params)
        self._calls += 1

    async def left(self) -> list[str]:
        """The messages that were not deleted, as the store has them."""
        rows = await self._queues.store.read(lambda db: db.all(_LEFT))
        return [row["body"] for row in rows]

    async def show_again(self) -> None:
        """Let the visibility timeouts of all that was received pass."""
        self._clock.shift_s += self._queue.visibility_s + 1

    def activity(self) -> int:
        """How many calls there were."""
        return self._calls

    def fail(self, error: AwsError | None) -> None:
        """Have every call refused."""
        self._trouble = error

    def id(self, record: Mapping[str, Any]) -> str:
        """The message's id."""
        return record["messageId"]

    def body(self, record: Mapping[str, Any]) -> str:
        """The message's body."""
        return record["body"]

    # RoleCalls.

    def offers(self, service: str) -> bool:
        """SQS is all there is."""
        return service == "sqs"

    async def authorize(self, call: ServiceCall, use: RoleUse) -> None:
        """Whatever is called may be."""

    async def authorize_invoke(self, request: InvokeRequest, use: RoleUse) -> InvokeRequest:
        """Whatever is called may be."""
        return request

    async def find(self, call: ServiceCall, use: RoleUse) -> bool:
        """The queue is there."""
        return True

    async def call(self, call: ServiceCall, use: RoleUse) -> Mapping[str, Any] | None:
        """The real operation, watched."""
        self._calls += 1
        if self._trouble is not None:
            raise self._trouble
        if call.operation == "GetQueueAttributes":
            return {"Attributes": {"VisibilityTimeout": str(self._queue.visibility_s)}}
        params = dict(call.params)
        if self._trouble is None and params.get("WaitTimeSeconds"):
            params["WaitTimeSeconds"] = 1  # So that trouble is noticed.
        return await self._queues.call(call.operation, params.pop("QueueUrl"), **params)
