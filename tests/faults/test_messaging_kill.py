"""Kills while topics, queues and mappings are under load.

The whole of it, with 50 kills, is ``tests/perf/test_messaging_kills.py``.
"""

import random

import pytest

from alonzo.testing.disk import files_of, wait_for_baseline, weights_of
from alonzo.testing.event_kills import Collector
from alonzo.testing.messaging_kills import OPTIONS, Ledger, Series


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.close()


@pytest.mark.nightly
@pytest.mark.timeout(180)
def test_kills_lose_no_message_keep_groups_in_order_and_leave_nothing(collector, own_platform):
    daemon = own_platform(*OPTIONS)
    empty = weights_of(daemon)
    ledger = Ledger(collector)
    series = Series(daemon, ledger, random.Random(3))
    series.prepare()
    blobs = files_of(daemon, "blobs")
    counts = series.run(kills=3, life_s=1.5, end_s=60)
    assert not ledger.faults()
    assert min(counts["q: acknowledged"], counts["q.fifo: acknowledged"]) > 20
    assert files_of(daemon, "blobs") == blobs
    series.delete_all()
    wait_for_baseline(daemon, empty, 60)
