"""What the three pattern languages share: a cursor, quoted text, values, boolean expressions."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from alonzo.model.errors import AwsError
from alonzo.services.logs.errors import invalid
from alonzo.services.logs.filter_pattern.regex import Automaton, compile_regex

T = TypeVar("T")

#: Regular expressions that one JSON or space-delimited pattern may hold. Source: user guide.
REGEXES_MAX = 2
#: Parentheses inside one another; the guide names no number.
NESTING_MAX = 32

Ordering = Callable[[float, float], bool]

_OPERATORS = ("!=", "<=", ">=", "=", "<", ">")
_ORDERINGS: dict[str, Ordering] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_BARE_VALUE = re.compile(r"[\w.*+\-/:#@$]+")
_SPACE = re.compile(r"\s*")


def invalid_pattern() -> AwsError:
    """The general refusal, with AWS's text."""
    return invalid("Invalid filter pattern")


def invalid_term(term: str) -> AwsError:
    """A term with characters that want quotes, with AWS's text."""
    return invalid(f"Invalid filter pattern: Invalid character(s) in term '{term}'")


class Scanner:
    """A cursor over a pattern. Every ``take`` skips white space first."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._regexes = 0

    def peek(self) -> str:
        """The next character, or '' at the end."""
        self._skip_space()
        return self._text[self._at : self._at + 1]

    @property
    def place(self) -> int:
        """Where the cursor stands."""
        return self._at

    @property
    def at_end(self) -> bool:
        """Whether only white space is left."""
        return not self.peek()

    def take(self, literal: str) -> bool:
        """Step over ``literal`` if it comes next."""
        self._skip_space()
        if not self._text.startswith(literal, self._at):
            return False
        self._at += len(literal)
        return True

    def take_match(self, pattern: re.Pattern[str]) -> str | None:
        """Step over what ``pattern`` matches here, or answer None."""
        self._skip_space()
        found = pattern.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def quoted(self, quote: str = '"') -> str:
        """The text in quotes that comes next; a backslash keeps the next character as it is.

        Raises:
            InvalidParameterException: the quotes never end.
        """
        assert self.take(quote)
        text: list[str] = []
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == quote:
                self._at += 1
                return "".join(text)
            if char == "\\" and self._at + 1 < len(self._text):
                self._at += 1
                char = self._text[self._at]
            text.append(char)
            self._at += 1
        raise invalid_pattern()

    def regex(self, *, regexes_max: int | None = REGEXES_MAX) -> Automaton:
        """The expression between percent signs that comes next.

        Raises:
            InvalidParameterException: it is none, or one too many.
        """
        assert self.take("%")
        end = self._text.find("%", self._at)
        self._regexes += 1
        if end < 0 or (regexes_max is not None and self._regexes > regexes_max):
            raise invalid_pattern()
        source = self._text[self._at : end]
        self._at = end + 1
        return compile_regex(source)

    def _skip_space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()


@dataclass(frozen=True, slots=True)
class Comparison:
    """``op value``: applied to the texts and numbers of an event.

    A text is compared as text, a number as a number where the value is one and as its text where
    it is not.
    """

    negated: bool
    text: Callable[[str], bool]
    number: Callable[[float], bool] | None
    ordering: bool = False

    def holds_for_text(self, text: str) -> bool:
        """Whether a text passes. No text does where the operator orders numbers."""
        return not self.ordering and self.text(text) is not self.negated

    def holds_for_number(self, value: float, text: str) -> bool:
        """Whether a number passes; ``text`` is how the event spells it."""
        if self.number is None:
            return self.holds_for_text(text)
        return self.number(value) is not self.negated


def parse_comparison(scanner: Scanner) -> Comparison:
    """An operator and a value: quoted, bare, a number, or a regular expression.

    Raises:
        InvalidParameterException: there is no such thing here.
    """
    sign = next((sign for sign in _OPERATORS if scanner.take(sign)), None)
    if sign is None:
        raise invalid_pattern()
    # The guide writes "w1=!ERROR" for fields.
    negated = sign == "!=" or (sign == "=" and scanner.take("!"))
    ordering = _ORDERINGS.get(sign)
    if scanner.peek() == "%":
        return Comparison(negated, _no_order(ordering, scanner.regex().search), None)
    if scanner.peek() == '"':
        return Comparison(negated, _no_order(ordering, text_matcher(scanner.quoted())), None)
    bare = scanner.take_match(_BARE_VALUE)
    if bare is None:
        raise invalid_pattern()
    if _NUMBER.fullmatch(bare) is None:
        return Comparison(negated, _no_order(ordering, text_matcher(bare)), None)
    wanted = float(bare)
    compare = ordering or operator.eq
    return Comparison(
        negated,
        text_matcher(bare),
        lambda value: compare(value, wanted),
        ordering=ordering is not None,
    )


def _no_order(ordering: Ordering | None, matcher: Callable[[str], bool]) -> Callable[[str], bool]:
    if ordering is not None:
        raise invalid_pattern()
    return matcher


def text_matcher(wanted: str) -> Callable[[str], bool]:
    """Equality, with ``*`` for any text at either end. Inside it stands for itself."""
    if wanted.strip("*") == "" and wanted:
        return lambda text: True
    starts_free, ends_free = wanted.startswith("*"), wanted.endswith("*")
    core = wanted[int(starts_free) : len(wanted) - int(ends_free)]
    if starts_free and ends_free:
        return lambda text: core in text
    if starts_free:
        return lambda text: text.endswith(core)
    if ends_free:
        return lambda text: text.startswith(core)
    return lambda text: text == wanted


def parse_boolean(
    scanner: Scanner, leaf: Callable[[Scanner], Callable[[T], bool]], *, depth: int = 0
) -> Callable[[T], bool]:
    """``leaf``s joined with ``&&`` and ``||``, the first binding tighter, and parentheses.

    Raises:
        InvalidParameterException: no such expression, or one nested too deep.
    """
    either = [_parse_all(scanner, leaf, depth)]
    while scanner.take("||"):
        either.append(_parse_all(scanner, leaf, depth))
    if len(either) == 1:
        return either[0]
    return lambda subject: any(test(subject) for test in either)


def _parse_all(
    scanner: Scanner, leaf: Callable[[Scanner], Callable[[T], bool]], depth: int
) -> Callable[[T], bool]:
    both = [_parse_one(scanner, leaf, depth)]
    while scanner.take("&&"):
        both.append(_parse_one(scanner, leaf, depth))
    if len(both) == 1:
        return both[0]
    return lambda subject: all(test(subject) for test in both)


def _parse_one(
    scanner: Scanner, leaf: Callable[[Scanner], Callable[[T], bool]], depth: int
) -> Callable[[T], bool]:
    if not scanner.take("("):
        return leaf(scanner)
    if depth == NESTING_MAX:
        raise invalid_pattern()
    inner = parse_boolean(scanner, leaf, depth=depth + 1)
    if not scanner.take(")"):
        raise invalid_pattern()
    return inner
