"""Members of a REST operation that travel in path, query, headers and status, compiled per shape.

Reading never fails for what is missing: validation does. Header values are UTF-8 where they can be
and Latin-1 otherwise, since S3 clients send both.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

import orjson

from alonzo.edge.protocols.malformed import Malformed
from alonzo.edge.protocols.query_strings import decode_percent
from alonzo.edge.protocols.scalars import text_decoder, text_encoder
from alonzo.model.service_models import ListShape, MapShape, Shape, StructureShape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Conditions that count for nothing where they cannot be read (RFC 9110, 13.1.3 and 13.1.4).
_VOID_CONDITIONS = frozenset({b"if-modified-since", b"if-unmodified-since"})

#: One entry of a header list: quoted, or up to the next comma.
_LIST_ENTRY = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*))\s*(?:,|$)')


class RequestBindings:
    """Where the members of one input shape stand in a request."""

    def __init__(self, shape: StructureShape) -> None:
        self._labels: dict[str, tuple[str, Callable[[str], Any]]] = {}
        self._query: list[tuple[str, str, Callable[[Sequence[str]], Any]]] = []
        self._query_maps: list[tuple[str, bool]] = []
        self._headers: list[tuple[str, bytes, Callable[[str], Any]]] = []
        self._prefixes: list[tuple[str, bytes]] = []
        for name, member in shape.members.items():
            self._bind(name, member, member.serialization.get("name", name))
        self._query_names = frozenset(wire_name for _, wire_name, _ in self._query)

    def _bind(self, name: str, member: Shape, wire_name: str) -> None:
        location = member.serialization.get("location")
        if location == "uri":
            self._labels[wire_name] = (name, text_decoder(member))
        elif location == "querystring" and isinstance(member, MapShape):
            self._query_maps.append((name, isinstance(member.value, ListShape)))
        elif location == "querystring":
            self._query.append((name, wire_name, _query_reader(member)))
        elif location == "header":
            read = _header_reader(member)
            header_name = wire_name.lower().encode()
            if header_name in _VOID_CONDITIONS:
                read = _or_none(read)
            self._headers.append((name, header_name, read))
        elif location == "headers":
            self._prefixes.append((name, wire_name.lower().encode()))

    def read(
        self,
        labels: Mapping[str, str],
        query: Mapping[str, list[str]],
        headers: Mapping[bytes, bytes],
    ) -> dict[str, Any]:
        """The members that are there. Raises ``Malformed``.

        ``labels`` are raw, a character for each byte.
        """
        params: dict[str, Any] = {}
        for wire_name, text in labels.items():
            found = self._labels.get(wire_name)
            if found is not None:
                name, decode = found
                params[name] = decode(decode_percent(text.encode("latin-1")))
        for name, wire_name, read in self._query:
            values = query.get(wire_name)
            if values is not None:
                params[name] = read(values)
        for name, is_multi in self._query_maps:
            rest = {key: v for key, v in query.items() if key not in self._query_names}
            if rest:
                params[name] = rest if is_multi else {key: v[0] for key, v in rest.items()}
        for name, header_name, read_header in self._headers:
            raw = headers.get(header_name)
            if raw is not None and (value := read_header(decode_header(raw))) is not None:
                params[name] = value
        for name, prefix in self._prefixes:
            found_headers = {
                key[len(prefix) :].decode("latin-1"): decode_header(raw)
                for key, raw in headers.items()
                if key.startswith(prefix)
            }
            if found_headers:
                params[name] = found_headers
        return params


def decode_header(raw: bytes) -> str:
    """A header's value as text."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _query_reader(member: Shape) -> Callable[[Sequence[str]], Any]:
    if isinstance(member, ListShape):
        decode = text_decoder(member.member)
        return lambda values: [decode(value) for value in values]
    decode = text_decoder(member)
    return lambda values: decode(values[0])


def _header_reader(member: Shape) -> Callable[[str], Any]:
    if member.serialization.get("jsonvalue"):
        return _json_header
    if isinstance(member, ListShape):
        decode = text_decoder(member.member)
        split = _split_dates if _is_http_date(member.member) else _split_list
        return lambda text: [decode(entry) for entry in split(text)]
    return text_decoder(member)


def _or_none(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def read_if_it_can_be(text: str) -> Any:
        try:
            return read(text)
        except Malformed:
            return None

    return read_if_it_can_be


def _json_header(text: str) -> Any:
    try:
        return orjson.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise Malformed("A header is not the base64 text of a JSON value") from None


def _is_http_date(shape: Shape) -> bool:
    default = shape.serialization.get("timestampFormat", "rfc822")
    return shape.type_name == "timestamp" and default == "rfc822"


def _split_list(text: str) -> list[str]:
    entries: list[str] = []
    position = 0
    while position < len(text):
        match = _LIST_ENTRY.match(text, position)
        if match is None:
            raise Malformed("A list in a header cannot be read")
        quoted, bare = match.groups()
        entries.append(bare.strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = match.end()
    return entries


def _split_dates(text: str) -> list[str]:
    """HTTP dates hold a comma themselves, so every second one parts the list."""
    parts = [part.strip() for part in text.split(",")]
    return [", ".join(parts[index : index + 2]) for index in range(0, len(parts), 2)]


def is_in_body(member: Shape) -> bool:
    """Does a member of an output travel in the body? Places of inputs mean nothing in outputs."""
    return member.serialization.get("location") not in ("header", "headers", "statusCode")


class ResponseBindings:
    """Where the members of one output shape stand outside the body."""

    def __init__(self, shape: StructureShape) -> None:
        self._status: str | None = None
        self._headers: dict[str, tuple[str, Callable[[Any], str]]] = {}
        self._prefixes: dict[str, str] = {}
        for name, member in shape.members.items():
            location = member.serialization.get("location")
            if location == "statusCode":
                self._status = name
            elif location == "header":
                wire_name = member.serialization.get("name", name)
                self._headers[name] = (wire_name, _header_writer(member))
            elif location == "headers":
                self._prefixes[name] = member.serialization.get("name", "")

    def take(self, members: dict[str, Any], headers: dict[str, str]) -> int | None:
        """Move members out of ``members`` and into ``headers``; the status, if a member says it."""
        for name, (wire_name, write) in self._headers.items():
            value = members.pop(name, None)
            if value is not None:
                headers[wire_name] = _header_text(write(value))
        for name, prefix in self._prefixes.items():
            entries: Mapping[str, str] = members.pop(name, None) or {}
            for key, value in entries.items():
                headers[prefix + key] = _header_text(str(value))
        return members.pop(self._status, None) if self._status is not None else None


def _header_text(text: str) -> str:
    """A value that cannot end its header: line breaks and NULs become blanks (RFC 9110, 5.5)."""
    return text if text.isprintable() else re.sub(r"[\r\n\0]", " ", text)


def _header_writer(member: Shape) -> Callable[[Any], str]:
    if member.serialization.get("jsonvalue"):
        return lambda value: base64.b64encode(orjson.dumps(value)).decode()
    if isinstance(member, ListShape):
        encode = text_encoder(member.member, "rfc822")
        quote = member.member.type_name == "string"
        return lambda values: ", ".join(
            _quote(encode(value)) if quote else encode(value) for value in values
        )
    return text_encoder(member, "rfc822")


def _quote(text: str) -> str:
    if '"' not in text and "," not in text:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
