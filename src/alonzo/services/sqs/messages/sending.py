"""SendMessage and SendMessageBatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.sqs.messages import fifo
from alonzo.services.sqs.messages.batches import check_bytes, check_entries, failed, outcome
from alonzo.services.sqs.messages.core import Messages
from alonzo.services.sqs.messages.entries import NewMessage, check_fifo_members, read_entry
from alonzo.services.sqs.messages.records import insert, ring, sequence_number
from alonzo.services.sqs.queue import Queue
from alonzo.store.base import Connection


class SendingOperations:
    """The operations that bring messages in."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    async def send_message(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """Take one message; it is durable when this returns."""
        queue = self._messages.directory.of_url_nowait(context, params.get("QueueUrl") or "")
        message = read_entry(context, queue, params, self._messages.ids.uuid())
        answers = await self._store(context, queue, [message])
        return answers[0]

    async def send_message_batch(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """Take up to ten messages; some may fail."""
        queue = self._messages.directory.of_url_nowait(context, params.get("QueueUrl") or "")
        entries: list[dict[str, Any]] = params.get("Entries") or []
        check_entries(entries, "SendMessageBatchRequestEntry")
        for entry in entries:
            check_fifo_members(queue, entry)
        taken: list[tuple[str, NewMessage]] = []
        lost: list[dict[str, Any]] = []
        for entry in entries:
            try:
                message = read_entry(context, queue, entry, self._messages.ids.uuid())
            except AwsError as error:
                lost.append(failed(entry["Id"], error))
            else:
                taken.append((entry["Id"], message))
        check_bytes(sum(message.n_bytes for _, message in taken))
        if not taken:
            return outcome([], lost)
        answers = await self._store(context, queue, [message for _, message in taken])
        done = [
            {"Id": entry_id, **answer} for (entry_id, _), answer in zip(taken, answers, strict=True)
        ]
        return outcome(done, lost)

    async def _store(
        self, context: RequestContext, queue: Queue, messages: Sequence[NewMessage]
    ) -> list[dict[str, Any]]:
        if queue.kms_key_id is not None:
            assert self._messages.bodies is not None
            messages = await self._messages.bodies.seal(context, queue, messages)
        numbers, now_ms = self._messages.numbers, self._messages.now_ms()
        if queue.is_fifo:
            sent = await self._messages.store.tx(
                lambda conn: fifo.send(conn, queue, messages, numbers, now_ms)
            )
            return [
                message.answer(message_id, sequence_number(row_id))
                for message, (message_id, row_id) in zip(messages, sent, strict=True)
            ]

        def work(conn: Connection) -> None:
            rows = [(numbers.next(conn, now_ms), message, None) for message in messages]
            insert(conn, rows, queue.id, now_ms)
            ring(conn, queue.id, len(rows), rows[0][0])

        await self._messages.store.tx(work)
        return [message.answer(message.message_id, None) for message in messages]
