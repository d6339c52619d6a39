"""Event patterns: which JSON documents a filter lets through. Pure.

    {"body": {"status": ["open", {"prefix": "re"}], "size": [{"numeric": [">", 0, "<=", 5]}]}}

| Part | Matches |
|---|---|
| object | all its members, each within the member of that name |
| list | any of its entries, on a value that is no object; of an array, any element |
| text, number, ``true``, ``false``, ``null`` | that value; 300 is not 300.0: as it is written |
| ``{"equals-ignore-case": "x"}``, ``{"prefix": "x"}``, ``{"suffix": "x"}`` | texts |
| ``{"anything-but": "x"}``, or a number, or a list of either | what is none of them |
| ``{"anything-but": {"prefix": "x"}}``, or ``suffix`` | what does not begin, or end, so |
| ``{"numeric": [">", 1, "<", 2]}``, one comparison or a lower and an upper one | numbers |
| ``{"exists": true}``, ``{"exists": false}`` | a value that is there, or is not |
| ``"$or": [{…}, {…}]`` | any of the objects |

Who reads a pattern may know more operators (``parse(text, more)``).

Documents are to be read with ``read_document``, which keeps numbers as they are written.

Source: Lambda developer guide, event filtering; EventBridge user guide, event patterns.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, cast

#: Objects within objects. AWS documents no number; ours keeps hostile patterns off the stack.
DEPTH_MAX = 64
#: EventBridge compares numbers up to this.
NUMBER_MAX = Decimal("5.0e9")

_OR = "$or"
_NOTHING: Mapping[str, Any] = {}


class PatternError(Exception):
    """A text is no event pattern. The message says where and why."""


class Number(str):
    """A number of a document as it is written."""

    __slots__ = ()


#: Whether the values of one member match. Empty if the member is missing.
_Test = Callable[[Sequence[Any]], bool]


@dataclass(frozen=True, slots=True)
class _Object:
    """Every member, and one of each list of alternatives."""

    members: Mapping[str, _Object | _Test]
    alternatives: tuple[tuple[_Object, ...], ...]

    def matches(self, value: Mapping[str, Any]) -> bool:
        for name, expected in self.members.items():
            if isinstance(expected, _Object):
                if not any(expected.matches(each) for each in _objects(value, name)):
                    return False
            elif not expected(_leaves(value.get(name, ()))):
                return False
        return all(any(each.matches(value) for each in group) for group in self.alternatives)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that has been read by ``parse``."""

    _root: _Object

    def matches(self, document: Any) -> bool:
        """Whether it lets the document through. Nothing but an object ever passes."""
        return isinstance(document, dict) and self._root.matches(cast(dict[str, Any], document))


def read_document(text: str | bytes) -> Any:
    """Read JSON as ``matches`` wants it.

    Raises:
        ValueError: it is not JSON, or too deep.
    """
    try:
        return json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ValueError("The document is too deep.") from None


#: Makes the test of a single value from an operator's operand; the text says where it stands.
Operator = Callable[[Any, str], Callable[[Any], bool]]


def parse(text: str, more: Mapping[str, Operator] | None = None) -> Pattern:
    """Read a pattern. ``more`` are operators beside those of this module.

    Raises:
        PatternError: it is none.
    """
    try:
        value = read_document(text)
    except ValueError as err:
        raise PatternError(f"This is not JSON: {err}") from err
    return Pattern(_object(value, "", 0, {**_OPERATORS, **(more or {})}))


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON.")


