"""The operations on queues: making, deleting, finding and setting them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.model.context import RequestContext
from alonzo.services.sqs import records
from alonzo.services.sqs.attributes import (
    READABLE,
    checked_change,
    checked_for_new,
    differing,
    shown,
)
from alonzo.services.sqs.backlog import Backlog
from alonzo.services.sqs.directory import Directory, Unit
from alonzo.services.sqs.errors import (
    missing_parameter,
    over_limit,
    purge_in_progress,
    queue_exists,
    unknown_attribute,
)
from alonzo.services.sqs.owners import owned_nowait
from alonzo.services.sqs.paging import one_page
from alonzo.services.sqs.queue import Queue, QueueKey
from alonzo.services.sqs.records import Q
from alonzo.services.sqs.redrive import check_target, read_redrive
from alonzo.services.sqs.tags import checked_tags
from alonzo.store.base import Connection, Store

#: Between two purges of a queue. Source: SQS API reference, PurgeQueueInProgress.
PURGE_INTERVAL_S = 60.0

#: Queues of all accounts and regions together: they are kept in memory. AWS has no such bound.
QUEUES_MAX = 100_000

_COUNTS = {
    "ApproximateNumberOfMessages": "visible",
    "ApproximateNumberOfMessagesDelayed": "delayed",
    "ApproximateNumberOfMessagesNotVisible": "in_flight",
}

Params = Mapping[str, Any]


class QueueOperations:
    """CreateQueue and what follows it."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        backlog: Backlog,
        *,
        clock: Clock,
        deleted: Callable[[], None],
    ) -> None:
        """``deleted`` is called after a queue was deleted."""
        self._directory = directory
        self._store = store
        self._backlog = backlog
        self._clock = clock
        self._deleted = deleted

    async def create_queue(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """A new queue; or the one there is, if it has all attributes that are given."""
        name = params.get("QueueName")
        if not name:
            raise missing_parameter("QueueName")
        attributes = checked_for_new(name, params.get("Attributes") or {})
        tags = checked_tags({}, params.get("tags") or {})
        key = QueueKey(context.account, context.region, name)

        def create(unit: Unit) -> None:
            queue = records.try_find_by_key(unit.conn, key)
            if queue is not None:
                other = differing(queue, attributes)
                if other is not None:
                    raise queue_exists(other)
                return
            if self._directory.count() >= QUEUES_MAX:
                raise over_limit(f"This platform has at most {QUEUES_MAX} queues.")
            self._check_redrive(key, attributes, is_fifo="FifoQueue" in attributes)
            now_s = self._clock.now_s()
            unit.touch(records.insert(unit.conn, key, attributes, tags, now_s))

        await self._directory.change(create)
        return {"QueueUrl": key.url(context.endpoint)}

    async def delete_queue(self, context: RequestContext, params: Params) -> None:
        """Delete a queue. From now on it is not there; its messages go after it."""
        queue = owned_nowait(self._directory, context, params)

        def delete(unit: Unit) -> None:
            records.delete(unit.conn, unit.need(queue).id, self._clock.now_s())

        await self._directory.change(delete)
        self._deleted()

    async def get_queue_url(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """The URL of a queue, at the endpoint where it was asked for."""
        name = params.get("QueueName")
        if not name:
            raise missing_parameter("QueueName")
        account = params.get("QueueOwnerAWSAccountId") or context.account
        queue = self._directory.find_nowait(QueueKey(account, context.region, name))
        return {"QueueUrl": queue.key.url(context.endpoint)}

    async def list_queues(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """The URLs of queues, by name."""
        prefix = params.get("QueueNamePrefix") or ""
        queues = [
            queue
            for queue in self._directory.of_nowait(context.account, context.region)
            if queue.key.name.startswith(prefix)
        ]
        return _urls("QueueUrls", queues, context, params) if queues else {}

    async def list_dead_letter_source_queues(
        self, context: RequestContext, params: Params
    ) -> dict[str, Any]:
        """The URLs of the queues whose dead letters go to a queue."""
        queue = self._directory.of_url_nowait(context, params.get("QueueUrl") or "")
        return _urls("queueUrls", self._directory.sources_nowait(queue.arn), context, params)

    async def get_queue_attributes(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """The attributes that are asked for, of those that there are."""
        queue = self._directory.of_url_nowait(context, params.get("QueueUrl") or "")
        names: set[str] = set(params.get("AttributeNames") or ())
        for name in names - {"All"} - READABLE:
            raise unknown_attribute(name)
        if "All" in names:
            names = set(READABLE)
        if not names:
            return {}
        attributes = {name: value for name, value in shown(queue).items() if name in names}
        if names & _COUNTS.keys():
            counts = await self._backlog.counts(queue)
            for name, member in _COUNTS.items():
                if name in names:
                    attributes[name] = str(getattr(counts, member))
        return {"Attributes": attributes} if attributes else {}

    async def set_queue_attributes(self, context: RequestContext, params: Params) -> None:
        """Set attributes; those that are not given stay as they are."""
        queue = owned_nowait(self._directory, context, params)
        given = params.get("Attributes")
        if given is None:
            raise missing_parameter("Attribute.Name")

        def change(unit: Unit) -> None:
            now = unit.need(queue)
            attributes = checked_change(now, given)
            if "RedrivePolicy" in given:
                self._check_redrive(now.key, attributes, is_fifo=now.is_fifo)
            records.save_attributes(unit.conn, now.id, attributes, self._clock.now_s())

        await self._directory.change(change)

    async def purge_queue(self, context: RequestContext, params: Params) -> None:
        """Delete the messages of a queue, not more often than once a minute."""
        queue = self._directory.of_url_nowait(context, params.get("QueueUrl") or "")
        now_s = self._clock.now_s()

        def note(conn: Connection) -> None:
            row = conn.one(Q.purged_at, {"id": queue.id})
            purged_at_s = None if row is None else row["purged_at_s"]
            if purged_at_s is not None and 0 <= now_s - purged_at_s < PURGE_INTERVAL_S:
                raise purge_in_progress(queue.key.name)
            conn.execute(Q.set_purged_at, {"id": queue.id, "now_s": now_s})

        await self._store.tx(note)
        await self._backlog.purge(queue)

    def _check_redrive(
        self, key: QueueKey, attributes: Mapping[str, str], *, is_fifo: bool
    ) -> None:
        text = attributes.get("RedrivePolicy")
        if text:
            target = self._directory.of_arn_nowait(read_redrive(text)[0].dead_letter_arn)
            check_target(text, key, is_fifo=is_fifo, target=target)


def _urls(
    name: str, queues: Sequence[Queue], context: RequestContext, params: Params
) -> dict[str, Any]:
    page, token = one_page([queue.key for queue in queues], params)
    return {name: [key.url(context.endpoint) for key in page], **token}
