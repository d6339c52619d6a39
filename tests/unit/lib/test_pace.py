"""So many a second, and only so many at once."""

from hypothesis import given
from hypothesis import strategies as st

from alonzo.lib.pace import Pace


def passes(pace, at_s, per_s, tries):
    return sum(pace.try_pass(at_s, per_s) for _ in range(tries))


def test_a_second_s_worth_passes_at_once_and_no_more():
    pace = Pace()
    assert passes(pace, 5.0, 10.0, 50) == 10
    assert passes(pace, 5.05, 10.0, 50) == 0
    assert passes(pace, 5.3, 10.0, 50) == 3


def test_what_was_not_used_does_not_add_up():
    pace = Pace()
    assert pace.try_pass(0.0, 10.0)
    assert passes(pace, 1000.0, 10.0, 50) == 10


def test_a_longer_burst_has_the_same_rate():
    pace = Pace(burst_s=10.0)
    assert passes(pace, 0.0, 100.0, 5000) == 1000
    assert passes(pace, 1.0, 100.0, 5000) == 100


def test_it_is_quiet_once_a_new_one_would_answer_the_same():
    pace = Pace()
    assert pace.is_quiet(-1e9)
    pace.try_pass(7.0, 10.0)
    assert not pace.is_quiet(7.05)
    assert pace.is_quiet(7.1)


@given(
    gaps_s=st.lists(st.floats(0, 0.5), max_size=60), per_s=st.floats(0.5, 200), burst_s=st.just(1.0)
)
def test_no_span_of_time_sees_more_than_its_rate_and_one_burst(gaps_s, per_s, burst_s):
    pace = Pace(burst_s)
    now_s, passed = 0.0, []
    for gap_s in gaps_s:
        now_s += gap_s
        if pace.try_pass(now_s, per_s):
            passed.append(now_s)
    for i, first in enumerate(passed):
        for j, last in enumerate(passed[i:], start=1):
            assert j <= per_s * (last - first + burst_s) + 1e-3, (i, j)
