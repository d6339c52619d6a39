"""Buckets, rules, schedules and subscriptions at work while the daemon is killed again and again.

All of them tell one queue what they were told, a log subscription by way of a function. What the
ledger holds against the platform:

* what was acknowledged was heard: of each object, event, one-time schedule and log line;
* no tick was fired twice. A tick of a rule's schedule has one event id. A tick of Scheduler is
  heard twice at most where a kill lies between; after each kill it is either due or on its way, not
  both, and has the parcel that it had before;
* an object has the bytes of one whole write, of the last one that was acknowledged or of a later
  one, and one whose deletion was acknowledged is gone.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import itertools
import json
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, document, trust
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import ADMIN_ROLE, deploy
from alonzo.testing.residue import descendants, have_ended
from alonzo.testing.waiting import eventually

BUCKET, QUEUE, LOG_GROUP = "load", "heard", "load"
#: The object that each turn writes anew.
SAME = "same"
#: Ways in which the load comes.
WAYS = ("object", "event", "schedule", "line")
#: Rules that fire at the beginning of every minute.
_CLOCKS = 5
#: Every other object of the load is deleted so many turns later.
_DELETED_AFTER = 7
#: In the object's row, and in a file of its own.
_SIZES = (2_000, 60_000)
_SAME_SIZE = 100_000
#: What is stored until it has arrived, and what the load makes and takes away.
_TABLES = ("outbox", "async_event", "schedule")

_HEAR = f"""
import boto3
sqs = boto3.client("sqs")
def handler(event, context):
    sqs.send_message(QueueUrl="{QUEUE}", MessageBody=event["awslogs"]["data"])