def _objects(parent: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """The objects that a member holds: itself, or those in an array. A missing one is empty."""
    value = parent.get(name)
    if name not in parent or value == []:
        yield _NOTHING
        return
    for each in _flat(value):
        if isinstance(each, dict):
            yield cast(dict[str, Any], each)


def _leaves(value: Any) -> Sequence[Any]:
    return [each for each in _flat(value) if not isinstance(each, dict)]


def _flat(value: Any) -> Iterator[Any]:
    """A value, or the elements of an array and of the arrays in it. Never deep on the stack."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list | tuple):
            waiting.extend(cast(Sequence[Any], each))
        else:
            yield each


def _object(value: Any, path: str, depth: int, operators: Mapping[str, Operator]) -> _Object:
    if depth > DEPTH_MAX:
        raise PatternError(f"{path}: deeper than {DEPTH_MAX} objects.")
    if not isinstance(value, dict) or not value:
        raise PatternError(f"{path or 'The pattern'}: this must be an object with members.")
    members: dict[str, _Object | _Test] = {}
    alternatives: list[tuple[_Object, ...]] = []
    for name, expected in cast(dict[str, Any], value).items():
        place = f"{path}.{name}"
        if name == _OR:
            alternatives.append(_alternatives(expected, place, depth, operators))
        elif isinstance(expected, list):
            members[name] = _any_of(cast(list[Any], expected), place, operators)
        else:
            members[name] = _object(expected, place, depth + 1, operators)
    return _Object(members, tuple(alternatives))


def _alternatives(
    value: Any, path: str, depth: int, operators: Mapping[str, Operator]
) -> tuple[_Object, ...]:
    if not isinstance(value, list) or len(cast(list[Any], value)) < 2:
        raise PatternError(f"{path}: this must be a list of at least two objects.")
    return tuple(_object(each, path, depth + 1, operators) for each in cast(list[Any], value))


def _any_of(entries: list[Any], path: str, operators: Mapping[str, Operator]) -> _Test:
    if not entries:
        raise PatternError(f"{path}: an empty list matches nothing.")
    tests = [_entry(entry, path, operators) for entry in entries]
    if len(tests) == 1:
        return tests[0]
    return lambda values: any(test(values) for test in tests)


def _entry(entry: Any, path: str, operators: Mapping[str, Operator]) -> _Test:
    if isinstance(entry, list):
        raise PatternError(f"{path}: a list in a list is no pattern.")
    if not isinstance(entry, dict):
        return _on_each(lambda value: _same(value, entry))
    operation = cast(dict[str, Any], entry)
    if len(operation) != 1:
        raise PatternError(f"{path}: an operator stands alone.")
    ((name, operand),) = operation.items()
    if name == "exists":
        return _exists(operand, path)
    if name not in operators:
        raise PatternError(f"{path}: there is no operator {name}.")
    return _on_each(operators[name](operand, path))


def _on_each(test: Callable[[Any], bool]) -> _Test:
    return lambda values: any(test(value) for value in values)


def _same(value: Any, literal: Any) -> bool:
    return type(value) is type(literal) and value == literal


def _exists(operand: Any, path: str) -> _Test:
    if not isinstance(operand, bool):
        raise PatternError(f"{path}: exists is true or false.")
    return lambda values: bool(values) is operand


def _text(operand: Any, path: str) -> str:
    if type(operand) is not str:
        raise PatternError(f"{path}: this operator takes a text.")
    return operand


def _prefix(operand: Any, path: str) -> Callable[[Any], bool]:
    text = _text(operand, path)
    return lambda value: type(value) is str and value.startswith(text)


def _suffix(operand: Any, path: str) -> Callable[[Any], bool]:
    text = _text(operand, path)
    return lambda value: type(value) is str and value.endswith(text)


def _ignoring_case(operand: Any, path: str) -> Callable[[Any], bool]:
    text = _text(operand, path).casefold()
    return lambda value: type(value) is str and value.casefold() == text


def _anything_but(operand: Any, path: str) -> Callable[[Any], bool]:
    if isinstance(operand, dict):
        inner = cast(dict[str, Any], operand)
        if len(inner) != 1 or not inner.keys() <= {"prefix", "suffix"}:
            raise PatternError(f"{path}: anything-but takes values, a prefix or a suffix.")
        ((name, text),) = inner.items()
        test = _OPERATORS[name](text, path)
        return lambda value: not test(value)
    values = cast(list[Any], operand) if isinstance(operand, list) else [operand]
    if not values or not any(all(type(v) is kind for v in values) for kind in (str, Number)):
        raise PatternError(f"{path}: anything-but takes texts, or numbers.")
    return lambda value: not any(_same(value, each) for each in values)


_COMPARISONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_RANGE = re.compile(r">=? <=?")


def _numeric(operand: Any, path: str) -> Callable[[Any], bool]:
    parts = cast(list[Any], operand) if isinstance(operand, list) else []
    signs, bounds = parts[::2], parts[1::2]
    known = all(type(sign) is str and sign in _COMPARISONS for sign in signs)
    if not known or len(signs) != len(bounds) or not 1 <= len(signs) <= 2:
        raise PatternError(f"{path}: numeric takes one comparison, or two.")
    if len(signs) == 2 and _RANGE.fullmatch(" ".join(signs)) is None:
        raise PatternError(f"{path}: a range is a lower bound and then an upper one.")
    numbers = [_number(bound, path) for bound in bounds]
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise PatternError(f"{path}: the bounds leave nothing between them.")
    tests = [(_COMPARISONS[sign], bound) for sign, bound in zip(signs, numbers, strict=True)]

    def compare(value: Any) -> bool:
        if type(value) is not Number:
            return False
        try:
            number = Decimal(value)
        except InvalidOperation:  # Its exponent is beyond what any computer compares.
            return False
        return all(test(number, bound) for test, bound in tests)

    return compare


def _number(bound: Any, path: str) -> Decimal:
    if type(bound) is not Number:
        raise PatternError(f"{path}: numeric compares numbers.")
    try:
        number = Decimal(bound)
    except InvalidOperation:
        number = NUMBER_MAX * 2
    if number.copy_abs() > NUMBER_MAX:
        raise PatternError(f"{path}: numeric goes from -5.0e9 to 5.0e9.")
    return number


_OPERATORS: Mapping[str, Operator] = {
    "anything-but": _anything_but,
    "equals-ignore-case": _ignoring_case,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
}
