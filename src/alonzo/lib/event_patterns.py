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

Who reads a pattern may know more operators, and compare values in another way (``parse``);
``event_operators`` has the whole language of EventBridge. Errors have its words, without the place.

Documents are to be read with ``read_document``, which keeps numbers as they are written.

Source: Lambda developer guide, event filtering; EventBridge user guide, event patterns.
"""

from __future__ import annotations

import json
import operator
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
    """A text is no event pattern. The message says why."""


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


#: Whether a value of a document is the one that a pattern names.
Same = Callable[[Any, Any], bool]


def as_written(value: Any, literal: Any) -> bool:
    """Whether both are the same value, numbers written in the same way."""
    return type(value) is type(literal) and value == literal


@dataclass(frozen=True, slots=True)
class _Language:
    """What patterns of one kind may say."""

    operators: Mapping[str, Operator]
    same: Same


def parse(
    text: str, more: Mapping[str, Operator] | None = None, *, same: Same = as_written
) -> Pattern:
    """Read a pattern. ``more`` are operators beside those of this module, or in their place.

    Raises:
        PatternError: it is none.
    """
    try:
        value = read_document(text)
    except ValueError as err:
        raise PatternError("Invalid JSON") from err
    if not isinstance(value, dict):
        raise PatternError("Filter is not an object")
    return Pattern(_object(value, "", 0, _Language({**_OPERATORS, **(more or {})}, same)))


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


def _object(value: Any, path: str, depth: int, language: _Language) -> _Object:
    if depth > DEPTH_MAX:
        raise PatternError(f"Objects may be {DEPTH_MAX} deep, and no deeper")
    if not isinstance(value, dict):
        raise PatternError(f'"{path.rpartition(".")[2][:100]}" must be an object or an array')
    if not value:
        raise PatternError("Empty objects are not allowed")
    members: dict[str, _Object | _Test] = {}
    alternatives: list[tuple[_Object, ...]] = []
    for name, expected in cast(dict[str, Any], value).items():
        place = f"{path}.{name}"
        if name == _OR:
            alternatives.append(_alternatives(expected, place, depth, language))
        elif isinstance(expected, list):
            members[name] = _any_of(cast(list[Any], expected), place, language)
        else:
            members[name] = _object(expected, place, depth + 1, language)
    return _Object(members, tuple(alternatives))


def _alternatives(value: Any, path: str, depth: int, language: _Language) -> tuple[_Object, ...]:
    if not isinstance(value, list) or len(cast(list[Any], value)) < 2:
        raise PatternError("There must have at least 2 Objects in $or relationship.")
    return tuple(_object(each, path, depth + 1, language) for each in cast(list[Any], value))


def _any_of(entries: list[Any], path: str, language: _Language) -> _Test:
    if not entries:
        raise PatternError("Empty arrays are not allowed")
    tests = [_entry(entry, path, language) for entry in entries]
    if len(tests) == 1:
        return tests[0]
    return lambda values: any(test(values) for test in tests)


def _entry(entry: Any, path: str, language: _Language) -> _Test:
    if isinstance(entry, list):
        raise PatternError("Match value must be String, number, true, false, or null")
    if not isinstance(entry, dict):
        same = language.same
        return _on_each(lambda value: same(value, entry))
    operation = cast(dict[str, Any], entry)
    if len(operation) != 1:
        raise PatternError("Only one key allowed in match expression")
    ((name, operand),) = operation.items()
    if name == "exists":
        return _exists(operand)
    if name not in language.operators:
        raise PatternError(f"Unrecognized match type {name[:100]}")
    return _on_each(language.operators[name](operand, path))


def _on_each(test: Callable[[Any], bool]) -> _Test:
    return lambda values: any(test(value) for value in values)


def _exists(operand: Any) -> _Test:
    if not isinstance(operand, bool):
        raise PatternError("exists match pattern must be either true or false.")
    return lambda values: bool(values) is operand


def text_of(name: str, operand: Any) -> str:
    """The operand of an operator that takes a text.

    Raises:
        PatternError: it is none.
    """
    if type(operand) is not str:
        raise PatternError(f"{name} match pattern must be a string")
    return operand


def _prefix(operand: Any, _path: str) -> Callable[[Any], bool]:
    text = text_of("prefix", operand)
    return lambda value: type(value) is str and value.startswith(text)


def _suffix(operand: Any, _path: str) -> Callable[[Any], bool]:
    text = text_of("suffix", operand)
    return lambda value: type(value) is str and value.endswith(text)


def _ignoring_case(operand: Any, _path: str) -> Callable[[Any], bool]:
    text = text_of("equals-ignore-case", operand).casefold()
    return lambda value: type(value) is str and value.casefold() == text


def _anything_but(operand: Any, path: str) -> Callable[[Any], bool]:
    if isinstance(operand, dict):
        inner = cast(dict[str, Any], operand)
        if len(inner) != 1 or not inner.keys() <= {"prefix", "suffix"}:
            raise PatternError("Unsupported anything-but pattern")
        ((name, text),) = inner.items()
        test = _OPERATORS[name](text, path)
        return lambda value: not test(value)
    values = plain_values(operand)
    return lambda value: not any(as_written(value, each) for each in values)


def plain_values(operand: Any) -> list[Any]:
    """What ``anything-but`` takes: a text or a number, or a list of either.

    Raises:
        PatternError: it is none of these.
    """
    values = cast(list[Any], operand) if isinstance(operand, list) else [operand]
    if not values:
        raise PatternError("Empty arrays are not allowed")
    if not any(all(type(v) is kind for v in values) for kind in (str, Number)):
        raise PatternError(
            "Inside anything but list, either all values are number or string, "
            "mixed type is not supported"
            if isinstance(operand, list)
            else "Value of anything-but must be an array or single string/number value."
        )
    return values


_COMPARISONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_UPPER = ("<", "<=")


def _numeric(operand: Any, _path: str) -> Callable[[Any], bool]:
    parts = cast(list[Any], operand) if isinstance(operand, list) else []
    if not parts:
        raise PatternError("Invalid member in numeric match: ]")
    if type(parts[0]) is not str or parts[0] not in _COMPARISONS:
        raise PatternError(f"Unrecognized numeric range operator: {str(parts[0])[:100]}")
    if len(parts) > 2 and parts[0] not in (">", ">="):
        raise PatternError("Too many elements in numeric expression")
    if len(parts) > 2 and (type(parts[2]) is not str or parts[2] not in _UPPER):
        raise PatternError(f"Bad numeric range operator: {str(parts[2])[:100]}")
    if len(parts) > 4:
        raise PatternError("Too many terms in numeric range expression")
    signs = parts[::2]
    bounds = [*parts[1::2], None][: len(signs)]
    numbers = [_number(sign, bound) for sign, bound in zip(signs, bounds, strict=True)]
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise PatternError("Bottom must be less than top")
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


def _number(sign: str, bound: Any) -> Decimal:
    number = decimal_of(bound)
    if number is None:
        raise PatternError(f"Value of {'equals' if sign == '=' else sign} must be numeric")
    if number.copy_abs() > NUMBER_MAX:
        raise PatternError("Value must be between -5.0E9 and 5.0E9, inclusive")
    return number


def decimal_of(value: Any) -> Decimal | None:
    """A number of a document by its value; None: it is no number.

    One with an exponent that no computer compares is more than any operator looks at.
    """
    if type(value) is not Number:
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return NUMBER_MAX * 2


_OPERATORS: Mapping[str, Operator] = {
    "anything-but": _anything_but,
    "equals-ignore-case": _ignoring_case,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
}
