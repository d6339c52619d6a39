"""Smithy RPC v2 with CBOR: the operation in the path, one CBOR document each way.

Only what the protocol has is decoded: of CBOR's tags that is the timestamp. The others can stand
for endless numbers, regular expressions or values that contain themselves, and are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cbor2

from alonzo.edge.protocols.base import unknown_operation
from alonzo.edge.protocols.malformed import Malformed
from alonzo.edge.protocols.rpc import RpcCodec
from alonzo.edge.protocols.scalars import (
    bytes_of,
    read_double,
    read_integer,
    read_timestamp,
    render_timestamp,
    unexpected,
)
from alonzo.edge.protocols.trees import Leaf, TreeDocuments

if TYPE_CHECKING:
    from alonzo.model.http import HttpRequest
    from alonzo.model.service_models import OperationModel, ServiceModel

#: Containers inside each other; cbor2 counts them.
DEPTH_MAX = 200

#: Tags that cbor2 would decode by itself, save 1, the timestamp.
_REFUSED_TAGS = (0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004)


def _refuse_tag(*_: Any) -> Any:
    raise Malformed("The request has a CBOR tag that the protocol does not know")


_DECODERS: dict[int, Any] = dict.fromkeys(_REFUSED_TAGS, _refuse_tag)


def load_cbor(body: bytes) -> Any:
    """Decode one CBOR value of plain types. Raises ``Malformed``."""
    try:
        return cbor2.loads(
            body,
            tag_hook=_refuse_tag,
            semantic_decoders=_DECODERS,
            max_depth=DEPTH_MAX,
            strict_hashable_types=True,
        )
    except (cbor2.CBORError, ValueError, OverflowError, TypeError, MemoryError) as error:
        raise Malformed("Could not parse request body into cbor") from error


def _wrong(wanted: str) -> Any:
    def refuse(value: Any) -> Any:
        raise unexpected(value, wanted)

    return refuse


_LEAVES_IN = {
    "string": Leaf(str, _wrong("String")),
    "character": Leaf(str, _wrong("String")),
    "boolean": Leaf(bool, _wrong("Boolean")),
    "integer": Leaf(None, lambda value: read_integer(value, "integer")),
    "long": Leaf(None, lambda value: read_integer(value, "long")),
    "float": Leaf(float, read_double),
    "double": Leaf(float, read_double),
    "blob": Leaf(bytes, _wrong("Blob")),
    "timestamp": Leaf(None, read_timestamp),
}


def _timestamp_out(value: Any) -> cbor2.CBORTag:
    return cbor2.CBORTag(1, render_timestamp(value, "unixTimestamp"))


_LEAVES_OUT = {
    "string": Leaf(str, str),
    "character": Leaf(str, str),
    "boolean": Leaf(bool, bool),
    "integer": Leaf(int, int),
    "long": Leaf(int, int),
    "float": Leaf(float, float),
    "double": Leaf(float, float),
    "blob": Leaf(bytes, bytes_of),
    "timestamp": Leaf(None, _timestamp_out),
}


def dump_cbor(value: Any) -> bytes:
    """Encode plain values."""
    return cbor2.dumps(value, datetime_as_timestamp=True)


def cbor_documents() -> TreeDocuments:
    """Reads and writes the CBOR documents of one service."""
    return TreeDocuments(
        content_type="application/cbor",
        load=load_cbor,
        dump=dump_cbor,
        leaves_in=lambda shape: _LEAVES_IN[shape.type_name],
        leaves_out=lambda shape: _LEAVES_OUT[shape.type_name],
    )


class CborCodec(RpcCodec):
    """One service in RPC v2 CBOR."""

    def __init__(self, service: ServiceModel) -> None:
        documents = cbor_documents()
        headers = {"Content-Type": documents.content_type, "smithy-protocol": "rpc-v2-cbor"}
        super().__init__(service, documents, headers)
        prefix = f"/service/{service.metadata.get('targetPrefix', '')}/operation/"
        self._paths = {f"{prefix}{name}".encode(): name for name in service.operation_names}

    def _decode(self, request: HttpRequest) -> tuple[OperationModel, dict[str, Any]]:
        name = self._paths.get(request.raw_path)
        if name is None:
            raise unknown_operation()
        return self._read(name, request.body)
