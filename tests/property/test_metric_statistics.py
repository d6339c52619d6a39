"""Statistics of points, however their values were grouped, against the values themselves."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alonzo.services.cloudwatch.distributions import EXACT_MAX, RELATIVE_ERROR, Distribution
from alonzo.services.cloudwatch.points import Point
from alonzo.services.cloudwatch.statistics import compute, parse_extended

#: A hair more than the promise: the borders of buckets are floats.
ERROR = RELATIVE_ERROR * 1.001

few = st.sampled_from([0.0, 0.35, 1.0, 2.5, 3.0, 17.25, 900_000.0])
values = st.one_of(few, st.floats(1e-6, 1e9), st.integers(0, 10**6).map(float))
parts = st.lists(st.lists(values, min_size=1, max_size=60), min_size=1, max_size=8)
percents = st.one_of(st.just(0.0), st.just(100.0), st.just(50.0), st.floats(0, 100))


def merged(groups):
    point = Point.of_values(groups[0])
    for group in groups[1:]:
        point.merge(Point.of_values(group))
    return point


def stored(point):
    """The point as it comes back from the store."""
    return Point.of_row(
        {
            "samples": point.count,
            "total": point.total,
            "low": point.low,
            "high": point.high,
            "distribution": point.stored_distribution(),
        }
    )


def brute_percentile(all_values, percent):
    ordered = sorted(all_values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100 - 1e-9) - 1)]


@given(parts)
def test_simple_statistics_are_those_of_all_values(groups):
    everything = [value for group in groups for value in group]
    point = stored(merged(groups))
    assert compute("SampleCount", point) == len(everything)
    assert compute("Sum", point) == pytest.approx(math.fsum(everything))
    assert compute("Average", point) == pytest.approx(math.fsum(everything) / len(everything))
    assert compute("Minimum", point) == min(everything)
    assert compute("Maximum", point) == max(everything)


@given(parts, percents)
def test_a_percentile_is_the_value_at_its_rank_within_a_hundredth(groups, percent):
    everything = [value for group in groups for value in group]
    point = stored(merged(groups))
    name = f"p{percent:.10f}"
    got = compute(name, point)
    wanted = brute_percentile(everything, float(name[1:]))
    if len(set(everything)) <= EXACT_MAX:
        assert got == wanted
    else:
        assert got == pytest.approx(wanted, rel=ERROR, abs=1e-8)


#: So many that they are kept in buckets, the greatest well off the middle of its own.
CROWD = [[100.0 * 1.003**n for n in range(80)]]


@example(CROWD)
@given(parts)
def test_percentiles_never_fall_and_never_leave_the_range(groups):
    point = stored(merged(groups))
    got = [compute(f"p{percent}", point) for percent in range(0, 101, 5)]
    assert got == sorted(got)
    assert got[-1] == point.high
    assert point.low <= got[0]


@given(parts, st.randoms())
def test_the_order_of_merging_changes_nothing_but_the_error(groups, random):
    mixed = list(groups)
    random.shuffle(mixed)
    one, other = stored(merged(groups)), stored(merged(mixed))
    assert one.count == other.count
    for percent in (1, 50, 99):
        name = f"p{percent}"
        assert compute(name, one) == pytest.approx(compute(name, other), rel=2 * ERROR, abs=1e-8)


@given(parts)
def test_a_distribution_counts_every_value_and_survives_the_store(groups):
    everything = [value for group in groups for value in group]
    distribution = Distribution()
    for group in groups:
        distribution.merge(Distribution.of((value, 1.0) for value in group))
    again = Distribution.decode(distribution.encode())
    assert list(again) == list(distribution)
    assert sum(count for _, count in again) == len(everything)


@given(parts)
def test_trimmed_statistics_of_everything_are_the_plain_ones(groups):
    point = merged(groups)
    everything = [value for group in groups for value in group]
    assert compute("tc100", point) == pytest.approx(len(everything))
    assert compute("ts100", point) == pytest.approx(point.total, rel=ERROR, abs=1e-6)
    assert compute("tm100", point) == pytest.approx(point.total / point.count, rel=ERROR, abs=1e-6)
    assert compute("WM(0%:100%)", point) == pytest.approx(
        point.total / point.count, rel=ERROR, abs=1e-6
    )


@given(st.lists(few, min_size=1, max_size=60), st.floats(0, 100), st.floats(0, 100))
def test_trimmed_means_are_those_of_the_values_between_the_ranks(all_values, one, other):
    low, high = sorted((round(one, 3), round(other, 3)))
    ordered = sorted(all_values)
    first, last = len(ordered) * low / 100, len(ordered) * high / 100
    weights = [max(0.0, min(at + 1, last) - max(at, first)) for at in range(len(ordered))]
    got = compute(f"TM({low:.3f}%:{high:.3f}%)", Point.of_values(all_values))
    if sum(weights) < 1e-6:
        return
    wanted = sum(w * v for w, v in zip(weights, ordered, strict=True)) / sum(weights)
    assert got == pytest.approx(wanted, rel=1e-6, abs=1e-6)


@given(st.lists(few, min_size=1, max_size=60), few, few)
def test_statistics_by_value_count_what_is_above_the_lower_and_up_to_the_upper(
    all_values, one, other
):
    low, high = sorted((one, other))
    point = Point.of_values(all_values)
    inside = [value for value in all_values if low < value <= high]
    assert compute(f"TC({low:.2f}:{high:.2f})", point) == len(inside)
    assert compute(f"PR({low:.2f}:{high:.2f})", point) == pytest.approx(
        100 * len(inside) / len(all_values)
    )
    assert compute(f"TS({low:.2f}:{high:.2f})", point) == pytest.approx(sum(inside))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1).filter(lambda v: min(v) < 0), parts)
def test_a_value_below_zero_takes_the_percentiles_away_and_nothing_else(negative, groups):
    point = merged(groups)
    point.merge(Point.of_values(negative))
    assert compute("p50", stored(point)) is None
    assert stored(point).low == min(negative)
    assert stored(point).count == point.count


@given(
    st.lists(st.floats(0, 2.0**360), min_size=1, max_size=150),
    st.floats(1e-300, 2.0**360),
    st.sampled_from(
        ["p50", "tm90", "wm90", "tc90", "ts90", "IQM", "PR(1:5)", "WM(1:5)", "Average"]
    ),
)
def test_values_and_counts_of_any_size_have_statistics_or_none(all_values, count, name):
    point = Point.of_values(all_values, [count] * len(all_values))
    point.merge(Point.of_values(all_values))
    for each in (point, stored(point)):
        got = compute(name, each)
        assert got is None or math.isfinite(got)


@given(st.lists(st.floats(0, 1e6), min_size=80, max_size=100, unique=True))
def test_counts_too_small_to_keep_are_no_statistic(all_values):
    point = stored(Point.of_values(all_values, [1e-6] * len(all_values)))
    assert compute("p50", point) is None
    assert compute("PR(1:5)", point) is None


@given(st.text(max_size=12))
def test_any_text_is_a_statistic_or_none(text):
    extended = parse_extended(text)
    if extended is not None:
        compute(text, Point.of_values([1.0, 2.0, 3.0]))
