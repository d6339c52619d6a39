"""Staging labels of secret versions: where they go."""

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.secretsmanager.stages import CURRENT, PENDING, PREVIOUS, attached, moved

BEFORE = {"1": (PREVIOUS,), "2": (CURRENT, "mine"), "3": (PENDING,), "4": ()}


def test_current_leaves_previous_behind():
    after = attached(BEFORE, "5", [CURRENT])
    assert after == {"1": (), "2": ("mine", PREVIOUS), "3": (PENDING,), "4": (), "5": (CURRENT,)}


def test_a_label_is_on_one_version():
    assert attached(BEFORE, "4", ["mine"])["2"] == (CURRENT,)
    assert attached(BEFORE, "2", [CURRENT]) == BEFORE


def test_a_rollback_swaps_current_and_previous():
    after = moved(BEFORE, CURRENT, to="1", away_from="2")
    assert after["1"] == (CURRENT,)
    assert after["2"] == ("mine", PREVIOUS)


def test_a_label_is_taken_away():
    assert moved(BEFORE, PENDING, to=None, away_from="3")["3"] == ()


@pytest.mark.parametrize(
    ("label", "to", "away_from", "code"),
    [
        (CURRENT, "3", None, "InvalidParameterException"),
        (CURRENT, "3", "1", "InvalidParameterException"),
        (CURRENT, None, "2", "InvalidParameterException"),
        (CURRENT, None, None, "InvalidParameterException"),
        ("none", None, "1", "InvalidParameterException"),
        (CURRENT, "9", "2", "ResourceNotFoundException"),
    ],
)
def test_what_does_not_say_where_the_label_is_is_refused(label, to, away_from, code):
    with pytest.raises(AwsError) as caught:
        moved(BEFORE, label, to=to, away_from=away_from)
    assert caught.value.code == code
