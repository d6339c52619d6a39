"""EventBridge's operators against what they mean, told another way."""

from __future__ import annotations

import contextlib
import json
import re
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alonzo.lib.event_operators import parse_pattern
from alonzo.lib.event_patterns import PatternError, read_document
from alonzo.services.events.documents import render
from alonzo.services.events.patterns import PatternIndex

TEXTS = st.text("ab*\\.é", max_size=8)
VALUES = st.none() | st.booleans() | st.integers(-9, 9) | TEXTS
OPERANDS = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["prefix", "suffix", "wildcard", "equals-ignore-case", "anything-but", "cidr", "="]
            ),
            inner,
            max_size=2,
        )
    ),
    max_leaves=8,
)


def passes(entries: list[Any], value: Any) -> bool:
    pattern = parse_pattern(json.dumps({"a": entries}))
    return pattern.matches(read_document(json.dumps({"a": value})))


@given(st.lists(st.text("ab.é", max_size=3), min_size=1, max_size=4), st.text("ab.é", max_size=8))
def test_a_wildcard_is_the_regular_expression_with_anything_between(
    pieces: list[str], value: str
) -> None:
    pieces = [pieces[0], *(piece or "b" for piece in pieces[1:-1]), *pieces[1:][-1:]]
    expression = ".*".join(re.escape(piece) for piece in pieces)
    expected = re.fullmatch(expression, value, re.DOTALL) is not None
    assert passes([{"wildcard": "*".join(pieces)}], value) is expected
    assert passes([{"anything-but": {"wildcard": "*".join(pieces)}}], value) is not expected


@given(TEXTS)
def test_an_escaped_text_is_a_wildcard_for_itself(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace("*", "\\*")
    assert passes([{"wildcard": escaped}], text)
    assert not passes([{"wildcard": escaped}], text + "a")


@given(st.decimals(-5_000_000, 5_000_000, places=4), st.integers(0, 3))
def test_a_number_is_itself_in_every_spelling(number: Decimal, shift: int) -> None:
    spelled = f"{number.scaleb(-shift)}e{shift}".replace("E", "e").replace("ee", "e")
    with contextlib.suppress(ValueError):
        document = read_document(f'{{"a":{spelled}}}')
        assert parse_pattern(f'{{"a":[{number}]}}').matches(document)
        assert not parse_pattern(f'{{"a":[{{"anything-but":{number}}}]}}').matches(document)


@given(OPERANDS, VALUES)
def test_any_operand_is_taken_or_refused_and_never_an_accident(operand: Any, value: Any) -> None:
    for name in ("prefix", "suffix", "wildcard", "anything-but", "numeric", "cidr"):
        with contextlib.suppress(PatternError):
            passes([{name: operand}], value)


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "source": st.lists(st.sampled_from(["a", "b", {"prefix": "a"}]), min_size=1),
                "detail": st.just({"x": [1]}),
            },
        ).filter(bool),
        max_size=6,
    ),
    st.sampled_from(["a", "b", "c"]),
)
def test_an_index_finds_what_each_pattern_by_itself_lets_through(
    patterns: list[Any], source: str
) -> None:
    index: PatternIndex[int] = PatternIndex()
    for number, pattern in enumerate(patterns):
        index.put("gone" if number == 0 else str(number), number, json.dumps(pattern))
    index.remove("gone")
    event = read_document(json.dumps({"source": source, "detail": {"x": 1}}))
    expected = [
        number
        for number, pattern in enumerate(patterns)
        if number > 0 and parse_pattern(json.dumps(pattern)).matches(event)
    ]
    assert sorted(index.matching(event)) == expected


@given(
    st.recursive(
        VALUES | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_a_document_is_written_as_it_was_read(value: Any) -> None:
    assert json.loads(render(read_document(json.dumps(value)))) == value
