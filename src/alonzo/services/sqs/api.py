"""Amazon SQS as a service: its parts put together, and its operations by name."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.ports.identity import Encryption
from alonzo.model.ports.operations import Operations
from alonzo.services.sqs.bodies import Bodies
from alonzo.services.sqs.directory import Directory
from alonzo.services.sqs.messages import api as messages_api
from alonzo.services.sqs.messages.core import Messages
from alonzo.services.sqs.move_tasks import MoveTaskOperations
from alonzo.services.sqs.mover import Mover
from alonzo.services.sqs.permissions import PermissionOperations
from alonzo.services.sqs.queues import QueueOperations
from alonzo.services.sqs.sweeper import Sweeper
from alonzo.services.sqs.tags import TagOperations
from alonzo.store.base import Store


class Queues:
    """The parts of SQS: queues, their messages, and the work on both."""

    def __init__(
        self, store: Store, encryption: Encryption, *, clock: Clock, ids: IdSource
    ) -> None:
        """``encryption`` is for the bodies of messages, where a queue names a key."""
        self.store = store
        self.clock = clock
        self.ids = ids
        self.directory = Directory(store)
        self.messages = Messages(
            store, self.directory, clock=clock, ids=ids, bodies=Bodies(encryption)
        )
        self.mover = Mover(self.directory, store, self.messages, clock=clock)
        self.sweeper = Sweeper(store, self.messages, clock=clock)

    async def open(self) -> None:
        """Read what is kept in memory, before the first request."""
        await self.directory.open()

    def end_waits(self) -> None:
        """Answer the receives that wait, with what they have: the platform stops."""
        self.messages.end_waits()

    def close(self) -> None:
        """Stop listening to changes."""
        self.messages.close()

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return {
            "messages": self.messages.run(),
            "message moves": self.mover.run(),
            "deleted queues": self.sweeper.run(),
        }


def operations(queues: Queues) -> Operations:
    """The operations of SQS."""
    directory, store, messages = queues.directory, queues.store, queues.messages
    on_queues = QueueOperations(
        directory, store, messages, clock=queues.clock, deleted=queues.sweeper.nudge
    )
    permissions = PermissionOperations(directory, clock=queues.clock)
    tags = TagOperations(directory)
    moves = MoveTaskOperations(
        directory, store, messages, clock=queues.clock, ids=queues.ids, nudge=queues.mover.nudge
    )
    return {
        **messages_api.operations(messages),
        "AddPermission": permissions.add_permission,
        "CancelMessageMoveTask": moves.cancel_message_move_task,
        "CreateQueue": on_queues.create_queue,
        "DeleteQueue": on_queues.delete_queue,
        "GetQueueAttributes": on_queues.get_queue_attributes,
        "GetQueueUrl": on_queues.get_queue_url,
        "ListDeadLetterSourceQueues": on_queues.list_dead_letter_source_queues,
        "ListMessageMoveTasks": moves.list_message_move_tasks,
        "ListQueueTags": tags.list_queue_tags,
        "ListQueues": on_queues.list_queues,
        "PurgeQueue": on_queues.purge_queue,
        "RemovePermission": permissions.remove_permission,
        "SetQueueAttributes": on_queues.set_queue_attributes,
        "StartMessageMoveTask": moves.start_message_move_task,
        "TagQueue": tags.tag_queue,
        "UntagQueue": tags.untag_queue,
    }
