"""Fifty kills under a load of topics, queues and mappings: nothing lost, doubled or left."""

import faulthandler
import random

import pytest

from alonzo.testing.disk import files_of, wait_for_baseline, weights_of
from alonzo.testing.event_kills import Collector
from alonzo.testing.messaging_kills import OPTIONS, Ledger, Series

KILLS = 50
TEST_S_MAX = 1800


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.close()


@pytest.mark.timeout(TEST_S_MAX)
def test_messages_survive_fifty_kills(collector, own_platform, capsys):
    # It takes longer than a test usually hangs.
    faulthandler.cancel_dump_traceback_later()
    daemon = own_platform(*OPTIONS)
    empty = weights_of(daemon)
    ledger = Ledger(collector)
    series = Series(daemon, ledger, random.Random(1))
    series.prepare()
    blobs, run = files_of(daemon, "blobs"), files_of(daemon, "run")
    counts = series.run(kills=KILLS, life_s=4.0, end_s=300)
    with capsys.disabled():
        print(f"\n{counts}")
    assert not ledger.faults()
    assert counts["q: acknowledged"] > 1000
    assert counts["q.fifo: acknowledged"] > 1000
    assert files_of(daemon, "blobs") == blobs
    full = weights_of(daemon)
    series.delete_all()
    # Five minutes after the last send the ids that duplicates are told by go.
    after = wait_for_baseline(daemon, empty, 400)
    with capsys.disabled():
        print(f"before:\n{empty.report()}\nfull:\n{full.report()}\nafter:\n{after.report()}")
    assert len(files_of(daemon, "run")) <= len(run)
