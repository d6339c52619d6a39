"""Reads a metric math expression into a tree. Pure.

expression := or ;  or := and (OR and)* ;  and := compared (AND compared)*
compared := sum ((< <= > >= == !=) sum)* ;  sum := product ((+ -) product)*
product := power ((* /) power)* ;  power := unary (^ power)? ;  unary := - unary | value
value := number | "text" | name | NAME(expression, …) | [expression, …] | (expression)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

#: Brackets and signs inside each other.
_DEPTH_MAX = 40

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | "(?P<double>[^"]*)" | '(?P<single>[^']*)'
      | (?P<sign>\|\||&&|<=|>=|==|!=|[-+*/^<>(),\[\]])
    )""",
    re.VERBOSE,
)

#: Signs of each level, the loosest first.
_LEVELS: tuple[Mapping[str, str], ...] = (
    {"OR": "OR", "||": "OR"},
    {"AND": "AND", "&&": "AND"},
    {sign: sign for sign in ("<", "<=", ">", ">=", "==", "!=")},
    {"+": "+", "-": "-"},
    {"*": "*", "/": "/"},
)


class ExpressionError(Exception):
    """An expression cannot be read or worked out. The text is fit for a client."""


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text, which only functions take."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of another query, or a word that a function takes."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function's name in capitals, and its arguments."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """Several values."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two values."""

    sign: str
    left: Node
    right: Node


Node = Number | Text | Name | Call | Array | Binary


def parse(text: str) -> Node:
    """Read an expression.

    Raises:
        ExpressionError: it is none.
    """
    parser = _Parser(list(_tokens(text)))
    node = parser.expression()
    parser.expect_end()
    return node


def names(node: Node) -> Iterator[str]:
    """The names that occur in an expression outside function names."""
    match node:
        case Name(name):
            yield name
        case Call(_, arguments):
            for each in arguments:
                yield from names(each)
        case Array(items):
            for each in items:
                yield from names(each)
        case Binary(_, left, right):
            yield from names(left)
            yield from names(right)
        case Number() | Text():
            return


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise ExpressionError(f"it cannot be read from character {at + 1} on")
        kind = found.lastgroup
        assert kind is not None
        yield "text" if kind in ("double", "single") else kind, found[kind]
        at = found.end()


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def expression(self) -> Node:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise ExpressionError("it is nested too deeply")
        node = self._level(0)
        self._depth -= 1
        return node

    def _level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._power()
        node = self._level(level + 1)
        while (sign := _LEVELS[level].get(self._peek()[1].upper())) and self._peek()[0] != "text":
            self._at += 1
            node = Binary(sign, node, self._level(level + 1))
        return node

    def _power(self) -> Node:
        node = self._unary()
        if self._take("^"):
            return Binary("^", node, self._power_below())
        return node

    def _power_below(self) -> Node:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise ExpressionError("it is nested too deeply")
        node = self._power()
        self._depth -= 1
        return node

    def _unary(self) -> Node:
        if self._take("-"):
            # A sign binds looser than a power: -2^2 is -4.
            return Binary("*", Number(-1.0), self._power_below())
        return self._value()

    def _value(self) -> Node:
        kind, text = self._peek()
        self._at += 1
        if kind == "number":
            return Number(float(text))
        if kind == "text":
            return Text(text)
        if kind == "name":
            if self._take("("):
                return Call(text.upper(), self._list(")"))
            return Name(text)
        if text == "(":
            node = self.expression()
            self._expect(")")
            return node
        if text == "[":
            return Array(self._list("]"))
        raise ExpressionError(f"{text!r} is not expected" if text else "it ends too early")

    def _list(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        if self._take(end):
            return ()
        while True:
            items.append(self.expression())
            if self._take(end):
                return tuple(items)
            self._expect(",")

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self, sign: str) -> bool:
        if self._peek() == ("sign", sign):
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise ExpressionError(f"{sign!r} is missing")

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise ExpressionError(f"{self._peek()[1]!r} is not expected")
