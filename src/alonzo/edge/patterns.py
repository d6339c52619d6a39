r"""Regular expressions of the service models, which are Java's, as Python's.

Both languages agree on nearly all that the models use. What differs is rewritten: Unicode
properties (``\p{L}``), POSIX classes (``\p{Alnum}``), surrogate pairs, ``\z``, ``\x{…}``, and
characters that Python reads as something special inside a class. ``\w``, ``\d`` and ``\s`` are
ASCII, as in Java.

Not expressible, and therefore not checked: intersections of classes (``[…&&…]``), and patterns
that are no regular expressions at all (a few models hold some).
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from alonzo.edge.backtracking import chars_max

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Inclusive ranges of code points, in order and apart from each other.
Ranges = tuple[tuple[int, int], ...]

_LAST = sys.maxunicode
_LAST_ASCII = 0x7F
#: What of Unicode is worth a look: between and after these nothing is assigned, up to two planes
#: for private use. A fifth of all code points, in a fifth of the time.
_SWEPT = ((0x0, 0x33FFF), (0xE0000, 0xE01FF))
_PRIVATE_PLANES = (0xF0000, _LAST)
#: The pair of surrogates that Java needs for everything past the Basic Multilingual Plane.
_SURROGATE_PAIR = re.compile(r"\\u[Dd]800\\u[Dd][Cc]00-\\u[Dd][Bb][Ff][Ff]\\u[Dd][Ff][Ff][Ff]")
_HAS_PROPERTIES = re.compile(r"\\[pP]")
_TOKEN = re.compile(
    r"\\[pP]\{(\^?)(?:Is)?(\w+)\}|\\[pP](\w)|\\x\{([0-9A-Fa-f]{1,6})\}|\\.|.", re.DOTALL
)
#: A general category of Unicode, or the first letter of several.
_CATEGORY = re.compile(r"L[ulmto]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfson]?")
#: Classes without and with every character: a category may be empty among the ones that count.
_NOTHING, _ANYTHING = r"(?!)", r"[\s\S]"

_ASCII_CLASSES: dict[str, Ranges] = {
    "ASCII": ((0x00, 0x7F),),
    "Alpha": ((0x41, 0x5A), (0x61, 0x7A)),
    "Digit": ((0x30, 0x39),),
    "Alnum": ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)),
    "Upper": ((0x41, 0x5A),),
    "Lower": ((0x61, 0x7A),),
    "XDigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
    "Punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "Graph": ((0x21, 0x7E),),
    "Print": ((0x20, 0x7E),),
    "Blank": ((0x09, 0x09), (0x20, 0x20)),
    "Cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "Space": ((0x09, 0x0D), (0x20, 0x20)),
    "all": ((0, _LAST),),
}
#: Names for unions of general categories.
_CATEGORY_UNIONS = {"Alphabetic": ("L", "Nl"), "LD": ("L", "Nd"), "Whitespace": ("Z",)}


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """A test of whole values against a model's pattern; one that cannot be expressed takes all.

    Nothing is compiled before the first value: most members of most requests are absent.
    """
    longest = chars_max(pattern)
    has_properties = _HAS_PROPERTIES.search(pattern) is not None

    def matches(value: str) -> bool:
        if len(value) > longest:
            return True
        # Most values are ASCII, and the tables of the rest of Unicode take long to make.
        last = _LAST_ASCII if has_properties and value.isascii() else _LAST
        match = _compiled(pattern, last)
        return match is None or match(value) is not None

    return matches


@functools.cache
def _compiled(pattern: str, last: int) -> Callable[[str], re.Match[str] | None] | None:
    try:
        return re.compile(translate(pattern, last), re.ASCII).fullmatch
    except (re.error, OverflowError, KeyError, RecursionError):
        return None


def translate(pattern: str, last: int = _LAST) -> str:
    """A pattern of Java's in Python's syntax, good for values up to the code point ``last``.

    Raises:
        KeyError: it has a property of an unknown name.
        re.error: it has an intersection of classes.
    """
    pattern = _SURROGATE_PAIR.sub(lambda _: r"\U00010000-\U0010FFFF", pattern)
    pieces: list[str] = []
    position = 0
    while position < len(pattern):
        if pattern[position] == "[":
            end, piece = _class(pattern, position + 1, last)
            pieces.append(piece)
            position = end
            continue
        token = _TOKEN.match(pattern, position)
        assert token is not None, "the pattern matches any character"
        pieces.append(_outside(token, last))
        position = token.end()
    return "".join(pieces)


def _outside(token: re.Match[str], last: int) -> str:
    text = token.group()
    if text in (r"\z", r"\Z"):
        return r"\Z"
    ranges = _property(token, last)
    if ranges is not None:
        return f"[{_ranges_text(ranges)}]" if ranges else _NOTHING
    if token.group(4):
        return _code_point(int(token.group(4), 16))
    return text


def _class(pattern: str, position: int, last: int) -> tuple[int, str]:
    """Rewrite the class that starts after ``[`` at ``position``; also where the rest begins."""
    negated = pattern.startswith("^", position)
    position += negated
    parts: list[str] = []
    first = True
    while first or not pattern.startswith("]", position):
        if position >= len(pattern):
            raise re.error("unterminated class")
        if pattern.startswith("&&", position):
            raise re.error("intersection of classes")
        token = _TOKEN.match(pattern, position)
        assert token is not None, "the pattern matches any character"
        parts.append(_inside(token, last))
        position = token.end()
        first = False
    inner = "".join(_escape_hyphens(parts))
    if not inner:
        return position + 1, _ANYTHING if negated else _NOTHING
    return position + 1, f"[{'^' if negated else ''}{inner}]"


def _inside(token: re.Match[str], last: int) -> str:
    ranges = _property(token, last)
    if ranges is not None:
        return _ranges_text(ranges)
    if token.group(4):
        return _code_point(int(token.group(4), 16))
    text = token.group()
    return "\\" + text if text in "[&|~" else text


def _escape_hyphens(parts: list[str]) -> Iterator[str]:
    r"""Java takes a hyphen beside a class (``\w-_``) for itself; Python refuses it."""
    for index, part in enumerate(parts):
        sides = parts[max(index - 1, 0) : index] + parts[index + 1 : index + 2]
        beside_class = any(len(side) > 2 or side in _CLASS_ESCAPES for side in sides)
        yield r"\-" if part == "-" and (beside_class or len(sides) < 2) else part


_CLASS_ESCAPES = frozenset({r"\w", r"\W", r"\d", r"\D", r"\s", r"\S"})


def _property(token: re.Match[str], last: int) -> Ranges | None:
    name = token.group(2) or token.group(3)
    if name is None:
        return None
    ranges = _named_ranges(name, last)
    return _complement(ranges) if (token.group()[1] == "P") != bool(token.group(1)) else ranges


def _named_ranges(name: str, last: int) -> Ranges:
    if name in _ASCII_CLASSES:
        return _ASCII_CLASSES[name]
    prefixes = _CATEGORY_UNIONS.get(name, (name,))
    table = _category_ranges(last)
    chosen = [ranges for category, ranges in table.items() if category.startswith(prefixes)]
    if not chosen and not _CATEGORY.fullmatch(name):
        raise KeyError(name)
    return _merge(chain.from_iterable(chosen))


@functools.cache
def _category_ranges(last: int) -> dict[str, Ranges]:
    """Every general category's code points up to ``last``; one sweep, when first needed."""
    found: dict[str, list[tuple[int, int]]] = {}
    codes = [code for low, high in _SWEPT for code in range(low, min(high, last) + 1)]
    start, before, current = 0, 0, unicodedata.category("\0")
    for code, category in zip(codes, map(unicodedata.category, map(chr, codes)), strict=True):
        if category != current:
            found.setdefault(current, []).append((start, before))
            start, current = code, category
        before = code
    found.setdefault(current, []).append((start, before))
    if last == _LAST:
        found["Co"].append(_PRIVATE_PLANES)
    return {category: tuple(ranges) for category, ranges in found.items()}


def _merge(ranges: Iterable[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _complement(ranges: Ranges) -> Ranges:
    edges = [(-1, -1), *ranges, (_LAST + 1, _LAST + 1)]
    return tuple(
        (before[1] + 1, after[0] - 1)
        for before, after in pairwise(edges)
        if before[1] + 1 <= after[0] - 1
    )


def _ranges_text(ranges: Ranges) -> str:
    return "".join(f"{_code_point(low)}-{_code_point(high)}" for low, high in ranges)


def _code_point(code: int) -> str:
    return f"\\U{code:08x}"
