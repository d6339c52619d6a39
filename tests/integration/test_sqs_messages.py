"""Messages over a real store: waiting, limits, dead letters, what is seen of a message, purge."""

import asyncio
import dataclasses
import json

import pytest

from alonzo.lib.clock import ManualClock, SystemClock
from alonzo.model.context import Principal
from alonzo.model.errors import AwsError
from alonzo.services.sqs import records
from alonzo.services.sqs.messages import counting, limits
from alonzo.testing.sqs_messages import ACCOUNT, CONTEXT, REGION, QueuesInProcess

FIFO = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}


def run(tmp_path, scenario, clock=None):
    async def main():
        queues = await QueuesInProcess.open(tmp_path, clock or ManualClock())
        try:
            async with asyncio.timeout(20):
                await scenario(queues)
        finally:
            await queues.close()

    asyncio.run(main())


async def receive(queues, name, count=10, **params):
    answer = await queues.call("ReceiveMessage", name, MaxNumberOfMessages=count, **params)
    return answer.get("Messages", [])


async def refusal(call):
    with pytest.raises(AwsError) as refused:
        await call
    return refused.value.code, refused.value.message


async def until_waiting(queues, queue, count):
    bells = queues.messages.waiting._bells

    while queue.id not in bells or len(bells[queue.id].waiters) < count:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0)


async def reading_nothing(queues, count, call):
    """How many units of work the store does during a call."""
    done = 0
    store = queues.messages.store
    tx = store.tx

    async def counted(work):
        nonlocal done
        done += 1
        return await tx(work)

    store.tx = counted
    try:
        await call
    finally:
        del store.tx
    assert done == count


def test_a_message_wakes_one_waiting_receive_at_once(tmp_path):
    async def scenario(queues):
        queue = await queues.make("q")
        waits = [asyncio.ensure_future(receive(queues, "q", WaitTimeSeconds=20)) for _ in range(50)]
        await until_waiting(queues, queue, 50)
        claims = 0
        claim = queues.messages.claims.claim

        def counted(conn, ask):
            nonlocal claims
            claims += 1
            return claim(conn, ask)

        queues.messages.claims.claim = counted
        for at in range(3):
            await queues.call("SendMessage", "q", MessageBody=str(at))
            done, waiting = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            assert [one["Body"] for each in done for one in each.result()] == [str(at)]
            waits = list(waiting)
        assert claims == 3
        queues.messages.end_waits()
        assert await asyncio.gather(*waits) == [[]] * 47

    run(tmp_path, scenario)


def test_many_messages_at_once_reach_all_who_wait(tmp_path):
    async def scenario(queues):
        queue = await queues.make("q")
        waits = [
            asyncio.ensure_future(receive(queues, "q", 1, WaitTimeSeconds=20)) for _ in range(10)
        ]
        await until_waiting(queues, queue, 10)
        entries = [{"Id": str(at), "MessageBody": str(at)} for at in range(10)]
        await queues.call("SendMessageBatch", "q", Entries=entries)
        found = [one["Body"] for each in await asyncio.gather(*waits) for one in each]
        assert sorted(found) == [str(at) for at in range(10)]

    run(tmp_path, scenario)


def test_an_empty_queue_is_asked_once(tmp_path):
    async def scenario(queues):
        await queues.make("q")
        assert await receive(queues, "q") == []
        await reading_nothing(queues, 0, receive(queues, "q"))
        await queues.call("SendMessage", "q", MessageBody="b")
        assert len(await receive(queues, "q")) == 1
        await reading_nothing(queues, 0, receive(queues, "q"))

    run(tmp_path, scenario)


def test_the_end_of_a_timeout_wakes_who_waits(tmp_path):
    async def scenario(queues):
        await queues.make("q")
        await queues.call("SendMessage", "q", MessageBody="b", DelaySeconds=1)
        (first,) = await receive(queues, "q", VisibilityTimeout=1, WaitTimeSeconds=10)
        (again,) = await receive(queues, "q", WaitTimeSeconds=10, AttributeNames=["All"])
        assert again["MessageId"] == first["MessageId"]
        assert again["Attributes"]["ApproximateReceiveCount"] == "2"

    run(tmp_path, scenario, SystemClock())


