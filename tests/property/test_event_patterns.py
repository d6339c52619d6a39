"""Any document against patterns made from it, and any text as a pattern."""

from __future__ import annotations

import contextlib
import json
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from alonzo.lib.event_patterns import PatternError, parse, read_document

NAMES = st.sampled_from(["a", "b", "body", "data", "$", "é"])
SCALARS = st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=5)
DOCUMENTS = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=12,
    ),
    max_size=4,
)


def passes(pattern: Any, document: Any) -> bool:
    return parse(json.dumps(pattern)).matches(read_document(json.dumps(document)))


def leaves(document: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every scalar with the members that lead to it, arrays left out of the path."""
    if isinstance(document, dict):
        members = cast(dict[str, Any], document).items()
        return [leaf for name, inner in members for leaf in leaves(inner, (*path, name))]
    if isinstance(document, list):
        return [leaf for inner in cast(list[Any], document) for leaf in leaves(inner, path)]
    return [(path, document)]


def pattern_of(path: tuple[str, ...], entries: list[Any]) -> Any:
    pattern: Any = entries
    for name in reversed(path):
        pattern = {name: pattern}
    return pattern


@given(DOCUMENTS)
def test_each_value_of_a_document_is_found_where_it_lies(document: Any) -> None:
    for path, value in leaves(document):
        assert passes(pattern_of(path, [value]), document)
        assert passes(pattern_of(path, ["no such text", value]), document)
        assert passes(pattern_of(path, [{"exists": True}]), document)
        assert not passes(pattern_of((*path, "none such"), [value]), document)
        if isinstance(value, str):
            assert passes(pattern_of(path, [{"prefix": value[:1]}]), document)
            assert passes(pattern_of(path, [{"suffix": value[1:]}]), document)
            assert passes(pattern_of(path, [{"equals-ignore-case": value}]), document)
        if type(value) is int:
            assert passes(pattern_of(path, [{"numeric": [">=", value]}]), document)
            assert passes(
                pattern_of(path, [{"numeric": [">", value - 1, "<", value + 1]}]), document
            )


@given(DOCUMENTS, NAMES, st.text(max_size=5))
def test_a_single_value_is_a_text_or_anything_but_it(document: Any, name: str, text: str) -> None:
    changed = {**document, name: text}
    assert not passes({name: [{"anything-but": [text]}]}, changed)
    assert passes({name: [{"anything-but": [text + "x"]}]}, changed)
    del changed[name]
    assert passes({name: [{"exists": False}]}, changed)
    assert not passes({name: [{"anything-but": [text]}]}, changed)


@given(DOCUMENTS, st.lists(st.tuples(NAMES, st.lists(SCALARS, min_size=1)), min_size=2, max_size=4))
def test_or_is_what_any_of_its_objects_lets_through(document: Any, parts: Any) -> None:
    objects = [{name: entries} for name, entries in parts]
    each = [passes(one, document) for one in objects]
    assert passes({"$or": objects}, document) == any(each)


PATTERN_PIECES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            NAMES
            | st.sampled_from(
                ["$or", "prefix", "suffix", "numeric", "exists", "anything-but", "<"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=15,
)


@given(PATTERN_PIECES.map(json.dumps) | st.text(max_size=40), DOCUMENTS)
def test_any_text_is_a_pattern_or_refused_and_never_an_accident(text: str, document: Any) -> None:
    with contextlib.suppress(PatternError):
        parse(text).matches(read_document(json.dumps(document)))
