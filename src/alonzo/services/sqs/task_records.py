"""Tasks that move messages, in the store. Runs inside units of work.

RUNNING --CancelMessageMoveTask--> CANCELLING --> CANCELLED
   '--> COMPLETED | FAILED
"""

from __future__ import annotations

from dataclasses import dataclass

from alonzo.services.sqs.records import Q
from alonzo.store.base import Connection, Row

#: Tasks of a queue that are remembered. Source: SQS API reference, ListMessageMoveTasks.
KEPT_MAX = 10

RUNNING = "RUNNING"
CANCELLED = "CANCELLED"
COMPLETED = "COMPLETED"
FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class MoveTask:
    """One task. Without ``destination_arn`` each message goes back to where it came from."""

    id: str
    queue_id: int
    source_arn: str
    destination_arn: str | None
    per_second_max: int | None
    state: str
    started_at_s: float
    to_move: int
    moved: int
    failure: str | None


def task_from(row: Row) -> MoveTask:
    """A task from a row of ``sqs_move_task``."""
    return MoveTask(
        row["id"],
        row["queue_id"],
        row["source_arn"],
        row["destination_arn"],
        row["per_second_max"],
        row["state"],
        row["started_at_s"],
        row["to_move"],
        row["moved"],
        row["failure"],
    )


def try_find(conn: Connection, task_id: str) -> MoveTask | None:
    """The task of that id, or None."""
    row = conn.one(Q.find_move_task, {"id": task_id})
    return None if row is None else task_from(row)


def of_queue(conn: Connection, queue_id: int, limit: int) -> list[MoveTask]:
    """The last tasks of a queue, the newest first."""
    rows = conn.all(Q.move_tasks_of_queue, {"queue_id": queue_id, "limit": limit})
    return list(map(task_from, rows))


def active(conn: Connection) -> list[MoveTask]:
    """All tasks that are not over."""
    return list(map(task_from, conn.all(Q.active_move_tasks)))


def insert(conn: Connection, task: MoveTask) -> None:
    """Begin a task, and forget the oldest of its queue."""
    conn.execute(
        Q.insert_move_task,
        {
            "id": task.id,
            "queue_id": task.queue_id,
            "source_arn": task.source_arn,
            "destination_arn": task.destination_arn,
            "per_second_max": task.per_second_max,
            "now_s": task.started_at_s,
            "to_move": task.to_move,
        },
    )
    conn.execute(Q.forget_old_move_tasks, {"queue_id": task.queue_id, "limit": KEPT_MAX})


def end(
    conn: Connection, task: MoveTask, state: str, now_s: float, failure: str | None = None
) -> None:
    """Write down how a task ended."""
    row = {"id": task.id, "state": state, "failure": failure, "now_s": now_s}
    conn.execute(Q.end_move_task, row)
