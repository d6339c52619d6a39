"""Pauses between the tries of a step."""

from alonzo.store.retrying import RETRY_S_MAX, retry_s


def test_pausing_for_the_store_knows_no_largest_failure():
    assert retry_s(1_000_000) == RETRY_S_MAX
