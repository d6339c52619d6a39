"""How many sandboxes are kept ready: never more than there is room for, and none given unfairly."""

from hypothesis import given
from hypothesis import strategies as st

from alonzo.environments.stock_rules import (
    FORGOTTEN_S,
    HALF_LIFE_S,
    QUIET_S,
    Demand,
    Heat,
    Room,
    room,
    wanted,
)

MIB = 1 << 20
some_heat = st.builds(Heat, st.floats(0, 500), st.floats(0, 10_000))
#: Of one size, so that a number of them is as good as their memory.
equal = st.dictionaries(st.sampled_from("abcdef"), st.builds(Demand, some_heat, st.just(MIB)))
demands = st.dictionaries(
    st.sampled_from("abcdef"),
    st.builds(Demand, some_heat, st.sampled_from([MIB, 8 * MIB, 48 * MIB]), st.booleans()),
)
counts = st.integers(0, 200)
rooms = st.builds(Room, counts, st.integers(0, 2000 * MIB))
BOUNDLESS = Room(100_000, 1 << 60)


@given(demands, st.floats(0, 20_000), st.integers(0, 5), rooms)
def test_the_room_is_never_passed_and_never_wasted(demands, now_s, floor, room):
    given = wanted(demands, now_s=now_s, floor=floor, room=room)
    assert given.keys() == demands.keys()
    boundless = wanted(demands, now_s=now_s, floor=floor, room=BOUNDLESS)
    n, n_bytes = sum(given.values()), sum(given[kind] * demands[kind].bytes for kind in given)
    assert n <= room.n
    assert n_bytes <= room.bytes
    for kind, demand in demands.items():
        assert 0 <= given[kind] <= boundless[kind]
        # Who has less than it would like could not have had one more.
        full = n == room.n or n_bytes + demand.bytes > room.bytes
        assert given[kind] == boundless[kind] or full


@given(equal, st.floats(0, 20_000), st.integers(1, 5), counts)
def test_every_kind_has_one_before_any_has_two(demands, now_s, floor, n):
    given = wanted(demands, now_s=now_s, floor=floor, room=Room(n, 1 << 60))
    if n >= len(demands):
        assert all(given.values())
    assert not given or max(given.values()) <= 1 or min(given.values()) >= 1


@given(equal, st.floats(0, 20_000), counts, counts, st.booleans())
def test_more_room_takes_nothing_from_anybody(demands, now_s, less, more, by_memory):
    less, more = (
        Room(1000, n * MIB) if by_memory else Room(n, 1 << 60) for n in sorted((less, more))
    )
    with_less = wanted(demands, now_s=now_s, floor=2, room=less)
    with_more = wanted(demands, now_s=now_s, floor=2, room=more)
    assert all(with_less[kind] <= with_more[kind] for kind in demands)


@given(some_heat, st.floats(0, 20_000))
def test_of_what_is_forgotten_nothing_is_kept(heat, later_s):
    now_s = heat.at_s + later_s
    demand = Demand(heat, MIB, lasting=False)
    kept = wanted({"k": demand}, now_s=now_s, floor=2, room=BOUNDLESS)["k"]
    assert (kept == 0) == demand.forgotten(now_s) == (now_s - heat.at_s > FORGOTTEN_S)


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


def kept(heat, **facts):
    return wanted({"k": Demand(heat, MIB)}, **facts)["k"]


@given(st.integers(0, 40))
def test_a_burst_adds_what_it_took_to_the_floor(claims):
    heat = Heat()
    for _ in range(claims):
        heat = heat.risen(0)
    assert kept(heat, now_s=0, floor=2, room=BOUNDLESS) == 2 + claims


def test_a_kind_that_is_quiet_keeps_one():
    facts = {"now_s": QUIET_S + 1, "room": BOUNDLESS}
    assert kept(Heat(1, 0), floor=3, **facts) == 1
    assert kept(Heat(1, 0), floor=0, **facts) == 0


def test_no_floor_means_that_nothing_is_kept():
    assert kept(Heat(50, 0), now_s=0, floor=0, room=BOUNDLESS) == 0


def test_the_room_is_the_least_of_what_bounds_it():
    def by(**change):
        facts = {
            "parked_max": 50,
            "memory_bytes": 1000 * MIB,
            "memory_share": 0.1,
            "environments_free": 70,
        }
        return room(**facts | change)

    assert by() == Room(50, 100 * MIB)
    assert by(parked_max=500).n == 70
    assert by(environments_free=-3).n == 0
    assert by(memory_bytes=0).bytes == 0
