"""The load generator: its own process, one thread, raw sockets, requests signed beforehand.

Reads a job from standard input, runs it, writes the result, and so on until the input ends. A job
opens its connections first; a latency is the time from handing the request to the kernel until the
last byte of the answer has been read. Looking at the answer comes after the clock was read.
"""

from __future__ import annotations

import gc
import json
import select
import socket
import sys
import time
from array import array
from dataclasses import dataclass, field
from typing import IO

from alonzo.cli.bench.http import HEAD_END, content_length

#: A job that makes no progress for so long has failed.
SILENCE_S_MAX = 60.0
READ_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Job:
    """What to send, and how often.

    ``clients`` connections send ``requests`` in turn, whichever is free the next one, until the job
    has sent ``count`` or ``duration_s`` is over, whichever comes first. With ``echo`` an answer
    counts only if its JSON is that of the request's body; with ``expect`` only if its body is that.
    """

    host: str
    port: int
    requests: list[bytes]
    clients: int = 1
    count: int | None = None
    duration_s: float | None = None
    echo: bool = False
    expect: bytes | None = None


@dataclass(slots=True)
class Result:
    """What came out: a latency in seconds for each good answer, and what failed.

    ``elapsed_s`` is from the first request to the last answer, ``cpu_s`` what this generator used
    of a processor in that time.
    """

    latencies_s: list[float] = field(default_factory=list[float])
    elapsed_s: float = 0.0
    cpu_s: float = 0.0
    failures: int = 0
    first_failure: str = ""


class Client:
    """One connection, and the answer that it is reading."""

    __slots__ = ("body", "filled", "head", "request", "sock", "started_s", "unsent")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.request = b""
        self.started_s = 0.0
        self.unsent: memoryview | None = None
        self.head = b""
        self.body: bytearray | None = None
        self.filled = 0

    def send(self, request: bytes) -> None:
        """Start a request; ``unsent`` is what the kernel did not take yet."""
        self.request = request
        self.body = None
        self.head = b""
        self.started_s = time.perf_counter()
        taken = self.sock.send(request)
        if taken < len(request):
            self.unsent = memoryview(request)[taken:]

    def push(self) -> None:
        """Hand over more of a request that was too long for one go."""
        assert self.unsent is not None
        left = self.unsent[self.sock.send(self.unsent) :]
        self.unsent = left or None

    def receive(self) -> bool:
        """Read what is there; whether the answer is whole.

        Raises:
            ConnectionError: the connection ended, or the answer has no length.
        """
        if self.body is not None:
            taken = self.sock.recv_into(memoryview(self.body)[self.filled :])
            if not taken:
                raise ConnectionError("the server closed the connection in an answer")
            self.filled += taken
            return self.filled >= len(self.body)
        data = self.sock.recv(READ_BYTES)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.head += data
        end = self.head.find(HEAD_END)
        if end < 0:
            return False
        begun = self.head[end + len(HEAD_END) :]
        self.head = self.head[:end].lower()
        length = content_length(self.head)
        if length is None:
            raise ConnectionError("the answer has no Content-Length")
        self.filled = len(begun)
        if self.filled == length:
            self.body = bytearray(begun)
            return True
        self.body = bytearray(length)
        self.body[: self.filled] = begun
        return False


