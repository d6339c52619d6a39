"""Events that come in while the daemon is killed again and again, and a ledger of their fate.

The functions say of each of their runs that it began, over the host's own network, before they do
anything else: what they have sent is not lost with the daemon. Between two lives of the daemon the
ledger reads the queue, and then lets every event and record that waits come due: minutes pass in no
time.

What the ledger holds against the platform, for every event that was accepted:

* it began at least once, and at most once in each life;
* once a run of it is known to have ended, it begins at most as often as attempts are left;
* its record came, with the condition and the count of runs that its function asks for.
"""

from __future__ import annotations

import contextlib
import json
import random
import select
import socketserver
import sqlite3
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import ADMIN_ROLE, deploy
from alonzo.testing.residue import descendants, have_ended
from alonzo.testing.waiting import eventually

#: Retries after the first attempt, of one worker each.
RETRIES = (0, 1, 2)

#: What the platform must be started with.
OPTIONS = ("--network", "host")

_WORKER = """
import json, socket
LEDGER = socket.create_connection(("127.0.0.1", {port}))
def handler(event, context):
    LEDGER.sendall(json.dumps([event["n"]]).encode() + b"\\n")
    if event["fails"]:
        raise ValueError(event["n"])
    return event["n"]
"""

_SINK = """
import json, socket
LEDGER = socket.create_connection(("127.0.0.1", {port}))
def handler(event, context):
    told = event["requestContext"]
    line = [event["requestPayload"]["n"], told["condition"], told["approximateInvokeCount"]]
    LEDGER.sendall(json.dumps(line).encode() + b"\\n")
"""

#: Attempts that are left to each event one of whose runs has ended; a cut run counts as well.
_LEFT = """
SELECT payload, runs + running AS counted, function_path FROM async_event WHERE runs > 0
"""


def plan(number: int) -> tuple[int, bool]:
    """The retries of the worker that gets an event, and whether the event makes it fail."""
    return RETRIES[number % len(RETRIES)], number % 2 == 1


