"""10,000 events while the daemon is killed 100 times: none is lost, none runs too often."""

import faulthandler
import random

import pytest

from alonzo.testing.event_kills import OPTIONS, Collector, Ledger, Series

EVENTS, KILLS = 10_000, 100
TEST_S_MAX = 3600


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.close()


@pytest.mark.timeout(TEST_S_MAX)
def test_ten_thousand_events_survive_a_hundred_kills(collector, own_platform, capsys):
    # It takes longer than a test usually hangs.
    faulthandler.cancel_dump_traceback_later()
    daemon = own_platform(*OPTIONS)
    ledger = Ledger(collector)
    series = Series(daemon, ledger, random.Random(1))
    series.prepare()
    counts = series.run(events=EVENTS, kills=KILLS, life_s=4.0, end_s=900)
    with capsys.disabled():
        print(f"\n{counts}")
    assert not ledger.faults
    assert counts["accepted"] >= EVENTS
    assert counts["kills"] >= KILLS
