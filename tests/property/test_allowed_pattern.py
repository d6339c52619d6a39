"""``AllowedPattern``: the automaton says what ``re`` says, and never takes long."""

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.services.ssm.allowed_pattern import AllowedPattern, PatternError

ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\.", "(a|b)", "(?:ab)"])
QUANTIFIERS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "{0,1}"])
PIECES = st.builds(lambda atom, quantifier: atom + quantifier, ATOMS, QUANTIFIERS)
SEQUENCES = st.lists(PIECES, min_size=1, max_size=4).map("".join)
PATTERNS = st.recursive(
    SEQUENCES,
    lambda inner: st.builds(
        lambda left, right, quantifier: f"({left}|{right}){quantifier}", inner, inner, QUANTIFIERS
    ),
    max_leaves=4,
)


@given(PATTERNS, st.lists(st.text("ab1.", max_size=6), max_size=8))
def test_it_agrees_with_re(pattern, values):
    made = AllowedPattern(f"^{pattern}$")
    for value in values:
        assert made.matches(value) == bool(re.fullmatch(pattern, value)), (pattern, value)


@given(st.text("ab()[]|*+?{},\\^$.19-", max_size=20), st.text("ab1", max_size=10))
def test_any_text_is_a_pattern_or_a_named_error(pattern, value):
    try:
        made = AllowedPattern(pattern)
    except PatternError:
        return
    assert made.matches(value) in (True, False)


@pytest.mark.parametrize(
    "pattern", ["(a+)+b", "(a|a)*b", "(a*)*b", "(a|aa)+b", "(.*a){20}b", "a*a*a*a*a*b"]
)
def test_no_pattern_makes_it_slow(pattern):
    made = AllowedPattern(pattern)
    # A backtracking matcher would be busy for longer than the test may take.
    assert not made.matches("a" * 8192)


def test_no_pattern_takes_long_to_read():
    # Repetitions of nothing add no state, however many there are of them.
    with pytest.raises(PatternError, match="too large"):
        AllowedPattern("(" * 10 + "){9999}" * 10)


def test_many_states_at_a_time_are_stepped_on_together():
    made = AllowedPattern("(a|b)*a(a|b){160}")
    bits = "".join(Random(1).choices("ab", k=8192))
    for last in "ab":
        value = f"{bits[:-161]}{last}{bits[-160:]}"
        assert made.matches(value) is (last == "a")


@pytest.mark.parametrize(
    "pattern", ["(a", "a)", "[a", "*a", "a**", r"(a)\1", "(?=a)", "(?i)a", "a{1,9999}", "a{3,1}"]
)
def test_what_is_not_taken_is_refused(pattern):
    with pytest.raises(PatternError):
        AllowedPattern(pattern)
