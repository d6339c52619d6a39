r"""The whole language of EventBridge's event patterns, beside ``event_patterns``. Pure.

| Part | Matches |
|---|---|
| number | every way to write it: 300 is 300.0, and 3.0e2 |
| ``{"prefix": {"equals-ignore-case": "x"}}``, the same with ``suffix`` | texts |
| ``{"wildcard": "a*b"}`` | texts; ``*`` is anything, ``\*`` a star, ``\\`` a backslash |
| ``{"cidr": "10.0.0.0/24"}`` | addresses, IPv4 and IPv6 |
| ``{"anything-but": {"prefix": …}}`` | what the text, or each of a list of texts, does not match |

``anything-but`` also takes ``suffix``, ``equals-ignore-case`` and ``wildcard``.

Source: EventBridge user guide, comparison operators; Event Ruler's documentation; errors as
recorded from AWS.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from alonzo.lib.event_patterns import (
    NUMBER_MAX,
    Number,
    Operator,
    Pattern,
    PatternError,
    as_written,
    decimal_of,
    parse,
    plain_values,
    text_of,
)

_Check = Callable[[Any], bool]
_IGNORING = "equals-ignore-case"


def parse_pattern(text: str) -> Pattern:
    """Read an event pattern of EventBridge.

    Raises:
        PatternError: it is none.
    """
    return parse(text, OPERATORS, same=by_value)


def by_value(value: Any, literal: Any) -> bool:
    """Whether both are the same value, however numbers are written."""
    if as_written(value, literal):
        return True
    if type(value) is not Number or type(literal) is not Number:
        return False
    one, other = decimal_of(value), decimal_of(literal)
    return one is not None and one == other and one.copy_abs() <= NUMBER_MAX


def _affix(name: str, has: Callable[[str, str], bool]) -> Operator:
    def operator(operand: Any, _path: str) -> _Check:
        if isinstance(operand, dict):
            inner = cast(dict[str, Any], operand)
            if list(inner) != [_IGNORING]:
                raise PatternError(f"Unsupported {name} match pattern")
            folded = text_of(_IGNORING, inner[_IGNORING]).casefold()
            return lambda value: type(value) is str and has(value.casefold(), folded)
        text = text_of(name, operand)
        return lambda value: type(value) is str and has(value, text)

    return operator


def _wildcard(operand: Any, _path: str) -> _Check:
    pieces = _pieces(text_of("wildcard", operand))
    return lambda value: type(value) is str and _fits(value, pieces)


def _pieces(text: str) -> Sequence[str]:
    """The literal texts around the stars."""
    pieces = [""]
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
            if text[at : at + 1] not in ("*", "\\"):
                raise PatternError(f"Invalid escape character at pos {at - 1}")
            pieces[-1] += text[at]
        elif char == "*":
            if text[at + 1 : at + 2] == "*":
                raise PatternError(f"Consecutive wildcard characters at pos {at + 1}")
            pieces.append("")
        else:
            pieces[-1] += char
        at += 1
    return pieces


def _fits(value: str, pieces: Sequence[str]) -> bool:
    """Whether the pieces follow each other in a text; the first that fits is as good as any."""
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return value == first
    if not (value.startswith(first) and value.endswith(last)):
        return False
    at, end = len(first), len(value) - len(last)
    for piece in pieces[1:-1]:
        found = value.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return at <= end


def _cidr(operand: Any, _path: str) -> _Check:
    text = text_of("prefix", operand)
    address, slash, bits = text.partition("/")
    if not slash or "/" in bits:
        raise PatternError("Malformed CIDR, one '/' required")
    if not (bits.isascii() and bits.isdigit()):
        raise PatternError("Malformed CIDR, mask bits must be an integer")
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise PatternError(f"Nonstandard IP address: {address[:100]}") from error

    def is_within(value: Any) -> bool:
        if type(value) is not str:
            return False
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return is_within


def _anything_but(operand: Any, path: str) -> _Check:
    if not isinstance(operand, dict):
        values = plain_values(operand)
        return lambda value: not any(by_value(value, each) for each in values)
    inner = cast(dict[str, Any], operand)
    if len(inner) != 1:
        raise PatternError("Only one key allowed in match expression")
    ((name, found),) = inner.items()
    if name not in _NOT_TEXTS:
        raise PatternError(f"Unsupported anything-but pattern: {name[:100]}")
    texts = cast(list[Any], found) if isinstance(found, list) else [found]
    if not texts:
        raise PatternError("Empty arrays are not allowed")
    if isinstance(found, dict):
        raise PatternError("Value of anything-but must be an array or single string/number value.")
    if not all(type(each) is str for each in texts):
        raise PatternError(_NOT_TEXTS[name])
    if name in ("prefix", "suffix") and "" in texts:
        raise PatternError("Null prefix/suffix not allowed")
    checks = [OPERATORS[name](each, path) for each in texts]
    return lambda value: not any(check(value) for check in checks)


def _ignoring_case(operand: Any, _path: str) -> _Check:
    text = text_of(_IGNORING, operand).casefold()
    return lambda value: type(value) is str and value.casefold() == text


#: What ``anything-but`` says of operands that are no texts, by the operator in it.
_NOT_TEXTS: Mapping[str, str] = {
    "prefix": "prefix/suffix match pattern must be a string",
    "suffix": "prefix/suffix match pattern must be a string",
    "equals-ignore-case": (
        "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
    ),
    "wildcard": "wildcard match pattern must be a string",
}

#: The operators of EventBridge that ``event_patterns`` does not have, or has in a simpler form.
OPERATORS: Mapping[str, Operator] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _ignoring_case,
    "prefix": _affix("prefix", str.startswith),
    "suffix": _affix("suffix", str.endswith),
    "wildcard": _wildcard,
}
