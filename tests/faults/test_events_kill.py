"""A series of kills while events come in, fail, are retried and reported.

The whole of it, with 10,000 events and 100 kills, is ``tests/perf/test_ten_thousand_events.py``.
"""

import random

import pytest

from alonzo.testing.event_kills import OPTIONS, Collector, Ledger, Series


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.close()


@pytest.mark.nightly
@pytest.mark.timeout(180)
def test_kills_lose_no_event_and_no_record_and_add_no_attempt(collector, own_platform):
    daemon = own_platform(*OPTIONS)
    ledger = Ledger(collector)
    series = Series(daemon, ledger, random.Random(5))
    series.prepare()
    counts = series.run(events=50, kills=3, life_s=2.0, end_s=40)
    assert not ledger.faults
    assert counts["accepted"] >= 50
    assert counts["records"] >= counts["accepted"]
