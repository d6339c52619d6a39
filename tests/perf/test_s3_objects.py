"""A gigabyte goes up and down in constant memory; a thousand small objects are stored a second."""

import http.client
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

#: More than the idle process has, whatever is streamed. Source: SPECIFICATION.
MORE_MIB_MAX = 100
DOWN_MB_S_MIN = 300
PUTS_A_SECOND_MIN = 1_000

N_BYTES = 1 << 30
CLIENTS, PUTS_OF_EACH = 16, 250
SMALL = b"x" * 1000
UNSIGNED = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}


#: Serves S3 alone until its input ends.
SERVER = """
import asyncio, pathlib, sys, uvloop
from alonzo.testing.s3 import open_s3
async def main():
    async with open_s3(pathlib.Path(sys.argv[1]), auth=sys.argv[2]) as rig:
        await rig.make_bucket("bucket")
        print(rig.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)
uvloop.run(main())
"""


@pytest.fixture
def auth():
    """Whether callers must sign."""
    return "off"


@pytest.fixture
def server(tmp_path, auth):
    """A process that serves S3 alone, and its port."""
    command = [sys.executable, "-c", SERVER, str(tmp_path), auth]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process, int(process.stdout.readline())
        process.stdin.close()
        process.wait(60)


def resident_mib(pid, field):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def upload(port):
    piece = os.urandom(1 << 20)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.putrequest("PUT", "/bucket/long")
    for name, value in {**UNSIGNED, "content-length": str(N_BYTES)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    for _ in range(N_BYTES >> 20):
        connection.send(piece)
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 200


def download(port):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/bucket/long")
    response, buffer, n_bytes = connection.getresponse(), bytearray(1 << 20), 0
    while taken := response.readinto(buffer):
        n_bytes += taken
    connection.close()
    assert n_bytes == N_BYTES


def sign_small(port, client):
    """Headers of the requests of one client, which are not to be made while the clock runs."""
    signer = S3SigV4Auth(Credentials("AKID", "secret"), "s3", "us-east-1")
    requests = [
        AWSRequest("PUT", f"http://127.0.0.1:{port}/bucket/{client}/{number}", data=SMALL)
        for number in range(PUTS_OF_EACH)
    ]
    for request in requests:
        signer.add_auth(request)
    return [dict(request.headers.items()) for request in requests]


def put_small(port, client, headers=(UNSIGNED,) * PUTS_OF_EACH):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for number, fields in enumerate(headers):
        connection.request("PUT", f"/bucket/{client}/{number}", SMALL, fields)
        response = connection.getresponse()
        response.read()
        assert response.status == 200
    connection.close()


@pytest.mark.timeout(600)
def test_a_gigabyte_takes_no_memory_and_little_time(server, record_property):
    process, port = server
    put_small(port, 0)
    idle = resident_mib(process.pid, "VmRSS")
    begun = time.monotonic()
    upload(port)
    up = N_BYTES / 1e6 / (time.monotonic() - begun)
    down = 0.0
    for _ in range(3):
        begun = time.monotonic()
        download(port)
        down = max(down, N_BYTES / 1e6 / (time.monotonic() - begun))
    more = resident_mib(process.pid, "VmHWM") - idle
    print(f"\n1 GiB: up {up:.0f} MB/s, down {down:.0f} MB/s, {more:.0f} MiB more than {idle:.0f}")
    record_property("down_mb_s", down)
    assert more <= MORE_MIB_MAX
    assert down >= DOWN_MB_S_MIN


@pytest.mark.timeout(600)
@pytest.mark.parametrize("auth", ["off", "sigv4"])
def test_small_objects_are_stored_a_thousand_a_second(server, auth, record_property):
    _, port = server
    fields = [
        (UNSIGNED,) * PUTS_OF_EACH if auth == "off" else sign_small(port, each)
        for each in range(CLIENTS)
    ]
    clients = [
        threading.Thread(target=put_small, args=(port, each, fields[each]))
        for each in range(CLIENTS)
    ]
    begun = time.monotonic()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    rate = CLIENTS * PUTS_OF_EACH / (time.monotonic() - begun)
    print(f"\n{rate:.0f} PutObjects a second from {CLIENTS} clients, {auth}")
    record_property("puts_a_second", rate)
    assert rate >= PUTS_A_SECOND_MIN
