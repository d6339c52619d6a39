"""Measurements of queues: sending, and functions that read what was sent, all of it durable."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import click

from alonzo.cli.bench.figures import Row, Section, times
from alonzo.cli.bench.functions import MEMORY_MIB, Function
from alonzo.cli.bench.load import Client
from alonzo.cli.bench.processes import cpu_s
from alonzo.cli.bench.target import ROLE, Platform
from alonzo.cli.bench.workbench import SERVE, Workbench

SENDERS = 16
BATCH_SIZE = 10
BODY = "x" * 100
GROUPS = 1_000
#: Between two messages of the first table, so that each finds the platform idle.
PAUSE_S = 0.03
#: How long anything may take that is waited for.
WAIT_S_MAX = 300.0

READER_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
#: Says when it was called and with what, on a line of its log that begins with AT.
TELLER = """\
import json
import time

def handler(event, context):
    at_s = time.time()
    print("AT", json.dumps([at_s, [record["body"] for record in event["Records"]]]))
"""
SILENT = "def handler(event, context):\n    return None\n"


@dataclass(frozen=True, slots=True)
class _Queues:
    """A platform whose functions read queues. ``sqs`` and ``logs`` are clients of it."""

    platform: Platform
    sqs: Any
    logs: Any

    def make(self, name: str) -> str:
        """A queue; answers its URL. What is received stays hidden for longer than we measure."""
        attributes = {"VisibilityTimeout": "600"}
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def map(self, name: str, function: str, *, enabled: bool) -> str:
        """Have a function read a queue; answers the mapping's id."""
        arn = self.sqs.get_queue_attributes(
            QueueUrl=self.sqs.get_queue_url(QueueName=name)["QueueUrl"],
            AttributeNames=["QueueArn"],
        )["Attributes"]["QueueArn"]
        uuid = self.platform.lambda_client.create_event_source_mapping(
            FunctionName=function, EventSourceArn=arn, Enabled=enabled, BatchSize=BATCH_SIZE
        )["UUID"]
        wanted = "Enabled" if enabled else "Disabled"
        _wait(lambda: self._state(uuid) == wanted, "a mapping is ready")
        return str(uuid)

    def _state(self, uuid: str) -> str:
        return str(self.platform.lambda_client.get_event_source_mapping(UUID=uuid)["State"])

    def left(self, url: str) -> int:
        """Messages that are not deleted yet."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(count) for count in found.values())

    def drain_s(self, url: str, uuid: str, count: int) -> float:
        """Enable a mapping; seconds from there until the queue is empty."""
        # Each look counts the messages: not too often with many of them.
        pause_s = 0.01 if count <= 10_000 else 0.2
        began_s = time.perf_counter()
        self.platform.lambda_client.update_event_source_mapping(UUID=uuid, Enabled=True)
        _wait(lambda: not self.left(url), f"{count} messages are gone", pause_s)
        taken_s = time.perf_counter() - began_s
        self.platform.lambda_client.delete_event_source_mapping(UUID=uuid)
        return taken_s

    def told(self, function: str, count: int) -> list[tuple[float, list[str]]]:
        """What a teller was called with, in the order of the calls: time and bodies."""
        found: list[tuple[float, list[str]]] = []

        def whole() -> bool:
            pages = self.logs.get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws/lambda/{function}", filterPattern="AT"
            )
            lines = [event["message"] for page in pages for event in page["events"]]
            found[:] = sorted(
                (at_s, bodies)
                for at_s, bodies in (
                    json.loads(line[3:]) for line in lines if line.startswith("AT ")
                )
            )
            return sum(len(bodies) for _, bodies in found) >= count

        _wait(whole, "the log is written", 0.1)
        return found

    def batches(self, url: str, bodies: list[str], groups: list[str] | None = None) -> list[bytes]:
        """Signed calls of SendMessageBatch that send all bodies."""
        calls: list[bytes] = []
        for first in range(0, len(bodies), BATCH_SIZE):
            entries: list[dict[str, str]] = []
            for at in range(first, min(first + BATCH_SIZE, len(bodies))):
                entry = {"Id": str(at), "MessageBody": bodies[at]}
                if groups is not None:
                    entry |= {"MessageGroupId": groups[at], "MessageDeduplicationId": str(at)}
                entries.append(entry)
            calls.append(self.call("SendMessageBatch", QueueUrl=url, Entries=entries))
        return calls

    def call(self, operation: str, **params: Any) -> bytes:
        """A signed call of SQS."""
        return self.platform.operation("sqs", f"AmazonSQS.{operation}", params)


def queues(bench: Workbench) -> Iterator[Section]:
    """Queues, and functions that read them."""
    with bench.started(*SERVE) as platform:
        version = f"python3.{sys.version_info.minor}"
        made = _Queues(platform, platform.client("sqs"), platform.client("logs"))
        with closing(made.sqs), closing(made.logs):
            for name, source in (("teller", TELLER), ("silent", SILENT)):
                platform.create(
                    name, Function((version,), {"index.py": source.encode()}, {}, MEMORY_MIB)
                )
            with closing(platform.client("iam")) as iam:
                iam.attach_role_policy(RoleName=ROLE, PolicyArn=READER_POLICY)
            yield _starts(bench, made)
            yield _sends(bench, made)
            yield _drains(bench, made)
            yield _groups(bench, made)


def _starts(bench: Workbench, made: _Queues) -> Section:
    count = bench.effort.sends
    section = Section(
        "Queue to function, one message",
        "From handing a signed SendMessage to the kernel until the first line of the Python "
        f"function that reads the queue, its environment warm; {1000 * PAUSE_S:.0f} ms between "
        "messages. 'answered' is until the sender has its answer, which is after the commit.",
    )
    url = made.make("starts")
    made.map("starts", "teller", enabled=True)
    calls = [made.call("SendMessage", QueueUrl=url, MessageBody=str(at)) for at in range(count + 5)]
    sent_s: list[float] = []
    answered_s: list[float] = []
    server = made.platform.server
    with socket.create_connection((server.host, server.port), WAIT_S_MAX) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Client(sock)
        with bench.noise.watch():
            for call in calls:
                sent_s.append(time.time())
                client.send(call)
                while not client.receive():
                    pass
                answered_s.append(time.perf_counter() - client.started_s)
                time.sleep(PAUSE_S)
    begun_s = {body: at_s for at_s, bodies in made.told("teller", len(calls)) for body in bodies}
    # The first ones find no environment.
    starts_s = [begun_s[str(at)] - sent_s[at] for at in range(5, len(calls))]
    section.rows.append({"what": "function begins", **times(starts_s)})
    section.rows.append({"what": "answered", **times(answered_s[5:])})
    return section


def _sends(bench: Workbench, made: _Queues) -> Section:
    section = Section(
        "Sending",
        f"SendMessageBatch of {BATCH_SIZE} messages of {len(BODY)} B, signed, closed loop; each "
        "answer comes after the commit. 'daemon CPU us' is of its process, for each message.",
    )
    for clients in (1, SENDERS):
        url = made.make(f"sends{clients}")
        calls = made.batches(url, [BODY] * 64 * BATCH_SIZE)
        made.platform.load(calls, clients=clients, count=clients * 4)
        daemon_s = cpu_s(made.platform.server.pid, below=False)
        result = made.platform.load(calls, clients=clients, duration_s=bench.effort.seconds)
        daemon_s = cpu_s(made.platform.server.pid, below=False) - daemon_s
        count = BATCH_SIZE * len(result.latencies_s)
        section.rows.append(
            {
                "clients": clients,
                "messages per s": count / result.elapsed_s,
                **times(result.latencies_s),
                "daemon CPU us": 1e6 * daemon_s / count,
                "daemon %": 100 * daemon_s / result.elapsed_s,
                "generator %": 100 * result.cpu_s / result.elapsed_s,
            }
        )
        made.sqs.delete_queue(QueueUrl=url)
    return section


def _drains(bench: Workbench, made: _Queues) -> Section:
    section = Section(
        "A function drains a queue",
        f"So many messages of {len(BODY)} B wait; from enabling the mapping (batch size "
        f"{BATCH_SIZE}) of a Python function until the last one is deleted.",
    )
    for at, count in enumerate((1_000, *bench.effort.waiting)):
        name = f"drains{at}"
        url, uuid = made.make(name), made.map(name, "silent", enabled=False)
        calls = made.batches(url, [BODY] * 100)
        made.platform.load(calls, clients=SENDERS, count=count // BATCH_SIZE)
        made.platform.rest()
        with bench.noise.watch():
            taken_s = made.drain_s(url, uuid, count)
        if at:  # The first time it has to make environments.
            section.rows.append({"waiting": count, "messages per s": count / taken_s})
        made.sqs.delete_queue(QueueUrl=url)
    return section


def _groups(bench: Workbench, made: _Queues) -> Section:
    each = bench.effort.groups_each
    section = Section(
        f"{GROUPS:,} groups of a FIFO queue",
        f"{each} messages in each group wait, sent by turns; a mapping as above reads them. "
        "'out of order' counts those that the function got before an earlier one of their group.",
    )
    url, uuid = made.make("groups.fifo"), made.map("groups.fifo", "teller", enabled=False)
    bodies = [f"{group}/{number}" for number in range(each) for group in range(GROUPS)]
    calls = made.batches(url, bodies, [body.partition("/")[0] for body in bodies])
    # One client: the order in which they are sent is the order of each group.
    result = made.platform.load(calls, count=len(calls))
    earlier = made.told("teller", 0)
    with bench.noise.watch():
        taken_s = made.drain_s(url, uuid, len(bodies))
    told = made.told("teller", len(bodies) + sum(len(found) for _, found in earlier))
    came = [body for _, found in told[len(earlier) :] for body in found]
    row: Row = {"groups": GROUPS, "messages": len(bodies)}
    row["sent per s"] = len(bodies) / result.elapsed_s
    row["drained per s"] = len(bodies) / taken_s
    row["out of order"] = out_of_order(came)
    section.rows.append(row)
    return section


def out_of_order(came: list[str]) -> int:
    """Messages, named by group and number, before which a later one of their group came."""
    last: dict[str, int] = {}
    wrong = 0
    for body in came:
        group, _, number = body.partition("/")
        wrong += int(number) < last.get(group, 0)
        last[group] = max(last.get(group, 0), int(number))
    return wrong


def _wait(condition: Callable[[], bool], what: str, pause_s: float = 0.02) -> None:
    until_s = time.monotonic() + WAIT_S_MAX
    while not condition():
        if time.monotonic() > until_s:
            raise click.ClickException(f"waited {WAIT_S_MAX:.0f} s in vain until {what}.")
        time.sleep(pause_s)
