"""What is peculiar to mappings of queues: hiding, back-off, windows, concurrency, loops."""

import asyncio
import json

from alonzo.eventsources.calls import Held
from alonzo.eventsources.queues import READERS_MAX
from alonzo.model.errors import AwsError
from alonzo.model.event_sources import FunctionFacts
from alonzo.testing.memory_queue import MemoryQueue
from alonzo.testing.poller_rig import THROTTLED, WAIT_S, at_work, bodies_of, fill
from alonzo.testing.worlds import QueueWorld

LOOP = AwsError("RecursiveInvocationException", "a loop")


def run(main):
    asyncio.run(asyncio.wait_for(main(), WAIT_S))


def facts(**values):
    return FunctionFacts("arn:aws:iam::123456789012:role/r", **{"timeout_s": 1, **values})


def test_a_throttled_batch_is_left_before_its_messages_are_seen_again():
    async def main():
        world = QueueWorld()
        world.queue.visibility_s = 2
        async with at_work(world) as rig:
            rig.facts_now = facts(timeout_s=2)
            rig.refusals += [THROTTLED]
            await world.put("g0/000")
            # No call would end in time any more, so there is one try, and the queue shows it again.
            await rig.until(lambda: world.queue.calls.count("ReceiveMessage") == 2)
            assert (rig.tries, rig.handled) == (1, [])
            await world.show_again()
            await rig.until_done()
            assert rig.handled == ["g0/000"]

    run(main)


def test_a_role_that_may_not_ask_for_the_timeout_gets_no_second_try():
    async def main():
        class Silent(MemoryQueue):
            async def _GetQueueAttributes(self, params):
                raise AwsError("AccessDenied", "no")

        world = QueueWorld()
        world.queue = world.calls = Silent()
        async with at_work(world) as rig:
            rig.refusals += [THROTTLED]
            await world.put("g0/000")
            await rig.until(lambda: world.queue.calls.count("ReceiveMessage") == 2)
            assert rig.tries == 1
            await world.show_again()
            await rig.until_done()

    run(main)


def test_an_idle_mapping_waits_in_one_long_poll():
    async def main():
        world = QueueWorld()
        async with at_work(world) as rig:
            await rig.until(lambda: "ReceiveMessage" in world.queue.calls)
            for _ in range(200):
                await asyncio.sleep(0)
            assert world.queue.calls == ["GetQueueAttributes", "ReceiveMessage"]

    run(main)


def test_no_more_batches_are_under_way_than_are_allowed():
    async def main():
        world = QueueWorld()
        many = asyncio.Event()

        async def wait(records):
            if rig.running.total() == 3:
                many.set()
            await many.wait()
            await asyncio.sleep(0.001)

        await fill(world, bodies_of(10, 4))
        async with at_work(
            world, wait, BatchSize=1, ScalingConfig={"MaximumConcurrency": 3}
        ) as rig:
            await rig.until_done()
            assert rig.at_once_max == 3

    run(main)


def test_nothing_is_read_beyond_what_the_function_has_reserved():
    async def main():
        world = QueueWorld()

        async def tarry(records):
            await asyncio.sleep(0.002)

        await fill(world, bodies_of(6, 4))
        async with at_work(world, tarry, BatchSize=1) as rig:
            rig.facts_now = facts(reserved=2)
            await rig.until_done()
            assert rig.at_once_max <= 2
            assert rig.tries == 24

    run(main)


def test_no_more_is_read_than_fits_into_memory_beside_what_is_under_way():
    async def main():
        world = QueueWorld()

        async def tarry(records):
            await asyncio.sleep(0.002)

        await fill(world, [f"g{number}/{'x' * 1000}" for number in range(30)])
        pollers = {"MinimumPollers": 2, "MaximumPollers": 2}
        async with at_work(
            world, tarry, held=Held(2000), BatchSize=1, ProvisionedPollerConfig=pollers
        ) as rig:
            await rig.until_done()
            # Of the 20 that it may have. Each is longer than 1,000 bytes: two of them are enough,
            # but for those that are being read meanwhile.
            assert rig.tries == 30
            assert 2 <= rig.at_once_max <= 2 + READERS_MAX
        # With no room at all each mapping still reads, one batch at a time.
        await fill(world, [f"g{number}/{'x' * 1000}" for number in range(3)])
        async with at_work(world, tarry, held=Held(0), BatchSize=1) as rig:
            await rig.until_done()
            assert (rig.tries, rig.at_once_max) == (3, 1)

    run(main)


def test_a_window_collects_from_several_receives():
    async def main():
        world = QueueWorld()
        async with at_work(world, BatchSize=25, MaximumBatchingWindowInSeconds=1) as rig:
            await fill(world, bodies_of(5, 4))
            await rig.until_done()
            await fill(world, bodies_of(5, 7))
            await rig.until_done()
            assert [len(call) for call in rig.calls] == [20, 25, 10]

    run(main)


