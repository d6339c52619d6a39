"""Who may run now, as counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.invoke.concurrency import Concurrency, Reservations
from alonzo.model.arns import FunctionKey
from alonzo.model.errors import AwsError

F, G = (FunctionKey("123456789012", "eu-west-1", name) for name in "fg")
NONE = Reservations(None, 0)


def throttle(concurrency, key, reservations):
    with pytest.raises(AwsError) as caught:
        concurrency.take(key, reservations)
    assert (caught.value.code, caught.value.message) == (
        "TooManyRequestsException",
        "Rate Exceeded.",
    )
    assert caught.value.headers == {"Retry-After": "1"}
    return caught.value.members["Reason"]


def test_functions_without_a_reservation_share_the_account():
    concurrency = Concurrency(2)
    slot = concurrency.take(F, NONE)
    concurrency.take(G, NONE)
    assert throttle(concurrency, F, NONE) == "ConcurrentInvocationLimitExceeded"
    concurrency.give_back(slot)
    concurrency.take(F, NONE)


def test_other_accounts_and_regions_have_their_own():
    concurrency = Concurrency(1)
    for key in (F, FunctionKey("1" * 12, F.region, "f"), FunctionKey(F.account, "us-east-1", "f")):
        concurrency.take(key, NONE)
        throttle(concurrency, key, NONE)


def test_a_reservation_is_a_ceiling_and_withheld_from_the_others():
    concurrency = Concurrency(3)
    mine, theirs = Reservations(2, 2), Reservations(None, 2)
    concurrency.take(G, theirs)
    assert throttle(concurrency, G, theirs) == "ConcurrentInvocationLimitExceeded"
    for _ in range(2):
        concurrency.take(F, mine)
    assert throttle(concurrency, F, mine) == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_a_reservation_of_nothing_blocks():
    blocked = Reservations(0, 0)
    assert throttle(Concurrency(9), F, blocked).startswith("Reserved")


def test_calls_that_ran_before_the_reservation_count_for_it():
    concurrency = Concurrency(10)
    before = concurrency.take(F, NONE)
    assert throttle(concurrency, F, Reservations(1, 1)).startswith("Reserved")
    concurrency.give_back(before)
    concurrency.take(F, Reservations(1, 1))


CALLS = st.lists(
    st.tuples(st.sampled_from([F, G]), st.none() | st.integers(0, 3), st.integers(0, 3)),
    max_size=40,
)


@given(calls=CALLS, ends=st.randoms(use_true_random=False))
def test_whatever_was_taken_comes_back(calls, ends):
    concurrency = Concurrency(4)
    running = []
    for key, reserved, elsewhere in calls:
        try:
            running.append(concurrency.take(key, Reservations(reserved, elsewhere)))
        except AwsError:
            assert running or reserved == 0
        if running and ends.random() < 0.4:
            concurrency.give_back(running.pop(ends.randrange(len(running))))
        assert len(concurrency) == len(running)
        assert sum(slot.shared is not None for slot in running) <= 4
    for slot in running:
        concurrency.give_back(slot)
    assert len(concurrency) == 0
    for _ in range(4):
        concurrency.take(F, NONE)
