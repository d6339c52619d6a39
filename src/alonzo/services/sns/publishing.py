"""Publish and PublishBatch: both answer once message and deliveries are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.sns import messages
from alonzo.services.sns.arns import check_arn
from alonzo.services.sns.at_rest import AtRest
from alonzo.services.sns.deliveries import DeliveryQueue
from alonzo.services.sns.directory import Directory
from alonzo.services.sns.envelopes import sequence_number
from alonzo.services.sns.errors import no_topic
from alonzo.services.sns.limits import DEDUPLICATION_S
from alonzo.services.sns.records import Kind, Message, Q, Subscription, Topic
from alonzo.store.base import Connection, StoreError

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Published:
    """One message, and who is to get it."""

    message: Message
    receivers: Sequence[Subscription]
    sealed: bytes | None = None


class PublishOperations:
    """Operations by their names in the service model."""

    def __init__(self, directory: Directory, queue: DeliveryQueue, at_rest: AtRest) -> None:
        self._directory = directory
        self._queue = queue
        self._at_rest = at_rest

    async def publish(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """Publish."""
        arn = check_arn(messages.target_of(params), context.region)
        topic = self._directory.need_topic(arn)
        messages.check_message(topic, params)
        messages.check_size(topic, messages.size_of(params))
        (taken,) = await self._store(topic, [await self._prepared(context, topic, params)])
        return taken

    async def publish_batch(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """PublishBatch: all that can be taken is taken, with one commit."""
        topic = self._directory.need_topic(check_arn(params["TopicArn"], context.region))
        entries = params["PublishBatchRequestEntries"]
        messages.check_batch(topic, entries)
        fitting: dict[str, _Published] = {}
        failed: list[Answer] = []
        for entry in entries:
            try:
                messages.check_message(topic, entry)
                fitting[entry["Id"]] = await self._prepared(context, topic, entry)
            except AwsError as error:
                said = {"Code": error.code, "Message": error.message}
                failed.append({"Id": entry["Id"], **said, "SenderFault": True})
        taken = await self._store(topic, list(fitting.values())) if fitting else []
        successful = [{"Id": each, **one} for each, one in zip(fitting, taken, strict=True)]
        return {"Successful": successful, "Failed": failed}

    async def _prepared(
        self, context: RequestContext, topic: Topic, params: Mapping[str, Any]
    ) -> _Published:
        message = Message(
            message_id=self._directory.ids.uuid(),
            topic_arn=topic.arn,
            kind=Kind.NOTIFICATION,
            published_at_s=self._directory.clock.now_s(),
            texts=messages.texts_of(params),
            attributes=params.get("MessageAttributes") or {},
            subject=params.get("Subject"),
            group_id=params.get("MessageGroupId"),
            deduplication_id=messages.deduplication_of(topic, params),
            trace_header=context.trace_header,
            signature_version=topic.attributes.get("SignatureVersion", "1"),
        )
        receivers = [
            subscription
            for subscription, found in self._directory.receivers(topic.arn)
            if found is None
            or found.lets_through(message.text_for(subscription.protocol), message.attributes)
        ]
        sealed = await self._at_rest.seal(context, topic, message)
        return _Published(message, receivers, sealed)

    async def _store(self, topic: Topic, published: Sequence[_Published]) -> list[Answer]:
        if not topic.is_fifo and not any(each.receivers for each in published):
            return [{"MessageId": each.message.message_id} for each in published]
        try:
            return await self._directory.store.tx(
                lambda conn: [self._take(conn, topic, each) for each in published]
            )
        except StoreError:
            self._queue.forget(each.message.message_id for each in published)
            raise

    def _take(self, conn: Connection, topic: Topic, published: _Published) -> Answer:
        """Store one message: part of a unit of work. A duplicate is answered as its first was."""
        message = published.message
        if conn.one(Q.find_topic, {"arn": topic.arn}) is None:
            raise no_topic()
        if topic.is_fifo:
            numbered = self._numbered(conn, topic, message)
            if isinstance(numbered, dict):
                return numbered
            message = numbered
        if published.receivers:
            self._queue.put(conn, message, published.receivers, published.sealed)
        return _answer(message.message_id, message.sequence)

    def _numbered(
        self, conn: Connection, topic: Topic, message: Message
    ) -> Message | dict[str, str]:
        """The message with its number; or the answer to its first, if it is a duplicate."""
        now_s = self._directory.clock.now_s()
        by_group = topic.attributes.get("FifoThroughputScope") == "MessageGroup"
        keys = {
            "topic_arn": topic.arn,
            "scope": message.group_id if by_group else "",
            "deduplication_id": message.deduplication_id,
        }
        first = conn.one(Q.find_duplicate, {**keys, "now_s": now_s})
        if first is not None:
            return _answer(first["message_id"], first["sequence"])
        row = conn.one(Q.next_sequence, {"arn": topic.arn})
        assert row is not None
        numbered = replace(message, sequence=int(row["sequence"]))
        conn.execute(
            Q.add_deduplication,
            {
                **keys,
                "message_id": message.message_id,
                "sequence": numbered.sequence,
                "expires_at_s": now_s + DEDUPLICATION_S,
            },
        )
        return numbered


def _answer(message_id: str, sequence: int | None) -> dict[str, str]:
    if sequence is None:
        return {"MessageId": message_id}
    return {"MessageId": message_id, "SequenceNumber": sequence_number(sequence)}
