"""Queues over a real store: tasks at their pace, what deleted queues leave, policies at once."""

import asyncio
import json
from dataclasses import replace

import pytest

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.model.errors import AwsError
from alonzo.services.sqs import api
from alonzo.services.sqs.api import Queues
from alonzo.services.sqs.records import Q
from alonzo.store.sqlite import SqliteStore
from alonzo.testing.sqs_messages import ACCOUNT, CONTEXT, REGION

ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}"


class World:
    """All of SQS but for keys. ``call`` calls an operation."""

    def __init__(self, store, clock):
        self.clock = clock
        self.store = store
        self.queues = Queues(store, None, clock=clock, ids=SystemIds())
        self.operations = api.operations(self.queues)

    async def call(self, operation, **params):
        return await self.operations[operation](CONTEXT, params)

    async def make(self, name, **attributes):
        await self.call("CreateQueue", QueueName=name, Attributes=attributes)

    async def send(self, name, *texts, **more):
        for text in texts:
            await self.call("SendMessage", QueueUrl=name, MessageBody=text, **more)

    async def count(self, name):
        queue = self.queues.directory.of_url_nowait(CONTEXT, name)
        return (await self.queues.messages.counts(queue)).visible

    async def bury(self, *texts):
        """A queue ``live`` whose messages are in its dead-letter queue ``dead``."""
        await self.make("dead")
        redrive = json.dumps({"deadLetterTargetArn": f"{ARN}:dead", "maxReceiveCount": 1})
        await self.make("live", RedrivePolicy=redrive, VisibilityTimeout="0")
        await self.send("live", *texts)
        for _ in range(2 * len(texts)):
            await self.call("ReceiveMessage", QueueUrl="live", MaxNumberOfMessages=10)
            self.clock.advance(0.01)
        assert await self.count("dead") == len(texts)

    async def task(self):
        (found,) = (await self.call("ListMessageMoveTasks", SourceArn=f"{ARN}:dead"))["Results"]
        return found["Status"], found["ApproximateNumberOfMessagesMoved"]


def run(folder, scenario):
    async def main():
        clock = ManualClock()
        store = await SqliteStore.open(folder / "a.db", clock=clock)
        world = World(store, clock)
        try:
            await world.queues.open()
            await scenario(world)
        finally:
            world.queues.close()
            await store.close()

    asyncio.run(main())


def test_a_task_keeps_to_its_rate(tmp_path):
    async def scenario(world):
        await world.bury("a", "b", "c", "d", "e")
        start = {"SourceArn": f"{ARN}:dead", "MaxNumberOfMessagesPerSecond": 2}
        await world.call("StartMessageMoveTask", **start)
        assert await world.queues.mover.step() == pytest.approx(0.5)
        assert await world.task() == ("RUNNING", 0)
        world.clock.advance(1.1)
        await world.queues.mover.step()
        assert await world.task() == ("RUNNING", 2)
        world.clock.advance(0.3)
        assert await world.queues.mover.step() == pytest.approx(0.1, abs=0.01)
        assert await world.task() == ("RUNNING", 2)
        world.clock.advance(9)
        await world.queues.mover.step()
        assert await world.task() == ("COMPLETED", 5)
        assert await world.count("live") == 5

    run(tmp_path, scenario)


def test_what_fails_again_is_not_moved_again_by_the_same_task(tmp_path):
    async def scenario(world):
        await world.bury("a")
        await world.call("StartMessageMoveTask", SourceArn=f"{ARN}:dead")
        await world.queues.mover.step()
        assert await world.task() == ("COMPLETED", 1)
        for _ in range(2):
            await world.call("ReceiveMessage", QueueUrl="live")
            world.clock.advance(0.01)
        await world.queues.mover.step()
        assert await world.count("dead") == 1

    run(tmp_path, scenario)


