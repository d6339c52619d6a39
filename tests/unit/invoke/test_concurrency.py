"""Who may run now, as counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.invoke.concurrency import Concurrency, Reservations
from alonzo.model.arns import FunctionKey
from alonzo.model.errors import AwsError

F, G = (FunctionKey("123456789012", "eu-west-1", name) for name in "fg")
NONE = Reservations(None, 0)


def throttle(concurrency, key, reservations, **options):
    with pytest.raises(AwsError) as caught:
        concurrency.take(key, reservations, **options)
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


def test_what_is_provisioned_is_withheld_from_calls_on_demand():
    concurrency = Concurrency(5)
    reservations = Reservations(None, 0, provisioned=3)
    for _ in range(2):
        concurrency.take(G, reservations)
    assert throttle(concurrency, G, reservations) == "ConcurrentInvocationLimitExceeded"
    for _ in range(3):
        concurrency.take(F, reservations, provisioned=True)
    # What is provisioned is part of the account, too.
    assert throttle(concurrency, F, reservations, provisioned=True).startswith("Concurrent")


def test_what_is_provisioned_no_more_comes_back_to_all_with_the_end_of_its_calls():
    concurrency = Concurrency(3)
    slots = [concurrency.take(F, Reservations(None, 0, 2), provisioned=True) for _ in range(2)]
    concurrency.take(G, NONE)
    assert throttle(concurrency, G, NONE) == "ConcurrentInvocationLimitExceeded"
    concurrency.give_back(slots.pop())
    concurrency.take(G, NONE)


def test_a_reservation_holds_what_its_function_has_provisioned():
    concurrency = Concurrency(9)
    reserved = Reservations(3, 3)
    concurrency.take(F, reserved, ready=2)
    assert throttle(concurrency, F, reserved, ready=2).startswith("ReservedFunctionConcurrent")
    for _ in range(2):
        concurrency.take(F, reserved, ready=2, provisioned=True)
    assert throttle(concurrency, F, reserved, ready=2, provisioned=True).startswith("Reserved")


def test_what_is_not_ready_is_not_withheld():
    concurrency = Concurrency(9)
    for _ in range(2):
        concurrency.take(F, Reservations(2, 2), ready=0)


def test_a_reservation_that_ends_gives_nobody_more_than_the_account_has():
    concurrency = Concurrency(4)
    slots = [concurrency.take(F, Reservations(3, 3)) for _ in range(3)]
    concurrency.take(G, NONE)
    assert throttle(concurrency, G, NONE) == "ConcurrentInvocationLimitExceeded"
    assert throttle(concurrency, G, Reservations(2, 2)) == "ConcurrentInvocationLimitExceeded"
    concurrency.give_back(slots.pop())
    concurrency.take(G, NONE)


def test_a_function_with_a_reservation_gets_ten_requests_a_second_for_each_of_it():
    concurrency = Concurrency(100)
    reserved = Reservations(2, 2)
    for _ in range(20):
        concurrency.give_back(concurrency.take(F, reserved, now_s=7.0))
    refusal = throttle(concurrency, F, reserved, now_s=7.0)
    assert refusal == "ReservedFunctionInvocationRateLimitExceeded"
    assert len(concurrency) == 0
    concurrency.take(F, reserved)
    concurrency.take(F, reserved, now_s=7.1)
    # The limit of calls at once is looked at first.
    assert throttle(concurrency, F, reserved, now_s=7.1).endswith(
        "ConcurrentInvocationLimitExceeded"
    )


def test_functions_without_one_share_the_rate_of_the_account():
    concurrency = Concurrency(2)
    for number in range(20):
        key = (F, G)[number % 2]
        concurrency.give_back(concurrency.take(key, NONE, now_s=7.0))
    assert throttle(concurrency, F, NONE, now_s=7.0) == "FunctionInvocationRateLimitExceeded"
    other = FunctionKey(F.account, "us-east-1", "f")
    concurrency.take(other, NONE, now_s=7.0)


def test_functions_that_come_and_go_leave_no_pace():
    concurrency = Concurrency(100_000)
    for number in range(3000):
        key = FunctionKey(F.account, F.region, f"f{number}")
        now_s = float(number)
        concurrency.give_back(concurrency.take(key, Reservations(1, 1), now_s=now_s))
    assert len(concurrency._paces) <= 1024


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
