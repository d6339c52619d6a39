"""Which log groups ListLogGroups finds. Pure.

Source: CloudWatch Logs API reference, ListLogGroups, TagFilter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alonzo.lib.policies.patterns import Match, Part, Wild, matcher

#: Filters by what groups do not have here.
_NEVER = ("dataSources", "fieldIndexNames")


def search(params: Mapping[str, Any]) -> Callable[[str, Mapping[str, str]], bool]:
    """Whether a group of that name, with those tags, is asked for."""
    if any(params.get(member) for member in _NEVER):
        return lambda _name, _tags: False
    patterns: Sequence[str] = (params.get("logGroupNamePattern") or "").split("|")
    filters: Sequence[Mapping[str, Any]] = params.get("logGroupTags") or ()
    wanted = [
        (each["key"], [_value(text) for text in each.get("values") or ()]) for each in filters
    ]

    def fits(name: str, tags: Mapping[str, str]) -> bool:
        return any(_named(name, pattern) for pattern in patterns) and all(
            key in tags and (not checks or any(check(tags[key]) for check in checks))
            for key, checks in wanted
        )

    return fits


def _named(name: str, pattern: str) -> bool:
    return name.startswith(pattern[1:]) if pattern.startswith("^") else pattern in name


def _value(text: str) -> Callable[[str], bool]:
    """A check of a tag's value: as it is, with ``*``, and after ``!`` the contrary."""
    negated = text.startswith("!")
    plain = text[1:] if negated else text
    if "*" in plain:
        matches = _wild(plain)
        return lambda value: matches(value, {}) is not negated
    return lambda value: (value == plain) is not negated


def _wild(text: str) -> Match:
    parts: list[Part] = []
    for piece in text.split("*"):
        parts += [piece, Wild("*")] if piece else [Wild("*")]
    return matcher(parts[:-1], ignore_case=True)
