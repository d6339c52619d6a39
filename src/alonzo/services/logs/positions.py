"""Where an event stands: one integer that orders events, names them, and makes page tokens.

    position = timestamp_ms << 144 | chunk << 24 | place in the chunk

Written as 56 decimal digits it is the event id, as on AWS, whose ids have that many digits and
grow with the timestamp. A chunk never changes, so a position means the same event for good, and
events that arrive while a client pages cannot shift what it has seen.
"""

from __future__ import annotations

import base64
import binascii
import re

from alonzo.services.logs.errors import invalid_token

_CHUNK_SHIFT = 24
_TIME_SHIFT = 144
_DIGITS = 56
_MAX = 10**_DIGITS - 1

_STREAM_TOKEN = re.compile(r"([fb])/([0-9]{56})/s")


def position(timestamp_ms: int, chunk: int, place: int) -> int:
    """The position of an event. Never 0, because chunks count from 1."""
    return timestamp_ms << _TIME_SHIFT | chunk << _CHUNK_SHIFT | place


def timestamp_ms(at: int) -> int:
    """The timestamp inside a position."""
    return at >> _TIME_SHIFT


def parts_of(at: int) -> tuple[int, int, int]:
    """Timestamp, chunk and place in the chunk of a position."""
    chunk = at >> _CHUNK_SHIFT & (1 << _TIME_SHIFT - _CHUNK_SHIFT) - 1
    return at >> _TIME_SHIFT, chunk, at & (1 << _CHUNK_SHIFT) - 1


def event_id(at: int) -> str:
    """A position as AWS writes event ids."""
    return f"{at:0{_DIGITS}d}"


def stream_token(at: int, *, forward: bool) -> str:
    """A token of GetLogEvents: what follows ``at``, or what comes before it."""
    return f"{'f' if forward else 'b'}/{event_id(min(max(at, 0), _MAX))}/s"


def read_stream_token(token: str) -> tuple[int, bool]:
    """The position in a token of GetLogEvents, and whether it points forward.

    Raises:
        InvalidParameterException: no such token was ever issued.
    """
    found = _STREAM_TOKEN.fullmatch(token)
    if found is None:
        raise invalid_token()
    return int(found[2]), found[1] == "f"


def opaque_token(text: str) -> str:
    """A page token that clients cannot be tempted to read."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_opaque_token(token: str) -> str:
    """The text inside a token of ``opaque_token``.

    Raises:
        InvalidParameterException: the token has another form.
    """
    try:
        padded = token + "=" * (-len(token) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid_token() from error


def search_token(at: int, *, forward: bool) -> str:
    """A token of FilterLogEvents: go on after ``at`` in the direction of the first call."""
    return opaque_token(stream_token(at, forward=forward))


def read_search_token(token: str) -> tuple[int, bool]:
    """The position in a token of FilterLogEvents, and whether the search runs forward.

    Raises:
        InvalidParameterException: no such token was ever issued.
    """
    return read_stream_token(read_opaque_token(token))
