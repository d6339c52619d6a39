"""How slots are shared out."""

import pytest

from alonzo.lib.slots import share_slots


@pytest.mark.parametrize(
    ("waiting", "held", "shares"),
    [
        ("a", {}, {"a": 50}),
        ("a", {"a": 50}, {}),
        ("a", {"a": 20, "b": 30}, {"a": 15}),
        ("ab", {}, {"a": 34, "b": 33}),
        ("ab", {"a": 50}, {"b": 25}),
        ("", {"a": 3}, {}),
        ("a", {"b": 100}, {}),
        ("ba", {"a": 50, "b": 49}, {}),
        ("abc", {"a": 50, "b": 49}, {"c": 1}),
    ],
)
def test_nobody_holds_more_slots_than_are_left_free(waiting, held, shares):
    assert share_slots(waiting, held, 100) == shares


def test_the_first_of_too_many_get_a_slot_each():
    assert share_slots([str(n) for n in range(9)], {}, 3) == {"0": 1, "1": 1, "2": 1}