def test_a_task_whose_target_is_gone_or_unknown_fails(tmp_path):
    async def scenario(world):
        await world.bury("a")
        await world.make("other")
        arns = {"SourceArn": f"{ARN}:dead", "DestinationArn": f"{ARN}:other"}
        await world.call("StartMessageMoveTask", **arns)
        await world.call("DeleteQueue", QueueUrl="other")
        await world.queues.mover.step()
        answer = await world.call("ListMessageMoveTasks", SourceArn=f"{ARN}:dead")
        assert answer["Results"][0]["FailureReason"] == "AWS.SimpleQueueService.NonExistentQueue"
        # What was sent to the dead-letter queue itself came from nowhere.
        await world.call("PurgeQueue", QueueUrl="dead")
        world.clock.advance(0.01)
        await world.send("dead", "stray")
        await world.call("StartMessageMoveTask", SourceArn=f"{ARN}:dead")
        await world.queues.mover.step()
        answer = await world.call("ListMessageMoveTasks", SourceArn=f"{ARN}:dead", MaxResults=10)
        assert len(answer["Results"]) == 2
        assert {each["Status"] for each in answer["Results"]} == {"FAILED"}
        reasons = {each["FailureReason"] for each in answer["Results"]}
        assert "CouldNotDetermineMessageSource" in reasons

    run(tmp_path, scenario)


def test_of_many_tasks_the_last_ten_are_remembered(tmp_path):
    async def scenario(world):
        await world.bury("a")
        for _ in range(12):
            world.clock.advance(1)
            await world.call("StartMessageMoveTask", SourceArn=f"{ARN}:dead")
            await world.queues.mover.step()
        everything = {"SourceArn": f"{ARN}:dead", "MaxResults": 10}
        assert len((await world.call("ListMessageMoveTasks", **everything))["Results"]) == 10
        kept = await world.store.read(lambda conn: conn.all("SELECT id FROM sqs_move_task"))
        assert len(kept) <= 11

    run(tmp_path, scenario)


def test_what_a_deleted_queue_leaves_goes_piece_by_piece(tmp_path):
    async def scenario(world):
        await world.make("q")
        await world.make("q2")
        await world.send("q", *map(str, range(30)))
        await world.send("q2", "stays")
        await world.call("DeleteQueue", QueueUrl="q")
        await world.queues.sweeper.sweep()

        async def rows(table):
            return len(await world.store.read(lambda conn: conn.all(f"SELECT id FROM {table}")))

        assert await rows("sqs_message") == 1
        # A message that came with the deletion is found too.
        assert await rows("sqs_deleted_queue") == 1
        world.clock.advance(600)
        await world.queues.sweeper.sweep()
        assert await rows("sqs_deleted_queue") == 0
        assert await world.count("q2") == 1

    run(tmp_path, scenario)


def test_an_id_is_never_used_again(tmp_path):
    async def scenario(world):
        seen = []
        for _ in range(3):
            await world.make("q")
            seen.append(world.queues.directory.of_url_nowait(CONTEXT, "q").id)
            await world.call("DeleteQueue", QueueUrl="q")
            await world.store.tx(
                lambda conn: conn.execute(Q.forget_deleted_queue, {"id": seen[-1]})
            )
        assert len(set(seen)) == 3

    run(tmp_path, scenario)


def test_a_policy_is_in_force_with_the_answer_and_gone_with_the_queue(tmp_path):
    async def scenario(world):
        directory = world.queues.directory
        await world.make("q")
        generation = directory.generation
        assert await directory.find(f"{ARN}:q") is None
        share = {"Label": "l", "AWSAccountIds": ["111111111111"], "Actions": ["SendMessage"]}
        await world.call("AddPermission", QueueUrl="q", **share)
        assert (await directory.find(f"{ARN}:q")).allows
        assert directory.generation > generation
        await world.call("DeleteQueue", QueueUrl="q")
        assert await directory.find(f"{ARN}:q") is None

    run(tmp_path, scenario)


def test_another_account_cannot_set_a_queue_whatever_its_policy_says(tmp_path):
    async def scenario(world):
        await world.make("q")
        other = f"http://h/{ACCOUNT}/q"
        stranger = replace(CONTEXT, account="111111111111")
        for operation, more in (
            ("DeleteQueue", {}),
            ("SetQueueAttributes", {"Attributes": {}}),
            ("TagQueue", {"Tags": {"a": "b"}}),
            ("ListQueueTags", {}),
            ("RemovePermission", {"Label": "l"}),
        ):
            with pytest.raises(AwsError) as refused:
                await world.operations[operation](stranger, {"QueueUrl": other, **more})
            assert refused.value.code == "AccessDeniedException", operation

    run(tmp_path, scenario)