def test_giving_a_message_up_wakes_who_waits(tmp_path):
    async def scenario(queues):
        for name, attributes in (("q", {}), ("q.fifo", FIFO)):
            queue = await queues.make(name, attributes)
            group = {"MessageGroupId": "g"} if queue.is_fifo else {}
            for body in "ab":
                await queues.call("SendMessage", name, MessageBody=body, **group)
            messages = await receive(queues, name, 2)
            waits = asyncio.ensure_future(receive(queues, name, WaitTimeSeconds=20))
            await until_waiting(queues, queue, 1)
            await queues.call("DeleteMessage", name, ReceiptHandle=messages[0]["ReceiptHandle"])
            await queues.call(
                "ChangeMessageVisibility",
                name,
                ReceiptHandle=messages[1]["ReceiptHandle"],
                VisibilityTimeout=0,
            )
            assert [one["Body"] for one in await waits] == [messages[1]["Body"]]

    run(tmp_path, scenario)


def test_a_wait_ends_with_its_time_with_the_platform_and_with_its_queue(tmp_path):
    async def scenario(queues):
        queue = await queues.make("q")
        assert await receive(queues, "q", WaitTimeSeconds=1) == []
        gone = asyncio.ensure_future(receive(queues, "q", WaitTimeSeconds=20))
        await until_waiting(queues, queue, 1)
        await queues.directory.change(
            lambda unit: (unit.touch(queue.id), unit.conn.execute("DELETE FROM sqs_queue"))
        )
        assert (await refusal(gone))[0] == "QueueDoesNotExist"
        other = await queues.make("r")
        waits = asyncio.ensure_future(receive(queues, "r", WaitTimeSeconds=20))
        await until_waiting(queues, other, 1)
        queues.messages.end_waits()
        assert await waits == []
        assert await receive(queues, "r", WaitTimeSeconds=20) == []

    run(tmp_path, scenario, SystemClock())


def test_a_receive_that_is_given_up_leaves_its_turn_to_the_next(tmp_path):
    async def scenario(queues):
        queue = await queues.make("q")
        first = asyncio.ensure_future(receive(queues, "q", WaitTimeSeconds=20))
        await until_waiting(queues, queue, 1)
        second = asyncio.ensure_future(receive(queues, "q", WaitTimeSeconds=20))
        await until_waiting(queues, queue, 2)
        first.cancel()
        await queues.call("SendMessage", "q", MessageBody="b")
        assert len(await second) == 1
        assert first.cancelled()

    run(tmp_path, scenario)


