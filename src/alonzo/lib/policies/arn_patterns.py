"""Patterns of ARNs. Each of the six parts between colons is matched by its own part of the pattern.

A ``*`` therefore never reaches over a colon, but in the last part, which may hold colons itself.

Source: IAM user guide, Resource element; ARN condition operators.
"""

from __future__ import annotations

from collections.abc import Iterator

from alonzo.lib.policies.patterns import Context, Match, Part, Variable, matcher, split

_PARTS = 6


def arn_matcher(text: str, *, variables: bool, completed: bool) -> Match:
    """How ARNs are compared with a pattern. ``*`` alone matches every text.

    ``completed``: parts that the pattern lacks at its end may be anything, as in ``Resource``.
    """
    if text == "*":
        return lambda _text, _: True
    pattern = [list(part) for part in _at_colons(split(text, variables=variables, wildcards=True))]
    if len(pattern) < _PARTS:
        if not completed:
            return lambda _text, _: False
        pattern += [list(split("*", variables=False, wildcards=True))] * (_PARTS - len(pattern))
    if not any(isinstance(part, Variable) for parts in pattern for part in parts) and not any(
        not isinstance(part, str) for parts in pattern for part in parts
    ):
        exact = ":".join("".join(str(part) for part in parts) for parts in pattern)
        return lambda arn, _: arn == exact
    return _by_parts([matcher(parts) for parts in pattern])


def _by_parts(parts: list[Match]) -> Match:
    # The ones at the end say most: regions and accounts are the same for nearly all.
    backwards = tuple(reversed(list(enumerate(parts))))

    def match(arn: str, context: Context) -> bool:
        given = arn.split(":", _PARTS - 1)
        if len(given) < _PARTS:
            return False
        return all(part(given[at], context) for at, part in backwards)

    return match


def _at_colons(parts: tuple[Part, ...]) -> Iterator[list[Part]]:
    """The parts of a pattern, cut at the first five colons that are plain text."""
    cuts, current = 0, list[Part]()
    for part in parts:
        rest: Part | None = part
        while isinstance(rest, str) and ":" in rest and cuts < _PARTS - 1:
            head, _, rest = rest.partition(":")
            if head:
                current.append(head)
            yield current
            cuts, current = cuts + 1, []
        if rest:
            current.append(rest)
    yield current
