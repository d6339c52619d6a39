"""An overseer that a function has taken over: the daemon lets go of it, and nothing else."""

import asyncio
import contextlib
import json
import os
import socket
import struct

import pytest

from alonzo.sandbox.overseer import frames
from alonzo.sandbox.overseer.client import Overseer


def message(document, descriptors=0):
    body = json.dumps(document).encode()
    return struct.pack("!IH", len(body), descriptors) + body


async def told(*writes):
    """Whether the daemon's end lets go after these writes; what it complains of is a failure."""
    problems = []
    asyncio.get_running_loop().set_exception_handler(lambda _, found: problems.append(found))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    client = Overseer("s", ours)
    try:
        for data, descriptors in writes:
            if client.ended.is_set():
                break
            with contextlib.suppress(OSError):
                frames.send_first(theirs, data, descriptors)
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.001)
        return client.ended.is_set()
    finally:
        theirs.close()
        client.close()
        assert not problems


@pytest.mark.parametrize(
    "notice",
    [
        {"exited": 1, "status": 0, "peak": "much"},
        {"exited": 1, "status": 0, "peak": {}},
        {"failed": {}, "error": "no", "unexecutable": True},
        {"ready": "x"},
        {"ready": None},
    ],
)
def test_a_notice_of_the_wrong_kind_is_its_end(notice):
    assert asyncio.run(told((message(notice), [])))


def test_a_message_that_is_too_deep_is_its_end():
    body = b'{"a":' * 15_000 + b"1" + b"}" * 15_000
    assert asyncio.run(told((struct.pack("!IH", len(body), 0) + body, [])))


def test_descriptors_without_a_message_are_its_end_before_ours_run_out():
    before = len(os.listdir("/proc/self/fd"))
    held = []

    async def main():
        spare = os.open("/dev/null", os.O_RDONLY)
        try:
            writes = [(struct.pack("!IH", 1 << 20, 250), []), *[(b" ", [spare] * 250)] * 50]
            ended = await told(*writes)
            held.append(len(os.listdir("/proc/self/fd")))
            return ended
        finally:
            os.close(spare)

    assert asyncio.run(main())
    assert held[0] <= before + 20
