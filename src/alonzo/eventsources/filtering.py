"""Which items a mapping's filter criteria let through. Pure.

A pattern that looks into the data wants it to be what the pattern is of: an object is looked for in
data that is a JSON object, a list of texts in data that is plain text. Of any other pair nothing
passes; a pattern that does not look into the data does not care.

Source: Lambda developer guide, event filtering: "Properly filtering Amazon SQS messages" and the
like of every source.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from alonzo.eventsources.items import Item
from alonzo.lib.event_patterns import Pattern, parse, read_document


@dataclass(frozen=True, slots=True)
class _Filter:
    """A pattern, and the kind of value that it wants for each data key that it names.

    ``always`` are the keys that it looks into in any case, and not as one of several alternatives.
    """

    pattern: Pattern
    wants: Mapping[str, type]
    always: frozenset[str]

    def matches(self, item: Item, views: dict[type, Any]) -> bool:
        wanted = self.wants.get(item.data_key)
        if wanted is None:
            return self.pattern.matches(item.metadata)
        if wanted not in views:
            views[wanted] = _READERS[wanted](item.data)
        data = views[wanted]
        if data is None:
            return item.data_key not in self.always and self.pattern.matches(item.metadata)
        return self.pattern.matches({**item.metadata, item.data_key: data})


@dataclass(frozen=True, slots=True)
class Filters:
    """Criteria that have been read: an item passes if one of the filters lets it."""

    _filters: tuple[_Filter, ...]

    def matches(self, item: Item) -> bool:
        """Whether the item goes to the function."""
        views: dict[type, Any] = {}
        return any(each.matches(item, views) for each in self._filters)


def read_filters(criteria: Mapping[str, Any] | None) -> Filters | None:
    """The filters of FilterCriteria, whose patterns have been checked; None if there are none."""
    given: list[Mapping[str, Any]] = (criteria or {}).get("Filters") or []
    if not given:
        return None
    return Filters(tuple(_read(each.get("Pattern") or "") for each in given))


def split(filters: Filters | None, items: list[Item]) -> tuple[list[Item], list[Item]]:
    """The items that pass, and those that do not, each in their order."""
    if filters is None:
        return items, []
    passed: list[Item] = []
    dropped: list[Item] = []
    for item in items:
        (passed if filters.matches(item) else dropped).append(item)
    return passed, dropped


def _read(text: str) -> _Filter:
    members = cast(dict[str, Any], json.loads(text))
    alternatives: list[dict[str, Any]] = members.get("$or") or []
    wants: dict[str, type] = {}
    for each in (members, *alternatives):
        for name, value in each.items():
            # A list stands for texts; anything else looks into an object.
            wants.setdefault(name, str if isinstance(value, list) else dict)
    return _Filter(parse(text), wants, frozenset(members))


def _as_object(data: str | bytes) -> Any:
    try:
        document = read_document(data)
    except ValueError:
        return None
    return cast(Any, document) if isinstance(document, dict) else None


def _as_text(data: str | bytes) -> str | None:
    """Plain text; None for JSON, which a list of texts does not match."""
    if _as_object(data) is not None:
        return None
    try:
        return data.decode() if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        return None


_READERS: Mapping[type, Any] = {dict: _as_object, str: _as_text}
