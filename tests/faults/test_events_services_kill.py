"""Kills while buckets, rules, schedules and subscriptions are under load.

The whole of it, with 50 kills, is ``tests/perf/test_events_kills.py``.
"""

import random

import pytest

from alonzo.testing.disk import files_of, wait_for_baseline, weights_of
from alonzo.testing.service_event_kills import Ledger, Series
from alonzo.testing.waiting import eventually


@pytest.mark.nightly
@pytest.mark.timeout(180)
def test_kills_lose_nothing_fire_no_tick_twice_and_tear_no_object(own_platform):
    ledger = Ledger()
    platform = own_platform()
    empty = weights_of(platform)
    series = Series(platform, ledger, random.Random(3))
    series.prepare()
    before = files_of(platform, "objects")
    counts = series.run(kills=3, life_s=3.0, end_s=60)
    assert not ledger.faults
    assert min(map(len, ledger.acknowledged.values())) > 5, counts
    series.delete_all()
    eventually(lambda: files_of(platform, "objects") == before, 30)
    wait_for_baseline(platform, empty, 60)