def test_a_message_shows_what_was_sent_and_who_sent_it(tmp_path):
    attributes = {
        "text": {"DataType": "String", "StringValue": "ä"},
        "raw": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
    }
    service = Principal(ACCOUNT, "", "", "", service="sns.amazonaws.com")
    sender = dataclasses.replace(CONTEXT, principal=service, trace_header="Root=1-2")

    async def scenario(queues):
        await queues.make("q")
        sent = await queues.call(
            "SendMessage",
            "q",
            context=sender,
            MessageBody="b" * 1_000_000,
            MessageAttributes=attributes,
            MessageGroupId="tenant",
        )
        (one,) = await receive(
            queues, "q", MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]
        )
        assert one["Body"] == "b" * 1_000_000
        assert one["MD5OfBody"] == sent["MD5OfMessageBody"]
        assert one["MessageAttributes"] == attributes
        assert one["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
        now = str(int(queues.clock.now_s() * 1000))
        assert one["Attributes"] == {
            "SenderId": "sns.amazonaws.com",
            "SentTimestamp": now,
            "ApproximateReceiveCount": "1",
            "ApproximateFirstReceiveTimestamp": now,
            "MessageGroupId": "tenant",
            "AWSTraceHeader": "Root=1-2",
        }
        await queues.call("DeleteMessage", "q", ReceiptHandle=one["ReceiptHandle"])
        left = await queues.store.read(lambda conn: conn.all("SELECT id FROM sqs_payload"))
        assert left == []
        code, message = await refusal(receive(queues, "q", AttributeNames=["Nope"]))
        assert (code, message) == ("InvalidAttributeName", "Unknown Attribute Nope.")

    run(tmp_path, scenario)


def test_entries_of_a_batch_fail_alone(tmp_path):
    async def scenario(queues):
        await queues.make("q")
        answer = await queues.call(
            "SendMessageBatch",
            "q",
            Entries=[
                {"Id": "good", "MessageBody": "b"},
                {"Id": "slow", "MessageBody": "b", "DelaySeconds": 901},
                {"Id": "bad", "MessageBody": "\x00"},
            ],
        )
        assert [one["Id"] for one in answer["Successful"]] == ["good"]
        failed = [(one["Id"], one["Code"], one["SenderFault"]) for one in answer["Failed"]]
        assert failed == [
            ("slow", "InvalidParameterValue", True),
            ("bad", "InvalidMessageContents", True),
        ]
        large = [{"Id": str(at), "MessageBody": "b" * 524_289} for at in range(2)]
        code, _ = await refusal(queues.call("SendMessageBatch", "q", Entries=large))
        assert code == "BatchRequestTooLong"
        answer = await queues.call(
            "DeleteMessageBatch", "q", Entries=[{"Id": "a", "ReceiptHandle": "nonsense"}]
        )
        assert answer["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"

    run(tmp_path, scenario)


def test_too_many_in_flight_is_an_error_for_one_kind_and_nothing_for_the_other(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(limits, "IN_FLIGHT_MAX", 3)

    async def scenario(queues):
        for name, attributes in (("q", {}), ("q.fifo", FIFO)):
            queue = await queues.make(name, attributes)
            for at in range(5):
                group = {"MessageGroupId": str(at)} if queue.is_fifo else {}
                await queues.call("SendMessage", name, MessageBody=str(at), **group)
            found = await receive(queues, name)
            assert len(found) == 3
            if queue.is_fifo:
                assert await receive(queues, name) == []
            else:
                assert (await refusal(receive(queues, name)))[0] == "OverLimit"
            await queues.call("DeleteMessage", name, ReceiptHandle=found[0]["ReceiptHandle"])
            queues.clock.advance(1)
            assert len(await receive(queues, name)) == 1

    run(tmp_path, scenario)


def test_the_same_attempt_gets_the_same_messages(tmp_path):
    async def scenario(queues):
        await queues.make("q.fifo", FIFO)
        for body in "ab":
            await queues.call("SendMessage", "q.fifo", MessageBody=body, MessageGroupId="g")
        first = await receive(queues, "q.fifo", 1, ReceiveRequestAttemptId="x")
        queues.clock.advance(20)
        assert await receive(queues, "q.fifo", ReceiveRequestAttemptId="y") == []
        again = await receive(queues, "q.fifo", 1, ReceiveRequestAttemptId="x")
        assert again == first
        # The timeout of 30 s began anew.
        queues.clock.advance(20)
        handle = {"ReceiptHandle": again[0]["ReceiptHandle"]}
        await queues.call("DeleteMessage", "q.fifo", **handle)
        other = await receive(queues, "q.fifo", 1, ReceiveRequestAttemptId="x")
        assert [one["Body"] for one in other] == ["b"]

    run(tmp_path, scenario)


def test_a_timeout_ends_twelve_hours_after_the_receive_at_the_latest(tmp_path):
    async def scenario(queues):
        await queues.make("q")
        await queues.call("SendMessage", "q", MessageBody="b")
        (one,) = await receive(queues, "q", VisibilityTimeout=43_000)
        queues.clock.advance(1000)
        change = {"ReceiptHandle": one["ReceiptHandle"]}
        _, message = await refusal(
            queues.call("ChangeMessageVisibility", "q", VisibilityTimeout=42_201, **change)
        )
        assert "beyond the limit [43200 seconds]" in message
        await queues.call("ChangeMessageVisibility", "q", VisibilityTimeout=42_200, **change)
        queues.clock.advance(42_200)
        code, _ = await refusal(
            queues.call("ChangeMessageVisibility", "q", VisibilityTimeout=1, **change)
        )
        assert code == "MessageNotInflight"

    run(tmp_path, scenario)


def test_messages_stay_where_the_dead_letter_queue_is_gone(tmp_path):
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:no-such-queue"
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})}

    async def scenario(queues):
        await queues.make("q", redrive)
        await queues.call("SendMessage", "q", MessageBody="b")
        for _ in range(3):
            assert len(await receive(queues, "q", VisibilityTimeout=0)) == 1

    run(tmp_path, scenario)


def test_purge_takes_what_was_sent_before_and_nothing_else(tmp_path):
    async def scenario(queues):
        for name, attributes in (("q", {}), ("q.fifo", FIFO)):
            queue = await queues.make(name, attributes)
            group = {"MessageGroupId": "g"} if queue.is_fifo else {}
            for at in range(120):
                entries = [{"Id": str(n), "MessageBody": f"{at} {n}", **group} for n in range(10)]
                await queues.call("SendMessageBatch", name, Entries=entries)
            await receive(queues, name)
            await queues.messages.purge(queue)
            counts = await queues.messages.counts(queue)
            assert (counts.visible, counts.in_flight, counts.delayed) == (0, 0, 0)
            await queues.call("SendMessage", name, MessageBody="new", **group)
            assert [one["Body"] for one in await receive(queues, name)] == ["new"]

    run(tmp_path, scenario)