def test_what_was_read_is_called_though_the_next_read_fails():
    async def main():
        world = QueueWorld()

        async def forgive(records):
            world.fail(None)

        async with at_work(world, forgive, BatchSize=25, MaximumBatchingWindowInSeconds=2) as rig:
            await fill(world, bodies_of(1, 3))
            await rig.until(lambda: world.queue.calls.count("ReceiveMessage") == 2)
            world.fail(AwsError("AccessDenied", "no"))
            await rig.until_done()
            assert [len(call) for call in rig.calls] == [3]

    run(main)


def test_deletes_that_fail_are_tried_again():
    async def main():
        world = QueueWorld()
        world.queue.refused_deletes = 2
        async with at_work(world) as rig:
            await world.put("g0/000")
            await rig.until_done()
            assert rig.handled == ["g0/000"]
            assert world.queue.calls.count("DeleteMessageBatch") == 3

    run(main)


def header(runs):
    return f"Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=1:a84cdf6d:{runs}"


def test_a_stopped_loop_takes_no_other_message_with_it():
    async def main():
        world = QueueWorld()
        for name, runs in (("a/0", 3), ("b/0", 16), ("c/0", None), ("d/0", 16)):
            trace = {} if runs is None else {"AWSTraceHeader": header(runs)}
            world.queue.put(name, **trace)
        async with at_work(world) as rig:
            rig.refusals += [LOOP]
            await rig.until(lambda: len(world.queue.left()) == 2)
            assert rig.calls == [["a/0", "c/0"]]
            assert rig.traces == [header(3)]
            assert world.queue.left() == ["b/0", "d/0"]

    run(main)


def test_in_a_fifo_queue_what_follows_a_failure_waits_though_it_is_in_another_batch():
    async def main():
        world = QueueWorld(fifo=True)
        failed = []

        async def fail_once(records):
            bodies = [record["body"] for record in records]
            if not failed and any(body.startswith("g0/000") for body in bodies):
                failed.extend(bodies)
                raise ValueError

        long = "x" * 700
        for body in (f"g0/000{long}", f"g1/000{long}", f"g0/001{long}", f"g2/000{long}"):
            await world.put(body, body[:2])
        # One receive, two batches: the second has a message that must not overtake.
        async with at_work(world, fail_once, BatchSize=10, payload_bytes_max=2600) as rig:
            await rig.until(lambda: len(rig.calls) == 2 and not rig.running)
            assert [[body[:6] for body in call] for call in rig.calls] == [
                ["g0/000", "g1/000"],
                ["g2/000"],
            ]
            await rig.until_done(again=True)
            order = [body[:6] for body in rig.handled if body.startswith("g0")]
            assert order == ["g0/000", "g0/000", "g0/001"]

    run(main)


def test_the_event_is_as_aws_documents_it():
    async def main():
        world = QueueWorld()
        seen = []

        async def keep(records):
            seen.extend(records)

        async with at_work(world, keep) as rig:
            world.queue.put("text", SenderId="AIDA", AWSTraceHeader="Root=1-0-0")
            await rig.until_done()
        assert json.loads(json.dumps(seen)) == [
            {
                "messageId": "m-1",
                "receiptHandle": "m-1/1",
                "body": "text",
                "attributes": {
                    "SenderId": "AIDA",
                    "AWSTraceHeader": "Root=1-0-0",
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1795168800000",
                },
                "messageAttributes": {},
                "md5OfBody": "0" * 32,
                "eventSource": "aws:sqs",
                "eventSourceARN": world.source_arn,
                "awsRegion": "eu-west-1",
            }
        ]

    run(main)


def test_kinds_without_a_poller_are_left_alone():
    async def main():
        world = QueueWorld()
        world.kind = "kinesis"
        async with at_work(world) as rig:
            assert len(rig.engine) == 0
            await rig.stop()

    run(main)


def test_the_memory_queue_blocks_groups_as_sqs_does():
    """The fake would show nothing of FIFO if it did not."""

    async def main():
        queue = MemoryQueue(fifo=True)
        for body in ("g0/0", "g0/1", "g1/0"):
            queue.put(body, body[:2])
        take = {"MaxNumberOfMessages": 1, "WaitTimeSeconds": 0}
        taken = [(await queue._ReceiveMessage(take)).get("Messages") for _ in range(3)]
        assert [messages and messages[0]["Body"] for messages in taken] == ["g0/0", "g1/0", None]

    run(main)


def test_messages_that_are_filtered_out_do_not_pile_up_where_nobody_may_delete():
    async def main():
        world = QueueWorld()
        world.queue.refused_deletes = 1_000_000
        await fill(world, bodies_of(60, 10))
        none = {"Filters": [{"Pattern": '{"body": ["wanted"]}'}]}
        async with at_work(world, FilterCriteria=none) as rig:
            await rig.until(lambda: world.queue.calls.count("DeleteMessageBatch") >= 30)
            # Eight deletes are tried again and again; nothing is read beyond them.
            assert world.queue.calls.count("ReceiveMessage") < 20

    run(main)
