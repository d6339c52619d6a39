"""The load generator: its own process, raw sockets, requests signed beforehand.

Reads one ``Job`` as a line of JSON from standard input, runs it, writes one line of JSON, and so on
until the input ends. A job opens its connections first; a latency is the time from handing the
request to the kernel until the last byte of the answer has been read.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field

import uvloop

from alonzo.cli.bench.http import Connection, MessageReader

#: A job that makes no progress for so long has failed.
JOB_S_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """What to send, and how often.

    Each of ``clients`` connections sends ``requests`` in turn, one at a time, until the job has
    sent ``count`` or ``duration_s`` is over, whichever comes first. With ``echo`` an answer counts
    only if its JSON is that of the request's body.
    """

    host: str
    port: int
    requests: list[str]
    clients: int = 1
    count: int | None = None
    duration_s: float | None = None
    echo: bool = False


@dataclass(slots=True)
class Result:
    """What came out: a latency in seconds for each good answer, the wall time, and what failed."""

    latencies_s: list[float] = field(default_factory=list[float])
    elapsed_s: float = 0.0
    failures: int = 0
    first_failure: str = ""


class Client(Connection):
    """One connection."""

    def __init__(self, run: Run, requests: list[bytes]) -> None:
        self.run = run
        self.requests = requests
        self.reader = MessageReader()
        self.sent = 0
        self.started_s = 0.0

    def send_next(self) -> None:
        """Send a request, or say that this connection is finished."""
        if not self.run.take():
            self.run.finished()
            return
        request = self.requests[self.sent % len(self.requests)]
        self.sent += 1
        self.started_s = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Time a whole answer and go on."""
        message = self.reader.feed(data)
        if message is None:
            return
        latency_s = time.perf_counter() - self.started_s
        request = self.requests[(self.sent - 1) % len(self.requests)]
        self.run.record(latency_s, request, *message)
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that ends early takes its request with it."""
        if not self.run.done.is_set():
            self.run.fail(f"connection lost: {exc}")
            self.run.finished()


class Run:
    """One job under way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.result = Result()
        self.done = asyncio.Event()
        self.left = job.count
        self.active = job.clients
        self.end_s = float("inf")

    def take(self) -> bool:
        """Whether one more request is to be sent."""
        if self.left is not None:
            if self.left == 0:
                return False
            self.left -= 1
        return time.perf_counter() < self.end_s

    def record(self, latency_s: float, request: bytes, head: bytes, body: bytes) -> None:
        """Count one answer, if it is a good one."""
        if not head.startswith(b"http/1.1 200") or b"x-amz-function-error" in head:
            status = head.split(b"\r\n", 1)[0].decode()
            self.fail(f"{status}: {body[:200].decode(errors='replace')}")
        elif self.job.echo and not is_echo(request, body):
            self.fail("the answer is not the event that was sent")
        else:
            self.result.latencies_s.append(latency_s)

    def fail(self, what: str) -> None:
        """Count a failure; the first one is kept."""
        self.result.failures += 1
        self.result.first_failure = self.result.first_failure or what

    def finished(self) -> None:
        """A connection has nothing more to do."""
        self.active -= 1
        if self.active <= 0:
            self.done.set()


def is_echo(request: bytes, body: bytes) -> bool:
    """Whether the body is the event of the request; equal bytes save the parsing."""
    sent = request.partition(b"\r\n\r\n")[2]
    return sent == body or json.loads(sent) == json.loads(body)


async def carry_out(job: Job) -> Result:
    """Run a job to its end."""
    loop = asyncio.get_running_loop()
    requests = [bytes.fromhex(text) for text in job.requests]
    run = Run(job)
    clients: list[Client] = []
    for number in range(job.clients):
        turn = number % len(requests)
        turned = requests[turn:] + requests[:turn]
        _, client = await loop.create_connection(
            lambda turned=turned: Client(run, turned), job.host, job.port
        )
        clients.append(client)
    started_s = time.perf_counter()
    if job.duration_s is not None:
        run.end_s = started_s + job.duration_s
    for client in clients:
        client.send_next()
    async with asyncio.timeout(JOB_S_MAX):
        await run.done.wait()
    run.result.elapsed_s = time.perf_counter() - started_s
    for client in clients:
        client.transport.close()
    return run.result


async def serve_jobs() -> None:
    """Jobs in, results out, until the input ends."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        result = await carry_out(Job(**json.loads(line)))
        print(json.dumps(asdict(result)), flush=True)


if __name__ == "__main__":
    uvloop.run(serve_jobs())
