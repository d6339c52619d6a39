"""Messages that come in while the daemon is killed again and again, and a ledger of their fate.

They go four ways: published to a topic and to a FIFO topic, each with a queue that gets them as
they are, and sent to the same two queues in batches. A function reads each queue, and says over the
host's own network, as the last thing it does, what it was called with: what it has said is not lost
with the daemon. A call that was not answered is made again as it was, so the same deduplication id
comes twice.

What the ledger holds against the platform:

* what was acknowledged was handled at least once;
* of a group the first handlings are in the order of sending;
* of each number of a FIFO queue there was one message, however often it was sent.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from alonzo.testing.callers import ACCOUNT, allow, document
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.event_kills import Collector
from alonzo.testing.functions import ADMIN_ROLE, deploy
from alonzo.testing.residue import descendants, have_ended
from alonzo.testing.waiting import eventually

#: What the platform must be started with.
OPTIONS = ("--network", "host")

QUEUES = ("q", "q.fifo")
#: Groups of each way into the FIFO queue.
GROUPS = 4
#: Messages of one turn and way.
_TURN = 5
#: Long enough to show in the size of the database, and not to fit into a row of its own.
_PADDING = "x" * 8_000
#: What is received and not deleted by a life that ends is seen again so soon.
_HIDDEN_S = 2
_TABLES = ("sqs_message", "sqs_payload", "sqs_group", "sns_message", "sns_delivery")

_READER = """
import json, socket, time
LEDGER = socket.create_connection(("127.0.0.1", {port}))
def handler(event, context):
    came = [[r["body"].partition(" ")[0], r["messageId"]] for r in event["Records"]]
    queue = event["Records"][0]["eventSourceARN"].rpartition(":")[2]
    LEDGER.sendall(json.dumps([time.monotonic_ns(), queue, came]).encode() + b"\\n")
