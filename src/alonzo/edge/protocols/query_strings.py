"""Query strings and form bodies: pairs of names and values, decoded strictly."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from alonzo.edge.protocols.malformed import Malformed

#: Fields of one query string or form. AWS's largest batches stay far below.
FIELDS_MAX = 50_000


def parse_pairs(text: bytes) -> list[tuple[str, str]]:
    """Names and values in order; ``+`` is a blank. Raises ``Malformed`` for bad UTF-8."""
    if not text:
        return []
    parts = text.split(b"&", FIELDS_MAX)
    if len(parts) > FIELDS_MAX:
        raise Malformed("Too many parameters")
    pairs: list[tuple[str, str]] = []
    for part in parts:
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((_decode(name), _decode(value)))
    return pairs


def _decode(part: bytes) -> str:
    if b"+" in part:
        part = part.replace(b"+", b" ")
    return decode_percent(part)


def decode_percent(part: bytes) -> str:
    """Percent-decode a label or a field. Raises ``Malformed`` for bad UTF-8."""
    try:
        return (unquote_to_bytes(part) if b"%" in part else part).decode()
    except UnicodeDecodeError:
        raise Malformed("Invalid UTF-8 in the request's path, query or form") from None
