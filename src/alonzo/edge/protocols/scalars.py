"""Numbers, booleans, blobs and timestamps as the protocols write them. Pure, and strict on input.

Python's own ``int()`` and ``float()`` take spaces, underscores and other scripts' digits; AWS does
not, so texts pass a pattern first.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from alonzo.edge.protocols.malformed import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from alonzo.model.service_models import Shape

#: Smallest and largest value, by integral shape type.
INTEGER_BOUNDS = {"integer": (-(1 << 31), (1 << 31) - 1), "long": (-(1 << 63), (1 << 63) - 1)}

_INTEGER = re.compile(r"[-+]?[0-9]{1,19}", re.ASCII)
_NUMBER = re.compile(
    r"[-+]?(?:[0-9]{1,40}(?:\.[0-9]{0,340})?|\.[0-9]{1,340})(?:[eE][-+]?[0-9]{1,4})?"
)
_SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_FRACTION_OF_HTTP_DATE = re.compile(r"(:[0-9]{2})\.[0-9]{1,9}(?= GMT$)")


def read_integer(value: Any, type_name: str) -> int:
    """A whole number from a decoded document, within the bounds of its shape type."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise unexpected(value, type_name.capitalize())
    low, high = INTEGER_BOUNDS[type_name]
    if not low <= value <= high:
        raise Malformed(f"Numeric value out of range of {type_name}")
    return value


def read_double(value: Any) -> float:
    """A number from a decoded document; NaN and the infinities come as texts."""
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise Malformed("Numeric value out of range of double") from None
    if isinstance(value, str) and value in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[value]
    raise unexpected(value, "Double")


def read_blob(value: Any) -> bytes:
    """Bytes from their base64 text."""
    if not isinstance(value, str):
        raise unexpected(value, "Blob")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("Unable to decode a blob: it is not valid base64") from None


def read_timestamp(value: Any) -> datetime:
    """An aware datetime in UTC from epoch seconds, ISO 8601 or an HTTP date."""
    try:
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            return _timestamp_of_text(value)
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        raise Malformed("Invalid timestamp") from None
    raise unexpected(value, "Timestamp")


def _timestamp_of_text(text: str) -> datetime:
    if _NUMBER.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC)
    if text[:1].isdigit():
        moment = datetime.fromisoformat(text)
    else:
        moment = parsedate_to_datetime(_FRACTION_OF_HTTP_DATE.sub(r"\1", text))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def text_decoder(shape: Shape) -> Callable[[str], Any]:
    """How a scalar is read from a text: a header, a label, a form field, an XML element."""
    type_name = shape.type_name
    if type_name in INTEGER_BOUNDS:
        return lambda text: _integer_of_text(text, type_name)
    return _TEXT_DECODERS.get(type_name, _string_of_text)


def _string_of_text(text: str) -> str:
    return text


def _integer_of_text(text: str, type_name: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise unexpected(text, type_name.capitalize())
    return read_integer(int(text), type_name)


def _double_of_text(text: str) -> float:
    if text in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[text]
    if not _NUMBER.fullmatch(text):
        raise unexpected(text, "Double")
    return float(text)


def _boolean_of_text(text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise unexpected(text, "Boolean")
    return lowered == "true"


_TEXT_DECODERS: dict[str, Callable[[str], Any]] = {
    "boolean": _boolean_of_text,
    "float": _double_of_text,
    "double": _double_of_text,
    "blob": read_blob,
    "timestamp": read_timestamp,
}


def text_encoder(shape: Shape, timestamp_format: str) -> Callable[[Any], str]:
    """How a scalar is written as a text; ``timestamp_format`` is the place's default."""
    if shape.type_name == "timestamp":
        chosen = shape.serialization.get("timestampFormat", timestamp_format)
        return lambda value: str(render_timestamp(value, chosen))
    return _TEXT_ENCODERS.get(shape.type_name, str)


def _text_of_boolean(value: Any) -> str:
    return "true" if value else "false"


def _text_of_double(value: Any) -> str:
    return str(render_double(float(value)))


def bytes_of(value: Any) -> bytes:
    """The bytes of a blob of ours; a text stands for its UTF-8."""
    return value.encode() if isinstance(value, str) else bytes(value)


def render_blob(value: Any) -> str:
    """Base64 of a blob."""
    return base64.b64encode(bytes_of(value)).decode("ascii")


def render_double(value: Any) -> Any:
    """A number that JSON can carry: NaN and the infinities become texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


_TEXT_ENCODERS: dict[str, Callable[[Any], str]] = {
    "boolean": _text_of_boolean,
    "float": _text_of_double,
    "double": _text_of_double,
    "blob": render_blob,
}


def moment_of(value: Any) -> datetime:
    """An aware datetime in UTC from one of ours: a datetime or epoch seconds."""
    if not isinstance(value, datetime):
        return datetime.fromtimestamp(float(value), UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def render_timestamp(value: Any, timestamp_format: str) -> str | int | float:
    """A timestamp in one of the model's formats, from a datetime or epoch seconds.

    Fractions are written as far as the value has them, down to microseconds; HTTP dates have none.
    """
    moment = moment_of(value)
    if timestamp_format == "unixTimestamp":
        seconds = moment.timestamp()
        return int(seconds) if moment.microsecond == 0 else seconds
    if timestamp_format == "rfc822":
        return format_datetime(moment, usegmt=True)
    micros = moment.microsecond
    precision = "seconds" if not micros else "microseconds" if micros % 1000 else "milliseconds"
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


#: What JSON calls a value. A bool is an int to Python, so it comes first.
_JSON_NAMES = {
    bool: "BOOLEAN_VALUE",
    str: "STRING_VALUE",
    int: "NUMBER_VALUE",
    float: "NUMBER_VALUE",
}


def unexpected(value: Any, wanted: str) -> Malformed:
    """A value of one kind where another was due, in the words of AWS's framework (*observed*)."""
    if isinstance(value, dict | list):
        return Malformed("Start of structure or map found where not expected.")
    kind = next((name for type_, name in _JSON_NAMES.items() if isinstance(value, type_)), "VALUE")
    return Malformed(f"{kind} cannot be converted to {wanted}")
