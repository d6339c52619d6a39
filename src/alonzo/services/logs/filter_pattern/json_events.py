"""Conditions on events that are JSON objects: ``{ $.a.b[0] = "x" && ($.n >= 3 || $.u IS NULL) }``.

* A comparison looks at texts, numbers and booleans. An object, an array, null or nothing passes
  none, not even ``!=``.
* ``*`` in a selector stands for every member or element; the condition holds if it does for one.
* An event that is no JSON object matches nothing, not even ``NOT EXISTS``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import orjson

from alonzo.services.logs.filter_pattern.scanner import (
    Comparison,
    Scanner,
    invalid_pattern,
    parse_boolean,
    parse_comparison,
)

#: Wildcards in one selector, and in all of a pattern. Source: user guide.
_SELECTOR_WILDCARDS_MAX = 1
_PATTERN_WILDCARDS_MAX = 3

_NAME = re.compile(r"[\w-]+")
_INDEX = re.compile(r"\d+", re.ASCII)
_KEYWORDS = re.compile(
    r"IS\s+(?:NULL|TRUE|FALSE)\b|NOT\s+EXISTS\b|EXISTS\b", re.IGNORECASE | re.ASCII
)

_ANY = None
_Step = str | int | None
_Test = Callable[[Any], bool]

#: Tests of one node, by keyword.
_NODE_TESTS: dict[str, _Test] = {
    "IS NULL": lambda node: node is None,
    "IS TRUE": lambda node: node is True,
    "IS FALSE": lambda node: node is False,
    "EXISTS": lambda node: True,
}


def parse_json(text: str) -> Callable[[str], bool]:
    """The matcher of what stands between the braces of a pattern.

    Raises:
        InvalidParameterException: the text is no condition.
    """
    scanner = Scanner(text)
    wildcards = 0

    def leaf(scanner: Scanner) -> _Test:
        nonlocal wildcards
        selector = _selector(scanner)
        used = selector.count(_ANY)
        wildcards += used
        if used > _SELECTOR_WILDCARDS_MAX or wildcards > _PATTERN_WILDCARDS_MAX:
            raise invalid_pattern()
        return _condition(scanner, selector)

    test = parse_boolean(scanner, leaf)
    if not scanner.at_end:
        raise invalid_pattern()

    def matches(message: str) -> bool:
        if "{" not in message:
            return False
        try:
            document = orjson.loads(message)
        except orjson.JSONDecodeError:
            return False
        return isinstance(document, dict) and test(document)

    return matches


def json_reader(text: str) -> Callable[[str], Any]:
    """What finds the first node of an event that a selector such as ``$.a.b[0]`` leads to, or None.

    Raises:
        InvalidParameterException: the text is no selector.
    """
    scanner = Scanner(text)
    steps = _selector(scanner)
    if not scanner.at_end or steps.count(_ANY) > _SELECTOR_WILDCARDS_MAX:
        raise invalid_pattern()

    def read(message: str) -> Any:
        try:
            document = orjson.loads(message)
        except orjson.JSONDecodeError:
            return None
        return next(_nodes(document, steps), None)

    return read


def selectors_of(text: str) -> list[str]:
    """The selectors of what stands between the braces of a pattern, as they are written."""
    found: list[str] = []

    def leaf(scanner: Scanner) -> _Test:
        start = scanner.place
        selector = _selector(scanner)
        found.append(text[start : scanner.place].strip())
        return _condition(scanner, selector)

    parse_boolean(Scanner(text), leaf)
    return found


def _selector(scanner: Scanner) -> Sequence[_Step]:
    if not scanner.take("$"):
        raise invalid_pattern()
    steps: list[_Step] = []
    while (first := scanner.peek()) in (".", "["):
        scanner.take(".")
        if scanner.take("["):
            steps.append(_bracketed(scanner))
        elif first == "." and scanner.take("*"):
            steps.append(_ANY)
        else:
            name = scanner.take_match(_NAME)
            if name is None:
                raise invalid_pattern()
            steps.append(name)
    if not steps:
        raise invalid_pattern()
    return steps


def _bracketed(scanner: Scanner) -> _Step:
    step: _Step
    if scanner.peek() in ("'", '"'):
        step = scanner.quoted(scanner.peek())
    elif scanner.take("*"):
        step = _ANY
    else:
        digits = scanner.take_match(_INDEX)
        if digits is None:
            raise invalid_pattern()
        step = int(digits)
    if not scanner.take("]"):
        raise invalid_pattern()
    return step


def _condition(scanner: Scanner, selector: Sequence[_Step]) -> _Test:
    keyword = scanner.take_match(_KEYWORDS)
    if keyword is None:
        comparison = parse_comparison(scanner)
        return lambda document: any(
            _compare(node, comparison) for node in _nodes(document, selector)
        )
    words = " ".join(keyword.upper().split())
    if words == "NOT EXISTS":
        return lambda document: next(_nodes(document, selector), _MISSING) is _MISSING
    test = _NODE_TESTS[words]
    return lambda document: any(test(node) for node in _nodes(document, selector))


_MISSING = object()


def _nodes(node: Any, steps: Sequence[_Step]) -> Iterator[Any]:
    """Every node that the steps lead to. At most one step is a wildcard."""
    for place, step in enumerate(steps):
        if step is _ANY:
            children: list[Any] = []
            if isinstance(node, dict):
                children = list(cast("dict[str, Any]", node).values())
            elif isinstance(node, list):
                children = cast("list[Any]", node)
            for child in children:
                yield from _nodes(child, steps[place + 1 :])
            return
        if isinstance(step, str) and isinstance(node, dict) and step in node:
            node = cast("dict[str, Any]", node)[step]
        elif isinstance(step, int) and isinstance(node, list):
            elements = cast("list[Any]", node)
            if step >= len(elements):
                return
            node = elements[step]
        else:
            return
    yield node


def _compare(node: Any, comparison: Comparison) -> bool:
    if isinstance(node, str):
        return comparison.holds_for_text(node)
    if isinstance(node, bool):
        return comparison.holds_for_text("true" if node else "false")
    if isinstance(node, int | float):
        return comparison.holds_for_number(node, str(node))
    return False
