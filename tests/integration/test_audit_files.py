"""The audit log on a real disk: what is durable, rotated, packed, bounded, and what is said."""

import asyncio
import gzip
import json
import os
import resource
import signal
import stat
import threading
from dataclasses import replace

import pytest

from alonzo.audit.files import AuditFiles
from alonzo.audit.masking import Masks
from alonzo.audit.settings import AuditSettings
from alonzo.audit.writer import AuditWriter
from alonzo.cli.audit import Reader
from alonzo.edge.models import service_model
from alonzo.lib.clock import ManualClock, SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.context import Principal
from alonzo.model.ports.audit import AuditEvent, TurnedAway

ACCOUNT = "000000000000"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIA1", is_root=True)
SETTINGS = AuditSettings()


def event(name="f", operation="DeleteFunction"):
    params = {"FunctionName": name}
    return AuditEvent(
        "lambda", operation, "r-1", ACCOUNT, "us-east-1", ROOT, "127.0.0.1", params=params
    )


def turned_away(address="10.0.0.1"):
    error = ("UnrecognizedClientException", "The security token is invalid.")
    return TurnedAway(
        "lambda", "ListFunctions", "r", "us-east-1", "AKIAX", address, "", "unknown key", error
    )


def writer(folder, settings=SETTINGS, mode="management", clock=None, files=None):
    clock = clock or SystemClock()
    files = files or AuditFiles(folder, settings, clock)
    return AuditWriter(
        files,
        Masks(service_model),
        mode=mode,
        account=ACCOUNT,
        clock=clock,
        ids=SystemIds(),
        settings=settings,
    )


def read(folder):
    return list(Reader(folder).new())


def names(folder):
    return [record["eventName"] for record in read(folder)]


async def said(caplog):
    """Wait until the daemon's log has heard of it."""
    async with asyncio.timeout(20):
        while "alonzo.audit" not in caplog.text:  # noqa: ASYNC110 - there is nobody who tells
            await asyncio.sleep(0.01)


def test_what_was_noted_is_on_disk_after_the_end_and_nobody_else_can_read_it(tmp_path):
    async def main():
        audit = writer(tmp_path / "audit")
        audit.open()
        async with TaskScope() as scope:
            scope.spawn(audit.run(), name="audit")
            for number in range(50):
                audit.note_nowait(event(f"f{number}"))
        await audit.close()

    asyncio.run(main())
    records = read(tmp_path / "audit")
    assert [record["eventName"] for record in (records[0], records[-1])] == [
        "AuditLogStarted",
        "AuditLogStopped",
    ]
    asked = [record["requestParameters"]["functionName"] for record in records[1:-1]]
    assert asked == [f"f{number}" for number in range(50)]
    (file,) = (tmp_path / "audit").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_log_goes_on_after_a_crash_and_says_so(tmp_path):
    folder = tmp_path / "audit"
    crashed = AuditFiles(folder, SETTINGS, SystemClock())
    crashed.open()
    crashed.append(b'{"eventName":"DeleteRole"}\n{"eventName":"Torn')
    crashed.close()

    async def main():
        audit = writer(folder)
        audit.open()
        await audit.close()

    asyncio.run(main())
    asyncio.run(main())
    assert names(folder) == [
        "DeleteRole",
        "AuditLogStarted",
        "AuditLogStopped",
        "AuditLogStarted",
        "AuditLogStopped",
    ]
    started = [record for record in read(folder) if record["eventName"] == "AuditLogStarted"]
    assert [record["serviceEventDetails"]["cleanStop"] for record in started] == [False, True]


def test_files_are_closed_packed_and_deleted(tmp_path):
    clock = ManualClock(1_700_000_000.0)
    settings = replace(SETTINGS, file_bytes_max=10, bytes_max=150, keep_days=1e9)
    folder = tmp_path / "audit"
    files = AuditFiles(folder, settings, clock)
    files.open()
    for number in range(6):
        files.append(b'{"eventName":"%d"}\n' % number)
        clock.advance(1)
        if number < 4:
            files.tidy()
    # One is left that was closed when the next line came, and the open one is full.
    assert files.tidy()
    assert not files.tidy()
    files.close()
    packed = sorted(folder.glob("*.gz"))
    assert 0 < len(packed) < 6
    assert sum(path.stat().st_size for path in packed) <= 150
    assert names(folder) == [str(number) for number in range(6)][-len(packed) :]
    assert gzip.decompress(packed[-1].read_bytes()) == b'{"eventName":"5"}\n'
    assert {stat.S_IMODE(path.stat().st_mode) for path in packed} == {0o600}
    late = AuditFiles(folder, replace(settings, keep_days=0), SystemClock())
    late.open()
    late.tidy()
    late.close()
    assert not list(folder.glob("*.gz"))


