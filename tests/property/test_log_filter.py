"""Filter patterns: any text is a pattern or a named error; the automaton agrees with ``re``."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alonzo.model.errors import AwsError
from alonzo.services.logs.filter_pattern import parse
from alonzo.services.logs.filter_pattern.regex import compile_regex

PIECES = st.sampled_from(
    [
        *(
            "{",
            "}",
            "[",
            "]",
            "(",
            ")",
            "$",
            ".",
            "$.a",
            "$.b[0]",
            "[*]",
            "*",
            "=",
            "!=",
            ">",
            "<=",
        ),
        *("&&", "||", "IS", "NULL", "TRUE", "NOT", "EXISTS", "%", "%a+%", '"', '"x y"', "\\", "?"),
        *("-", ",", "...", " ", "ERROR", "w1", "1", "-2.5e3", "1e999", "é", "\n", "\ud800"),
    ]
)
PATTERNS = st.one_of(
    st.text(max_size=60),
    st.lists(PIECES, max_size=20).map("".join),
    st.lists(PIECES, max_size=20).map(lambda pieces: "{" + "".join(pieces) + "}"),
    st.lists(PIECES, max_size=20).map(lambda pieces: "[" + "".join(pieces) + "]"),
)
MESSAGES = ['{"a": 1, "b": ["x", null, true, {"c": 1e5}]}', "ERROR 1 [a b] é", "", '"', "{}"]


REFUSED = object()


def parsed_or_refused(parser: Any, text: str) -> Any:
    code = None
    try:
        return parser(text)
    except AwsError as error:
        code = error.code
    assert code == "InvalidParameterException"
    return REFUSED


@given(PATTERNS, st.text(max_size=30))
def test_any_text_is_a_pattern_or_a_named_error(pattern: str, message: str) -> None:
    matcher = parsed_or_refused(parse, pattern)
    if matcher is REFUSED:
        return
    if matcher is None:
        assert not pattern.strip()
        return
    for text in (message, *MESSAGES):
        assert matcher(text) in (True, False)


ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "[b-d]", r"\d", r"\W", r"\.", r"\x61", "-"])
COUNTS = st.sampled_from(["", "", "", "?", "*", "+", "{2}", "{1,2}", "{0}", "{2,}"])
SEQUENCES = st.builds(
    lambda start, atoms, end: start + "".join(atom + count for atom, count in atoms) + end,
    st.sampled_from(["", "", "^"]),
    st.lists(st.tuples(ATOMS, COUNTS), min_size=1, max_size=5),
    st.sampled_from(["", "", "$"]),
)
EXPRESSIONS = st.lists(SEQUENCES, min_size=1, max_size=3).map("|".join)


@given(EXPRESSIONS, st.text(alphabet="abcd1.-\n é", max_size=12))
def test_the_automaton_finds_what_re_finds(expression: str, text: str) -> None:
    expected = re.search(expression, text, re.ASCII) is not None
    automaton = compile_regex(expression)
    assert automaton.search(text) is expected
    assert automaton.search(text) is expected


@given(st.text(alphabet="ab^$?*+.{}[]|\\-19,xd:", max_size=15), st.text(max_size=10))
def test_any_text_is_an_expression_or_a_named_error(expression: str, text: str) -> None:
    automaton = parsed_or_refused(compile_regex, expression)
    if automaton is not REFUSED:
        assert automaton.search(text) in (True, False)
