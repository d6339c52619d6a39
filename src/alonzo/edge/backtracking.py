r"""How long a value may be for a pattern of the models, so that matching it cannot run away.

A backtracking matcher may try every way of cutting a value up. This looks at a pattern's text and
says which way is worst:

* one class, repeated: no choice at all, any length;
* a repeated group with a repetition inside, ``([ \t]+[ -~]+)*``: the ways double with each
  character, unless the group starts or ends with a character that stands nowhere else in it;
* three repetitions in a row, ``[a-z]+[a-z-]*[a-z]+``: the ways grow with the cube;
* anything else: with the square, at worst, in the patterns that we know.

A longer value is not checked against the pattern. ``tests/unit/edge/test_protocol_patterns.py``
times the patterns of the services that we serve.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

#: Longest value, in characters, by the worst case of the pattern.
EXPONENTIAL_CHARS_MAX = 16
CUBIC_CHARS_MAX = 256
OTHER_CHARS_MAX = 2048

_CLASS = r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\[pPx]\{[^}]*\}|\\.|[^()|*+?]"
_REPEATED = r"(?:[*+]|\{[0-9]+,\})[?+]?"
_TOKEN = re.compile(rf"(?P<open>\((?:\?(?:[:=!>]|<[=!]))?)|(?P<atom>{_CLASS})|.", re.DOTALL)
_QUANTIFIER = re.compile(r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})[?+]?")
_UNBOUNDED = re.compile(_REPEATED)
_ONE_CLASS = re.compile(rf"\^?\(?(?:{_CLASS})(?:[*+]|\{{[0-9,]+\}})\)?\$?", re.DOTALL)
_THREE_IN_A_ROW = re.compile(
    rf"(?:(?:{_CLASS})(?:{_REPEATED}|\{{[0-9]+,[0-9]{{2,}}\}})){{3}}", re.DOTALL
)


def chars_max(pattern: str) -> int:
    """The longest value that may be matched against a pattern by backtracking."""
    if _ONE_CLASS.fullmatch(pattern):
        return sys.maxsize
    if any(map(_is_ambiguous, _nested_repetitions(pattern))):
        return EXPONENTIAL_CHARS_MAX
    return CUBIC_CHARS_MAX if _THREE_IN_A_ROW.search(pattern) else OTHER_CHARS_MAX


def _nested_repetitions(pattern: str) -> Iterator[str]:
    """The insides of the groups that repeat without end and hold such a repetition."""
    starts: list[int] = []
    repeats = [False]
    position = 0
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        assert token is not None, "the pattern matches any character"
        position = token.end()
        if token.group("open"):
            starts.append(position)
            repeats.append(False)
            continue
        has_repeat = False
        start = position
        if token.group() == ")" and starts:
            start, has_repeat = starts.pop(), repeats.pop()
        unbounded = _UNBOUNDED.match(pattern, position)
        if unbounded is not None and has_repeat:
            yield pattern[start : token.start()]
        repeats[-1] = repeats[-1] or has_repeat or unbounded is not None


def _is_ambiguous(inside: str) -> bool:
    """Can a text be cut into repetitions of a group in more than one way? Yes, if in doubt."""
    atoms = [match for match in _TOKEN.finditer(inside) if match.group("atom")]
    fixed = [atom for atom in atoms[:1] if atom.start() == 0]
    fixed += [atom for atom in atoms[-1:] if atom.end() == len(inside)]
    has_choice = "|" in re.sub(_CLASS, "", _outermost(inside))
    return has_choice or not any(
        not _QUANTIFIER.match(inside, atom.end())
        and all(_are_apart(atom.group(), other.group()) for other in atoms if other is not atom)
        for atom in fixed
    )


def _outermost(inside: str) -> str:
    """A group's inside without the groups in it."""
    while (shorter := re.sub(r"\((?:[^()\\]|\\.)*\)", "", inside)) != inside:
        inside = shorter
    return inside


def _are_apart(one: str, other: str) -> bool:
    """Do two classes share no character? ASCII stands for all."""
    try:
        first, second = re.compile(one), re.compile(other)
    except re.error:
        return False
    return not any(
        first.fullmatch(char) and second.fullmatch(char) for char in map(chr, range(128))
    )
