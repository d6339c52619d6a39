"""The binary event stream, ``application/vnd.amazon.eventstream``: frames with named headers.

One frame: total length, length of headers, CRC-32 of those two (12 bytes, the prelude); headers;
payload; CRC-32 of all before it. Numbers are big-endian. A header is the length of its name (one
byte), its name, a type and a value. Source: Smithy, "Amazon event stream specification".
"""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from alonzo.edge.protocols.malformed import Malformed
from alonzo.edge.protocols.scalars import bytes_of, moment_of
from alonzo.model.errors import AwsError, PlatformError
from alonzo.model.service_models import Shape, StructureShape

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from alonzo.edge.protocols.base import Documents

#: Bounds of one frame, in bytes. Source: as above.
PAYLOAD_BYTES_MAX = 24 << 20
HEADERS_BYTES_MAX = 128 << 10

_PRELUDE = struct.Struct(">II")
_CRC = struct.Struct(">I")
_OVERHEAD_BYTES = _PRELUDE.size + 2 * _CRC.size

HeaderValue = bool | int | bytes | str | datetime

_TRUE, _FALSE, _INT, _LONG, _BYTES, _STRING, _TIMESTAMP = 0, 1, 4, 5, 6, 7, 8
_FIXED = {
    2: struct.Struct(">b"),
    3: struct.Struct(">h"),
    4: struct.Struct(">i"),
    5: struct.Struct(">q"),
    8: struct.Struct(">q"),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a stream."""

    headers: Mapping[str, HeaderValue]
    payload: bytes


def encode_frame(headers: Mapping[str, HeaderValue], payload: bytes) -> bytes:
    """The bytes of one frame."""
    packed = b"".join(_encode_header(name, value) for name, value in headers.items())
    if len(payload) > PAYLOAD_BYTES_MAX or len(packed) > HEADERS_BYTES_MAX:
        raise PlatformError(f"an event of {len(payload)} bytes is too long for one frame")
    prelude = _PRELUDE.pack(_OVERHEAD_BYTES + len(packed) + len(payload), len(packed))
    head = prelude + _CRC.pack(binascii.crc32(prelude)) + packed + payload
    return head + _CRC.pack(binascii.crc32(head))


def decode_frame(data: bytes) -> tuple[Frame, bytes] | None:
    """The first frame and the bytes after it; None if it is not whole yet.

    Raises:
        Malformed: a length or a checksum is wrong.
    """
    if len(data) < _OVERHEAD_BYTES:
        return None
    total, headers_length = _PRELUDE.unpack_from(data)
    if _CRC.unpack_from(data, 8)[0] != binascii.crc32(data[:8]):
        raise Malformed("Prelude checksum mismatch")
    if headers_length > HEADERS_BYTES_MAX or headers_length > total - _OVERHEAD_BYTES:
        raise Malformed("Header length exceeds its bound")
    if total > PAYLOAD_BYTES_MAX + HEADERS_BYTES_MAX + _OVERHEAD_BYTES:
        raise Malformed("Payload length exceeds its bound")
    if len(data) < total:
        return None
    body, rest = data[: total - 4], data[total:]
    if _CRC.unpack_from(data, total - 4)[0] != binascii.crc32(body):
        raise Malformed("Message checksum mismatch")
    return Frame(_decode_headers(body[12 : 12 + headers_length]), body[12 + headers_length :]), rest


def _encode_header(name: str, value: HeaderValue) -> bytes:
    encoded = name.encode()
    head = bytes([len(encoded)]) + encoded
    if isinstance(value, bool):
        return head + bytes([_TRUE if value else _FALSE])
    if isinstance(value, int):
        kind = _INT if -(1 << 31) <= value < 1 << 31 else _LONG
        return head + bytes([kind]) + _FIXED[kind].pack(value)
    if isinstance(value, datetime):
        return head + bytes([_TIMESTAMP]) + _FIXED[_TIMESTAMP].pack(round(value.timestamp() * 1000))
    kind, raw = (_STRING, value.encode()) if isinstance(value, str) else (_BYTES, value)
    return head + bytes([kind]) + struct.pack(">H", len(raw)) + raw


def _decode_headers(data: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    position = 0
    try:
        while position < len(data):
            end = position + 1 + data[position]
            name = data[position + 1 : end].decode()
            headers[name], position = _decode_value(data, end)
    except (IndexError, struct.error, UnicodeDecodeError):
        raise Malformed("Headers of an event cannot be read") from None
    return headers


def _decode_value(data: bytes, position: int) -> tuple[HeaderValue, int]:
    kind = data[position]
    position += 1
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, position
    if kind in _FIXED:
        return _FIXED[kind].unpack_from(data, position)[0], position + _FIXED[kind].size
    if kind not in (_BYTES, _STRING):
        raise Malformed(f"Headers of type {kind} are not supported")
    end = position + 2 + struct.unpack_from(">H", data, position)[0]
    if end > len(data):
        raise Malformed("Headers of an event cannot be read")
    raw = data[position + 2 : end]
    return (raw.decode() if kind == _STRING else raw), end


def _header_value(shape: Shape, value: Any) -> HeaderValue:
    if shape.type_name == "timestamp":
        return moment_of(value)
    return bytes_of(value) if shape.type_name == "blob" else value


class EventStreamWriter:
    """Writes the events of a modelled stream, in the format of the protocol's documents."""

    content_type = "application/vnd.amazon.eventstream"

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def frames(
        self,
        stream: Shape,
        events: AsyncIterator[Mapping[str, Any]],
        *,
        initial: bytes | None = None,
    ) -> AsyncIterator[bytes]:
        """The frames of a stream as its events come; ``initial`` is the document that leads it.

        An ``AwsError`` that the events raise becomes the last frame. The events are closed when
        the frames are, also when the client has gone.
        """
        assert isinstance(stream, StructureShape), "an event stream is a union"
        try:
            if initial is not None:
                headers = {":message-type": "event", ":event-type": "initial-response"}
                headers[":content-type"] = self._documents.content_type
                yield encode_frame(headers, initial)
            async for event in events:
                for name, members in event.items():
                    yield self._event(stream, name, members)
        except AwsError as error:
            yield self._failure(stream, error)
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()

    def _event(self, stream: StructureShape, name: str, members: Mapping[str, Any]) -> bytes:
        shape = stream.members.get(name)
        if not isinstance(shape, StructureShape):
            raise PlatformError(f"{stream.name} has no event {name!r}")
        if shape.metadata.get("exception"):
            headers: dict[str, HeaderValue] = {
                ":message-type": "exception",
                ":exception-type": name,
            }
        else:
            headers = {":message-type": "event", ":event-type": name}
        body: dict[str, Any] = {}
        for key, value in members.items():
            if value is None:
                continue
            if shape.members[key].serialization.get("eventheader"):
                headers[key] = _header_value(shape.members[key], value)
            else:
                body[key] = value
        kind, payload = self._payload(shape, body)
        if kind is not None:
            headers[":content-type"] = kind
        return encode_frame(headers, payload)

    def _payload(self, shape: StructureShape, body: dict[str, Any]) -> tuple[str | None, bytes]:
        for name, member in shape.members.items():
            if member.serialization.get("eventpayload"):
                value = body.get(name)
                if member.type_name == "blob":
                    return "application/octet-stream", bytes_of(value or b"")
                if member.type_name == "string":
                    return "text/plain", (value or "").encode()
                return self._documents.content_type, self._documents.write(member, value or {})
        if not shape.members:
            return None, b""
        return self._documents.content_type, self._documents.write(shape, body)

    def _failure(self, stream: StructureShape, error: AwsError) -> bytes:
        for name, shape in stream.members.items():
            if shape.metadata.get("exception") and error.code in (name, shape.name):
                assert isinstance(shape, StructureShape), "an exception is a structure"
                given = {"message": error.message, "Message": error.message, **error.members}
                known = {key: given[key] for key in shape.members if key in given}
                return self._event(stream, name, known)
        headers = {
            ":message-type": "error",
            ":error-code": error.code,
            ":error-message": error.message[:8192],
        }
        return encode_frame(headers, b"")
