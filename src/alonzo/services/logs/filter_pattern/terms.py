"""Terms anywhere in an event: all of them, any of the ``?`` ones, none of the ``-`` ones.

As on AWS, ``?`` terms count only in a pattern that has no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from alonzo.services.logs.filter_pattern.scanner import Scanner, invalid_pattern, invalid_term

_WORD = re.compile(r"\S+")
_PLAIN = re.compile(r"\w+")


def parse_terms(text: str) -> Callable[[str], bool]:
    """The matcher of a pattern of terms; ``text`` is not blank.

    Raises:
        InvalidParameterException: a term is empty, or has characters that want quotes.
    """
    scanner = Scanner(text)
    required: list[Callable[[str], bool]] = []
    optional: list[Callable[[str], bool]] = []
    excluded: list[Callable[[str], bool]] = []
    while not scanner.at_end:
        kind = required
        if scanner.take("?"):
            kind = optional
        elif scanner.take("-"):
            kind = excluded
        kind.append(_term(scanner))
    if optional and not required and not excluded:
        return lambda message: any(term(message) for term in optional)
    if len(required) == 1 and not excluded:
        return required[0]
    return lambda message: (
        all(term(message) for term in required) and not any(term(message) for term in excluded)
    )


def _term(scanner: Scanner) -> Callable[[str], bool]:
    first = scanner.peek()
    if first == "%":
        return scanner.regex(regexes_max=None).search
    if first == '"':
        wanted = scanner.quoted()
        if not wanted:
            raise invalid_term('""')
        return lambda message: wanted in message
    word = scanner.take_match(_WORD)
    if word is None:
        raise invalid_pattern()
    if _PLAIN.fullmatch(word) is None:
        raise invalid_term(word)
    return lambda message: word in message
