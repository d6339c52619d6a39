"""Queues against a model: standard and FIFO, with dead letters, under a clock of the test's own."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alonzo.lib.clock import ManualClock
from alonzo.testing.sqs_messages import ACCOUNT, REGION, QueuesInProcess
from alonzo.testing.sqs_model import ModelMessage, ModelQueue

RETENTION_S = 900
GROUPS = st.sampled_from(["a", "b", "c"])
TIMEOUTS = st.sampled_from([0, 1, 30, 100])
#: Some that end a timeout, a delay, the window of duplicates and the retention, or just do not.
STEPS_S = st.sampled_from([1, 5, 29, 30, 100, 299, 600])
BATCHES = st.integers(1, 10)


class Queues(RuleBasedStateMachine):
    """A queue with a dead-letter queue, both with a twin in the model."""

    kind = "standard"
    scope = "queue"

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.start_s = self.clock.now_s()
        self.bodies = 0
        # Every handle that was ever given out, with what it was for.
        self.handles: list[tuple[ModelQueue, ModelMessage, str, int]] = []
        self.runner.run(self.open())

    async def open(self) -> None:
        self.queues = await QueuesInProcess.open(Path(self.folder.name), self.clock)
        is_fifo = self.kind == "fifo"
        suffix = ".fifo" if is_fifo else ""
        common = {"MessageRetentionPeriod": str(RETENTION_S)}
        if is_fifo:
            common |= {"FifoQueue": "true", "DeduplicationScope": self.scope}
        dead = f"d{suffix}"
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{dead}"
        redrive = f'{{"deadLetterTargetArn":"{arn}","maxReceiveCount":2}}'
        await self.queues.make(dead, common)
        await self.queues.make(f"q{suffix}", common | {"RedrivePolicy": redrive})
        per_group = self.scope == "messageGroup"
        self.dead = ModelQueue(dead, is_fifo, RETENTION_S, scope_is_group=per_group)
        self.main = ModelQueue(
            f"q{suffix}",
            is_fifo,
            RETENTION_S,
            scope_is_group=per_group,
            receives_max=2,
            dead_letters=self.dead,
        )

    @property
    def now_s(self) -> int:
        return int(self.clock.now_s() - self.start_s)

    def call(self, operation: str, queue: ModelQueue, **params: Any) -> dict[str, Any]:
        return self.runner.run(self.queues.call(operation, queue.name, **params))

    @rule(count=st.integers(1, 4), delay_s=st.sampled_from([None, 0, 30]), group=GROUPS)
    def send(self, count: int, delay_s: int | None, group: str) -> None:
        entries: list[dict[str, Any]] = []
        for at in range(count):
            self.bodies += 1
            entry: dict[str, Any] = {"Id": str(at), "MessageBody": str(self.bodies)}
            if self.main.is_fifo:
                # A few ids, so that some come again.
                entry |= {"MessageGroupId": group, "MessageDeduplicationId": str(self.bodies % 7)}
            elif delay_s is not None:
                entry["DelaySeconds"] = delay_s
            entries.append(entry)
        answers = self.call("SendMessageBatch", self.main, Entries=entries)["Successful"]
        last = ""
        for entry, answer in zip(entries, answers, strict=True):
            known = entry.get("MessageDeduplicationId", "")
            first = self.main.duplicate_of(group, known, self.now_s)
            if first is not None:
                assert answer["MessageId"] == first
                continue
            assert (answer.get("SequenceNumber", "z")) > last
            last = answer.get("SequenceNumber", "")
            self.main.send(
                answer["MessageId"],
                entry["MessageBody"],
                self.now_s,
                delay_s=entry.get("DelaySeconds"),
                group=group if self.main.is_fifo else "",
                deduplication_id=known,
            )

    @rule(messages_max=BATCHES, visibility_s=TIMEOUTS, of_dead=st.booleans())
    def receive(self, messages_max: int, visibility_s: int, of_dead: bool) -> None:
        queue = self.dead if of_dead else self.main
        answer = self.call(
            "ReceiveMessage",
            queue,
            MaxNumberOfMessages=messages_max,
            VisibilityTimeout=visibility_s,
            AttributeNames=["All"],
        ).get("Messages", [])
        expected = queue.receive(messages_max, visibility_s, self.now_s)
        assert [one["MessageId"] for one in answer] == [one.message_id for one in expected]
        for one, message in zip(answer, expected, strict=True):
            assert one["Body"] == message.body
            known = one["Attributes"]
            receives = message.receives + message.earlier_receives
            assert known["ApproximateReceiveCount"] == str(receives)
            assert known["SentTimestamp"] == str(int(1000 * (self.start_s + message.sent_at_s)))
            assert known.get("DeadLetterQueueSourceArn", "").endswith(message.source or "")
            self.handles.append((queue, message, one["ReceiptHandle"], message.receives))

    @precondition(lambda self: self.handles)
    @rule(data=st.data(), count=st.integers(1, 3))
    def delete(self, data: st.DataObject, count: int) -> None:
        # The latest are drawn most: old ones mostly are of messages that are gone.
        queue = self.handles[-1 - data.draw(st.integers(0, 3)) % len(self.handles)][0]
        chosen = [each for each in self.handles if each[0] is queue][-count - 2 :][:count]
        entries = [
            {"Id": str(at), "ReceiptHandle": handle} for at, (_, _, handle, _) in enumerate(chosen)
        ]
        answer = self.call("DeleteMessageBatch", queue, Entries=entries)
        failed = {one["Id"] for one in answer.get("Failed", ())}
        for at, (_, message, _, receives) in enumerate(chosen):
            there = message in queue.messages
            current = message.in_flight(self.now_s) and message.receives == receives
            fails = there and queue.is_fifo and not current
            assert (str(at) in failed) == fails
            if there and not fails:
                queue.remove(message)

    @precondition(lambda self: self.handles)
    @rule(back=st.integers(0, 5), visibility_s=TIMEOUTS)
    def change_visibility(self, back: int, visibility_s: int) -> None:
        queue, message, handle, receives = self.handles[-1 - back % len(self.handles)]
        there = message in queue.messages
        works = there and message.in_flight(self.now_s)
        if queue.is_fifo:
            works = works and message.receives == receives
        entry = {"Id": "1", "ReceiptHandle": handle, "VisibilityTimeout": visibility_s}
        answer = self.call("ChangeMessageVisibilityBatch", queue, Entries=[entry])
        if works:
            assert answer == {"Successful": [{"Id": "1"}]}
            message.visible_at_s = self.now_s + visibility_s
            return
        refused = not there or queue.is_fifo
        code = "InvalidParameterValue" if refused else "AWS.SimpleQueueService.MessageNotInflight"
        assert [one["Code"] for one in answer["Failed"]] == [code]

    @rule(seconds=STEPS_S)
    def pass_time(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def sweep(self) -> None:
        self.runner.run(self.queues.messages.sweep())
        self.main.sweep(self.now_s)
        self.dead.sweep(self.now_s)

    @rule(limit=st.integers(1, 3))
    def move_back(self, limit: int) -> None:
        """A task moves the oldest dead letters to where they came from, under new ids."""
        messages, directory = self.queues.messages, self.queues.directory
        source = directory.of_arn_nowait(f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.dead.name}")
        assert source is not None
        moved, stuck = self.runner.run(
            self.queues.store.tx(lambda conn: messages.move_some(conn, source, None, limit))
        )
        assert not stuck
        assert moved == len(self.dead.move_oldest(self.main, limit, self.now_s))
        self.learn_ids()

    def learn_ids(self) -> None:
        """Those of messages that were moved are new, and known to nobody."""
        rows = self.runner.run(
            self.queues.store.read(
                lambda conn: conn.all("SELECT message_id, body FROM sqs_message")
            )
        )
        ids = {row["body"]: row["message_id"] for row in rows}
        for message in self.main.messages:
            message.message_id = ids[message.body]

    @rule()
    def restart(self) -> None:
        self.runner.run(self.queues.close())

        async def again() -> None:
            self.queues = await QueuesInProcess.open(Path(self.folder.name), self.clock)

        self.runner.run(again())

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        for queue in (self.main, self.dead):
            found = self.queues.directory.of_arn_nowait(
                f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue.name}"
            )
            assert found is not None
            counts = self.runner.run(self.queues.messages.counts(found))
            expected = queue.counts(self.now_s)
            assert (counts.visible, counts.in_flight, counts.delayed) == expected

    def teardown(self) -> None:
        try:
            self.empty()
        finally:
            self.runner.run(self.queues.close())
            self.runner.close()
            self.folder.cleanup()

    def empty(self) -> None:
        """All that the model has can be had, and leaves nothing behind."""
        self.clock.advance(100)
        for queue in (self.main, self.dead):
            while expected := queue.receive(10, 30, self.now_s):
                answer = self.call(
                    "ReceiveMessage", queue, MaxNumberOfMessages=10, VisibilityTimeout=30
                )["Messages"]
                ids = [one["MessageId"] for one in answer]
                assert ids == [one.message_id for one in expected]
                for at, one in enumerate(answer):
                    self.call("DeleteMessage", queue, ReceiptHandle=one["ReceiptHandle"])
                    queue.remove(expected[at])
            assert not self.call("ReceiveMessage", queue)
        self.clock.advance(2 * RETENTION_S)
        self.runner.run(self.queues.messages.sweep())
        tables = ("message", "group", "payload", "deduplication")
        for table in tables:
            query = f"SELECT count(*) AS n FROM sqs_{table}"
            row = self.runner.run(self.queues.store.read(lambda conn, q=query: conn.one(q)))
            assert row == {"n": 0}, table


class FifoQueues(Queues):
    """The same with FIFO queues."""

    kind = "fifo"


class FifoQueuesWithWindows(Queues):
    """The same where each message group has a window of duplicates of its own."""

    kind = "fifo"
    scope = "messageGroup"


FEW = settings(max_examples=12, stateful_step_count=25, deadline=None)

TestStandard = Queues.TestCase
TestStandard.settings = FEW
TestFifo = FifoQueues.TestCase
TestFifo.settings = FEW
TestFifoPerGroup = FifoQueuesWithWindows.TestCase
TestFifoPerGroup.settings = settings(max_examples=4, stateful_step_count=25, deadline=None)
