"""The regular expressions of queries agree with Python's, and no text makes them slow."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.services.logs.insights import regexes
from alonzo.services.logs.insights.bounds import Bounds, QueryStopped
from alonzo.services.logs.insights.regexes import Regex, RegexError

ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", "1", "^", "$"])
PIECES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{0,2}", "{1}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)


@given(PIECES, PIECES, st.text("ab1c", max_size=8))
def test_what_is_found_is_what_python_finds(first, second, text):
    source = f"(?P<x>{first})(?P<y>{second})"
    theirs = re.search(source, text)
    regex = Regex(source)
    assert regex.search(text) is (theirs is not None)
    ours = regex.find(text)
    assert (ours is None) is (theirs is None)
    if theirs is not None:
        assert ours == list(theirs.groups())


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_an_expression_or_none(source, text):
    try:
        regex = Regex(source)
    except RegexError:
        return
    assert (regex.find(text) is None) is not regex.search(text)


def test_an_expression_that_python_never_ends_is_matched_at_once():
    assert not Regex("(?:a+)+$").search("a" * 20_000 + "b")
    assert Regex("(?:a|aa)*b(?<rest>.*)").find("a" * 2_000 + "bc") == ["c"]
    with pytest.raises(RegexError):
        Regex("(?:a{100}){100}")


def test_what_an_expression_remembers_is_bounded_and_forgotten(monkeypatch):
    monkeypatch.setattr(regexes, "REMEMBERED_MAX", 2_000)
    bounds = Bounds()
    regex, other = Regex("a.{30}b.{30}c", bounds), Regex("x[^y]*z", bounds)
    text = "".join(random.Random(1).choices("ab", k=2_000))
    for place in (0, 500, 1_000):
        found = text[:place] + "a" + "-" * 30 + "b" + "-" * 30 + "c" + text[place:]
        assert regex.search(found)
        assert not regex.search(text[place:])
        # Each of its ways is a character that nothing else has.
        assert not other.search("x" + "".join(map(chr, range(5_000, 6_000))) + "y")
        assert bounds.remembered < 4_000


def test_an_expression_stops_in_the_middle_of_a_text():
    bounds = Bounds()
    regex = Regex("(?<a>a|b)*c", bounds)
    assert not regex.search("ab")
    bounds.stop()
    for match in (regex.search, regex.find):
        with pytest.raises(QueryStopped):
            match("ab")
