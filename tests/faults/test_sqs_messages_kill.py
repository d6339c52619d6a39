"""Kills while messages come and go: none is lost, none comes twice, groups stay in order."""

import contextlib
import itertools
import random
import threading

import pytest
from botocore.exceptions import BotoCoreError, ClientError

#: What a call raises whose daemon is killed.
GONE = (BotoCoreError, ClientError, OSError)
GROUPS = 5


class Ledger:
    """What was acknowledged, and what came out, of a standard and a FIFO queue."""

    def __init__(self):
        self.numbers = itertools.count()
        self.sent = {"q": set(), "q.fifo": set()}
        self.found = {"q": {}, "q.fifo": {}}
        self.waiting = None

    def send(self, client, urls):
        """One batch to each queue; one that was not answered is sent once more, as it was."""
        if self.waiting is None:
            self.waiting = [next(self.numbers) for _ in range(5)]
        for name, url in urls.items():
            entries = [{"Id": str(n), "MessageBody": str(n)} for n in self.waiting]
            if name == "q.fifo":
                for entry, number in zip(entries, self.waiting, strict=True):
                    group = str(number % GROUPS)
                    entry |= {"MessageGroupId": group, "MessageDeduplicationId": str(number)}
            answer = client.send_message_batch(QueueUrl=url, Entries=entries)
            assert len(answer["Successful"]) == len(entries)
            self.sent[name].update(self.waiting)
        self.waiting = None

    def consume(self, client, urls, wait_s=0):
        """Take some of each queue and delete them; answers how many there were."""
        count = 0
        for name, url in urls.items():
            answer = client.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s
            )
            for one in answer.get("Messages", []):
                count += 1
                self.found[name].setdefault(int(one["Body"]), []).append(one["MessageId"])
            if answer.get("Messages"):
                client.delete_message_batch(
                    QueueUrl=url,
                    Entries=[
                        {"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]}
                        for at, one in enumerate(answer["Messages"])
                    ],
                )
        return count


def urls_of(client):
    return {name: client.get_queue_url(QueueName=name)["QueueUrl"] for name in ("q", "q.fifo")}


@pytest.mark.nightly
@pytest.mark.timeout(180)
def test_kills_lose_no_message_and_keep_the_order_of_groups(own_platform):
    daemon, ledger, chance = own_platform(), Ledger(), random.Random(7)
    client = daemon.client("sqs")
    for name in ("q", "q.fifo"):
        attributes = {"VisibilityTimeout": "2"}
        attributes |= {"FifoQueue": "true"} if name == "q.fifo" else {}
        client.create_queue(QueueName=name, Attributes=attributes)
    for _ in range(4):
        client = daemon.client("sqs")
        urls = urls_of(client)
        timer = threading.Timer(chance.uniform(0.3, 1.2), daemon.kill)
        timer.start()
        with contextlib.suppress(*GONE):
            while True:
                ledger.send(client, urls)
                if chance.random() < 0.7:
                    ledger.consume(client, urls)
        timer.join()
        daemon.start()
    client = daemon.client("sqs")
    urls = urls_of(client)
    ledger.send(client, urls)
    while ledger.consume(client, urls, wait_s=4):
        pass
    for name in urls:
        assert ledger.sent[name] <= ledger.found[name].keys()
    assert len(ledger.sent["q"]) > 20
    for number, ids in ledger.found["q.fifo"].items():
        assert len(set(ids)) == 1, f"{number} was sent twice"
    for group in range(GROUPS):
        order = [number for number in ledger.found["q.fifo"] if number % GROUPS == group]
        assert order == sorted(order)
