"""Conditions on space-delimited fields: ``[ip, ..., status = 4* && status != 403]``.

Text in square brackets or double quotes is one field. Without ``...`` the event has exactly as
many fields as the pattern; ``...`` stands for any number of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from alonzo.services.logs.filter_pattern.scanner import (
    Scanner,
    invalid_pattern,
    parse_boolean,
    parse_comparison,
)

_NAME = re.compile(r"[\w\-$]+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WORD = re.compile(r"\S+")
_CLOSING = {"[": "]", '"': '"'}

_Field = Callable[[str], bool] | None
#: A field's name, empty if it has none, and its test.
_Named = tuple[str, _Field]


def parse_fields(text: str) -> Callable[[str], bool]:
    """The matcher of what stands between the square brackets of a pattern.

    Raises:
        InvalidParameterException: the text is no list of fields.
    """
    before, after = _read(text)
    return _matcher(
        [test for _, test in before], None if after is None else [test for _, test in after]
    )


def field_reader(text: str) -> Callable[[str], dict[str, str]]:
    """What finds the values of an event by the names of a pattern, and by number: ``ip``, ``1``.

    Fields behind ``...`` have their names alone: nobody knows how many it stands for.

    Raises:
        InvalidParameterException: the text is no list of fields.
    """
    before, after = _read(text)

    def read(message: str) -> dict[str, str]:
        values = split_fields(message)
        found = {str(at): value for at, value in enumerate(values[: len(before)], 1)}
        named = list(zip(before, values, strict=False))
        if after:
            named += zip(after, values[-len(after) :], strict=False)
        return found | {name: value for (name, _), value in named if name}

    return read


def _read(text: str) -> tuple[list[_Named], list[_Named] | None]:
    scanner = Scanner(text)
    before: list[_Named] = []
    after: list[_Named] | None = None
    while True:
        if scanner.take("..."):
            if after is not None:
                raise invalid_pattern()
            after = []
        else:
            (before if after is None else after).append(_field(scanner))
        if scanner.at_end:
            break
        if not scanner.take(","):
            raise invalid_pattern()
    return before, after


def _field(scanner: Scanner) -> _Named:
    """One field: empty, a name, or conditions on one name. None accepts any value."""
    if scanner.peek() in ("", ","):
        return "", None
    names: set[str] = set()

    def condition(scanner: Scanner) -> Callable[[str], bool]:
        name = scanner.take_match(_NAME)
        if name is None:
            raise invalid_pattern()
        names.add(name)
        if scanner.peek() in ("", ","):
            return lambda value: True
        comparison = parse_comparison(scanner)

        def holds(value: str) -> bool:
            if _NUMBER.fullmatch(value) is None:
                return comparison.holds_for_text(value)
            return comparison.holds_for_number(float(value), value)

        return holds

    test = parse_boolean(scanner, condition)
    if len(names) != 1:
        raise invalid_pattern()
    return names.pop(), test


def _matcher(before: list[_Field], after: list[_Field] | None) -> Callable[[str], bool]:
    def matches(message: str) -> bool:
        values = split_fields(message)
        if after is None:
            return len(values) == len(before) and _all_hold(before, values)
        return (
            len(values) >= len(before) + len(after)
            and _all_hold(before, values)
            and _all_hold(after, values[len(values) - len(after) :])
        )

    return matches


def _all_hold(tests: list[_Field], values: list[str]) -> bool:
    return all(test is None or test(value) for test, value in zip(tests, values, strict=False))


def split_fields(message: str) -> list[str]:
    """The fields of an event. An opening bracket or quote that is never closed is a character."""
    values: list[str] = []
    unclosed: set[str] = set()
    at = 0
    while at < len(message):
        first = message[at]
        if first.isspace():
            at += 1
            continue
        closing = _CLOSING.get(first)
        end = -1
        if closing is not None and closing not in unclosed:
            end = message.find(closing, at + 1)
            if end < 0:
                unclosed.add(closing)
        if end >= 0:
            values.append(message[at + 1 : end])
            at = end + 1
            continue
        word = _WORD.match(message, at)
        assert word is not None
        values.append(word[0])
        at = word.end()
    return values
