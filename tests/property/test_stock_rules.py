"""How many sandboxes are kept ready: never more than there is room for, and none given unfairly."""

from hypothesis import given
from hypothesis import strategies as st

from alonzo.environments.stock_rules import HALF_LIFE_S, PARKED_BYTES, QUIET_S, Heat, room, wanted

heats = st.dictionaries(
    st.sampled_from("abcdef"),
    st.builds(Heat, st.floats(0, 500), st.floats(0, 10_000)),
)
counts = st.integers(0, 200)


@given(heats, st.floats(0, 20_000), st.integers(0, 5), counts)
def test_the_room_is_never_passed_and_never_wasted(heats, now_s, floor, room):
    given = wanted(heats, now_s=now_s, floor=floor, room=room)
    assert given.keys() == heats.keys()
    boundless = wanted(heats, now_s=now_s, floor=floor, room=100_000)
    assert sum(given.values()) == min(room, sum(boundless.values()))
    assert all(0 <= given[kind] <= boundless[kind] for kind in heats)


@given(heats, st.floats(0, 20_000), st.integers(1, 5), counts)
def test_every_kind_has_one_before_any_has_two(heats, now_s, floor, room):
    given = wanted(heats, now_s=now_s, floor=floor, room=room)
    if room >= len(heats):
        assert all(given.values())
    assert not given or max(given.values()) <= 1 or min(given.values()) >= 1


@given(heats, st.floats(0, 20_000), counts, counts)
def test_more_room_takes_nothing_from_anybody(heats, now_s, less, more):
    less, more = sorted((less, more))
    with_less = wanted(heats, now_s=now_s, floor=2, room=less)
    with_more = wanted(heats, now_s=now_s, floor=2, room=more)
    assert all(with_less[kind] <= with_more[kind] for kind in heats)


@given(st.builds(Heat, st.floats(0, 500), st.floats(0, 1000)), st.floats(0, 1000))
def test_heat_cools_and_each_call_adds_one(heat, later_s):
    now_s = heat.at_s + later_s
    assert heat.now(now_s) <= heat.units
    risen = heat.risen(now_s)
    assert (risen.units, risen.at_s) == (heat.now(now_s) + 1, now_s)


def test_half_of_the_heat_is_gone_after_a_half_life():
    assert Heat(8, 100).now(100 + HALF_LIFE_S) == 4


def test_a_clock_that_stands_still_or_goes_back_heats_nothing():
    assert Heat(8, 100).now(100) == Heat(8, 100).now(50) == 8


@given(st.integers(0, 40))
def test_a_burst_adds_what_it_took_to_the_floor(claims):
    heat = Heat()
    for _ in range(claims):
        heat = heat.risen(0)
    assert wanted({"k": heat}, now_s=0, floor=2, room=1000) == {"k": 2 + claims}


def test_a_kind_that_is_quiet_keeps_one():
    heats = {"k": Heat(1, 0)}
    assert wanted(heats, now_s=QUIET_S + 1, floor=3, room=10) == {"k": 1}
    assert wanted(heats, now_s=QUIET_S + 1, floor=0, room=10) == {"k": 0}


def test_no_floor_means_that_nothing_is_kept():
    assert wanted({"k": Heat(50, 0)}, now_s=0, floor=0, room=100) == {"k": 0}


def test_the_room_is_the_least_of_what_bounds_it():
    def by(**change):
        facts = {
            "parked_max": 50,
            "memory_bytes": 1000 * PARKED_BYTES,
            "memory_share": 0.1,
            "environments_free": 70,
        }
        return room(**facts | change)

    assert by() == 50
    assert by(parked_max=500) == 70
    assert by(parked_max=500, environments_free=500) == 100
    assert by(environments_free=-3) == 0
    assert by(memory_bytes=0) == 0
