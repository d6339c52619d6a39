"""Every queue of the platform, in memory, with the store as the truth.

So a message finds its queue, and the authorizer its policy, without a query. Whoever changes a
queue does it through ``change``: when that returns, every later request sees it. Implements
``ports.ResourcePolicies`` for queues.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TypeVar

from alonzo.lib.policies.compiled import Policy, PolicyError, compile_policy
from alonzo.model.context import RequestContext
from alonzo.services.sqs import records
from alonzo.services.sqs.errors import no_queue
from alonzo.services.sqs.names import key_of_arn, key_of_url
from alonzo.services.sqs.queue import Queue, QueueKey
from alonzo.store.base import Connection, Store

T = TypeVar("T")

#: What counts where a policy cannot be evaluated: it might deny.
_DENY_ALL = compile_policy(
    {"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*"}}, "unreadable policy"
)


class Unit:
    """A unit of work that changes queues. ``touched`` are the ids of those."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.touched: set[int] = set()

    def touch(self, queue_id: int) -> None:
        """Note that a queue is made, changed or deleted."""
        self.touched.add(queue_id)
        self.conn.publish(records.CHANGES_TOPIC, str(queue_id))

    def need(self, queue: Queue) -> Queue:
        """The queue as it is now, to be changed.

        Raises:
            AwsError: it was deleted since.
        """
        now = records.try_find(self.conn, queue.id)
        if now is None:
            raise no_queue()
        self.touch(now.id)
        return now


class Directory:
    """The queues of all accounts and regions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queues: dict[int, Queue] = {}
        self._ids: dict[QueueKey, int] = {}
        self._policies: dict[str, Policy] = {}
        #: Grows with every change.
        self.generation = 0

    async def open(self) -> None:
        """Read everything once, before the first request."""
        for queue in await self._store.read(records.every_queue):
            self._apply(queue.id, queue)

    async def change(self, work: Callable[[Unit], T]) -> T:
        """Run a unit of work that changes queues; all is in force when this returns."""

        def with_queues(conn: Connection) -> tuple[T, dict[int, Queue | None]]:
            unit = Unit(conn)
            result = work(unit)
            return result, {each: records.try_find(conn, each) for each in unit.touched}

        result, changed = await self._store.tx(with_queues)
        for queue_id, queue in changed.items():
            self._apply(queue_id, queue)
        return result

    def find_nowait(self, key: QueueKey) -> Queue:
        """The queue of that name.

        Raises:
            AwsError: QueueDoesNotExist.
        """
        queue = self.try_find_nowait(key)
        if queue is None:
            raise no_queue()
        return queue

    def try_find_nowait(self, key: QueueKey) -> Queue | None:
        """The queue of that name, or None."""
        queue_id = self._ids.get(key)
        # Units of work ask too, on the store's thread: it may be gone by now.
        return None if queue_id is None else self._queues.get(queue_id)

    def of_id_nowait(self, queue_id: int) -> Queue | None:
        """The queue of that id, or None: it is deleted."""
        return self._queues.get(queue_id)

    def of_url_nowait(self, context: RequestContext, queue_url: str) -> Queue:
        """The queue that a QueueUrl names, in any of the ways of ``names``.

        Raises:
            AwsError: QueueDoesNotExist, or the URL is none.
        """
        return self.find_nowait(key_of_url(context, queue_url))

    def of_arn_nowait(self, arn: str) -> Queue | None:
        """The queue that an ARN names, or None."""
        key = key_of_arn(arn)
        return None if key is None else self.try_find_nowait(key)

    def count(self) -> int:
        """How many queues there are, of all accounts and regions."""
        return len(self._queues)

    def of_nowait(self, account: str, region: str) -> list[Queue]:
        """All queues of an account in a region, by name."""
        found = [key for key in self._ids if (key.account, key.region) == (account, region)]
        return [self.find_nowait(key) for key in sorted(found, key=lambda key: key.name)]

    def sources_nowait(self, dead_letter_arn: str) -> list[Queue]:
        """All queues whose dead letters go to a queue, by name."""
        found = [
            queue
            for queue in self._queues.values()
            if queue.redrive is not None and queue.redrive.dead_letter_arn == dead_letter_arn
        ]
        return sorted(found, key=lambda queue: queue.key.name)

    def every(self) -> Iterable[Queue]:
        """All queues there are, as of now."""
        return list(self._queues.values())

    async def find(self, arn: str) -> Policy | None:
        """The resource policy of a queue, or None if it has none."""
        return self._policies.get(arn)

    def _apply(self, queue_id: int, queue: Queue | None) -> None:
        old = self._queues.get(queue_id)
        if queue is not None and old is not None and queue.revision < old.revision:
            return
        self.generation += 1
        if old is not None:
            del self._queues[queue_id]
            self._policies.pop(old.arn, None)
            if self._ids.get(old.key) == queue_id:
                del self._ids[old.key]
        if queue is None:
            return
        self._queues[queue_id] = queue
        self._ids[queue.key] = queue_id
        if queue.policy:
            self._policies[queue.arn] = _compiled(queue.policy, queue.arn)


def _compiled(text: str, name: str) -> Policy:
    try:
        return compile_policy(json.loads(text), name)
    except (PolicyError, ValueError):
        return _DENY_ALL
