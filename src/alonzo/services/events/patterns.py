"""Event patterns of rules and archives: read once, and found quickly. Pure.

Nearly every pattern names its sources. A rule that does is only asked about events from these, so
an event meets few of many rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from alonzo.lib.event_operators import parse_pattern
from alonzo.lib.event_patterns import Pattern, PatternError, read_document
from alonzo.services.events.documents import Document
from alonzo.services.events.errors import invalid_pattern

T = TypeVar("T")


def read_pattern(text: str) -> Pattern:
    """Read a pattern.

    Raises:
        AwsError: InvalidEventPatternException.
    """
    try:
        return parse_pattern(text)
    except PatternError as error:
        raise invalid_pattern(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    """One pattern, and whose it is; None lets everything through."""

    owner: T
    pattern: Pattern | None


class PatternIndex(Generic[T]):
    """Patterns by a key of their owners."""

    def __init__(self) -> None:
        self._sources: dict[str, Iterable[str]] = {}
        self._by_source: dict[str, dict[str, _Entry[T]]] = {}
        self._others: dict[str, _Entry[T]] = {}

    def put(self, key: str, owner: T, text: str | None) -> None:
        """Add a pattern, or replace the one of that key. ``text`` None lets everything through.

        Raises:
            AwsError: InvalidEventPatternException.
        """
        entry = _Entry(owner, None if text is None else read_pattern(text))
        self.remove(key)
        sources = () if text is None else _sources_of(text)
        self._sources[key] = sources
        for source in sources:
            self._by_source.setdefault(source, {})[key] = entry
        if not sources:
            self._others[key] = entry

    def remove(self, key: str) -> None:
        """Forget the pattern of that key, if there is one."""
        for source in self._sources.pop(key, ()):
            entries = self._by_source[source]
            del entries[key]
            if not entries:
                del self._by_source[source]
        self._others.pop(key, None)

    def matching(self, event: Document) -> list[T]:
        """Whose patterns let an event through."""
        named = self._by_source.get(str(event["source"]), {})
        return [
            entry.owner
            # Copies: a large event is looked at beside the loop, on which rules come and go.
            for entries in (list(named.values()), list(self._others.values()))
            for entry in entries
            if entry.pattern is None or entry.pattern.matches(event)
        ]


def _sources_of(text: str) -> frozenset[str]:
    """The sources that a pattern names, if it names them one by one; else none."""
    found = cast("Mapping[str, Any]", read_document(text)).get("source")
    if not isinstance(found, list):
        return frozenset()
    entries = cast("list[Any]", found)
    if not all(type(each) is str for each in entries):
        return frozenset()
    return frozenset(entries)
