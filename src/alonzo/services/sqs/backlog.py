"""What queues ask of the messages in them. Implemented by ``messages``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from alonzo.services.sqs.queue import Queue
from alonzo.store.base import Connection


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages a queue has: to be received, in flight, and delayed."""

    visible: int
    in_flight: int
    delayed: int


class Backlog(Protocol):
    """The messages of all queues."""

    async def counts(self, queue: Queue, *, exactly: bool = False) -> Counts:
        """How many messages a queue has: of long queues about so many, unless ``exactly``."""
        ...

    async def purge(self, queue: Queue) -> None:
        """Delete all messages that were sent before the call, in bounded pieces."""
        ...

    def delete_some(self, conn: Connection, queue_id: int) -> int:
        """Delete a bounded part of what a deleted queue leaves; 0 once nothing is left."""
        ...

    def move_some(
        self, conn: Connection, source: Queue, to: Queue | None, limit: int
    ) -> tuple[int, bool]:
        """Move messages that may be received, the oldest first.

        Without ``to`` each goes to the queue that it came from. Answers how many were moved, and
        whether there is one of which nobody knows where to.
        """
        ...
