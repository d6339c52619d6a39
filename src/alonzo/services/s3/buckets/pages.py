"""Pages of keys: prefixes, delimiters, and where the next page begins. Pure.

A page costs what is on it and not what it passes over: what a common prefix stands for is skipped
with one more query. Keys are in the order of their UTF-8, which is that of their code points.

Source: S3 user guide, organizing objects using prefixes; API reference, ListObjectsV2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alonzo.services.s3.records import ObjectVersion

#: Entries of one page. Source: API reference, max-keys.
PAGE_MAX = 1000

#: Behind every key: none is as long. Source: S3 user guide, keys have up to 1,024 bytes.
LAST = "\U0010ffff" * 257

_SURROGATES = range(0xD800, 0xE000)
_LAST_POINT = 0x10FFFF
#: Rows that are read behind a common prefix, where the next one may begin at once.
_FEW = 16


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a page is to show. ``delimiter`` empty: no common prefixes."""

    prefix: str
    delimiter: str
    limit: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where reading begins.

    ``below`` None: at the first version of the first key from ``start`` on. Otherwise at the newest
    version of ``start`` whose number is lower; with 0, behind that key.
    """

    start: str
    below: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What was found, in order. ``last`` is what a page ends with that is not the last one."""

    entries: Sequence[ObjectVersion]
    prefixes: Sequence[str]
    last: ObjectVersion | str | None


#: Reads rows in order: from a place on, of keys below another, at most so many.
Fetch = Callable[[Cursor, str, int], Sequence[ObjectVersion]]


def successor(text: str) -> str:
    """The first text behind all that begin with ``text``."""
    while text:
        point = ord(text[-1])
        if point < _LAST_POINT:
            following = point + 1
            return text[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)
        text = text[:-1]
    return LAST


def common_prefix(key: str, wanted: Wanted) -> str | None:
    """The common prefix that stands for a key, or None: it stands for itself."""
    if not wanted.delimiter:
        return None
    at = key.find(wanted.delimiter, len(wanted.prefix))
    return None if at < 0 else key[: at + len(wanted.delimiter)]


def cursor_behind(name: str, wanted: Wanted) -> Cursor:
    """Where a page begins that follows a key, or a common prefix and all it stands for."""
    if name < wanted.prefix or not name:
        return Cursor(wanted.prefix)
    if name.startswith(wanted.prefix) and common_prefix(name, wanted) == name:
        return Cursor(successor(name))
    return Cursor(name, 0)


def one_page(wanted: Wanted, begin: Cursor, fetch: Fetch) -> Page:
    """Put a page together."""
    entries: list[ObjectVersion] = []
    prefixes: list[str] = []
    last: ObjectVersion | str | None = None
    stop, cursor = successor(wanted.prefix), begin
    batch = wanted.limit + 1 if wanted.limit else 0
    while batch:
        rows = fetch(cursor, stop, batch)
        skip_to = ""
        for row in rows:
            if row.key < skip_to:
                continue
            if len(entries) + len(prefixes) == wanted.limit:
                return Page(entries, prefixes, last)
            prefix = common_prefix(row.key, wanted)
            if prefix is None:
                entries.append(row)
                last = row
            else:
                prefixes.append(prefix)
                last, skip_to = prefix, successor(prefix)
        if len(rows) < batch:
            break
        left = wanted.limit - len(entries) - len(prefixes) + 1
        if rows[-1].key < skip_to:
            cursor, batch = Cursor(skip_to), min(left, _FEW)
        else:
            cursor, batch = Cursor(rows[-1].key, rows[-1].id), left
    return Page(entries, prefixes, None)
