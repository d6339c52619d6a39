"""Clients of streamed responses, by bare sockets: old ones, slow ones, and those that go away."""

import contextlib
import json
import random
import re
import socket
from pathlib import Path

import pytest

from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import deploy

PATH = "/2021-11-15/functions/{}/response-streaming-invocations"

#: Streams so many kibibytes, and no more than a client that waits will take.
LONG = """
def handler(event, context):
    for _ in range(event["kib"]):
        yield bytes(1024)
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A platform where nobody has to sign."""
    daemon = DaemonProcess(tmp_path_factory.mktemp("open") / "data", "--auth", "off")
    daemon.start()
    yield daemon
    daemon.stop()
    assert "Traceback" not in daemon.log, daemon.log


def send(platform, text):
    host, port = platform.endpoint.removeprefix("http://").split(":")
    client = socket.socket()
    client.settimeout(20)
    # The kernel keeps little for who does not read, so that little is sent to see it wait.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    client.connect((host, int(port)))
    client.sendall(text.encode())
    return client


def call(name, event, *, version="1.1"):
    body = json.dumps(event)
    return (
        f"POST {PATH.format(name)} HTTP/{version}\r\nHost: localhost\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


def drain(client):
    """Take an answer to its end, keeping none of it."""
    tail = b""
    while not tail.endswith(b"\r\n0\r\n\r\n"):
        piece = client.recv(1 << 20)
        assert piece
        tail = (tail + piece)[-7:]


def read_until(client, end):
    data = b""
    while end not in data:
        piece = client.recv(65536)
        assert piece, data
        data += piece
    return data


def test_an_old_client_reads_to_the_end_of_the_connection(platform):
    deploy(platform.client("lambda"), "old", LONG)
    with send(platform, call("old", {"kib": 100}, version="1.0")) as client:
        data = b""
        while piece := client.recv(65536):
            data += piece
    head, _, frames = data.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert frames.count(bytes(1024)) >= 90
    assert b"InvokeComplete" in frames


def test_a_connection_serves_on_after_a_stream(platform):
    deploy(platform.client("lambda"), "again", LONG)
    with send(platform, call("again", {"kib": 3})) as client:
        for _ in range(3):
            assert b"InvokeComplete" in read_until(client, b"\r\n0\r\n\r\n")
            client.sendall(call("again", {"kib": 3}).encode())


def test_a_client_that_goes_away_frees_the_environment(platform, eventually):
    lambda_client = platform.client("lambda")
    gone = deploy(lambda_client, "gone", LONG, Timeout=60)
    lambda_client.put_function_concurrency(FunctionName="gone", ReservedConcurrentExecutions=1)
    # Far more than all buffers on the way hold, so that the function has to wait for its reader.
    client = send(platform, call("gone", {"kib": 24 << 10}))
    client.recv(1)

    assert answer_of(gone) is None
    client.close()
    assert eventually(lambda: answer_of(gone), 20) == bytes(1024)


def test_a_platform_that_stops_lets_a_stream_end(own_platform):
    platform = own_platform("--auth", "off")
    deploy(platform.client("lambda"), "drained", """
import time

def handler(event, context):
    yield "first"
    time.sleep(1)
    yield "last"
""")  # fmt: skip
    with send(platform, call("drained", {})) as client:
        data = read_until(client, b"first")
        platform.stop()
        while piece := client.recv(65536):
            data += piece
    assert b"last" in data
    assert data.endswith(b"0\r\n\r\n")


def rss_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


def test_clients_that_do_not_read_cost_little_memory(platform, eventually):
    # It logs when it has begun to send what no buffer between it and its client can hold.
    deploy(platform.client("lambda"), "unread", LONG.replace(
        "    for _", '    print("begun")\n    for _'), Timeout=60)  # fmt: skip
    send(platform, call("unread", {"kib": 1})).close()
    before = rss_mib(platform.pid)
    logs = platform.client("logs")

    def begun():
        found = logs.filter_log_events(logGroupName="/aws/lambda/unread", filterPattern="begun")
        return len(found["events"]) > 8 or None

    with contextlib.ExitStack() as stack:
        request = call("unread", {"kib": 24 << 10})
        clients = [stack.enter_context(send(platform, request)) for _ in range(8)]
        for client in clients:
            client.recv(1)
        eventually(begun, 20)
        # 192 MiB are on their way.
        assert rss_mib(platform.pid) - before < 60


def test_clients_that_leave_at_any_moment_leak_no_concurrency(platform, eventually):
    lambda_client = platform.client("lambda")
    left = deploy(lambda_client, "left", LONG, Timeout=30)
    lambda_client.put_function_concurrency(FunctionName="left", ReservedConcurrentExecutions=2)
    chance = random.Random(7)
    for _ in range(30):
        with send(platform, call("left", {"kib": 2 << 10})) as client:
            if chance.random() < 0.7:
                client.recv(chance.randrange(1, 100_000))

    def both():
        """Two at a time: each waits for its reader until the other has begun."""
        with contextlib.ExitStack() as stack:
            request = call("left", {"kib": 8 << 10})
            clients = [stack.enter_context(send(platform, request)) for _ in range(2)]
            heads = [client.recv(12) for client in clients]
            if all(head == b"HTTP/1.1 200" for head in heads):
                return True
            # Those that a client left go on for a while; one of ours must not be among them.
            for client, head in zip(clients, heads, strict=True):
                if head == b"HTTP/1.1 200":
                    drain(client)
        return None

    eventually(both, 20)
    assert eventually(lambda: answer_of(left), 20) == bytes(1024)


def answer_of(function):
    """What a short call answers; None while there is no concurrency for it."""
    try:
        return function.invoke({"kib": 1}).body
    except function.client.exceptions.TooManyRequestsException:
        return None
