"""StartMessageMoveTask, CancelMessageMoveTask and ListMessageMoveTasks.

A task is written down before it is answered; ``mover`` does the work, after a restart as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import RequestContext
from alonzo.services.sqs import records, task_records
from alonzo.services.sqs.backlog import Backlog
from alonzo.services.sqs.directory import Directory
from alonzo.services.sqs.errors import invalid_for_parameter, invalid_value, no_resource
from alonzo.services.sqs.handles import read_task_handle, task_handle
from alonzo.services.sqs.names import key_of_arn
from alonzo.services.sqs.queue import Queue
from alonzo.services.sqs.records import Q
from alonzo.services.sqs.task_records import KEPT_MAX, RUNNING, MoveTask
from alonzo.store.base import Connection, Store

#: Source: SQS API reference, StartMessageMoveTask.
PER_SECOND_MAX = 500

_ALREADY = (
    "There is already a task running. Only one active task is allowed for a source queue arn at a "
    "given time."
)

Params = Mapping[str, Any]


class MoveTaskOperations:
    """Starts, cancels and lists tasks that move messages."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        backlog: Backlog,
        *,
        clock: Clock,
        ids: IdSource,
        nudge: Callable[[], None],
    ) -> None:
        """``nudge`` is called when there is something to do."""
        self._directory = directory
        self._store = store
        self._backlog = backlog
        self._clock = clock
        self._ids = ids
        self._nudge = nudge

    async def start_message_move_task(
        self, context: RequestContext, params: Params
    ) -> dict[str, Any]:
        """Begin to move the messages of a dead-letter queue."""
        source = self._need(context, params["SourceArn"], "SourceArn")
        sources = self._directory.sources_nowait(source.arn)
        if not sources:
            raise invalid_value("Source queue must be configured as a Dead Letter Queue.")
        destination_arn = params.get("DestinationArn")
        if destination_arn is not None:
            self._check_destination(context, source, destination_arn)
        rate = params.get("MaxNumberOfMessagesPerSecond")
        if rate is not None and not 1 <= rate <= PER_SECOND_MAX:
            raise invalid_for_parameter(
                rate,
                "MaxNumberOfMessagesPerSecond",
                f"Must be between 1 and {PER_SECOND_MAX}, if provided.",
            )
        counts = await self._backlog.counts(source, exactly=True)
        task = MoveTask(
            self._ids.uuid(),
            source.id,
            source.arn,
            destination_arn,
            rate,
            RUNNING,
            self._clock.now_s(),
            counts.visible,
            0,
            None,
        )
        await self._store.tx(lambda conn: _start(conn, task))
        self._nudge()
        return {"TaskHandle": task_handle(task.id, source.arn)}

    async def cancel_message_move_task(
        self, context: RequestContext, params: Params
    ) -> dict[str, Any]:
        """Stop a task. What it has moved stays where it is."""
        task_id, source_arn = read_task_handle(params["TaskHandle"])
        source = self._need(context, source_arn, "SourceArn")

        def cancel(conn: Connection) -> MoveTask:
            task = task_records.try_find(conn, task_id)
            if task is None or task.queue_id != source.id:
                raise no_resource("Task does not exist.")
            if not conn.execute(Q.cancel_move_task, {"id": task_id}):
                # The text is ours.
                raise invalid_value("Only active tasks can be cancelled.")
            return task

        task = await self._store.tx(cancel)
        self._nudge()
        return {"ApproximateNumberOfMessagesMoved": task.moved}

    async def list_message_move_tasks(
        self, context: RequestContext, params: Params
    ) -> dict[str, Any]:
        """The last tasks of a queue, the newest first."""
        source = self._need(context, params["SourceArn"], "SourceArn")
        limit = params.get("MaxResults")
        if limit is not None and not 1 <= limit <= KEPT_MAX:
            raise invalid_for_parameter(
                limit, "MaxResults", f"Must be between 1 and {KEPT_MAX}, if provided."
            )
        tasks = await self._store.read(
            lambda conn: task_records.of_queue(conn, source.id, limit or 1)
        )
        return {"Results": list(map(_shown, tasks))}

    def _need(self, context: RequestContext, arn: str, name: str) -> Queue:
        """The queue of an ARN, in the caller's account and region."""
        key = key_of_arn(arn)
        if key is None:
            raise invalid_value(
                f"You must use this format to specify the {name}: "
                "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
            )
        queue = self._directory.try_find_nowait(key)
        if queue is None or (key.account, key.region) != (context.account, context.region):
            raise no_resource(
                f"The resource that you specified for the {name} parameter doesn't exist."
            )
        return queue

    def _check_destination(self, context: RequestContext, source: Queue, arn: str) -> None:
        destination = self._need(context, arn, "DestinationArn")
        # The texts are ours.
        if destination.id == source.id:
            raise invalid_value("Source queue arn and destination queue arn cannot be the same.")
        if destination.is_fifo != source.is_fifo:
            raise invalid_value("Source and destination queues must be of the same type.")


def _start(conn: Connection, task: MoveTask) -> None:
    if records.try_find(conn, task.queue_id) is None:
        raise no_resource(
            "The resource that you specified for the SourceArn parameter doesn't exist."
        )
    if any(each.queue_id == task.queue_id for each in task_records.active(conn)):
        raise invalid_value(_ALREADY)
    task_records.insert(conn, task)


def _shown(task: MoveTask) -> dict[str, Any]:
    handle = task_handle(task.id, task.source_arn) if task.state == RUNNING else None
    members = {
        "TaskHandle": handle,
        "Status": task.state,
        "SourceArn": task.source_arn,
        "DestinationArn": task.destination_arn,
        "MaxNumberOfMessagesPerSecond": task.per_second_max,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "FailureReason": task.failure,
        "StartedTimestamp": int(task.started_at_s * 1000),
    }
    return {name: value for name, value in members.items() if value is not None}
