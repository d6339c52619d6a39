"""Documents of plain values (JSON's or CBOR's) to parameters and back, compiled per shape.

The two formats differ only in their leaves, so each brings a table of those. Unknown members are
dropped on input, as AWS does; on output they are a bug of ours, and refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from alonzo.edge.protocols.compiler import Converter, ShapeCompiler
from alonzo.edge.protocols.malformed import Malformed
from alonzo.edge.protocols.scalars import unexpected
from alonzo.model.errors import AwsError, PlatformError
from alonzo.model.service_models import ListShape, MapShape, Shape, StructureShape

if TYPE_CHECKING:
    from alonzo.edge.protocols.errors import ErrorFacts


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar: values of exactly ``plain`` pass as they are, others go through ``convert``."""

    plain: type | None
    convert: Converter


#: The leaf for a scalar shape.
Leaves = Callable[[Shape], Leaf]


def tree_decoder(leaves: Leaves) -> ShapeCompiler:
    """Compiles shapes to readers of decoded documents. Readers raise ``Malformed``."""

    def build(shape: Shape, compile_: Callable[[Shape], Converter]) -> Converter:
        if isinstance(shape, StructureShape):
            return _unchanged if shape.is_document_type else _structure_in(shape, leaves, compile_)
        if isinstance(shape, ListShape):
            return _list_in(_entry(shape.member, leaves, compile_))
        if isinstance(shape, MapShape):
            return _map_in(_entry(shape.value, leaves, compile_))
        return _strict(leaves(shape))

    return ShapeCompiler(build)


def _entry(
    shape: Shape, leaves: Leaves, compile_: Callable[[Shape], Converter]
) -> tuple[type | None, Converter]:
    if isinstance(shape, StructureShape | ListShape | MapShape):
        return None, compile_(shape)
    leaf = leaves(shape)
    return leaf.plain, leaf.convert


def _unchanged(value: Any) -> Any:
    return value


def _strict(leaf: Leaf) -> Converter:
    plain, convert = leaf.plain, leaf.convert
    return lambda value: value if type(value) is plain else convert(value)


def _structure_in(
    shape: StructureShape, leaves: Leaves, compile_: Callable[[Shape], Converter]
) -> Converter:
    members = {
        member.serialization.get("name", name): (name, *_entry(member, leaves, compile_))
        for name, member in shape.members.items()
    }

    def read(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise unexpected(value, "Structure")
        params: dict[str, Any] = {}
        for key, item in cast("dict[str, Any]", value).items():
            member = members.get(key)
            if member is not None and item is not None:
                name, plain, convert = member
                params[name] = item if type(item) is plain else convert(item)
        return params

    return read


def _list_in(entry: tuple[type | None, Converter]) -> Converter:
    plain, convert = entry

    def read(value: Any) -> list[Any]:
        if type(value) is not list:
            raise Malformed(f"Unrecognized collection type {type(value).__name__}")
        return [
            item if item is None or type(item) is plain else convert(item)
            for item in cast("list[Any]", value)
        ]

    return read


def _map_in(entry: tuple[type | None, Converter]) -> Converter:
    plain, convert = entry

    def read(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise unexpected(value, "Map")
        params: dict[str, Any] = {}
        for key, item in cast("dict[Any, Any]", value).items():
            if type(key) is not str:
                raise unexpected(key, "String")
            params[key] = item if item is None or type(item) is plain else convert(item)
        return params

    return read


def tree_encoder(leaves: Leaves) -> ShapeCompiler:
    """Compiles shapes to writers of documents. A leaf's ``plain`` values need no conversion."""

    def build(shape: Shape, compile_: Callable[[Shape], Converter]) -> Converter:
        if isinstance(shape, StructureShape):
            return _unchanged if shape.is_document_type else _structure_out(shape, leaves, compile_)
        if isinstance(shape, ListShape):
            return _list_out(_entry(shape.member, leaves, compile_))
        if isinstance(shape, MapShape):
            return _map_out(_entry(shape.value, leaves, compile_))
        return _strict(leaves(shape))

    return ShapeCompiler(build)


def _structure_out(
    shape: StructureShape, leaves: Leaves, compile_: Callable[[Shape], Converter]
) -> Converter:
    members = {
        name: (member.serialization.get("name", name), *_entry(member, leaves, compile_))
        for name, member in shape.members.items()
    }

    def write(value: Mapping[str, Any]) -> dict[str, Any]:
        document: dict[str, Any] = {}
        for name, item in value.items():
            if item is None:
                continue
            member = members.get(name)
            if member is None:
                raise PlatformError(f"{shape.name} has no member {name!r}")
            key, plain, convert = member
            document[key] = item if type(item) is plain else convert(item)
        return document

    return write


def _list_out(entry: tuple[type | None, Converter]) -> Converter:
    plain, convert = entry

    def write(value: Any) -> list[Any]:
        return [item if item is None or type(item) is plain else convert(item) for item in value]

    return write


def _map_out(entry: tuple[type | None, Converter]) -> Converter:
    plain, convert = entry

    def write(value: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: item if item is None or type(item) is plain else convert(item)
            for key, item in value.items()
        }

    return write


class TreeDocuments:
    """Documents of one format for one service: bytes, trees of plain values, parameters."""

    def __init__(
        self,
        *,
        content_type: str,
        load: Callable[[bytes], Any],
        dump: Callable[[Any], bytes],
        leaves_in: Leaves,
        leaves_out: Leaves,
    ) -> None:
        self.content_type = content_type
        #: The bytes of a tree of plain values.
        self.dump = dump
        self.empty = dump({})
        self._load = load
        self._decoders = tree_decoder(leaves_in)
        self._encoders = tree_encoder(leaves_out)

    def read(self, shape: Shape, body: bytes) -> Any:
        """The value of a shape. Raises ``Malformed``."""
        return self._decoders(shape)(self._load(body))

    def write(self, shape: Shape, value: Any) -> bytes:
        """The document of a value."""
        return self.dump(self._encoders(shape)(value))

    def encode_error(self, error: AwsError, facts: ErrorFacts) -> dict[str, Any]:
        """The tree of an error's members. One that no model declares always has a message."""
        members = facts.body_members(error)
        if facts.shape is None:
            return members
        return {"message": error.message} | self._encoders(facts.shape)(members)
