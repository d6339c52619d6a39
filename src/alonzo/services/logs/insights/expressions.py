"""Expressions: conditions, arithmetic, functions. Pure.

or · and · not · comparisons, like, in · + - · * / % · ^ · unary - · values
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from alonzo.services.logs.insights.functions import (
    FUNCTIONS,
    calculate,
    compare,
    number_of,
    text_of,
)
from alonzo.services.logs.insights.regexes import Regex, RegexError
from alonzo.services.logs.insights.rows import TIMES, Row, Value
from alonzo.services.logs.insights.scanner import DEPTH_MAX, Scanner

_PERIOD = re.compile(r"(\d{1,9})\s*([a-zA-Z]+)")
_UNITS_MS = {
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1000),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60_000),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600_000),
    **dict.fromkeys(("d", "day", "days"), 86_400_000),
    **dict.fromkeys(("w", "week", "weeks"), 604_800_000),
}
_COMPARISONS = ("!=", "<=", ">=", "=", "<", ">")


@dataclass(frozen=True, slots=True)
class Expression:
    """What is worked out of a row. ``text`` is how the query spells it.

    ``field`` is the name, if it is a field alone; ``is_time``: the value is a time.
    """

    text: str
    of: Callable[[Row], Value]
    field: str | None = None
    is_time: bool = False


def parse_expression(scanner: Scanner) -> Expression:
    """The expression that comes next.

    Raises:
        MalformedQueryException: there is none.
    """
    scanner.depth += 1
    if scanner.depth > DEPTH_MAX:
        raise scanner.error("the query nests too deep")
    try:
        return _either(scanner)
    finally:
        scanner.depth -= 1


def _made(
    scanner: Scanner, start: int, of: Callable[[Row], Value], *, is_time: bool = False
) -> Expression:
    return Expression(scanner.text[start : scanner.at].strip(), of, None, is_time)


def _either(scanner: Scanner) -> Expression:
    start = _start(scanner)
    parts = [_both(scanner)]
    while scanner.take_word("or"):
        parts.append(_both(scanner))
    if len(parts) == 1:
        return parts[0]
    tests = [each.of for each in parts]
    return _made(scanner, start, lambda row: int(any(holds(test(row)) for test in tests)))


def _both(scanner: Scanner) -> Expression:
    start = _start(scanner)
    parts = [_negation(scanner)]
    while scanner.take_word("and"):
        parts.append(_negation(scanner))
    if len(parts) == 1:
        return parts[0]
    tests = [each.of for each in parts]
    return _made(scanner, start, lambda row: int(all(holds(test(row)) for test in tests)))


def _negation(scanner: Scanner) -> Expression:
    start, negations = _start(scanner), 0
    while scanner.take_word("not"):
        negations += 1
    inner = _comparison(scanner)
    if not negations:
        return inner
    test, odd = inner.of, negations % 2 == 1
    return _made(scanner, start, lambda row: int(holds(test(row)) is not odd))


def _comparison(scanner: Scanner) -> Expression:
    start = _start(scanner)
    left = _sum(scanner)
    negated = False
    if scanner.word() == "not":
        scanner.take_word("not")
        negated = True
    test = _text_test(scanner, left) or _list_test(scanner, left)
    if test is not None:
        return _made(scanner, start, lambda row: int(test(row) is not negated))
    if negated:
        raise scanner.error("expected like or in")
    sign = next((each for each in _COMPARISONS if scanner.take(each)), None)
    if sign is None:
        return left
    first, second = left.of, _sum(scanner).of
    return _made(scanner, start, lambda row: int(compare(sign, first(row), second(row))))


def _text_test(scanner: Scanner, left: Expression) -> Callable[[Row], bool] | None:
    if not (scanner.take_word("like") or scanner.take("=~")):
        return None
    of = left.of
    source = scanner.regex()
    if source is not None:
        search = read_regex(scanner, source).search
        return lambda row: (value := of(row)) is not None and search(text_of(value))
    wanted = scanner.quoted()
    if wanted is None:
        raise scanner.error("expected a text or a regular expression")
    return lambda row: (value := of(row)) is not None and wanted in text_of(value)


def read_regex(scanner: Scanner, source: str) -> Regex:
    """An expression made ready.

    Raises:
        MalformedQueryException: it is none, or not one that is supported.
    """
    try:
        return Regex(source, scanner.bounds)
    except RegexError as error:
        raise scanner.error(f"regular expression: {error}") from error


def _list_test(scanner: Scanner, left: Expression) -> Callable[[Row], bool] | None:
    if not scanner.take_word("in"):
        return None
    scanner.need("[")
    members: list[Callable[[Row], Value]] = []
    while not scanner.take("]"):
        if members:
            scanner.need(",")
        members.append(_sum(scanner).of)
    of = left.of
    return lambda row: any(compare("=", of(row), each(row)) for each in members)


def _sum(scanner: Scanner) -> Expression:
    return _chain(scanner, ("+", "-"), _product)


def _product(scanner: Scanner) -> Expression:
    return _chain(scanner, ("*", "/", "%"), _power)


def _power(scanner: Scanner) -> Expression:
    return _chain(scanner, ("^",), _unary)


def _chain(
    scanner: Scanner, signs: tuple[str, ...], part: Callable[[Scanner], Expression]
) -> Expression:
    start = _start(scanner)
    left = part(scanner)
    steps: list[tuple[str, Callable[[Row], Value]]] = []
    while (sign := next((each for each in signs if scanner.take(each)), None)) is not None:
        steps.append((sign, part(scanner).of))
    if not steps:
        return left
    first = left.of

    def of(row: Row) -> Value:
        value = first(row)
        for sign, operand in steps:
            value = calculate(sign, value, operand(row))
        return value

    return _made(scanner, start, of)


def _unary(scanner: Scanner) -> Expression:
    start, sign = _start(scanner), 1
    while scanner.take("-"):
        sign = -sign
    inner = _primary(scanner)
    if sign > 0:
        return inner
    of = inner.of
    return _made(scanner, start, lambda row: calculate("-", 0, of(row)))


def _primary(scanner: Scanner) -> Expression:
    start = _start(scanner)
    if scanner.take("("):
        inner = parse_expression(scanner)
        scanner.need(")")
        return _made(scanner, start, inner.of, is_time=inner.is_time)
    number = scanner.number()
    if number is not None:
        return _made(scanner, start, lambda row: number)
    text = scanner.quoted()
    if text is not None:
        return _made(scanner, start, lambda row: text)
    name = scanner.try_field()
    if name is None:
        raise scanner.error("expected a value")
    if scanner.text[start] != "`" and scanner.take("("):
        return _call(scanner, start, name.lower())
    return Expression(name, lambda row: row.get(name), name, name in TIMES)


def _call(scanner: Scanner, start: int, name: str) -> Expression:
    if name in ("bin", "datefloor", "dateceil"):
        return _rounded(scanner, start, name)
    known = FUNCTIONS.get(name)
    if known is None:
        scanner.at = start
        raise scanner.error(f"the function {name} is not supported")
    arguments: list[Callable[[Row], Value]] = []
    while not scanner.take(")"):
        if arguments:
            scanner.need(",")
        arguments.append(parse_expression(scanner).of)
    fewest, most, function = known
    if not fewest <= len(arguments) <= most:
        raise scanner.error(f"the function {name} takes {fewest} to {most} arguments")
    is_time = name == "frommillis"
    return _made(
        scanner, start, lambda row: function([each(row) for each in arguments]), is_time=is_time
    )


def _rounded(scanner: Scanner, start: int, name: str) -> Expression:
    """``bin(5m)``, ``datefloor(@timestamp, 1h)``, ``dateceil(@timestamp, 1h)``."""
    of = _timestamp
    if name != "bin":
        of = parse_expression(scanner).of
        scanner.need(",")
    scanner.skip()
    found = _PERIOD.match(scanner.text, scanner.at)
    unit_ms = None if found is None else _UNITS_MS.get(found[2].lower())
    if found is None or unit_ms is None or int(found[1]) == 0:
        raise scanner.error("expected a period such as 5m")
    scanner.at = found.end()
    scanner.need(")")
    step_ms = int(found[1]) * unit_ms
    rounding = math.ceil if name == "dateceil" else math.floor

    def rounded(row: Row) -> Value:
        number = number_of(of(row))
        return None if number is None else rounding(number / step_ms) * step_ms

    return _made(scanner, start, rounded, is_time=True)


def _timestamp(row: Row) -> Value:
    return row.get("@timestamp")


def holds(value: Value) -> bool:
    """Whether a condition holds: not for nothing, an empty text or zero."""
    return value not in (None, "", 0)


def _start(scanner: Scanner) -> int:
    scanner.skip()
    return scanner.at
