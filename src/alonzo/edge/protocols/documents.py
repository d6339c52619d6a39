"""JSON documents: bytes to parameters and back. Shared by json, rest-json and event streams."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from alonzo.edge.protocols.malformed import Malformed
from alonzo.edge.protocols.scalars import (
    read_blob,
    read_double,
    read_integer,
    read_timestamp,
    render_blob,
    render_double,
    render_timestamp,
    unexpected,
)
from alonzo.edge.protocols.trees import Leaf, TreeDocuments

if TYPE_CHECKING:
    from alonzo.model.service_models import Shape


def _string(value: Any) -> str:
    raise unexpected(value, "String")


def _boolean(value: Any) -> bool:
    raise unexpected(value, "Boolean")


_LEAVES_IN = {
    "string": Leaf(str, _string),
    "character": Leaf(str, _string),
    "boolean": Leaf(bool, _boolean),
    "integer": Leaf(None, lambda value: read_integer(value, "integer")),
    "long": Leaf(None, lambda value: read_integer(value, "long")),
    "float": Leaf(float, read_double),
    "double": Leaf(float, read_double),
    "blob": Leaf(None, read_blob),
    "timestamp": Leaf(None, read_timestamp),
}


def _plain(value: Any) -> Any:
    return value


_DOUBLE_OUT = Leaf(int, render_double)
_LEAVES_OUT = {
    "string": Leaf(str, str),
    "character": Leaf(str, str),
    "boolean": Leaf(bool, bool),
    "integer": Leaf(int, _plain),
    "long": Leaf(int, _plain),
    "float": _DOUBLE_OUT,
    "double": _DOUBLE_OUT,
    "blob": Leaf(None, render_blob),
}


def _leaf_out(shape: Shape) -> Leaf:
    if shape.type_name == "timestamp":
        chosen = shape.serialization.get("timestampFormat", "unixTimestamp")
        return Leaf(None, lambda value: render_timestamp(value, chosen))
    return _LEAVES_OUT[shape.type_name]


def json_documents() -> TreeDocuments:
    """Reads and writes the JSON documents of one service."""
    return TreeDocuments(
        content_type="application/json",
        load=load_json,
        dump=dump_json,
        leaves_in=lambda shape: _LEAVES_IN[shape.type_name],
        leaves_out=_leaf_out,
    )


def dump_json(value: Any) -> bytes:
    """Encode plain values. Where no shape did it: blobs as base64, timestamps as epoch seconds."""
    options = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
    return orjson.dumps(value, default=_dump_leaf, option=options)


def _dump_leaf(value: Any) -> Any:
    if isinstance(value, datetime):
        return render_timestamp(value, "unixTimestamp")
    if isinstance(value, bytes):
        return render_blob(value)
    raise TypeError(type(value).__name__)


def load_json(body: bytes) -> Any:
    """Decode JSON strictly: UTF-8, no NaN, bounded nesting. Raises ``Malformed``."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"Could not parse request body into json: {error}") from None
