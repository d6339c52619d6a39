"""The queue of events drains as fast with 100,000 events waiting as with 1,000."""

import contextlib
import faulthandler
import sqlite3
import time

import pytest

from alonzo.testing.functions import deploy
from alonzo.testing.waiting import eventually

WAITING = (1_000, 10_000, 100_000)
#: Events that are watched on their way, of a longer queue.
WATCHED = 10_000
#: How much slower the longest queue may be than the middle one. Other work on the host weighs more.
SLOWER_MAX = 3.0

_ADD = """
INSERT INTO async_event
    (request_id, function_path, payload, trace_header, accepted_at_s, due_at_s)
VALUES (?, '000000000000/us-east-1/f', ?, 'Root=1-5759e988-bd862e3fe1be46a994272793', ?, ?)
"""


@contextlib.contextmanager
def database(daemon):
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "alonzo.db", timeout=30)) as db:
        yield db


def fill(daemon, waiting):
    """Have so many events wait, accepted over the last hours, while the daemon is down."""
    now_s = time.time()
    rows = (
        (f"{n:08x}-0000-4000-8000-000000000000", b'{"n":%d}' % n, at_s, at_s)
        for n in range(waiting)
        for at_s in (now_s - (waiting - n) / 10,)
    )
    with database(daemon) as db, db:
        db.execute("DELETE FROM async_event")
        db.executemany(_ADD, rows)


def left(daemon):
    with database(daemon) as db:
        return db.execute("SELECT COUNT(*) FROM async_event").fetchone()[0]


def rate(daemon, waiting):
    """Events a second, once its environments run."""
    fill(daemon, waiting)
    daemon.start()
    eventually(lambda: left(daemon) <= waiting - 100, 60)
    began, first = time.perf_counter(), left(daemon)
    goal = max(0, waiting - WATCHED)
    eventually(lambda: left(daemon) <= goal, 120)
    measured = (first - left(daemon)) / (time.perf_counter() - began)
    daemon.kill()
    return measured


@pytest.mark.timeout(600)
def test_a_long_queue_drains_as_fast_as_a_short_one(own_platform, capsys):
    # It takes longer than a test usually hangs.
    faulthandler.cancel_dump_traceback_later()
    daemon = own_platform()
    deploy(daemon.client("lambda"), "f", "def handler(event, context): return event")
    daemon.stop()
    rates = {waiting: rate(daemon, waiting) for waiting in WAITING}
    with capsys.disabled():
        for waiting, measured in rates.items():
            print(f"\n{waiting:7d} waiting: {measured:5.0f} events a second", end="")
    assert rates[100_000] > rates[10_000] / SLOWER_MAX
