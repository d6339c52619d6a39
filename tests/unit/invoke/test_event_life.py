"""When an event runs, when it runs again, and how it ends."""

import pytest

from alonzo.invoke.event_life import (
    Again,
    Condition,
    EventPolicy,
    Life,
    Over,
    Run,
    after_refusal,
    after_run,
    backoff_s,
    before_run,
)
from alonzo.model.limits import MAXIMUM_EVENT_AGE_S

FAILED, DONE = Run(b"{}", "1", failed=True), Run(b"1", "1", failed=False)
T = 1000.0


def life(runs=0, tries=1, accepted_at_s=T):
    return Life(accepted_at_s, runs, tries)


def test_a_second_attempt_comes_after_one_minute_and_a_third_after_two():
    assert after_run(life(0), EventPolicy(), FAILED, T) == Again(T + 60, 1, 0)
    assert after_run(life(1), EventPolicy(), FAILED, T) == Again(T + 120, 2, 0)
    assert after_run(life(2), EventPolicy(), FAILED, T) == Over(Condition.RETRIES_EXHAUSTED, 3)


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_as_many_attempts_as_are_configured(retries):
    policy, runs = EventPolicy(retries_max=retries), 0
    while isinstance(step := after_run(life(runs), policy, FAILED, T), Again):
        runs = step.runs
    assert step == Over(Condition.RETRIES_EXHAUSTED, retries + 1)


@pytest.mark.parametrize("runs", [0, 1, 2, 5])
def test_a_success_ends_an_event_whatever_came_before(runs):
    policy = EventPolicy(retries_max=0, age_s_max=60, blocked=True)
    assert after_run(life(runs), policy, DONE, T + 1e6) == Over(Condition.SUCCESS, runs + 1)


def test_a_refusal_spends_no_attempt_and_waits_longer_each_time():
    waits = []
    step = Again(T, 1, 0)
    for _ in range(11):
        step = after_refusal(life(step.runs, step.tries + 1), EventPolicy(), T)
        waits.append(step.due_at_s - T)
        assert step.runs == 1
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert backoff_s(1_000_000) == 300


def test_an_event_ends_before_a_wait_that_would_make_it_too_old():
    policy = EventPolicy(age_s_max=100)
    assert after_run(life(), policy, FAILED, T + 40) == Again(T + 100, 1, 0)
    assert after_run(life(), policy, FAILED, T + 40.1) == Over(Condition.EVENT_AGE_EXCEEDED, 1)
    assert after_refusal(life(1), policy, T + 99) == Again(T + 100, 1, 1)
    assert after_refusal(life(1), policy, T + 99.1) == Over(Condition.EVENT_AGE_EXCEEDED, 1)


def test_an_event_runs_up_to_its_maximum_age_and_no_longer():
    assert before_run(life(), EventPolicy(), T + MAXIMUM_EVENT_AGE_S) is None
    late = before_run(life(), EventPolicy(), T + MAXIMUM_EVENT_AGE_S + 0.1)
    assert late == Over(Condition.EVENT_AGE_EXCEEDED, 0)


def test_an_event_whose_attempts_are_used_up_does_not_run():
    assert before_run(life(2), EventPolicy(), T) is None
    assert before_run(life(3), EventPolicy(), T) == Over(Condition.RETRIES_EXHAUSTED, 3)


def test_a_reservation_of_zero_ends_an_event_before_anything_else_does():
    policy = EventPolicy(retries_max=0, age_s_max=60, blocked=True)
    over = before_run(life(), policy, T + 1e6)
    assert over == Over(Condition.ZERO_RESERVED_CONCURRENCY, 0)


def test_an_error_that_no_try_can_heal_ends_the_event():
    over = after_refusal(life(1), EventPolicy(), T, final=True)
    assert over == Over(Condition.RETRIES_EXHAUSTED, 1)


def test_success_and_failure_have_a_destination_each():
    policy = EventPolicy(on_success="s", on_failure="f")
    assert [policy.destination(each) for each in Condition] == ["s", "f", "f", "f", "f"]
