"""Fifty kills under a load of buckets, rules, schedules and subscriptions."""

import faulthandler
import random

import pytest

from alonzo.testing.service_event_kills import Ledger, Series
from alonzo.testing.waiting import eventually

KILLS = 50
TEST_S_MAX = 1800
#: What the database may be longer by in the end: logs, figures of usage, identifiers.
GROWTH_BYTES_MAX = 16 * 1024 * 1024


@pytest.mark.timeout(TEST_S_MAX)
def test_buckets_rules_schedules_and_subscriptions_survive_fifty_kills(own_platform, capsys):
    # It takes longer than a test usually hangs.
    faulthandler.cancel_dump_traceback_later()
    ledger = Ledger()
    series = Series(own_platform(), ledger, random.Random(1))
    series.prepare()
    before = series.disk()
    counts = series.run(kills=KILLS, life_s=3.0, end_s=300)
    with capsys.disabled():
        print(f"\n{counts}")
    assert not ledger.faults
    assert min(map(len, ledger.acknowledged.values())) > 200
    assert counts["ticks of rules"]
    series.delete_objects()
    eventually(lambda: series.disk().objects == before.objects, 60)

    def is_small():
        return series.disk().database_bytes <= before.database_bytes + GROWTH_BYTES_MAX

    eventually(is_small, 60)
    after = series.disk()
    with capsys.disabled():
        print(f"database: {before.database_bytes} bytes before, {after.database_bytes} after")
    assert len(after.run) <= len(before.run)
