"""Fifty kills under a load of buckets, rules, schedules and subscriptions."""

import faulthandler
import random

import pytest

from alonzo.testing.disk import files_of, wait_for_baseline, weights_of
from alonzo.testing.service_event_kills import Ledger, Series
from alonzo.testing.waiting import eventually

KILLS = 50
TEST_S_MAX = 1800


@pytest.mark.timeout(TEST_S_MAX)
def test_buckets_rules_schedules_and_subscriptions_survive_fifty_kills(own_platform, capsys):
    # It takes longer than a test usually hangs.
    faulthandler.cancel_dump_traceback_later()
    ledger = Ledger()
    platform = own_platform()
    empty = weights_of(platform)
    series = Series(platform, ledger, random.Random(1))
    series.prepare()
    objects, run = files_of(platform, "objects"), files_of(platform, "run")
    counts = series.run(kills=KILLS, life_s=3.0, end_s=300)
    with capsys.disabled():
        print(f"\n{counts}")
    assert not ledger.faults
    assert min(map(len, ledger.acknowledged.values())) > 200
    assert counts["ticks of rules"]
    full = weights_of(platform)
    series.delete_all()
    eventually(lambda: files_of(platform, "objects") == objects, 60)
    after = wait_for_baseline(platform, empty, 120)
    with capsys.disabled():
        print(f"before:\n{empty.report()}\nfull:\n{full.report()}\nafter:\n{after.report()}")
    assert len(files_of(platform, "run")) <= len(run)