"""

Tick = tuple[str, float]


def _arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{name}"


def content(number: int, size: int) -> bytes:
    """The bytes of a write, of no other and of no part of one."""
    return hashlib.shake_256(str(number).encode()).digest(size)


@dataclass
class Ledger:
    """What was acknowledged and heard, by way: numbers of turns."""

    acknowledged: dict[str, set[int]] = field(default_factory=lambda: {w: set[int]() for w in WAYS})
    heard: dict[str, list[int]] = field(default_factory=lambda: {w: list[int]() for w in WAYS})
    #: Objects that were to be deleted, and whose deletion was acknowledged.
    doomed: set[int] = field(default_factory=set[int])
    deleted: set[int] = field(default_factory=set[int])
    #: When each tick of Scheduler was heard of, in epoch seconds.
    ticks: dict[int, list[float]] = field(default_factory=dict[int, list[float]])
    #: Ids of the events of each tick of a rule: by the rule and the time.
    clock_ids: dict[tuple[str, str], set[str]] = field(
        default_factory=dict[tuple[str, str], set[str]]
    )
    kills_at_s: list[float] = field(default_factory=list[float])
    faults: list[str] = field(default_factory=list[str])
    _parcels: dict[Tick, int] = field(default_factory=dict[Tick, int])

    def missing(self) -> list[str]:
        """What was acknowledged and not heard yet."""
        return [
            f"{way} {number}"
            for way in WAYS
            for number in sorted(self.acknowledged[way].difference(self.heard[way]))
        ]

    def hear(self, body: str, sent_at_s: float) -> None:
        """Take a message of the queue."""
        if not body.startswith("{"):
            told = json.loads(gzip.decompress(base64.b64decode(body)))
            self.heard["line"] += [int(each["message"]) for each in told["logEvents"]]
            return
        told = json.loads(body)
        if "Records" in told:
            keys = [record["s3"]["object"]["key"] for record in told["Records"]]
            self.heard["object"] += [int(key) for key in keys if key != SAME]
        elif "turn" in told:
            self.heard["schedule"].append(told["turn"])
            self.ticks.setdefault(told["turn"], []).append(sent_at_s)
        elif told.get("source") == "load":
            self.heard["event"].append(told["detail"]["turn"])
        elif told.get("source") == "aws.events":
            tick = told["resources"][0], told["time"]
            self.clock_ids.setdefault(tick, set()).add(told["id"])

    def note(self, due: set[Tick], parcels: list[tuple[Tick, int]]) -> None:
        """Look at the ticks between two lives: those that are due, and those on their way."""
        now: dict[Tick, int] = {}
        for tick, parcel in parcels:
            if tick in now or self._parcels.get(tick, parcel) != parcel:
                self.faults.append(f"tick {tick} has more than one parcel")
            if tick in due:
                self.faults.append(f"tick {tick} is on its way, and due again")
            now[tick] = parcel
        self._parcels |= now

    def check_ticks(self) -> None:
        """Hold every tick that was heard of against the kills."""
        for tick, ids in self.clock_ids.items():
            if len(ids) > 1:
                self.faults.append(f"tick {tick} was fired {len(ids)} times")
        for turn, times in self.ticks.items():
            for first, second in itertools.pairwise(sorted(times)):
                if not any(first <= at <= second + 1 for at in self.kills_at_s):
                    self.faults.append(f"schedule {turn} was called twice in one life")

    def counts(self) -> dict[str, int]:
        """How many there were of what."""
        counts = {f"{way}s acknowledged": len(self.acknowledged[way]) for way in WAYS}
        for way in WAYS:
            again = len(self.heard[way]) - len(set(self.heard[way]))
            counts[f"{way}s heard again"] = again
        return counts | {
            "objects deleted": len(self.deleted),
            "ticks of rules": len(self.clock_ids),
        }


class Series:
    """A series of lives under load."""

    def __init__(self, daemon: DaemonProcess, ledger: Ledger, chance: random.Random) -> None:
        self._daemon = daemon
        self._ledger = ledger
        self._chance = chance
        self._up = threading.Event()
        self._done = threading.Event()
        self._turn = 0
        self._same_at_least = -1
        self._role = ""

    def prepare(self) -> None:
        """Make the queue, and have everything tell it."""
        client = self._daemon.client
        let_in = {"Service": ["s3.amazonaws.com", "events.amazonaws.com"]}
        policy = document(allow("sqs:SendMessage", on=_arn("sqs", QUEUE), Principal=let_in))
        client("sqs").create_queue(QueueName=QUEUE, Attributes={"Policy": policy})
        trusted = trust({"Service": "scheduler.amazonaws.com"})
        self._role = Household(self._daemon).role("clock", trusted, allow("sqs:SendMessage"))
        client("s3").create_bucket(Bucket=BUCKET)
        told = {"QueueArn": _arn("sqs", QUEUE), "Events": ["s3:ObjectCreated:*"]}
        client("s3").put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [told]}
        )
        rules = {"load": {"EventPattern": '{"source": ["load"]}'}}
        for number in range(_CLOCKS):
            rules[f"clock{number}"] = {"ScheduleExpression": "cron(* * * * ? *)"}
        target = {"Id": "queue", "Arn": _arn("sqs", QUEUE)}
        for name, when in rules.items():
            client("events").put_rule(Name=name, **when)
            client("events").put_targets(Rule=name, Targets=[target])
        hear = deploy(client("lambda"), "hear", _HEAR, Role=ADMIN_ROLE, Timeout=20)
        client("lambda").add_permission(
            FunctionName="hear",
            StatementId="logs",
            Action="lambda:InvokeFunction",
            Principal="logs.amazonaws.com",
        )
        logs = client("logs")
        logs.create_log_group(logGroupName=LOG_GROUP)
        logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName="s")
        logs.put_subscription_filter(
            logGroupName=LOG_GROUP, filterName="f", filterPattern="", destinationArn=hear.arn
        )
        self._up.set()

    def run(self, *, kills: int, life_s: float, end_s: float) -> dict[str, int]:
        """Make so many kills under load, each up to ``life_s`` into a life; then let all end.

        ``end_s``: how long that may take.
        """
        sender = threading.Thread(target=self._send, daemon=True)
        sender.start()
        try:
            while len(self._ledger.kills_at_s) < kills:
                time.sleep(self._chance.random() * life_s)
                self._kill()
                self._check_same()
        finally:
            self._done.set()
            sender.join()
        eventually(self._is_all_heard, end_s)
        eventually(lambda: not self._rows(), end_s)
        self._is_all_heard()
        self._ledger.check_ticks()
        self._check_objects()
        return {"kills": kills, **self._ledger.counts()}

    def delete_all(self) -> None:
        """Delete all that ``prepare`` and the load have made, as a user would."""
        client = self._daemon.client
        for key in self._keys():
            client("s3").delete_object(Bucket=BUCKET, Key=key)
        client("s3").delete_bucket(Bucket=BUCKET)
        for rule in client("events").list_rules()["Rules"]:
            client("events").remove_targets(Rule=rule["Name"], Ids=["queue"])
            client("events").delete_rule(Name=rule["Name"])
        client("lambda").delete_function(FunctionName="hear")
        client("sqs").delete_queue(QueueUrl=QUEUE)
        iam, role = client("iam"), self._role.rpartition("/")[2]
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            iam.delete_role_policy(RoleName=role, PolicyName=policy)
        iam.delete_role(RoleName=role)
        for group in client("logs").describe_log_groups()["logGroups"]:
            client("logs").delete_log_group(logGroupName=group["logGroupName"])

    def _send(self) -> None:
        """Send turn after turn. What a kill cut is not made again: it may have been done."""
        while not self._done.is_set():
            if self._up.wait(0.2):
                for way, call in self._calls().items():
                    if self._try(call, self._turn):
                        self._ledger.acknowledged[way].add(self._turn)
                self._try(self._write_same, self._turn)
                self._try(self._delete, self._turn - _DELETED_AFTER)
                self._turn += 1

    def _try(self, call: Callable[[int], None], turn: int) -> bool:
        with contextlib.suppress(Exception):
            # Between two lives nobody makes a client.
            if self._up.is_set():
                call(turn)
                return True
        return False

    def _calls(self) -> dict[str, Callable[[int], None]]:
        return dict(zip(WAYS, (self._put, self._emit, self._schedule, self._log), strict=True))

    def _put(self, turn: int) -> None:
        body = content(turn, _SIZES[turn // 2 % 2])
        self._daemon.client("s3").put_object(Bucket=BUCKET, Key=str(turn), Body=body)

    def _write_same(self, turn: int) -> None:
        body = content(turn, _SAME_SIZE)
        self._daemon.client("s3").put_object(Bucket=BUCKET, Key=SAME, Body=body)
        self._same_at_least = turn

    def _delete(self, turn: int) -> None:
        if turn % 2 == 0 and turn in self._ledger.acknowledged["object"]:
            self._ledger.doomed.add(turn)
            self._daemon.client("s3").delete_object(Bucket=BUCKET, Key=str(turn))
            self._ledger.deleted.add(turn)

    def _emit(self, turn: int) -> None:
        entry = {"Source": "load", "DetailType": "t", "Detail": json.dumps({"turn": turn})}
        assert not self._daemon.client("events").put_events(Entries=[entry])["FailedEntryCount"]

    def _schedule(self, turn: int) -> None:
        at = datetime.now(UTC) + timedelta(seconds=1)
        self._daemon.client("scheduler").create_schedule(
            Name=str(turn),
            ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": _arn("sqs", QUEUE),
                "RoleArn": self._role,
                "Input": json.dumps({"turn": turn}),
            },
        )

    def _log(self, turn: int) -> None:
        line = {"timestamp": time.time_ns() // 1_000_000, "message": str(turn)}
        self._daemon.client("logs").put_log_events(
            logGroupName=LOG_GROUP, logStreamName="s", logEvents=[line]
        )

    def _kill(self) -> None:
        """End a life, wait until nothing of it runs, look, and begin the next."""
        below = descendants(self._daemon.pid)
        self._up.clear()
        self._daemon.kill()
        self._ledger.kills_at_s.append(time.time())
        eventually(lambda: have_ended(below), 20)
        due = {(arn, at_s) for arn, at_s in self._query(_DUE)}
        parcels = [((arn, at_s), number) for number, arn, at_s in self._query(_ON_THEIR_WAY)]
        self._ledger.note(due, parcels)
        self._daemon.start()
        self._up.set()

    def _is_all_heard(self) -> bool:
        """Empty the queue, and look what is missing."""
        sqs = self._daemon.client("sqs")
        while True:
            answer = sqs.receive_message(
                QueueUrl=QUEUE, MaxNumberOfMessages=10, AttributeNames=["SentTimestamp"]
            )
            messages = answer.get("Messages", [])
            if not messages:
                return not self._ledger.missing()
            for each in messages:
                self._ledger.hear(each["Body"], int(each["Attributes"]["SentTimestamp"]) / 1000)
            entries = [
                {"Id": str(at), "ReceiptHandle": each["ReceiptHandle"]}
                for at, each in enumerate(messages)
            ]
            sqs.delete_message_batch(QueueUrl=QUEUE, Entries=entries)

    def _check_same(self) -> None:
        """What is written again and again is one whole write, and no older than it may be."""
        oldest = self._same_at_least
        body = b""
        with contextlib.suppress(ClientError):
            body = self._daemon.client("s3").get_object(Bucket=BUCKET, Key=SAME)["Body"].read()
        # One number more may be under way.
        writes = [content(turn, _SAME_SIZE) for turn in range(max(oldest, 0), self._turn + 2)]
        if body not in writes and (body or oldest >= 0):
            self._ledger.faults.append(f"{SAME} is torn, or older than write {oldest}")

    def _check_objects(self) -> None:
        ledger, s3 = self._ledger, self._daemon.client("s3")
        keys = self._keys()
        there = {int(key) for key in keys if key != SAME}
        lost = ledger.acknowledged["object"] - ledger.doomed - there
        ledger.faults += [f"object {turn} is lost" for turn in sorted(lost)]
        back = sorted(ledger.deleted & there)
        ledger.faults += [f"object {turn} was deleted, and is there" for turn in back]
        for turn in sorted(there):
            body = s3.get_object(Bucket=BUCKET, Key=str(turn))["Body"].read()
            if body != content(turn, _SIZES[turn // 2 % 2]):
                ledger.faults.append(f"object {turn} is torn")
        self._check_same()

    def _keys(self) -> list[str]:
        pages = self._daemon.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def _rows(self) -> int:
        return sum(self._query(f"SELECT COUNT(*) FROM {table}")[0][0] for table in _TABLES)

    def _query(self, sql: str) -> list[Any]:
        path = self._daemon.data_dir / "alonzo.db"
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as db:
            return db.execute(sql).fetchall()


_DUE = f"""
SELECT 'arn:aws:scheduler:' || region || ':{ACCOUNT}:schedule/' || group_name || '/' || name,
    tick_at_s
FROM schedule WHERE tick_at_s IS NOT NULL
"""
_ON_THEIR_WAY = """
SELECT id, json_extract(about, '$.arn'), json_extract(about, '$.tick_at_s')
FROM outbox WHERE sender = 'scheduler' AND json_extract(about, '$.tick_at_s') IS NOT NULL
"""
