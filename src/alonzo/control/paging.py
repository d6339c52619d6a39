"""Pages of a list: how many entries, where to go on, and the marker that says so.

A marker holds the place of the last entry shown, so entries that come and go between two pages
neither repeat others nor hide them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import orjson

from alonzo.model.arns import LATEST
from alonzo.model.errors import AwsError, invalid_parameter

T = TypeVar("T")

#: Source: Lambda API, ``ListFunctions`` (50 at most, whatever was asked for).
PAGE_MAX = 50

Place = tuple[str, str]
START: Place = ("", "")
_SEAL_BYTES = 6

_NUMBER = re.compile(r"[0-9]{1,18}")


def page_size(params: dict[str, Any]) -> int:
    """How many entries to show."""
    return min(params.get("MaxItems") or PAGE_MAX, PAGE_MAX)


def write_marker(listing: str, place: Place) -> str:
    """The marker for the page after ``place``: a name, and a version where a list has them.

    ``listing`` names the list, so that no other takes the marker for its own.
    """
    text = orjson.dumps((listing, *place))
    return base64.urlsafe_b64encode(_seal(text) + text).decode()


def read_marker(listing: str, params: Mapping[str, Any]) -> Place:
    """The place that the ``Marker`` of a request names; ``START`` without one.

    The seal finds what was cut or altered on the way. It is no secret: a marker leads nowhere but
    to a place in the caller's own list.

    Raises:
        AwsError: InvalidParameterValueException. The text is ours.
    """
    marker: str | None = params.get("Marker")
    if not marker:
        return START
    try:
        data = base64.b64decode(marker, altchars=b"-_", validate=True)
        seal, text = data[:_SEAL_BYTES], data[_SEAL_BYTES:]
        # Not json.loads: that takes lone surrogates, which no store can look for.
        value: Any = orjson.loads(text) if _seal(text) == seal else None
    except (binascii.Error, ValueError):
        value = None
    if isinstance(value, list):
        items = cast(list[Any], value)
        if len(items) == 3 and all(isinstance(item, str) for item in items) and items[0] == listing:
            return items[1], items[2]
    raise _no_marker()


def _seal(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()[:_SEAL_BYTES]


def version_number(place: Place) -> int:
    """The version in a place as a number, for the order of versions; -1 at the start.

    Raises:
        AwsError: InvalidParameterValueException: the marker is of another list.
    """
    if place == START:
        return -1
    if place[1] == LATEST:
        return 0
    if _NUMBER.fullmatch(place[1]) is None:
        raise _no_marker()
    return int(place[1])


def _no_marker() -> AwsError:
    return invalid_parameter("Marker: this is not a marker that a previous page returned.")


def split_page(rows: Sequence[T], size: int) -> tuple[Sequence[T], T | None]:
    """``size + 1`` rows were asked for: those to show, and the last of them if more follow."""
    shown = rows[:size]
    return shown, shown[-1] if len(rows) > size else None
