"""Clients that send slowly, or nothing: what they get, and what others do meanwhile."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from alonzo.edge.http1.limits import ServerLimits
from alonzo.edge.s3 import gate
from alonzo.store.blob_file import BlobWriter
from alonzo.testing.s3 import S3Rig, open_s3
from alonzo.testing.waiting import eventually

if TYPE_CHECKING:
    import pytest

# libuv keeps a pipe for signals from its first loop to the end of the process.
uvloop.new_event_loop().close()

MIB = 1024 * 1024
#: Patient, so that a busy machine is not taken for a slow client.
PATIENT = ServerLimits(upload_idle_s=60, upload_while_s=60)


def on_rig(folder: Path, limits: ServerLimits, work: Callable[[S3Rig], None]) -> None:
    """Do something to a platform with a bucket, where nobody signs."""

    async def run() -> None:
        async with open_s3(folder, auth="off", limits=limits) as rig:
            await rig.make_bucket("bucket")
            await asyncio.to_thread(work, rig)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def begun(rig: S3Rig, key: str, length: int) -> socket.socket:
    wire = socket.create_connection(("127.0.0.1", rig.port), 30)
    wire.sendall(
        f"PUT /bucket/{key} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"x-amz-content-sha256: UNSIGNED-PAYLOAD\r\ncontent-length: {length}\r\n\r\n".encode()
    )
    return wire


def answer_on(wire: socket.socket) -> bytes:
    answer = b""
    while piece := wire.recv(65536):
        answer += piece
        if b"content-length: 0" in answer:
            break
    return answer


def test_who_sends_nothing_more_is_told_so(tmp_path: Path) -> None:
    def stall(rig: S3Rig) -> None:
        with closing(begun(rig, "k", MIB)) as wire:
            wire.sendall(b"x" * 300_000)
            answer = answer_on(wire)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"<Code>RequestTimeout</Code>" in answer
        eventually(lambda: rig.blob_count() == 0, 20)

    on_rig(tmp_path, ServerLimits(upload_idle_s=0.3), stall)


def test_who_sends_a_byte_now_and_then_is_told_so(tmp_path: Path) -> None:
    def trickle(rig: S3Rig) -> None:
        with closing(begun(rig, "k", MIB)) as wire:
            ended = threading.Event()

            def send() -> None:
                while not ended.wait(0.05):
                    try:
                        wire.sendall(b"x")
                    except OSError:
                        return

            sender = threading.Thread(target=send)
            sender.start()
            try:
                answer = answer_on(wire)
            finally:
                ended.set()
                sender.join()
        assert b"<Code>RequestTimeout</Code>" in answer

    on_rig(tmp_path, ServerLimits(upload_idle_s=30, upload_while_s=0.5), trickle)


def test_an_upload_that_keeps_moving_may_take_as_long_as_it_likes(tmp_path: Path) -> None:
    def send(rig: S3Rig) -> None:
        with closing(begun(rig, "k", 10 * 65536)) as wire:
            for _ in range(10):
                threading.Event().wait(0.1)
                wire.sendall(b"x" * 65536)
            assert answer_on(wire).startswith(b"HTTP/1.1 200 ")

    limits = ServerLimits(body_timeout_s=0.3, upload_idle_s=30, upload_while_s=30)
    on_rig(tmp_path, limits, send)


def test_many_that_stall_do_not_keep_an_honest_upload_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "ROOM_BYTES", MIB)

    def stall(rig: S3Rig) -> None:
        with ExitStack() as stack:
            for number in range(30):
                wire = stack.enter_context(closing(begun(rig, f"slow/{number}", 4 * MIB)))
                wire.sendall(b"x" * 200_000)
            # The room is too small for them all: some are on the disk by now.
            eventually(lambda: rig.blob_count() > 10, 20)
            with closing(begun(rig, "honest", 8 * MIB)) as wire:
                wire.sendall(os.urandom(8 * MIB))
                assert answer_on(wire).startswith(b"HTTP/1.1 200 ")

    on_rig(tmp_path, PATIENT, stall)


def test_a_disk_that_hangs_keeps_no_other_work_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, hanging = threading.Event(), asyncio.Semaphore(0)
    loop = uvloop.new_event_loop()
    write = BlobWriter.write

    def hang(writer: BlobWriter, piece: bytes) -> None:
        loop.call_soon_threadsafe(hanging.release)
        assert goes_on.wait(60)
        write(writer, piece)

    monkeypatch.setattr(BlobWriter, "write", hang)

    async def run() -> None:
        loop.set_default_executor(ThreadPoolExecutor(2))
        async with open_s3(tmp_path, auth="off", limits=PATIENT) as rig:
            await rig.make_bucket("bucket")
            wires = [begun(rig, f"k{number}", 300_000) for number in range(4)]
            try:
                for wire in wires:
                    await loop.sock_sendall(_nonblocking(wire), b"x" * 300_000)
                # More uploads hang than the loop has threads for everybody.
                async with asyncio.timeout(30):
                    for _ in range(2):
                        await hanging.acquire()
                    assert await asyncio.to_thread(lambda: 1) == 1
                    await rig.make_bucket("another")
            finally:
                goes_on.set()
            for wire in wires:
                answer = await loop.sock_recv(wire, 65536)
                assert answer.startswith(b"HTTP/1.1 200 ")
                wire.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run())


def _nonblocking(wire: socket.socket) -> socket.socket:
    wire.setblocking(False)
    return wire
