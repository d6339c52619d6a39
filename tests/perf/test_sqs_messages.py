"""Queues of messages drain as fast with 100,000 waiting as with 1,000, and wake who waits at once.

In this process, without the edge: what the store and the rules of SQS cost. Compared is the time of
the processor, which other work on the host disturbs least.
"""

import asyncio
import statistics
import time

import pytest

from alonzo.lib.clock import SystemClock
from alonzo.testing.sqs_messages import QueuesInProcess

WAITING = (1_000, 10_000, 100_000)
CLIENTS = 16
#: How much more a message may cost with the longest queue than with the shortest.
DEARER_MAX = 1.5
#: Of sending a message until a receive that waits has it, in the middle; a commit each.
WAKE_MS_MAX = 25.0

FIFO = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}


async def send(queues, name, client, count):
    for first in range(0, count, 10):
        entries = [{"Id": str(at), "MessageBody": f"{client} {first + at}"} for at in range(10)]
        if name.endswith(".fifo"):
            for at, entry in enumerate(entries):
                entry["MessageGroupId"] = str((client * 61 + first + at) % 1000)
        await queues.call("SendMessageBatch", name, Entries=entries)


async def drain(queues, name):
    count = 0
    while True:
        answer = await queues.call("ReceiveMessage", name, MaxNumberOfMessages=10)
        found = answer.get("Messages")
        if not found:
            return count
        count += len(found)
        entries = [
            {"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]} for at, one in enumerate(found)
        ]
        await queues.call("DeleteMessageBatch", name, Entries=entries)


async def measured(what, work):
    wall_s, processor_s = time.perf_counter(), time.process_time()
    count = sum(await work)
    wall_s, processor_s = time.perf_counter() - wall_s, time.process_time() - processor_s
    print(f"{what:>24}: {count / wall_s:8.0f}/s, {processor_s / count * 1e6:5.1f} us each")
    return processor_s / count


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["q", "q.fifo"])
def test_the_cost_of_a_message_does_not_grow_with_the_queue(tmp_path, name):
    async def main():
        queues = await QueuesInProcess.open(tmp_path, SystemClock())
        await queues.make(name, FIFO if name.endswith(".fifo") else {})
        costs = []
        for number, waiting in enumerate(WAITING):
            each = waiting // CLIENTS // 10 * 10

            async def fill(client, each=each):
                await send(queues, name, client, each)
                return each

            clients = [number * CLIENTS + client for client in range(CLIENTS)]
            await measured(f"send {each * CLIENTS}", asyncio.gather(*map(fill, clients)))
            drains = asyncio.gather(*(drain(queues, name) for _ in clients))
            costs.append(await measured(f"drain {each * CLIENTS}", drains))
        await queues.close()
        return costs

    shortest, *_, longest = asyncio.run(main())
    assert longest <= shortest * DEARER_MAX


@pytest.mark.timeout(120)
def test_a_message_wakes_a_receive_at_once(tmp_path):
    async def main():
        queues = await QueuesInProcess.open(tmp_path, SystemClock())
        await queues.make("q")
        times_ms = []
        for _ in range(200):
            receive = asyncio.ensure_future(queues.call("ReceiveMessage", "q", WaitTimeSeconds=20))
            await asyncio.sleep(0.002)
            begun_s = time.perf_counter()
            await queues.call("SendMessage", "q", MessageBody="b")
            assert (await receive)["Messages"]
            times_ms.append((time.perf_counter() - begun_s) * 1000)
        await queues.close()
        return sorted(times_ms)

    times_ms = asyncio.run(main())
    print(f"send to receive: p50 {statistics.median(times_ms):.2f} ms, p99 {times_ms[197]:.2f} ms")
    assert statistics.median(times_ms) <= WAKE_MS_MAX