class Collector:
    """Takes what functions say, each over its own connection, one JSON list a line."""

    def __init__(self) -> None:
        self._lines: list[list[Any]] = []
        self._open: set[int] = set()
        lines, connections = self._lines, self._open

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                connections.add(id(self))
                with contextlib.suppress(OSError):
                    for line in self.rfile:
                        if line.endswith(b"\n"):  # A line that a death cut has no end.
                            lines.append(json.loads(line))
                connections.discard(id(self))

        class Server(socketserver.ThreadingTCPServer):
            request_queue_size = 1024
            daemon_threads = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_address[1]

    @property
    def lines(self) -> list[list[Any]]:
        """What was said so far."""
        return list(self._lines)

    @property
    def is_quiet(self) -> bool:
        """Whether everything that was said has been heard, and nobody is left to say more."""
        return not self._open and not select.select([self._server], [], [], 0)[0]

    def close(self) -> None:
        """Stop, once every function has gone."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass
class Ledger:
    """What was accepted, and what was seen of it: of runs their beginnings, of records all."""

    collector: Collector
    accepted: set[int] = field(default_factory=set[int])
    begun: Counter[int] = field(default_factory=Counter[int])
    faults: list[str] = field(default_factory=list[str])
    _allowed: dict[int, int] = field(default_factory=dict[int, int])

    def note(self, left: dict[int, int]) -> None:
        """Look at the runs after a life. ``left``: attempts left, by event, where it is known."""
        begun = Counter(line[0] for line in self.collector.lines if len(line) == 1)
        for number, times in (begun - self.begun).items():
            if times > 1:
                self.faults.append(f"event {number} began {times} times in one life")
        for number, most in self._allowed.items():
            if begun[number] > most:
                self.faults.append(f"event {number} began {begun[number]} times, {most} allowed")
        self.begun = begun
        for number, attempts in left.items():
            most = begun[number] + attempts
            self._allowed[number] = min(most, self._allowed.get(number, most))

    def check_ends(self) -> dict[str, int]:
        """Hold every event against its record. Answers how many there were of what."""
        told: dict[int, list[tuple[str, int]]] = {}
        for number, condition, runs in (each for each in self.collector.lines if each[1:]):
            told.setdefault(number, []).append((condition, runs))
        for number in self.accepted:
            retries, fails = plan(number)
            if not self.begun[number]:
                self.faults.append(f"event {number} never ran")
            for condition, runs in told.get(number, [("none", 0)]):
                good = (
                    condition == "RetriesExhausted" and runs == retries + 1
                    if fails
                    else condition == "Success" and 1 <= runs <= retries + 1
                )
                if not good:
                    self.faults.append(f"event {number}: {condition} after {runs} runs")
        return {
            "accepted": len(self.accepted),
            "runs": self.begun.total(),
            "records": sum(map(len, told.values())),
            "records told twice": sum(len(each) - 1 for each in told.values()),
        }


class Series:
    """A series of lives: ``run`` makes so many kills, then lets everything come to its end."""

    def __init__(self, daemon: DaemonProcess, ledger: Ledger, chance: random.Random) -> None:
        self._daemon = daemon
        self._ledger = ledger
        self._chance = chance
        self._up = threading.Event()
        self._done = threading.Event()
        self.kills = 0

    def prepare(self) -> None:
        """Deploy the workers and the sink."""
        client, port = self._daemon.client("lambda"), self._ledger.collector.port
        sink = deploy(client, "sink", _SINK.format(port=port))
        target = {"Destination": sink.arn}
        for retries in RETRIES:
            deploy(client, f"worker{retries}", _WORKER.format(port=port), Role=ADMIN_ROLE)
            client.put_function_event_invoke_config(
                FunctionName=f"worker{retries}",
                MaximumRetryAttempts=retries,
                DestinationConfig={"OnSuccess": target, "OnFailure": target},
            )
        self._up.set()

    def run(self, *, events: int, kills: int, life_s: float, end_s: float) -> dict[str, int]:
        """Have at least so many events accepted and make at least so many kills.

        A life lasts ``life_s`` at most before its kill, and at least until the platform listens.
        ``end_s``: how long the rest may take.
        """
        sender = threading.Thread(target=self._send, args=(events,), daemon=True)
        sender.start()
        try:
            while self.kills < kills or sender.is_alive():
                time.sleep(self._chance.random() * life_s)
                self._kill()
            until = time.monotonic() + end_s
            while self._count():
                assert time.monotonic() < until, f"{self._count()} are left: {self._daemon.log}"
                with contextlib.suppress(AssertionError):
                    eventually(lambda: not self._due(), 20)
                self._kill()
        finally:
            self._done.set()
            sender.join()
        self._ledger.note({})
        return self._ledger.check_ends() | {"kills": self.kills}

    def _send(self, events: int) -> None:
        """Send events one after another. One whose answer a kill took counts as not accepted."""
        number = 0
        while len(self._ledger.accepted) < events and not self._done.is_set():
            if not self._up.wait(1):
                continue
            retries, fails = plan(number)
            payload = json.dumps({"n": number, "fails": fails})
            with contextlib.suppress(Exception):
                self._daemon.client("lambda").invoke(
                    FunctionName=f"worker{retries}", InvocationType="Event", Payload=payload
                )
                self._ledger.accepted.add(number)
            number += 1

    def _kill(self) -> None:
        """End a life, wait until nothing of it runs, note what is known, and begin the next."""
        below = descendants(self._daemon.pid)
        self._up.clear()
        self._daemon.kill()
        self.kills += 1
        eventually(lambda: have_ended(below) and self._ledger.collector.is_quiet, 20)
        self._ledger.note(self._left())
        self._let_time_pass()
        self._daemon.start()
        self._up.set()

    def _left(self) -> dict[int, int]:
        left: dict[int, int] = {}
        for payload, counted, path in self._query(_LEFT):
            if "/worker" in path:
                retries = int(path[-1])
                left[json.loads(payload)["n"]] = max(0, retries + 1 - counted)
        return left

    def _let_time_pass(self) -> None:
        with contextlib.closing(sqlite3.connect(self._path)) as db, db:
            db.execute("UPDATE async_event SET due_at_s = 0")
            db.execute("UPDATE async_delivery SET due_at_s = 0")

    def _due(self) -> int:
        """Events and records that could be under way now."""
        now_s = time.time() + 1
        return sum(
            self._query(f"SELECT COUNT(*) FROM {table} WHERE due_at_s < {now_s}")[0][0]
            for table in ("async_event", "async_delivery")
        )

    def _count(self) -> int:
        return sum(
            self._query(f"SELECT COUNT(*) FROM {table}")[0][0]
            for table in ("async_event", "async_delivery")
        )

    @property
    def _path(self) -> Path:
        return self._daemon.data_dir / "alonzo.db"

    def _query(self, sql: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self._path, timeout=30)) as db:
            return db.execute(sql).fetchall()