def test_a_thousand_groups_are_received_side_by_side_and_each_in_order(tmp_path):
    async def scenario(queues):
        await queues.make("q.fifo", FIFO)
        for number in range(3):
            for first in range(0, 1000, 10):
                entries = [
                    {"Id": str(at), "MessageBody": f"{at} {number}", "MessageGroupId": str(at)}
                    for at in range(first, first + 10)
                ]
                await queues.call("SendMessageBatch", "q.fifo", Entries=entries)
        seen = {}

        async def consume():
            while found := await receive(queues, "q.fifo", 3):
                groups = {one["Body"].split(" ")[0] for one in found}
                for one in found:
                    group, number = one["Body"].split(" ")
                    seen.setdefault(group, []).append(int(number))
                    await queues.call("DeleteMessage", "q.fifo", ReceiptHandle=one["ReceiptHandle"])
                assert len(groups) == 1

        await asyncio.gather(*(consume() for _ in range(16)))
        assert seen == {str(at): [0, 1, 2] for at in range(1000)}

    run(tmp_path, scenario)


def test_what_lies_behind_a_delayed_message_of_its_group_waits_for_it(tmp_path):
    async def scenario(queues):
        queue = await queues.make("q.fifo", FIFO)

        async def send(body, delay_s):
            attributes = {**FIFO, "DelaySeconds": str(delay_s)}

            def work(unit):
                unit.touch(queue.id)
                records.save_attributes(unit.conn, queue.id, attributes, queues.clock.now_s())

            await queues.directory.change(work)
            await queues.call("SendMessage", "q.fifo", MessageBody=body, MessageGroupId="g")

        await send("first", 0)
        await send("delayed", 30)
        await send("behind", 0)
        found = await receive(queues, "q.fifo")
        assert [one["Body"] for one in found] == ["first"]
        await queues.call("DeleteMessage", "q.fifo", ReceiptHandle=found[0]["ReceiptHandle"])
        assert await receive(queues, "q.fifo") == []
        queues.clock.advance(30)
        found = await receive(queues, "q.fifo")
        assert [one["Body"] for one in found] == ["delayed", "behind"]

    run(tmp_path, scenario)


def test_a_long_queue_is_not_counted_at_every_call_and_comes_true(tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "SHORT_MAX", 3)
    monkeypatch.setattr(counting, "_MESSAGES_PER_S", 1)

    async def scenario(queues):
        queue = await queues.make("q")
        store, counts = queues.messages.store, queues.messages.counts
        reads, read = [], store.read

        async def counted(work):
            reads.append(1)
            return await read(work)

        monkeypatch.setattr(store, "read", counted)

        async def visible(**more):
            reads.clear()
            return (await counts(queue, **more)).visible, len(reads)

        for number in range(1, 4):
            await queues.call("SendMessage", "q", MessageBody="m")
            assert await visible() == (number, 1)
        await queues.call("SendMessage", "q", MessageBody="m")
        assert await visible() == (4, 1)
        await queues.call("SendMessage", "q", MessageBody="m")
        assert await visible() == (4, 0)
        assert await visible(exactly=True) == (5, 1)
        assert await visible() == (5, 0)
        await receive(queues, "q", 2)
        queues.messages.clock.advance(5)
        # Who asks while it is counted makes do with what is known.
        found = await asyncio.gather(counts(queue), counts(queue))
        assert [each.visible for each in found] == [3, 5]
        assert (await counts(queue)).in_flight == 2
        await queues.messages.purge(queue)
        assert await visible() == (0, 1)

    run(tmp_path, scenario)


def test_a_count_that_a_purge_has_overtaken_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "SHORT_MAX", 0)
    monkeypatch.setattr(counting, "_MESSAGES_PER_S", 1)

    async def scenario(queues):
        queue = await queues.make("q")
        await queues.call("SendMessage", "q", MessageBody="m")
        store, counts = queues.messages.store, queues.messages.counts
        read = store.read

        async def overtaken(work):
            found = await read(work)
            monkeypatch.setattr(store, "read", read)
            await queues.messages.purge(queue)
            return found

        monkeypatch.setattr(store, "read", overtaken)
        assert (await counts(queue)).visible == 1
        assert (await counts(queue)).visible == 0

    run(tmp_path, scenario)