def test_an_old_file_is_closed_and_an_empty_one_is_not(tmp_path):
    clock = ManualClock()
    files = AuditFiles(tmp_path / "audit", SETTINGS, clock)
    files.open()
    clock.advance(100_000)
    files.tidy()
    assert len(list((tmp_path / "audit").iterdir())) == 1
    files.append(b"{}\n")
    files.tidy()
    files.close()
    assert len(list((tmp_path / "audit").iterdir())) == 2


def test_a_file_that_somebody_deleted_is_made_anew(tmp_path):
    files = AuditFiles(tmp_path / "audit", SETTINGS, SystemClock())
    files.open()
    (file,) = (tmp_path / "audit").iterdir()
    file.unlink()
    files.append(b'{"eventName":"a"}\n')
    files.close()
    assert names(tmp_path / "audit") == ["a"]


def test_a_full_disk_loses_nothing_that_fits_in_memory_and_counts_the_rest(tmp_path, caplog):
    folder = tmp_path / "audit"
    settings = replace(SETTINGS, queue_bytes_max=3_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    async def main():
        audit = writer(folder, settings)
        audit.open()
        size = next(folder.iterdir()).stat().st_size
        # So many bytes more: the next batch is torn, and has to be taken back.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
        async with TaskScope() as scope:
            scope.spawn(audit.run(), name="audit")
            for number in range(20):
                audit.note_nowait(event(f"f{number}"))
            await said(caplog)
            assert next(folder.iterdir()).stat().st_size <= size + 100
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        await audit.close()

    try:
        asyncio.run(main())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    records = read(folder)
    kept = [
        each["requestParameters"]["functionName"] for each in records if each["requestParameters"]
    ]
    lost = [each["serviceEventDetails"]["count"] for each in records
            if each["eventName"] == "AuditRecordsLost"]  # fmt: skip
    assert kept == [f"f{number}" for number in range(len(kept))]
    assert 0 < len(kept) < 20
    # The record of the log's end may itself be what found no room.
    assert len(kept) + sum(lost) in (20, 21)


class Slow(AuditFiles):
    """A disk that takes its time, once it is told to."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.slow = False
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.broken = False

    def append(self, lines):
        if self.slow:
            self.slow = False
            self.begun.set()
            assert self.go_on.wait(20)
            if self.broken:
                raise OSError("no disk")
        super().append(lines)


@pytest.mark.parametrize("broken", [False, True])
def test_a_stop_in_the_middle_of_a_write_loses_nothing_and_writes_nothing_twice(tmp_path, broken):
    async def main():
        files = Slow(tmp_path / "audit", SETTINGS, SystemClock())
        audit = writer(tmp_path / "audit", files=files)
        audit.open()
        files.slow, files.broken = True, broken
        async with TaskScope() as scope:
            scope.spawn(audit.run(), name="audit")
            audit.note_nowait(event("first"))
            await asyncio.to_thread(files.begun.wait, 20)
            audit.note_nowait(event("second"))
            asyncio.get_running_loop().call_later(0.05, files.go_on.set)
        await audit.close()

    asyncio.run(main())
    asked = [each["requestParameters"] for each in read(tmp_path / "audit")]
    assert [each["functionName"] for each in asked if each] == ["first", "second"]


def test_a_flood_of_strangers_is_summed_up(tmp_path):
    clock = ManualClock()

    async def main():
        audit = writer(tmp_path / "audit", replace(SETTINGS, refusals_per_minute=3), clock=clock)
        audit.open()
        for number in range(1000):
            audit.turned_away_nowait(turned_away(f"10.0.{number % 200}.1"))
        await audit.close()

    asyncio.run(main())
    records = read(tmp_path / "audit")
    unknown = [each for each in records if each["userIdentity"]["type"] == "Unknown"]
    assert len(unknown) == 3
    assert unknown[0]["eventName"] == "ListFunctions20150331"
    (summed,) = [each for each in records if each["eventName"] == "AuthenticationFailures"]
    details = summed["serviceEventDetails"]
    assert (details["count"], details["reasons"]) == (997, {"unknown key": 997})
    assert len(details["addresses"]) == 21
    assert sum(details["addresses"].values()) == 997


@pytest.mark.parametrize(("mode", "kept"), [("management", False), ("all", True)])
def test_data_events_are_kept_on_demand(tmp_path, mode, kept):
    async def main():
        audit = writer(tmp_path / "audit", mode=mode)
        audit.open()
        assert audit.wants("lambda", "Invoke") is kept
        audit.note_nowait(event(operation="Invoke"))
        await audit.close()

    asyncio.run(main())
    assert ("Invoke" in names(tmp_path / "audit")) is kept


def test_what_cannot_be_described_is_counted_and_harms_nobody(tmp_path, caplog):
    async def main():
        audit = writer(tmp_path / "audit")
        audit.open()
        audit.note_nowait(replace(event(), operation="NoSuchOperation"))
        await audit.close()

    asyncio.run(main())
    assert "AuditRecordsLost" in names(tmp_path / "audit")
    assert "audit.not_described" in caplog.text
    assert os.listdir(tmp_path / "audit")
    assert all(json.dumps(record) for record in read(tmp_path / "audit"))
