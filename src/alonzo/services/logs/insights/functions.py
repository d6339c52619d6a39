"""The functions of expressions. Pure. Source: Logs Insights QL, functions."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from alonzo.services.logs.insights.rows import Value, show

#: JSON's numbers have no end, Python's floats do; and there is to be room above for arithmetic.
_NUMBER_MAX = 1e300
#: Characters that one function may make.
_TEXT_MAX = 262_144

Function = Callable[[Sequence[Value]], Value]


def number_of(value: Value) -> float | int | None:
    """A value as a number, or None if it is none; so is one beyond ``_NUMBER_MAX``."""
    if value is None:
        return None
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return number if -_NUMBER_MAX <= number <= _NUMBER_MAX else None


def text_of(value: Value) -> str:
    """A value as text; nothing is an empty one."""
    return show(value) or ""


def compare(sign: str, left: Value, right: Value) -> bool:
    """Compare two values: as numbers if both are, else as texts. Nothing compares with nothing."""
    if left is None or right is None:
        return False
    first, second = number_of(left), number_of(right)
    if first is not None and second is not None:
        return _COMPARISONS[sign](first, second)
    return _COMPARISONS[sign](text_of(left), text_of(right))


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def calculate(sign: str, left: Value, right: Value) -> Value:
    """Arithmetic; None where a value is no number or there is no result."""
    first, second = number_of(left), number_of(right)
    if first is None or second is None:
        return None
    try:
        result = _CALCULATIONS[sign](float(first), float(second))
    except (ZeroDivisionError, OverflowError, ValueError):
        return None
    return result if math.isfinite(result) else None


_CALCULATIONS: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": math.fmod,
    "^": math.pow,
}


def _numeric(function: Callable[[float], float]) -> Function:
    def apply(values: Sequence[Value]) -> Value:
        number = number_of(values[0])
        if number is None:
            return None
        try:
            result = function(number)
        except (ValueError, OverflowError):
            return None
        return result if math.isfinite(result) else None

    return apply


def _textual(function: Callable[[str], Value]) -> Function:
    return lambda values: None if values[0] is None else function(text_of(values[0]))


def _extreme(pick: Callable[[list[float]], float]) -> Function:
    def apply(values: Sequence[Value]) -> Value:
        numbers = [number for number in map(number_of, values) if number is not None]
        return pick([float(each) for each in numbers]) if numbers else None

    return apply


def _substr(values: Sequence[Value]) -> Value:
    start = number_of(values[1])
    length = number_of(values[2]) if len(values) > 2 else None
    if values[0] is None or start is None or start < 0:
        return None
    end = None if length is None else int(start) + max(0, int(length))
    return text_of(values[0])[int(start) : end]


def _replace(values: Sequence[Value]) -> Value:
    text, old, new = map(text_of, values)
    if not old:
        return text
    # One character may become many: bounded before it is made.
    if len(text) + text.count(old) * len(new) > _TEXT_MAX:
        return None
    return text.replace(old, new)


def _trim(how: Callable[[str, str | None], str]) -> Function:
    return lambda values: (
        None
        if values[0] is None
        else how(text_of(values[0]), text_of(values[1]) if len(values) > 1 else None)
    )


def _concat(values: Sequence[Value]) -> Value:
    return "".join(map(text_of, values))[:_TEXT_MAX]


#: By name: the fewest and the most arguments, and the function.
FUNCTIONS: dict[str, tuple[int, int, Function]] = {
    "abs": (1, 1, _numeric(abs)),
    "ceil": (1, 1, _numeric(math.ceil)),
    "floor": (1, 1, _numeric(math.floor)),
    "log": (1, 1, _numeric(math.log)),
    "sqrt": (1, 1, _numeric(math.sqrt)),
    "greatest": (1, 20, _extreme(max)),
    "least": (1, 20, _extreme(min)),
    "ispresent": (1, 1, lambda values: int(values[0] is not None)),
    "isempty": (1, 1, lambda values: int(values[0] in (None, ""))),
    "isblank": (1, 1, lambda values: int(not text_of(values[0]).strip())),
    "coalesce": (1, 20, lambda values: next((v for v in values if v is not None), None)),
    "concat": (1, 20, _concat),
    "strlen": (1, 1, _textual(len)),
    "toupper": (1, 1, _textual(str.upper)),
    "tolower": (1, 1, _textual(str.lower)),
    "trim": (1, 2, _trim(str.strip)),
    "ltrim": (1, 2, _trim(str.lstrip)),
    "rtrim": (1, 2, _trim(str.rstrip)),
    "substr": (2, 3, _substr),
    "replace": (3, 3, _replace),
    "strcontains": (2, 2, lambda values: int(text_of(values[1]) in text_of(values[0]))),
    "frommillis": (1, 1, _numeric(float)),
    "tomillis": (1, 1, _numeric(float)),
}
