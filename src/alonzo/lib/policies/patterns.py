"""Texts with wildcards and policy variables.

| In a pattern | Stands for |
|---|---|
| ``*`` | any number of any characters |
| ``?`` | any one character |
| ``${aws:username}`` | the value of that key of the request; matches nothing where it has none |
| ``${aws:username, 'nobody'}`` | the same, with a value for requests that have none |
| ``${*}``, ``${?}``, ``${$}`` | these characters themselves |

Variables are a matter of version 2012-10-17; before, they are ordinary text. What a variable stands
for is compared as it is: a ``*`` in it is no wildcard.

Source: IAM user guide, policy elements: variables and tags; Resource, wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

#: The request's context: lower-case keys; a tuple is a key of several values.
Context = Mapping[str, str | tuple[str, ...]]

#: Whether a text matches, in the context of a request.
Match = Callable[[str, Context], bool]

# No two parts of it that follow each other can take the same character: it never tries twice.
_VARIABLE = re.compile(
    r"\$\{(?:(?P<literal>[*?$])|(?P<key>[^{}$,*?']+)(?:,[ ]*'(?P<default>[^']*)'[ ]*)?)\}"
)
_WILDCARD = re.compile(r"[*?]")
#: Patterns with variables filled in whose expressions are kept.
_FILLED_MAX = 1024


@dataclass(frozen=True, slots=True)
class Variable:
    """A policy variable. ``key`` is lower-case."""

    key: str
    default: str | None

    def value(self, context: Context) -> str | None:
        """What it stands for; None if nothing. A key of several values is no variable."""
        found = context.get(self.key)
        return found if isinstance(found, str) else self.default


@dataclass(frozen=True, slots=True)
class Wild:
    """A wildcard: ``*`` or ``?``."""

    character: str


Part = str | Wild | Variable


def has_broken_variable(text: str) -> bool:
    """Whether a ``${`` begins that no variable goes on with."""
    return "${" in _VARIABLE.sub("", text)


def split(text: str, *, variables: bool, wildcards: bool) -> tuple[Part, ...]:
    """The parts of a pattern."""
    parts: list[Part] = []
    at = 0
    if variables:
        for found in _VARIABLE.finditer(text):
            parts += _wild(text[at : found.start()], wildcards)
            if found["literal"]:
                parts.append(found["literal"])
            else:
                parts.append(Variable(found["key"].strip().lower(), found["default"]))
            at = found.end()
    parts += _wild(text[at:], wildcards)
    return tuple(parts)


def matcher(parts: Sequence[Part], *, ignore_case: bool = False) -> Match:
    """How texts are compared with the parts.

    No text and no pattern makes it slow: what follows a ``*`` is looked for once, from left to
    right, and never again.
    """
    if any(isinstance(part, Variable) for part in parts):
        return _filled_matcher(tuple(parts), ignore_case)
    return _fixed_matcher(parts, ignore_case)


def _wild(text: str, wildcards: bool) -> Iterator[Part]:
    if not wildcards:
        if text:
            yield text
        return
    at = 0
    for found in _WILDCARD.finditer(text):
        if found.start() > at:
            yield text[at : found.start()]
        yield Wild(found[0])
        at = found.end()
    if at < len(text):
        yield text[at:]


def _fixed_matcher(parts: Sequence[Part], ignore_case: bool) -> Match:
    if ignore_case:
        parts = [part.casefold() if isinstance(part, str) else part for part in parts]
    if all(isinstance(part, str) for part in parts):
        exact = "".join(part for part in parts if isinstance(part, str))
        if ignore_case:
            return lambda text, _: text.casefold() == exact
        return lambda text, _: text == exact
    if _is_star(parts[-1]) and all(isinstance(part, str) for part in parts[:-1]):
        prefix = "".join(part for part in parts if isinstance(part, str))
        if not prefix:
            return lambda _text, _: True
        if ignore_case:
            return lambda text, _: text.casefold().startswith(prefix)
        return lambda text, _: text.startswith(prefix)
    match = _wild_matcher(parts)
    if ignore_case:
        return lambda text, _: match(text.casefold())
    return lambda text, _: match(text)


def _filled_matcher(parts: tuple[Part, ...], ignore_case: bool) -> Match:
    @lru_cache(maxsize=_FILLED_MAX)
    def filled(values: tuple[str, ...]) -> Match:
        rest = iter(values)
        return _fixed_matcher(
            [next(rest) if isinstance(part, Variable) else part for part in parts], ignore_case
        )

    variables = [part for part in parts if isinstance(part, Variable)]

    def match(text: str, context: Context) -> bool:
        values = [variable.value(context) for variable in variables]
        known = tuple(value for value in values if value is not None)
        return len(known) == len(values) and filled(known)(text, context)

    return match


def _is_star(part: Part) -> bool:
    return isinstance(part, Wild) and part.character == "*"


@dataclass(frozen=True, slots=True)
class _Run:
    """What stands between two ``*``: ``text``, or where there is a ``?`` in it ``pattern``."""

    length: int
    text: str
    pattern: re.Pattern[str] | None

    def find(self, text: str, begin: int, end: int) -> int:
        """Where it stands first between two places, or -1."""
        if self.pattern is None:
            return text.find(self.text, begin, end)
        found = self.pattern.search(text, begin, end)
        return -1 if found is None else found.start()

    def stands_at(self, text: str, place: int) -> bool:
        """Whether it stands at a place."""
        if self.pattern is None:
            return text.startswith(self.text, place)
        return self.pattern.match(text, place) is not None


def _wild_matcher(parts: Sequence[Part]) -> Callable[[str], bool]:
    """Looks for each run once, from left to right. One expression of all would be slow to make.

    The first run stands at the beginning and the last at the end.
    """
    runs = [_run(run) for run in _between_stars(parts)]
    first, *middle = runs
    if not middle:
        return lambda text: len(text) == first.length and first.stands_at(text, 0)
    last = middle.pop()
    length = sum(run.length for run in runs)

    def match(text: str) -> bool:
        end = len(text) - last.length
        if len(text) < length or not first.stands_at(text, 0) or not last.stands_at(text, end):
            return False
        place = first.length
        for run in middle:
            place = run.find(text, place, end)
            if place < 0:
                return False
            place += run.length
        return True

    return match


def _between_stars(parts: Sequence[Part]) -> list[list[Part]]:
    runs: list[list[Part]] = [[]]
    for part in parts:
        if not _is_star(part):
            runs[-1].append(part)
        elif runs[-1] or len(runs) == 1:
            runs.append([])
    return runs


def _run(parts: Sequence[Part]) -> _Run:
    if all(isinstance(part, str) for part in parts):
        text = "".join(part for part in parts if isinstance(part, str))
        return _Run(len(text), text, None)
    expression = "".join("." if isinstance(part, Wild) else re.escape(str(part)) for part in parts)
    length = sum(1 if isinstance(part, Wild) else len(str(part)) for part in parts)
    return _Run(length, "", re.compile(expression, re.DOTALL))
