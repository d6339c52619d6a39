"""Fifty kills under a load of topics, queues and mappings: nothing lost, doubled or left."""

import faulthandler
import random

import pytest

from alonzo.testing.event_kills import Collector
from alonzo.testing.messaging_kills import OPTIONS, Ledger, Series
from alonzo.testing.waiting import eventually

KILLS = 50
TEST_S_MAX = 1800
#: What the database may be longer by in the end: deduplication ids, logs, figures of usage.
GROWTH_BYTES_MAX = 16 * 1024 * 1024


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
    ledger = Ledger(collector)
    series = Series(daemon, ledger, random.Random(1))
    series.prepare()
    before = series.disk()
    counts = series.run(kills=KILLS, life_s=4.0, end_s=300)
    with capsys.disabled():
        print(f"\n{counts}")
    assert not ledger.faults()
    assert counts["q: acknowledged"] > 1000
    assert counts["q.fifo: acknowledged"] > 1000

    def is_small():
        return series.disk().database_bytes <= before.database_bytes + GROWTH_BYTES_MAX

    eventually(is_small, 60)
    after = series.disk()
    with capsys.disabled():
        print(f"database: {before.database_bytes} bytes before, {after.database_bytes} after")
    assert after.blobs == before.blobs
    assert len(after.run) <= len(before.run)