class Run:
    """One job under way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.result = Result()
        self.sent = 0
        self.count = sys.maxsize if job.count is None else job.count
        self.end_s = float("inf")
        self.active: dict[int, Client] = {}

    def carry_out(self) -> Result:
        """Run it to its end."""
        job, clients = self.job, [self._connect() for _ in range(self.job.clients)]
        with select.epoll() as poll:
            for client in clients:
                client.sock.setblocking(False)
                poll.register(client.sock, select.EPOLLIN)
            cpu_s, started_s = time.process_time(), time.perf_counter()
            if job.duration_s is not None:
                self.end_s = started_s + job.duration_s
            for client in clients:
                self._next(client, poll)
            while self.active:
                events = poll.poll(SILENCE_S_MAX)
                if not events:
                    self._fail(f"no answer for {SILENCE_S_MAX:.0f} s")
                    break
                for descriptor, _ in events:
                    self._look(self.active[descriptor], poll)
            self.result.elapsed_s = time.perf_counter() - started_s
            self.result.cpu_s = time.process_time() - cpu_s
        for client in clients:
            client.sock.close()
        return self.result

    def _connect(self) -> Client:
        sock = socket.create_connection((self.job.host, self.job.port), SILENCE_S_MAX)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Client(sock)

    def _next(self, client: Client, poll: select.epoll) -> None:
        descriptor = client.sock.fileno()
        if self.sent >= self.count or time.perf_counter() >= self.end_s:
            if self.active.pop(descriptor, None) is not None:
                poll.unregister(descriptor)
            return
        self.active[descriptor] = client
        request = self.job.requests[self.sent % len(self.job.requests)]
        self.sent += 1
        client.send(request)
        if client.unsent:
            poll.modify(descriptor, select.EPOLLIN | select.EPOLLOUT)

    def _look(self, client: Client, poll: select.epoll) -> None:
        try:
            if client.unsent:
                client.push()
                if client.unsent:
                    return
                poll.modify(client.sock, select.EPOLLIN)
            if not client.receive():
                return
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(str(error))
            poll.unregister(client.sock)
            del self.active[client.sock.fileno()]
            return
        self._record(time.perf_counter() - client.started_s, client)
        self._next(client, poll)

    def _record(self, latency_s: float, client: Client) -> None:
        head, body = client.head, client.body or bytearray()
        if not head.startswith(b"http/1.1 2") or b"\r\nx-amz-function-error:" in head:
            status = head.split(b"\r\n", 1)[0].decode()
            self._fail(f"{status}: {bytes(body[:200]).decode(errors='replace')}")
        elif self.job.echo and not is_echo(client.request, body):
            self._fail("the answer is not the event that was sent")
        elif self.job.expect is not None and bytes(body) != self.job.expect:
            self._fail(f"the answer is {bytes(body[:200])!r}, not {self.job.expect!r}")
        else:
            self.result.latencies_s.append(latency_s)

    def _fail(self, what: str) -> None:
        self.result.failures += 1
        self.result.first_failure = self.result.first_failure or what


def is_echo(request: bytes, body: bytes | bytearray) -> bool:
    """Whether the body is the event of the request; equal bytes save the parsing."""
    if body and request.endswith(body) and request.endswith(HEAD_END, 0, -len(body)):
        return True
    try:
        return json.loads(request.partition(HEAD_END)[2]) == json.loads(body)
    except ValueError:
        return False


# On the pipe a job and a result are a line of JSON, and then what is long: bytes.


def write_job(job: Job, stream: IO[bytes]) -> None:
    """Hand a job to a generator's standard input."""
    head = {
        "host": job.host,
        "port": job.port,
        "clients": job.clients,
        "count": job.count,
        "duration_s": job.duration_s,
        "echo": job.echo,
        "expect": None if job.expect is None else job.expect.decode(),
        "sizes": [len(request) for request in job.requests],
    }
    stream.write(json.dumps(head).encode() + b"\n" + b"".join(job.requests))
    stream.flush()


def read_job(stream: IO[bytes]) -> Job | None:
    """The next job; None at the end of the input."""
    line = stream.readline()
    if not line:
        return None
    head = json.loads(line)
    requests = [stream.read(size) for size in head.pop("sizes")]
    expect = head.pop("expect")
    return Job(**head, requests=requests, expect=None if expect is None else expect.encode())


def write_result(result: Result, stream: IO[bytes]) -> None:
    """Hand a result back."""
    head = {
        "elapsed_s": result.elapsed_s,
        "cpu_s": result.cpu_s,
        "failures": result.failures,
        "first_failure": result.first_failure,
        "count": len(result.latencies_s),
    }
    stream.write(json.dumps(head).encode() + b"\n" + array("d", result.latencies_s).tobytes())
    stream.flush()


def read_result(stream: IO[bytes]) -> Result | None:
    """A generator's result; None if it ended instead."""
    line = stream.readline()
    if not line:
        return None
    head = json.loads(line)
    latencies = array("d")
    latencies.frombytes(stream.read(head.pop("count") * latencies.itemsize))
    return Result(latencies.tolist(), **head)


def main() -> None:
    """Jobs in, results out, until the input ends."""
    gc.disable()
    while (job := read_job(sys.stdin.buffer)) is not None:
        try:
            result = Run(job).carry_out()
        except OSError as error:
            result = Result(failures=1, first_failure=str(error))
        write_result(result, sys.stdout.buffer)
        gc.collect()


if __name__ == "__main__":
    main()