"""


def _arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{name}"


@dataclass
class Ledger:
    """What was acknowledged, by queue: names of the form ``way/group/number``."""

    collector: Collector
    acknowledged: dict[str, list[str]] = field(
        default_factory=lambda: {queue: list[str]() for queue in QUEUES}
    )

    def came(self, queue: str) -> list[tuple[str, str]]:
        """Names and message ids that functions were called with, in the order of the calls."""
        lines = sorted(line for line in self.collector.lines if line[1] == queue)
        return [(name, message_id) for _, _, came in lines for name, message_id in came]

    def missing(self) -> list[str]:
        """What was acknowledged and not handled yet."""
        left: list[str] = []
        for queue in QUEUES:
            handled = {name for name, _ in self.came(queue)}
            left += [name for name in self.acknowledged[queue] if name not in handled]
        return left

    def faults(self) -> list[str]:
        """What speaks against the platform, once everything has come to its end."""
        found = [f"{name} was not handled" for name in self.missing()]
        ids: dict[str, set[str]] = {}
        last: dict[str, int] = {}
        for name, message_id in self.came("q.fifo"):
            group, _, number = name.rpartition("/")
            known = ids.setdefault(name, set())
            if not known and int(number) < last.get(group, -1):
                found.append(f"{name} was handled after {last[group]}")
            known.add(message_id)
            last[group] = max(last.get(group, -1), int(number))
        found += [
            f"{name} came as {len(each)} messages" for name, each in ids.items() if len(each) > 1
        ]
        return found

    def counts(self) -> dict[str, int]:
        """How many there were of what."""
        counts: dict[str, int] = {}
        for queue in QUEUES:
            handled = Counter(name for name, _ in self.came(queue))
            counts[f"{queue}: acknowledged"] = len(self.acknowledged[queue])
            counts[f"{queue}: handled"] = len(handled)
            counts[f"{queue}: handled again"] = handled.total() - len(handled)
        return counts


class Series:
    """A series of lives under load."""

    def __init__(self, daemon: DaemonProcess, ledger: Ledger, chance: random.Random) -> None:
        self._daemon = daemon
        self._ledger = ledger
        self._chance = chance
        self._up = threading.Event()
        self._done = threading.Event()
        self._next = 0
        self.kills = 0

    def prepare(self) -> None:
        """Make topics, queues, functions and mappings."""
        sns, sqs = self._daemon.client("sns"), self._daemon.client("sqs")
        lambdas = self._daemon.client("lambda")
        port = self._ledger.collector.port
        for name in QUEUES:
            fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
            topic_fifo = {"FifoTopic": "true"} if fifo else {}
            topic = sns.create_topic(Name=name.replace("q", "t"), Attributes=topic_fifo)["TopicArn"]
            statement = allow(
                "sqs:SendMessage",
                on=_arn("sqs", name),
                Principal={"Service": "sns.amazonaws.com"},
                Condition={"ArnEquals": {"aws:SourceArn": topic}},
            )
            attributes = {
                "VisibilityTimeout": str(_HIDDEN_S),
                "Policy": document(statement),
                **fifo,
            }
            sqs.create_queue(QueueName=name, Attributes=attributes)
            raw = {"RawMessageDelivery": "true"}
            endpoint = _arn("sqs", name)
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint, Attributes=raw)
            reader = f"reader-{name.replace('.', '-')}"
            deploy(lambdas, reader, _READER.format(port=port), Role=ADMIN_ROLE, Timeout=1)
            made = lambdas.create_event_source_mapping(FunctionName=reader, EventSourceArn=endpoint)
            eventually(lambda made=made: self._state(made["UUID"]) == "Enabled", 30)
        self._up.set()

    def run(self, *, kills: int, life_s: float, end_s: float) -> dict[str, int]:
        """Make so many kills under load, each up to ``life_s`` into a life; then let all end.

        ``end_s``: how long that may take.
        """
        sender = threading.Thread(target=self._send, daemon=True)
        sender.start()
        try:
            while self.kills < kills:
                time.sleep(self._chance.random() * life_s)
                self._kill()
        finally:
            self._done.set()
            sender.join()
        eventually(lambda: not self._ledger.missing(), end_s)
        eventually(lambda: not self.rows(), end_s)
        return {"kills": self.kills, **self._ledger.counts()}

    def rows(self) -> int:
        """Rows of messages and deliveries in the store."""
        with contextlib.closing(self._database()) as db:
            return sum(
                db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in _TABLES
            )

    def delete_all(self) -> None:
        """Delete all that ``prepare`` and the load have made, as a user would."""
        client = self._daemon.client
        lambdas, sns = client("lambda"), client("sns")
        for mapping in lambdas.list_event_source_mappings()["EventSourceMappings"]:
            lambdas.delete_event_source_mapping(UUID=mapping["UUID"])
        eventually(lambda: not lambdas.list_event_source_mappings()["EventSourceMappings"], 60)
        for function in lambdas.list_functions()["Functions"]:
            lambdas.delete_function(FunctionName=function["FunctionName"])
        for subscription in sns.list_subscriptions()["Subscriptions"]:
            sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        for topic in sns.list_topics()["Topics"]:
            sns.delete_topic(TopicArn=topic["TopicArn"])
        for url in client("sqs").list_queues()["QueueUrls"]:
            client("sqs").delete_queue(QueueUrl=url)
        for group in client("logs").describe_log_groups()["logGroups"]:
            client("logs").delete_log_group(logGroupName=group["logGroupName"])

    def _send(self) -> None:
        """Send turn after turn; one that a kill cut is made again as it was."""
        while not self._done.is_set():
            if self._up.wait(0.2):
                with contextlib.suppress(Exception):
                    self._turn()

    def _turn(self) -> None:
        sns, sqs = self._daemon.client("sns"), self._daemon.client("sqs")
        numbers = range(self._next, self._next + _TURN)
        for queue in QUEUES:
            done = set(self._ledger.acknowledged[queue][-2 * _TURN :])
            for way, call in (("t", self._publish), ("q", self._put)):
                names = [f"{way}/{number % GROUPS}/{number}" for number in numbers]
                left = [name for name in names if name not in done]
                if left:
                    call(sns if way == "t" else sqs, queue, left)
                    self._ledger.acknowledged[queue] += left
        self._next += _TURN

    def _publish(self, sns: Any, queue: str, names: list[str]) -> None:
        entries = [
            {"Id": str(at), "Message": f"{name} {_PADDING}"} for at, name in enumerate(names)
        ]
        _add_groups(queue, entries, names)
        answer = sns.publish_batch(
            TopicArn=_arn("sns", queue.replace("q", "t")), PublishBatchRequestEntries=entries
        )
        assert len(answer["Successful"]) == len(names)

    def _put(self, sqs: Any, queue: str, names: list[str]) -> None:
        entries = [
            {"Id": str(at), "MessageBody": f"{name} {_PADDING}"} for at, name in enumerate(names)
        ]
        _add_groups(queue, entries, names)
        answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        assert len(answer["Successful"]) == len(names)

    def _kill(self) -> None:
        """End a life, wait until nothing of it runs, and begin the next."""
        below = descendants(self._daemon.pid)
        self._up.clear()
        self._daemon.kill()
        self.kills += 1
        eventually(lambda: have_ended(below) and self._ledger.collector.is_quiet, 20)
        self._daemon.start()
        self._up.set()

    def _state(self, uuid: str) -> str:
        return str(self._daemon.client("lambda").get_event_source_mapping(UUID=uuid)["State"])

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(self._daemon.data_dir / "alonzo.db", timeout=30)


def _add_groups(queue: str, entries: list[dict[str, str]], names: list[str]) -> None:
    if queue.endswith(".fifo"):
        for entry, name in zip(entries, names, strict=True):
            entry["MessageGroupId"] = name.rpartition("/")[0]
            entry["MessageDeduplicationId"] = name
